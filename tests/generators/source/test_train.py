"""Teaching by behaviour: against the exact judge, finite differences, and a training that was interrupted."""

import pytest
import torch
from tests.fakes import FakeTask
from tests.generators.source.grids import TASK, TAUGHT, source_config, untrained_checkpoints

from zoogen.errors import ZoogenError
from zoogen.generators.source.network import SourceNetwork
from zoogen.generators.source.train import SourceObjective, _Exercise, train_source_generator
from zoogen.seeds import seeded
from zoogen.training.hooks import LocalHooks


def js(structure: str, weights: torch.Tensor) -> float:
    """Median of the exact judge's divergence."""
    return float(TASK.score(structure, weights).groups["exact"].values["js"].median())


def test_the_exact_teacher_makes_policies_better_than_their_sources_also_of_an_unseen_grid() -> None:
    made = train_source_generator(source_config(300, width=32), TASK, TAUGHT, seed=0)
    for name in (*TAUGHT, "4^2"):
        target = TASK.target(name)
        sources = TASK.aligned(target.structure, list(range(16)))
        assert js(target.structure, made.generate(target, 16, seed=1)) < 0.5 * js(target.structure, sources)
    assert made.history[-1]["behaviour"] < 0.5 * made.history[0]["behaviour"]
    assert (made.structures, made.task_config) == (list(TAUGHT), TASK.resolved())


def test_the_zoo_teaches_the_mean_choice_of_its_checkpoints() -> None:
    """A teacher that never was trained is learnt as well: its networks come nearer to it than sources are."""
    name = TAUGHT[2]
    teacher = untrained_checkpoints(name, seed=3)
    made = train_source_generator(source_config(150, teacher="zoo"), TASK, [name], [teacher], seed=0)
    states = TASK.probe(name, teacher.weights, 64, seed=9)
    chances = TASK.outputs(name, teacher.weights, states).exp().mean(0)

    def distance(weights: torch.Tensor) -> float:
        return float((TASK.outputs(name, weights, states).exp() - chances).abs().sum(-1).mean())

    assert distance(made.generate(TASK.target(name), 8, seed=0)) < 0.5 * distance(TASK.aligned(name, list(range(8))))


def test_the_gradient_is_that_of_finite_differences() -> None:
    with seeded(0):
        network = SourceNetwork(TASK.tokens(TAUGHT[1]).features.shape[1], 9, width=4, blocks=1).double()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    name, tokens = TAUGHT[1], TASK.tokens(TAUGHT[1])
    tokens = type(tokens)(tokens.index, tokens.features.double())
    states = TASK.probe(name, None, 16, seed=0)
    choices = TASK.optimal(name, states)
    assert choices is not None
    exercise = _Exercise(name, tokens, TASK.aligned(name, [0]).double(), states, choices.double())
    objective = SourceObjective(network, TASK, penalty=0.1)

    def loss() -> torch.Tensor:
        value = objective([exercise], torch.Generator())
        assert isinstance(value, tuple)
        return value[0]

    loss().backward()
    weight = network.enter.weight
    for place in ((0, 0), (2, 20), (3, 40)):
        with torch.no_grad():
            step, before = 1e-6, weight[place].item()
            values = []
            for sign in (1, -1):
                weight[place] = before + sign * step
                values.append(float(loss()))
            weight[place] = before
        assert weight.grad is not None
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(float(weight.grad[place]), rel=1e-4, abs=1e-9)


def test_an_interrupted_training_ends_with_the_same_bits() -> None:
    states: list[bytes] = []
    hooks = LocalHooks(checkpoint=lambda state, *_: states.append(state))
    whole = train_source_generator(source_config(30), TASK, TAUGHT, seed=0, hooks=hooks)
    resumed = train_source_generator(source_config(30), TASK, TAUGHT, seed=0, hooks=LocalHooks(initial_state=states[0]))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    other = train_source_generator(source_config(30), TASK, TAUGHT, seed=1)
    assert not torch.equal(other.network.enter.weight, whole.network.enter.weight)


def test_what_cannot_be_taught_is_one_line() -> None:
    with pytest.raises(ZoogenError, match="no structures to learn"):
        train_source_generator(source_config(1), TASK, [], seed=0)
    with pytest.raises(ZoogenError, match="no training checkpoints of A\\* 3\\^3; add it to zoo.structures"):
        train_source_generator(source_config(1, teacher="zoo"), TASK, TAUGHT[-1:], seed=0)
    with pytest.raises(ZoogenError, match="the task fake has no inputs to compare networks at"):
        train_source_generator(source_config(1), FakeTask(), ["3"], seed=0)
