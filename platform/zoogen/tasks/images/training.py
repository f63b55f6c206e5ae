"""Training of one classifier by cross-entropy, and what its stacked form shares with it."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoogen.identity import derive_seed
from zoogen.seeds import seeded, seeded_generator
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.images.augment import cropped, crops
from zoogen.tasks.images.config import PhaseConfig
from zoogen.tasks.images.data.splits import ImageSplit
from zoogen.tasks.images.optimisers import build_optimiser, set_rate

Statistics = Literal["kept", "regenerated", "recalibrated"]
Logits = Callable[[Tensor], Tensor]  # numbers [B] of training images to logits [B, K]

_CHECK_EVERY = 50  # iterations between looks at the loss, each of which waits for the device
_REPORT_SECONDS = 0.25
_ON_DEVICE = 8 << 30  # bytes of images that are moved to the device as a whole


@dataclass(frozen=True)
class TrainingFigures:
    """Figures of M networks at C checkpoints, means since the checkpoint before, each [M, C] float32 on the CPU.

    From the first mean loss on that is NaN or infinite, a network's figures are NaN: it diverged.
    """

    loss: Tensor
    accuracy: Tensor

    @property
    def finite(self) -> Tensor:
        """Whether a network had not diverged, [M, C]."""
        return torch.isfinite(self.loss)


class Stream:
    """What one run sees, batch after batch: its own random numbers, whatever it is trained with.

    Seeded permutations of the n images follow each other and are cut into batches, so that all batches are full
    (a batch is no larger than n) and all images are seen equally often.
    """

    def __init__(self, split: ImageSplit, phase: PhaseConfig, seed: int) -> None:
        self.images, self.size = len(split), int(split.images.shape[-1])
        self.batch, self.augmentation = min(phase.batch_size, self.images), phase.augmentation
        self._order = seeded_generator(derive_seed("order", seed))
        self._crops = seeded_generator(derive_seed("augmentation", seed))
        self._left = torch.empty(0, dtype=torch.int64)

    def next(self) -> Tensor:
        """Numbers of the next batch's images, [B]."""
        if len(self._left) < self.batch:
            self._left = torch.cat([self._left, torch.randperm(self.images, generator=self._order)])
        index, self._left = self._left[: self.batch], self._left[self.batch :]
        return index

    def crops(self) -> Tensor:
        """Random affine maps for the next batch, [B, 2, 3]."""
        return crops(self.augmentation, self.batch, self.size, self._crops)


class Images:
    """A split on the device, but for the images where they are large (`whole` is False)."""

    def __init__(self, split: ImageSplit, device: str) -> None:
        self.whole = split.images.nbytes <= _ON_DEVICE
        self.device, self.labels = device, split.labels.to(device)
        self._images = split.images.to(device) if self.whole else split.images

    @property
    def stored(self) -> Tensor:
        """All images [n, C, S, S], where they lie."""
        return self._images

    def take(self, index: Tensor, maps: Tensor | None = None) -> Tensor:
        """Images [..., C, S, S] by number [...], through affine maps [..., 2, 3] if given."""
        images = self._images[index.to(self._images.device)].to(self.device)
        return images if maps is None else cropped(images, maps.to(self.device))


def set_modes(module: nn.Module, parameters: Collection[str] | None, statistics: Statistics) -> None:
    """Training mode for the whole network where all of it changes from the ground up (`parameters` is None).

    Where a phase changes named parameters only, the network is in evaluation mode (no dropout, running statistics
    fixed). Normalisation layers with such a parameter use the batch's statistics unless these are `kept`: their
    running ones then follow the weights (`regenerated`) or are taken anew before judging (`recalibrated`), so weights
    that fit the old ones would not fit.
    """
    module.train(parameters is None)
    if parameters is None or statistics == "kept":
        return
    changing = {name.rpartition(".")[0] for name in parameters}
    for name, layer in module.named_modules():
        if name in changing and getattr(layer, "running_mean", None) is not None:
            layer.train()


def run_phase(
    phase: PhaseConfig,
    optimiser: torch.optim.Optimizer,
    objective: Callable[[], tuple[Tensor, Tensor]],
    count: int,
    steps: Sequence[int],
    on_checkpoint: Callable[[int], None],
    progress: ProgressCallback | None,
) -> TrainingFigures:
    """All iterations of a phase for `count` networks at once, ended early when all of them have diverged.

    Args:
        objective: loss and accuracy of the next batch, each [count].
        steps: iterations (from 1) after which `on_checkpoint` is called with the number of the checkpoint (from 0),
            ascending.
    """
    figures = torch.full((2, count, len(steps)), math.nan)
    alive = torch.ones(count, dtype=torch.bool)
    sums, since, reached, reported = torch.zeros(2, count), 0, 0, 0.0
    for iteration in range(phase.iterations):
        set_rate(optimiser, phase.optimiser, iteration, phase.iterations)
        optimiser.zero_grad(set_to_none=True)
        loss, accuracy = objective()
        loss.sum().backward()
        optimiser.step()
        sums = sums.to(loss.device) + torch.stack([loss.detach(), accuracy])
        since += 1
        checkpoint = reached < len(steps) and iteration + 1 == steps[reached]
        if not (checkpoint or since % _CHECK_EVERY == 0 or iteration + 1 == phase.iterations):
            continue
        means = sums.cpu() / since
        alive &= torch.isfinite(means[0])
        if checkpoint:
            figures[:, :, reached] = means.masked_fill(~alive, math.nan)
            if bool(alive.any()):
                on_checkpoint(reached)
            reached, since, sums = reached + 1, 0, torch.zeros_like(sums)
        if not bool(alive.any()):
            break
        if progress is not None and (now := time.monotonic()) - reported > _REPORT_SECONDS:
            reported = now
            progress(iteration + 1, phase.iterations, {"loss": float(means[0][alive].mean())})
    return TrainingFigures(figures[0], figures[1])


def train(
    module: nn.Module,
    images: Images,
    stream: Stream,
    phase: PhaseConfig,
    *,
    seed: int,
    parameters: Collection[str] | None = None,
    statistics: Statistics = "kept",
    logits: Logits | None = None,
    steps: Sequence[int] = (),
    on_checkpoint: Callable[[int], None] = lambda _: None,
    progress: ProgressCallback | None = None,
) -> TrainingFigures:
    """Train one network in place, on the device where it and the images are; figures [1, C].

    Args:
        stream: what it sees, in which order.
        seed: of whatever the network itself draws (dropout).
        parameters: names of those that change, others are ignored; None: all (see `set_modes`).
        logits: outputs of the network in its present state for training images by number, where the part that does not
            change is known already; only without augmentation.
        steps: iterations (from 1) after which `on_checkpoint` is called with the checkpoint's number (from 0).
    """
    chosen = []
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(parameters is None or name in parameters)
        chosen += [parameter] if parameter.requires_grad else []
    set_modes(module, parameters, statistics)
    augmented = phase.augmentation != "none"

    def objective() -> tuple[Tensor, Tensor]:
        index = stream.next().to(images.device)
        if logits is not None and not augmented:
            outputs = logits(index)
        else:
            outputs = module(images.take(index, stream.crops() if augmented else None))
        labels = images.labels[index]
        return cross_entropy(outputs, labels)[None], (outputs.argmax(1) == labels).float().mean()[None]

    with seeded(seed, images.device):
        optimiser = build_optimiser(phase.optimiser, chosen)
        figures = run_phase(phase, optimiser, objective, 1, steps, on_checkpoint, progress)
    module.eval()
    return figures


@torch.no_grad()
def loss_and_accuracy(module: nn.Module, split: ImageSplit, device: str, batch: int = 500) -> tuple[float, float]:
    """Mean cross-entropy (nats) and fraction of right answers of one network in evaluation mode."""
    module.eval()
    loss, right = 0.0, 0
    for images, labels in zip(split.images.split(batch), split.labels.split(batch), strict=True):
        outputs, truth = module(images.to(device)), labels.to(device)
        loss += float(cross_entropy(outputs, truth, reduction="sum"))
        right += int((outputs.argmax(1) == truth).sum())
    return loss / len(split), right / len(split)
