"""Sampling trajectories of M policies at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.networks.stacked_mlp import Activations, StackedMLP
from zoogen.networks.workspace import Workspace
from zoogen.numerics import running_sum
from zoogen.tasks.hypergrid.environment import HypergridEnvironment

_COMPACT_EVERY = 4  # steps between looks at how many trajectories still run
_COMPACT_BELOW = 0.8  # share of running trajectories under which the finished ones are dropped


@dataclass(frozen=True)
class Rows:
    """One row for each visited state of M policies' trajectories.

    Attributes:
        states: [M, R, n] int64.
        actions: action taken, [M, R] int64 (n is stop).
        valid: False for rows of trajectories that had already ended, [M, R] bool.
        slots: t·B + b of step t of trajectory b, [M, R] int64; unique within a model.
        logits: policy outputs, −inf where an increment is not allowed, [M, R, n + 1].
        activations: of the policy.
    """

    states: Tensor
    actions: Tensor
    valid: Tensor
    slots: Tensor
    logits: Tensor
    activations: Activations


@dataclass(frozen=True)
class Trajectories:
    """B complete trajectories of each of M policies.

    Attributes:
        final: terminal states, [M, B, n] int64.
        steps: T, the number of actions of the longest, stop included.
        rows: the visited states, if asked for.
    """

    final: Tensor
    steps: int
    rows: Rows | None = None

    def dense(self, values: Tensor) -> Tensor:
        """Values of the rows [M, R] to [M, T, B], zero where a trajectory has ended."""
        assert self.rows is not None
        models, batch = self.final.shape[:2]
        table = values.new_zeros(models, self.steps * batch)
        table.scatter_(1, self.rows.slots, torch.where(self.rows.valid, values, 0))
        return table.view(models, self.steps, batch)

    def rowwise(self, dense: Tensor) -> Tensor:
        """The inverse of `dense`: [M, T, B] to [M, R], zero for rows that are not valid."""
        assert self.rows is not None
        return torch.where(self.rows.valid, dense.flatten(1).gather(1, self.rows.slots), 0)


class TrajectorySampler:
    """Samples B trajectories from each of M stacked policies.

    The first layer is carried along instead of computed: an increment of coordinate i from j to
    j + 1 changes its output by w1[i·h + j + 1] − w1[i·h + j], whatever the width of the encoding.
    """

    def __init__(self, policy: StackedMLP, environment: HypergridEnvironment, batch: int) -> None:
        self.policy, self.environment, self.batch = policy, environment, batch
        self.device = policy.parameters.device
        self.workspace = Workspace(self.device)
        h, n = environment.structure.horizon, environment.structure.dimensions
        models, hidden = policy.count, policy.shape.hidden
        # last block stays zero: the change made by stop
        self._changes = torch.zeros(models, n + 1, h, hidden, device=self.device)
        self._base = (torch.arange(models, device=self.device) * ((n + 1) * h)).unsqueeze(1)
        self._origin = torch.arange(0, n * h, h, device=self.device)
        self._columns = torch.arange(batch, device=self.device).expand(models, batch)

    def uniforms(self, generators: list[torch.Generator]) -> Tensor:
        """Uniform numbers [M, max_length, B], each model's from its own generator, so that a run's
        randomness does not depend on the runs it is trained with."""
        shape = (self.environment.max_length, self.batch)
        block = torch.empty(len(generators), *shape)
        for row, generator in zip(block, generators, strict=True):
            torch.rand(*shape, generator=generator, out=row)
        return block.to(self.device)

    @torch.no_grad()
    def sample(self, uniforms: Tensor, epsilon: float = 0.0, keep_rows: bool = True) -> Trajectories:
        """One trajectory per column of `uniforms` [M, max_length, B].

        With probability `epsilon` an action is uniform over the allowed ones.
        """
        policy, models, batch = self.policy, self.policy.count, self.batch
        h, n = self.environment.structure.horizon, self.environment.structure.dimensions
        hidden, slope = policy.shape.hidden, policy.shape.slope
        forced = self.environment.stop_rule == "forced_at_edge"
        first = policy.w1.unflatten(1, (n, h))
        torch.sub(first[:, :, 1:], first[:, :, :-1], out=self._changes[:, :n, : h - 1])
        changes = self._changes.view(-1, hidden)
        w3 = policy.w3.transpose(1, 2)

        pre = (policy.w1[:, self._origin].sum(1, keepdim=True) + policy.b1).expand(models, batch, hidden).contiguous()
        state = torch.zeros(models, batch, n + 1, dtype=torch.int64, device=self.device)  # stop's column stays 0
        done = torch.zeros(models, batch, dtype=torch.bool, device=self.device)
        column, whole = self._columns, True
        final = torch.zeros(models, batch, n, dtype=torch.int64, device=self.device)
        most = self.environment.max_length if keep_rows else 1
        stores = [self.workspace.take(name, (most * pre.numel(),)) for name in ("step_hidden1", "step_hidden2")]
        kept: list[tuple[Tensor, ...]] = []
        offset = 0
        for step in range(self.environment.max_length):
            hidden1, hidden2 = (store[offset : offset + pre.numel()].view_as(pre) for store in stores)
            torch.ops.aten.leaky_relu.out(pre, slope, out=hidden1)
            torch.baddbmm(policy.b2, hidden1, policy.w2, out=hidden2)
            torch.ops.aten.leaky_relu_(hidden2, slope)
            logits = torch.baddbmm(policy.b3, hidden2, w3)
            blocked = state[..., :n] >= h - 1
            if forced:
                blocked = blocked.any(-1, keepdim=True).expand_as(blocked)
            logits[..., :n].masked_fill_(blocked, -torch.inf)
            # exp by hand: softmax over so short a last dimension is ten times slower
            weights = (logits - logits.amax(-1, keepdim=True)).exp_()
            if epsilon > 0:
                allowed = torch.isfinite(logits)
                weights = (1 - epsilon) * weights / weights.sum(-1, keepdim=True)
                weights += epsilon * allowed / allowed.sum(-1, keepdim=True)
            cumulative = running_sum(weights, -1)
            u = uniforms[:, step] if whole else uniforms[:, step].gather(1, column)
            # inverse distribution function; a policy with NaN stops, so it cannot leave the grid
            threshold = u.unsqueeze(-1) * cumulative[..., n:]
            action = n - (cumulative[..., :n] > threshold).sum(-1)
            action.masked_fill_(done, n)
            if keep_rows:
                kept.append((hidden1, hidden2, logits, state[..., :n].clone(), action, ~done, column + step * batch))
                offset += pre.numel()
            moves = action < n
            done = ~moves
            index = (self._base + action * h + state.gather(2, action.unsqueeze(2)).squeeze(2)).flatten()
            state.scatter_add_(2, action.unsqueeze(2), moves.long().unsqueeze(2))
            if (step + 1) % _COMPACT_EVERY == 0 or step + 1 == self.environment.max_length:
                running = int(moves.sum(1).max())
                if running <= _COMPACT_BELOW * moves.shape[1]:
                    final.scatter_(1, column.unsqueeze(2).expand(-1, -1, n), state[..., :n])
                    if running == 0:
                        break
                    order = torch.argsort(done.to(torch.uint8), dim=1, stable=True)[:, :running]
                    pre.add_(changes.index_select(0, index).view_as(pre))
                    pre = pre.gather(1, order.unsqueeze(2).expand(-1, -1, hidden))
                    state = state.gather(1, order.unsqueeze(2).expand(-1, -1, n + 1))
                    done, column, whole = done.gather(1, order), column.gather(1, order), False
                    continue
            pre.add_(changes.index_select(0, index).view_as(pre))
        return self._gather(final, kept) if keep_rows else Trajectories(final, step + 1)

    def _gather(self, final: Tensor, kept: list[tuple[Tensor, ...]]) -> Trajectories:
        # looks come every few steps: drop trailing steps in which nothing ran any more
        while not kept[-1][5].any():
            kept.pop()
        rows = sum(part[4].shape[1] for part in kept)
        hidden1s, hidden2s, *others = zip(*kept, strict=True)
        shape = (self.policy.count, rows, self.policy.shape.hidden)
        hidden1 = torch.cat(hidden1s, 1, out=self.workspace.take("hidden1", shape))
        hidden2 = torch.cat(hidden2s, 1, out=self.workspace.take("hidden2", shape))
        logits, states, actions, valid, slots = (torch.cat(parts, 1) for parts in others)
        rows_ = Rows(states, actions, valid, slots, logits, Activations(hidden1, hidden2))
        return Trajectories(final, len(kept), rows_)
