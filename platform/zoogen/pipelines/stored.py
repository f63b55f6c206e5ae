"""What lies where a stage's artifact belongs: the artifact, something damaged, or nothing."""

from collections.abc import Callable
from typing import TypeVar

from zoogen.artifact import Artifact, examine
from zoogen.autoencoders.codec import WeightCodec
from zoogen.errors import DamagedError, ZoogenError
from zoogen.evaluation.records import Record, read_record
from zoogen.generators.stored import read_generator
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import autoencoder_key, generator_key
from zoogen.pipelines.models import Model

T = TypeVar("T")
R = TypeVar("R", bound=Record)
Trained = TypeVar("Trained", WeightCodec, WeightGenerator)


def stored_autoencoder(study: Study, model: Model | None = None) -> Artifact[WeightCodec]:
    """The autoencoder of a model, by default the study's own, as far as it is there and whole."""
    name = (model or study.model).autoencoder_digest
    return _stored(study, autoencoder_key(name), lambda data: _own(WeightCodec.from_bytes(data), name))


def stored_generator(study: Study, model: Model | None = None) -> Artifact[WeightGenerator]:
    """The generator of a model, by default the study's own, as far as it is there and whole."""
    name = (model or study.model).generator_digest
    return _stored(study, generator_key(name), lambda data: _own(read_generator(data, study.task), name))


def stored_record(study: Study, key: str, model: type[R]) -> Artifact[R]:
    """A record that was written for a key (`record_bytes`), as far as it is there and whole."""
    return _stored(study, key, lambda data: read_record(model, data, study.store.uri_of(key), key))


def load_autoencoder(study: Study, model: Model | None = None) -> WeightCodec:
    """The autoencoder of a model, by default the study's own.

    Raises:
        ZoogenError: it is not there.
        DamagedError: it is damaged.
    """
    return _required(study, stored_autoencoder(study, model), "train-autoencoder")


def load_generator(study: Study, model: Model | None = None) -> WeightGenerator:
    """The generator of a model, by default the study's own, its autoencoder included.

    Raises:
        ZoogenError: it is not there.
        DamagedError: it is damaged.
    """
    return _required(study, stored_generator(study, model), "train-generator")


def say_damage(study: Study, artifact: Artifact[T]) -> None:
    """Tell the user, where an artifact is damaged, that it will be made again."""
    if artifact.damage:
        study.console.say(f"notice: {artifact.notice()}")


def _stored(study: Study, key: str, read: Callable[[bytes], T]) -> Artifact[T]:
    return examine(study.store, key, read)


def _own(trained: Trained, digest: str) -> Trained:
    """The same, if it is the one of this digest."""
    if trained.digest != digest:
        raise DamagedError(f"it is that of digest {trained.digest}")
    return trained


def _required(study: Study, artifact: Artifact[T], stage: str) -> T:
    uri, command = study.store.uri_of(artifact.key), f"zoogen {stage} {study.source}"
    if artifact.damage:
        raise DamagedError(artifact.damage, uri, f"`{command}` makes it again")
    if artifact.value is None:
        what = stage.removeprefix("train-")
        raise ZoogenError(f"there is no {what} of this configuration at {uri}; run `{command}` first")
    return artifact.value
