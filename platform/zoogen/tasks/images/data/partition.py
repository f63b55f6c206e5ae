"""Which images go where: stratified splits, and limits that keep the proportions of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.splits import SPLITS
from zoogen.tasks.images.config import DataConfig

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Images of one source split that make one of our splits.

    Attributes:
        source: the split they are read from.
        indices: which of its images, ascending.
        carved: whether we cut it off `train`, as the source split is then called.
    """

    source: str
    indices: Indices
    carved: bool


def checked_labels(name: str, split: str, labels: object, classes: int | None) -> Indices:
    """Labels as int64 [n].

    Raises:
        ZoogenError: they are not whole numbers from 0 to `classes` - 1.
    """
    where = f"data set {name}, split {split}"
    values = np.asarray(labels)
    if values.ndim != 1 or values.dtype.kind not in "iuf" or not len(values):
        if values.ndim == 1 and not len(values):
            raise ZoogenError(f"{where} has no images")
        raise ZoogenError(f"{where}: labels must be one whole number per image, not {values.dtype} {values.shape}")
    odd = values[~(np.isfinite(values) & (values == np.rint(values)))]
    if len(odd):
        raise ZoogenError(f"{where}: labels must be whole numbers; {odd[0]} is none")
    whole = values.astype(np.int64)
    wrong = (whole < 0) | (whole >= classes if classes is not None else False)
    if wrong.any():
        expected = f"0 to {classes - 1}" if classes is not None else "0 and above"
        raise ZoogenError(
            f"{where}: {int(wrong.sum())} labels are out of range, first {whole[wrong][0]}; expected {expected}"
        )
    return whole


def plan(name: str, labels: dict[str, Indices], test: str | None, classes: int, config: DataConfig) -> dict[str, Part]:
    """Our three splits of a data set.

    Args:
        labels: of every source split: `train`, and `validation` and a split for test where the set has them.
        test: the source split for test; None: cut off from `train`.

    Raises:
        ZoogenError: a split has no images, or a class no training images.
    """
    rest = np.arange(len(labels["train"]))
    parts: dict[str, Part] = {}
    validation = "validation" if "validation" in labels and test != "validation" else None
    for ours, source, share, others in (
        ("test", test, config.test, 1 if validation else 2),
        ("validation", validation, config.validation, 1),
    ):
        if source is not None:
            parts[ours] = Part(source, np.arange(len(labels[source])), carved=False)
            continue
        chosen = _stratified(labels["train"][rest], share, others, _generator(name, ours, config))
        parts[ours] = Part("train", rest[chosen], carved=True)
        rest = np.delete(rest, chosen)
    parts["train"] = Part("train", rest, carved=False)
    limited: dict[str, Part] = {ours: _limited(parts[ours], labels, config, name) for ours in SPLITS}
    _require_usable(name, limited, labels, classes, config)
    return limited


def _generator(name: str, purpose: str, config: DataConfig) -> np.random.Generator:
    return np.random.default_rng(derive_seed("images.partition", name, purpose, config.seed))


def _ranks(labels: Indices, generator: np.random.Generator) -> tuple[Indices, Indices]:
    """Every image's place in a random order of its class, and the size of its class, [n] each."""
    order = generator.permutation(len(labels))
    grouped = order[np.argsort(labels[order], kind="stable")]
    sizes = np.bincount(labels)
    ranks = np.empty(len(labels), np.int64)
    ranks[grouped] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return ranks, sizes[labels]


def _stratified(labels: Indices, share: float, others: int, generator: np.random.Generator) -> Indices:
    """Ascending indices of that share of every class: one at least where the class then has one for each of the
    `others`, never all of it."""
    ranks, sizes = _ranks(labels, generator)
    wanted = np.clip(np.rint(share * sizes), sizes > others, sizes - 1)
    return np.flatnonzero(ranks < wanted)


def _limited(part: Part, labels: dict[str, Indices], config: DataConfig, name: str) -> Part:
    """The part cut down to the limit, classes in proportion and one of each first."""
    if config.limit is None or len(part.indices) <= config.limit:
        return part
    generator = _generator(name, f"limit.{part.source}", config)
    ranks, sizes = _ranks(labels[part.source][part.indices], generator)
    urgency = np.where(ranks == 0, -1.0, (ranks + generator.random(len(ranks))) / sizes)
    chosen = np.sort(np.argsort(urgency, kind="stable")[: config.limit])
    return Part(part.source, part.indices[chosen], part.carved)


def _require_usable(
    name: str, parts: dict[str, Part], labels: dict[str, Indices], classes: int, config: DataConfig
) -> None:
    for ours, part in parts.items():
        if not len(part.indices):
            raise ZoogenError(
                f"data set {name} leaves no images for {ours}; give more images per class or change the shares"
            )
    counts = np.bincount(labels["train"][parts["train"].indices], minlength=classes)
    missing = np.flatnonzero(counts[:classes] == 0)
    if len(missing):
        hint = "raise task.data.limit" if config.limit is not None else "every class needs some"
        raise ZoogenError(
            f"data set {name}: {len(missing)} of {classes} classes have no training images, first {missing[0]}; {hint}"
        )
