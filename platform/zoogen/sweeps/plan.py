"""From a sweep's configuration to its trials: every one resolved, validated and named before anything starts."""

import itertools
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoogen.config import parse_config, read_mapping
from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.identity import canonical_json, derive_seed, digest
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study
from zoogen.pipelines.validation import VALIDATION_ERROR
from zoogen.shown import shown
from zoogen.sweeps.config import NAME, Domain, SchedulerConfig, Stage, SweepConfig
from zoogen.tasks.registry import shared_contents

MOST_TRIALS = 10_000  # of a sweep: each is resolved before anything starts
SWEEP_FORMAT = 1  # raise when the same sweep comes to mean other results


@dataclass(frozen=True)
class TrialPlan:
    """One trial.

    Attributes:
        name: shown in tables, unique within the sweep.
        values: swept keys with their values.
        config: the resolved study.
        digest: names its result; covers the artifact of the last stage, and the scheduler if there is one.
    """

    name: str
    values: Mapping[str, Any]
    config: PipelineConfig
    digest: str

    def study(self, console: Console) -> Study:
        return Study(self.config, console, f"trial {self.name}")


@dataclass(frozen=True)
class SweepPlan:
    """A sweep with all its trials.

    Attributes:
        source: its file.
        overrides: of the file's keys, as they were typed.
        digest: names it.
    """

    config: SweepConfig
    source: str
    trials: tuple[TrialPlan, ...]
    digest: str
    overrides: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What runs it."""
        return shlex.join(["zoogen", "sweep", self.source, *self.overrides])

    @property
    def keys(self) -> tuple[str, ...]:
        """Swept keys."""
        return self.config.swept_keys


def load_sweep(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> SweepPlan:
    """The sweep of a YAML file with overrides of its own keys (`samples=4`, `overrides.device=cuda`).

    Raises:
        ZoogenError: a file cannot be read, or a key or value of the sweep or of any trial is wrong.
    """
    config = parse_config(SweepConfig, read_mapping(path, overrides), str(path))
    base = read_mapping(Path(path).parent / Path(config.base).expanduser())
    merge(base, {**config.overrides, "study": config.study}, str(path))
    trials: list[TrialPlan] = []
    with shared_contents():
        _require_countable(config, str(path))
    for name, values in _variants(config):
        trials.append(_trial(config, str(path), base, _unique(name, trials), values))
    content = {
        "format": SWEEP_FORMAT,
        "study": config.study,
        "trials": [[trial.name, trial.digest] for trial in trials],
    }
    return SweepPlan(config, str(path), tuple(trials), digest(content), tuple(overrides))


def _require_countable(config: SweepConfig, where: str) -> None:
    grids = math.prod(len(domain.grid or ()) for domain in config.space.values() if not domain.random)
    count = max(1, len(config.points)) * grids * config.samples
    if count > MOST_TRIALS:
        raise ZoogenError(
            f"{where}: {shown(count)} trials are more than {MOST_TRIALS:,}; lower samples, or shorten the grids"
        )


def merge(mapping: dict[str, Any], settings: Mapping[str, Any], where: str) -> None:
    """Set dotted keys in a nested mapping, in place; a section is merged into the section that is there.

    A section that names another `kind` replaces the one that is there, whose keys would not fit it.

    Raises:
        ZoogenError: a key goes through a value that is no section.

    Example:
        >>> study = {"zoo": {"runs": 1, "cohort": 8}}
        >>> merge(study, {"zoo.runs": 2, "generator": {"kind": "diffusion"}}, "sweep.yaml")
        >>> study
        {'zoo': {'runs': 2, 'cohort': 8}, 'generator': {'kind': 'diffusion'}}
    """
    for dotted, value in settings.items():
        *path, last = str(dotted).split(".")
        node = mapping
        for key in path:
            below = node.get(key)
            if below is not None and not isinstance(below, dict):
                raise ZoogenError(f"{where}: {dotted}: {key} is a value, not a section")
            node[key] = node = dict(below or {})
        there = node.get(last)
        if isinstance(value, Mapping) and isinstance(there, dict) and _kind(value, there) == there.get("kind"):
            node[last] = dict(there)
            merge(node[last], value, where)
        else:
            node[last] = value


def _kind(section: Mapping[str, Any], default: Mapping[str, Any]) -> Any:
    return section.get("kind", default.get("kind"))


def _trial(config: SweepConfig, path: str, base: dict[str, Any], name: str, values: dict[str, Any]) -> TrialPlan:
    where = f"{path}: trial {shown(name)}"
    mapping = dict(base)
    merge(mapping, values, where)
    resolved = parse_config(PipelineConfig, mapping, where)
    if resolved.ray is None:
        raise ZoogenError(f"{where}: a sweep runs on Ray, and ray is null; leave ray out, or set ray.num_cpus")
    try:
        artifact = _artifact(Study(resolved, Console()), config.stage)
    except ZoogenError as error:
        raise ZoogenError(f"{where}: {error}") from None
    if config.stage == "train_autoencoder" and resolved.autoencoder is None:
        raise ZoogenError(f"{where}: it has no autoencoder to train; set stage to train_generator or pipeline")
    scheduler = config.scheduler
    if scheduler is not None:
        _require_curve(scheduler, config, resolved, where)
    content = {"name": name, "stage": config.stage, "artifact": artifact}
    ruled = {"scheduler": scheduler.model_dump(mode="json")} if scheduler is not None else {}
    return TrialPlan(name, values, resolved, digest({**content, **ruled}))


def _require_curve(scheduler: SchedulerConfig, config: SweepConfig, study: PipelineConfig, where: str) -> None:
    """Raises:
    ZoogenError: a trial has no training curve of the scheduler's metric, or too short a one.
    """
    if scheduler.grace >= (iterations := judged_iterations(config, study)):
        raise ZoogenError(f"{where}: scheduler.grace {scheduler.grace} is no less than its {iterations} iterations")
    if scheduler.metric != VALIDATION_ERROR:
        return
    if config.stage != "train_autoencoder":
        raise ZoogenError(
            f"{where}: stage {config.stage} is judged by the generator's training, which has no {VALIDATION_ERROR}; "
            "set scheduler.metric to loss, or stage to train_autoencoder"
        )
    if not study.zoo.validation_runs:
        raise ZoogenError(
            f"{where}: {VALIDATION_ERROR} is of validation runs, and zoo.validation_runs is 0; raise it, or set "
            "scheduler.metric to loss"
        )


def judged_iterations(config: SweepConfig, study: PipelineConfig) -> int:
    """Iterations of the training whose curve a scheduler judges."""
    if config.stage == "train_autoencoder" and study.autoencoder is not None:
        return study.autoencoder.iterations
    return study.generator.loop.iterations


def _artifact(study: Study, stage: Stage) -> str:
    """Digest of what the last stage makes."""
    if stage == "train_autoencoder":
        return study.autoencoder_digest
    return study.generator_digest if stage == "train_generator" else study.evaluation_digest


def _variants(config: SweepConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and values: points times grids times samples, the samples innermost.

    Draw number i of a key is the same for all points and grid values, so that these are compared on equal terms.
    """
    grids = {key: domain for key, domain in config.space.items() if not domain.random}
    drawn = {key: domain for key, domain in config.space.items() if domain.random}
    for point in config.points or ({},):
        fixed = {key: value for key, value in point.items() if key != NAME}
        for cell in itertools.product(*(domain.grid or () for domain in grids.values())):
            for sample in range(config.samples):
                random = {key: _draw(domain, derive_seed(config.seed, key, sample)) for key, domain in drawn.items()}
                free = {**dict(zip(grids, cell, strict=True)), **random}
                yield " ".join(filter(None, [point.get(NAME, ""), _name(free)])), {**fixed, **free}


def _draw(domain: Domain, seed: int) -> Any:
    random = np.random.default_rng(seed)
    if domain.choice is not None:
        return domain.choice[int(random.integers(len(domain.choice)))]
    if domain.randint is not None:
        return int(random.integers(domain.randint[0], domain.randint[1] + 1))
    if domain.loguniform is not None:
        return math.exp(random.uniform(math.log(domain.loguniform[0]), math.log(domain.loguniform[1])))
    assert domain.uniform is not None, "a domain has one kind"
    return float(random.uniform(*domain.uniform))


def _name(values: Mapping[str, Any]) -> str:
    """For example `lr=0.00123 latent=64`: the last parts of the keys, or the whole keys where those are not unique."""
    short = [key.rpartition(".")[2] for key in values]
    names = [last if short.count(last) == 1 else key for key, last in zip(values, short, strict=True)]
    return " ".join(f"{name}={_text(value)}" for name, value in zip(names, values.values(), strict=True))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else canonical_json(value).replace('"', "")


def _unique(name: str, others: list[TrialPlan]) -> str:
    """Draws may agree in the digits that are shown."""
    taken = {other.name for other in others}
    names = itertools.chain([name], (f"{name} #{number}" for number in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)
