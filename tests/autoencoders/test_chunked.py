"""One network for all chunks: principal axes per chunk, sizes that do not grow with length x latent, training."""

import pytest
import torch
from sklearn.decomposition import PCA
from tests.clusters import checkpoint_set, target

from zoogen.autoencoders.build import build_autoencoder, padded_length
from zoogen.autoencoders.chunked import ChunkedAutoencoder, PlacedNetwork
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import ChunkedAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.benchmarks.training_memory import measure_memory, trajectories
from zoogen.errors import ZoogenError
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig
from zoogen.training.hooks import LocalHooks
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

LOOP = LoopConfig(
    iterations=60,
    batch_size=16,
    optimiser=AdamWConfig(lr=3e-3),
    schedule=ScheduleConfig(kind="cosine"),
    log_every=20,
    checkpoint_every=25,
)
CONFIG = ChunkedAutoencoderConfig(chunk=50, tokens=4, width=32, blocks=1, position=4, chunks_per_step=8, loop=LOOP)


def curve(rows: int = 60, parameters: int = 980, rank: int = 4) -> CheckpointSet:
    """Networks of low rank around one network, with a tenth of noise."""
    where = Target("synthetic", "synthetic", ParameterLayout.of({"weight": (parameters,)}), (1.0,))
    weights = trajectories(parameters, rows, rank, noise=0.1, seed=0)
    return CheckpointSet(where, weights, torch.zeros(rows), torch.arange(rows), {})


CURVE = curve()


def test_shapes_and_padding() -> None:
    length = padded_length(CONFIG, [CURVE.target])
    assert length == 1000
    model = build_autoencoder(CONFIG, {"length": length})
    assert model.latent == 20 * 4
    latents = model.encode_vectors(torch.randn(3, length))
    assert latents.shape == (3, 80)
    assert model.decode_vectors(latents).shape == (3, length)
    with pytest.raises(ZoogenError, match="no multiple of the chunk"):
        build_autoencoder(CONFIG, {"length": length + 1})


def test_tokens_begin_as_each_chunks_standardised_principal_scores() -> None:
    untrained = CONFIG.model_copy(update={"loop": LOOP.model_copy(update={"optimiser": AdamWConfig(lr=1e-12)})})
    codec = train_codec(untrained, [CURVE], seed=0)
    vectors = codec.autoencoder.vectors(codec.batch(CURVE.target, CURVE.weights))
    tokens = codec.autoencoder.encode_vectors(vectors).unflatten(1, (20, 4))
    torch.testing.assert_close(tokens.std(0, correction=0), torch.ones(20, 4), atol=1e-3, rtol=0)
    again = codec.autoencoder.decode_vectors(tokens.flatten(1)).unflatten(1, (20, 50))
    for index in (0, 7, 19):
        block = vectors[:, index * 50 : (index + 1) * 50].double().numpy()
        reference = PCA(4, svd_solver="full").fit(block)
        expected = torch.from_numpy(reference.inverse_transform(reference.transform(block))).float()
        torch.testing.assert_close(again[:, index], expected, atol=1e-4, rtol=0)


def test_trajectories_of_low_rank_are_reproduced_but_for_their_noise() -> None:
    codec = train_codec(CONFIG, [CURVE], seed=0)
    assert codec.figures["train/synthetic/spread_error"] < 0.12  # the noise is 0.1
    assert codec.history[-1]["loss"] < 0.04  # of weights with unit variance


def test_without_axes_the_shared_network_learns_alone() -> None:
    """Chunks that differ by a constant of their own and one shared direction: what a place can tell it."""
    generator = torch.Generator().manual_seed(0)
    shared, offsets = torch.randn(50, generator=generator), torch.randn(10, 1, generator=generator)
    amount = torch.randn(40, 10, 1, generator=generator)
    weights = (offsets + amount * shared).flatten(1)
    where = Target("s", "S", ParameterLayout.of({"weight": (500,)}), (1.0,))
    data = CheckpointSet(where, weights, torch.zeros(40), torch.arange(40), {})
    config = CONFIG.model_copy(
        update={
            "basis": False,
            "tokens": 1,
            "scaling": "global",
            "loop": LOOP.model_copy(update={"iterations": 300}),
        }
    )
    codec = train_codec(config, [data], seed=0)
    assert not [name for name, _ in codec.autoencoder.named_buffers()]
    assert codec.figures["train/S/spread_error"] < 0.25


def test_one_network_whatever_the_length_and_the_latent_vector() -> None:
    def trainable(length: int, tokens: int) -> int:
        model = build_autoencoder(CONFIG.model_copy(update={"tokens": tokens}), {"length": length})
        return sum(p.numel() for p in model.parameters())

    def all_numbers(length: int, tokens: int) -> int:
        model = build_autoencoder(CONFIG.model_copy(update={"tokens": tokens}), {"length": length})
        return sum(t.numel() for t in model.state_dict().values())

    # Twenty times as many chunks: a place's vector for each, and the same network.
    assert trainable(20_000, 4) - trainable(1000, 4) == 380 * 4
    # And per chunk its mean, axes and their spread: P * (tokens + 1), not P * L.
    assert all_numbers(20_000, 4) - all_numbers(1000, 4) == 380 * (4 + 50 + 4 * 50 + 4)
    # One more token: rows and columns of the two outer layers.
    assert trainable(20_000, 5) - trainable(20_000, 4) == 32 + 1 + 32


def test_an_iteration_looks_at_as_many_chunks_as_asked_for() -> None:
    class Counting(PlacedNetwork):
        seen: list[int]

        def forward(self, features: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
            self.seen.append(features.shape[1])
            return super().forward(features, position)

    model = build_autoencoder(CONFIG, {"length": 1000})
    assert isinstance(model, ChunkedAutoencoder)
    for network in (model.encoder, model.decoder):
        network.__class__, network.seen = Counting, []
    model.vector_loss(torch.randn(2, 1000), None, torch.Generator().manual_seed(0))
    assert model.encoder.seen == model.decoder.seen == [8]


def test_mask_leaves_padding_out() -> None:
    model = build_autoencoder(CONFIG.model_copy(update={"input_noise": 0.0, "latent_noise": 0.0}), {"length": 1000})
    weights, mask = torch.zeros(2, 1000), torch.ones(2, 1000)
    weights[:, 980:], mask[:, 980:] = 5.0, 0.0
    model.mean.zero_()
    for seed in range(5):
        loss = model.vector_loss(weights, mask, torch.Generator().manual_seed(seed))
        assert loss.error.item() == 0.0  # untrained it says zero everywhere, which is right but for the padding


def test_resumed_training_and_bytes_give_the_same_bits() -> None:
    states: list[bytes] = []
    hooks = LocalHooks(checkpoint=lambda state, step, figures: states.append(state))
    whole = train_codec(CONFIG, [CURVE], seed=3, hooks=hooks)
    resumed = train_codec(CONFIG, [CURVE], seed=3, hooks=LocalHooks(initial_state=states[0]))
    read = WeightCodec.from_bytes(whole.to_bytes())
    assert read.config == whole.config
    for other in (resumed, read):
        state = other.autoencoder.state_dict()
        assert all(torch.equal(state[name], tensor) for name, tensor in whole.autoencoder.state_dict().items())
    latents = torch.randn(3, 80, generator=torch.Generator().manual_seed(0))
    assert torch.equal(read.decode(CURVE.target, latents), whole.decode(CURVE.target, latents))


def test_structures_of_several_lengths() -> None:
    sets = [checkpoint_set(5), checkpoint_set(30)]
    codec = train_codec(CONFIG.model_copy(update={"tokens": 12}), sets, seed=0, targets=[target(30)])
    assert codec.latent == 3 * 12
    for checkpoints in sets:
        assert codec.figures[f"train/{checkpoints.target.label}/spread_error"] < 0.2


def test_memory_is_measured_in_a_process_of_its_own() -> None:
    config = CONFIG.model_copy(update={"loop": LOOP.model_copy(update={"iterations": 5})})
    figures = measure_memory(config, 5000, 20, rank=2, noise=0.1)
    assert (figures.parameters, figures.rows, figures.latent) == (5000, 20, 400)
    assert figures.checkpoints_gib == pytest.approx(4 * 5000 * 20 / 2**30)
    assert 0.1 < figures.peak_gib < 2
    assert figures.error < 0.2 and figures.seconds > 0
    with pytest.raises(ZoogenError, match="measuring the memory of chunked at 0 parameters failed"):
        measure_memory(config, 0, 20)


def test_synthetic_trajectories_have_the_rank_and_noise_that_are_asked_for() -> None:
    weights = trajectories(4000, 50, rank=3, noise=0.1, seed=0)
    deviations = (weights - weights.mean(0)).double()
    values = torch.linalg.svdvals(deviations).square()
    assert (values[3:].sum() / values.sum()).item() == pytest.approx(0.1**2, rel=0.25)
    assert deviations.std().item() == pytest.approx(0.01, rel=0.2)
