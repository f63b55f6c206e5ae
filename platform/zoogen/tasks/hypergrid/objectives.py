"""GFlowNet objectives of M policies on B trajectories each, in logarithms of flows.

Shapes: M models, T steps (stop included), B trajectories; `mask` [M, T, B] marks the steps that a
trajectory has. Reductions are torchgfn's. The backward policy is uniform over parents.
"""

import torch
from torch import Tensor

from zoogen.numerics import running_sum


def trajectory_balance(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor, log_z: Tensor) -> Tensor:
    """Mean over trajectories of (log Z + Σ log P_F − Σ log P_B − log R)², [M] (Malkin et al. 2022, eq. 14).

    Args:
        log_pf: log-probability of the action of each step, [M, T, B], 0 past the end.
        log_pb: of the step backwards, [M, T, B], 0 for stop and past the end.
        log_reward: [M, B].
        log_z: [M].
    """
    residual = log_z.unsqueeze(1) + (log_pf - log_pb).sum(1) - log_reward
    return residual.square().mean(1)


def _potentials(log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    """log F of the states of each trajectory with log R after the last, zero beyond; [M, T + 1, B]."""
    padded = torch.cat([torch.where(mask, log_flow, 0), torch.zeros_like(log_reward).unsqueeze(1)], 1)
    return padded.scatter_add(1, mask.sum(1, keepdim=True), log_reward.unsqueeze(1))


def detailed_balance(log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    """Mean over all steps of (log F(s) + log P_F − log P_B − log F(s'))², log R in place of log F after stop; [M].

    Bengio et al. 2023 (GFlowNet Foundations), eq. 30. `log_flow` [M, T, B] of the step's state.
    """
    flow = _potentials(log_flow, log_reward, mask)
    residual = torch.where(mask, flow[:, :-1] + log_pf - log_pb - flow[:, 1:], 0)
    return residual.square().sum((1, 2)) / mask.sum((1, 2))


def sub_trajectory_balance(
    log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor, decay: float
) -> Tensor:
    """Sub-trajectory balance with weights λ^(length − 1), normalised within each trajectory; [M].

    Madan et al. 2023, eq. 10 (torchgfn's `geometric_within`). The residual of the piece from step a
    to step b is e_a − e_b with e_t = log F(s_t) − Σ_{u<t} (log P_F − log P_B).
    """
    steps = mask.shape[1]
    balance = running_sum(torch.where(mask, log_pf - log_pb, 0), 1)
    e = _potentials(log_flow, log_reward, mask) - torch.nn.functional.pad(balance, (0, 0, 1, 0))
    position = torch.arange(steps + 1, device=mask.device)
    length = position.unsqueeze(0) - position.unsqueeze(1)  # [a, b]
    weight = torch.where(length > 0, decay ** (length - 1).clamp(min=0).to(log_pf.dtype), 0)
    ends = position.view(1, -1, 1) <= mask.sum(1, keepdim=True)  # [M, T + 1, B]: b is at most the end
    weights = weight.unsqueeze(0).unsqueeze(3) * ends.unsqueeze(1)  # [M, a, b, B]
    squares = weights * (e.unsqueeze(2) - e.unsqueeze(1)).square()
    return (squares.sum((1, 2)) / weights.sum((1, 2))).mean(1)


def flow_matching(
    log_inflow: Tensor,
    log_outflow: Tensor,
    inner: Tensor,
    log_stop_flow: Tensor,
    log_reward: Tensor,
) -> Tensor:
    """Flow matching: mean over visited non-initial states of (log inflow − log outflow)², plus mean over
    trajectories of (log F(x → stop) − log R)²; [M] (Bengio et al. 2021, eq. 12).

    Args:
        log_inflow, log_outflow: of each visited state, [M, R].
        inner: which rows are visited non-initial states, [M, R] bool.
        log_stop_flow: of each trajectory's last state, [M, B].
        log_reward: [M, B].
    """
    residual = torch.where(inner, torch.where(inner, log_inflow, 0) - log_outflow, 0)
    matching = residual.square().sum(1) / inner.sum(1).clamp(min=1)
    return matching + (log_stop_flow - log_reward).square().mean(1)
