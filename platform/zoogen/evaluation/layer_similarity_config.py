"""What a comparison of layers compares, and the small vision networks beside it."""

from pydantic import Field

from zoogen.config import Config
from zoogen.networks.vision_config import ResnetConfig, TransformerConfig
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig

_SMALL = (8, 16, 32, 64)  # channels of the stages: an eighth of the published ones


class VisionConfig(Config):
    """Two ResNets and two transformers: the depths and heads of GenFlowNet, Figure 6 and Table 7, in small."""

    resnets: tuple[ResnetConfig, ResnetConfig] = (
        ResnetConfig(widths=_SMALL),
        ResnetConfig(depths=(3, 4, 6, 3), widths=_SMALL),
    )
    transformers: tuple[TransformerConfig, TransformerConfig] = (
        TransformerConfig(heads=4, layers=4),
        TransformerConfig(heads=8, layers=4),
    )
    held_out: float = Field(0.3, gt=0, lt=1, description="share of the images that no network is trained on")
    loop: LoopConfig = LoopConfig(
        iterations=600,
        batch_size=64,
        optimiser=AdamWConfig(lr=2e-3, weight_decay=0.01),
        schedule=ScheduleConfig(kind="cosine", warmup=60),
    )


class SimilarityConfig(Config):
    """Which layers are compared, on how many inputs."""

    pairs: tuple[tuple[str, str], ...] | None = Field(
        None, description="pairs of structures; null: the first two of the zoo, and of the reference zoo"
    )
    generated: tuple[str, ...] | None = Field(
        None,
        description="structures whose generated networks are compared with trained ones; "
        "null: the first known one of the pairs, or else the zoo's first",
    )
    networks: int = Field(8, ge=1, description="networks of each structure; fewer where the zoo has fewer runs")
    inputs: int = Field(512, ge=4, description="inputs that correspond between structures")
    unbiased: bool = Field(False, description="HSIC estimated without bias (Nguyen et al. 2021)")
    untrained: bool = Field(True, description="also compare untrained networks")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of inputs, of generated and of untrained networks")
    vision: VisionConfig | None = Field(VisionConfig(), description="null leaves out ResNets and transformers")
