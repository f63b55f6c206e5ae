"""Splits of runs and of images: what is learnt from, what is chosen by, what is reported on."""

from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
