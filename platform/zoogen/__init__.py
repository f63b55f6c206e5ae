"""zoogen: train zoos of checkpoints, learn to generate weights from them, judge the result."""

__version__ = "0.1.0"
