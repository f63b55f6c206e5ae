"""Training gives the losses that are stored, so that a change in training shows; `recipes` makes them again."""

import json

import pytest
from tests.curves.recipes import RECIPES, curves, stored

# Rounding differs between processors, and training carries it on: by 5e-6 between two of them, by 2e-4 (the generator's
# last losses) on a third. Settings that change make differences of per cents.
TOLERANCE = 1e-3


@pytest.mark.parametrize("recipe", RECIPES)
def test_losses_are_the_stored_ones(recipe: str) -> None:
    expected, trained = json.loads(stored(recipe).read_text()), curves(recipe)
    assert trained.keys() == expected.keys()
    for name, losses in expected.items():
        assert trained[name] == pytest.approx(losses, rel=TOLERANCE), f"{recipe}: {name}"


@pytest.mark.parametrize("recipe", RECIPES)
def test_stored_losses_are_those_of_something_learning(recipe: str) -> None:
    expected = json.loads(stored(recipe).read_text())
    assert {"autoencoder", "generator", "run 0"} <= expected.keys()
    runs = [losses for name, losses in expected.items() if name.startswith("run ")]
    assert all(len(losses) > 3 and min(losses[-3:]) < 0.9 * losses[0] for losses in runs)
    assert min(min(losses) for losses in expected.values()) > 1e-6, "next to nothing tells nothing"
