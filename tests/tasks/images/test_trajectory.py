"""Cohorts of trajectories: what changes, what they depend on, and what becomes of runs that diverge."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.tasks.images.rows import data
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.training import Images, Stream, train
from zoogen.tasks.images.trajectory import collect, continue_training
from zoogen.tasks.images.trunk import Trunk, make_trunk, read_trunk
from zoogen.tasks.images.view import ClassifierView
from zoogen.tasks.records import Cohort, CohortSpec, FineTuneSpec, RunSpec

RUNS = (RunSpec(0, seed=10, init_seed=20), RunSpec(1, seed=11, init_seed=21), RunSpec(2, seed=12, init_seed=22))
SUBSET = ("5.*", "7.*")  # the second normalisation layer and the head


def seeded(make: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def fresh(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return make()

    return fresh


fresh = seeded(
    lambda: nn.Sequential(
        nn.Flatten(),
        nn.Linear(36, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )
)
plain = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3)))


def config(**settings: object) -> ImagesConfig:
    phase = {"iterations": 8, "batch_size": 20}
    values = {"training": phase, "collection": {**phase, "iterations": 6}, "subset": list(SUBSET), **settings}
    return ImagesConfig.model_validate(values)


def trunk_of(settings: ImagesConfig) -> Trunk:
    return read_trunk(make_trunk(settings, "net@rows", fresh, data()))


def view_of(settings: ImagesConfig, make: Callable[[int], nn.Module] = fresh) -> ClassifierView:
    return ClassifierView.of(make(0), settings.subset, settings.statistics == "regenerated")


def gather(
    settings: ImagesConfig, runs: tuple[RunSpec, ...] = RUNS, make: Callable[[int], nn.Module] = fresh
) -> Cohort:
    trunk = trunk_of(settings) if settings.start == "trunk" else None
    spec = CohortSpec(settings.model_dump(mode="json"), "net@rows", runs)
    return collect(spec, settings, view_of(settings, make), trunk, data(), fresh=make)


def close(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5, equal_nan=True)


SETTINGS = [
    {"statistics": "kept"},
    {"statistics": "regenerated"},
    {"statistics": "recalibrated"},
    {"subset": ["*"], "statistics": "regenerated"},
    {"subset": ["*"], "statistics": "recalibrated", "start": "scratch"},
    {"collection": {"iterations": 6, "batch_size": 20, "augmentation": "shift"}},
]


def test_shapes_steps_and_the_trunks_name() -> None:
    settings = config(collection={"iterations": 7, "every": 3, "batch_size": 20})
    cohort = gather(settings)
    assert cohort.steps.tolist() == [1, 4, 7]
    assert cohort.weights.shape == (3, 3, view_of(settings).layout.size) and cohort.weights.dtype == torch.float32
    assert {name: tuple(values.shape) for name, values in cohort.training.items()} == {
        "loss": (3, 3),
        "accuracy": (3, 3),
    }
    assert cohort.columns == {"fixed": trunk_of(settings).digest}
    assert bool(torch.isfinite(cohort.weights).all())
    assert len(cohort.weights.flatten(0, 1).unique(dim=0)) == 9


def test_runs_start_at_the_trunk() -> None:
    settings = config(
        collection={"iterations": 1, "batch_size": 20, "optimiser": {"learning_rate": 1e-9, "weight_decay": 0}}
    )
    trunk, cohort = trunk_of(settings), gather(settings)
    close(cohort.weights[:, 0], view_of(settings).extract(trunk.state).expand(3, -1))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("mode", ["single", "stacked"])
def test_a_run_does_not_depend_on_its_cohort(settings: dict, mode: str) -> None:
    whole = gather(config(mode="single", **settings))
    part = gather(config(mode=mode, **settings), RUNS[1:])
    close(part.weights, whole.weights[1:])
    close(part.training["loss"], whole.training["loss"][1:])
    again = gather(config(mode="single", **settings), RUNS[2:])
    assert torch.equal(again.weights, whole.weights[2:])


def test_the_frozen_part_computed_once_changes_nothing() -> None:
    settings = config(statistics="kept")
    trunk, view = trunk_of(settings), view_of(settings)
    module = fresh(0).eval()
    module.load_state_dict(dict(trunk.state))
    seed, rows = derive_seed("collection", RUNS[0].seed), []
    phase = settings.collection
    train(
        module,
        Images(data().train, "cpu"),
        Stream(data().train, phase, seed),
        phase,
        seed=seed,
        parameters=view.names,
        steps=phase.checkpoint_steps(),
        on_checkpoint=lambda _: rows.append(view.extract(module.state_dict())),
    )
    close(gather(settings, RUNS[:1]).weights[0], torch.stack(rows))


def test_from_scratch_runs_have_networks_of_their_own() -> None:
    settings = config(start="scratch", subset=["*"], training={"iterations": 0}, collection={"iterations": 1})
    shared = tuple(replace(run, init_seed=5) for run in RUNS)
    own, same = gather(settings, make=plain), gather(settings, shared, plain)
    view = view_of(settings, plain)
    for run, weights in zip(RUNS, own.weights[:, 0], strict=True):
        start = view.extract(plain(run.init_seed).state_dict())
        assert float((weights - start).abs().max()) <= 0.031  # one step of AdamW at the rate 0.03
    assert float((same.weights[0] - same.weights[1]).abs().max()) <= 0.061
    assert own.columns == {}


def test_from_scratch_trains_first() -> None:
    trained = config(start="scratch", subset=["*"], training={"iterations": 150, "batch_size": 20})
    untrained = config(start="scratch", subset=["*"], training={"iterations": 0})
    first, second = (gather(settings, make=plain).training["accuracy"][:, 0] for settings in (trained, untrained))
    assert float(first.mean()) > float(second.mean()) + 0.2


@pytest.mark.parametrize("mode", ["single", "stacked"])
def test_a_diverged_run_is_nan_from_there_on(mode: str) -> None:
    def broken(seed: int) -> nn.Module:
        module = plain(seed)
        if seed == RUNS[1].init_seed:
            module[1].weight.data[0, 0] = torch.nan
        return module

    settings = config(start="scratch", subset=["*"], mode=mode)
    cohort = gather(settings, make=broken)
    assert bool(torch.isnan(cohort.weights[1]).all()) and bool(torch.isnan(cohort.training["loss"][1]).all())
    expected = gather(settings, (RUNS[0], RUNS[2]), plain)
    close(cohort.weights[[0, 2]], expected.weights)


def test_divergence_in_collection_keeps_earlier_checkpoints() -> None:
    wild = {"kind": "sgd", "learning_rate": 1e25, "schedule": "constant"}
    cohort = gather(config(collection={"iterations": 6, "batch_size": 20, "optimiser": wild}))
    finite = torch.isfinite(cohort.training["loss"])
    assert bool(finite[:, 0].all()) and not bool(finite[:, -1].any())
    assert bool(torch.isnan(cohort.weights[~finite]).all())


def test_progress_counts_all_iterations() -> None:
    settings, seen = config(start="scratch", subset=["*"]), []
    spec = CohortSpec({}, "net@rows", RUNS)
    for mode in ("single", "stacked"):
        one = settings.model_copy(update={"mode": mode})
        collect(spec, one, view_of(one, plain), None, data(), fresh=plain, progress=lambda *call: seen.append(call[:2]))
    assert {total for _, total in seen} == {3 * (8 + 6)}
    assert all(0 < done <= 42 for done, _ in seen)


@pytest.mark.parametrize("statistics", ["kept", "regenerated"])
def test_further_training_leaves_from_the_weights(statistics: str) -> None:
    settings = config(statistics=statistics)
    trunk, view = trunk_of(settings), view_of(settings)
    weights = gather(settings).weights[:2, -1]
    spec = FineTuneSpec("net@rows", (1, 1), (1, 3, 9))
    trained = continue_training(spec, settings, view, trunk, data(), weights)
    assert trained.steps.tolist() == [1, 3, 9] and trained.weights.shape == (2, 3, view.layout.size)
    alone = continue_training(replace(spec, seeds=(1,)), settings, view, trunk, data(), weights[1:])
    assert torch.equal(trained.weights[1:], alone.weights)
    assert float((trained.weights[:, 0] - weights).abs().max()) < 0.2
    twins = continue_training(spec, settings, view, trunk, data(), weights[:1].expand(2, -1))
    assert torch.equal(twins.weights[0], twins.weights[1])


def test_further_training_takes_a_rate_of_its_own() -> None:
    settings = config()
    trunk, view = trunk_of(settings), view_of(settings)
    weights, spec = gather(settings).weights[:1, -1], FineTuneSpec("net@rows", (1,), (1, 4), learning_rate=1e-30)
    assert torch.equal(continue_training(spec, settings, view, trunk, data(), weights).weights[0, 1], weights[0])
    own = replace(spec, learning_rate=settings.collection.optimiser.learning_rate)
    as_collected = continue_training(replace(spec, learning_rate=None), settings, view, trunk, data(), weights)
    assert torch.equal(continue_training(own, settings, view, trunk, data(), weights).weights, as_collected.weights)


def test_further_training_improves_untrained_networks() -> None:
    settings = config(start="scratch", subset=["*"])
    view = view_of(settings, plain)
    starts = torch.stack([view.extract(plain(seed).state_dict()) for seed in (1, 2)])
    trained = continue_training(FineTuneSpec("net@rows", (1, 2), (10, 60)), settings, view, None, data(), starts)
    assert bool((trained.training["loss"][:, 1] < trained.training["loss"][:, 0]).all())


def test_further_training_refuses_what_does_not_fit() -> None:
    settings = config()
    trunk, view = trunk_of(settings), view_of(settings)
    size = view.layout.size

    def go(weights: Tensor, seeds: tuple[int, ...] = (0,), steps: tuple[int, ...] = (1,)) -> None:
        continue_training(FineTuneSpec("net@rows", seeds, steps), settings, view, trunk, data(), weights)

    with pytest.raises(ZoogenError, match="have shape"):
        go(torch.zeros(1, size + 1))
    with pytest.raises(ZoogenError, match="NaN or infinity"):
        go(torch.full((1, size), torch.nan))
    with pytest.raises(ZoogenError, match="one seed for each"):
        go(torch.zeros(2, size))
    for steps in ((), (0, 1), (2, 2), (3, 1)):
        with pytest.raises(ZoogenError, match="ascend from 1"):
            go(torch.zeros(1, size), steps=steps)
