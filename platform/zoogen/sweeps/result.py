"""What a sweep leaves: typed records, the same after a trip through JSON."""

from collections.abc import Sequence
from typing import Any, Literal

from zoogen.evaluation.records import Record
from zoogen.evaluation.result import Environment, Evaluation
from zoogen.reports.named_evaluations import GENERATED

TrialState = Literal["finished", "stopped"]


class Score(Record):
    """Generated networks of one structure in one trial, by the metric that ranks there (lower is better).

    Attributes:
        known: whether the trial's zoo holds the structure.
        metric: `group.metric`.
        median, q25, q75: over the generated networks.
        ratio: median over that of conventionally trained runs, None where there are none.
    """

    structure: str
    label: str
    known: bool
    metric: str
    median: float
    q25: float
    q75: float
    ratio: float | None = None


class TrialTime(Record):
    """Where the time of a trial's own process went, in seconds. What was reused took none.

    Attributes:
        begin, end: Unix time.
        training: in the training loops of autoencoder and generator.
        judging: generating and judging networks.
        waiting: for a stage that another trial was making.
    """

    begin: float
    end: float
    training: float = 0.0
    judging: float = 0.0
    waiting: float = 0.0

    @property
    def wall(self) -> float:
        return self.end - self.begin

    @property
    def overhead(self) -> float:
        """Seconds neither trained, judged nor waited."""
        return self.wall - self.training - self.judging - self.waiting


class TrialRecord(Record):
    """Result of one trial.

    Attributes:
        values: swept keys with their values.
        state: `stopped` if the scheduler ended it early, after `step` iterations.
        artifacts: `zoo`, `autoencoder`, `generator`, `evaluation` to digests, as far as the trial went.
        scores: one per structure, if the trial was judged.
        metrics: all figures of the last stage by name, for example `A 16^4/generated/exact.js`.
        cost: wall-clock seconds that its artifacts took, whoever made them, by stage.
        curve: figures of the training that the scheduler saw, with `step`.
    """

    name: str
    digest: str
    values: dict[str, Any]
    state: TrialState
    step: int | None = None
    artifacts: dict[str, str] = {}
    scores: tuple[Score, ...] = ()
    metrics: dict[str, float] = {}
    cost: dict[str, float] = {}
    time: TrialTime
    curve: tuple[dict[str, float], ...] = ()


class SweepTime(Record):
    """How well one go of a sweep used its slots (trials that fit at a time), in seconds.

    Attributes:
        wall: from the first trial's start to the last one's end, Tune's own start included.
        slots: trials at a time.
        work: training and judging, summed over the trials of this go, stopped and failed ones included.
        waiting: summed over trials: for stages that others were making.
        tail: slots without a trial left to run, summed.
        trials: run in this go; the others were there.
    """

    wall: float
    slots: int
    work: float
    waiting: float
    tail: float
    trials: int

    @property
    def overhead(self) -> float:
        """Share of the slots' time that went neither into training nor judging, where there was something to do."""
        usable = self.wall * self.slots - self.waiting - self.tail
        return 1 - self.work / usable if usable > 0 else 0.0


class SweepResult(Record):
    """A whole sweep; `failed` names trials without a result and why."""

    study: str
    digest: str
    source: str
    stage: str
    keys: tuple[str, ...]
    trials: tuple[TrialRecord, ...]
    failed: dict[str, str] = {}
    time: SweepTime | None = None
    environment: Environment


def scores_of(evaluation: Evaluation) -> tuple[Score, ...]:
    """One score per judged structure."""
    ratios = evaluation.ratios_of_all()
    scores = []
    for result in evaluation.results:
        if result.method == GENERATED:
            summary = result.summary()
            scores.append(
                Score(
                    structure=result.structure,
                    label=result.label,
                    known=result.known,
                    metric=result.primary,
                    median=summary.median,
                    q25=summary.q25,
                    q75=summary.q75,
                    ratio=ratios.get((result.structure, result.method)),
                )
            )
    return tuple(scores)


def sweep_time(begin: float, end: float, slots: int, times: Sequence[TrialTime]) -> SweepTime | None:
    """Accounts of one go; None if no trial ran."""
    if not times:
        return None
    last = max(time.begin for time in times)  # from here on nothing is left to start
    busy = sum(max(0.0, time.end - max(time.begin, last)) for time in times)
    return SweepTime(
        wall=end - begin,
        slots=slots,
        work=sum(time.training + time.judging for time in times),
        waiting=sum(time.waiting for time in times),
        tail=max(0.0, slots * (end - last) - busy),
        trials=len(times),
    )


def sweep_folder(digest: str) -> str:
    """Key of a sweep's folder."""
    return f"sweeps/{digest}"


def trial_key(sweep: str, trial: str) -> str:
    return f"{sweep_folder(sweep)}/{trial}.json"
