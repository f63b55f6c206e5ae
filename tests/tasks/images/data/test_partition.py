"""Which images go where."""

import numpy as np
import pytest

from zoogen.errors import ZoogenError
from zoogen.tasks.images.config import DataConfig
from zoogen.tasks.images.data.partition import SPLITS, checked_labels, plan


def labels_of(*sizes: int) -> np.ndarray:
    """Labels with that many images per class, in a fixed random order."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


@pytest.mark.parametrize("test", [None, "test"])
def test_every_image_is_in_one_split_and_classes_keep_their_shares(test: str | None) -> None:
    labels = {"train": labels_of(400, 100, 40), "test": labels_of(7, 5, 3)}
    parts = plan("x", labels, test, 3, DataConfig(test=0.25, validation=0.15))
    used = np.concatenate([part.indices for part in parts.values() if part.source == "train"])
    assert sorted(used) == list(range(540))
    counts = {split: np.bincount(labels[part.source][part.indices]).tolist() for split, part in parts.items()}
    if test:
        assert counts == {"test": [7, 5, 3], "validation": [60, 15, 6], "train": [340, 85, 34]}
        assert not parts["test"].carved
    else:
        # 30 * .15 = 4.5 goes to the even neighbour.
        assert counts == {"test": [100, 25, 10], "validation": [45, 11, 4], "train": [255, 64, 26]}
        assert parts["test"].carved and parts["validation"].carved


def test_a_validation_split_of_its_own_is_kept() -> None:
    labels = {"train": labels_of(20, 20), "validation": labels_of(3, 4), "test": labels_of(5, 5)}
    parts = plan("x", labels, "test", 2, DataConfig())
    assert [len(parts[split].indices) for split in SPLITS] == [40, 7, 10]
    # As test (Food-101, ImageNet), it is not validation at once.
    parts = plan("x", {"train": labels["train"], "validation": labels["validation"]}, "validation", 2, DataConfig())
    assert [parts[split].source for split in SPLITS] == ["train", "train", "validation"]


@pytest.mark.parametrize(("images", "expected"), [(3, [1, 1, 1]), (4, [2, 1, 1]), (2, [1, 1, 0])])
def test_few_images_per_class_are_spread_out(images: int, expected: list[int]) -> None:
    config = DataConfig()
    if 0 in expected:
        with pytest.raises(ZoogenError, match="leaves no images for test"):
            plan("x", {"train": labels_of(images, images)}, None, 2, config)
        return
    parts = plan("x", {"train": labels_of(images, images)}, None, 2, config)
    assert [len(parts[split].indices) / 2 for split in SPLITS] == expected


def test_splits_follow_the_seed_and_the_name() -> None:
    labels = {"train": labels_of(50, 50)}
    first, again = (plan("x", labels, None, 2, DataConfig())["test"].indices for _ in range(2))
    assert (first == again).all()
    assert (first != plan("x", labels, None, 2, DataConfig(seed=1))["test"].indices).any()
    assert (first != plan("y", labels, None, 2, DataConfig())["test"].indices).any()


def test_a_limit_keeps_proportions_and_rare_classes_and_is_nested_in_the_split() -> None:
    labels = {"train": labels_of(800, 200, 3), "test": labels_of(80, 20, 1)}
    whole, cut = (plan("x", labels, "test", 3, DataConfig(limit=limit)) for limit in (None, 100))
    for split in SPLITS:
        assert set(cut[split].indices) <= set(whole[split].indices)
        assert (np.diff(cut[split].indices) > 0).all()
    counts = np.bincount(labels["train"][cut["train"].indices])
    assert counts.sum() == 100 and counts[2] >= 1
    assert counts[0] / counts[1] == pytest.approx(4, rel=0.1)
    assert len(cut["test"].indices) == 100


def test_classes_without_training_images_are_named() -> None:
    with pytest.raises(ZoogenError, match="2 of 4 classes have no training images, first 1; every class"):
        plan("x", {"train": np.repeat([0, 2], 30)}, None, 4, DataConfig())
    with pytest.raises(ZoogenError, match=r"7 of 10 classes have no training images.*raise task\.data\.limit"):
        plan("x", {"train": labels_of(*[20] * 10)}, None, 10, DataConfig(limit=3))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 5], "1 labels are out of range, first 5; expected 0 to 2"),
        ([0, -1, -1], "2 labels are out of range, first -1"),
        ([0.0, 1.5], r"must be whole numbers; 1\.5 is none"),
        ([0.0, float("nan")], "must be whole numbers; nan is none"),
        (["cat", "dog"], "must be one whole number per image"),
        ([[0, 1], [1, 0]], "must be one whole number per image"),
        ([], "has no images"),
    ],
)
def test_bad_labels_are_refused(labels: list[object], message: str) -> None:
    with pytest.raises(ZoogenError, match=message):
        checked_labels("x", "train", labels, 3)


def test_labels_of_any_type_of_number_become_int64() -> None:
    for values in ([2, 0, 1], np.array([2, 0, 1], np.uint8), np.array([2.0, 0.0, 1.0])):
        found = checked_labels("x", "train", values, 3)
        assert found.dtype == np.int64 and found.tolist() == [2, 0, 1]
