"""The images task behind the `Task` contract."""

import json
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from zoogen.bounded import parse_json
from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.networks.classifiers.own import own_failures
from zoogen.shown import shown
from zoogen.tasks.assets import MemoryAssets
from zoogen.tasks.base import Assets, ProgressCallback
from zoogen.tasks.images.activations import layer_outputs
from zoogen.tasks.images.bench import GROUPS, Bench, Rest, bench_of
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.error_overlap import overlap_of_errors
from zoogen.tasks.images.limits import excess
from zoogen.tasks.images.loaded import published_weights
from zoogen.tasks.images.names import ImagesNames
from zoogen.tasks.images.outputs import log_probabilities, training_images
from zoogen.tasks.images.structure import placed
from zoogen.tasks.images.symmetries import within
from zoogen.tasks.images.trajectory import collect, continue_training
from zoogen.tasks.images.trunk import Trunk, kept_trunk, make_trunk, read_trunk, stored_trunk, trunk_key
from zoogen.tasks.records import Cohort, CohortSpec, FineTuned, FineTuneSpec, MetricGroup, Portrait, Scores
from zoogen.weights.symmetry import UnitGroup

_OF_PROCESS = MemoryAssets()  # where tasks without assets keep their trunks


class ImagesTask(ImagesNames):
    """Classifiers of images; structures are `network@data`."""

    fixed: str = ""  # digest of the trunk that networks of a weights file belong to, empty for any

    def excess(self, structure: str) -> str:
        return excess(self.config)

    @own_failures("training the trunk")
    def prepare(self, structure: str, device: str = "cpu", progress: ProgressCallback | None = None) -> None:
        """Train the structure's trunk where there is none yet."""
        name, key = self.canonical(structure), self._trunk_key(structure)
        if self.prepared(name):
            return
        there = stored_trunk(self._assets, key)
        config, found = self.config_of(name), self.classifier(name)
        initial = published_weights(config, found) if config.pretrained else None
        data = self.images(name)
        made = make_trunk(config, name, found.fresh, data, key=key, initial=initial, device=device, progress=progress)
        there.commit(made)

    def prepared(self, structure: str) -> bool:
        return self.config.start == "scratch" or self._kept(structure) is not None

    def damage(self, structure: str) -> str:
        there = None if self.prepared(structure) else stored_trunk(self._assets, self._trunk_key(structure))
        return there.notice() if there is not None and there.damage else ""

    def shared(self, structure: str) -> Mapping[str, str]:
        trunk = self._kept(structure) if self.config.start == "trunk" else None
        return {} if trunk is None else {"fixed": trunk.digest}

    def preparation_seconds(self, structure: str) -> float:
        trunk = None if self.config.start == "scratch" else self._kept(structure)
        return 0.0 if trunk is None else trunk.seconds

    def missing(self, structure: str) -> str:
        """The key of the trunk that lacks; whole networks are judged without one."""
        needed = not (self.prepared(structure) or self.classifier(structure).self_sufficient)
        return self._trunk_key(structure) if needed else ""

    def trunk(self, structure: str, device: str = "cpu", progress: ProgressCallback | None = None) -> Trunk | None:
        """The network that all of the structure's runs start from, made where there is none; None from scratch."""
        if self.config.start == "scratch":
            return None
        self.prepare(structure, device, progress)
        key = self._trunk_key(structure)
        return self._kept(structure) or read_trunk(self._assets.get(key), key)

    @own_failures("training")
    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        config = parse_config(ImagesConfig, dict(spec.task), f"cohort {spec.digest}")
        task = ImagesTask(placed(config, self.config.data.root))
        task = task if self.assets is None else task.using(self.assets)
        found, data = task.classifier(spec.structure), task.images(spec.structure)
        trunk = task.trunk(spec.structure, device, progress)
        return collect(spec, task.config, found.view, trunk, data, fresh=found.fresh, device=device, progress=progress)

    @own_failures("fine-tuning")
    def fine_tune(
        self, spec: FineTuneSpec, weights: Tensor, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> FineTuned:
        """Train networks [M, D] on with the optimiser of the collection phase."""
        name = self.canonical(spec.structure)
        view, data, trunk = self.classifier(name).view, self.images(name), self.trunk(name, device)
        return continue_training(spec, self.config, view, trunk, data, weights, device=device, progress=progress)

    def untrained(self, structure: str, count: int, seed: int) -> Tensor:
        """The vector of fresh networks [count, D]: initial parameters, and means 0 and variances 1 where statistics
        are part of it."""
        found = self.classifier(structure)
        seeds = [derive_seed("untrained", seed, k) for k in range(count)]
        return torch.stack([found.view.extract(found.fresh(seed).state_dict()) for seed in seeds])

    def bench(self, structure: str, device: str = "cpu") -> Bench:
        """What judges the structure's networks.

        Raises:
            ZoogenError: the networks of a weights file were made for another trunk.
        """
        name, trunk = self.canonical(structure), None
        config = self.config_of(name)
        if self.prepared(name) or self.missing(name):
            trunk = self.trunk(name, device)
        if trunk is None:
            return bench_of(config, name, Rest(), device)
        if self.fixed not in ("", trunk.digest):
            raise ZoogenError(
                f"networks made for the trunk {self.fixed} do not fit {trunk.digest}, the trunk of {name} here; "
                "use the artifact root and the configuration that they come from"
            )
        return bench_of(config, name, Rest(trunk.digest, trunk), device)

    @own_failures("judging")
    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        """Error and cross-entropy on all test and validation images; nothing is sampled, so no seed is used."""
        bench = self.bench(structure, device)
        groups: dict[str, MetricGroup] = {group: bench.metrics(weights, group) for group in GROUPS}
        return Scores(self.canonical(structure), groups, bench.notices)

    @own_failures("completing networks")
    def complete(self, structure: str, weights: Tensor, device: str = "cpu") -> Mapping[str, Tensor]:
        """State dicts [K, ...] of whole networks, running statistics as they are judged."""
        return self.bench(structure, device).judge.states(weights)

    def extract(self, structure: str, tensors: Mapping[str, Tensor]) -> Tensor:
        return self.classifier(structure).view.extract(tensors)

    def retaken(self, structure: str) -> frozenset[str]:
        if self.config.statistics != "recalibrated":
            return frozenset()
        return frozenset(name for name, _ in self.classifier(structure).view.module.named_buffers())

    def symmetries(self, structure: str) -> tuple[UnitGroup, ...]:
        found = self.classifier(structure)
        groups = found.spec.groups(found.whole_layout)
        return within(groups, found.view.layout, self.config.statistics == "recalibrated")

    @own_failures("taking activations")
    def activations(
        self, structure: str, weights: Tensor, count: int, seed: int, device: str = "cpu"
    ) -> Mapping[str, Tensor]:
        """Outputs of linear layers and convolutions on test images, which correspond between networks of one data
        set."""
        bench = self.bench(structure, device)
        bench.judge.view.require_finite(weights)
        outputs = layer_outputs(bench.judge.view.module, bench.judge.tensors(weights), bench.inputs(count, seed))
        return {name: output.cpu() for name, output in outputs.items()}

    def probe(self, structure: str, weights: Tensor | None, count: int, seed: int, device: str = "cpu") -> Tensor:
        """Training images [count, C, S, S], whatever the networks."""
        return training_images(self.images(structure), count, seed)

    @own_failures("running networks")
    def outputs(self, structure: str, weights: Tensor, inputs: Tensor) -> Tensor:
        """Log-probabilities of the classes; running statistics that are taken anew count as constants."""
        judge = self.bench(structure, str(weights.device)).judge
        return log_probabilities(judge.view.module, judge.tensors(weights), inputs)

    @own_failures("judging")
    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor | None:
        """Wrong predictions on the test images, [K, X] float32 of 0 and 1."""
        return self.bench(structure, device).outcome(weights, "test").wrong

    def behaviour_distances(self, first: Tensor, second: Tensor, device: str = "cpu") -> Tensor:
        """1 − IoU of wrong predictions (p-diff, equation 7), [K, R] float64."""
        return 1 - overlap_of_errors(first.to(device), second.to(device)).cpu()

    @own_failures("judging")
    def portraits(self, structure: str, weights: Tensor, device: str = "cpu") -> tuple[Portrait, ...]:
        """Shares of the test images by class (rows) and prediction (columns): of a perfect network, and of this one."""
        outcome = self.bench(structure, device).outcome(weights.unsqueeze(0), "test")
        shares = torch.bincount(outcome.labels, minlength=outcome.classes).double() / len(outcome.labels)
        return Portrait("truth", np.diag(shares.numpy())), Portrait("learnt", outcome.confusion[0].numpy())

    def for_file(self, metadata: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> "ImagesTask":
        """This task with the file's subset and treatment of statistics, for networks of the file's trunk."""
        named = {key: metadata[key] for key in ("subset", "statistics") if key in metadata}
        try:
            update = named | ({"subset": parse_json(named["subset"])} if "subset" in named else {})
        except ValueError:
            raise ZoogenError(f"metadata subset {shown(named['subset'])} is no JSON list of patterns") from None
        task = ImagesTask(parse_config(ImagesConfig, self.resolved() | update, "weights file")).knowing(self)
        task.assets, task.fixed = self.assets, metadata.get("fixed", "")
        return task

    def file_metadata(self, structure: str) -> dict[str, str]:
        """Where the network's rest is not in the vector, `fixed` names the trunk that it belongs to."""
        found, parsed = self.classifier(structure), self.structure(structure)
        trunk = None if found.self_sufficient else self.trunk(parsed.name)
        return {
            "task": self.name,
            "structure": parsed.name,
            "network": parsed.spec.name,
            "data": parsed.data,
            "classes": str(found.classes),
            "channels": str(found.channels),
            "size": str(found.size),
            "subset": json.dumps(self.config.subset),
            "statistics": self.config.statistics,
            **({} if trunk is None else {"fixed": trunk.digest}),
        }

    def describe_run(self) -> dict[str, str]:
        config = self.config
        return {"optimiser": config.collection.optimiser.kind, "start": config.start, "statistics": config.statistics}

    @property
    def primary_metrics(self) -> tuple[str, ...]:
        return ("test.error",)

    @property
    def ranking_metrics(self) -> tuple[str, ...]:
        return ("validation.error",)

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        return ("validation.error",)

    @property
    def _assets(self) -> Assets:
        return self.assets if self.assets is not None else _OF_PROCESS

    def _trunk_key(self, structure: str) -> str:
        return trunk_key(self.resolved_for(structure), self.canonical(structure))

    def _kept(self, structure: str) -> Trunk | None:
        return kept_trunk(self._assets, self._trunk_key(structure))
