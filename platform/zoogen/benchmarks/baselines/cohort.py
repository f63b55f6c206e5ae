"""Trajectory balance with this project's cohort trainer: `models` policies at once."""

from collections.abc import Callable
from typing import Any

PACKAGES = ("zoogen", "torch", "numpy")


def build(workload: dict[str, Any]) -> Callable[[int], float]:
    """A function of a number of iterations that trains all models that long."""
    import torch

    from zoogen.networks.stacked_mlp import MLPShape
    from zoogen.tasks.hypergrid.config import PolicyTrainingConfig
    from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
    from zoogen.tasks.hypergrid.optimiser_config import OptimiserConfig
    from zoogen.tasks.hypergrid.structure import HypergridStructure
    from zoogen.tasks.hypergrid.trainer import CohortTrainer
    from zoogen.tasks.records import RunSpec

    torch.set_num_threads(1)
    structure = HypergridStructure(workload["height"], workload["ndim"])
    optimiser = OptimiserConfig(
        kind="adam",
        learning_rate=workload["lr"],
        log_z_learning_rate=workload["logz_lr"],
        schedule="constant",
    )
    trainer = CohortTrainer(
        HypergridEnvironment(structure, RewardConfig()),
        MLPShape(structure.state_size, workload["hidden"], structure.actions),
        PolicyTrainingConfig(batch_size=workload["batch"], optimiser=optimiser),
        tuple(RunSpec(run, workload["seed"] + run, workload["seed"] + run) for run in range(workload["models"])),
    )

    def run(iterations: int) -> float:
        with torch.no_grad():
            for _ in range(iterations):
                trainer.step()
        return float(trainer.learner.log_z.mean())

    return run
