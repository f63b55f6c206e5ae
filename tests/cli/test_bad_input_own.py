"""Whatever is wrong with one's own network or data is one line."""

from pathlib import Path

import pytest
from tests.cli.conftest import Run

FORWARD = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1024, 10)
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        if self.calls > 2:
            raise ValueError("no more\\nof this")
        return self.head(images.flatten(1))


def network(channels, size, classes):
    return Net()
"""
TWICE = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = self.again = nn.ReLU()
        self.first = self.second = nn.Linear(1024, 10)

    def forward(self, images):
        return self.second(self.relu(images).flatten(1))


def network(channels, size, classes):
    return Net()
"""
LAZY = """
from torch import nn


def network(channels, size, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""
DATA = """
import numpy as np

draws = np.random.default_rng(0)


def data():
    return {images}, {labels}
"""
IMAGES, LABELS = "draws.random((30, 12, 12))", "np.arange(30) % 3"


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (IMAGES, "np.zeros(30)", "one class"),
        (
            IMAGES,
            "2 * (np.arange(30) % 3)",
            "class 1 has no images, though labels go up to 4; number the classes 0",
        ),
        (IMAGES, "np.arange(30) % 3 * 10**12", "class 1 has no images"),
        (IMAGES, "np.arange(30) % 3 - 1", "out of range, first -1"),
        (IMAGES, "np.arange(30) % 3 + 0.5", "0.5 is none"),
        ("draws.random((30, 12))", LABELS, "images have shape [30, 12]"),
        ("draws.random((31, 12, 12))", LABELS, "31 images but 30 labels"),
        (IMAGES + " * np.nan", LABELS, "images hold NaN"),
        (IMAGES + " * 1e300", LABELS, "beyond single precision"),
        ("[np.zeros((3, 3)), np.zeros((4, 4))]", "[0, 1]", "give all of them one shape"),
        ("1 / 0", LABELS, "mine.py, line 8: ZeroDivisionError"),
    ],
)
def test_own_data(failing: Run, config: str, images: str, labels: str, expected: str) -> None:
    Path("mine.py").write_text(DATA.format(images=images, labels=labels))
    message = failing("build-zoo", config, "task.own=mine.py", "zoo.structures=[cnn-small@own]")
    assert expected in message
    assert "RuntimeWarning" not in message


def test_own_network(failing: Run, config: str) -> None:
    arguments = ("build-zoo", config, "task.own=mine.py", "zoo.structures=[own@digits]")
    Path("mine.py").write_text(LAZY)
    assert "1.weight of the network own (mine) has no shape before its first use" in failing(*arguments)
    Path("mine.py").write_text(TWICE)
    assert "has one layer as first and second; keep it under one name" in failing(*arguments)
    Path("mine.py").write_text(FORWARD)
    assert "failed in mine.py, line 14: ValueError: no more\n" in failing(*arguments, begun=True)
    assert not [*Path("artifacts").rglob("trunks/*"), *Path("artifacts").rglob("*.parquet")]
    Path("mine.py").write_text(FORWARD)
    message = failing("build-zoo", config, "task.own=mine.py", "zoo.structures=[cnn-small@own]")
    assert "mine.py defines no data()" in message
