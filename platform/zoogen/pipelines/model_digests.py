"""Names of what is learnt from a zoo: what an autoencoder and a generator depend on."""

from collections.abc import Mapping

from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.generators.config import GeneratorConfig
from zoogen.identity import digest

# Raise when the same configuration comes to mean another artifact.
AUTOENCODER_FORMAT = 1
GENERATOR_FORMAT = 1
ALIGNMENT_FORMAT = 2  # raise when runs come to be matched in another way


def autoencoder_digest(
    config: AutoencoderConfig,
    zoo: str,
    last: int | None,
    best: float,
    shape: Mapping[str, int],
    seed: int,
    align: str = "none",
) -> str:
    """Identity of an autoencoder.

    Args:
        config: its configuration.
        zoo: digest of the zoo that it learns from.
        last: checkpoints of each run that it learns from, None for all.
        best: share of the training runs that it learns from, the best ones.
        shape: what it needs beside its configuration (`build.shape_for`): the padded length, say, which `auto` takes
            from the structures asked for.
        seed: the study's seed.
        align: how the checkpoints are matched before; `none` is left out, as in digests of before there was another.
    """
    return digest(
        {
            "format": AUTOENCODER_FORMAT,
            "config": config.model_dump(mode="json"),
            "seed": seed,
            **shape,
            **zoo_identity(zoo, last, best, align),
        }
    )


def zoo_identity(zoo: str, last: int | None, best: float, align: str) -> dict[str, object]:
    """What a model learns from, as a part of its digest; as `autoencoder_digest`."""
    return {"zoo": zoo, "last": last, "best": best, **alignment_identity(align)}


def alignment_identity(align: str) -> dict[str, object]:
    """How checkpoints are matched, as a part of a digest; nothing where they are not."""
    return {} if align == "none" else {"align": align, "alignment_format": ALIGNMENT_FORMAT}


def generator_digest(config: GeneratorConfig, autoencoder: str, seed: int) -> str:
    """Identity of a generator; the autoencoder's digest stands for the zoo, too.

    The sampler is no part of it: one trained generator serves them all.
    """
    content = config.model_dump(mode="json", exclude={"sampler"})
    return digest({"format": GENERATOR_FORMAT, "config": content, "autoencoder": autoencoder, "seed": seed})


def direct_generator_digest(config: GeneratorConfig, learnt: Mapping[str, object], seed: int) -> str:
    """Identity of a generator without an autoencoder; `learnt` says what of."""
    return digest({"format": GENERATOR_FORMAT, "config": config.model_dump(mode="json"), "seed": seed, **learnt})
