"""Evaluations of classifiers written by hand: errors in hundredths, similarities as they are."""

from collections.abc import Sequence
from typing import Any

from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.records import TrajectoryRecord
from zoogen.evaluation.result import Environment, Evaluation, Inputs, MethodResult, Seconds, Selection

STRUCTURE = "resnet18@cifar100"
IMAGES = 1000


def result(
    method: str,
    wrong: Sequence[float],
    similar: Sequence[float] | None = None,
    *,
    structure: str = STRUCTURE,
    chosen: int | None = None,
    matched: float | None = None,
    seconds: float = 1.0,
) -> MethodResult:
    """A method whose networks have errors `wrong` in % of the test images and these similarities to the originals."""
    metrics = {"test.error": tuple(e / 100 for e in wrong), "validation.error": tuple(e / 100 for e in wrong)}
    floors: dict[str, Any] = {}
    if similar is not None:
        metrics["novelty.behaviour_train"] = tuple(1 - s for s in similar)
        metrics["novelty.nearest_train"] = tuple(0.5 for _ in similar)
    if matched is not None:
        metrics["novelty.matched_train"] = (matched,) * len(wrong)
        floors = {"novelty": {"train_train": {"matched_train": 1.0}}}
    selection = None
    if chosen is not None:
        selection = Selection(index=chosen, by="validation.error", chosen=0.0, value=wrong[chosen] / 100)
    return MethodResult(
        method=method,
        structure=structure,
        label=structure,
        known=True,
        count=len(wrong),
        primary="test.error",
        metrics=metrics,
        floors=floors,
        settings={"test": {"images": IMAGES}},
        selection=selection,
        seconds=Seconds(generating=seconds),
    )


def usual() -> tuple[MethodResult, ...]:
    """Generated networks of 80 % and similarity .9, with noise, averages and a Gaussian beside them."""
    return (
        result("generated", (19.0, 21.0, 20.0), (0.88, 0.9, 0.92), chosen=1, matched=0.8),
        result("held-out", (20.0, 21.0), (0.85, 0.95), matched=0.9),
        result("noise-0.1", (30.0, 30.0), (0.5, 0.7), matched=0.9),
        result("noise-0.01", (18.5, 19.5), (0.97, 0.99), matched=0.1),
        result("average-2", (18.0, 18.0), (0.95, 0.97), matched=0.2),
        result("gaussian", (20.05, 20.05), (0.93, 0.95), matched=0.6),
        result("pca-gaussian", (25.0, 25.0), (0.8, 0.8), matched=0.9),
        result("training", (18.0, 20.0, 19.0), (0.96, 0.98, 1.0)),
        result("ensemble", (18.0,), (0.96,), matched=0.2),
    )


def evaluation(*results: MethodResult, **changes: Any) -> Evaluation:
    """The evaluation of these results, or of the usual ones."""
    return Evaluation(
        inputs=Inputs(study="by hand"),
        task={"kind": "images"},
        primary_metrics=("test.error",),
        config=EvaluationConfig(),
        results=results or usual(),
        environment=Environment(date="2026-01-01T00:00:00+00:00", versions={}, hardware={}),
        **changes,
    )


def trajectory(network: int, errors: Sequence[float], structure: str = STRUCTURE) -> TrajectoryRecord:
    """A network's errors in % after 0, 10, 20, … denoising steps."""
    return TrajectoryRecord(
        structure=structure,
        label=structure,
        network=network,
        metric="test.error",
        steps=tuple(10 * k for k in range(len(errors))),
        values=tuple(e / 100 for e in errors),
    )
