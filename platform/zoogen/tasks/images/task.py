"""The images task behind the `Task` contract."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.tasks.base import Assets, MemoryAssets, ProgressCallback, Task
from zoogen.tasks.images.bench import Bench, Rest, bench_of
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.describe import described
from zoogen.tasks.images.similarity import overlap_of_errors
from zoogen.tasks.images.structure import Classifier, ImagesStructure, classifier_of, images_of, narrowed, own_module
from zoogen.tasks.images.trajectory import collect, continue_training
from zoogen.tasks.images.trunk import Trunk, make_trunk, read_trunk, trunk_key
from zoogen.tasks.records import Cohort, CohortSpec, FineTuned, FineTuneSpec, MetricGroup, Portrait, Scores
from zoogen.weights.layout import ParameterLayout

_OF_PROCESS = MemoryAssets()  # where tasks without assets keep their trunks


class ImagesTask(Task):
    """Classifiers of images; structures are `network@data`."""

    name = "images"

    def __init__(self, config: ImagesConfig) -> None:
        own = own_module(config)
        update: dict[str, Any] = {} if own is None else {"own_source": own.source}
        if own is not None and own.subset and "subset" not in config.model_fields_set and config.start == "trunk":
            update["subset"] = own.subset
        self.config = config.model_copy(update=update)

    def resolved(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def resolved_for(self, structure: str) -> dict[str, Any]:
        return narrowed(self.config, self.canonical(structure)).model_dump(mode="json")

    def structure(self, text: str) -> ImagesStructure:
        return ImagesStructure.parse(text, own_module(self.config))

    def canonical(self, structure: str) -> str:
        return self.structure(structure).name

    def label(self, structure: str) -> str:
        return self.structure(structure).label

    def classifier(self, structure: str) -> Classifier:
        return classifier_of(self.config, self.canonical(structure))

    def layout(self, structure: str) -> ParameterLayout:
        return self.classifier(structure).view.layout

    def condition(self, structure: str) -> tuple[float, ...]:
        """By `task.condition`: nothing, one-hot over the named structures, or the data set as numbers."""
        name = self.canonical(structure)
        if self.config.condition == "data":
            return described(images_of(self.config, name))
        if self.config.condition == "none":
            return (0.0,)
        known = [self.canonical(other) for other in self.config.conditions]
        if name not in known:
            raise ZoogenError(f"structure {name} is none of task.conditions ({', '.join(known)}); add it there")
        return tuple(float(name == other) for other in known)

    def prepare(self, structure: str, device: str = "cpu", progress: ProgressCallback | None = None) -> None:
        """Train the structure's trunk where there is none yet."""
        name, key = self.canonical(structure), self._trunk_key(structure)
        if self.prepared(name):
            return
        found, data = self.classifier(name), images_of(self.config, name)
        initial = found.published(derive_seed("trunk's head", self.config.seed)) if self.config.pretrained else None
        made = make_trunk(self.config, name, found.fresh, data, initial=initial, device=device, progress=progress)
        self._assets.put_if_absent(key, made)

    def prepared(self, structure: str) -> bool:
        return self.config.start == "scratch" or self._assets.exists(self._trunk_key(structure))

    def trunk(self, structure: str, device: str = "cpu", progress: ProgressCallback | None = None) -> Trunk | None:
        """The network that all of the structure's runs start from, made where it is not there yet; None if runs start
        from scratch."""
        if self.config.start == "scratch":
            return None
        self.prepare(structure, device, progress)
        return _trunk(self._assets, self._trunk_key(structure))  # type: ignore[arg-type]  # hashed by identity

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        task = ImagesTask(parse_config(ImagesConfig, dict(spec.task), f"cohort {spec.digest}"))
        task = task if self.assets is None else task.using(self.assets)
        found, data = task.classifier(spec.structure), images_of(task.config, spec.structure)
        trunk = task.trunk(spec.structure, device, progress)
        return collect(spec, task.config, found.view, trunk, data, fresh=found.fresh, device=device, progress=progress)

    def fine_tune(
        self, spec: FineTuneSpec, weights: Tensor, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> FineTuned:
        """Train networks [M, D] on with the optimiser of the collection phase."""
        name = self.canonical(spec.structure)
        view, data, trunk = self.classifier(name).view, images_of(self.config, name), self.trunk(name, device)
        return continue_training(spec, self.config, view, trunk, data, weights, device=device, progress=progress)

    def untrained(self, structure: str, count: int, seed: int) -> Tensor:
        """The vector of fresh networks [count, D]: initial parameters, and means 0 and variances 1 where statistics
        are part of it."""
        found = self.classifier(structure)
        seeds = [derive_seed("untrained", seed, k) for k in range(count)]
        return torch.stack([found.view.extract(found.fresh(seed).state_dict()) for seed in seeds])

    def bench(self, structure: str, device: str = "cpu") -> Bench:
        """What judges the structure's networks."""
        name, rest = self.canonical(structure), Rest()
        if not self.classifier(name).self_sufficient and (trunk := self.trunk(name, device)) is not None:
            rest = Rest(trunk.digest, trunk.state)
        return bench_of(self.config, name, rest, device)

    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        """Error and cross-entropy on all test and validation images; nothing is sampled, so no seed is used."""
        name, bench = self.canonical(structure), self.bench(structure, device)
        groups = {}
        for group in ("test", "validation"):
            outcome = bench.outcome(weights, group)
            values = {"error": outcome.error, "loss": outcome.loss}
            groups[group] = MetricGroup(values, settings={"images": len(outcome.labels), "classes": outcome.classes})
        return Scores(name, groups)

    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor | None:
        """Wrong predictions on the test images, [K, X] float32 of 0 and 1."""
        return self.bench(structure, device).outcome(weights, "test").wrong

    def behaviour_distances(self, first: Tensor, second: Tensor) -> Tensor:
        """1 − IoU of wrong predictions (p-diff, equation 7), [K, R] float64."""
        return 1 - overlap_of_errors(first, second)

    def portraits(self, structure: str, weights: Tensor) -> tuple[Portrait, ...]:
        """Shares of the test images by class (rows) and prediction (columns): of a perfect network, and of this one."""
        outcome = self.bench(structure).outcome(weights.unsqueeze(0), "test")
        shares = torch.bincount(outcome.labels, minlength=outcome.classes).double() / len(outcome.labels)
        return Portrait("truth", np.diag(shares.numpy())), Portrait("learnt", outcome.confusion[0].numpy())

    def file_metadata(self, structure: str) -> dict[str, str]:
        found, parsed = self.classifier(structure), self.structure(structure)
        return {
            "task": self.name,
            "structure": parsed.name,
            "network": parsed.spec.name,
            "data": parsed.data,
            "classes": str(found.classes),
            "channels": str(found.channels),
            "size": str(found.size),
        }

    def describe_run(self) -> dict[str, str]:
        config = self.config
        return {
            "optimiser": config.collection.optimiser.kind,
            "start": config.start,
            "statistics": config.statistics,
        }

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


@lru_cache(4)
def _trunk(assets: Assets, key: str) -> Trunk:
    return read_trunk(assets.get(key))
