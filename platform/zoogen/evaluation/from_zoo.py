"""Methods that need nothing but checkpoints: trained runs, and simple distributions around them."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from zoogen.evaluation import baselines
from zoogen.evaluation.candidates import Candidate, Candidates, calculated, shortage
from zoogen.evaluation.moments import column_mean
from zoogen.evaluation.sources import Checkpoints
from zoogen.evaluation.structure import StructureData, nearest_structure


def held_out(data: StructureData) -> Iterator[Candidate]:
    """Runs of the test split; beside them the last checkpoint of each, where there are more."""
    rows = data.held_out
    if rows is not None:
        yield Candidate("held-out", partial(_read, data, "held-out", rows))
        if len(torch.unique(rows.runs)) < len(rows.runs):
            yield Candidate("held-out-last", partial(_read_last, data, "held-out-last", rows))


def training(data: StructureData) -> Iterator[Candidate]:
    if data.train is not None:
        yield Candidate("training", partial(_read, data, "training", data.train))


def reference(data: StructureData) -> Iterator[Candidate]:
    """Runs of an unseen structure; beside them the last checkpoint of each, where there are more."""
    parts = data.reference_parts
    if parts:
        yield Candidate("reference", partial(_reference, data))
        if any(len(torch.unique(part.runs)) < len(part.runs) for part in parts):
            yield Candidate("reference-last", partial(_reference_last, data))


def average(data: StructureData) -> Iterator[Candidate]:
    """Means of k training checkpoints, for every k of the configuration that they suffice for."""
    if data.train is not None:
        for k in data.config.average_k:
            if len(data.train.runs) >= k:
                yield _average(data, data.train, k)


def ensemble(data: StructureData) -> Iterator[Candidate]:
    """The average of all training checkpoints, one network (p-diff §3.1: average weight ensemble)."""
    if data.train is not None:
        rows = data.train.weights
        yield calculated("ensemble", lambda: column_mean(rows)[None].to(rows.dtype))


def gaussian(data: StructureData) -> Iterator[Candidate]:
    if data.train is not None:
        make = partial(baselines.gaussian, data.train.weights, data.config.count, data.seed("gaussian"))
        yield calculated("gaussian", make)


def pca_gaussian(data: StructureData) -> Iterator[Candidate]:
    """A Gaussian of principal components, where there are two checkpoints at least."""
    if data.train is not None and len(data.train.runs) > 1:
        rows, components = data.train.weights, data.config.pca_components
        make = partial(baselines.pca_gaussian, rows, components, data.config.count, data.seed("pca-gaussian"))
        yield calculated("pca-gaussian", make)


def noise(data: StructureData) -> Iterator[Candidate]:
    """The ladder: the same checkpoints and the same noise, scaled."""
    if data.train is not None:
        rows, layout = data.train.weights, data.target.layout
        for scale in data.config.noise:
            make = partial(baselines.noisy, layout, rows, scale, data.config.count, data.seed("noise"))
            yield calculated(f"noise-{scale:g}", make)


def random(data: StructureData) -> Iterator[Candidate]:
    if data.train is not None:
        rows, layout = data.train.weights, data.target.layout
        yield calculated("random", partial(baselines.random_like, layout, rows, data.config.count, data.seed("random")))


def untrained(data: StructureData) -> Iterator[Candidate]:
    make = partial(data.task.untrained, data.name, data.config.count, data.seed("untrained"))
    yield calculated("untrained", make)


def nearest(data: StructureData) -> Iterator[Candidate]:
    """The training checkpoint nearest to each generated network: what a generator that only remembers could give.

    On an unseen structure there is none; there the checkpoints of the nearest known structure are carried over.
    """
    if data.train is not None and data.sources.generator is not None:
        yield calculated("nearest", partial(_nearest, data, data.train))
    elif not data.known and data.sources.zoo.plan.runs_of("train"):
        source = nearest_structure(data.task, data.name, data.sources.known)
        yield Candidate("nearest", partial(_carried_over, data, source))


def _nearest(data: StructureData, train: Checkpoints) -> Tensor:
    assert data.generated is not None, "the caller asks only where there is a generator"
    wanted = torch.nan_to_num(data.generated.weights, nan=0.0, posinf=0.0, neginf=0.0)
    return train.weights[baselines.nearest_rows(wanted, train.weights)]


def _carried_over(data: StructureData, source: str) -> Candidates:
    rows = data.sources.zoo.select(source, "train")
    chosen = baselines.draw(len(rows.runs), data.config.count, data.seed("nearest"))
    made = calculated(
        "nearest",
        partial(data.task.transfer, rows.weights[chosen], source, data.name, data.seed("transfer")),
        (
            *shortage(data, len(chosen), len(torch.unique(rows.runs))),
            f"training checkpoints of {data.task.label(source)}, carried over",
        ),
    )
    return made.make()


def _read(data: StructureData, method: str, rows: Checkpoints) -> Candidates:
    chosen = baselines.draw(len(rows.runs), data.config.count, data.seed(method))
    notices = shortage(data, len(chosen), len(torch.unique(rows.runs)))
    own = chosen if rows is data.train else None
    return Candidates(method, rows.weights[chosen], _training_seconds(rows), notices=notices, rows=own)


def _read_last(data: StructureData, method: str, rows: Checkpoints) -> Candidates:
    return Candidates(method, baselines.last_checkpoints([rows])[: data.config.count], _training_seconds(rows))


def _reference(data: StructureData) -> Candidates:
    parts = data.reference_parts
    weights = torch.cat([part.weights for part in parts])
    chosen = baselines.draw(len(weights), data.config.count, data.seed("reference"))
    notices = shortage(data, len(chosen), sum(len(torch.unique(part.runs)) for part in parts))
    return Candidates("reference", weights[chosen], _training_seconds(*parts), notices=notices)


def _reference_last(data: StructureData) -> Candidates:
    weights = baselines.last_checkpoints(data.reference_parts)
    return Candidates("reference-last", weights[: data.config.count], _training_seconds(*data.reference_parts))


def _average(data: StructureData, train: Checkpoints, k: int) -> Candidate:
    def make() -> Tensor:
        weights = baselines.average_of(train.weights, train.runs, k, data.config.count, data.seed("average", k))
        assert weights is not None, "the caller asks only where there are k checkpoints"
        return weights

    runs = len(torch.unique(train.runs))
    notices = (f"only {runs} training runs: averages go over checkpoints of equal runs, too",) if runs < k else ()
    return calculated(f"average-{k}", make, notices)


def _training_seconds(*parts: Checkpoints) -> float | None:
    """Mean training seconds per run, None if the zoo does not tell."""
    total, runs = sum(part.training_seconds for part in parts), sum(len(torch.unique(part.runs)) for part in parts)
    return total / runs if total else None
