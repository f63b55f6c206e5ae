"""Curves from several starts at equal compute, against a task whose training is known in closed form."""

import math
from collections.abc import Sequence

import pytest
import torch
from tests.fakes import FakeTask, MemoryZoo, NoisyOptimum
from torch import Tensor

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.evaluation.fine_tuning import fine_tuning_curves
from zoogen.evaluation.fine_tuning_config import FineTuningConfig
from zoogen.evaluation.fine_tuning_result import (
    FineTuning,
    StartCurve,
    StructureCurves,
    steps_to_level,
)
from zoogen.evaluation.records import read_record, record_bytes
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.records import FineTuned, FineTuneSpec
from zoogen.weights.target import Target
from zoogen.zoo.plan import ZooConfig


class TunableTask(FakeTask):
    """Training on halves the distance to the optimum at every iteration; rewards and states count by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[FineTuneSpec] = []

    def fine_tune(
        self, spec: FineTuneSpec, weights: Tensor, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> FineTuned:
        self.trained.append(spec)
        optimum, steps = self.optimum(spec.structure), torch.tensor(spec.steps)
        halved = optimum + (weights - optimum).unsqueeze(1) * (0.5 ** steps.view(1, -1, 1))
        ones = torch.ones(len(weights), 1)
        if progress is not None:
            progress(spec.steps[-1], spec.steps[-1], {"loss": 0.0})
        figures = {
            "reward": ones / steps,
            "states_visited": ones * 10 * steps,
            "expected_reward": torch.full((len(weights), len(steps)), 0.25),
        }
        return FineTuned(steps, halved, figures, seconds=6.0)


class HalfBroken(NoisyOptimum):
    """Every second generated network is not finite."""

    def generate(self, target: Target, count: int, seed: int, device: str) -> Tensor:
        weights = super().generate(target, count, seed, device)
        weights[1::2] = math.nan
        return weights


CONFIG = FineTuningConfig(count=4, iterations=8, points=4, starts=("untrained", "generated", "average-2", "random"))
ZOO = ZooConfig(structures=("2", "3"), runs=4, validation_runs=0, test_runs=3)
REFERENCE = ZooConfig(structures=("5",), runs=2, validation_runs=0, test_runs=1)


def curves(task: TunableTask, structures: Sequence[str] = ("2", "5"), **changes: object) -> FineTuning:
    generator = changes.pop("generator", NoisyOptimum(task))
    config = changes.pop("config", CONFIG)
    reference = MemoryZoo(task, REFERENCE)
    return fine_tuning_curves(
        task,
        MemoryZoo(task, ZOO),
        generator,
        config,
        structures,
        reference=reference,
        **changes,  # type: ignore[arg-type]
    )


def hand_made(start: str, *networks: Sequence[float]) -> StartCurve:
    return StartCurve(start=start, values=tuple(zip(*networks, strict=True)), seconds=1.0)


HAND_MADE = StructureCurves(
    structure="2",
    label="F2",
    known=True,
    primary="exact.js",
    steps=(1, 10, 100),
    level=0.1,
    level_of="held-out",
    level_runs=3,
    curves=(
        hand_made("untrained", (0.9, 0.8, 0.3, 0.1), (0.9, 0.7, 0.4, 0.05), (0.9, 0.8, 0.5, 0.3)),
        hand_made("generated", (0.1, 0.2, 0.3, 0.3), (0.4, 0.3, 0.09, 0.2), (0.5, 0.4, 0.1, 0.01)),
        hand_made("random", (0.9, 0.9, 0.9, 0.9), (math.inf, 0.9, 0.9, 0.9), (0.9, 0.9, 0.9, 0.1)),
    ),
)


def test_steps_to_a_level_are_the_first_judged_iterations_at_or_below_it() -> None:
    assert HAND_MADE.steps_to(0.1, "untrained") == (100, 100, None)
    assert HAND_MADE.steps_to(0.1, "generated") == (0, 10, 10)
    assert HAND_MADE.steps_to(0.1, "random") == (None, None, 100)
    with pytest.raises(ZoogenError, match="there are untrained, generated, random"):
        HAND_MADE.steps_to(0.1, "nearest")


def test_saving_is_against_training_from_scratch() -> None:
    scratch, generated, random = (steps_to_level(HAND_MADE, 0.1, c.start) for c in HAND_MADE.curves)
    assert (scratch.half, scratch.saving) == (100, None) and scratch.reached == pytest.approx(2 / 3)
    assert (generated.half, generated.reached) == (10, 1) and generated.saving == pytest.approx(0.9)
    assert (random.half, random.saving) == (math.inf, None) and random.reached == pytest.approx(1 / 3)
    even = HAND_MADE.model_copy(update={"curves": (hand_made("untrained", (9, 9, 9, 3), (9, 9, 9, 1)),)})
    end = steps_to_level(even, 2.0, "untrained")
    assert (end.half, end.reached) == (100, 0.5), "one of two networks is half of them"
    never = steps_to_level(HAND_MADE, 0.01, "generated")
    assert never.saving is None, "from scratch the level is not reached, so there is nothing to compare with"


def test_levels_are_multiples_of_the_trained_runs_and_where_scratch_ends() -> None:
    assert HAND_MADE.levels((1.0, 2.0)) == {"trained x1": 0.1, "trained x2": 0.2, "scratch's end": 0.1}


def test_checkpoints_are_spaced_in_the_logarithm() -> None:
    assert FineTuningConfig(iterations=1000, points=4).steps == (1, 10, 100, 1000)
    assert FineTuningConfig(iterations=3, points=12).steps == (1, 2, 3)
    assert FineTuningConfig().steps[-1] == FineTuningConfig().iterations


@pytest.mark.parametrize("start", ["generatd", "average", "average-x", "average-2.5", "average-nan", "5", ""])
def test_unknown_starts(start: str) -> None:
    with pytest.raises(ValueError, match="average-INTEGER.*noise-NUMBER"):
        FineTuningConfig(starts=("generated", start))


@pytest.mark.parametrize(
    ("start", "why"),
    [("average-1", "k >= 2"), ("noise-0", "greater than 0"), ("kde--1", "greater than 0"), ("kde-nan", "finite")],
)
def test_numbers_that_no_method_takes(start: str, why: str) -> None:
    with pytest.raises(ZoogenError, match=f"start '{start}': .*{why}") as error:
        parse_config(FineTuningConfig, {"starts": ["generated", start]}, "a.yaml")
    assert "\n" not in str(error.value)


def test_a_start_is_found_however_its_number_is_written() -> None:
    task = TunableTask()
    starts = ("noise-0.010", "noise-1e-2", "noise-0.00001", "average-02", "held-out-last")
    config = CONFIG.model_validate({**CONFIG.model_dump(), "starts": starts})
    assert config.starts == ("noise-0.01", "noise-1e-05", "average-2", "held-out-last")
    result = curves(task, ("2",), config=config).results[0]
    assert [curve.start for curve in result.curves] == list(config.starts) and not result.notices


def test_curves_are_the_known_training() -> None:
    task = TunableTask()
    result = curves(task).result("F2")
    assert result is not None and result.known
    assert result.steps == (1, 2, 4, 8) and result.expected_reward == 0.25
    assert result.level_of == "held-out" and result.level_runs == 3
    assert [curve.start for curve in result.curves] == list(CONFIG.starts)
    for curve in result.curves:
        start = torch.tensor(curve.values[0], dtype=torch.float64)
        for step, values in zip(result.steps, curve.values[1:], strict=True):
            assert values == pytest.approx((start * 0.25**step).tolist(), rel=1e-3, abs=1e-12)
        assert curve.reward[1] == (0.5,) * 4 and curve.states_visited[3] == (80.0,) * 4
        assert curve.seconds == pytest.approx(6 / 4)
    averages, untrained = result.curve("average-2"), result.curve("untrained")
    assert averages is not None and untrained is not None
    assert averages.summaries()[0].median < untrained.summaries()[0].median / 3


def test_all_starts_are_trained_together_with_equal_seeds_by_index() -> None:
    task = TunableTask()
    curves(task)
    spec = task.trained[0]
    assert len(task.trained) == 2, "one cohort for each structure"
    assert len(spec.seeds) == 16 and spec.seeds[:4] == spec.seeds[4:8] == spec.seeds[12:]
    assert len(set(spec.seeds)) == 4 and spec.steps == CONFIG.steps
    assert set(spec.seeds).isdisjoint(task.trained[1].seeds)


def test_level_is_the_median_of_the_last_checkpoints_of_held_out_runs() -> None:
    task = TunableTask()
    result = curves(task, ("2",)).results[0]
    held_out = MemoryZoo(task, ZOO).select("2", "test")
    ends = held_out.weights[task.checkpoints - 1 :: task.checkpoints]
    assert result.level == pytest.approx(task.score("2", ends).metric("exact.js").median().item())


def test_unseen_structures_have_the_reference_level_and_fewer_starts() -> None:
    result = curves(TunableTask()).result("5")
    assert result is not None and not result.known
    assert result.level is not None and (result.level_of, result.level_runs) == ("reference", 3)
    assert [curve.start for curve in result.curves] == ["untrained", "generated"]
    assert result.notices == ("F5*: no average-2, random here",)


def test_without_trained_runs_there_is_no_level() -> None:
    result = curves(TunableTask(), ("7",)).results[0]
    assert result.level is None and "no level" in result.notices[0]
    assert set(result.levels((1.0,))) == {"scratch's end"}


def test_networks_that_are_not_finite_are_left_out() -> None:
    task = TunableTask()
    result = curves(task, ("2",), generator=HalfBroken(task)).results[0]
    generated = result.curve("generated")
    assert generated is not None and generated.count == 2
    assert generated.notices == ("2 of 4 networks were not finite and are left out",)
    assert len(task.trained[0].seeds) == 14 and task.trained[0].seeds[4:6] == task.trained[0].seeds[:2]


def test_json_round_trip_and_damage() -> None:
    found = curves(TunableTask())
    assert read_record(FineTuning, found.to_json(), "x.json") == found
    assert read_record(StructureCurves, record_bytes(HAND_MADE), "x.json") == HAND_MADE, "infinite values survive"
    with pytest.raises(ZoogenError, match=r"x.json is damaged \(it is no FineTuning"):
        read_record(FineTuning, found.to_json()[:-20], "x.json")


def test_medians_name_structure_start_and_level() -> None:
    medians = curves(TunableTask()).medians()
    assert medians["F2/generated/after"] < medians["F2/generated/before"]
    assert medians["F2/generated/reached scratch's end"] == 1.0
    assert all(math.isfinite(value) for value in medians.values())


def test_progress_counts_all_structures() -> None:
    seen: list[tuple[int, int]] = []
    curves(TunableTask(), progress=lambda done, total, _: seen.append((done, total)))
    assert seen == [(8, 16), (16, 16)]


class OneByOne(TunableTask):
    """Counts the iterations of its networks one after the other, as classifiers on a CPU do."""

    def fine_tune(
        self, spec: FineTuneSpec, weights: Tensor, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> FineTuned:
        assert progress is not None
        for done in range(1, len(weights) + 1):
            progress(done * spec.steps[-1], len(weights) * spec.steps[-1], {"loss": 0.0})
        return super().fine_tune(spec, weights, device)


def test_progress_of_networks_one_after_the_other_ends_with_the_iterations() -> None:
    seen: list[tuple[int, int]] = []
    curves(OneByOne(), progress=lambda done, total, _: seen.append((done, total)))
    assert {total for _, total in seen} == {16} and seen[-1] == (16, 16)
    assert (8, 16) in seen and [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_task_that_cannot_train_on_is_one_line() -> None:
    task = FakeTask()
    with pytest.raises(ZoogenError, match="cannot continue the training"):
        fine_tuning_curves(task, MemoryZoo(task, ZOO), NoisyOptimum(task), CONFIG, ("2",))


def test_a_structure_without_any_start_is_one_line() -> None:
    with pytest.raises(ZoogenError, match="none of the starts random"):
        curves(TunableTask(), ("5",), config=FineTuningConfig(starts=("random",)))
