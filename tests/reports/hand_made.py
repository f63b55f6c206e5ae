"""Evaluations written by hand, so that every number of a report can be worked out."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.result import (
    Environment,
    Evaluation,
    Inputs,
    MethodResult,
    Seconds,
    Selection,
    TensorStatistics,
    WeightMapRecord,
)

LABELS = {"36,6,6,6": "B 6^6", "36,12,3,6": "C* 12^3"}
KNOWN, UNSEEN = LABELS
BETWEEN = 0.2  # matched distance between training runs


def result(
    method: str,
    quality: Sequence[float],
    *,
    structure: str = KNOWN,
    matched: float | None = None,
    sampled: float = 0.6,
    training: float | None = None,
    generating: float | None = None,
    selection: int | None = None,
    tensors: Mapping[str, tuple[float, float]] | None = None,
) -> MethodResult:
    """A method's result: exact JS `quality`, sampled JS `sampled` and growing by .001, constant matched distance."""
    metrics = {"exact.js": tuple(quality), "sampled.js": tuple(sampled + 0.001 * k for k in range(len(quality)))}
    floors: dict[str, Any] = {"sampled": {"perfect_sampler": {"js": 0.5}, "untrained": {"js": 0.65}}}
    if matched is not None:
        metrics["novelty.matched_train"] = (matched,) * len(quality)
        floors["novelty"] = {"train_train": {"matched_train": BETWEEN}}
    chosen = None
    if selection is not None:
        chosen = Selection(
            index=selection, by="sampled.js", chosen=sampled + 0.001 * selection, value=quality[selection]
        )
    return MethodResult(
        method=method,
        structure=structure,
        label=LABELS[structure],
        known=structure == KNOWN,
        count=len(quality),
        primary="exact.js",
        metrics=metrics,
        floors=floors,
        settings={"sampled": {"samples": 1000}},
        selection=chosen,
        tensors={name: TensorStatistics(variance=v, between=b) for name, (v, b) in (tensors or {}).items()},
        seconds=Seconds(training=training, generating=generating),
    )


def evaluation(
    *results: MethodResult, study: str = "hand-made", kind: str = "hypergrid", inputs: Mapping[str, Any] | None = None
) -> Evaluation:
    """An evaluation of these results; 100 s of zoo, 80 s of them training runs', 40 s of autoencoder, 20 s of
    generator."""
    return Evaluation(
        inputs=Inputs(study=study, **(inputs or {})),
        task={"kind": kind},
        primary_metrics=("exact.js",),
        config=EvaluationConfig(),
        results=results,
        cost={"zoo": 100.0, "zoo_training": 80.0, "autoencoder": 40.0, "generator": 20.0},
        environment=Environment(date="2026-01-01T00:00:00+00:00", versions={}, hardware={}),
    )


def usual(**changes: Any) -> Evaluation:
    """Generated and trained networks of B and C*, with a baseline of B."""
    return evaluation(
        result(
            "generated",
            (0.02, 0.01, 0.03),
            matched=0.16,
            generating=0.3,
            selection=2,
            tensors={"dense1.weight": (0.25, 0.125)},
        ),
        result("held-out", (0.012, 0.014), matched=0.19, training=4.2, tensors={"dense1.weight": (0.5, 0.375)}),
        result("average-2", (0.1, 0.2, 0.3), matched=0.1, generating=0.003),
        result("generated", (0.4, 0.5), structure=UNSEEN, generating=0.2),
        result("reference", (0.001,), structure=UNSEEN, training=2.2),
        **changes,
    )


def weight_maps(networks: int, tensors: Sequence[str]) -> tuple[WeightMapRecord, ...]:
    """Matrices of `networks` generated networks and a held-out one of B; values grow with the network."""
    owners = [("generated", k) for k in range(networks)] + [("held-out", 0)]
    return tuple(
        WeightMapRecord(
            structure=KNOWN,
            label=LABELS[KNOWN],
            method=method,
            network=network,
            tensor=tensor,
            values=((0.1, -0.2 - network), (0.0, 0.3)),
        )
        for tensor in tensors
        for method, network in owners
    )
