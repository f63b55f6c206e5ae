"""The one training loop of all learnt models."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed, digest
from zoogen.schedules import schedule_factor
from zoogen.seeds import reseed
from zoogen.training.config import LoopConfig, ScheduleConfig
from zoogen.training.ema import ParameterAverage
from zoogen.training.hooks import LocalHooks, LoopHooks
from zoogen.training.optimisers import build_optimiser
from zoogen.training.state import TrainingState, load_module, load_optimiser, optimiser_tensors

SampleBatch = Callable[[int, torch.Generator], Any]  # (samples wanted, generator) to a batch for the objective


@dataclass(frozen=True)
class FitResult:
    """What a training leaves beside the trained module.

    Attributes:
        history: logged figures, one mapping per log: step, loss, lr, gradient_norm and the objective's own.
        seconds: wall-clock time of this call (a resumed training counts from its resumption).
    """

    history: tuple[Mapping[str, float], ...]
    seconds: float


def fit(
    objective: nn.Module,
    sample_batch: SampleBatch,
    config: LoopConfig,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    hooks: LoopHooks | None = None,
    compile: bool | str = False,
) -> FitResult:
    """Minimise the loss that `objective(batch, generator)` returns: a scalar, or a scalar and a mapping of figures.

    On return the objective holds the averaged parameters if averaging is configured, else the last ones. Random
    numbers must come from the generator that is passed on; it lives on `device` and is seeded by (seed, rank, step),
    so a resumed training repeats what an undisturbed one would have drawn.

    Args:
        objective: module that returns the loss; trained in place.
        sample_batch: draws a batch of this worker's share.
        config: how long, on how many samples, with what optimiser.
        seed: seed of the training.
        device: where to train.
        hooks: logging, checkpoints, workers.
        compile: run the objective through `torch.compile`; a text names its backend. It changes rounding and speed,
            not the names of parameters or what checkpoints hold.

    Raises:
        ZoogenError: the batch does not divide among the workers, the initial state belongs to another training,
            or the loss is not finite.
    """
    hooks = hooks or LocalHooks()
    if config.batch_size % hooks.world_size:
        raise ZoogenError(
            f"batch_size {config.batch_size} does not divide among {hooks.world_size} workers; choose a multiple"
        )
    share = config.batch_size // hooks.world_size
    objective.to(device).train()
    parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    optimiser = build_optimiser(config.optimiser, parameters)
    average = ParameterAverage(config.ema, parameters) if config.ema else None
    fingerprint = digest(config.model_dump(mode="json"))
    step, history = 0, []
    if hooks.initial_state is not None:
        state = TrainingState.from_bytes(hooks.initial_state)
        if (state.fingerprint, state.seed) != (fingerprint, seed):
            raise ZoogenError("the checkpoint belongs to a training with other settings; use another name or delete it")
        load_module(objective, state.model, "training checkpoint")
        load_optimiser(optimiser, state.optimiser)
        if average:
            average.load(state.average)
        step, history = state.step, list(state.history)
    model: Callable[..., Any] = hooks.wrap(objective)
    if compile:
        model = torch.compile(model, backend=compile if isinstance(compile, str) else "inductor")
    generator = torch.Generator(device)
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=config.precision == "bf16")
    sums: dict[str, Tensor] = {}
    logged, started = step, time.perf_counter()

    while step < config.iterations:
        for group in optimiser.param_groups:
            group["lr"] = config.optimiser.lr * rate_factor(config.schedule, step, config.iterations)
        reseed(generator, derive_seed(seed, hooks.rank, step))
        with autocast:
            output = model(sample_batch(share, generator), generator)
        loss, figures = output if isinstance(output, tuple) else (output, {})
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, config.clip or math.inf)
        optimiser.step()
        step += 1
        if average:
            average.update(step)
        for name, value in {"loss": loss, "gradient_norm": norm, **figures}.items():
            sums[name] = sums[name] + value.detach() if name in sums else value.detach().clone()

        last = step == config.iterations
        checkpoint = last or step % config.checkpoint_every == 0
        if last or checkpoint or step % config.log_every == 0:
            # A checkpoint also ends a stretch of figures, so that history does not depend on interruptions.
            means = {name: (total / (step - logged)).item() for name, total in sums.items()}
            if not math.isfinite(means["loss"]):
                raise ZoogenError(f"the loss is {means['loss']} at iteration {step}; lower the learning rate or clip")
            entry = {"step": step, **means, "lr": optimiser.param_groups[0]["lr"]}
            history.append(entry)
            sums, logged = {}, step
            hooks.on_log(step, config.iterations, entry)
            if checkpoint:
                state = TrainingState(
                    step=step,
                    seed=seed,
                    fingerprint=fingerprint,
                    model=objective.state_dict(),
                    average=tuple(average.averages) if average else (),
                    optimiser=optimiser_tensors(optimiser),
                    history=tuple(history),
                )
                hooks.on_checkpoint(state.to_bytes(), step, entry)

    if average:
        average.copy_to_parameters()
    objective.eval()
    return FitResult(tuple(history), time.perf_counter() - started)


def rate_factor(schedule: ScheduleConfig, step: int, iterations: int) -> float:
    """Learning rate of iteration `step` (from 0) as a fraction of the peak."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    if schedule.kind == "constant":
        return 1.0
    done = (step - schedule.warmup) / max(1, iterations - schedule.warmup)
    return schedule.floor + (1 - schedule.floor) * schedule_factor(schedule.kind, done)
