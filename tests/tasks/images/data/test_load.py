"""Data sets by name, and a user's own arrays."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from sklearn.datasets import load_digits

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own import load_own
from zoogen.tasks.images.config import DataConfig, GlyphConfig
from zoogen.tasks.images.data.catalogue import canonical_data, channels_of, classes_of
from zoogen.tasks.images.data.load import from_arrays, load_images
from zoogen.tasks.images.data.splits import ImageData

DIGITS = DataConfig()


def parts(data: ImageData) -> list[Any]:
    return [data.train, data.validation, data.test]


def rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize("name", ["digits", "glyphs-1"])
def test_no_image_is_in_two_splits(name: str) -> None:
    data = load_images(name, size=8, channels=1, config=DataConfig(glyphs=GlyphConfig(images=40)))
    held = [rows(split.images) for split in parts(data)]
    assert [len(images) for images in held] == [len(split) for split in parts(data)]
    assert len(set().union(*held)) == sum(map(len, held)) == (1797 if name == "digits" else 400)


def test_digits_are_the_real_ones_standardised_by_the_training_images() -> None:
    data = load_images("digits", size=8, channels=1, config=DIGITS)
    images = torch.cat([split.images for split in parts(data)])
    labels = torch.cat([split.labels for split in parts(data)])
    truth = load_digits()
    mean, deviation = data.train.images.double().mean(), data.train.images.double().std(correction=0)
    assert mean.item() == pytest.approx(0, abs=1e-5) and deviation.item() == pytest.approx(1, abs=1e-5)
    low, high = images.min(), images.max()  # pixels 0 and 16
    pixels = ((images - low) / (high - low) * 16).round().flatten(1).to(torch.int64)
    found = sorted((label, *image) for label, image in zip(labels.tolist(), pixels.tolist(), strict=True))
    assert found == sorted((k, *map(int, image)) for k, image in zip(truth.target.tolist(), truth.data, strict=True))
    share = data.test.labels.bincount() / labels.bincount()
    assert (share - 0.25).abs().max() < 0.005
    assert data.titles == tuple("0123456789") and data.classes == 10 and data.size == 8


def test_images_of_other_sizes_are_bilinear_and_colour_repeats_grey() -> None:
    small, large = (load_images("digits", size=size, channels=3, config=DIGITS) for size in (8, 12))
    assert large.test.images.shape == (len(small.test), 3, 12, 12)
    assert torch.equal(large.test.images[:, 0], large.test.images[:, 1])
    assert torch.equal(large.test.labels, small.test.labels)  # the split does not depend on the size
    pillow = [Image.fromarray(image.numpy()).resize((12, 12), Resampling.BILINEAR) for image in small.test.images[:, 0]]
    pairs = torch.stack([torch.tensor(np.stack(pillow)).flatten(), large.test.images[:, 0].flatten()])
    assert torch.corrcoef(pairs.double())[0, 1].item() == pytest.approx(1, abs=1e-9)


def test_the_same_arguments_give_the_same_object_and_the_same_bits_without_the_cache() -> None:
    from zoogen.tasks.images.data import load

    first = load_images("Digits", size=8, channels=1, config=DIGITS)
    assert load_images("digits", size=8, channels=1, config=DataConfig()) is first
    load._embedded.cache_clear()
    again = load_images("digits", size=8, channels=1, config=DIGITS)
    assert again is not first and torch.equal(again.train.images, first.train.images)
    other = load_images("digits", size=8, channels=1, config=DataConfig(seed=3))
    assert not torch.equal(other.test.images[:50], first.test.images[:50])


def test_a_set_of_glyphs_is_ready_in_two_seconds() -> None:
    load_images("glyphs-0", size=8, channels=1, config=DIGITS)  # reads the fonts once
    start = time.process_time()
    data = load_images("glyphs-9", size=28, channels=1, config=DIGITS)
    assert time.process_time() - start < 2
    assert sum(len(split) for split in parts(data)) == 1800


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("CIFAR-100", "cifar100"),
        ("Fashion MNIST", "fashion-mnist"),
        ("FashionMNIST", "fashion-mnist"),
        ("Glyphs_03", "glyphs-3"),
        ("glyphs12", "glyphs-12"),
        ("STL-10", "stl10"),
        ("Flowers", "flowers102"),
        ("Oxford-IIIT-Pet", "pets"),
        ("ImageNet-1k", "imagenet1k"),
        ("Digits", "digits"),
        ("own", "own"),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    assert canonical_data(spelling) == name == canonical_data(name)


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(ZoogenError, match=r"no data set 'cifar1000'; did you mean cifar100 or cifar10"):
        canonical_data("cifar1000")
    with pytest.raises(ZoogenError, match="did you mean glyphs-0"):
        canonical_data("glyphs")
    with pytest.raises(ZoogenError, match="known are digits, glyphs-0, glyphs-1, …, mnist"):
        canonical_data("zzzzzzzz")


def test_facts_are_known_without_loading() -> None:
    config = DataConfig(glyphs=GlyphConfig(classes=7))
    names = ("digits", "glyphs-2", "cifar100", "imagenet1k", "mnist", "own")
    assert [channels_of(name) for name in names] == [1, 1, 3, 3, 1, None]
    assert [classes_of(name, config) for name in names] == [10, 7, 100, 1000, 10, None]


def blocks(shape: tuple[int, ...], kind: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """60 random images of three classes, brighter by class."""
    labels = np.arange(60) % 3
    noise = np.random.default_rng(0).integers(0, 100, (60, *shape))
    return (noise + 70 * labels.reshape(-1, *[1] * len(shape))).astype(kind), labels


@pytest.mark.parametrize("shape", [(6, 6), (6, 6, 1), (1, 6, 6), (6, 6, 3), (3, 6, 6)])
def test_arrays_of_all_layouts(shape: tuple[int, ...]) -> None:
    images, labels = blocks(shape)
    data = from_arrays("mine", images, labels, DIGITS, 6, 3 if 3 in shape else 1)
    assert data.train.images.shape[1:] == (3 if 3 in shape else 1, 6, 6)
    assert data.titles == ("0", "1", "2") and len(data.test) == 15
    means = [data.test.images[data.test.labels == k].mean().item() for k in range(3)]
    assert means == sorted(means) and means[2] - means[0] > 1


def test_layouts_and_types_agree() -> None:
    images, labels = blocks((5, 6, 3))
    data = [
        from_arrays("mine", given, labels, DIGITS, 6, 3).test.images
        for given in (images, images.transpose(0, 3, 1, 2), images.astype(np.float64) / 255, list(images))
    ]
    assert torch.equal(data[0], data[1]) and torch.equal(data[0], data[3])
    assert torch.allclose(data[0], data[2], atol=0.02)  # 8-bit images stay 8-bit when resized
    grey = from_arrays("mine", images.astype(np.float64), labels, DIGITS, 6, 1).train
    assert grey.images.shape[1] == 1


def test_luminance() -> None:
    images, labels = blocks((6, 6, 3), np.float64)
    colour = from_arrays("mine", images @ np.array([0.299, 0.587, 0.114]), labels, DIGITS, 6, 1)
    grey = from_arrays("mine", images, labels, DIGITS, 6, 1)
    assert torch.allclose(colour.test.images, grey.test.images, atol=1e-5)


def test_copies_of_an_image_do_not_fall_into_two_splits() -> None:
    images, labels = blocks((6, 6))
    data = from_arrays("mine", np.concatenate([images] * 2), np.concatenate([labels] * 2), DIGITS, 6, 1)
    held = [rows(split.images) for split in parts(data)]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    assert all(held) and len(set().union(*held)) == 60  # nothing is lost
    with pytest.raises(ZoogenError, match="all images for validation are copies"):
        from_arrays("mine", np.zeros((60, 6, 6)), labels, DIGITS, 6, 1)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((60, 6, 6, 4)), None, r"shape \[60, 6, 6, 4\]; give .* 1 or 3 channels"),
        (np.zeros((60, 36)), None, r"shape \[60, 36\]"),
        ([np.zeros((6, 6)), np.zeros((6, 6, 3))], None, r"differ in size or channels \(\[6, 6\] and \[6, 6, 3\]\)"),
        (np.full((60, 6, 6), np.nan), None, "hold NaN or infinity"),
        (np.array([["a"]]), None, "must be numbers"),
        (None, np.arange(59) % 3, "60 images but 59 labels"),
        (None, np.arange(60) % 3 * 2, "class 1 has no images, though labels go up to 4; number the classes 0 to 2"),
        (None, np.arange(60) % 3 - 1, "20 labels are out of range, first -1; expected 0 and above"),
        (None, np.arange(60) % 3 + 0.5, "must be whole numbers"),
    ],
)
def test_bad_arrays_are_refused_in_one_line(images: Any, labels: Any, message: str) -> None:
    good, numbers = blocks((6, 6))
    with pytest.raises(ZoogenError, match=message) as error:
        from_arrays("mine", good if images is None else images, numbers if labels is None else labels, DIGITS, 6, 1)
    assert "\n" not in str(error.value) and "mine" in str(error.value)


def test_a_limit_holds_for_every_split() -> None:
    data = load_images("digits", size=8, channels=1, config=DataConfig(limit=40))
    assert [len(split) for split in parts(data)] == [40, 40, 40]
    assert data.train.labels.bincount().tolist() == [4] * 10


OWN_FILE = """
import numpy as np

titles = ["dark", "light"]

def data():
    labels = np.arange(40) % 2
    return np.random.default_rng(0).random((40, 6, 6)) + labels[:, None, None], labels
"""


def test_a_users_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN_FILE)
    own = load_own("mine.py")
    data = load_images("own", size=6, channels=1, config=DIGITS, own=own)
    assert data.name == "own" and data.titles == ("dark", "light")
    assert data.test.images[data.test.labels == 1].mean() > data.test.images[data.test.labels == 0].mean() + 1
    assert load_images("own", size=6, channels=1, config=DIGITS, own=load_own("mine.py")) is data
    (tmp_path / "mine.py").write_text(OWN_FILE.replace("rng(0)", "rng(1)"))
    assert load_images("own", size=6, channels=1, config=DIGITS, own=load_own("mine.py")) is not data
    with pytest.raises(ZoogenError, match="needs task.own"):
        load_images("own", size=6, channels=1, config=DIGITS)


def test_own_data_of_global_random_numbers_are_the_same_in_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = "import numpy as np\n\ndef data():\n    return np.random.rand(30, 6, 6), np.arange(30) % 3\n"
    found = []
    for remark in ("# one", "# other"):  # another file, so that it is asked again
        Path("mine.py").write_text(draw + remark)
        before = np.random.get_state(legacy=False)["state"]["key"]
        found.append(load_images("own", size=6, channels=1, config=DIGITS, own=load_own("mine.py")))
        after = np.random.get_state(legacy=False)["state"]["key"]
        assert np.array_equal(before, after), "the caller's own numbers go on as before"
    assert torch.equal(found[0].train.images, found[1].train.images)
