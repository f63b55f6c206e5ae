"""Small grids and a source generator that learns them in seconds."""

from zoogen.generators.source.config import SourceConfig
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig
from zoogen.zoo.read import CheckpointSet

TASK = HypergridTask(HypergridConfig(hidden=8))
TAUGHT = tuple(map(TASK.canonical, ("2^2", "3^2", "5^2", "3^3")))


def source_config(iterations: int, **changes: object) -> SourceConfig:
    """A small one."""
    loop = LoopConfig(
        iterations=iterations,
        batch_size=2,
        optimiser=AdamWConfig(lr=5e-3, weight_decay=0),
        schedule=ScheduleConfig(kind="cosine"),
        clip=1.0,
        log_every=10,
        checkpoint_every=10,
    )
    plain = {"teacher": "exact", "pool": 64, "states": 32, "width": 16, "blocks": 1, "styles": 8, "loop": loop}
    return SourceConfig.model_validate({**plain, **changes})


def untrained_checkpoints(structure: str, seed: int, runs: int = 2) -> CheckpointSet:
    """Checkpoints of policies that nobody trained."""
    import torch

    weights = TASK.untrained(structure, runs, seed)
    return CheckpointSet(TASK.target(structure), weights, torch.arange(runs), torch.ones(runs, dtype=torch.int64), {})
