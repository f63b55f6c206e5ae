"""Trajectories: legality, bookkeeping and the carried first layer."""

import pytest
import torch

from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig, StopRule
from zoogen.tasks.hypergrid.sampling import TrajectorySampler
from zoogen.tasks.hypergrid.structure import HypergridStructure


def sampler(
    h: int, n: int, models: int, batch: int, rule: StopRule = "anywhere", scale: float = 2.0
) -> tuple[TrajectorySampler, list[torch.Generator]]:
    env = HypergridEnvironment(HypergridStructure(h, n), RewardConfig(), rule)
    shape = MLPShape(env.structure.state_size, 8, env.structure.actions)
    policy = StackedMLP(shape, shape.initial(list(range(models))) * scale)
    return TrajectorySampler(policy, env, batch), [torch.Generator().manual_seed(100 + m) for m in range(models)]


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0])
def test_trajectories_are_legal_paths_from_the_origin(rule: StopRule, epsilon: float) -> None:
    subject, generators = sampler(5, 3, models=4, batch=9, rule=rule)
    trajectories = subject.sample(subject.uniforms(generators), epsilon)
    rows = trajectories.rows
    assert rows is not None
    for m in range(4):
        paths: dict[int, list[tuple[int, list[int], int]]] = {}
        for r in torch.nonzero(rows.valid[m]).flatten().tolist():
            step, b = divmod(int(rows.slots[m, r]), 9)
            paths.setdefault(b, []).append((step, rows.states[m, r].tolist(), int(rows.actions[m, r])))
        assert sorted(paths) == list(range(9))
        for b, path in paths.items():
            path.sort()
            state = [0, 0, 0]
            for t, (step, seen, action) in enumerate(path):
                assert step == t
                assert seen == state
                allowed = subject.environment.increment_mask(torch.tensor(state)).tolist()
                if t + 1 < len(path):
                    assert allowed[action]
                    state[action] += 1
                else:
                    assert action == 3
            assert state == trajectories.final[m, b].tolist()
    assert trajectories.steps == max(1 + int(s.sum()) for s in trajectories.final.flatten(0, 1))


def test_the_carried_first_layer_equals_a_forward_pass() -> None:
    subject, generators = sampler(12, 3, models=3, batch=20)
    rows = subject.sample(subject.uniforms(generators)).rows
    assert rows is not None
    encoded = torch.nn.functional.one_hot(rows.states, 12).flatten(2).float()
    logits, activations = subject.policy.forward(encoded)
    finite = torch.isfinite(rows.logits)
    torch.testing.assert_close(rows.logits[finite], logits[finite], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rows.activations.hidden2, activations.hidden2, atol=1e-5, rtol=1e-5)
    assert torch.equal(~finite[..., :3], ~subject.environment.increment_mask(rows.states))


def test_dense_and_rowwise_are_inverse() -> None:
    subject, generators = sampler(6, 2, models=3, batch=16)
    trajectories = subject.sample(subject.uniforms(generators))
    assert trajectories.rows is not None
    values = torch.arange(trajectories.rows.actions.numel()).view_as(trajectories.rows.actions).float() + 1
    values = torch.where(trajectories.rows.valid, values, 0)
    dense = trajectories.dense(values)
    assert dense.shape == (3, trajectories.steps, 16)
    assert torch.equal(trajectories.rowwise(dense), values)
    assert (dense != 0).sum() == trajectories.rows.valid.sum()


def test_a_models_trajectories_do_not_depend_on_its_company() -> None:
    """Models of very different length: dropping finished rows must not shift anybody's random numbers."""
    together, generators = sampler(10, 3, models=6, batch=8, scale=6.0)
    both = together.sample(together.uniforms(generators)).final
    for m in range(6):
        env = together.environment
        alone = StackedMLP(together.policy.shape, together.policy.flat()[m : m + 1])
        single = TrajectorySampler(alone, env, 8)
        final = single.sample(single.uniforms([torch.Generator().manual_seed(100 + m)])).final
        assert torch.equal(final[0], both[m])


def test_a_diverged_policy_stops_and_stays_on_the_grid() -> None:
    subject, generators = sampler(5, 2, models=2, batch=4)
    flat = subject.policy.flat()
    flat[0] = torch.nan
    subject.policy.load(flat)
    final = subject.sample(subject.uniforms(generators)).final
    assert (final[0] == 0).all()
    assert ((final[1] >= 0) & (final[1] < 5)).all()
