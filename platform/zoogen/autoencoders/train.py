"""Training a codec on checkpoints."""

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.autoencoders.batch import WeightBatch
from zoogen.autoencoders.build import build_autoencoder, shape_for
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import AutoencoderConfig, TrainedAutoencoderBase
from zoogen.autoencoders.reconstruction import reconstruction_figures
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.training.hooks import LoopHooks
from zoogen.training.loop import fit
from zoogen.weights.scaling import WeightScaler
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

_SMALLEST_STD = 1e-6  # a latent that never varies is only shifted


def train_codec(
    config: AutoencoderConfig,
    train: Sequence[CheckpointSet],
    validation: Sequence[CheckpointSet] = (),
    *,
    seed: int,
    device: str | torch.device = "cpu",
    hooks: LoopHooks | None = None,
    targets: Sequence[Target] = (),
    digest: str = "",
    compile: bool | str = False,
) -> WeightCodec:
    """Fit scaler, autoencoder and latent statistics on the training checkpoints alone.

    Args:
        config: what to train, and how.
        train: checkpoints to learn from.
        validation: checkpoints of other runs, only to report the reconstruction error on.
        seed: seed of initial parameters, batches and noise.
        device: where to train; the codec is returned on the CPU.
        hooks: logging, checkpoints, workers.
        targets: structures that will be asked for, so that length `auto` makes room for them.
        digest: identity of the artifact, kept in it.
        compile: train through `torch.compile`; a text names its backend.

    Raises:
        ZoogenError: no checkpoints, or a structure that is longer than a configured length.
    """
    train = [checkpoints for checkpoints in train if len(checkpoints.weights)]
    if not train:
        raise ZoogenError("the autoencoder has no training checkpoints; raise zoo.runs or the share of the split")
    shape = shape_for(config, [*(s.target for s in [*train, *validation]), *targets])
    scaler = WeightScaler.fit(config.scaling, [(s.target.layout, s.weights) for s in train])
    with seeded(derive_seed(seed, "autoencoder", "parameters")):
        autoencoder = build_autoencoder(config, shape)
    latent = autoencoder.latent
    codec = WeightCodec(config, scaler, autoencoder, torch.zeros(latent), torch.ones(latent), digest=digest)
    autoencoder.to(device)
    rows = ScaledCheckpoints(scaler, train, autoencoder.row_length(s.target for s in train), device)
    started = time.perf_counter()
    fitted = autoencoder.prepare(rows)
    if isinstance(config, TrainedAutoencoderBase):
        codec.history = _loop(config, autoencoder, rows, seed, device, hooks, compile)
    else:
        codec.history = ({"step": 1, **fitted},)
        if hooks is not None:
            hooks.on_log(1, 1, codec.history[0])
    codec.seconds = time.perf_counter() - started
    codec.notices = _notices(config, autoencoder, len(rows))

    codec.to(device)
    latents = torch.cat([codec.encode(s.target, s.weights) for s in train])
    codec.latent_mean = latents.mean(0)
    codec.latent_std = latents.std(0, correction=0).clamp_min(_SMALLEST_STD)
    codec.figures = reconstruction_figures(codec, train, "train") | reconstruction_figures(
        codec, validation, "validation"
    )
    return codec.to("cpu")


def _loop(
    config: TrainedAutoencoderBase,
    autoencoder: WeightAutoencoder,
    rows: ScaledCheckpoints,
    seed: int,
    device: str | torch.device,
    hooks: LoopHooks | None,
    compile: bool | str,
) -> Sequence[Mapping[str, float]]:
    """Train on batches of rows drawn with replacement; the logged figures."""

    def sample_batch(count: int, generator: torch.Generator) -> WeightBatch:
        return rows.batch(torch.randint(len(rows), (count,), generator=generator, device=rows.device))

    objective = AutoencoderObjective(autoencoder)
    loop_seed = derive_seed(seed, "autoencoder", "loop")
    return fit(
        objective, sample_batch, config.loop, seed=loop_seed, device=device, hooks=hooks, compile=compile
    ).history


def _notices(config: AutoencoderConfig, autoencoder: WeightAutoencoder, rows: int) -> tuple[str, ...]:
    if isinstance(config, TrainedAutoencoderBase):
        batch = config.loop.batch_size
        return (f"{rows} checkpoints, batches of {batch} repeat them",) if rows < batch else ()
    if rows <= autoencoder.latent:  # principal components
        return (f"{rows} checkpoints vary in at most {rows - 1} directions; the latent numbers beyond them are zero",)
    return ()


class AutoencoderObjective(nn.Module):
    """The autoencoder's loss on a batch of weights."""

    def __init__(self, autoencoder: WeightAutoencoder):
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, batch: WeightBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        loss = self.autoencoder.loss(batch, generator)
        return loss.value, loss.figures
