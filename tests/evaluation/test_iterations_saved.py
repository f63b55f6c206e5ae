"""Iterations saved, counted by hand."""

import math

from tests.evaluation.test_fine_tuning import HAND_MADE, TunableTask, curves, hand_made

from zoogen.evaluation.iterations_saved import iterations_saved, saved_metrics


def test_half_of_the_networks_within_five_percent_against_scratch() -> None:
    # at 1.05 × .1: scratch after 100, 100, never; generated at once, after 10, after 10
    found = iterations_saved(HAND_MADE.model_copy(update={"level_steps": 400}), "generated")
    assert (found.needed, found.scratch, found.saved, found.is_bound) == (10, 100, 90, False)
    assert found.share_of_training == 10 / 400
    scratch = iterations_saved(HAND_MADE, "untrained")
    assert (scratch.needed, scratch.saved, scratch.share_of_training) == (100, None, None)
    random = iterations_saved(HAND_MADE, "random")
    assert math.isinf(random.needed) and random.saved is random.share_of_training is None


def test_five_percent_count() -> None:
    near = HAND_MADE.model_copy(update={"curves": (hand_made("generated", (0.2, 0.106, 0.105, 0.1)),)})
    found = iterations_saved(near, "generated")
    assert (found.needed, found.scratch, found.saved) == (10, None, None), "there is no start from scratch"
    assert iterations_saved(near.model_copy(update={"level": None}), "generated") is None


def test_a_scratch_that_never_gets_there_bounds_the_saving() -> None:
    scratch, generated = hand_made("untrained", (0.9, 0.8, 0.7, 0.6)), hand_made("generated", (0.9, 0.1, 0.1, 0.1))
    found = iterations_saved(HAND_MADE.model_copy(update={"curves": (scratch, generated)}), "generated")
    assert (found.needed, found.saved, found.is_bound) == (1, 99, True)


def test_the_trained_runs_tell_their_iterations_and_the_tracker_the_saving() -> None:
    result = curves(TunableTask())
    assert [found.level_steps for found in result.results] == [3, 3], "the fake task takes three checkpoints"
    metrics = saved_metrics(result)
    for found in result.results:
        saved = iterations_saved(found, "generated")
        assert metrics[f"{found.label}/generated/iterations_to_trained"] == saved.needed
        assert metrics[f"{found.label}/generated/iterations_saved"] == saved.saved >= 1
        assert f"{found.label}/untrained/iterations_saved" not in metrics
