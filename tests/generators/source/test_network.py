import pytest
import torch

from zoogen.generators.source.network import SourceNetwork
from zoogen.seeds import seeded

FORMS = [(False, 1), (True, 1), (False, 3), (True, 2)]  # pooled, steps


def network(pooled: bool = False, steps: int = 1, gated: bool = True) -> SourceNetwork:
    """With parameters of a size at which everything shows."""
    with seeded(0):
        made = SourceNetwork(features=5, token=3, width=16, blocks=2, pooled=pooled, steps=steps, gated=gated)
        torch.nn.init.normal_(made.out.weight, std=0.3)
    return made


@pytest.mark.parametrize(("pooled", "steps"), FORMS)
def test_structures_of_any_size_at_once_are_as_one_by_one(pooled: bool, steps: int) -> None:
    model, (features, sources) = network(pooled, steps), _inputs(7, 2)
    others = _inputs(4, 3)
    together = model([features, others[0]], [sources, others[1]])
    torch.testing.assert_close(together[0], model([features], [sources])[0])
    torch.testing.assert_close(together[1], model([others[0]], [others[1]])[0])


@pytest.mark.parametrize(("pooled", "steps"), FORMS)
def test_the_order_of_tokens_does_not_matter(pooled: bool, steps: int) -> None:
    model, (features, sources) = network(pooled, steps), _inputs(6, 2)
    order = torch.randperm(6)
    torch.testing.assert_close(
        model([features[order]], [sources[:, order]])[0], model([features], [sources])[0][:, order]
    )


@pytest.mark.parametrize("pooled", [False, True])
def test_tokens_see_each_other_where_they_are_pooled_and_never_other_networks(pooled: bool) -> None:
    model, (features, sources) = network(pooled), _inputs(6, 2)
    changed = sources.clone()
    changed[0, 5] += 1
    before, after = model([features], [sources])[0], model([features], [changed])[0]
    assert torch.equal(before[1], after[1])
    assert torch.allclose(before[0, :5], after[0, :5]) is not pooled


def test_steps_are_eulers_method() -> None:
    """With a time that says nothing, k steps add a k-th of what the network of one step says, k times."""
    one, three = network(), network(steps=3)
    three.load_state_dict(one.state_dict(), strict=False)
    torch.nn.init.zeros_(three.time.weight)
    features, sources = _inputs(4, 2)
    tokens = sources
    for _ in range(3):
        tokens = tokens + (one([features], [tokens])[0] - tokens) / 3
    torch.testing.assert_close(three([features], [sources])[0], tokens)


@pytest.mark.parametrize("gated", [False, True])
def test_blocks_are_residual_perceptrons_with_or_without_gates(gated: bool) -> None:
    """Written out with the parameters by name."""
    model, (features, sources) = network(gated=gated), _inputs(4, 2)
    state = model.state_dict()

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", torch.zeros(()))

    hidden = linear("coordinates", features) + linear("source", sources)
    for block in ("blocks.0", "blocks.1"):
        normed = torch.nn.functional.layer_norm(hidden, (16,))
        inner = linear(f"{block}.inner", normed)
        inner = inner * inner.sigmoid() * (linear(f"{block}.gate", normed) if gated else 1)
        hidden = hidden + linear(f"{block}.outer", inner)
    expected = sources + linear("out", torch.nn.functional.layer_norm(hidden, (16,)))
    torch.testing.assert_close(model([features], [sources])[0], expected)


def test_networks_begin_near_their_sources() -> None:
    with seeded(0):
        model = SourceNetwork(features=5, token=3, width=16, blocks=2)
    features, sources = _inputs(50, 4)
    change = model([features], [sources])[0] - sources
    assert 0.02 < change.std().item() < 0.3


def test_coordinates_are_standardised_over_what_is_taught() -> None:
    model = network()
    model.fit_coordinates([torch.tensor([[0.0, 1, 1, 5, 0]]), torch.tensor([[2.0, 1, 1, 5, 40]])])
    scaled = model._scaled(torch.tensor([[0.0, 1, 1, 5, 1e9], [2.0, 1, 1, 5, 20]]))
    assert scaled.tolist() == [[-1, 0, 0, 0, 6], [1, 0, 0, 0, 0]]


def _inputs(tokens: int, networks: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(tokens, 5), torch.randn(networks, tokens, 3)
