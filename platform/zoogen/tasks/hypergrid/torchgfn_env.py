"""torchgfn's HyperGrid with this task's exact reward and stop rules.

Imports torchgfn, which sets the multiprocessing start method: import this module lazily.
"""

import itertools
from collections.abc import Iterator

import torch
from gfn.gym.hypergrid import HyperGrid, OriginalReward
from gfn.states import DiscreteStates
from torch import Tensor

from zoogen.tasks.hypergrid.environment import HypergridEnvironment


class ExactReward(OriginalReward):
    """The reward by integer band tests: torchgfn's float tests misplace states on band edges."""

    def __init__(self, environment: HypergridEnvironment) -> None:
        structure, reward = environment.structure, environment.reward
        super().__init__(structure.horizon, structure.dimensions, R0=reward.r0, R1=reward.r1, R2=reward.r2)
        self.environment = environment

    def __call__(self, states_tensor: Tensor) -> Tensor:
        """Rewards of states [..., n], [...] float32."""
        levels = self.environment.levels.to(states_tensor.device, torch.get_default_dtype())
        return levels[self.environment.reward_class(states_tensor)]


class ExactHyperGrid(HyperGrid):
    """A torchgfn environment equal to `environment`: same states, actions, masks and rewards.

    Example:
        >>> from zoogen.tasks.hypergrid.environment import RewardConfig
        >>> from zoogen.tasks.hypergrid.structure import HypergridStructure
        >>> ExactHyperGrid(HypergridEnvironment(HypergridStructure(3, 2), RewardConfig())).n_actions
        3
    """

    def __init__(self, environment: HypergridEnvironment, store_all_states: bool = False) -> None:
        self.environment = environment
        structure, reward = environment.structure, environment.reward
        super().__init__(
            ndim=structure.dimensions,
            height=structure.horizon,
            reward_fn_kwargs={"R0": reward.r0, "R1": reward.r1, "R2": reward.r2},
            validate_modes=False,  # several of the paper's structures have no R2 mode
        )
        self.reward_fn = ExactReward(environment)
        self.store_all_states = self.calculate_partition = store_all_states
        if store_all_states:
            self._enumerate_all_states_tensor()

    def make_states_class(self) -> type[DiscreteStates]:
        """States whose masks follow the environment's stop rule."""
        environment, base = self.environment, super().make_states_class()

        class ExactHyperGridStates(base):  # type: ignore[valid-type,misc]
            def _compute_forward_masks(self) -> Tensor:
                increments = environment.increment_mask(self.tensor)
                return torch.cat([increments, torch.ones_like(increments[..., :1])], dim=-1)

            def _compute_backward_masks(self) -> Tensor:
                # a parent exists only if the rule lets it move: from an edge it must stop
                n = self.tensor.shape[-1]
                unit = torch.eye(n, dtype=self.tensor.dtype, device=self.tensor.device)
                parents = (self.tensor.unsqueeze(-2) - unit).clamp(min=0)
                moves = environment.increment_mask(parents).diagonal(dim1=-2, dim2=-1)
                return (self.tensor > 0) & moves

        return ExactHyperGridStates

    def true_dist(self, condition: object = None) -> Tensor:
        """Reward over its sum, [h^n]; zero where the stop rule lets no trajectory end."""
        states = self.all_states
        assert states is not None, "true_dist needs store_all_states=True"
        rewards = self.reward(states) * self.environment.terminal(states.tensor)
        return rewards / rewards.sum()

    @property
    def n_terminating_states(self) -> int:
        return self.environment.terminal_count

    def _generate_combinations_in_batches(
        self, ndim: int, max_val: int, batch_size: int
    ) -> Iterator[list[tuple[int, ...]]]:
        """All states in batches, without the process pool of the base class."""
        product = itertools.product(range(max_val + 1), repeat=ndim)
        while batch := list(itertools.islice(product, batch_size)):
            yield batch
