"""What classifiers make of images, as differentiable functions of their weights; and the images to ask them about."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.features import whole_network


def training_images(data: ImageData, count: int, seed: int) -> Tensor:
    """Training images [count, C, S, S] in random order; more than there are begin anew."""
    generator = seeded_generator(derive_seed("probe", data.name, seed))
    order = torch.randperm(len(data.train), generator=generator)
    return data.train.images[order[torch.arange(count) % len(order)]]


def log_probabilities(module: nn.Module, tensors: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """Log-probabilities of the classes [K, n, classes] of K networks that differ in the tensors [K, ...] by name,
    differentiable in them.

    All networks go through in one batched pass where that is possible and not slower (`Prefix.batches`).

    Args:
        module: in evaluation mode, on the device; what `tensors` lacks is its own.
        images: [n, C, S, S] for all networks alike, or [K, n, C, S, S] for each its own.
    """

    def one(own: dict[str, Tensor], shown: Tensor) -> Tensor:
        logits: Tensor = functional_call(module, own, (shown,))
        return logits.log_softmax(-1)

    apart = images.ndim == 5
    some = (images[0] if apart else images)[:2].float()
    if whole_network(module, some, str(some.device)).batches(tensors):
        return vmap(one, in_dims=(0, 0 if apart else None))(dict(tensors), images)
    count = len(next(iter(tensors.values())))
    own = [{name: value[k] for name, value in tensors.items()} for k in range(count)]
    return torch.stack([one(state, images[k] if apart else images) for k, state in enumerate(own)])
