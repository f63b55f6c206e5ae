"""Batches of networks: which rows are of which structure, and what lies behind a network's weights."""

import torch
from tests.clusters import checkpoint_set, target

from zoogen.autoencoders.batch import Membership, WeightBatch
from zoogen.autoencoders.build import build_autoencoder
from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.weights.scaling import WeightScaler

SETS = [checkpoint_set(5), checkpoint_set(8), checkpoint_set(3)]
ROWS = torch.tensor([30, 2, 13, 0, 12, 11])  # of sets of 12 rows each: 2 and 1, never in order


def mixed(length: int) -> WeightBatch:
    return ScaledCheckpoints(WeightScaler("none"), SETS, length).batch(ROWS)


def test_rows_keep_their_order_and_parts_give_each_structure_its_networks() -> None:
    batch = mixed(40)
    assert [batch.membership.targets[member].label for member in batch.membership.members] == [
        "W3", "W5", "W8", "W5", "W8", "W5",
    ]  # fmt: skip
    found = {label.label: (rows.tolist(), weights) for label, rows, weights in batch.parts()}
    assert {label: rows for label, (rows, _) in found.items()} == {"W5": [1, 3, 5], "W8": [2, 4], "W3": [0]}
    for checkpoints, rows in zip(SETS, ([2, 0, 11], [1, 0], [6]), strict=True):
        assert torch.equal(found[checkpoints.target.label][1], checkpoints.weights[rows])


def test_what_lies_behind_a_networks_weights_is_zero_in_checkpoints_and_in_what_is_decoded() -> None:
    batch = mixed(40)
    mask = batch.membership.mask(40)
    assert mask.sum(1).tolist() == batch.membership.sizes.tolist() == [12, 20, 32, 20, 32, 20]
    assert batch.weights[~mask].eq(0).all() and batch.weights[mask].ne(0).all()
    model = build_autoencoder(Conv1dAutoencoderConfig(latent=6, channels=(4, 8), kernel=3, stride=2), {"length": 40})
    decoded = model.decode(model.encode(batch), batch.membership)
    assert decoded.weights.shape == (6, 40)
    assert decoded.weights[~mask].eq(0).all() and decoded.weights[mask].ne(0).all()


def test_a_batch_of_several_structures_is_encoded_and_decoded_as_each_of_them_alone() -> None:
    batch = mixed(32)
    model = build_autoencoder(Conv1dAutoencoderConfig(latent=6, channels=(4, 8), kernel=3, stride=2), {"length": 40})
    latents = model.encode(batch)
    together = model.decode(latents, batch.membership)
    for (where, rows, weights), (_, _, decoded) in zip(batch.parts(), together.parts(), strict=True):
        alone = model.encode(WeightBatch.of(where, weights))
        torch.testing.assert_close(latents[rows], alone)
        again = model.decode(alone, Membership.of(where, len(rows)))
        assert again.weights.shape == weights.shape
        torch.testing.assert_close(decoded, again.weights)


def test_one_structure_is_one_part() -> None:
    batch = WeightBatch.of(target(5), torch.randn(3, 20))
    ((where, rows, weights),) = batch.parts()
    assert (where.label, rows.tolist()) == ("W5", [0, 1, 2])
    assert weights is not None and torch.equal(weights, batch.weights)
    assert len(batch) == len(batch.membership) == 3


def test_loss_over_real_weights_alone_is_asked_for_by_configuration() -> None:
    """The loss of what is decoded as nothing is the mean square of the weights, with and without padding."""
    batch = mixed(32)
    for loss_over in ("all", "real"):
        config = Conv1dAutoencoderConfig(latent=6, channels=(4, 8), kernel=3, stride=2, loss_over=loss_over)
        model = build_autoencoder(config, {"length": 40})
        model.decode_vectors = lambda latents: torch.zeros(len(latents), 40)  # type: ignore[method-assign]
        count = 6 * 40 if loss_over == "all" else batch.membership.sizes.sum()
        expected = batch.weights.square().sum() / count
        torch.testing.assert_close(model.loss(batch, torch.Generator().manual_seed(0)).value, expected)
