"""The cohort trainer: M policies of one structure at once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.seeds import seeded_generator
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.hypergrid.config import PolicyTrainingConfig
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.learner import CohortLearner
from zoogen.tasks.hypergrid.learner_config import TrajectoryBalanceConfig
from zoogen.tasks.hypergrid.meter import RewardMeter
from zoogen.tasks.hypergrid.optimiser import StackedOptimiser
from zoogen.tasks.hypergrid.sampling import TrajectorySampler
from zoogen.tasks.records import RunSpec

_REPORT_SECONDS = 0.5


@dataclass(frozen=True)
class TrainedPolicies:
    """Checkpoints of M policies.

    Attributes:
        steps: [C] int64.
        weights: [M, C, D] float32.
        figures: `loss` (mean since the checkpoint before) and, for trajectory balance, `log_z`; where the trainer
            observes, `reward` (mean of the trajectories since the checkpoint before) and `states_visited` (so far,
            repetitions included); each [M, C].
        seconds: of training.
    """

    steps: Tensor
    weights: Tensor
    figures: Mapping[str, Tensor]
    seconds: float


class CohortTrainer:
    """Trains M policies of one structure, each with its own seed and learning rate.

    Args:
        environment: the grid.
        shape: of the policies.
        config: resolved for the structure.
        runs: seeds of each policy; its learning rate is `rates[run mod len(rates)]`.
        device: torch device.
        weights: start from these flat weights [M, D] instead of a fresh initialisation. A state flow (detailed and
            sub-trajectory balance) is no part of them and starts afresh.
        estimate_log_z: start log Z (trajectory balance) at the first batch's estimate instead of the configured value.
        observe: collect rewards and counts of visited states on the way.
    """

    def __init__(
        self,
        environment: HypergridEnvironment,
        shape: MLPShape,
        config: PolicyTrainingConfig,
        runs: tuple[RunSpec, ...],
        device: str = "cpu",
        weights: Tensor | None = None,
        *,
        estimate_log_z: bool = False,
        observe: bool = False,
    ) -> None:
        self.config = config
        flat = shape.initial([run.init_seed for run in runs]) if weights is None else weights
        policy = StackedMLP(shape, flat.to(device, torch.float32))
        flow = None
        if CohortLearner.needs_flow(config.objective):
            flow_shape = MLPShape(shape.inputs, shape.hidden, 1, shape.slope)
            seeds = [derive_seed("state flow", run.init_seed) for run in runs]
            flow = StackedMLP(flow_shape, flow_shape.initial(seeds).to(device))
        self.learner = CohortLearner(config.objective, environment, policy, flow)
        self.sampler = TrajectorySampler(policy, environment, config.batch_size)
        self._generators = [seeded_generator(run.seed) for run in runs]
        optimiser = config.optimiser
        rates = torch.tensor([optimiser.rates[run.run % len(optimiser.rates)] for run in runs])
        self._updates = [(StackedOptimiser(optimiser, policy.parameters, rates), policy.gradient)]
        if flow is not None:
            self._updates.append((StackedOptimiser(optimiser, flow.parameters, rates), flow.gradient))
        if isinstance(config.objective, TrajectoryBalanceConfig):
            log_z_rates = torch.full_like(rates, optimiser.log_z_learning_rate)
            plain = optimiser.model_copy(update={"weight_decay": 0.0})  # decay has no meaning for log Z
            self._updates.append(
                (StackedOptimiser(plain, self.learner.log_z, log_z_rates), self.learner.log_z_gradient)
            )
        self._estimate_log_z = estimate_log_z and isinstance(config.objective, TrajectoryBalanceConfig)
        self._meter = RewardMeter(environment, policy.count, device) if observe else None
        self.iteration = 0

    def step(self) -> Tensor:
        """One iteration of every policy; returns the losses [M]."""
        config, progress = self.config, self.iteration / self.config.iterations
        epsilon = config.epsilon + (config.final_epsilon - config.epsilon) * progress
        trajectories = self.sampler.sample(self.sampler.uniforms(self._generators), epsilon)
        if self._estimate_log_z and self.iteration == 0:
            self.learner.log_z.copy_(self.learner.estimate_log_z(trajectories))
        if self._meter is not None:
            self._meter.add(trajectories)
        loss = self.learner.gradients(trajectories)
        factor = config.optimiser.factor(self.iteration, config.iterations)
        for optimiser, gradient in self._updates:
            optimiser.step(gradient, factor)
        self.iteration += 1
        return loss

    def train(
        self, progress: ProgressCallback | None = None, checkpoints: Sequence[int] | None = None
    ) -> TrainedPolicies:
        """Run all iterations and collect the checkpoints: after the iterations given, or as configured."""
        start = reported = time.monotonic()
        total, steps = self.config.iterations, list(checkpoints or self.config.checkpoint_steps())
        wanted = set(steps)
        weights, figures = [], []
        loss_sum, losses = torch.zeros_like(self.learner.log_z), 0
        with torch.no_grad():
            while self.iteration < total:
                loss_sum += self.step()
                losses += 1
                if self.iteration in wanted:
                    weights.append(self.learner.policy.flat().cpu())
                    figures.append({"loss": (loss_sum / losses).cpu(), **self._figures()})
                    loss_sum, losses = torch.zeros_like(loss_sum), 0
                if progress is not None and time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    shown = float((loss_sum / losses).mean()) if losses else float(figures[-1]["loss"].mean())
                    progress(self.iteration, total, {"loss": shown})
        return TrainedPolicies(
            torch.tensor(steps),
            torch.stack(weights, 1),
            {name: torch.stack([f[name] for f in figures], 1) for name in figures[0]},
            time.monotonic() - start,
        )

    def _figures(self) -> dict[str, Tensor]:
        """What is known at a checkpoint beside the loss, each [M]."""
        figures = {}
        if isinstance(self.config.objective, TrajectoryBalanceConfig):
            figures["log_z"] = self.learner.log_z.cpu().clone()
        if self._meter is not None:
            figures |= self._meter.read()
        return figures
