import torch

from zoogen.generators.source.network import SourceNetwork
from zoogen.seeds import seeded


def network() -> SourceNetwork:
    with seeded(0):
        return SourceNetwork(features=5, token=3, width=16, blocks=2)


def test_structures_of_any_size_at_once_are_as_one_by_one() -> None:
    model, (features, sources) = network(), _inputs(7, 2)
    others = _inputs(4, 3)
    together = model([features, others[0]], [sources, others[1]])
    torch.testing.assert_close(together[0], model([features], [sources])[0])
    torch.testing.assert_close(together[1], model([others[0]], [others[1]])[0])


def test_the_order_of_tokens_does_not_matter() -> None:
    model, (features, sources) = network(), _inputs(6, 2)
    order = torch.randperm(6)
    torch.testing.assert_close(
        model([features[order]], [sources[:, order]])[0], model([features], [sources])[0][:, order]
    )


def test_networks_begin_near_their_sources() -> None:
    model, (features, sources) = network(), _inputs(50, 4)
    change = model([features], [sources])[0] - sources
    assert 0.02 < change.std().item() < 0.3


def test_coordinates_are_standardised_over_what_is_taught() -> None:
    model = network()
    model.fit_coordinates([torch.tensor([[0.0, 1, 1, 5, 0]]), torch.tensor([[2.0, 1, 1, 5, 40]])])
    scaled = model._scaled(torch.tensor([[0.0, 1, 1, 5, 1e9], [2.0, 1, 1, 5, 20]]))
    assert scaled.tolist() == [[-1, 0, 0, 0, 6], [1, 0, 0, 0, 0]]


def _inputs(tokens: int, networks: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(tokens, 5), torch.randn(networks, tokens, 3)
