"""What every stage of a study works with."""

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.identity import digest
from zoogen.numerics import deterministic
from zoogen.orchestration.cluster import Cluster, connect
from zoogen.orchestration.devices import pool_on, resolve_device, training_on
from zoogen.orchestration.pool import PoolConfig
from zoogen.orchestration.training import TrainConfig
from zoogen.pipelines import digests
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.models import Model, models_of
from zoogen.splits import Split
from zoogen.tasks.base import Task
from zoogen.tasks.registry import build_task
from zoogen.tracking.tracker import Tracker, open_tracker
from zoogen.training.hooks import Figures, LocalHooks, LoopHooks
from zoogen.weights.target import Target
from zoogen.zoo.aligned import Alignment, aligned, find_alignment
from zoogen.zoo.plan import ZooPlan, plan_zoo
from zoogen.zoo.prepare import preparing
from zoogen.zoo.read import CheckpointSet, LearntZoo, Zoo
from zoogen.zoo.store import ArtifactStore

Log = Callable[[int, int, Figures], None]  # (iterations done, total, figures)

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray in the process of a submitted job
HOME_VARIABLE = "ZOOGEN_HOME"  # folder of a job's artifacts, if they are given by a relative path


@dataclass(frozen=True, eq=False)
class Study:
    """A resolved configuration with everything that follows from it.

    Creating one reads and writes nothing. As a context manager it lets go of what stages opened.

    Raises:
        ZoogenError: a structure is impossible, the artifact root is no usable URI, there is no such device.
    """

    config: PipelineConfig
    console: Console
    source: str = "CONFIG"  # how the user named the configuration, for hints
    resources: ExitStack = field(default_factory=ExitStack)
    reporting: bool = True  # whether an evaluation writes its tables and figures
    _alignments: dict[str, Alignment] = field(default_factory=dict, init=False, repr=False)

    def __enter__(self) -> Self:
        self.resources.enter_context(deterministic(self.config.deterministic))
        return self

    def __exit__(self, *_: object) -> None:
        self.resources.close()

    @cached_property
    def cluster(self) -> Cluster:
        """The Ray cluster, connected when a stage first needs it and left with the study.

        Raises:
            ZoogenError: there is no cluster at the address.
        """
        config = self.config.ray
        assert config is not None, "the caller asks only where Ray is used"
        return self.resources.enter_context(connect(config.address, num_cpus=config.num_cpus))

    @cached_property
    def task(self) -> Task:
        return build_task(self.config.task).using(self.store)

    @cached_property
    def store(self) -> ArtifactStore:
        return ArtifactStore(artifact_root(self.config.artifacts), self.config.store, self.console.say)

    @cached_property
    def tracker(self) -> Tracker:
        """Opened when a stage has what it needs, so that a mistake leaves no database behind."""
        return open_tracker(self.config.tracking, self.store.root, self.config.study, self.console.say)

    @cached_property
    def device(self) -> str:
        return resolve_device(self.config.device)

    @cached_property
    def pool(self) -> PoolConfig:
        """Ray's workers that train cohorts, on GPUs where `device` says so; connects to Ray."""
        return pool_on(self.config.device, self.config.pool, self.cluster.gpus)

    @cached_property
    def training(self) -> TrainConfig:
        """Ray's workers that train autoencoder and generator, likewise."""
        return training_on(self.config.device, self.config.train, self.cluster.gpus)

    @cached_property
    def plan(self) -> ZooPlan:
        """The zoo that is learnt from."""
        return plan_zoo(self.config.zoo, self.task)

    @cached_property
    def reference_plan(self) -> ZooPlan | None:
        """The zoo of conventionally trained runs of unseen structures, only to compare with."""
        return plan_zoo(self.config.reference, self.task) if self.config.reference is not None else None

    @property
    def plans(self) -> tuple[ZooPlan, ...]:
        return (self.plan,) if self.reference_plan is None else (self.plan, self.reference_plan)

    @cached_property
    def zoo(self) -> Zoo:
        return Zoo(self.store, self.plan, self.task)

    @cached_property
    def reference(self) -> Zoo | None:
        return Zoo(self.store, self.reference_plan, self.task) if self.reference_plan is not None else None

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """All structures of the study: those of the zoo, then the unseen ones of the evaluation."""
        unseen = [self.task.target(name) for name in self.config.evaluation.structures]
        targets = {target.structure: target for target in (*self.plan.targets.values(), *unseen)}
        return tuple(targets.values())

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """What is learnt from the zoo: the study's own model, then the others."""
        return models_of(self.config, self.task, self.plan, self.targets)

    @property
    def model(self) -> Model:
        """The study's own model."""
        return self.models[0]

    @property
    def others(self) -> tuple[Model, ...]:
        """Further models that are judged beside it."""
        return self.models[1:]

    @property
    def autoencoder_digest(self) -> str:
        return self.model.autoencoder_digest

    @property
    def generator_digest(self) -> str:
        return self.model.generator_digest

    @cached_property
    def evaluation_digest(self) -> str:
        reference = self.reference_plan.digest if self.reference_plan is not None else ""
        return digests.evaluation_digest(
            self.config.evaluation,
            self.config.generator,
            self.plan.digest,
            self.generator_digest,
            reference,
            self.contents(self.config.evaluation.structures),
            {model.name: model.drawn_identity for model in self.others},
        )

    def contents(self, structures: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What is loaded for these structures, by canonical name (`Task.content`)."""
        return {name: self.task.content(name) for name in map(self.task.canonical, structures)}

    @cached_property
    def digest(self) -> str:
        """Names the study's configuration, for example its runs in the tracker."""
        return digest({"study": self.config.study, "evaluation": self.evaluation_digest})

    def checkpoints(self, split: Split) -> list[CheckpointSet]:
        """Checkpoints of every structure of the zoo in a split, aligned if so configured; none if the split has no
        runs.

        Raises:
            ZoogenError: the zoo is incomplete or has fewer checkpoints than asked for.
        """
        if not self.plan.runs_of(split):
            return []
        names = [name for name in self.plan.structures if self.plan.runs_of(split, name)]
        return [self.matched(self._selected(name, split)) for name in names]

    def learnt(self) -> LearntZoo:
        """The zoo as the models of this study saw it: what they learnt from, and other splits matched to that; read
        when asked for, structure by structure."""
        return LearntZoo(self.zoo, lambda name: self.matched(self._selected(name, "train")), self.matched)

    def matched(self, rows: CheckpointSet) -> CheckpointSet:
        """Checkpoints of a structure of the zoo, aligned with the training runs if so configured."""
        if self.config.align == "none":
            return rows
        return aligned(rows, self._alignment(rows.target.structure))

    def _alignment(self, name: str) -> Alignment:
        if name not in self._alignments:
            self._alignments[name] = find_alignment(self._selected(name, "train"), self.task.symmetries(name))
            self.console.say(f"alignment: {self._alignments[name].line()}")
        return self._alignments[name]

    def zoo_cost(self) -> dict[str, float]:
        """Seconds of the zoo, and of its training runs alone; both count what runs share (`Task.prepare`)."""
        shared = sum(map(self.task.preparation_seconds, self.plan.structures))
        return {
            "zoo": self.zoo.training_seconds() + shared,
            "zoo_training": self.zoo.training_seconds(split="train") + shared,
        }

    def alignment_cost(self, structure: str) -> dict[str, float]:
        """Seconds that finding what runs of a structure are matched to took; nothing if runs stay as they are."""
        return {} if self.config.align == "none" else {"alignment": self._alignment(structure).seconds}

    def _selected(self, name: str, split: Split) -> CheckpointSet:
        rows = self.zoo.select(name, split, self.config.last_checkpoints)
        if split != "train" or self.config.best_runs == 1:
            return rows
        return rows.best_runs(self.config.best_runs, self._ranking_metric(rows))

    def make_ready(self, structures: Iterable[str]) -> None:
        """Make what judging networks of these structures needs and no zoo has made (`Task.missing`), which is that of
        structures without a zoo, before anything is measured."""
        names = tuple(structures)
        self.mend(names)
        for name in names:
            if self.task.missing(name):
                self.prepare(name)

    def mend(self, structures: Iterable[str]) -> None:
        """Make what networks of these structures share again where it is damaged."""
        for name in structures:
            if damage := self.task.damage(name):
                self.console.say(f"notice: {damage}")
                self.prepare(name)

    def prepare(self, structure: str) -> None:
        """`Task.prepare` with its progress."""
        with self.console.progress(preparing(self.task.label(structure)), "iterations") as show:
            self.task.prepare(structure, self.device, show)

    def hooks(self, stage: str, log: Log) -> LoopHooks:
        """What the training of a stage (`autoencoder`, `generator`) in this process meets: `log`, and no more."""
        return LocalHooks(log=log)

    def _ranking_metric(self, rows: CheckpointSet) -> str:
        for name in self.task.ranking_metrics:
            if name in rows.metrics and not rows.metrics[name].isnan().any():
                return name
        raise ZoogenError(
            f"best_runs needs a metric to rank the runs of {rows.target.label} by, and its rows have none of "
            f"{', '.join(self.task.ranking_metrics)}; set best_runs=1"
        )


def artifact_root(given: str) -> str:
    """The artifact root as an absolute path or URI."""
    return given if "://" in given else str(local_path(given))


def local_path(given: str) -> Path:
    """An absolute path.

    The working folder of a submitted job is a copy that Ray deletes, so there a relative path is taken from
    ZOOGEN_HOME, by default ~/zoogen.
    """
    base = Path(os.environ.get(HOME_VARIABLE, "~/zoogen")) if in_ray_job() else Path.cwd()
    return base.expanduser() / Path(given).expanduser()


def in_ray_job() -> bool:
    """Whether this process was started by `ray job submit`."""
    return JOB_VARIABLE in os.environ
