"""Training a codec on checkpoints."""

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.autoencoders.batch import WeightBatch
from zoogen.autoencoders.behaviour import BehaviourLoss
from zoogen.autoencoders.build import build_autoencoder, shape_for
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import AutoencoderConfig, LossConfig, TrainedAutoencoderBase
from zoogen.autoencoders.reconstruction import reconstruction_figures
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.tasks.base import Task
from zoogen.teaching.probes import Probes
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
    task: Task | None = None,
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
        task: whose networks they are; only behaviour in the loss needs it.

    Raises:
        ZoogenError: no checkpoints, a structure that is longer than a configured length, or behaviour in the loss of a
            task whose networks cannot be compared by it.
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
        behaviour = _behaviour(config, task, scaler, train, seed, device)
        codec.history = _loop(config, autoencoder, behaviour, rows, seed, device, hooks, compile)
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
    behaviour: BehaviourLoss | None,
    rows: ScaledCheckpoints,
    seed: int,
    device: str | torch.device,
    hooks: LoopHooks | None,
    compile: bool | str,
) -> Sequence[Mapping[str, float]]:
    """Train on batches of rows drawn with replacement; the logged figures."""

    def sample_batch(count: int, generator: torch.Generator) -> WeightBatch:
        return rows.batch(torch.randint(len(rows), (count,), generator=generator, device=rows.device))

    objective = AutoencoderObjective(autoencoder, config.losses, behaviour)
    loop_seed = derive_seed(seed, "autoencoder", "loop")
    return fit(
        objective, sample_batch, config.loop, seed=loop_seed, device=device, hooks=hooks, compile=compile
    ).history


def _behaviour(
    config: TrainedAutoencoderBase,
    task: Task | None,
    scaler: WeightScaler,
    train: Sequence[CheckpointSet],
    seed: int,
    device: str | torch.device,
) -> BehaviourLoss | None:
    """Inputs at which decoded networks are compared with the originals; None where only weights count."""
    if not config.losses.behaviour:
        return None
    if task is None:
        raise ZoogenError("autoencoder.loss.behaviour needs a task, which is not known here; set it to 0")
    pool = derive_seed(seed, "autoencoder", "behaviour")
    return BehaviourLoss(Probes(task, train, config.losses.pool, pool, device), scaler, config.losses.inputs)


def _notices(config: AutoencoderConfig, autoencoder: WeightAutoencoder, rows: int) -> tuple[str, ...]:
    if isinstance(config, TrainedAutoencoderBase):
        batch = config.loop.batch_size
        return (f"{rows} checkpoints, batches of {batch} repeat them",) if rows < batch else ()
    if rows <= autoencoder.latent:  # principal components
        return (f"{rows} checkpoints vary in at most {rows - 1} directions; the latent numbers beyond them are zero",)
    return ()


class AutoencoderObjective(nn.Module):
    """The autoencoder's loss on a batch of weights, with what the decoded networks do in it if so configured."""

    def __init__(
        self,
        autoencoder: WeightAutoencoder,
        losses: LossConfig | None = None,
        behaviour: BehaviourLoss | None = None,
    ):
        super().__init__()
        self.autoencoder, self.losses, self.behaviour = autoencoder, losses or LossConfig(), behaviour

    def forward(self, batch: WeightBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        loss = self.autoencoder.loss(batch, generator)
        value, figures = self.losses.weights * loss.error, loss.figures
        if self.behaviour is not None:
            assert loss.decoded is not None, "kinds that decode parts alone have no such option"
            behaviour = self.behaviour(batch, loss.decoded, generator)
            value = value + self.losses.behaviour * behaviour
            figures = {**figures, "error": loss.error, "behaviour": behaviour}
        return (value if loss.penalty is None else value + loss.penalty), figures
