"""Ways of bringing weights to unit scale."""

from typing import Literal

ScalingKind = Literal["none", "global", "tensor", "coordinate"]
