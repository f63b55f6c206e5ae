"""Names in configurations of classifiers."""

from typing import Literal

Initialisation = Literal["torch", "kaiming-uniform", "kaiming-normal", "uniform01"]
