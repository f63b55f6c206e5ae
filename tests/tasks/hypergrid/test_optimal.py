import pytest
import torch

from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.environment_config import RewardConfig, StopRule
from zoogen.tasks.hypergrid.optimal import OptimalPolicy, states_of
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.task import HypergridTask

GRIDS = [("3^3", "anywhere"), ("8^2", "anywhere"), ("5^1", "anywhere"), ("4^3", "forced_at_edge")]


def optimal(grid: str, stop_rule: StopRule) -> tuple[OptimalPolicy, torch.Tensor]:
    environment = HypergridEnvironment(HypergridStructure.parse(grid), RewardConfig(), stop_rule)
    return OptimalPolicy.of(environment), states_of(environment, torch.arange(environment.structure.states))


@pytest.mark.parametrize("grid", ["3^3", "8^2", "5^1", "2^5"])
def test_states_that_it_visits_are_the_choices_that_the_task_says(grid: str) -> None:
    policy, _ = optimal(grid, "anywhere")
    task = HypergridTask(HypergridConfig())
    assert float(policy.flow.sum() / policy.flow[0]) == pytest.approx(task.choices(task.canonical(grid)))


@pytest.mark.parametrize(("grid", "stop_rule"), GRIDS)
def test_its_terminating_distribution_is_the_reward(grid: str, stop_rule: StopRule) -> None:
    """Walked forward by brute force, state after state, without anything of the judge."""
    policy, states = optimal(grid, stop_rule)
    environment = policy.environment
    reached = policy.flow > 0
    chances = torch.zeros(len(states), environment.structure.dimensions + 1)
    chances[reached] = policy.chances(states[reached])
    places = {tuple(state.tolist()): k for k, state in enumerate(states)}
    mass = torch.zeros(len(states), dtype=torch.float64)
    mass[0] = 1
    ends = torch.zeros_like(mass)
    for k in states.sum(1).argsort(stable=True).tolist():
        ends[k] = mass[k] * chances[k, -1]
        for i, chance in enumerate(chances[k, :-1].tolist()):
            if chance > 0:
                child = states[k].clone()
                child[i] += 1
                mass[places[tuple(child.tolist())]] += mass[k] * chance
    rewards = torch.where(environment.terminal(states), environment.levels[environment.reward_class(states)], 0.0)
    torch.testing.assert_close(ends, rewards / environment.partition, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("grid", "stop_rule"), GRIDS)
def test_all_flow_leaves_from_the_start(grid: str, stop_rule: StopRule) -> None:
    policy, _ = optimal(grid, stop_rule)
    assert policy.flow[0].item() == pytest.approx(policy.environment.partition)


def test_chances_are_probabilities_and_never_leave_the_grid() -> None:
    policy, states = optimal("4^3", "forced_at_edge")
    come_by = policy.flow > 0
    chances = policy.chances(states[come_by])
    torch.testing.assert_close(chances.sum(1), torch.ones(int(come_by.sum())))
    assert (chances[:, :-1][~policy.environment.increment_mask(states[come_by])] == 0).all()


def test_states_are_visited_in_proportion_to_their_flow() -> None:
    policy, states = optimal("3^2", "anywhere")
    visits = policy.visited(40_000, seeded_generator(0))
    counts = torch.stack([(visits == state).all(1).sum() for state in states])
    torch.testing.assert_close(counts / 40_000, (policy.flow / policy.flow.sum()).float(), rtol=0.05, atol=0.002)
