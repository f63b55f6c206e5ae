"""Losses of a cohort and their gradients with respect to all its parameters."""

import torch
from torch import Tensor

from zoogen.networks.stacked_mlp import StackedMLP
from zoogen.networks.workspace import Workspace
from zoogen.tasks.hypergrid import objectives
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.learner_config import (
    DetailedBalanceConfig,
    FlowMatchingConfig,
    ObjectiveConfig,
    SubTrajectoryBalanceConfig,
    TrajectoryBalanceConfig,
)
from zoogen.tasks.hypergrid.sampling import Trajectories


class CohortLearner:
    """M policies with what their objective learns beside them.

    Attributes:
        policy: outputs are logits of n increments and stop.
        flow: log F(s), for detailed and sub-trajectory balance.
        log_z: [M], for trajectory balance; `log_z_gradient` beside it.
    """

    def __init__(
        self, config: ObjectiveConfig, environment: HypergridEnvironment, policy: StackedMLP, flow: StackedMLP | None
    ) -> None:
        self.config, self.environment, self.policy, self.flow = config, environment, policy, flow
        self.log_z = torch.zeros(policy.count, device=policy.parameters.device)
        if isinstance(config, TrajectoryBalanceConfig):
            self.log_z += config.initial_log_z
        self.log_z_gradient = torch.zeros_like(self.log_z)
        self._workspace = Workspace(policy.parameters.device)

    @staticmethod
    def needs_flow(config: ObjectiveConfig) -> bool:
        return isinstance(config, DetailedBalanceConfig | SubTrajectoryBalanceConfig)

    @torch.no_grad()
    def gradients(self, trajectories: Trajectories) -> Tensor:
        """Set all gradients; returns the loss of each model, [M]."""
        if isinstance(self.config, FlowMatchingConfig):
            return self._flow_matching(trajectories)
        rows = trajectories.rows
        assert rows is not None
        exponentials = rows.logits - rows.logits.amax(-1, keepdim=True)
        chosen = exponentials.gather(2, rows.actions.unsqueeze(2)).squeeze(2)
        probabilities = exponentials.exp_()
        total = probabilities.sum(-1, keepdim=True)
        log_pf = trajectories.dense(chosen - total.squeeze(2).log()).requires_grad_()
        log_z = self.log_z.clone().requires_grad_()
        inputs = self._one_hot(rows.states)
        log_flow, flow_activations = None, None
        if self.flow is not None:
            outputs, flow_activations = self.flow.forward(inputs)
            log_flow = trajectories.dense(outputs.squeeze(2)).requires_grad_()
        with torch.enable_grad():
            loss = self._balance(trajectories, log_pf, log_z, log_flow)
            loss.sum().backward()
        assert log_pf.grad is not None
        pull = trajectories.rowwise(log_pf.grad).unsqueeze(2)  # ∂loss/∂log P_F of the row's action
        grad = probabilities.mul_(-pull / total).scatter_add_(2, rows.actions.unsqueeze(2), pull)
        self.policy.backward(inputs, rows.activations, grad)
        if log_z.grad is not None:
            self.log_z_gradient.copy_(log_z.grad)
        if self.flow is not None and log_flow is not None and flow_activations is not None:
            assert log_flow.grad is not None
            self.flow.backward(inputs, flow_activations, trajectories.rowwise(log_flow.grad).unsqueeze(2))
        return loss.detach()

    def estimate_log_z(self, trajectories: Trajectories) -> Tensor:
        """Mean over trajectories of Σ log P_B + log R − Σ log P_F, [M]: the log Z that fits the policies best, as in
        VarGrad (Richter et al. 2020; Zhang et al. 2023). A perfect policy has the true one on every trajectory."""
        rows = trajectories.rows
        assert rows is not None
        log_pf = trajectories.dense(rows.logits.log_softmax(2).gather(2, rows.actions.unsqueeze(2)).squeeze(2))
        balance = (self._log_pb(trajectories) - log_pf).sum(1) + self.environment.log_reward(trajectories.final)
        return balance.mean(1)

    def _log_pb(self, trajectories: Trajectories) -> Tensor:
        """Log-probability of each step under the uniform backward policy, 0 for stop; [M, T, B]."""
        rows = trajectories.rows
        assert rows is not None
        # a step's parents are those of the state it leads to: its own positive coordinates, and the one it raises
        chosen = rows.states.gather(2, rows.actions.clamp(max=rows.states.shape[2] - 1).unsqueeze(2)).squeeze(2)
        parents = (rows.states > 0).sum(2) + (chosen == 0)
        if self.environment.stop_rule == "forced_at_edge":
            # a step that reaches the edge is the only way there: every other parent lies on the edge itself
            parents = torch.where(chosen == self.environment.structure.horizon - 2, 1, parents)
        stop = rows.actions == self.environment.structure.dimensions
        return trajectories.dense(torch.where(stop, 0.0, -parents.float().log()))

    def _balance(self, trajectories: Trajectories, log_pf: Tensor, log_z: Tensor, log_flow: Tensor | None) -> Tensor:
        rows = trajectories.rows
        assert rows is not None
        log_reward = self.environment.log_reward(trajectories.final)
        log_pb = self._log_pb(trajectories)
        if isinstance(self.config, TrajectoryBalanceConfig):
            return objectives.trajectory_balance(log_pf, log_pb, log_reward, log_z)
        assert log_flow is not None
        mask = trajectories.dense(torch.ones_like(log_reward[:, :1]).expand_as(rows.actions)).bool()
        if isinstance(self.config, SubTrajectoryBalanceConfig):
            return objectives.sub_trajectory_balance(log_pf, log_pb, log_flow, log_reward, mask, self.config.decay)
        return objectives.detailed_balance(log_pf, log_pb, log_flow, log_reward, mask)

    def _flow_matching(self, trajectories: Trajectories) -> Tensor:
        rows = trajectories.rows
        assert rows is not None
        models, count, n = rows.states.shape
        unit = torch.eye(n, dtype=torch.int64, device=rows.states.device)
        parents = rows.states.unsqueeze(2) - unit  # [M, R, n, n]: parent along each coordinate
        exists = rows.states > 0
        parents = parents.clamp_(min=0)
        edges = exists & self.environment.increment_mask(parents).diagonal(dim1=2, dim2=3)
        inputs = torch.cat([self._one_hot(rows.states), self._one_hot(parents.flatten(1, 2), "parents")], 1)
        outputs, activations = self.policy.forward(inputs)
        outputs.requires_grad_()
        with torch.enable_grad():
            own, of_parents = outputs.split([count, count * n], 1)
            log_outflow = torch.where(torch.isfinite(rows.logits), own, -torch.inf).logsumexp(2)
            into = of_parents.reshape(models, count, n, n + 1).diagonal(dim1=2, dim2=3)
            inner = rows.valid & edges.any(2)
            # rows without parents would give NaN gradients: they enter as a constant
            into = torch.where(edges, into, -torch.inf).masked_fill(~inner.unsqueeze(2), 0.0)
            stop = rows.valid & (rows.actions == n)
            log_stop = trajectories.dense(torch.where(stop, own[..., n], 0)).sum(1)
            loss = objectives.flow_matching(
                into.logsumexp(2), log_outflow, inner, log_stop, self.environment.log_reward(trajectories.final)
            )
            loss.sum().backward()
        assert outputs.grad is not None
        self.policy.backward(inputs, activations, outputs.grad)
        return loss.detach()

    def _one_hot(self, states: Tensor, name: str = "inputs") -> Tensor:
        """States [M, R, n] to their encoding [M, R, n·h], index i·h + j (dimension-major)."""
        structure = self.environment.structure
        offsets = torch.arange(0, structure.state_size, structure.horizon, device=states.device)
        shape = (*states.shape[:2], structure.state_size)
        return self._workspace.take(name, shape).zero_().scatter_(2, states + offsets, 1.0)
