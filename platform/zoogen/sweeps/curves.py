"""The curves of a trial's trainings, read back from what the trainings made."""

import math
from collections.abc import Mapping, Sequence

from zoogen.pipelines.context import Study
from zoogen.pipelines.records import numbers
from zoogen.pipelines.stored import stored_autoencoder, stored_generator
from zoogen.sweeps.clock import AUTOENCODER, GENERATOR
from zoogen.sweeps.result import TrialRecord


def curves(study: Study, record: TrialRecord, judged: str) -> dict[str, Sequence[Mapping[str, float]]]:
    """Points by stage, of the stages that the trial trained itself: shared models have theirs with the trial that
    trained them.

    Args:
        judged: the stage that a scheduler stops, of which a stopped trial kept the curve.
    """
    if record.state == "stopped":
        return {judged: record.curve}
    found: dict[str, Sequence[Mapping[str, float]]] = {}
    for stage in _trained(record):
        model = stored_autoencoder(study).value if stage == AUTOENCODER else stored_generator(study).value
        if model is not None:
            found[stage] = numbers(model.history)
    return found


def _trained(record: TrialRecord) -> list[str]:
    """Those whose seconds make up the trial's training time."""
    cost = {stage: record.cost[stage] for stage in (AUTOENCODER, GENERATOR) if stage in record.cost}
    for stages in ([*cost], [AUTOENCODER], [GENERATOR]):
        seconds = sum(cost.get(stage, 0.0) for stage in stages)
        if seconds and math.isclose(seconds, record.time.training, rel_tol=1e-6):
            return stages
    return []
