"""How far structures lie outside of what was taught, against cases worked out by hand."""

from collections.abc import Mapping

import pytest
from tests.fakes import FakeTask

from zoogen.generators.taught_range import beyond_taught
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask

TASK = HypergridTask(HypergridConfig())
TAUGHT = tuple(TASK.canonical(name) for name in ("2^2", "8^2", "32^2", "2^3", "32^3", "2^6", "4^6"))


class BoxTask(FakeTask):
    """Structures with three coordinates."""

    boxes: Mapping[str, tuple[float, float, float]] = {"2": (1, 1, 1), "3": (1, 1, 4), "4": (10, 10, 1), "5": (9, 9, 2)}

    def axes(self, structure: str) -> dict[str, float]:
        return dict(zip("abc", self.boxes[structure], strict=True))


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        ("8^2", ""),
        ("12^3", ""),
        ("40^3", "40^3: h = 40 lies beyond the 2–32 taught for n = 3"),
        ("2^8", "2^8: n = 8 lies beyond the 2–6 taught for h = 2"),
        ("5^6", "5^6: h = 5 lies beyond the 2–4 taught for n = 6"),
        # between the taught 32^3 and 4^6: ln h = ln 32 - ln 8 · ln(4 / 3) / ln(6 / 3) at n = 4
        ("13^4", ""),
        ("16^4", "A 16^4: h = 16 lies beyond the 2–13.5 spanned by what was taught for n = 4"),
        ("33^4", "33^4: h = 33 lies beyond the 2–13.5 spanned by what was taught for n = 4"),
        # on the same line at h = 5: ln n = ln 6 - ln 2 · ln(5 / 4) / ln(32 / 4)
        ("5^1", "5^1: n = 1 lies beyond the 2–5.57 spanned by what was taught for h = 5"),
    ],
)
def test_it_names_the_coordinate_and_how_far(structure: str, expected: str) -> None:
    assert beyond_taught(TASK, structure, TAUGHT) == expected


def test_a_corner_is_outside_in_every_coordinate() -> None:
    assert beyond_taught(TASK, "40^8", TAUGHT) == (
        "40^8: h = 40 lies beyond the 2–4 taught for n = 6; n = 8 lies beyond the 2–3 taught for h = 32"
    )


def test_of_several_other_coordinates_the_nearest_by_ratio_count() -> None:
    assert beyond_taught(BoxTask(), "5", ("2", "3", "4")) == ("F5*: a = 9 lies beyond the 10 taught for b = 10, c = 1")


def test_tasks_without_coordinates_and_generators_that_do_not_tell_say_nothing() -> None:
    assert beyond_taught(FakeTask(), "9", ("2", "3")) == ""
    assert beyond_taught(TASK, "40^3", ()) == ""
