"""ViT-mini's parts against plain loops."""

import math

import torch
from torch import nn

from zoogen.networks.classifiers.vit_mini import HEAD_WIDTH, HEADS, WIDTH, Attention, PatchEmbedding, sine_positions


def test_positions_are_sines_and_cosines_of_column_and_row() -> None:
    edge, width = 3, 8
    found = sine_positions(edge, width)
    assert tuple(found.shape) == (9, 8)
    for row in range(edge):
        for column in range(edge):
            for index, frequency in enumerate((1.0, 1e-4)):
                wanted = [f(place * frequency) for place in (column, row) for f in (math.sin, math.cos)]
                got = found[row * edge + column, index::2].tolist()
                assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(got, wanted, strict=True))


def test_attention_equals_a_loop_over_heads_and_tokens() -> None:
    torch.manual_seed(0)
    attention, tokens = Attention().double().requires_grad_(False), torch.randn(2, 5, WIDTH, dtype=torch.float64)
    q, k, v = (tokens @ part.weight.T for part in (attention.q_proj, attention.k_proj, attention.v_proj))
    made = torch.zeros_like(q)
    for image in range(2):
        for head in range(HEADS):
            own = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
            for token in range(5):
                scores = [float(q[image, token, own] @ k[image, other, own]) / HEAD_WIDTH**0.5 for other in range(5)]
                shares = torch.tensor([math.exp(score) for score in scores], dtype=torch.float64)
                made[image, token, own] = (shares / shares.sum()) @ v[image, :, own]
    torch.testing.assert_close(attention(tokens), made @ attention.o_proj.weight.T)


def test_every_token_comes_from_its_own_patch() -> None:
    torch.manual_seed(0)
    embedding = PatchEmbedding(3, 2).eval()
    images = torch.randn(1, 3, 16, 16)
    changed = images.clone()
    changed[0, :, 6:8, 10:12] += 1.0 + torch.rand(3, 2, 2)  # row 3, column 5
    differing = (embedding(images) - embedding(changed)).abs().amax(2)[0] > 1e-6
    assert differing.nonzero().flatten().tolist() == [3 * 8 + 5]
    assert isinstance(embedding.projection, nn.Linear) and "positions" not in embedding.state_dict()
