"""Seeds of torch's generators: every bit matters, and the streams are those of numpy's Mersenne Twister."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.seeds import reseed, seeded, seeded_generator

LOW = 123_456_789
PACKAGE = Path(__file__).parents[1] / "platform" / "zoogen"


def drawn_globally(seed: int) -> Tensor:
    with seeded(seed):
        return torch.rand(8)


STREAMS: dict[str, Callable[[int], Tensor]] = {
    "generator": lambda seed: torch.rand(8, generator=seeded_generator(seed)),
    "reseeded": lambda seed: torch.rand(8, generator=reseed(seeded_generator(1), seed)),
    "global": drawn_globally,
    "network": lambda seed: MLPShape(2, 3, 2).initial([seed])[0],
}


@pytest.mark.parametrize("stream", STREAMS)
def test_every_bit_of_a_seed_matters(stream: str) -> None:
    seeds = [LOW, *(LOW ^ (1 << bit) for bit in range(64))]
    assert len({STREAMS[stream](seed).numpy().tobytes() for seed in seeds}) == 65


def test_torch_alone_drops_the_upper_half() -> None:
    """The reason for a seeding of our own; when torch mends it, this says so."""
    first, second = (torch.rand(8, generator=torch.Generator().manual_seed(LOW + (k << 32))) for k in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("seed", [0, 1, LOW, 2**32 - 1, 2**32, 2**62 + 5, 2**64 - 1, derive_seed("a", 1)])
def test_streams_are_those_of_numpy(seed: int) -> None:
    twister = np.random.MT19937(seed)
    content = twister.state
    content["state"]["pos"] = 624  # numpy starts one word into its state, torch with a fresh one
    twister.state = content
    expected = (twister.random_raw(3_000).astype(np.uint32) & (2**24 - 1)) * 2.0**-24
    generator = seeded_generator(seed)
    assert generator.initial_seed() == seed
    assert np.array_equal(torch.rand(3_000, generator=generator).double().numpy(), expected)


def test_reseeding_forgets_what_was_drawn() -> None:
    generator = seeded_generator(5)
    torch.randn(1, generator=generator)  # leaves half a pair of normal numbers behind
    torch.rand(700, generator=generator)
    reseed(generator, 7)
    assert torch.equal(torch.randn(9, generator=generator), torch.randn(9, generator=seeded_generator(7)))


def test_global_numbers_are_put_back() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    drawn_globally(9)
    assert torch.equal(torch.rand(4), expected)


def test_seeds_out_of_range_are_refused() -> None:
    for seed in (-1, 2**64):
        with pytest.raises((ValueError, OverflowError, RuntimeError)):
            seeded_generator(seed)


def test_no_other_file_seeds_torch() -> None:
    """A seed that goes to torch directly loses its upper half."""
    direct = re.compile(r"manual_seed|fork_rng|torch\.seed\(|torch\.random\.")
    users = {
        str(path.relative_to(PACKAGE)): calls
        for path in PACKAGE.rglob("*.py")
        if path.name != "seeds.py" and (calls := direct.findall(path.read_text()))
    }
    assert list(users) == ["benchmarks/baselines/torchgfn.py"]  # written as torchgfn's own tutorials are
