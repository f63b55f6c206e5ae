"""Autoencoder, generator and sampling on CUDA: the CPU's within float tolerance; bf16 and torch.compile train."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
import torch
from tests.clusters import checkpoint_set

from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.train import AutoencoderObjective, train_codec
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.denoiser_config import UNetConfig
from zoogen.generators.train import train_generator
from zoogen.seeds import seeded
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig
from zoogen.training.loop import fit

from .test_loop import Regression

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

TRAIN = [checkpoint_set(5), checkpoint_set(8)]
LOOP = LoopConfig(
    iterations=200, batch_size=16, optimiser=AdamWConfig(lr=3e-3), log_every=10, ema=EmaConfig(decay=0.9, warmup=True)
)
AUTOENCODER = Conv1dAutoencoderConfig(latent=16, channels=(4, 8), kernel=3, stride=2, loop=LOOP)
GENERATOR = DiffusionConfig(denoiser=UNetConfig(channels=(2, 4), middle=64, embedding=16), loop=LOOP)


@pytest.fixture(autouse=True)
def _exact_products() -> Iterator[None]:
    """No TF32: tolerances are those of float32."""
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    yield
    for backend, value in zip(backends, before, strict=True):
        backend.allow_tf32 = value


def losses(history: Sequence[Mapping[str, float]]) -> torch.Tensor:
    return torch.tensor([entry["loss"] for entry in history])


def with_loop(config: Conv1dAutoencoderConfig, **changes: object) -> Conv1dAutoencoderConfig:
    return config.model_copy(update={"loop": LOOP.model_copy(update=changes)})


def test_the_loop_takes_the_same_steps_on_the_same_batches() -> None:
    """Batches and noise are made beforehand on the CPU, so that only arithmetic differs."""
    draws = [torch.randn(8, 3, generator=torch.Generator().manual_seed(step)) for step in range(60)]

    class Quiet(Regression):
        def forward(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return (self.linear(batch) - batch.sum(1, keepdim=True)).square().mean()

    trained = []
    for device in ("cpu", "cuda"):
        batches = iter(draws)
        model = Quiet()
        fit(
            model,
            lambda count, generator, batches=batches, device=device: next(batches).to(device),
            LOOP.model_copy(update={"iterations": 60, "batch_size": 8}),
            seed=0,
            device=device,
        )
        trained.append(model.linear.weight.detach().cpu())
    torch.testing.assert_close(trained[1], trained[0], atol=1e-4, rtol=1e-3)


def test_encoding_and_decoding_agree() -> None:
    codec = train_codec(AUTOENCODER, TRAIN, seed=0)
    for checkpoints in TRAIN:
        latents = codec.to("cpu").encode(checkpoints.target, checkpoints.weights)
        weights = codec.decode(checkpoints.target, latents)
        codec.to("cuda")
        torch.testing.assert_close(
            codec.encode(checkpoints.target, checkpoints.weights).cpu(), latents, atol=1e-3, rtol=1e-3
        )
        torch.testing.assert_close(codec.decode(checkpoints.target, latents).cpu(), weights, atol=1e-4, rtol=1e-3)


def test_gradients_of_the_autoencoder_agree() -> None:
    codec = train_codec(with_loop(AUTOENCODER, iterations=20), TRAIN, seed=0)
    codec.autoencoder.input_noise = codec.autoencoder.latent_noise = 0.0  # it is drawn on the device: it would differ
    found = []
    for device in ("cpu", "cuda"):
        objective = AutoencoderObjective(codec.autoencoder).to(device)
        batch = codec.batch(TRAIN[0].target, TRAIN[0].weights.to(device))
        objective.zero_grad()
        loss, _ = objective(batch, torch.Generator(device).manual_seed(0))
        loss.backward()
        found.append([parameter.grad.cpu().clone() for parameter in objective.parameters()])
    for cpu, cuda in zip(*found, strict=True):
        torch.testing.assert_close(cuda, cpu, atol=1e-4, rtol=1e-2)


@pytest.mark.parametrize("sampler", [SamplerConfig(kind="ddim", steps=20), SamplerConfig(kind="ddpm", steps=1000)])
def test_generated_weights_agree(sampler: SamplerConfig) -> None:
    """Noise is drawn on the CPU whatever the device."""
    generator = train_generator(GENERATOR, train_codec(AUTOENCODER, TRAIN, seed=0), TRAIN, seed=0)
    cpu = generator.generate(TRAIN[0].target, 8, seed=0, sampler=sampler)
    cuda = generator.generate(TRAIN[0].target, 8, seed=0, device="cuda", sampler=sampler)
    torch.testing.assert_close(cuda, cpu, atol=5e-3, rtol=5e-3)


def test_whole_trainings_reach_the_same_quality() -> None:
    """Noise differs between devices, so curves agree in what they reach and not step by step."""
    codecs = [train_codec(AUTOENCODER, TRAIN, seed=0, device=device) for device in ("cpu", "cuda")]
    ends = [losses(codec.history)[-5:].mean().item() for codec in codecs]
    assert ends[1] == pytest.approx(ends[0], rel=0.25)
    made = [train_generator(GENERATOR, codecs[0], TRAIN, seed=0, device=device) for device in ("cpu", "cuda")]
    ends = [losses(generator.history)[-5:].mean().item() for generator in made]
    assert ends[1] == pytest.approx(ends[0], rel=0.25)


def test_bf16_trains_to_about_the_loss_of_float32() -> None:
    plain = train_codec(AUTOENCODER, TRAIN, seed=0, device="cuda")
    short = train_codec(with_loop(AUTOENCODER, precision="bf16"), TRAIN, seed=0, device="cuda")
    assert losses(short.history)[-5:].mean() < 1.2 * losses(plain.history)[-5:].mean() < losses(plain.history)[0]
    assert all(parameter.dtype == torch.float32 for parameter in short.autoencoder.parameters())


@pytest.mark.parametrize("seed", [0, 1])
def test_compiled_training_follows_the_same_curve(seed: int) -> None:
    plain = train_codec(AUTOENCODER, TRAIN, seed=seed, device="cuda")
    compiled = train_codec(AUTOENCODER, TRAIN, seed=seed, device="cuda", compile=True)
    torch.testing.assert_close(losses(compiled.history)[:5], losses(plain.history)[:5], atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(losses(compiled.history), losses(plain.history), atol=1e-2, rtol=0.1)
    made = [train_generator(GENERATOR, plain, TRAIN, seed=seed, device="cuda", compile=way) for way in (False, True)]
    torch.testing.assert_close(losses(made[1].history)[:5], losses(made[0].history)[:5], atol=1e-3, rtol=1e-2)


def test_initial_parameters_do_not_depend_on_the_device() -> None:
    with seeded(3):
        first = torch.rand(4)
    torch.cuda.manual_seed(9)
    with seeded(3):
        assert torch.equal(torch.rand(4), first)
