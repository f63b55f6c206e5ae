"""What generating costs in all, and after how many networks it pays against training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.reports.named_evaluations import NamedEvaluation, places
from zoogen.reports.paper import generating_seconds, training_seconds
from zoogen.reports.sheets import EVALUATION, STRUCTURE, Sheet, SheetRow

GENERATOR = "generator"
LEARNING = ("autoencoder", GENERATOR)  # not every generator has an autoencoder
ALIGNMENT = "alignment"  # where runs are matched before anything learns from them; a part of the learning
ZOO, ZOO_TRAINING = "zoo", "zoo_training"  # seconds of all runs of the zoo; of its training runs alone


@dataclass(frozen=True)
class BreakEven:
    """Number of networks from which generating is cheaper than training each.

    Attributes:
        training, generating: seconds per network.
        networks: with the zoo's training runs, autoencoder and generator paid for; infinite if generating is not
            faster.
        networks_after_zoo: the same where the zoo is there anyway.
    """

    training: float
    generating: float
    networks: float
    networks_after_zoo: float


def break_even(judged: NamedEvaluation, structure: str) -> BreakEven | None:
    """The break-even of a structure, the costs of all structures counted; None if a time is unknown.

    Held-out runs are trained to judge, not to generate, and cost nothing here. Where the evaluation does not tell
    their seconds apart, all runs of the zoo count, which is too much rather than too little.
    """
    training = training_seconds(judged, structure)
    generating = generating_seconds(judged.generated(structure))
    cost = judged.evaluation.cost
    zoo = cost.get(ZOO_TRAINING, cost.get(ZOO))
    if training is None or generating is None or zoo is None or GENERATOR not in cost:
        return None
    learning = sum(cost.get(stage, 0.0) for stage in LEARNING) + cost.get(ALIGNMENT, 0.0)
    saved = training - generating
    counts = []
    for fixed in (zoo + learning, learning):
        counts.append(float(math.ceil(fixed / saved)) if saved > 0 else math.inf)
    return BreakEven(training, generating, *counts)


def cost_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """Seconds per network and break-even by structure; the stages' seconds below."""
    rows = []
    for place in places(evaluations):
        for judged in evaluations:
            found = break_even(judged, place.structure)
            if found is not None:
                speedup = found.training / found.generating if found.generating else math.inf
                cells = (found.training, found.generating, speedup, found.networks, found.networks_after_zoo)
                rows.append(SheetRow((place.label, judged.name), cells))
    columns = ("s to train one", "s to generate one", "ratio", "pays after", "pays after, zoo given")
    notes = [
        "Pays after: so many networks of the structure, with the training runs of all the zoo's structures, "
        "autoencoder and generator paid for. The zoo's seconds are the wall times of its cohorts (runs "
        "trained at once), summed."
    ]
    whole = [
        judged.name
        for judged in evaluations
        if ZOO in judged.evaluation.cost and ZOO_TRAINING not in judged.evaluation.cost
    ]
    if whole:
        notes.append(f"Held-out runs are counted too, as their seconds are not told apart: {', '.join(whole)}.")
    notes += [f"{judged.name}: " + _stages(judged) for judged in evaluations if judged.evaluation.cost]
    return Sheet("cost", "Cost", (STRUCTURE, EVALUATION), columns, tuple(rows), tuple(notes))


def _stages(judged: NamedEvaluation) -> str:
    return (
        "seconds of "
        + ", ".join(f"{stage.replace('_', ' ')} {spent:,.1f}" for stage, spent in judged.evaluation.cost.items())
        + "."
    )
