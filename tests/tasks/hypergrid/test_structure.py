"""Structures of the paper and their spellings."""

import pytest

from zoogen.errors import ZoogenError
from zoogen.tasks.hypergrid.structure import NAMED, HypergridStructure

# GenFlowNet §3.1 and A.2, copied from the paper
PAPER = {
    "A": (64, 16, 4, 8),
    "B": (36, 6, 6, 6),
    "C": (25, 5, 5, 5),
    "D": (36, 9, 4, 6),
    "A*": (9, 3, 3, 3),
    "B*": (16, 4, 4, 4),
    "C*": (36, 12, 3, 6),
    "D*": (49, 7, 7, 7),
    "E*": (4, 2, 2, 2),
    "F*": (16, 8, 2, 4),
    "G*": (81, 27, 3, 9),
    "H*": (100, 25, 4, 10),
}


@pytest.mark.parametrize("name", PAPER)
def test_named_structures_are_the_papers(name: str) -> None:
    structure = HypergridStructure.parse(name)
    expected = PAPER[name]
    assert (structure.state_size, structure.horizon, structure.dimensions, structure.size) == expected
    assert structure.name == ",".join(map(str, expected))
    assert structure.label == f"{name} {expected[1]}^{expected[2]}"


def test_all_paper_structures_are_named() -> None:
    assert set(NAMED) == set(PAPER)


@pytest.mark.parametrize("text", ["36,12,3,6", "[36, 12, 3, 6]", "12,3", "12^3", "C*", " C* "])
def test_spellings_mean_the_same(text: str) -> None:
    assert HypergridStructure.parse(text) == HypergridStructure(12, 3)


def test_size_is_real_where_the_state_size_is_no_square() -> None:
    structure = HypergridStructure.parse("7^5")
    assert structure.size == pytest.approx(35**0.5)
    assert HypergridStructure.parse(structure.name) == structure


@pytest.mark.parametrize("text", ["1^3", "5,0", "4^-1", "0,0,0,0"])
def test_impossible_structures_are_refused(text: str) -> None:
    with pytest.raises(ZoogenError, match="impossible structure"):
        HypergridStructure.parse(text)


@pytest.mark.parametrize("text", ["Z", "1,2,3", "a,b", "36,12,3,7", "37,12,3,6", "12.5,3", "", "36,12,3,nan"])
def test_other_mistakes_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ZoogenError) as caught:
        HypergridStructure.parse(text)
    assert "\n" not in str(caught.value)
