"""Configuration of small ResNets and vision transformers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config

Count = Annotated[int, Field(ge=1)]


class ResnetConfig(Config):
    """A residual network of basic blocks (He et al. 2016); the defaults are ResNet-18."""

    kind: Literal["resnet"] = "resnet"
    depths: tuple[Count, ...] = Field((2, 2, 2, 2), min_length=1, description="blocks of each stage")
    widths: tuple[Count, ...] = Field((64, 128, 256, 512), min_length=1, description="channels of each stage")

    @model_validator(mode="after")
    def _stages_agree(self) -> "ResnetConfig":
        if len(self.depths) != len(self.widths):
            raise ValueError(f"{len(self.depths)} depths and {len(self.widths)} widths; give one of each per stage")
        return self

    @property
    def title(self) -> str:
        """By convention a ResNet's number counts its convolutions and the last linear layer."""
        return f"ResNet-{2 * sum(self.depths) + 2}"


class TransformerConfig(Config):
    """A vision transformer (Dosovitskiy et al. 2021)."""

    kind: Literal["transformer"] = "transformer"
    heads: int = Field(4, ge=1)
    layers: int = Field(6, ge=1)
    width: int = Field(64, ge=1)
    patch: int = Field(8, ge=1, description="edge of a patch in pixels")

    @model_validator(mode="after")
    def _heads_divide(self) -> "TransformerConfig":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide among {self.heads} heads")
        return self

    @property
    def title(self) -> str:
        return f"Transformer, {self.heads} heads"


VisionNetConfig = ResnetConfig | TransformerConfig
