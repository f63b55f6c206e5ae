"""Training of M small networks of one kind at once: their tensors stacked, one batched pass for all of them."""

from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.images.config import PhaseConfig, TrainingMode
from zoogen.tasks.images.optimisers import build_optimiser
from zoogen.tasks.images.training import Images, Statistics, Stream, TrainingFigures, run_phase, set_modes

_LARGEST = 1_000_000  # parameters of a network beyond which it keeps a device busy by itself


def stacks(module: nn.Module, mode: TrainingMode, device: str) -> bool:
    """Whether networks like this one are to be trained in batched passes.

    `auto` does so where it pays: on a GPU for small networks, on a CPU for networks of linear layers alone (batched
    convolutions are no faster there); and where it can: not with dropout, whose random numbers would differ.
    """
    if mode != "auto":
        return mode == "stacked"
    if any(isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0 for layer in module.modules()):
        return False
    if torch.device(device).type == "cuda":
        return sum(parameter.numel() for parameter in module.parameters()) <= _LARGEST
    holders = [layer for layer in module.modules() if any(True for _ in layer.parameters(recurse=False))]
    flat = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d)
    return all(isinstance(layer, flat) for layer in holders)


def stackable(
    module: nn.Module,
    state: Mapping[str, Tensor],
    images: Tensor,
    parameters: Collection[str] | None,
    statistics: Statistics,
) -> bool:
    """Whether two networks of that state go through `train_stacked`'s batched pass.

    Branches by values, and random numbers that a network draws by itself (dropout), do not.

    Args:
        module: on the device.
        state: what differs between networks, by name.
        images: a few of them [B, C, S, S] on the device, at least two.
        parameters, statistics: as of `train_stacked`.
    """
    set_modes(module, parameters, statistics)
    tensors = {name: torch.stack([value, value]).to(images.device) for name, value in state.items()}
    try:
        with torch.no_grad():
            vmap(lambda own, batch: functional_call(module, own, (batch,)))(tensors, torch.stack([images, images]))
    except Exception:  # torch's refusals, and what one's own code makes of batched tensors
        return False
    finally:
        module.eval()
    return True


def train_stacked(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    images: Images,
    streams: Sequence[Stream],
    phase: PhaseConfig,
    *,
    parameters: Collection[str] | None = None,
    statistics: Statistics = "kept",
    steps: Sequence[int] = (),
    on_checkpoint: Callable[[int], None] = lambda _: None,
    progress: ProgressCallback | None = None,
) -> TrainingFigures:
    """As `training.train`, for M networks; figures [M, C].

    Results are equal but for rounding, of which Adam makes steps where a parameter has no gradient but rounding (a bias
    before normalisation by the batch); the network's function is not touched by those.

    Args:
        module: template on the device; what `tensors` lacks is its own and the same for all.
        tensors: [M, ...] on the device by name: what changes, parameters and running statistics; trained in place.
        streams: what each network sees.
        parameters: names among `tensors` of those that change; None: the whole network changes.
    """
    set_modes(module, parameters, statistics)
    module.requires_grad_(False)
    names = [name for name, _ in module.named_parameters() if name in tensors]
    chosen = [tensors[name].requires_grad_() for name in names if parameters is None or name in parameters]
    count, augmented = len(streams), phase.augmentation != "none"

    def forward(state: dict[str, Tensor], batch: Tensor) -> Tensor:
        outputs: Tensor = functional_call(module, state, (batch,))
        return outputs

    def objective() -> tuple[Tensor, Tensor]:
        index = torch.stack([stream.next() for stream in streams]).to(images.device)
        maps = torch.stack([stream.crops() for stream in streams]) if augmented else None
        outputs, labels = vmap(forward)(dict(tensors), images.take(index, maps)), images.labels[index]
        loss = cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)
        return loss, (outputs.argmax(2) == labels).float().mean(1)

    optimiser = build_optimiser(phase.optimiser, chosen)
    try:
        return run_phase(phase, optimiser, objective, count, steps, on_checkpoint, progress)
    finally:
        for tensor in chosen:
            tensor.requires_grad_(False)
        module.eval()
