"""Optimal transport within conditions, against brute force."""

from itertools import permutations

import torch

from zoogen.generators.flow.coupling import within_conditions

CONDITIONS = torch.tensor([[1.0, 2], [3, 4], [1, 2], [3, 4], [1, 2], [5, 6], [1, 2]])


def test_starts_stay_with_their_condition_and_each_is_used_once() -> None:
    generator = torch.Generator().manual_seed(0)
    starts, latents = torch.randn(2, 7, 4, generator=generator)
    rows = within_conditions(starts, latents, CONDITIONS)
    assert sorted(rows.tolist()) == list(range(7))
    assert torch.equal(CONDITIONS[rows], CONDITIONS)


def test_no_other_pairing_is_nearer() -> None:
    generator = torch.Generator().manual_seed(1)
    starts, latents = torch.randn(2, 7, 4, generator=generator)
    rows = within_conditions(starts, latents, CONDITIONS)
    members = [0, 2, 4, 6]
    found = (starts[rows[members]] - latents[members]).square().sum()
    best = min((starts[list(order)] - latents[members]).square().sum() for order in permutations(members))
    torch.testing.assert_close(found, best)


def test_one_condition_is_transport_over_the_whole_batch() -> None:
    latents = torch.arange(5.0).unsqueeze(1)
    starts = latents.flip(0) + 0.1
    assert within_conditions(starts, latents, torch.zeros(5, 2)).tolist() == [4, 3, 2, 1, 0]
