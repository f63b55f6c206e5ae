"""Where a stage's work runs: on Ray, or in this process."""

from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.train import train_codec as fit_codec
from zoogen.generators.config import DiffusionConfig, LatentGeneratorConfig
from zoogen.generators.flow.config import FlowConfig
from zoogen.generators.source.config import SourceConfig
from zoogen.generators.source.train import train_source_generator
from zoogen.generators.train import train_generator as fit_generator
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.orchestration.pool import build_zoo as build_on_ray
from zoogen.orchestration.training import (
    RayRun,
    train_codec_on_ray,
    train_generator_on_ray,
    train_source_generator_on_ray,
)
from zoogen.pipelines.context import Log, Study
from zoogen.pipelines.models import Model, taught
from zoogen.zoo.build import ZooReport, build_serially, missing_cohorts
from zoogen.zoo.plan import ZooPlan
from zoogen.zoo.progress import ZooProgressCallback


def require_device(study: Study) -> None:
    """Raises:
    ZoogenError: the device is not there. On Ray the workers' machines count, and Ray finds that out.
    """
    if study.config.ray is None:
        _ = study.device


def build_zoo(study: Study, plan: ZooPlan, progress: ZooProgressCallback) -> ZooReport:
    """Train what is missing of a zoo."""
    if study.config.ray is not None and missing_cohorts(plan, study.store, sound=study.task):
        if study.config.ray.address is None:
            study.store.check()  # before seconds are spent on a local Ray
        _ = study.cluster
        return build_on_ray(plan, study.task, study.store, study.pool, progress)
    return build_serially(plan, study.task, study.store, progress, device=study.device)


def train_codec(study: Study, model: Model, log: Log) -> WeightCodec:
    """Train the autoencoder of a model that has one."""
    config = model.autoencoder
    assert config is not None, "the caller asks only where there is one"
    train, validation = study.checkpoints("train"), study.checkpoints("validation")
    digest, seed, compiled = model.autoencoder_digest, study.config.seed, study.config.compile
    if study.config.ray is not None:
        return train_codec_on_ray(
            config,
            train,
            validation,
            seed=seed,
            run=_ray_run(study, f"autoencoder-{digest}"),
            log=log,
            targets=study.targets,
            digest=digest,
            compile=compiled,
            task=study.task,
        )
    return fit_codec(
        config,
        train,
        validation,
        seed=seed,
        device=study.device,
        hooks=study.hooks("autoencoder", log),
        targets=study.targets,
        digest=digest,
        compile=compiled,
        task=study.task,
    )


def train_generator(study: Study, model: Model, codec: WeightCodec | None, log: Log) -> WeightGenerator:
    """Train the generator of a model, on the latents of `codec` where it has an autoencoder."""
    match model.generator:
        case DiffusionConfig() | FlowConfig():
            assert codec is not None, "a generator of latents has an autoencoder"
            return _train_latent_generator(study, model.generator, model.generator_digest, codec, log)
        case SourceConfig():
            return _train_source_generator(study, model.generator, model.generator_digest, log)


def _train_latent_generator(
    study: Study, config: LatentGeneratorConfig, digest: str, codec: WeightCodec, log: Log
) -> WeightGenerator:
    train, seed, compiled = study.checkpoints("train"), study.config.seed, study.config.compile
    resolved = study.task.resolved()
    if study.config.ray is not None:
        run = _ray_run(study, f"generator-{digest}")
        return train_generator_on_ray(
            config, codec, train, seed=seed, run=run, log=log, digest=digest, compile=compiled, task_config=resolved
        )
    return fit_generator(
        config,
        codec,
        train,
        seed=seed,
        device=study.device,
        hooks=study.hooks("generator", log),
        digest=digest,
        compile=compiled,
        task_config=resolved,
    )


def _train_source_generator(study: Study, config: SourceConfig, digest: str, log: Log) -> WeightGenerator:
    train = study.checkpoints("train") if config.learns_from_zoo else ()
    structures, seed, compiled = taught(config, study.task, study.plan), study.config.seed, study.config.compile
    if study.config.ray is not None:
        run = _ray_run(study, f"generator-{digest}")
        return train_source_generator_on_ray(
            config, study.task, structures, train, seed=seed, run=run, log=log, digest=digest, compile=compiled
        )
    return train_source_generator(
        config,
        study.task,
        structures,
        train,
        seed=seed,
        device=study.device,
        hooks=study.hooks("generator", log),
        digest=digest,
        compile=compiled,
    )


def _ray_run(study: Study, name: str) -> RayRun:
    """Connects to Ray; checkpoints of the training lie under the artifact root until it is done and after."""
    _ = study.cluster
    return RayRun(study.training, str(study.store.folder("ray") or f"{study.store.uri}/ray"), name)
