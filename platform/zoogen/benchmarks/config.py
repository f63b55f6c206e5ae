"""Configuration of benchmarks: one model per kind."""

from typing import Literal

from pydantic import Field

from zoogen.autoencoders.config import AutoencoderConfig, Conv1dAutoencoderConfig
from zoogen.benchmarks.base import BenchmarkBase
from zoogen.benchmarks.classifiers_config import ClassifiersBenchmark, JudgingBenchmark
from zoogen.benchmarks.weights_config import MemoryBenchmark, RecipeBenchmark
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.structure import NAMED

Contender = Literal["torchgfn", "gfnx"]


class TrainerBenchmark(BenchmarkBase):
    """The cohort trainer against other libraries: trajectory balance, Adam, one thread, model-iterations a second.

    Attributes:
        structure: grid to train on.
        models: policies that the cohort trainer and gfnx train at once.
        iterations: of every contender in every round.
        warm_up: iterations before the first round, the same for all.
        rounds: the contenders take turns so often; medians count.
        core: processor core that all contenders are held to, None to let them move.
    """

    kind: Literal["trainer"] = "trainer"
    structure: str = "C*"
    hidden: int = Field(32, ge=1)
    batch_size: int = Field(16, ge=1)
    models: int = Field(64, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    log_z_learning_rate: float = Field(0.1, gt=0)
    iterations: int = Field(60, ge=1)
    warm_up: int = Field(20, ge=1)
    rounds: int = Field(7, ge=1)
    core: int | None = Field(None, ge=0)
    against: tuple[Contender, ...] = ("torchgfn", "gfnx")


class ScalingBenchmark(BenchmarkBase):
    """The same zoo built by the plain loop, by one Ray worker and by several.

    Attributes:
        structure, cohorts, cohort: what is trained: `cohorts` units of `cohort` runs.
        workers: of the largest pool; every worker needs a core of its own.
        rounds: each way builds the zoo so often, in turns; medians count.
    """

    kind: Literal["scaling"] = "scaling"
    task: HypergridConfig = HypergridConfig()
    structure: str = "D"
    cohorts: int = Field(8, ge=1)
    cohort: int = Field(16, ge=1)
    workers: int = Field(2, ge=2)
    rounds: int = Field(3, ge=1)


class PoliciesBenchmark(BenchmarkBase):
    """Conventional training: exact metrics, iterations and seconds on each structure.

    One JSON per structure is kept in `<results>/policies/`, and what is there is not trained again.

    Attributes:
        small_states: structures with fewer states have the stricter target.
    """

    kind: Literal["policies"] = "policies"
    task: HypergridConfig = HypergridConfig()
    structures: tuple[str, ...] = tuple(NAMED)
    runs: int = Field(4, ge=1)
    small_states: int = 2_000
    target: float = 0.005
    small_target: float = 0.001


class GenerationBenchmark(BenchmarkBase):
    """Seconds to generate policies of a known structure on one core with the configured fast sampler.

    Attributes:
        artifact: a trained generator (`generators/<digest>.safetensors`); None makes an untrained one of the
            configurations below, which costs the same time.
    """

    kind: Literal["generation"] = "generation"
    task: HypergridConfig = HypergridConfig()
    structure: str = "A"
    structures: tuple[str, ...] = ("A", "B", "C", "D")
    count: int = Field(200, ge=1)
    rounds: int = Field(5, ge=1)
    core: int | None = Field(None, ge=0)
    target: float = 2.0
    sampler: SamplerConfig | None = None
    artifact: str | None = None
    autoencoder: AutoencoderConfig = Conv1dAutoencoderConfig()
    generator: DiffusionConfig = DiffusionConfig()


class KnownBenchmark(BenchmarkBase):
    """Generated policies against held-out runs on known structures, from an evaluation's JSON.

    Attributes:
        evaluation: path of `evaluations/<digest>.json`.
    """

    kind: Literal["known"] = "known"
    evaluation: str
    method: str = "generated"
    target: float = 1.1


class ProtocolBenchmark(BenchmarkBase):
    """The paper's sampled metrics against those of a perfect sampler with as many samples as make its JS the paper's.

    Attributes:
        repeats: samplings that each reading is the mean of.
        most_samples: largest N that is tried.
        tolerated: share by which readings may differ from the paper's and still count as the same.
    """

    kind: Literal["protocol"] = "protocol"
    task: HypergridConfig = HypergridConfig()
    repeats: int = Field(16, ge=1)
    most_samples: int = Field(20_000, ge=2)
    tolerated: float = Field(0.05, ge=0)


BenchmarkConfig = (
    TrainerBenchmark
    | ScalingBenchmark
    | PoliciesBenchmark
    | GenerationBenchmark
    | KnownBenchmark
    | ProtocolBenchmark
    | RecipeBenchmark
    | MemoryBenchmark
    | ClassifiersBenchmark
    | JudgingBenchmark
)
KINDS: dict[str, type[BenchmarkConfig]] = {
    "trainer": TrainerBenchmark,
    "scaling": ScalingBenchmark,
    "policies": PoliciesBenchmark,
    "generation": GenerationBenchmark,
    "known": KnownBenchmark,
    "protocol": ProtocolBenchmark,
    "recipe": RecipeBenchmark,
    "memory": MemoryBenchmark,
    "classifiers": ClassifiersBenchmark,
    "judging": JudgingBenchmark,
}
