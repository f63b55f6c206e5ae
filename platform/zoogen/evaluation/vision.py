"""Small vision networks trained on handwritten digits, to set the similarity of policies beside (Figure 6).

The digits are those of scikit-learn (UCI, 1,797 images of 8 x 8), which come with the package: nothing is downloaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.networks.counts import parameter_count
from zoogen.networks.vision import (
    VisionNetConfig,
    block_outputs,
    build_vision_net,
)
from zoogen.seeds import seeded, seeded_generator
from zoogen.training.config import LoopConfig
from zoogen.training.hooks import LocalHooks
from zoogen.training.loop import fit

SIZE = 32  # edge of the enlarged images: a ResNet halves it five times
CLASSES = 10

Progress = Callable[[str, int, int], None]  # (network, iterations done, total)


@dataclass(frozen=True)
class Digits:
    """Images [n, 1, 32, 32] in [0, 1] and labels [n], for training and held out."""

    images: Tensor
    labels: Tensor
    held_out_images: Tensor
    held_out_labels: Tensor


@dataclass(frozen=True)
class VisionNet:
    """A network and what its blocks put out on the held-out images.

    Attributes:
        title: for tables.
        outputs: block to [n, width].
        parameters: number of learnt ones.
        accuracy: share of the held-out images that it names rightly.
        seconds: training time; 0 for an untrained network.
    """

    title: str
    outputs: Mapping[str, Tensor]
    parameters: int
    accuracy: float
    seconds: float


def load_digits(held_out: float, seed: int) -> Digits:
    """The digits in a seeded split, enlarged by repeating pixels.

    Raises:
        ZoogenError: a part would be empty.
    """
    from sklearn.datasets import load_digits as load

    raw: Any = load()
    images = torch.from_numpy(raw.images).float()[:, None] / 16
    images = functional.interpolate(images, size=SIZE, mode="nearest")
    labels = torch.from_numpy(raw.target).long()
    order = torch.randperm(len(images), generator=seeded_generator(derive_seed(seed, "digits")))
    aside = round(held_out * len(images))
    if not 0 < aside < len(images):
        raise ZoogenError(f"held_out {held_out} of {len(images)} images leaves a part empty; choose about 0.3")
    test, train = order[:aside], order[aside:]
    return Digits(images[train], labels[train], images[test], labels[test])


def vision_net(
    config: VisionNetConfig,
    loop: LoopConfig | None,
    digits: Digits,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> VisionNet:
    """Build a network and train it on the digits; `loop` None leaves it untrained."""
    with seeded(derive_seed(seed, config.title, "parameters")):
        net = build_vision_net(config, size=SIZE, channels=1, classes=CLASSES)
    seconds = 0.0
    if loop is not None:
        seconds = _train(net, config, loop, digits, derive_seed(seed, config.title, "loop"), device, progress)
    net.to("cpu")
    outputs = block_outputs(net, digits.held_out_images)
    with torch.no_grad():
        right = net(digits.held_out_images).logits.argmax(1) == digits.held_out_labels
    return VisionNet(config.title, outputs, parameter_count(net), right.double().mean().item(), seconds)


def _train(
    net: nn.Module,
    config: VisionNetConfig,
    loop: LoopConfig,
    digits: Digits,
    seed: int,
    device: str | torch.device,
    progress: Progress | None,
) -> float:
    images, labels = digits.images.to(device), digits.labels.to(device)

    def sample_batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(images), (count,), generator=generator, device=images.device)
        return images[rows], labels[rows]

    def log(done: int, total: int, _: Mapping[str, float]) -> None:
        if progress is not None:
            progress(config.title, done, total)

    return fit(_Classification(net), sample_batch, loop, seed=seed, device=device, hooks=LocalHooks(log=log)).seconds


class _Classification(nn.Module):
    """Cross-entropy on a batch of images [B, 1, S, S] and labels [B]."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, batch: tuple[Tensor, Tensor], generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        images, labels = batch
        logits = self.net(images).logits
        return functional.cross_entropy(logits, labels), {"accuracy": (logits.argmax(1) == labels).float().mean()}
