"""Behaviour in the loss of autoencoders: values and gradients beside plain ones, for every kind that has it."""

import pytest
import torch

from zoogen.autoencoders.batch import WeightBatch
from zoogen.autoencoders.behaviour import BehaviourLoss
from zoogen.autoencoders.config import Conv1dAutoencoderConfig, LossConfig
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.autoencoders.train import train_codec
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.teaching.probes import Probes
from zoogen.training.config import AdamWConfig, LoopConfig
from zoogen.weights.scaling import WeightScaler
from zoogen.zoo.read import CheckpointSet

TASK = HypergridTask(HypergridConfig())
RUNS = torch.arange(4)
ZOO = [CheckpointSet(TASK.target(s), 3 * TASK.untrained(s, 4, seed=0), RUNS, RUNS, {}) for s in ("3^2", "4^2")]
SCALER = WeightScaler.fit("tensor", [(s.target.layout, s.weights) for s in ZOO])


def batch_of_both() -> WeightBatch:
    length = max(s.target.layout.size for s in ZOO)
    batch = ScaledCheckpoints(SCALER, ZOO, length).batch(torch.tensor([5, 0, 2, 7]))
    return batch.with_weights(batch.weights.double())


def behaviour_loss() -> BehaviourLoss:
    return BehaviourLoss(Probes(TASK, ZOO, count=50, seed=0), SCALER, inputs=20)


def test_it_is_the_mean_divergence_over_networks_and_drawn_inputs() -> None:
    batch, loss = batch_of_both(), behaviour_loss()
    other = batch.with_weights(batch.weights * 0.7)
    found = loss(batch, other, torch.Generator().manual_seed(1))
    generator, divergences = torch.Generator().manual_seed(1), []
    for (where, _, before), (_, _, after) in zip(batch.parts(), other.parts(), strict=True):
        inputs = loss.probes.inputs[where.structure][torch.randint(50, (20,), generator=generator)]
        originals, decoded = (
            TASK.outputs(where.structure, SCALER.unscale(where.layout, scaled), inputs) for scaled in (before, after)
        )
        for mine, theirs in zip(originals, decoded, strict=True):
            divergences.append(torch.nn.functional.kl_div(theirs, mine, log_target=True, reduction="batchmean"))
    torch.testing.assert_close(found, torch.stack(divergences).mean())
    assert loss(batch, batch, torch.Generator().manual_seed(1)).abs() < 1e-9


def test_its_gradient_is_that_of_finite_differences() -> None:
    batch, loss = batch_of_both(), behaviour_loss()
    weights = (batch.weights * 0.9).requires_grad_()

    def value(flat: torch.Tensor) -> torch.Tensor:
        return loss(batch, batch.with_weights(flat), torch.Generator().manual_seed(0))

    (gradient,) = torch.autograd.grad(value(weights), weights)
    assert gradient[~batch.membership.mask(gradient.shape[1])].eq(0).all()
    direction = torch.randn(weights.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    slope = (value(weights + 1e-6 * direction) - value(weights - 1e-6 * direction)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-5)


def test_flat_kinds_learn_it_and_leave_it_out_of_what_they_were() -> None:
    loop = LoopConfig(iterations=150, batch_size=8, optimiser=AdamWConfig(lr=3e-3), log_every=50)
    plain = Conv1dAutoencoderConfig(latent=8, channels=(8, 16), kernel=3, stride=2, latent_noise=0.0, loop=loop)
    assert "loss" not in plain.model_dump(mode="json")
    taught = plain.model_copy(update={"loss": LossConfig(weights=0.1, behaviour=1.0, inputs=32, pool=256)})
    history = train_codec(taught, ZOO, seed=0, task=TASK).history
    assert history[-1]["behaviour"] < 0.5 * history[0]["behaviour"]
    expected = 0.1 * history[-1]["error"] + history[-1]["behaviour"]
    assert history[-1]["loss"] == pytest.approx(expected, rel=1e-5)
