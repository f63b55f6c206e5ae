"""Training-equivalent iterations against a power law, which is straight on logarithmic axes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoogen.evaluation.equivalence import EquivalentIterations, equivalent_iterations

BUDGETS = (500, 2_000, 5_000)


def power_law(iterations: float, slope: float) -> float:
    return 30.0 * iterations**-slope


@given(st.floats(0.3, 3), st.floats(math.log(500), math.log(5_000)), st.permutations(BUDGETS))
def test_between_budgets_a_power_law_is_met(slope, logarithm, order):
    wanted = math.exp(logarithm)
    found = equivalent_iterations(power_law(wanted, slope), [(n, power_law(n, slope)) for n in order])
    assert found is not None and found.iterations == pytest.approx(wanted, rel=1e-6)


def test_beyond_the_budgets_there_are_bounds():
    trained = [(n, power_law(n, 1)) for n in BUDGETS]
    below = equivalent_iterations(power_law(499, 1), trained)
    above = equivalent_iterations(power_law(5_001, 1), trained)
    assert (below.text, above.text) == ("< 500", "> 5,000")
    assert equivalent_iterations(power_law(500, 1), trained).text == "500"
    assert equivalent_iterations(power_law(5_000, 1), trained).text == "5,000"
    assert equivalent_iterations(math.inf, trained).text == "< 500"


def test_the_first_budget_that_gets_there_counts():
    trained = [(100, 0.1), (200, 0.01), (400, 0.04), (800, 0.001)]
    assert equivalent_iterations(0.01, trained) == EquivalentIterations(iterations=200)
    assert equivalent_iterations(0.02, trained).iterations < 200
    assert 400 < equivalent_iterations(0.005, trained).iterations < 800


def test_odd_medians():
    assert equivalent_iterations(0.1, []) is None and equivalent_iterations(math.nan, [(1, 1.0)]) is None
    assert equivalent_iterations(0.1, [(100, math.inf), (200, 0.05)]).iterations == 200
    assert equivalent_iterations(0.0, [(100, 0.5), (200, 0.0)]).iterations == pytest.approx(200)
    assert 100 < equivalent_iterations(0.1, [(100, 0.5), (200, 0.0)]).iterations < 101, "0 lies far below on this axis"
