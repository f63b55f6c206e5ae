"""Opening a study sets how many threads this process computes with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.pipelines.open import open_study


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_study_computes_with_the_threads_that_it_asks_for(tiny_file: Path) -> None:
    assert open_study(str(tiny_file), ["threads=2"], Console()).config.threads == 2 == torch.get_num_threads()
    study = open_study(str(tiny_file), [], Console())
    assert study.config.threads == 1 == torch.get_num_threads(), "one by default: the same bits on any number of cores"
    other = open_study(str(tiny_file), ["threads=2"], Console())
    assert (other.digest, other.plan.digest) == (study.digest, study.plan.digest), "it names no artifact"
    with pytest.raises(ZoogenError, match="threads"):
        open_study(str(tiny_file), ["threads=0"], Console())
