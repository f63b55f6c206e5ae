import pytest
import torch

from zoogen.generators.source.network import SourceNetwork
from zoogen.generators.source.objective import Draw, SourceObjective, TaughtStructure, relative_distance
from zoogen.generators.source.sources import Sources
from zoogen.seeds import seeded
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.teaching.lessons import Lessons, lessons_of_optimum
from zoogen.weights.tokens import WeightTokens

TASK = HypergridTask(HypergridConfig())
GENERATOR = torch.Generator()


def objective(diversity: float, lessons: Lessons | None = None) -> SourceObjective:
    lessons = lessons or lessons_of_optimum(TASK, TASK.target("4^2"), 200, seed=0)
    sources = Sources.of(TASK, "4^2", 8, 1.5)
    with seeded(0):
        network = SourceNetwork(sources.tokens.features.shape[1], sources.tokens.width, 16, 1)
    return SourceObjective(network, TASK, [TaughtStructure(lessons, (sources,))], diversity)


def draw(networks: int, inputs: int = 50) -> Draw:
    return Draw(0, 0, torch.randn(networks, 8), torch.randint(200, (networks, inputs)))


def test_it_is_zero_where_networks_do_what_the_teacher_does() -> None:
    model, drawn = objective(0.0), draw(1)
    tokens = model.taught[0].sources[0]
    own = model.network([tokens.tokens.features], [tokens.drawn(drawn.numbers)])[0]
    lessons = model.taught[0].lessons
    choices = TASK.outputs("4^2", tokens.tokens.scatter(own), lessons.inputs)[0].exp().detach()
    taught = objective(0.0, Lessons(lessons.target, lessons.inputs, choices))
    taught.network.load_state_dict(model.network.state_dict())
    assert abs(taught([drawn], GENERATOR)[0].item()) < 1e-6
    assert model([drawn], GENERATOR)[0].item() > 0.01


def test_the_gradient_is_that_of_finite_differences() -> None:
    model = objective(1.2).double()
    lessons, sources = model.taught[0].lessons, model.taught[0].sources[0]
    tokens = WeightTokens(sources.tokens.index, sources.tokens.features.double())
    doubled = Lessons(lessons.target, lessons.inputs, lessons.choices.double())
    model.taught = [TaughtStructure(doubled, (Sources(tokens, sources.styles.double()),))]
    drawn = draw(2)
    drawn = Draw(0, 0, drawn.numbers.double(), drawn.rows)
    model([drawn], GENERATOR)[0].backward()
    for parameter in (model.network.source.weight, model.network.out.bias):
        place, step, values = (0,) * parameter.ndim, 1e-6, []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[place] += sign * step
                values.append(model([drawn], GENERATOR)[0].item())
                parameter[place] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        assert parameter.grad[place].item() == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_networks_that_are_too_alike_cost() -> None:
    drawn = draw(2)
    alike = Draw(0, 0, drawn.numbers[:1].expand(2, -1), drawn.rows)
    with_it, without = objective(0.5), objective(0.0)
    assert with_it([alike], GENERATOR)[0].item() == pytest.approx(
        without([alike], GENERATOR)[0].item() + 0.25, abs=1e-4
    )
    assert with_it([alike], GENERATOR)[1]["distance"].item() == pytest.approx(0, abs=1e-5)


def test_relative_distance_of_independent_networks_is_the_root_of_two() -> None:
    first, second = torch.randn(2, 4, 100, 30)
    torch.testing.assert_close(relative_distance(first, second), torch.full((4,), 2**0.5), rtol=0.1, atol=0)
    assert relative_distance(first, first).max() < 1e-5


def test_a_few_steps_teach() -> None:
    model = objective(0.3)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    torch.manual_seed(0)
    first = model([draw(2, 200)], GENERATOR)[0].item()
    for _ in range(150):
        loss = model([draw(2)], GENERATOR)[0]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert model([draw(2, 200)], GENERATOR)[0].item() < 0.6 * first
