"""From starts to samples: the ordinary differential equation dx/dt = velocity(x, t) from t = 0 to 1."""

from collections.abc import Callable

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.generators.flow.config import AdaptiveStepsConfig, SolverConfig

Velocity = Callable[[Tensor, Tensor], Tensor]  # (time [], points [B, L]) to velocities [B, L]
WATCHED = 50  # points that an adaptive solver tells of


def steps_of(solver: SolverConfig) -> int:
    """Points after the start that a watcher sees."""
    return WATCHED if isinstance(solver, AdaptiveStepsConfig) else solver.steps


def integrate(velocity: Velocity, starts: Tensor, solver: SolverConfig, *, gradients: bool = False) -> Tensor:
    """Points [steps + 1, B, L] on the way from starts [B, L], which are the first.

    Args:
        velocity: may be of any parameters.
        starts: where to begin.
        solver: how to step.
        gradients: whether the points can be differentiated by the velocity's parameters and by the starts, through the
            steps that were made. It takes the memory of all of them.

    Raises:
        ZoogenError: the velocity leads to numbers that are not finite, or to ever smaller steps.
    """
    from torchdiffeq import odeint  # pulls in scipy's integrators

    times = torch.linspace(0, 1, steps_of(solver) + 1, device=starts.device, dtype=starts.dtype)
    tolerances = {"rtol": solver.rtol, "atol": solver.atol} if isinstance(solver, AdaptiveStepsConfig) else {}
    with torch.set_grad_enabled(gradients):
        try:
            points: Tensor = odeint(velocity, starts, times, method=solver.kind, **tolerances)
        except AssertionError as error:  # its way to say that steps underflow
            raise _diverged(solver, "its steps became too small") from error
    if not bool(torch.isfinite(points[-1].detach()).all()):
        lost = int((~torch.isfinite(points[-1].detach()).all(1)).sum())
        raise _diverged(solver, f"{lost} of {len(starts)} ended in numbers that are not finite")
    return points


def _diverged(solver: SolverConfig, what: str) -> ZoogenError:
    return ZoogenError(f"the flow diverged with sampler.kind {solver.kind}: {what}; train it longer or at a lower rate")
