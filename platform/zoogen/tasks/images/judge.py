"""Judging many classifiers of one structure at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from zoogen.tasks.images.data.splits import ImageSplit
from zoogen.tasks.images.features import prefix_or_whole
from zoogen.tasks.images.prefix import Prefix
from zoogen.tasks.images.running_statistics import CALIBRATION_BATCH, recalibrated
from zoogen.tasks.images.view import ClassifierView

_IMAGES = 256  # in one pass, at most
_FEWEST = 16  # images in one pass, at least: calls take time of their own
_CACHE = 2**22  # bytes of the largest layer's outputs of one network in one pass on a CPU, to stay in its caches
_BYTES = 2**28  # of the largest layer's outputs of all networks in one pass; a pass holds about four of that size
_NETWORKS = 16  # whose statistics are taken anew at once, where nothing else tells
_NO_CLASS = -1  # "prediction" of a network whose logits are not finite: wrong for every label


@dataclass(frozen=True)
class Outcome:
    """What K networks make of n labelled images.

    Attributes:
        labels: [n] int64.
        predictions: classes [K, n] int64, -1 where the logits are not finite.
        loss: mean cross-entropy in nats, [K] float64; infinite where the logits are not finite.
        classes: number of classes.
    """

    labels: Tensor
    predictions: Tensor
    loss: Tensor
    classes: int

    @property
    def wrong(self) -> Tensor:
        """Wrong predictions, [K, n] float32 of 0 and 1."""
        return (self.predictions != self.labels).float()

    @property
    def error(self) -> Tensor:
        """Fraction of wrong predictions, [K] float64: 1 − accuracy."""
        return self.wrong.double().mean(1)

    @property
    def confusion(self) -> Tensor:
        """Fraction of the images by class (rows) and prediction (columns), [K, classes, classes] float64."""
        held = one_hot(self.predictions.clamp_min(0), self.classes).double() * (self.predictions >= 0).unsqueeze(-1)
        truth = one_hot(self.labels, self.classes).double()
        return torch.einsum("nc,knp->kcp", truth, held) / len(self.labels)


class Judge:
    """Classifiers as flat vectors [K, D], with a fixed rest.

    Args:
        view: whose module holds the rest of the networks, on `device` and in evaluation mode. It is used as it is
            and must not change.
        device: where to compute.
        calibration: training images [n, C, S, S] from which running statistics are taken anew for every network;
            None leaves them.
        at_once: networks in one pass; None by memory.
    """

    def __init__(
        self, view: ClassifierView, device: str = "cpu", calibration: Tensor | None = None, at_once: int | None = None
    ) -> None:
        self.view, self.device, self.at_once = view, device, at_once
        self._changing = view.names
        self._calibration: Prefix | None = None
        if calibration is not None and view.has_statistics():
            self._calibration = self.see(calibration)

    def see(self, images: Tensor) -> Prefix:
        """Images [n, C, S, S] in the form that the networks are shown; what never changes is computed here."""
        return prefix_or_whole(self.view.module, self._changing, images, self.device)

    def tensors(self, weights: Tensor) -> dict[str, Tensor]:
        """What networks [K, D] differ in, [K, ...] by name, running statistics included where they are taken anew."""
        own = self.view.tensors(weights.to(self.device))
        if self._calibration is not None:
            own |= recalibrated(self._calibration, own)
        return own

    @torch.no_grad()
    def states(self, weights: Tensor) -> dict[str, Tensor]:
        """Whole networks: all tensors of the module's state [K, ...] by name, on the CPU; shared ones are views.

        Raises:
            ZoogenError: wrong length or values that are not finite.
        """
        self.view.require_finite(weights)
        parts = [self.tensors(part) for part in weights.split(self.at_once or _NETWORKS)]
        own = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
        state = self.view.module.state_dict(keep_vars=True)
        first = {id(state[name]): value for name, value in own.items()}  # one tensor may have several names
        return {
            name: first.get(id(value), value.detach().cpu().expand(len(weights), *value.shape))
            for name, value in state.items()
        }

    @torch.no_grad()
    def logits(self, weights: Tensor, seen: Prefix) -> Tensor:
        """[K, n, classes] on the device.

        Raises:
            ZoogenError: wrong length or values that are not finite.
        """
        self.view.require_finite(weights)
        return torch.cat([torch.cat(list(self._passes(part, seen)), 1) for part in self._parts(weights, seen)])

    @torch.no_grad()
    def outcome(self, weights: Tensor, seen: Prefix, split: ImageSplit) -> Outcome:
        """Predictions and losses on the images of `split`, which `seen` shows; on the CPU.

        Raises:
            ZoogenError: wrong length or values that are not finite.
        """
        self.view.require_finite(weights)
        labels = split.labels.to(self.device)
        predictions, losses, classes = [], [], 1
        for part in self._parts(weights, seen):
            found, total, done = [], torch.zeros(len(part), dtype=torch.float64, device=self.device), 0
            for logits in self._passes(part, seen):
                count, classes = logits.shape[1:]
                truth = labels[done : done + count].expand(len(part), -1)
                finite = logits.isfinite().all(-1)
                found.append(torch.where(finite, logits.nan_to_num().argmax(-1), _NO_CLASS))
                nats = cross_entropy(logits.transpose(1, 2), truth, reduction="none").double()
                total += torch.where(finite, nats, torch.inf).sum(1)
                done += count
            predictions.append(torch.cat(found, 1).cpu())
            losses.append((total / done).cpu())
        return Outcome(split.labels, torch.cat(predictions), torch.cat(losses), classes)

    def _passes(self, part: Tensor, seen: Prefix) -> Iterator[Tensor]:
        """Logits [K', B, classes] of one part of the networks, by batches of images."""
        tensors = self.tensors(part)
        for index in torch.arange(len(seen), device=self.device).split(self._images(seen)):
            yield seen.stacked(tensors, index)

    def _images(self, seen: Prefix) -> int:
        """Images in one pass."""
        if torch.device(self.device).type != "cpu":
            return _IMAGES
        return min(_IMAGES, max(_FEWEST, _CACHE // (4 * seen.largest)))

    def _parts(self, weights: Tensor, seen: Prefix) -> tuple[Tensor, ...]:
        images = max(self._images(seen), CALIBRATION_BATCH if self._calibration is not None else 0)
        per_network = 4 * (seen.largest * images + weights.shape[1])
        return weights.split(self.at_once or max(1, _BYTES // per_network))
