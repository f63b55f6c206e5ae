"""The root of all configuration: one file describes one study."""

import json
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from zoogen.autoencoders.config import AutoencoderConfig, Conv1dAutoencoderConfig
from zoogen.config import Config
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.fine_tuning_config import FineTuningConfig
from zoogen.evaluation.layer_similarity_config import SimilarityConfig
from zoogen.generators.config import DiffusionConfig, GeneratorConfig
from zoogen.orchestration.config import PoolConfig, TrainConfig
from zoogen.pipelines.model_config import ModelConfig, OtherModels, require_fitting, with_fitting_autoencoder
from zoogen.tasks.config import TaskConfig
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tracking.config import TrackingConfig
from zoogen.zoo.config import ZooConfig
from zoogen.zoo.patience import StoreConfig
from zoogen.zoo.roots import ArtifactRoot


class RayConfig(Config):
    """Which Ray cluster works; inside `ray job submit` it is the job's."""

    address: str | None = Field(
        None,
        description="host:6379 of a cluster, auto for the one on this machine; null: RAY_ADDRESS, or a local Ray",
    )
    num_cpus: int | None = Field(None, ge=1, description="CPUs of a local Ray; null: all of the machine")


class PipelineConfig(Config):
    """A study: from task to judged weights."""

    study: str = Field("study", description="name; also the experiment in MLflow", pattern=r"^[A-Za-z0-9][\w.-]{0,99}$")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of autoencoder and generator; the zoo has its own")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to compute; auto: on a GPU where there is one, on Ray where its workers have one"
    )
    deterministic: bool = Field(
        False, description="algorithms with the same bits each time on a GPU, too; slower, and names no artifact"
    )
    threads: PositiveInt = Field(
        1,
        description="torch threads of what is computed in this process; names no artifact, but other numbers of them "
        "may give other last bits; workers have pool.threads and train.cpus_per_worker of their own",
    )
    compile: bool = Field(False, description="train autoencoder and generator through torch.compile; names no artifact")
    artifacts: ArtifactRoot = Field(
        "artifacts", min_length=1, description="artifact root: a folder or a URI such as s3://bucket/x"
    )
    store: StoreConfig = StoreConfig()
    task: TaskConfig = HypergridConfig()
    zoo: ZooConfig
    reference: ZooConfig | None = Field(
        None, description="conventionally trained runs of unseen structures, only to compare with"
    )
    last_checkpoints: int | None = Field(
        None, ge=1, description="learn from the last so many checkpoints of each run; null: all"
    )
    best_runs: float = Field(
        1.0, gt=0, le=1, description="learn from this share of the training runs, the best by the task's first metric"
    )
    align: Literal["none", "weights"] = Field(
        "none",
        description="weights: renumber the hidden units of all runs to match before anything learns from them",
        exclude_if=lambda value: value == "none",
    )
    autoencoder: AutoencoderConfig | None = Field(
        Conv1dAutoencoderConfig(), description="null for a kind of generator without one"
    )
    generator: GeneratorConfig = DiffusionConfig()
    others: OtherModels = Field(
        {},
        description="further models that learn from the same zoo, by the name that each is judged under",
        exclude_if=lambda value: not value,
    )
    evaluation: EvaluationConfig = EvaluationConfig()
    similarity: SimilarityConfig = SimilarityConfig()
    fine_tuning: FineTuningConfig = FineTuningConfig()
    ray: RayConfig | None = Field(RayConfig(), description="null computes in this process, without Ray")
    pool: PoolConfig = PoolConfig()
    train: TrainConfig = TrainConfig()
    tracking: TrackingConfig = TrackingConfig()

    @property
    def models(self) -> dict[str, ModelConfig]:
        """All that is learnt from the zoo by name: the study's own model, which has none, and the others."""
        return {"": ModelConfig(autoencoder=self.autoencoder, generator=self.generator), **self.others}

    @model_validator(mode="before")
    @classmethod
    def _autoencoder_fits(cls, values: Any) -> Any:
        return with_fitting_autoencoder(values)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        require_fitting(self.autoencoder, self.generator)
        return self

    @field_validator("study")
    @classmethod
    def _no_climbing(cls, value: str) -> str:
        if ".." in value:
            raise ValueError("a study's name must not hold ..")
        return value


def resolved_json(config: PipelineConfig) -> str:
    """The resolved configuration as JSON."""
    return json.dumps(config.model_dump(mode="json"), indent=2)
