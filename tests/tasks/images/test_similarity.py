"""IoU of wrong predictions against sets."""

import torch

from zoogen.tasks.images.error_overlap import overlap_of_errors


def test_overlap_is_that_of_sets() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(n, 40, generator=generator).lt(0.2).float() for n in (4, 6))
    first[0] = second[0] = second[1] = 0
    found = overlap_of_errors(first, second)
    for k, mine in enumerate(first):
        for r, theirs in enumerate(second):
            a, b = set(mine.nonzero().flatten().tolist()), set(theirs.nonzero().flatten().tolist())
            assert found[k, r] == (len(a & b) / len(a | b) if a | b else 1.0)
    assert found[0, 0] == found[0, 1] == 1.0


def test_a_network_is_like_itself() -> None:
    wrong = torch.eye(3)
    assert torch.equal(overlap_of_errors(wrong, wrong), torch.eye(3, dtype=torch.float64))
