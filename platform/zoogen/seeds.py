"""torch's random numbers from a seed, all of whose bits matter.

`torch.Generator.manual_seed` keeps the lower 32 bits of a seed on the CPU: two of 200,000 derived seeds would then be
the same stream more often than not. Here the Mersenne Twister's whole state is filled from the seed, as numpy does it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_WORDS = 624  # of MT19937's state
# torch's state of a CPU generator: 8 bytes the seed, 16 of counters, then the words in 64 bits each
_SEED, _STATE = slice(0, 8), slice(24, 24 + 8 * _WORDS)


def seeded_generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator of random numbers on `device`; any two seeds of 0 … 2^64 - 1 give streams of their own."""
    return reseed(torch.Generator(device), seed)


def reseed(source: torch.Generator, seed: int) -> torch.Generator:
    """Set a generator to the beginning of the stream that `seeded_generator(seed)` gives; the same generator."""
    source.manual_seed(seed)  # of other devices all 64 bits count
    if source.device.type != "cpu":
        return source
    words = np.random.SeedSequence(seed).generate_state(_WORDS)
    words[0] = 1 << 31  # so that not all are zero, as numpy's MT19937 has it
    state = source.get_state()
    content = state.numpy()
    content[_SEED] = np.frombuffer(seed.to_bytes(8, "little"), np.uint8)
    content[_STATE] = words.astype("<u8").view(np.uint8)
    return source.set_state(state)


@contextmanager
def seeded(seed: int, device: str | torch.device = "cpu") -> Iterator[None]:
    """Seed torch's global generators, from which modules draw initial parameters and dropout, and restore them after.

    Args:
        device: beside the CPU's generator, that of this device is seeded.
    """
    place = torch.device(device)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        reseed(torch.default_generator, seed)
        if place.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
