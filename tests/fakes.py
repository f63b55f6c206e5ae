"""A tiny task with a known answer, for tests of the rooms that speak to the task contract alone.

A structure "n" (n = 2, 3, 4, …) has a linear map of D = 3n weights. Training moves the weights from their
initial values half of the remaining way to a known optimum per step, plus a little noise of the run's seed;
the score is the mean squared distance to the optimum, so every expected number can be worked out by hand.
"""

import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.splits import Split
from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.records import Cohort, CohortSpec, MetricGroup, Portrait, Scores
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup
from zoogen.weights.target import Target
from zoogen.zoo.plan import ZooConfig, ZooPlan, plan_zoo

NOISE = 0.05
PERFECT_L1 = 0.01


class FakeTask(Task):
    """Structures are whole numbers n >= 2; exact metrics `exact.js`, `exact.tv`, sampled metric `sampled.l1`."""

    name = "fake"

    def __init__(self, checkpoints: int = 3, exact_limit: int = 100) -> None:
        self.checkpoints = checkpoints
        self.exact_limit = exact_limit  # structures beyond it get sampled metrics only, with a notice

    def resolved(self) -> dict[str, Any]:
        return {"kind": self.name, "checkpoints": self.checkpoints, "exact_limit": self.exact_limit}

    def canonical(self, structure: str) -> str:
        text = structure.strip()
        if not text.isdigit() or int(text) < 2:
            raise ZoogenError(f"structure {structure!r} is not a whole number >= 2")
        return str(int(text))

    def label(self, structure: str) -> str:
        return f"F{self.canonical(structure)}" + ("*" if int(structure) > 4 else "")

    def layout(self, structure: str) -> ParameterLayout:
        n = int(self.canonical(structure))
        return ParameterLayout.of({"dense1.weight": (n, 2), "dense1.bias": (n,)})

    def condition(self, structure: str) -> tuple[float, ...]:
        n = int(self.canonical(structure))
        return (float(n), float(n) ** 0.5)

    def optimum(self, structure: str) -> Tensor:
        """The weights [D] with score 0."""
        return torch.linspace(-1, 1, self.layout(structure).size)

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        optimum, size = self.optimum(spec.structure), self.layout(spec.structure).size
        steps = torch.arange(1, self.checkpoints + 1)
        weights = torch.empty(len(spec.runs), self.checkpoints, size)
        for m, run in enumerate(spec.runs):
            start = self._initial(spec.structure, run.init_seed)
            generator = torch.Generator().manual_seed(run.seed)
            for c, step in enumerate(steps.tolist()):
                noise = NOISE * torch.randn(size, generator=generator)
                weights[m, c] = optimum + (start - optimum) * 0.5**step + noise
                if progress is not None:
                    progress(m * self.checkpoints + c + 1, weights[..., 0].numel(), {"loss": 0.5**step})
        loss = ((weights - optimum) ** 2).mean(-1)
        return Cohort(spec, steps, weights, {"loss": loss}, seconds=0.5 * len(spec.runs))

    def _initial(self, structure: str, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return self.optimum(structure) + torch.randn(self.layout(structure).size, generator=generator)

    def untrained(self, structure: str, count: int, seed: int) -> Tensor:
        return torch.stack([self._initial(structure, derive_seed("untrained", seed, k)) for k in range(count)])

    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        size = self.layout(structure).size
        if weights.ndim != 2 or weights.shape[1] != size:
            raise ZoogenError(f"weights have shape {list(weights.shape)}, expected [K, {size}]")
        if not bool(torch.isfinite(weights).all()):
            raise ZoogenError("weights must be finite")
        error = weights.double() - self.optimum(structure).double()
        js, tv = (error**2).mean(1), error.abs().mean(1)
        floors = {"perfect": {"l1": PERFECT_L1}, "untrained": {"l1": 1.0}}
        groups = {"sampled": MetricGroup({"l1": tv + PERFECT_L1}, floors, {"samples": 100, "seed": seed})}
        if int(structure) > self.exact_limit:
            return Scores(structure, groups, (f"structure {structure} is too large for the exact judge",))
        return Scores(structure, {"exact": MetricGroup({"js": js, "tv": tv}), **groups})

    def portraits(self, structure: str, weights: Tensor, device: str = "cpu") -> tuple[Portrait, ...]:
        def square(vector: Tensor) -> np.ndarray:
            return vector.detach().double().numpy().reshape(3, -1)

        return (Portrait("truth", square(self.optimum(structure))), Portrait("learnt", square(weights)))

    def file_metadata(self, structure: str) -> dict[str, str]:
        return {"activation": "none", "encoding": "one-hot"}

    def describe_run(self) -> dict[str, str]:
        return {"objective": "fake", "optimiser": "halving"}

    @property
    def primary_metrics(self) -> tuple[str, ...]:
        return ("exact.js", "sampled.l1")


class AuditedTask(FakeTask):
    """A fake task whose units may be renumbered, whose behaviour is told, and whose networks are chosen by a metric
    other than the one that ranks."""

    def symmetries(self, structure: str) -> tuple[UnitGroup, ...]:
        places = (Place("dense1.weight", 0), Place("dense1.bias", 0))
        return (UnitGroup("units", int(self.canonical(structure)), places),)

    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor:
        """A distribution that renumbering does not change: the softmax of the sorted weights, [K, D]."""
        return weights.sort(1).values.softmax(1)

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        return ("sampled.l1", "exact.js")


@dataclass(frozen=True)
class MemoryCheckpoints:
    """Checkpoints of one structure and split."""

    target: Target
    weights: Tensor
    runs: Tensor
    steps: Tensor
    training_seconds: float


class MemoryZoo:
    """A zoo trained in memory, with the reading side of the real one."""

    def __init__(self, task: Task, config: ZooConfig) -> None:
        self.task = task
        self.plan: ZooPlan = plan_zoo(config, task)

    def select(self, structure: str, split: Split) -> MemoryCheckpoints:
        weights, runs, steps, seconds = [], [], [], 0.0
        for spec in self.plan.cohorts_of(structure, split):
            cohort = self.task.train_cohort(spec)
            for m, run in enumerate(spec.runs):
                if self.plan.split_of(run.run) == split:
                    weights.append(cohort.weights[m])
                    runs.append(torch.full((len(cohort.steps),), run.run))
                    steps.append(cohort.steps)
                    seconds += cohort.seconds / len(spec.runs)
        target = self.plan.targets[structure]
        return MemoryCheckpoints(target, torch.cat(weights), torch.cat(runs), torch.cat(steps), seconds)


class NoisyOptimum:
    """A generator whose networks miss the optimum by normal noise of a known size."""

    def __init__(self, task: FakeTask, noise: float = 0.1) -> None:
        self.task, self.noise = task, noise

    def generate(self, target: Target, count: int, seed: int, device: str) -> Tensor:
        noise = torch.randn(count, target.layout.size, generator=torch.Generator().manual_seed(seed % 2**63))
        return self.task.optimum(target.structure) + self.noise * noise


class FaultyTask(FakeTask):
    """A fake task that is slow, fails, diverges or dies on demand, and counts its trainings through files.

    Args:
        folder: where every training leaves one file, named by the cohort and a counter.
        delay: seconds that a cohort takes at least.
        dies: structures whose first so many trainings kill their process with SIGKILL.
        fails: structures whose training raises ValueError.
        diverges: runs whose last checkpoint is not finite.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        checkpoints: int = 3,
        delay: float = 0.0,
        dies: Mapping[str, int] | None = None,
        fails: Sequence[str] = (),
        diverges: Sequence[int] = (),
    ) -> None:
        super().__init__(checkpoints)
        self.folder, self.delay = Path(folder), delay
        self.dies, self.fails, self.diverges = dict(dies or {}), tuple(fails), tuple(diverges)

    def trainings(self) -> Counter[str]:
        """Cohort digest to the number of trainings that were begun."""
        return Counter(path.name.split("-")[0] for path in self.folder.glob("*-*"))

    def finished(self) -> Counter[str]:
        """Cohort digest to the number of trainings that came to their end."""
        return Counter(path.name.split("-")[0] for path in self.folder.glob("*-*") if path.read_text() == "done")

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        self.folder.mkdir(parents=True, exist_ok=True)
        before = sum(path.name.startswith(spec.digest) for path in self.folder.iterdir())
        mark = self.folder / f"{spec.digest}-{uuid.uuid4().hex}"
        mark.write_text("begun")
        if before < self.dies.get(spec.structure, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if spec.structure in self.fails:
            raise ValueError(f"structure {spec.structure}\nis not to be trained")
        end = time.monotonic() + self.delay
        while (left := end - time.monotonic()) > 0:
            if progress is not None:
                progress(int(100 * (1 - left / self.delay)), 100, {"loss": left})
            time.sleep(min(left, 0.02))
        cohort = super().train_cohort(spec, device, progress)
        for m, run in enumerate(spec.runs):
            if run.run in self.diverges:
                cohort.weights[m, -1, 0] = float("nan")
        mark.write_text("done")
        return cohort


class TrunkTask(FaultyTask):
    """A faulty task whose cohorts need something made first, which lies among its assets.

    Args:
        unlucky: structures whose first so many preparations kill their process with SIGKILL.
        impossible: structures whose preparation raises ZoogenError.
        until: half-way, preparations wait for this file, at most a minute.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        delay: float = 0.0,
        unlucky: Mapping[str, int] | None = None,
        impossible: Sequence[str] = (),
        until: Path | None = None,
    ) -> None:
        super().__init__(folder, delay=delay)
        self.unlucky, self.impossible, self.until = dict(unlucky or {}), tuple(impossible), until

    def preparations(self) -> Counter[str]:
        """Structure to the number of preparations that were begun."""
        return Counter(path.name.split("_")[0] for path in self.folder.glob("*_*"))

    def prepared(self, structure: str) -> bool:
        assert self.assets is not None, "whoever builds a zoo gives the task the zoo's store"
        return self.assets.exists(f"trunks/{structure}.bin")

    def prepare(self, structure: str, device: str = "cpu", progress: ProgressCallback | None = None) -> None:
        assert self.assets is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self.preparations()[structure]
        (self.folder / f"{structure}_{uuid.uuid4().hex}").touch()
        if before < self.unlucky.get(structure, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if structure in self.impossible:
            raise ZoogenError(f"there is no trunk of {structure}")
        for done in range(1, 5):
            time.sleep(self.delay / 4)
            if progress is not None:
                progress(done, 4, {"loss": 1 / done})
            deadline = time.monotonic() + 60
            while done == 2 and self.until is not None and not self.until.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        self.assets.put_if_absent(f"trunks/{structure}.bin", structure.encode())

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        assert self.assets is not None and self.assets.get(f"trunks/{spec.structure}.bin") == spec.structure.encode()
        return super().train_cohort(spec, device, progress)
