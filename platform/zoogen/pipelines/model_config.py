"""What is learnt from a zoo: an autoencoder, where the generator needs one, and a generator."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from zoogen.autoencoders.config import AutoencoderConfig, Conv1dAutoencoderConfig
from zoogen.config import Config
from zoogen.evaluation.config import is_method_name
from zoogen.generators.config import DiffusionConfig, GeneratorConfig
from zoogen.generators.source.config import SourceConfig
from zoogen.shown import shown

_ALONE = {kind.model_fields["kind"].default for kind in (SourceConfig,)}  # kinds without an autoencoder
_NAME = r"^[A-Za-z][\w.-]{0,39}$"


def with_fitting_autoencoder(values: Any) -> Any:
    """A section's mapping with `autoencoder: null` where its kind of generator needs none and none is given."""
    generator = values.get("generator") if isinstance(values, dict) else None
    kind = generator.get("kind") if isinstance(generator, dict) else getattr(generator, "kind", None)
    if kind in _ALONE and "autoencoder" not in values:
        return {**values, "autoencoder": None}
    return values


def require_fitting(autoencoder: AutoencoderConfig | None, generator: GeneratorConfig) -> None:
    """Raises:
    ValueError: there is an autoencoder that the generator has no use for, or none for one that needs it.
    """
    if generator.needs_autoencoder and autoencoder is None:
        raise ValueError(f"generator.kind {generator.kind} draws latents, and autoencoder is null; set it")
    if autoencoder is not None and not generator.needs_autoencoder:
        raise ValueError(f"generator.kind {generator.kind} works on weights themselves; set autoencoder to null")


class ModelConfig(Config):
    """A further model that is learnt from the study's zoo."""

    autoencoder: AutoencoderConfig | None = Field(
        Conv1dAutoencoderConfig(), description="null for a kind of generator without one"
    )
    generator: GeneratorConfig = DiffusionConfig()

    @model_validator(mode="before")
    @classmethod
    def _autoencoder_fits(cls, values: Any) -> Any:
        return with_fitting_autoencoder(values)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        require_fitting(self.autoencoder, self.generator)
        return self


def _own_names(models: dict[str, ModelConfig]) -> dict[str, ModelConfig]:
    for name in models:
        if is_method_name(name):
            raise ValueError(f"{shown(name)} is a method of the evaluation; give the model another name")
    return models


OtherModels = Annotated[
    dict[Annotated[str, Field(pattern=_NAME)], ModelConfig], AfterValidator(_own_names), Field(max_length=32)
]
