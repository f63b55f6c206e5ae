"""Hub data sets from folders in the forms in which they lie on disk, real digits inside; and what is said if not."""

import io
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from zoogen.errors import ZoogenError
from zoogen.tasks.images.config import DataConfig
from zoogen.tasks.images.data import hub
from zoogen.tasks.images.data.load import load_images
from zoogen.tasks.images.data.splits import ImageData

PER_CLASS = {"train": 12, "test": 5}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` converts on reading stays within the test."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def digits(split: str) -> Iterator[tuple[np.ndarray, int]]:
    """Real digits, 8-bit [8, 8], some of every class; no image is in both splits."""
    data = load_digits()
    first = 0 if split == "train" else PER_CLASS["train"]
    for label in range(10):
        for index in np.flatnonzero(data.target == label)[first : first + PER_CLASS[split]]:
            yield (data.images[index] * 15.9).astype(np.uint8), label


def picture(pixels: np.ndarray, colour: bool) -> Image.Image:
    return Image.fromarray(np.stack([pixels, pixels // 2, 255 - pixels], -1) if colour else pixels)


def png(pixels: np.ndarray, colour: bool) -> bytes:
    with io.BytesIO() as file:
        picture(pixels, colour).save(file, "PNG")
        return file.getvalue()


def saved(folder: Path, colour: bool = False, image: str = "image", label: str = "label") -> None:
    """`save_to_disk`, with class names."""
    import datasets

    features = datasets.Features({image: datasets.Image(), label: datasets.ClassLabel(names=list("zyxwvutsrq"))})
    datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict(
                {image: [picture(p, colour) for p, _ in digits(split)], label: [k for _, k in digits(split)]},
                features=features,
            )
            for split in PER_CLASS
        }
    ).save_to_disk(str(folder))


def parquet(folder: Path, splits: dict[str, str], colour: bool = False, image: str = "image") -> None:
    """The hub's files, pictures as encoded bytes, without any metadata of `datasets`; file names by split."""
    folder.mkdir(parents=True)
    for split, stem in splits.items():
        rows = [{image: {"bytes": png(p, colour), "path": None}, "label": k} for p, k in digits(split)]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{stem}-00000-of-00001.parquet")


def image_folder(folder: Path) -> None:
    for split in PER_CLASS:
        for number, (pixels, label) in enumerate(digits(split)):
            (folder / split / str(label)).mkdir(parents=True, exist_ok=True)
            picture(pixels, False).save(folder / split / str(label) / f"{number}.png")


def load(name: str, root: Path, size: int = 8, channels: int = 1, **settings: object) -> ImageData:
    return load_images(name, size=size, channels=channels, config=DataConfig(root=str(root), **settings))


def require_digits(data: ImageData) -> None:
    """Own test split kept whole and in order, pixels right up to standardising, validation cut off from train."""
    truth = torch.tensor(np.stack([p for p, _ in digits("test")]), dtype=torch.float32)
    assert data.test.labels.tolist() == [k for _, k in digits("test")]
    pixels = data.test.images[:, 0].flatten()
    slope = torch.corrcoef(torch.stack([pixels, truth.flatten()]))[0, 1]
    assert slope.item() == pytest.approx(1, abs=1e-6)
    assert len(data.validation) == 20 and len(data.train) == 100
    assert data.train.labels.bincount().tolist() == [10] * 10


def test_a_data_set_saved_to_disk(tmp_path: Path) -> None:
    saved(tmp_path / "mnist")
    data = load("MNIST", tmp_path)
    require_digits(data)
    assert data.name == "mnist" and data.titles == tuple("zyxwvutsrq")


def test_parquet_files_without_metadata(tmp_path: Path) -> None:
    parquet(tmp_path / "kmnist" / "data", {"train": "train", "test": "test"})
    data = load("kmnist", tmp_path)
    require_digits(data)
    assert data.titles == tuple("0123456789")


def test_a_folder_of_pictures_per_class(tmp_path: Path) -> None:
    image_folder(tmp_path / "usps")
    data = load("usps", tmp_path)
    require_digits(data)


def test_colour_other_column_names_and_the_repositorys_section(tmp_path: Path) -> None:
    saved(tmp_path / "cifar10", colour=True, image="img")
    colour = load("cifar-10", tmp_path, channels=3)
    assert colour.train.images.shape == (100, 3, 8, 8)
    plane = colour.train.images[:, [0, 2]].flatten(2)
    assert torch.corrcoef(plane.transpose(0, 1).reshape(2, -1))[0, 1].item() == pytest.approx(-1, abs=1e-4)
    parquet(tmp_path / "svhn" / "cropped_digits", {"train": "train", "test": "test"}, colour=True)
    parquet(tmp_path / "svhn" / "full_numbers", {"test": "train"}, colour=True)
    assert len(load("svhn", tmp_path, channels=3).train) == 100
    require_grey(load("svhn", tmp_path, channels=1))


def require_grey(data: ImageData) -> None:
    pixels = np.stack([p for p, _ in digits("test")]).astype(np.float64)
    grey = torch.tensor(0.299 * pixels + 0.587 * (pixels // 2) + 0.114 * (255 - pixels))
    found = data.test.images[:, 0].double()
    assert torch.corrcoef(torch.stack([found.flatten(), grey.flatten()]))[0, 1].item() > 0.9999


def test_pictures_are_resized_and_repeated(tmp_path: Path) -> None:
    saved(tmp_path / "mnist")
    data = load("mnist", tmp_path, size=12, channels=3)
    assert data.test.images.shape == (50, 3, 12, 12)
    assert torch.equal(data.test.images[:, 0], data.test.images[:, 2])


def test_the_limit_is_kept_with_all_classes(tmp_path: Path) -> None:
    saved(tmp_path / "mnist")
    data = load("mnist", tmp_path, limit=15)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [15, 15, 15]
    assert set(data.train.labels.tolist()) == set(range(10))


def test_a_folder_without_a_test_split_is_cut_thrice(tmp_path: Path) -> None:
    parquet(tmp_path / "mnist", {"train": "train"})
    data = load("mnist", tmp_path)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [80, 10, 30]


def refused(tmp_path: Path, name: str = "mnist") -> str:
    with pytest.raises(ZoogenError) as error:
        load(name, tmp_path)
    message = str(error.value)
    assert name in message and "\n" not in message
    return message


def test_labels_of_another_data_set_are_refused_before_any_picture_is_read(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    for split in PER_CLASS:
        rows = [{"image": {"bytes": b"no picture", "path": None}, "label": k + 1} for _, k in digits(split)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mnist" / f"{split}.parquet")
    assert "12 labels are out of range, first 10; expected 0 to 9" in refused(tmp_path)


def test_damaged_pictures_missing_columns_and_classes_are_named(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": b"no picture", "path": None}, "label": k} for _, k in digits("train")]
    (tmp_path / "mnist").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mnist" / "train.parquet")
    assert "cannot be read as images" in refused(tmp_path)
    (tmp_path / "usps").mkdir()
    pq.write_table(pa.Table.from_pylist([{"picture": 1, "label": 0}]), tmp_path / "usps" / "train.parquet")
    assert "has columns picture, label; it needs image or img" in refused(tmp_path, "usps")
    parquet(tmp_path / "cifar100", {"train": "train"}, colour=True)
    assert "90 of 100 classes have no training images, first 10" in refused(tmp_path, "cifar100")


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train.parquet").write_bytes(b"PAR1 but no more")
    assert f"cannot read data set mnist in {tmp_path / 'mnist'}" in refused(tmp_path)


def test_pictures_of_sixteen_bits_are_refused(tmp_path: Path) -> None:
    for number, (pixels, label) in enumerate(digits("train")):
        (tmp_path / "mnist" / "train" / str(label)).mkdir(parents=True, exist_ok=True)
        deep = Image.fromarray(pixels.astype(np.uint16) * 257)
        deep.save(tmp_path / "mnist" / "train" / str(label) / f"{number}.png")
    assert "picture of mode I;16; give pictures of 8 bits" in refused(tmp_path)


def test_a_pickle_in_the_folder_is_never_opened(tmp_path: Path) -> None:
    parquet(tmp_path / "mnist", {"train": "train", "test": "test"})
    marker = tmp_path / "ran"
    (tmp_path / "mnist" / "mnist.py").write_text(f"open({str(marker)!r}, 'w')")
    (tmp_path / "mnist" / "README.md").write_text("---\nconfigs:\n- config_name: x\n  data_files: '*.py'\n---\n")
    require_digits(load("mnist", tmp_path))
    assert not marker.exists()


def test_neither_in_the_folder_nor_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:  # bound and not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{held.getsockname()[1]}")
        message = refused(tmp_path, "cifar100")
    assert message.startswith(f"data set cifar100 is neither in {tmp_path / 'cifar100'} nor reachable as uoft-cs/")
    assert message.endswith("set task.data.root to a folder with it, or use digits or glyphs-0")


def test_what_was_downloaded_before_is_used_without_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    parquet(tmp_path / "files", {"train": "train", "test": "test"})
    datasets.load_dataset("parquet", data_dir=str(tmp_path / "files"))
    converted = next((tmp_path / "cache").glob("parquet/*/*/*/dataset_info.json")).parent
    held = tmp_path / "cache" / "ylecun___mnist" / "default" / "0.0.0" / converted.name
    shutil.copytree(converted, held)
    for file in held.glob("parquet-*.arrow"):
        file.rename(held / file.name.replace("parquet-", "mnist-"))
    info = json.loads((held / "dataset_info.json").read_text())
    (held / "dataset_info.json").write_text(json.dumps(info | {"dataset_name": "mnist"}))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        require_digits(load("mnist", tmp_path / "nowhere"))
    assert not huggingface_hub.constants.HF_HUB_OFFLINE and not datasets.config.HF_HUB_OFFLINE


def test_more_images_than_memory_are_refused_before_reading() -> None:
    with pytest.raises(ZoogenError, match=r"1300000 images of 4096 pixels need .* GiB.*task\.data\.limit"):
        hub._require_memory("imagenet1k", 1_300_000, 4096, 3)
    hub._require_memory("mnist", 70_000, 28, 1)


def test_the_splits_on_disk_are_the_ones_written(tmp_path: Path) -> None:
    saved(tmp_path / "mnist")
    assert json.loads((tmp_path / "mnist" / "dataset_dict.json").read_text()) == {"splits": ["train", "test"]}
