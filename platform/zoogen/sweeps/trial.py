"""One trial of a sweep, in a process of its own: the stages of its study, told of from outside."""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from rich.console import Console as RichConsole

from zoogen.console import Console
from zoogen.evaluation.records import record_bytes
from zoogen.evaluation.result import Evaluation
from zoogen.orchestration.trial import STEP, TrialHandle
from zoogen.pipelines import stages
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Log, Study
from zoogen.pipelines.digests import autoencoder_key, evaluation_key, generator_key
from zoogen.pipelines.models import Model
from zoogen.pipelines.results import AutoencoderResult, EvaluationResult, GeneratorResult
from zoogen.pipelines.stored import stored_autoencoder, stored_generator, stored_record
from zoogen.pipelines.validation import ValidatingHooks, validation_error
from zoogen.reports.accuracy import accuracy_figures
from zoogen.secrets import masked_settings
from zoogen.sweeps.clock import AUTOENCODER, EVALUATION, GENERATOR
from zoogen.sweeps.config import Stage
from zoogen.sweeps.result import TrialRecord, TrialTime, scores_of
from zoogen.tracking.base import NullRun, NullTracker, Run, Split, Tracker
from zoogen.tracking.summary import evaluation_medians
from zoogen.training.hooks import LoopHooks

# Keys of a report: which stage, iterations done, and at a stage's begin the seconds waited for other trials so far.
STAGE, AT, WAITED = "stage", "at", "waited"
STEPS: Mapping[Stage, tuple[str, ...]] = {
    "train_autoencoder": (AUTOENCODER,),
    "train_generator": (AUTOENCODER, GENERATOR),
    "pipeline": (AUTOENCODER, GENERATOR, EVALUATION),
}
_EVALUATING = ("generating", "judging", "auditing")  # costs of an evaluation of its own, without earlier stages'
_TRACKED = {"train-autoencoder": AUTOENCODER, "train-generator": GENERATOR, "evaluate": EVALUATION}
_MAKE: Mapping[str, Callable[[Study, Model], Any]] = {
    AUTOENCODER: stages.train_autoencoder,
    GENERATOR: stages.train_generator,
}


@dataclass(frozen=True)
class TrialOrder:
    """What a trial's process gets.

    Attributes:
        config: JSON of the resolved study, its artifact root absolute.
        stage: the last one.
        judged: stage whose training curve a scheduler judges, empty without one.
        iterations: of that stage; at its end nothing is judged any more.
        validate: whether the curve needs the autoencoder's error on validation runs.
    """

    name: str
    digest: str
    values: Mapping[str, Any]
    config: str
    stage: Stage
    judged: str = ""
    iterations: int = 0
    validate: bool = False


def run_trial(order: TrialOrder, handle: TrialHandle) -> str:
    """The stages of a trial, each artifact made by one trial alone; returns the `TrialRecord` as JSON.

    Raises:
        ZoogenError: as the stages; the zoo has to be there.
    """
    begin, results = time.time(), {}
    config = PipelineConfig.model_validate_json(order.config)
    torch.set_num_threads(config.threads)
    with TrialStudy(config, silent(), f"trial {order.name}", reporting=False, order=order, handle=handle) as study:
        for step, model in _steps(study):
            with handle.exclusive(artifact_key(study, step, model), partial(_whole, study, step, model)):
                results[model.title(step)] = stages.evaluate(study) if step == EVALUATION else _MAKE[step](study, model)
        return record_bytes(_record(study, results, begin)).decode()


def _steps(study: "TrialStudy") -> list[tuple[str, Model]]:
    """The steps of a trial with their models; further models are trained where they are judged."""
    steps = STEPS[study.order.stage]
    models = study.models if EVALUATION in steps else (study.model,)
    trained = [(step, model) for model in models for step in steps if step in _MAKE]
    return [
        *((step, model) for step, model in trained if step != AUTOENCODER or model.autoencoder is not None),
        *((step, study.model) for step in steps if step == EVALUATION),
    ]


def _whole(study: Study, step: str, model: Model) -> bool:
    if step == AUTOENCODER:
        return stored_autoencoder(study, model).value is not None
    if step == GENERATOR:
        return stored_generator(study, model).value is not None
    return stored_record(study, artifact_key(study, step), Evaluation).value is not None


def artifact_key(study: Study, step: str, model: Model | None = None) -> str:
    """Where the artifact of a step lies, by default of the study's own model."""
    model = model or study.model
    if step == AUTOENCODER:
        return autoencoder_key(model.autoencoder_digest)
    return generator_key(model.generator_digest) if step == GENERATOR else evaluation_key(study.evaluation_digest)


def silent() -> Console:
    """A console that shows nothing."""
    return Console(*(RichConsole(file=io.StringIO()) for _ in range(2)))


@dataclass(frozen=True, eq=False)
class TrialStudy(Study):
    """A study whose progress goes to the sweep's driver instead of a tracking store of its own."""

    order: TrialOrder = field(kw_only=True)
    handle: TrialHandle = field(kw_only=True)

    @cached_property
    def tracker(self) -> Tracker:
        return _TrialTracker(self.order, self.handle)

    def prepare(self, structure: str) -> None:
        """By one of the trials that need it; the others wait."""
        key = self.task.missing(structure)
        with self.handle.exclusive(key, lambda: not self.task.missing(structure)):
            if self.task.missing(structure):
                super().prepare(structure)

    def hooks(self, stage: str, log: Log) -> LoopHooks:
        if stage == AUTOENCODER and self.order.validate and self.config.autoencoder is not None:
            train, validation = self.checkpoints("train"), self.checkpoints("validation")
            return ValidatingHooks(log, config=self.config.autoencoder, train=train, validation=validation)
        return super().hooks(stage, log)


class _TrialTracker(NullTracker):
    """Tells the driver which stage begins."""

    def __init__(self, order: TrialOrder, handle: TrialHandle) -> None:
        self._order, self._handle = order, handle

    def _open(self, stage: str, digest: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Run:
        if _TRACKED.get(stage) != name:  # neither another stage's nor a further model's
            return NullRun()
        self._handle.report({STAGE: _TRACKED[stage], AT: 0, WAITED: self._handle.waited})
        return _TrialRun(_TRACKED[stage], self._order, self._handle)


class _TrialRun(NullRun):
    """Tells the driver the figures of a training; where the scheduler judges it, it may end the trial here."""

    def __init__(self, stage: str, order: TrialOrder, handle: TrialHandle) -> None:
        self._stage, self._order, self._handle = stage, order, handle

    def metrics(self, figures: Mapping[str, float], step: int = 0, split: Split | None = None) -> None:
        if split != "train":
            return
        judged = self._stage == self._order.judged and step < self._order.iterations
        numbers = {name: float(value) for name, value in figures.items()}
        self._handle.report({**numbers, STAGE: self._stage, AT: step, **({STEP: step} if judged else {})})


def _record(study: TrialStudy, results: Mapping[str, Any], begin: float) -> TrialRecord:
    order, metrics, cost, training, judging = study.order, dict[str, float](), dict[str, float](), 0.0, 0.0
    artifacts = {"zoo": study.plan.digest}
    scores: tuple[Any, ...] = ()
    for step, result in results.items():
        artifacts[step] = result.digest
        match result if step in _TRACKED.values() else None:
            case AutoencoderResult():
                metrics = {**result.codec.figures, **validation_error(result.codec.figures)}
                cost[step] = result.codec.seconds
                training += 0.0 if result.reused else result.codec.seconds
            case GeneratorResult():
                history = result.generator.history
                metrics |= {f"generator/{name}": value for name, value in (history[-1] if history else {}).items()}
                cost[step] = result.generator.seconds
                training += 0.0 if result.reused else result.generator.seconds
            case EvaluationResult():
                metrics, scores = _judgement(result.evaluation), scores_of(result.evaluation)
                cost = dict(result.evaluation.cost)
                judging = 0.0 if result.reused else judging_seconds(cost)
    return TrialRecord(
        name=order.name,
        digest=order.digest,
        values=masked_settings(order.values),
        state="finished",
        artifacts=artifacts,
        scores=scores,
        metrics=metrics,
        cost=cost,
        time=TrialTime(begin=begin, end=time.time(), training=training, judging=judging, waiting=study.handle.waited),
    )


def judging_seconds(cost: Mapping[str, float]) -> float:
    """What an evaluation took itself, of its `Evaluation.cost`."""
    return sum(cost.get(part, 0.0) for part in _EVALUATING)


def _judgement(evaluation: Evaluation) -> dict[str, float]:
    """Figures of an evaluation that are the same whenever it is repeated."""
    figures = {**evaluation_medians(evaluation), **accuracy_figures(evaluation)}
    return {name: value for name, value in figures.items() if not name.startswith("seconds/")}
