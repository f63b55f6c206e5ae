"""The torchgfn task behind the `Task` contract."""

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.shown import shown
from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.limits import MOST_SAMPLES, beyond
from zoogen.tasks.records import Cohort, CohortSpec, MetricGroup, Portrait, Scores
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.enumeration import StateGraph
from zoogen.tasks.torchgfn.environments import excess, make_environment
from zoogen.tasks.torchgfn.judge import PolicyJudge, state_graph
from zoogen.tasks.torchgfn.policies import forward_policy, get_weights, layout_of, mlp, preprocessor
from zoogen.tasks.torchgfn.source import require_source, source_of
from zoogen.tasks.torchgfn.taught import log_chances, visited_states
from zoogen.tasks.torchgfn.training import train_run
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup, linear_chain

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv

# what a weights file from anywhere may ask for
_MOST_STATES, _WIDEST, _DEEPEST = 1_000_000, 4_096, 16


class TorchgfnTask(Task):
    """Policies on a discrete torchgfn environment; structures are named sets of its arguments."""

    name = "torchgfn"

    def __init__(self, config: TorchgfnConfig) -> None:
        self.config = config

    def resolved(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def resolved_for(self, structure: str) -> dict[str, Any]:
        """The configuration with this structure alone, so that adding others renames no cohort."""
        name = self.canonical(structure)
        return self.resolved() | {"structures": {name: self.config.structures[name]}} | self.content(name)

    def content(self, structure: str) -> dict[str, Any]:
        """The source of an environment of one's own; nothing of those that are installed."""
        source = source_of(self.config.environment)
        return {} if source is None else {"source": source}

    def canonical(self, structure: str) -> str:
        if structure not in self.config.structures:
            known = ", ".join(self.config.structures)
            raise ZoogenError(f"unknown structure {shown(structure)}; task.structures names {known}")
        return structure

    def label(self, structure: str) -> str:
        return self.canonical(structure)

    def environment(self, structure: str) -> "DiscreteEnv":
        return make_environment(self.config.environment, self.config.structures[self.canonical(structure)])

    def excess(self, structure: str) -> str:
        config, network = self.config, self.config.network
        return (
            beyond("samples", config.samples, MOST_SAMPLES)
            or beyond("exact_states", config.exact_states, _MOST_STATES)
            or beyond("hidden", network.hidden, _WIDEST)
            or beyond("hidden_layers", network.hidden_layers, _DEEPEST)
            or excess(config.environment, config.structures[self.canonical(structure)])
        )

    def layout(self, structure: str) -> ParameterLayout:
        env = self.environment(structure)
        return layout_of(mlp(self.config, env, env.n_actions, 0))

    def condition(self, structure: str) -> tuple[float, ...]:
        """Width of the encoding, number of actions, and the numeric arguments by name (0 for none)."""
        env, own = self.environment(structure), self.config.structures[structure]
        every = self.config.structures.values()
        names = sorted({k for arguments in every for k, v in arguments.items() if isinstance(v, int | float)})
        values = [own.get(name, 0) for name in names]
        inputs = preprocessor(self.config, env).output_dim or 0
        return (float(inputs), float(env.n_actions), *(float(v) if isinstance(v, int | float) else 0.0 for v in values))

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        """Train the runs one after the other (on the CPU: single small networks gain nothing on a GPU)."""
        config = parse_config(TorchgfnConfig, dict(spec.task), f"cohort {spec.digest}")
        require_source(config.environment, config.source)
        env = TorchgfnTask(config).environment(spec.structure)
        start, iterations = time.monotonic(), config.training.iterations
        trained = []
        for index in range(len(spec.runs)):

            def report(done: int, loss: float, before: int = index * iterations) -> None:
                if progress is not None:
                    progress(before + done, len(spec.runs) * iterations, {"loss": loss})

            trained.append(train_run(config, env, spec.runs[index], report))
        figures = {
            "loss": torch.stack([run.loss for run in trained]),
            "log_z": torch.stack([run.log_z for run in trained]),
        }
        weights = torch.stack([run.weights for run in trained])
        steps = torch.tensor(config.training.checkpoint_steps())
        return Cohort(spec, steps, weights, figures, time.monotonic() - start)

    def untrained(self, structure: str, count: int, seed: int) -> Tensor:
        env = self.environment(structure)
        seeds = [derive_seed("untrained", seed, k) for k in range(count)]
        return torch.stack([get_weights(forward_policy(self.config, env, s).module) for s in seeds])

    def graph(self, structure: str) -> StateGraph | None:
        """The structure's states, or None if there are more than `exact_states`."""
        arguments = json.dumps(self.config.structures[self.canonical(structure)], sort_keys=True)
        return state_graph(self.config.environment, arguments, self.config.exact_states)

    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        name, size = self.canonical(structure), self.layout(structure).size
        if weights.ndim != 2 or weights.shape[1] != size:
            raise ZoogenError(f"weights have shape {list(weights.shape)}, policies of {name} need [K, {size}]")
        if not bool(torch.isfinite(weights).all()):
            bad = (~torch.isfinite(weights).all(1)).nonzero().flatten()
            raise ZoogenError(f"{len(bad)} of {len(weights)} networks hold NaN or infinity, first {int(bad[0])}")
        weights = weights.cpu()
        judge, graph = PolicyJudge(self.config, self.environment(name)), self.graph(name)
        if graph is not None:
            return Scores(name, {"exact": MetricGroup(judge.exact(graph, weights))})
        fresh = judge.sampled(self.untrained(name, 1, seed), seed)
        floors = {"untrained": {metric: float(values[0]) for metric, values in fresh.items()}}
        settings = {"samples": self.config.samples, "seed": seed}
        notice = (
            f"{name} has more than {self.config.exact_states:,} states: metrics are those of {self.config.samples:,} "
            "samples, and sampled.js compares only the visited states (raise task.exact_states for exact ones)"
        )
        return Scores(name, {"sampled": MetricGroup(judge.sampled(weights, seed), floors, settings)}, (notice,))

    def symmetries(self, structure: str) -> tuple[UnitGroup, ...]:
        layout = self.layout(structure)
        return linear_chain(layout, [n.removesuffix(".weight") for n in layout.shapes if n.endswith(".weight")])

    def probe(self, structure: str, weights: Tensor | None, count: int, seed: int, device: str = "cpu") -> Tensor:
        """States [count, ...] that the policies visit."""
        if weights is None:
            raise self._lacks("no optimum whose states could be visited")
        return visited_states(self.config, self.environment(structure), weights, count, seed)

    def outputs(self, structure: str, weights: Tensor, inputs: Tensor) -> Tensor:
        return log_chances(self.config, self.environment(structure), weights, inputs)

    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor | None:
        """Exact terminating distributions over the reachable states, [K, S] float32; None where there are too many."""
        graph = self.graph(structure)
        if graph is None:
            return None
        judge = PolicyJudge(self.config, self.environment(structure))
        return torch.cat([judge.distribution(graph, row.unsqueeze(0)).float() for row in weights.cpu()])

    def portraits(self, structure: str, weights: Tensor, device: str = "cpu") -> tuple[Portrait, ...]:
        """Truth and learnt distribution over the first two coordinates of the state."""
        judge, graph = PolicyJudge(self.config, self.environment(structure)), self.graph(structure)
        if graph is not None:
            learnt = judge.distribution(graph, weights.cpu().unsqueeze(0))[0]
            pictures = {"truth": graph.truth, "learnt": learnt}
            return tuple(Portrait(title, _marginal(graph.states, mass)) for title, mass in pictures.items())
        visited, counts, log_reward = judge.samples(weights.cpu(), 0)
        return (
            Portrait("reward of visited states", _marginal(visited, log_reward.softmax(0))),
            Portrait("learnt (samples)", _marginal(visited, counts / counts.sum())),
        )

    def file_metadata(self, structure: str) -> dict[str, str]:
        name, network = self.canonical(structure), self.config.network
        return {
            "task": self.name,
            "structure": name,
            "environment": self.config.environment,
            "arguments": json.dumps(self.config.structures[name], sort_keys=True),
            "state_encoding": type(preprocessor(self.config, self.environment(name))).__name__,
            "action_order": "the environment's actions, stop last",
            "activation": network.activation,
            "activation_slope": "0.01" if network.activation == "leaky_relu" else "",
        }

    def describe_run(self) -> dict[str, str]:
        training = self.config.training
        return {"objective": training.objective.kind, "optimiser": training.optimiser.kind}

    @property
    def primary_metrics(self) -> tuple[str, ...]:
        return ("exact.js", "sampled.js")


def _marginal(states: Tensor, mass: Tensor) -> np.ndarray:
    """Probability mass by the first two coordinates of the states [S, …], as a 2-D array."""
    flat = states.reshape(len(states), -1)
    rows = torch.unique(flat[:, 0], return_inverse=True)[1]
    columns = torch.unique(flat[:, 1], return_inverse=True)[1] if flat.shape[1] > 1 else torch.zeros_like(rows)
    picture = torch.zeros(int(rows.max()) + 1, int(columns.max()) + 1, dtype=torch.float64)
    return picture.index_put_((rows, columns), mass.double(), accumulate=True).numpy()
