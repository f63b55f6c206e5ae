"""Teaching by behaviour: against the exact judge, and a training that was interrupted."""

import pytest
import torch
from tests.fakes import FakeTask
from tests.generators.source.grids import TASK, TAUGHT, source_config, untrained_checkpoints
from tests.tasks.images.small import made as classifiers

from zoogen.errors import ZoogenError
from zoogen.generators.source.train import structure_chances, train_source_generator
from zoogen.training.hooks import LocalHooks
from zoogen.zoo.read import CheckpointSet


def js(structure: str, weights: torch.Tensor) -> float:
    """Median of the exact judge's divergence."""
    return float(TASK.score(structure, weights).groups["exact"].values["js"].median())


def test_the_exact_teacher_makes_policies_better_than_their_sources_also_of_an_unseen_grid() -> None:
    made = train_source_generator(source_config(1500, width=32, blocks=2), TASK, TAUGHT, seed=0)
    for name in (*TAUGHT, "4^2"):
        target = TASK.target(name)
        sources = TASK.aligned(target.structure, list(range(16)))
        assert js(target.structure, made.generate(target, 16, seed=1)) < 0.5 * js(target.structure, sources)
    assert made.history[-1]["divergence"] < 0.5 * made.history[0]["divergence"]
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


def test_structures_are_drawn_by_the_choices_that_they_take() -> None:
    names = [TASK.canonical(name) for name in ("2^2", "5^2", "3^3")]  # 2, 5 and 4 choices
    assert structure_chances(TASK, names, 1.0).tolist() == pytest.approx([2 / 11, 5 / 11, 4 / 11])
    assert structure_chances(TASK, names, 0.5)[1] / structure_chances(TASK, names, 0.5)[0] == pytest.approx(2.5**0.5)
    assert structure_chances(TASK, names, 0.0).tolist() == pytest.approx([1 / 3] * 3)
    assert structure_chances(classifiers(), ["a", "b"], 1.0).tolist() == [0.5, 0.5]


def test_an_interrupted_training_ends_with_the_same_bits() -> None:
    states: list[bytes] = []
    hooks = LocalHooks(checkpoint=lambda state, *_: states.append(state))
    whole = train_source_generator(source_config(30), TASK, TAUGHT, seed=0, hooks=hooks)
    resumed = train_source_generator(source_config(30), TASK, TAUGHT, seed=0, hooks=LocalHooks(initial_state=states[0]))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    other = train_source_generator(source_config(30), TASK, TAUGHT, seed=1)
    assert not torch.equal(other.network.out.weight, whole.network.out.weight)


def test_what_cannot_be_taught_is_one_line() -> None:
    with pytest.raises(ZoogenError, match="no structures to learn"):
        train_source_generator(source_config(1), TASK, [], seed=0)
    with pytest.raises(ZoogenError, match="no training checkpoints of A\\* 3\\^3; add it to zoo.structures"):
        train_source_generator(source_config(1, teacher="zoo"), TASK, TAUGHT[-1:], seed=0)
    with pytest.raises(ZoogenError, match="the task fake has no inputs to compare networks at"):
        train_source_generator(source_config(1), FakeTask(), ["3"], seed=0)


def test_classifiers_start_from_their_own_initialisation() -> None:
    """Any task with a behaviour: fresh sources become networks that choose what the teacher chooses."""
    task = classifiers(start="scratch", statistics="regenerated")
    target = task.target("mlp-mini@digits")
    teacher = task.untrained(target.structure, 1, seed=5) * 3  # decided, whatever it says
    rows = CheckpointSet(target, teacher, torch.zeros(1, dtype=torch.int64), torch.ones(1, dtype=torch.int64), {})
    config = source_config(200, teacher="zoo", width=64, styles=16)
    made = train_source_generator(config, task, [target.structure], [rows], seed=0)
    assert made.history[-1]["divergence"] < 0.5 * made.history[0]["divergence"]
    images = task.probe(target.structure, None, 100, seed=1)
    wanted = task.outputs(target.structure, teacher, images).argmax(-1)

    def agreement(weights: torch.Tensor) -> float:
        return float((task.outputs(target.structure, weights, images).argmax(-1) == wanted).float().mean())

    untrained = agreement(task.untrained(target.structure, 4, seed=0))
    assert agreement(made.generate(target, 4, seed=0)) > 2 * untrained
