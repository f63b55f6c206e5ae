"""What classifiers are taught by: training images, and log-probabilities beside those of single networks."""

from typing import Any

import pytest
import torch
from tests.tasks.images.small import NARROW, SMALL, by_hand, cohort, made

from zoogen.tasks.images.structure import images_of

MLP = "mlp-mini@digits"


@pytest.mark.parametrize(
    ("structure", "config"),
    [
        (SMALL, {}),
        (MLP, {"start": "scratch", "statistics": "regenerated"}),
        (NARROW, {"subset": ["normalisations"], "statistics": "regenerated"}),
        (NARROW, {"subset": ["normalisations"], "statistics": "recalibrated"}),
    ],
)
def test_outputs_are_those_of_whole_networks_one_by_one(structure: str, config: dict[str, Any]) -> None:
    task = made(**config)
    weights, images = cohort(task, structure), images_of(task.config, structure).test.images
    outputs = task.outputs(structure, weights, images)
    for k, (logits, _) in enumerate(by_hand(task, structure, weights, "test")):
        torch.testing.assert_close(outputs[k], logits.log_softmax(-1), rtol=1e-3, atol=1e-4)
    own = torch.stack([images[:5] + 0.1 * k for k in range(len(weights))])
    apart = task.outputs(structure, weights, own)
    for k in (0, 4):
        torch.testing.assert_close(
            apart[k], task.outputs(structure, weights[k : k + 1], own[k])[0], atol=1e-4, rtol=1e-3
        )


@pytest.mark.parametrize("structure", [SMALL, MLP])
def test_outputs_have_the_right_gradient(structure: str) -> None:
    task = made(start="scratch", statistics="regenerated")
    weights = task.untrained(structure, 2, seed=0).double().requires_grad_()
    images = task.probe(structure, None, 6, seed=0).double()

    def chosen(flat: torch.Tensor) -> torch.Tensor:
        return task.outputs(structure, flat, images)[..., 3].sum()

    (gradient,) = torch.autograd.grad(chosen(weights), weights)
    direction = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = (chosen(weights + 1e-7 * direction) - chosen(weights - 1e-7 * direction)) / 2e-7
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-4)


def test_probed_images_are_distinct_training_images_in_an_order_by_the_seed() -> None:
    task = made()
    train = images_of(task.config, SMALL).train.images
    images = task.probe(SMALL, None, len(train), seed=0)
    assert torch.equal(images.flatten(1).sort(0).values, train.flatten(1).sort(0).values)
    assert not torch.equal(images, task.probe(SMALL, None, len(train), seed=1))
    again = task.probe(SMALL, None, len(train) + 7, seed=0)
    assert torch.equal(again[len(train) :], images[:7])
