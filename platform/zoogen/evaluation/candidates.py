"""The weights that are judged on one structure, one method after the other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from zoogen.evaluation.baselines import average_of, draw, last_of_each_run, random_like
from zoogen.evaluation.config import EvaluationConfig, Family
from zoogen.evaluation.novelty import train_train_distance
from zoogen.evaluation.sources import Checkpoints, CheckpointSource, Codec, Generator
from zoogen.identity import derive_seed
from zoogen.tasks.base import Task
from zoogen.weights.target import Target
from zoogen.zoo.plan import SPLITS, Split


@dataclass(frozen=True)
class Candidates:
    """Networks of one method.

    Attributes:
        method: name of the method.
        weights: [K, D] on the CPU.
        training: seconds of conventional training per network, None if unknown or not trained.
        generating: seconds that making them took, None if they were read.
        notices: one-line remarks.
    """

    method: str
    weights: Tensor
    training: float | None = None
    generating: float | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A method whose weights are yet to be made: `make` does the work."""

    method: str
    make: Callable[[], Candidates]


class StructureCandidates:
    """Makes the weights of every wanted method for one structure.

    Args:
        task: judges later; makes untrained weights here.
        zoo: holds the structure, or None for an unseen one.
        reference: conventionally trained runs of an unseen structure, or None.
        generator, codec: absent ones leave out their methods.
        last: use the last so many checkpoints of every run, as the generator's training did; None for all.
    """

    def __init__(
        self,
        task: Task,
        structure: str,
        config: EvaluationConfig,
        *,
        zoo: CheckpointSource | None,
        reference: CheckpointSource | None,
        generator: Generator | None,
        codec: Codec | None,
        device: str,
        last: int | None,
    ) -> None:
        self.task, self.config, self.device, self.last = task, config, device, last
        self.target: Target = task.target(structure)
        self.zoo, self.reference, self.generator, self.codec = zoo, reference, generator, codec

    @property
    def known(self) -> bool:
        return self.zoo is not None

    @cached_property
    def train(self) -> Checkpoints | None:
        return self._select("train")

    @cached_property
    def held_out(self) -> Checkpoints | None:
        return self._select("test")

    @cached_property
    def train_train(self) -> float | None:
        """Median distance between training checkpoints of different runs."""
        if self.train is None:
            return None
        return train_train_distance(self.train.weights, self.train.runs, self._seed("train-train"))

    def __iter__(self) -> Iterator[Candidate]:
        """The methods that are possible here, in the order of the configuration."""
        for family in dict.fromkeys(self.config.methods):
            yield from self._of_family(family)

    def _of_family(self, family: Family) -> Iterator[Candidate]:
        train, held_out = self.train, self.held_out
        if family == "generated" and self.generator is not None:
            yield Candidate("generated", partial(self._generated, self.generator))
        elif family == "held-out" and held_out is not None:
            yield Candidate("held-out", partial(self._read, "held-out", held_out))
            if len(torch.unique(held_out.runs)) < len(held_out.runs):
                yield Candidate("held-out-last", partial(self._read, "held-out-last", held_out, last=True))
        elif family == "training" and train is not None:
            yield Candidate("training", partial(self._read, "training", train))
        elif family == "average" and train is not None:
            for k in self.config.average_k:
                if len(train.runs) >= k:
                    yield Candidate(f"average-{k}", partial(self._average, train, k))
        elif family == "reconstructed" and held_out is not None and self.codec is not None:
            yield Candidate("reconstructed", partial(self._reconstructed, self.codec, held_out))
        elif family == "random" and train is not None:
            yield Candidate("random", partial(self._random, train))
        elif family == "untrained":
            yield Candidate("untrained", self._untrained)
        elif family == "reference" and self.reference is not None:
            yield Candidate("reference", partial(self._reference, self.reference))

    def _generated(self, generator: Generator) -> Candidates:
        seed, begin = self._seed("generated"), time.perf_counter()
        weights = generator.generate(self.target, self.config.count, seed, self.device).cpu()
        return Candidates("generated", weights, generating=time.perf_counter() - begin)

    def _read(self, method: str, checkpoints: Checkpoints, last: bool = False) -> Candidates:
        if last:
            rows = last_of_each_run(checkpoints.runs, checkpoints.steps)[: self.config.count]
        else:
            rows = draw(len(checkpoints.runs), self.config.count, self._seed(method))
        short = () if last else self._shortage(len(rows), len(torch.unique(checkpoints.runs)))
        return Candidates(method, checkpoints.weights[rows], _training_seconds(checkpoints), notices=short)

    def _shortage(self, rows: int, runs: int) -> tuple[str, ...]:
        if rows >= self.config.count:
            return ()
        return (f"only {rows} checkpoints of {runs} runs, fewer than the {self.config.count} asked for",)

    def _average(self, train: Checkpoints, k: int) -> Candidates:
        begin = time.perf_counter()
        weights = average_of(train.weights, train.runs, k, self.config.count, self._seed("average", k))
        assert weights is not None, "the caller asks only where there are k checkpoints"
        runs = len(torch.unique(train.runs))
        notices = (f"only {runs} training runs: averages go over checkpoints of equal runs, too",) if runs < k else ()
        return Candidates(f"average-{k}", weights, generating=time.perf_counter() - begin, notices=notices)

    def _reconstructed(self, codec: Codec, held_out: Checkpoints) -> Candidates:
        rows = draw(len(held_out.runs), self.config.count, self._seed("held-out"))  # the very rows of `held-out`
        begin = time.perf_counter()
        weights = codec.decode(self.target, codec.encode(self.target, held_out.weights[rows])).detach().cpu()
        seconds = time.perf_counter() - begin
        notices = self._shortage(len(rows), len(torch.unique(held_out.runs)))
        return Candidates("reconstructed", weights, generating=seconds, notices=notices)

    def _random(self, train: Checkpoints) -> Candidates:
        begin = time.perf_counter()
        weights = random_like(self.target.layout, train.weights, self.config.count, self._seed("random"))
        return Candidates("random", weights, generating=time.perf_counter() - begin)

    def _untrained(self) -> Candidates:
        begin = time.perf_counter()
        weights = self.task.untrained(self.target.structure, self.config.count, self._seed("untrained"))
        return Candidates("untrained", weights, generating=time.perf_counter() - begin)

    def _reference(self, reference: CheckpointSource) -> Candidates:
        # The structure is unseen, so no split of its runs was ever learnt from: all of them serve.
        splits = [split for split in SPLITS if reference.plan.runs_of(split)]
        parts = [reference.select(self.target.structure, split, self.last) for split in splits]
        weights = torch.cat([part.weights for part in parts])
        rows = draw(len(weights), self.config.count, self._seed("reference"))
        runs = sum(len(torch.unique(part.runs)) for part in parts)
        notices = self._shortage(len(rows), runs)
        return Candidates("reference", weights[rows], _training_seconds(*parts), notices=notices)

    def _select(self, split: Split) -> Checkpoints | None:
        if self.zoo is None or not self.zoo.plan.runs_of(split):
            return None
        return self.zoo.select(self.target.structure, split, self.last)

    def _seed(self, *what: str | int) -> int:
        return derive_seed("evaluation", self.config.seed, self.target.structure, *what)


def _training_seconds(*parts: Checkpoints) -> float | None:
    """Mean training seconds per run, None if the zoo does not tell."""
    total, runs = sum(part.training_seconds for part in parts), sum(len(torch.unique(part.runs)) for part in parts)
    return total / runs if total else None
