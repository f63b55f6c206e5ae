"""Training one policy with torchgfn."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.tasks.hypergrid.learner import (
    DetailedBalanceConfig,
    FlowMatchingConfig,
    SubTrajectoryBalanceConfig,
    TrajectoryBalanceConfig,
)
from zoogen.tasks.hypergrid.optimiser_config import OptimiserConfig
from zoogen.tasks.records import RunSpec
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.policies import forward_policy, get_weights, mlp

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv
    from gfn.estimators import DiscretePolicyEstimator
    from gfn.gflownet import GFlowNet


@dataclass(frozen=True)
class TrainedRun:
    """Checkpoints of one run.

    Attributes:
        weights: [C, D].
        loss: mean loss since the checkpoint before, [C].
        log_z: estimate of log Z, [C].
    """

    weights: Tensor
    loss: Tensor
    log_z: Tensor


def build_gflownet(
    config: TorchgfnConfig, env: "DiscreteEnv", policy: "DiscretePolicyEstimator", seed: int
) -> "GFlowNet":
    """torchgfn's model of the objective around `policy`; the backward policy is uniform over parents."""
    from gfn.estimators import DiscretePolicyEstimator, ScalarEstimator
    from gfn.gflownet import DBGFlowNet, FMGFlowNet, SubTBGFlowNet, TBGFlowNet

    objective, floor = config.training.objective, config.training.log_reward_floor
    clip = -math.inf if floor is None else floor
    if isinstance(objective, FlowMatchingConfig):
        if floor is not None:
            raise ZoogenError("log_reward_floor does not apply to flow matching in torchgfn; leave it out")
        return FMGFlowNet(policy)
    backward = DiscretePolicyEstimator.uniform(env.n_actions, preprocessor=policy.preprocessor)
    if isinstance(objective, TrajectoryBalanceConfig):
        return TBGFlowNet(policy, backward, init_logZ=objective.initial_log_z, log_reward_clip_min=clip)
    flow = ScalarEstimator(mlp(config, env, 1, derive_seed("state flow", seed)), preprocessor=policy.preprocessor)
    if isinstance(objective, SubTrajectoryBalanceConfig):
        return SubTBGFlowNet(policy, backward, flow, "geometric_within", objective.decay, log_reward_clip_min=clip)
    assert isinstance(objective, DetailedBalanceConfig)
    return DBGFlowNet(policy, backward, flow, log_reward_clip_min=clip)


def build_optimiser(config: OptimiserConfig, gflownet: "GFlowNet", run: int) -> torch.optim.Optimizer:
    """torch's optimiser with the run's learning rate, and log Z's own rate without weight decay."""
    log_z = [p for name, p in gflownet.named_parameters() if name == "logZ"]
    others = [p for name, p in gflownet.named_parameters() if name != "logZ"]
    groups = [{"params": others, "lr": config.rates[run % len(config.rates)], "weight_decay": config.weight_decay}]
    if log_z:
        groups.append({"params": log_z, "lr": config.log_z_learning_rate, "weight_decay": 0.0})
    if config.kind == "sgd":
        return torch.optim.SGD(groups, momentum=config.momentum)
    kind = torch.optim.AdamW if config.kind == "adamw" else torch.optim.Adam
    return kind(groups, betas=config.betas, eps=config.eps)


def log_z_estimate(gflownet: "GFlowNet", env: "DiscreteEnv") -> float:
    """What the objective learnt of log Z: its parameter, the initial state's flow, or that of its edges."""
    if "logZ" in dict(gflownet.named_parameters()):
        return float(gflownet.logZ.detach())
    initial = env.reset((1,))
    with torch.no_grad():
        values = gflownet.logF(initial)[0]
        return float(values[initial.forward_masks[0]].logsumexp(0)) if len(values) > 1 else float(values)


def train_run(
    config: TorchgfnConfig, env: "DiscreteEnv", run: RunSpec, report: Callable[[int, float], None]
) -> TrainedRun:
    """Train one policy; `report` gets (iterations done, loss) after each iteration.

    torchgfn draws from torch's global generator, which is seeded here and restored afterwards.

    Raises:
        ZoogenError: the loss stops being finite.
    """
    training, policy = config.training, forward_policy(config, env, run.init_seed)
    gflownet = build_gflownet(config, env, policy, run.init_seed)
    optimiser = build_optimiser(training.optimiser, gflownet, run.run)
    base_rates = [group["lr"] for group in optimiser.param_groups]
    steps = set(training.checkpoint_steps())
    weights, losses, log_z = [], [], []
    total, since = 0.0, 0
    with seeded(run.seed):
        for iteration in range(training.iterations):
            factor = training.optimiser.factor(iteration, training.iterations)
            for group, rate in zip(optimiser.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            with torch.no_grad():
                trajectories = gflownet.sample_trajectories(env, training.batch_size, epsilon=training.epsilon)
            optimiser.zero_grad()
            loss = gflownet.loss_from_trajectories(env, trajectories, recalculate_all_logprobs=True)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ZoogenError(
                    f"the loss of run {run.run} is {value} after {iteration} iterations; lower the learning rate, "
                    "or set training.log_reward_floor if the environment has zero rewards"
                )
            loss.backward()
            optimiser.step()
            total, since = total + value, since + 1
            if iteration + 1 in steps:
                weights.append(get_weights(policy.module))
                losses.append(total / since)
                log_z.append(log_z_estimate(gflownet, env))
                total, since = 0.0, 0
            report(iteration + 1, value)
    return TrainedRun(torch.stack(weights), torch.tensor(losses), torch.tensor(log_z))
