"""Training of several networks of one structure: one after the other or stacked, whichever pays."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.images.config import ImagesConfig, PhaseConfig
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.features import frozen_prefix
from zoogen.tasks.images.stacked import stackable, stacks, train_stacked
from zoogen.tasks.images.training import Images, Logits, Stream, TrainingFigures, train
from zoogen.tasks.images.view import ClassifierView

State = Mapping[str, Tensor]  # tensors of a network by name
Keep = Callable[[int | None, int, State], None]
"""Gets the number of a network, that of its checkpoint and its state; None: the stacked states of all networks."""


class Progress:
    """Progress of several phases of M networks as one count of iterations."""

    def __init__(self, callback: ProgressCallback | None, phases: Sequence[PhaseConfig], count: int) -> None:
        self._callback, self._done = callback, 0
        self._total = count * sum(phase.iterations for phase in phases)

    def of(self, networks: int) -> ProgressCallback:
        """For the next phase of so many networks at once."""

        def report(done: int, _: int, figures: Mapping[str, float]) -> None:
            if self._callback is not None:
                self._callback(self._done + networks * done, self._total, figures)

        return report

    def finish(self, iterations: int) -> None:
        """So many iterations, over all networks, are done."""
        self._done += iterations


@dataclass
class Trainer:
    """Trains networks of one structure on one device.

    Attributes:
        module: the network that is trained, in place; what `names` lacks is the same for all.
        parameters: names of the parameters that are collected.
        names: tensors that differ between networks: everything, or the subset and the buffers of its layers.
    """

    config: ImagesConfig
    view: ClassifierView
    data: ImageData
    device: str
    progress: Progress
    module: nn.Module = field(init=False)
    images: Images = field(init=False)
    parameters: list[str] = field(init=False)
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.module = copy.deepcopy(self.view.module).to(self.device)
        self.images = Images(self.data.train, self.device)
        parameters = [name for name, _ in self.module.named_parameters()]
        self.parameters = [name for name in self.view.names if name in parameters]
        layers = {name.rpartition(".")[0] for name in self.parameters}
        buffers = [name for name, _ in self.module.named_buffers() if name.rpartition(".")[0] in layers]
        changing, kept = {*self.parameters, *buffers}, self.module.state_dict().keys()
        names = [*parameters, *(name for name, _ in self.module.named_buffers())]  # a shared tensor by its first name
        self.names = [name for name in names if name in kept and (self.config.whole or name in changing)]

    def load(self, state: State) -> None:
        """Take over a whole state."""
        self.module.load_state_dict(dict(state))

    def own(self, state: State) -> State:
        """Copies of what differs between networks."""
        return {name: state[name].detach().to("cpu", copy=True) for name in self.names}

    def networks(self, states: Sequence[State], seeds: Sequence[int]) -> list[State]:
        """Whole networks trained by `config.training`; NaN where that diverged."""
        phase = self.config.training
        tags = [derive_seed("training", seed) for seed in seeds]
        starts = [self.own(state) for state in states]
        if not phase.iterations:
            return starts
        ends: list[State] = list(starts)

        def keep(m: int | None, _: int, state: State) -> None:
            if m is not None:
                ends[m] = self.own(state)
            else:
                ends[:] = [self.own({name: state[name][k] for name in state}) for k in range(len(ends))]

        figures = self._train(starts, phase, tags, [phase.iterations], keep, whole=True)
        return [e if ok else _lost(e) for e, ok in zip(ends, figures.finite[:, -1].tolist(), strict=True)]

    def trajectories(
        self, starts: Sequence[State], phase: PhaseConfig, seeds: Sequence[int], steps: Sequence[int]
    ) -> tuple[Tensor, TrainingFigures]:
        """Flat weights [M, C, D] after `steps` of the phase, and its figures."""
        weights = torch.full((len(starts), len(steps), self.view.layout.size), math.nan)

        def keep(m: int | None, c: int, state: State) -> None:
            weights[slice(None) if m is None else m, c] = self.view.extract(state).cpu()

        figures = self._train(starts, phase, seeds, steps, keep, whole=False)
        return weights.masked_fill(~figures.finite[:, :, None], math.nan), figures

    def _train(
        self,
        starts: Sequence[State],
        phase: PhaseConfig,
        seeds: Sequence[int],
        steps: Sequence[int],
        keep: Keep,
        whole: bool,
    ) -> TrainingFigures:
        """Train from all starts: the whole network in training mode, or what is collected of it (`set_modes`)."""
        parameters = None if whole else self.parameters
        streams = [Stream(self.data.train, phase, seed) for seed in seeds]
        prefix = None if whole else self._prefix(starts[0], phase)
        if prefix is None and len(starts) > 1 and self._stacks(starts[0], parameters):
            return self._stacked(starts, phase, streams, steps, keep, parameters)
        state = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        found = []
        for m, (start, stream, seed) in enumerate(zip(starts, streams, seeds, strict=True)):
            self.module.load_state_dict(dict(start), strict=False)
            figures = train(
                self.module,
                self.images,
                stream,
                phase,
                seed=seed,
                parameters=parameters,
                statistics=self.config.statistics,
                logits=prefix,
                steps=steps,
                on_checkpoint=lambda c, m=m: keep(m, c, state),  # type: ignore[misc]  # mypy cannot infer the default
                progress=self.progress.of(1),
            )
            self.progress.finish(phase.iterations)
            found.append(figures)
        return TrainingFigures(torch.cat([f.loss for f in found]), torch.cat([f.accuracy for f in found]))

    def _stacks(self, start: State, parameters: list[str] | None) -> bool:
        """Whether networks are trained in batched passes.

        Raises:
            ZoogenError: it is asked for, and they cannot.
        """
        if not stacks(self.module, self.config.mode, self.device):
            return False
        few = self.images.take(torch.arange(min(4, len(self.data.train))))
        possible = stackable(self.module, start, few, parameters, self.config.statistics)
        if not possible and self.config.mode == "stacked":
            raise ZoogenError(
                "these networks cannot be trained in batched passes (they draw random numbers, or branch by values); "
                "set task.mode to auto"
            )
        return possible

    def _stacked(
        self,
        starts: Sequence[State],
        phase: PhaseConfig,
        streams: Sequence[Stream],
        steps: Sequence[int],
        keep: Keep,
        parameters: list[str] | None,
    ) -> TrainingFigures:
        tensors = {name: torch.stack([start[name] for start in starts]).to(self.device) for name in starts[0]}
        figures = train_stacked(
            self.module,
            tensors,
            self.images,
            streams,
            phase,
            parameters=parameters,
            statistics=self.config.statistics,
            steps=steps,
            on_checkpoint=lambda c: keep(None, c, tensors),
            progress=self.progress.of(len(starts)),
        )
        self.progress.finish(len(starts) * phase.iterations)
        return figures

    def _prefix(self, start: State, phase: PhaseConfig) -> Logits | None:
        """The network with its frozen part computed once, where there is one and it sees the same images always."""
        if self.config.whole or phase.augmentation != "none" or not self.images.whole:
            return None
        self.module.load_state_dict(dict(start), strict=False)
        found = frozen_prefix(self.module, self.view.names, self.images.stored, self.device)
        return None if found is None else found.logits


def _lost(state: State) -> State:
    """The state with NaN for all its numbers, so that what is trained from it counts as diverged."""
    return {n: torch.full_like(t, math.nan) if t.is_floating_point() else t for n, t in state.items()}
