"""Training a codec on checkpoints."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import LossAndFigures, WeightAutoencoder
from zoogen.autoencoders.build import build_autoencoder, padded_length
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.autoencoders.reconstruction import reconstruction_figures
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.training.hooks import LoopHooks
from zoogen.training.initialisation import seeded
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
    length = padded_length(config, [*(s.target for s in [*train, *validation]), *targets])
    scaler = WeightScaler.fit(config.scaling, [(s.target.layout, s.weights) for s in train])
    with seeded(derive_seed(seed, "autoencoder", "parameters")):
        autoencoder = build_autoencoder(config, length)
    codec = WeightCodec(config, scaler, autoencoder, torch.zeros(config.latent), torch.ones(config.latent))
    codec.digest = digest

    data = torch.cat([codec.pad(s.target, s.weights) for s in train]).to(device)
    sizes = torch.cat([torch.full((len(s.weights),), s.target.layout.size) for s in train]).to(device)

    def sample_batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(data), (count,), generator=generator, device=data.device)
        return data[rows], sizes[rows]

    objective = AutoencoderObjective(autoencoder, real_only=config.loss_over == "real")
    result = fit(
        objective,
        sample_batch,
        config.loop,
        seed=derive_seed(seed, "autoencoder", "loop"),
        device=device,
        hooks=hooks,
        compile=compile,
    )
    codec.history, codec.seconds = result.history, result.seconds

    codec.to(device)
    latents = torch.cat([codec.encode(s.target, s.weights) for s in train])
    codec.latent_mean = latents.mean(0)
    codec.latent_std = latents.std(0, correction=0).clamp_min(_SMALLEST_STD)
    codec.figures = reconstruction_figures(codec, train, "train") | reconstruction_figures(
        codec, validation, "validation"
    )
    return codec.to("cpu")


class AutoencoderObjective(nn.Module):
    """The autoencoder's loss on a batch of padded weights [B, P] and their real lengths [B]."""

    def __init__(self, autoencoder: WeightAutoencoder, real_only: bool):
        super().__init__()
        self.autoencoder, self.real_only = autoencoder, real_only

    def forward(self, batch: tuple[Tensor, Tensor], generator: torch.Generator) -> LossAndFigures:
        weights, sizes = batch
        mask = None
        if self.real_only:
            mask = (torch.arange(weights.shape[1], device=weights.device) < sizes[:, None]).to(weights.dtype)
        return self.autoencoder.loss(weights, mask, generator)
