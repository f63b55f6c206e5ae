"""Names of the stages' artifacts: what each depends on, in one place.

A digest covers what decides the content: resolved configuration, seed and the digests of inputs.
Where and how fast something is computed (device, workers, addresses) is left out.
"""

from collections.abc import Mapping
from typing import Any

from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.evaluation.config import EvaluationConfig
from zoogen.generators.config import GeneratorConfig
from zoogen.identity import digest

AUTOENCODER_FORMAT = 1  # raise when the same configuration comes to mean another artifact
GENERATOR_FORMAT = 1
EVALUATION_FORMAT = 3
ALIGNMENT_FORMAT = 2  # raise when runs come to be matched in another way


def autoencoder_digest(
    config: AutoencoderConfig, zoo: str, last: int | None, best: float, length: int, seed: int, align: str = "none"
) -> str:
    """Identity of an autoencoder.

    Args:
        config: its configuration.
        zoo: digest of the zoo that it learns from.
        last: checkpoints of each run that it learns from, None for all.
        best: share of the training runs that it learns from, the best ones.
        length: its padded length, which `auto` takes from the structures asked for.
        seed: the study's seed.
        align: how the checkpoints are matched before; `none` is left out, as in digests of before there was another.
    """
    return digest(
        {
            "format": AUTOENCODER_FORMAT,
            "config": config.model_dump(mode="json"),
            "zoo": zoo,
            "last": last,
            "best": best,
            "length": length,
            "seed": seed,
            **alignment_identity(align),
        }
    )


def alignment_identity(align: str) -> dict[str, object]:
    """How checkpoints are matched, as a part of a digest; nothing where they are not."""
    return {} if align == "none" else {"align": align, "alignment_format": ALIGNMENT_FORMAT}


def generator_digest(config: GeneratorConfig, autoencoder: str, seed: int) -> str:
    """Identity of a generator; the autoencoder's digest stands for the zoo, too.

    The sampler is no part of it: one trained generator serves them all.
    """
    content = config.model_dump(mode="json", exclude={"sampler"})
    return digest({"format": GENERATOR_FORMAT, "config": content, "autoencoder": autoencoder, "seed": seed})


def contents_identity(contents: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """What is loaded for structures that are judged (`Task.content`), as a part of a digest; nothing where nothing is.

    Structures of a zoo are told by its digest, too; unseen ones by this alone.
    """
    loaded = {name: dict(content) for name, content in contents.items() if content}
    return {"contents": loaded} if loaded else {}


def evaluation_digest(
    config: EvaluationConfig,
    generator_config: GeneratorConfig,
    zoo: str,
    generator: str,
    reference: str,
    contents: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Identity of an evaluation; `reference` is the digest of the reference zoo, empty without one, `contents` what is
    loaded for unseen structures."""
    return digest(
        {
            "format": EVALUATION_FORMAT,
            "config": config.model_dump(mode="json"),
            "sampler": generator_config.sampler.model_dump(mode="json"),
            "zoo": zoo,
            "generator": generator,
            "reference": reference,
            **contents_identity(contents or {}),
        }
    )


def autoencoder_key(name: str) -> str:
    return f"autoencoders/{name}.safetensors"


def generator_key(name: str) -> str:
    return f"generators/{name}.safetensors"


def evaluation_key(name: str) -> str:
    return f"evaluations/{name}.json"
