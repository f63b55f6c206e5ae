"""From configuration to optimiser."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import Optimizer

from zoogen.training.config import AdamWConfig, OptimiserConfig

_LARGEST_SIDE = 4096  # sides of a weight matrix beyond it are not rotated: the basis would outweigh the network


def build_optimiser(config: OptimiserConfig, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """An optimiser of these parameters at its peak learning rate."""
    if isinstance(config, AdamWConfig):
        return torch.optim.AdamW(
            parameters, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay, fused=True
        )
    from pytorch_optimizer.optimizer.soap import SOAP  # takes a second to import, and few trainings want it

    return SOAP(
        list(parameters),
        lr=config.lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
        precondition_frequency=config.frequency,
        max_precondition_dim=_LARGEST_SIDE,
    )
