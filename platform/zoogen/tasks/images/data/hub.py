"""Data sets of the Hugging Face hub, from the hub or from a folder, read as 8-bit images of one size."""

from __future__ import annotations

import logging
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zoogen.errors import UnavailableError, ZoogenError
from zoogen.identity import digest
from zoogen.networks.classifiers.hub import offline_unless_reachable
from zoogen.tasks.images.config import DataConfig
from zoogen.tasks.images.data.catalogue import HUB, HubSet
from zoogen.tasks.images.data.partition import checked_labels, plan
from zoogen.tasks.images.data.splits import ImageData, assemble, hash_of_images

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from PIL.Image import Image


def load_hub(name: str, size: int, channels: int, config: DataConfig) -> ImageData:
    """The data set of that canonical name, see `HUB`.

    Raises:
        ZoogenError: it is neither below `config.root` nor reachable, is not what it should be, or does not fit memory.
    """
    entry = HUB[name]
    source = _open(name, entry, config.root)
    test = next((split for split in (entry.test, "test") if split in source), None)
    splits = [split for split in dict.fromkeys(("train", "validation", test)) if split and split in source]
    if "train" not in splits:
        raise ZoogenError(f"data set {name} has splits {', '.join(map(str, source))}; it needs one called train")
    image, label = (_column(name, source["train"], columns) for columns in (entry.image, entry.label))
    labels = {
        split: checked_labels(name, split, source[split].select_columns(label)[:][label], entry.classes)
        for split in splits
    }
    parts = plan(name, labels, test, entry.classes, config)
    _require_memory(name, sum(len(part.indices) for part in parts.values()), size, channels)
    images = {
        ours: _pixels(name, source[p.source].select(p.indices), image, size, channels) for ours, p in parts.items()
    }
    titles = getattr(source["train"].features[label], "names", None) or [str(k) for k in range(entry.classes)]
    if len(titles) != entry.classes:
        raise ZoogenError(f"data set {name} has {entry.classes} classes, but the one found names {len(titles)}")
    content = hash_of_images(images, {ours: labels[part.source][part.indices] for ours, part in parts.items()})
    return assemble(name, images, labels, parts, tuple(titles), content)


def _open(name: str, entry: HubSet, root: str | None) -> DatasetDict:
    folder = Path(root).expanduser() / name if root is not None else None
    if folder is not None and folder.is_dir():
        try:
            return _read_folder(folder, entry)
        except Exception as error:  # whatever a damaged file makes of the readers
            raise ZoogenError(
                f"cannot read data set {name} in {folder}: {_line(error)}; put there what save_to_disk writes, Parquet "
                "files, or one folder of images per class, or remove the folder"
            ) from None
    return _read_hub(name, entry, folder)


def _read_folder(folder: Path, entry: HubSet) -> DatasetDict:
    """A folder as `save_to_disk` writes it, of Parquet files as on the hub, or of one folder of images per class."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    logging.getLogger("datasets").setLevel(logging.CRITICAL)  # what goes wrong is raised, too
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        found = load_from_disk(str(folder))
        return found if isinstance(found, DatasetDict) else DatasetDict({"train": found})
    if entry.section and (folder / entry.section).is_dir():
        folder = folder / entry.section
    # The reader is named, so that no other kind of file in the folder is ever opened.
    kind = "parquet" if next(folder.rglob("*.parquet"), None) else "imagefolder"
    return load_dataset(kind, data_dir=str(folder), cache_dir=_conversions(folder))


def _conversions(folder: Path) -> str:
    """Where `datasets` keeps what it converts the files of a folder to."""
    import datasets

    return str(Path(datasets.config.HF_DATASETS_CACHE) / f"zoogen-{_state(folder)}")


def _state(folder: Path) -> str:
    """Names the state of a folder's files. `datasets` knows them by name and time of change, which a corrected copy may
    share; times of state changes and file numbers, which nobody can set, tell those apart, too."""
    states = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    seen = [[str(p), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for p, s in states]
    return digest([str(folder.resolve()), seen])


def content_file(name: str, size: int, channels: int, config: DataConfig) -> Path | None:
    """Where the hash of the images in a folder, in its present state, is kept from one command to the next; None of
    sets that come from the hub. It spares decoding; whoever loads the images compares them with it."""
    import datasets

    folder = Path(config.root).expanduser() / name if config.root is not None else None
    if folder is None or not folder.is_dir():
        return None
    versions = [metadata.version(package) for package in ("datasets", "pillow", "numpy")]
    form = digest([name, size, channels, config.model_dump(mode="json", exclude={"root", "glyphs"}), versions])
    return Path(datasets.config.HF_DATASETS_CACHE) / f"zoogen-{_state(folder)}" / f"content-{form}"


def _read_hub(name: str, entry: HubSet, folder: Path | None) -> DatasetDict:
    from datasets import load_dataset

    try:
        with offline_unless_reachable(entry.hub, "dataset"):
            return load_dataset(entry.hub, entry.section)
    except Exception as error:  # connection, access, disk: the reader's own errors are of many kinds
        place = f"in {folder}" if folder is not None else "below task.data.root (not set)"
        raise UnavailableError(
            f"data set {name} is neither {place} nor reachable as {entry.hub} ({_line(error)}); "
            "set task.data.root to a folder with it, or use digits or glyphs-0"
        ) from None


def _column(name: str, split: Dataset, candidates: tuple[str, ...]) -> str:
    found = next((column for column in candidates if column in split.column_names), None)
    if found is None:
        raise ZoogenError(
            f"data set {name} has columns {', '.join(split.column_names)}; it needs {' or '.join(candidates)}"
        )
    return found


def _require_memory(name: str, count: int, size: int, channels: int) -> None:
    needed = 5 * count * channels * size * size  # 8-bit while reading, 32-bit after
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > held:
        raise ZoogenError(
            f"data set {name}: {count} images of {size} pixels need {needed / 2**30:.0f} GiB, this machine has "
            f"{held / 2**30:.0f}; set task.data.limit or a smaller task.data.size"
        )


def _pixels(name: str, split: Dataset, column: str, size: int, channels: int) -> Tensor:
    """8-bit images [n, channels, size, size], one decoded at a time."""
    from datasets import Image as ImageFeature

    split = split.select_columns(column)
    try:
        if not isinstance(split.features[column], ImageFeature):
            split = split.cast_column(column, ImageFeature())
        out = np.empty((len(split), size, size, channels), np.uint8)
        for index, row in enumerate(split):
            out[index] = _decoded(name, row[column], size, channels)
    except (OSError, ValueError, TypeError, SyntaxError) as error:
        raise ZoogenError(f"data set {name}: column {column} cannot be read as images: {_line(error)}") from None
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous()


def _decoded(name: str, image: Image | None, size: int, channels: int) -> Any:
    from PIL.Image import Resampling

    if image is None or image.mode[:1] in ("I", "F"):  # Pillow would clip 16 bits to 8
        kind = "an empty place" if image is None else f"a picture of mode {image.mode}"
        raise ZoogenError(f"data set {name} holds {kind}; give pictures of 8 bits per channel")
    picture = image.convert("L" if channels == 1 else "RGB")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Resampling.BILINEAR)
    return np.asarray(picture, np.uint8).reshape(size, size, channels)


def _line(error: Exception) -> str:
    return f"{' '.join(str(error).split())[:160] or type(error).__name__}"
