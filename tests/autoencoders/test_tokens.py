"""Reading and writing networks token by token: order, coordinates, structures never trained on, training."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.clusters import target as synthetic

from zoogen.autoencoders.batch import Membership, WeightBatch
from zoogen.autoencoders.build import build_autoencoder, shape_for
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import LossConfig, TokenAutoencoderConfig
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.autoencoders.tokens import TokenAutoencoder
from zoogen.autoencoders.train import train_codec
from zoogen.errors import ZoogenError
from zoogen.seeds import seeded
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.teaching.lessons import divergence
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig
from zoogen.training.hooks import LocalHooks
from zoogen.weights.scaling import WeightScaler
from zoogen.weights.target import Target
from zoogen.weights.tokens import WeightTokens
from zoogen.zoo.read import CheckpointSet

TASK = HypergridTask(HypergridConfig())
LOOP = LoopConfig(
    iterations=800,
    batch_size=8,
    optimiser=AdamWConfig(lr=3e-3, weight_decay=0),
    schedule=ScheduleConfig(kind="cosine", warmup=20),
    clip=1.0,
)
CONFIG = TokenAutoencoderConfig(latent=8, width=128, blocks=1, latent_noise=0.0, loop=LOOP)
STYLES = 4


def styles(structure: str) -> CheckpointSet:
    """The same four styles in every grid."""
    runs = torch.arange(STYLES)
    return CheckpointSet(TASK.target(structure), TASK.aligned(structure, runs.tolist()), runs, runs, {})


ZOO = [styles(structure) for structure in ("3^2", "4^2", "7^2", "3^3", "5^3")]


def model(config: TokenAutoencoderConfig = CONFIG) -> TokenAutoencoder:
    with seeded(0):
        made = build_autoencoder(config, shape_for(config, [ZOO[0].target]))
    assert isinstance(made, TokenAutoencoder)
    made.prepare(ScaledCheckpoints(WeightScaler("none"), ZOO, made.row_length(s.target for s in ZOO)))
    return made.eval()


def seen_as(target: Target, change: Callable[[WeightTokens], WeightTokens]) -> Target:
    """The structure under another name, its tokens changed."""
    return replace(target, structure="changed", coordinates=lambda: change(target.tokens()))


def mixed() -> WeightBatch:
    """Networks of three structures, in no order."""
    rows = torch.tensor([9, 0, 17, 1, 8, 16])
    return ScaledCheckpoints(WeightScaler("none"), ZOO, 5000).batch(rows)


def test_the_order_of_tokens_means_nothing() -> None:
    grid, autoencoder = ZOO[3], model()

    def shuffled(tokens: WeightTokens) -> WeightTokens:
        order = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))
        return WeightTokens(tokens.index[order], tokens.features[order])

    other = seen_as(grid.target, shuffled)
    latents = autoencoder.encode(WeightBatch.of(grid.target, grid.weights))
    torch.testing.assert_close(autoencoder.encode(WeightBatch.of(other, grid.weights)), latents)
    weights = [autoencoder.decode(latents, Membership.of(where, STYLES)).weights for where in (grid.target, other)]
    torch.testing.assert_close(weights[1], weights[0])


def test_a_token_is_written_by_its_coordinates_and_the_latent_alone() -> None:
    """The same coordinates in another structure, and other structures in the same batch, change nothing."""
    grid, autoencoder, latents = ZOO[4].target, model(), torch.randn(2, 8)
    whole = autoencoder.decode(latents, Membership.of(grid, 2)).weights
    kept = torch.arange(0, len(grid.tokens()), 3)

    def some(tokens: WeightTokens) -> WeightTokens:
        index = tokens.index[kept]
        inside = index >= 0
        numbered = torch.full_like(index, -1)
        numbered[inside] = torch.arange(int(inside.sum()))
        return WeightTokens(numbered, tokens.features[kept])

    part = autoencoder.decode(latents, Membership.of(seen_as(grid, some), 2)).weights
    places = grid.tokens().index[kept]
    places = places[places >= 0]
    torch.testing.assert_close(part[:, : len(places)], whole[:, places])


def test_networks_are_read_and_written_among_others_as_alone() -> None:
    batch, autoencoder = mixed(), model()
    latents = autoencoder.encode(batch)
    together = autoencoder.decode(latents, batch.membership)
    for (where, rows, weights), (_, _, decoded) in zip(batch.parts(), together.parts(), strict=True):
        alone = autoencoder.encode(WeightBatch.of(where, weights))
        torch.testing.assert_close(latents[rows], alone)
        torch.testing.assert_close(decoded, autoencoder.decode(alone, Membership.of(where, len(rows))).weights)


def swapped(structure: str, tokens: WeightTokens) -> WeightTokens:
    """Coordinates of the first two dimensions of a grid in each other's place."""
    columns = (tokens.features[0] != tokens.features[TASK.environment(structure).structure.horizon]).nonzero().flatten()
    features = tokens.features.clone()
    features[:, columns] = features[:, columns.flip(0)]
    return WeightTokens(tokens.index, features)


def test_dimensions_are_known_by_their_number_alone() -> None:
    """Swapped numbers write the policy with swapped dimensions, which does the same in the swapped grid, and so has the
    same divergence from the symmetric reward. That numbers mean the same is nothing a trained model promises: other
    numbers write another policy.
    """
    autoencoder, latents = model(), torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    plain = TASK.target("4^2")
    other = seen_as(plain, lambda tokens: swapped("4^2", tokens))
    first, second = (autoencoder.decode(latents, Membership.of(where, 1)).weights for where in (plain, other))
    assert not torch.allclose(first, second, atol=1e-3)
    before, after = (TASK.layout("4^2").unflatten(weights) for weights in (first, second))
    columns = before["dense1.weight"].unflatten(2, (2, 4)).flip(2).flatten(2)
    torch.testing.assert_close(after["dense1.weight"], columns)
    torch.testing.assert_close(after["dense3.weight"], before["dense3.weight"][:, [1, 0, 2]])
    torch.testing.assert_close(after["dense2.weight"], before["dense2.weight"])
    js = [TASK.score("4^2", weights.detach()).groups["exact"].values["js"] for weights in (first, second)]
    torch.testing.assert_close(js[1], js[0], rtol=1e-4, atol=1e-7)


def test_a_model_that_ignores_numbers_of_dimensions_reads_symmetric_policies_alike() -> None:
    autoencoder, grid = model(), ZOO[3]
    tokens = grid.target.tokens()
    numbers = (tokens.features[0] != tokens.features[3]).nonzero().flatten()
    with torch.no_grad():
        for layer in (autoencoder.reader[0], autoencoder.from_features):
            layer.weight[:, numbers] = 0.0
    other = seen_as(grid.target, lambda tokens: swapped("3^3", tokens))
    latents = [autoencoder.encode(WeightBatch.of(where, grid.weights)) for where in (grid.target, other)]
    torch.testing.assert_close(latents[1], latents[0])


def test_the_loss_is_that_of_each_network_whatever_its_size() -> None:
    batch, autoencoder = mixed(), model(CONFIG.model_copy(update={"input_noise": 0.0}))
    loss = autoencoder.loss(batch, torch.Generator().manual_seed(0))
    assert loss.decoded is not None and loss.penalty is None
    errors = torch.empty(len(batch))
    for (_, rows, weights), (_, _, decoded) in zip(batch.parts(), loss.decoded.parts(), strict=True):
        errors[rows] = (decoded - weights).square().mean(1)
    torch.testing.assert_close(loss.value, errors.mean())


@pytest.fixture(scope="module")
def codec() -> WeightCodec:
    return train_codec(CONFIG, ZOO, seed=0, task=TASK, digest="abc")


def test_a_small_zoo_is_reproduced(codec: WeightCodec) -> None:
    assert max(value for name, value in codec.figures.items() if name.endswith("spread_error")) < 0.4
    latents = codec.encode(ZOO[0].target, ZOO[0].weights)
    assert latents.shape == (STYLES, 8)


def test_structures_never_trained_on_are_written_in_the_style_that_was_read(codec: WeightCodec) -> None:
    """From networks of its own, and from those of another structure: the style is the same there."""
    unseen = styles("5^2")
    scale = (unseen.weights - unseen.weights.mean(0)).square().mean()
    for source in (unseen, ZOO[1]):
        again = codec.decode(unseen.target, codec.encode(source.target, source.weights))
        assert ((again - unseen.weights).square().mean() / scale).sqrt() < 0.6
        distances = torch.cdist(again, unseen.weights)
        assert distances.argmin(1).tolist() == list(range(STYLES))


def test_bytes_round_trip(codec: WeightCodec) -> None:
    read = WeightCodec.from_bytes(codec.to_bytes())
    assert (read.config, read.digest) == (codec.config, "abc")
    latents = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    where = TASK.target("6^2")
    assert torch.equal(read.decode(where, latents), codec.decode(where, latents))
    assert read.to_bytes() == codec.to_bytes()


def test_what_coordinates_cannot_express_is_one_line(codec: WeightCodec) -> None:
    where = TASK.target("2^13")
    with pytest.raises(ZoogenError, match="at most 12"):
        codec.decode(where, torch.zeros(1, 8))
    with pytest.raises(ZoogenError, match=r"W5 have 52 coordinates and 64 numbers, the autoencoder\'s 90 and 33"):
        codec.decode(synthetic(5), torch.zeros(1, 8))


@pytest.mark.parametrize("loss", [LossConfig(), LossConfig(weights=0.0, behaviour=1.0, inputs=32, pool=128)])
def test_resumed_training_gives_the_same_bits(loss: LossConfig) -> None:
    loop = LOOP.model_copy(update={"iterations": 20, "checkpoint_every": 8, "schedule": ScheduleConfig()})
    config = CONFIG.model_copy(update={"loop": loop, "loss": loss, "kl": 1e-3})
    states: list[bytes] = []
    hooks = LocalHooks(checkpoint=lambda state, step, figures: states.append(state))
    whole = train_codec(config, ZOO, seed=3, hooks=hooks, task=TASK)
    resumed = train_codec(config, ZOO, seed=3, hooks=LocalHooks(initial_state=states[0]), task=TASK)
    state = resumed.autoencoder.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in whole.autoencoder.state_dict().items())
    assert {"kl"} | ({"behaviour", "error"} if loss.behaviour else set()) <= set(whole.history[-1])


def test_behaviour_alone_teaches_what_networks_do() -> None:
    """Divergences at all states of a grid, whatever the weights are."""
    loss = LossConfig(weights=0.0, behaviour=1.0, inputs=64, pool=512)
    # the differences between styles are small ones: larger weights make policies that differ
    sharp = [replace(rows, weights=3 * rows.weights) for rows in ZOO]
    config = CONFIG.model_copy(update={"loss": loss, "loop": LOOP.model_copy(update={"iterations": 300})})
    taught = train_codec(config, sharp, seed=0, task=TASK)
    where, weights = sharp[1].target, sharp[1].weights
    states = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    choices = TASK.outputs("4^2", weights, states).exp()
    decoded = taught.decode(where, taught.encode(where, weights))
    found = divergence(choices, TASK.outputs("4^2", decoded, states)).mean()
    apart = divergence(choices, TASK.outputs("4^2", weights.roll(1, 0), states)).mean()
    assert found < 0.2 * apart
    assert taught.figures["train/4^2/error"] > 0.5


def test_behaviour_without_a_task_is_one_line() -> None:
    config = CONFIG.model_copy(update={"loss": LossConfig(behaviour=1.0)})
    with pytest.raises(ZoogenError, match=r"autoencoder\.loss\.behaviour needs a task"):
        train_codec(config, ZOO, seed=0)
    with pytest.raises(ValueError, match="both 0"):
        LossConfig(weights=0.0)


def test_a_variational_ones_prior_is_standard_normal() -> None:
    loop = LOOP.model_copy(update={"iterations": 10, "schedule": ScheduleConfig()})
    codec = train_codec(CONFIG.model_copy(update={"loop": loop, "kl": 0.1}), ZOO, seed=0)
    assert codec.autoencoder.variational
    assert codec.history[-1]["loss"] > codec.history[-1]["kl"] * 0.1 > 0
    batch = codec.batch(ZOO[0].target, ZOO[0].weights)
    assert torch.equal(codec.autoencoder.posterior(batch)[0], codec.autoencoder.encode(batch))
