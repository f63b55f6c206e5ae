"""The hypergrid task behind the `Task` contract."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.shown import shown
from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.hypergrid.aligned import aligned_policies
from zoogen.tasks.hypergrid.behaviour import distributions, layer_outputs
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.fine_tune import fine_tune_policies
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.optimal import optimal_policy
from zoogen.tasks.hypergrid.protocol import SampledProtocol
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.taught import log_chances, probed_states
from zoogen.tasks.hypergrid.tokens import policy_tokens
from zoogen.tasks.hypergrid.trainer import CohortTrainer
from zoogen.tasks.hypergrid.transfer import transfer_policies
from zoogen.tasks.limits import MOST_SAMPLES, beyond
from zoogen.tasks.records import Cohort, CohortSpec, FineTuned, FineTuneSpec, MetricGroup, Portrait, Scores
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup, linear_chain
from zoogen.weights.tokens import WeightTokens

# what a weights file from anywhere may ask for
_MOST_REPEATS, _MOST_MEMORY, _MOST_INPUTS = 64, 4.0, 4_096


class HypergridTask(Task):
    """GFlowNet policies on hypergrids."""

    name = "hypergrid"

    def __init__(self, config: HypergridConfig) -> None:
        self.config = config

    def resolved(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def resolved_for(self, structure: str) -> dict[str, Any]:
        training = self.config.training.for_structure(self.canonical(structure))
        return self.config.model_copy(update={"training": training}).model_dump(mode="json")

    def canonical(self, structure: str) -> str:
        return HypergridStructure.parse(structure).name

    def label(self, structure: str) -> str:
        return HypergridStructure.parse(structure).label

    def excess(self, structure: str) -> str:
        judge, parsed = self.config.judge, HypergridStructure.parse(structure)
        return (
            beyond("samples", judge.samples, MOST_SAMPLES)
            or beyond("floor_repeats", judge.floor_repeats, _MOST_REPEATS)
            or beyond("memory_gib", judge.memory_gib, _MOST_MEMORY)
            or beyond("inputs n·h", parsed.state_size, _MOST_INPUTS)
        )

    def layout(self, structure: str) -> ParameterLayout:
        return self.shape(structure).layout

    def condition(self, structure: str) -> tuple[float, ...]:
        """c = [s, h, n, d], d the real number √s."""
        parsed = HypergridStructure.parse(structure)
        return (float(parsed.state_size), float(parsed.horizon), float(parsed.dimensions), parsed.size)

    def axes(self, structure: str) -> dict[str, float]:
        """Horizon h and number of dimensions n."""
        parsed = HypergridStructure.parse(structure)
        return {"h": float(parsed.horizon), "n": float(parsed.dimensions)}

    def with_iterations(self, iterations: int) -> "HypergridTask":
        training = self.config.training.with_iterations(iterations)
        return HypergridTask(self.config.model_copy(update={"training": training}))

    def shape(self, structure: str) -> MLPShape:
        parsed = HypergridStructure.parse(structure)
        return MLPShape(parsed.state_size, self.config.hidden, parsed.actions, self.config.slope)

    def environment(self, structure: str) -> HypergridEnvironment:
        return HypergridEnvironment(HypergridStructure.parse(structure), self.config.reward, self.config.stop_rule)

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        task = HypergridTask(parse_config(HypergridConfig, dict(spec.task), f"cohort {spec.digest}"))
        training = task.config.training.for_structure(spec.structure)
        environment, shape = task.environment(spec.structure), task.shape(spec.structure)
        seeds = [run.init_seed for run in spec.runs]
        weights = task.aligned(spec.structure, seeds) if spec.aligned else shape.initial(seeds)
        trained = CohortTrainer(environment, shape, training, spec.runs, device, weights).train(progress)
        return Cohort(spec, trained.steps, trained.weights, trained.figures, trained.seconds)

    def fine_tune(
        self, spec: FineTuneSpec, weights: Tensor, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> FineTuned:
        """Train policies [M, D] on with the structure's own training settings; see `fine_tune_policies`."""
        name = self.canonical(spec.structure)
        training, environment = self.config.training.for_structure(name), self.environment(name)
        return fine_tune_policies(environment, self.shape(name), training, spec, weights, device, progress)

    def tokens(self, structure: str, arrangement: int = 0) -> WeightTokens:
        """Dimensions are interchangeable: arrangements give them other numbers."""
        return policy_tokens(self.environment(structure), self.shape(structure), arrangement)

    def probe(self, structure: str, weights: Tensor | None, count: int, seed: int, device: str = "cpu") -> Tensor:
        """States, most of them visited; see `probed_states`."""
        environment = self.environment(structure)
        policies = optimal_policy(environment) if weights is None else weights
        return probed_states(environment, self.shape(structure), policies, count, seed, device)

    def outputs(self, structure: str, weights: Tensor, inputs: Tensor) -> Tensor:
        return log_chances(self.environment(structure), self.shape(structure), weights, inputs)

    def optimal(self, structure: str, inputs: Tensor) -> Tensor:
        return optimal_policy(self.environment(structure)).chances(inputs)

    def choices(self, structure: str) -> float:
        """Length of a trajectory with its stop, of a policy that fits a reward symmetrical in every coordinate."""
        grid = self.environment(structure).structure
        return 1.0 + grid.dimensions * (grid.horizon - 1) / 2

    def aligned(self, structure: str, seeds: list[int], arrangement: int = 0) -> Tensor:
        grid, shape = HypergridStructure.parse(structure), self.shape(structure)
        return aligned_policies(grid, shape, self.tokens(structure), seeds, arrangement)

    def sources(self, structure: str, seeds: list[int], arrangement: int = 0) -> Tensor:
        return self.aligned(structure, seeds, arrangement)

    def untrained(self, structure: str, count: int, seed: int) -> Tensor:
        return self.shape(structure).initial([derive_seed("untrained", seed, k) for k in range(count)])

    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        name, shape, environment = self.canonical(structure), self.shape(structure), self.environment(structure)
        if weights.ndim != 2 or weights.shape[1] != shape.layout.size:
            raise ZoogenError(
                f"weights of shape {list(weights.shape)} are not policies of {self.label(name)}: "
                f"expected [K, {shape.layout.size}] with hidden width {shape.hidden}"
            )
        if not torch.isfinite(weights).all():
            bad = torch.nonzero(~torch.isfinite(weights).all(1)).flatten()
            raise ZoogenError(f"{len(bad)} of {len(weights)} networks hold NaN or infinity; the first is {int(bad[0])}")
        judge, groups, notices = self.config.judge, {}, []
        if judge.exact and ExactJudge.capacity(environment.structure, shape, judge.memory_gib) >= 1:
            metrics = ExactJudge(environment, shape, judge.memory_gib, device).metrics(weights)
            groups["exact"] = MetricGroup(dataclasses.asdict(metrics))
        elif judge.exact:
            notices.append(
                f"{self.label(name)}: {environment.structure.states:,} states exceed the exact judge's budget of "
                f"{judge.memory_gib:g} GiB, so metrics are sampled only (raise task.judge.memory_gib)"
            )
        samples = judge.samples or (0 if groups else 1_000)
        if samples:
            protocol = SampledProtocol(environment, shape, samples, judge.floor_repeats)
            values = protocol.metrics(weights, seed, device)
            groups["sampled"] = MetricGroup(values, protocol.floors(seed), {"samples": samples, "seed": seed})
        return Scores(name, groups, tuple(notices))

    def symmetries(self, structure: str) -> tuple[UnitGroup, ...]:
        # LeakyReLU also lets a unit be scaled by any positive number; that is no renumbering and stays out
        return linear_chain(self.layout(structure), ("dense1", "dense2", "dense3"))

    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor | None:
        """Exact terminating distributions over the grid in row-major order, [K, h^n] float32."""
        budget = self.config.judge.memory_gib
        return distributions(self.environment(structure), self.shape(structure), weights, budget, device)

    def activations(
        self, structure: str, weights: Tensor, count: int, seed: int, device: str = "cpu"
    ) -> dict[str, Tensor]:
        parsed, shape = HypergridStructure.parse(structure), self.shape(structure)
        outputs = layer_outputs(parsed, shape, weights.to(device), count, seed)
        return {name: output.cpu() for name, output in outputs.items()}

    def transfer(self, weights: Tensor, source: str, target: str, seed: int = 0) -> Tensor:
        """Inputs of corresponding levels, outputs of corresponding actions; nothing is random, so no seed is used."""
        grids = HypergridStructure.parse(source), HypergridStructure.parse(target)
        return transfer_policies(weights, *grids, self.shape(source), self.shape(target))

    def portraits(self, structure: str, weights: Tensor, device: str = "cpu") -> tuple[Portrait, ...]:
        """Truth and learnt distribution, summed over all but the first two dimensions."""
        environment, shape = self.environment(structure), self.shape(structure)
        grid = environment.structure
        if ExactJudge.capacity(grid, shape, self.config.judge.memory_gib) < 1:
            return ()
        judge = ExactJudge(environment, shape, self.config.judge.memory_gib, device)

        def marginal(distribution: Tensor) -> np.ndarray:
            if grid.dimensions == 1:
                return distribution.view(1, -1).numpy()
            return distribution.view(grid.horizon, grid.horizon, -1).sum(-1).numpy()

        learnt = judge.distribution(weights.unsqueeze(0))[0]
        return Portrait("truth", marginal(judge.truth())), Portrait("learnt", marginal(learnt))

    def infer_structure(self, shapes: dict[str, tuple[int, ...]], known: Sequence[str] = ()) -> str:
        try:
            state, actions = shapes["dense1.weight"][1], shapes["dense3.bias"][0]
        except (KeyError, IndexError):
            raise ZoogenError(
                "no hypergrid policies: expected tensors dense1.weight, dense1.bias, … dense3.bias, found "
                + (", ".join(sorted(shapes)) or "none")
            ) from None
        dimensions = actions - 1
        if dimensions < 1 or state % dimensions or state // dimensions < 2:
            raise ZoogenError(
                f"{actions} outputs and {state} inputs fit no hypergrid: they must be n + 1 and n·h, h ≥ 2"
            )
        return HypergridStructure(state // dimensions, dimensions).name

    def for_file(self, metadata: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> "HypergridTask":
        update: dict[str, Any] = {}
        if len(shapes.get("dense1.bias", ())) == 1:
            update["hidden"] = shapes["dense1.bias"][0]
        if "activation_slope" in metadata:
            try:
                update["slope"] = float(metadata["activation_slope"])
            except ValueError:
                given = shown(metadata["activation_slope"])
                raise ZoogenError(f"metadata activation_slope {given} is no number") from None
        return HypergridTask(parse_config(HypergridConfig, self.resolved() | update, "weights file"))

    def file_metadata(self, structure: str) -> dict[str, str]:
        return {
            "task": self.name,
            "structure": self.canonical(structure),
            "state_encoding": "one-hot, dimension-major: index i*h + j",
            "action_order": "increment of dimension 0..n-1, then stop",
            "activation": "leaky_relu",
            "activation_slope": repr(self.config.slope),
            "reward": self.config.reward.model_dump_json(),
            "stop_rule": self.config.stop_rule,
        }

    def describe_run(self) -> dict[str, str]:
        training = self.config.training
        return {"objective": training.objective.kind, "optimiser": training.optimiser.kind}

    @property
    def primary_metrics(self) -> tuple[str, ...]:
        return ("exact.js", "sampled.js")

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        """Fresh samples choose; what the exact judge reports of the chosen network is then not what chose it."""
        return ("sampled.js", *(metric for metric in self.primary_metrics if metric != "sampled.js"))
