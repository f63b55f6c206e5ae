"""The network of the source generator: nothing at first, and equivariant to the order of tokens."""

import torch

from zoogen.generators.source.network import SourceNetwork
from zoogen.seeds import seeded


def network(blocks: int = 2) -> SourceNetwork:
    """With parameters of which none is zero."""
    with seeded(0):
        made = SourceNetwork(5, 3, width=16, blocks=blocks)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def test_a_new_network_adds_nothing_to_a_source() -> None:
    features, tokens = torch.randn(7, 5), torch.randn(2, 7, 3)
    assert torch.equal(SourceNetwork(5, 3, width=16, blocks=2)(features, tokens), torch.zeros(2, 7, 3))


def test_the_order_of_tokens_does_not_matter_and_networks_do_not_see_each_other() -> None:
    features, tokens = torch.randn(7, 5), torch.randn(4, 7, 3)
    made, order = network(), torch.randperm(7)
    change = made(features, tokens)
    torch.testing.assert_close(made(features[order], tokens[:, order]), change[:, order])
    torch.testing.assert_close(made(features, tokens[1:2]), change[1:2])


def test_every_token_depends_on_the_whole_source() -> None:
    features, tokens = torch.randn(7, 5), torch.randn(1, 7, 3, requires_grad=True)
    network()(features, tokens)[0, 0].sum().backward()
    assert tokens.grad is not None and bool((tokens.grad.abs().sum(-1) > 0).all())


def test_features_are_standardised_by_those_of_training() -> None:
    """Whatever their scale and offset, the network sees the same; a coordinate that never varies is only shifted."""
    features, tokens = torch.randn(7, 5), torch.randn(1, 7, 3)
    features[:, 4] = 2.0
    made = network()
    made.fit_features(features)
    one = made(features, tokens)
    other = features * torch.tensor([10.0, 0.1, 3.0, 1.0, 1.0]) + 5
    made.fit_features(other)
    torch.testing.assert_close(made(other, tokens), one, atol=1e-4, rtol=1e-4)
    assert float(made.std[4]) == 1.0
