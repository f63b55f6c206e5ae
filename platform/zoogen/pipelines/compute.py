"""Where a stage's work runs: on Ray, or in this process."""

from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.train import train_codec as fit_codec
from zoogen.generators.train import train_generator as fit_generator
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.orchestration.pool import build_zoo as build_on_ray
from zoogen.orchestration.training import RayRun, train_codec_on_ray, train_generator_on_ray
from zoogen.pipelines.context import Log, Study
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


def train_codec(study: Study, log: Log) -> WeightCodec:
    """Train the study's autoencoder."""
    train, validation = study.checkpoints("train"), study.checkpoints("validation")
    if study.config.ray is not None:
        return train_codec_on_ray(
            study.config.autoencoder,
            train,
            validation,
            seed=study.config.seed,
            run=_ray_run(study, f"autoencoder-{study.autoencoder_digest}"),
            log=log,
            targets=study.targets,
            digest=study.autoencoder_digest,
            compile=study.config.compile,
        )
    return fit_codec(
        study.config.autoencoder,
        train,
        validation,
        seed=study.config.seed,
        device=study.device,
        hooks=study.hooks("autoencoder", log),
        targets=study.targets,
        digest=study.autoencoder_digest,
        compile=study.config.compile,
    )


def train_generator(study: Study, codec: WeightCodec, log: Log) -> WeightGenerator:
    """Train the study's generator."""
    if study.config.ray is not None:
        return train_generator_on_ray(
            study.config.generator,
            codec,
            study.checkpoints("train"),
            seed=study.config.seed,
            run=_ray_run(study, f"generator-{study.generator_digest}"),
            log=log,
            digest=study.generator_digest,
            compile=study.config.compile,
        )
    return fit_generator(
        study.config.generator,
        codec,
        study.checkpoints("train"),
        seed=study.config.seed,
        device=study.device,
        hooks=study.hooks("generator", log),
        digest=study.generator_digest,
        compile=study.config.compile,
    )


def _ray_run(study: Study, name: str) -> RayRun:
    """Connects to Ray; checkpoints of the training lie under the artifact root until it is done and after."""
    _ = study.cluster
    return RayRun(study.training, str(study.store.folder("ray") or f"{study.store.uri}/ray"), name)
