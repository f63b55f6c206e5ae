"""What stages return."""

from dataclasses import dataclass
from pathlib import Path

from zoogen.autoencoders.codec import WeightCodec
from zoogen.evaluation.records import read_record
from zoogen.evaluation.result import Evaluation
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.pipelines.digests import evaluation_key
from zoogen.zoo.build import ZooReport
from zoogen.zoo.read import Zoo
from zoogen.zoo.store import ArtifactStore


@dataclass(frozen=True)
class ZooResult:
    """A complete zoo.

    Attributes:
        zoo: to read from.
        reference: zoo of unseen structures, if the study has one.
        reports: what was trained now, per zoo.
        reused: whether nothing had to be trained.
    """

    zoo: Zoo
    reference: Zoo | None
    reports: tuple[ZooReport, ...]
    reused: bool


@dataclass(frozen=True)
class AutoencoderResult:
    """A trained autoencoder and where it lies."""

    codec: WeightCodec
    digest: str
    uri: str
    reused: bool


@dataclass(frozen=True)
class GeneratorResult:
    """A trained generator and where it lies."""

    generator: WeightGenerator
    digest: str
    uri: str
    reused: bool


@dataclass(frozen=True)
class GeneratedFile:
    """Generated networks of one structure in a weights file."""

    structure: str
    label: str
    count: int
    seed: int
    path: Path
    seconds: float


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, where it lies, and its tables and figures."""

    evaluation: Evaluation
    digest: str
    uri: str
    report: tuple[Path, ...]
    reused: bool


def read_evaluation(store: ArtifactStore, name: str, study: str | None) -> Evaluation:
    """The evaluation of a digest, as of the study that asks for it: its digest covers no name, so that another study
    may have made it. With None it keeps the name that it was made under.

    Raises:
        ZoogenError: it is not there.
        DamagedError: it is damaged.
    """
    key = evaluation_key(name)
    evaluation = read_record(Evaluation, store.get(key), store.uri_of(key), key, again="zoogen evaluate")
    return evaluation if study is None else named(evaluation, study)


def named(evaluation: Evaluation, study: str) -> Evaluation:
    """The evaluation as of a study."""
    return evaluation.model_copy(update={"inputs": evaluation.inputs.model_copy(update={"study": study})})
