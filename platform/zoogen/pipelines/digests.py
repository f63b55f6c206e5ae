"""Names of the stages' artifacts: what each depends on, in one place.

A digest covers what decides the content: resolved configuration, seed and the digests of inputs.
Where and how fast something is computed (device, workers, addresses) is left out.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from zoogen.evaluation.config import EvaluationConfig, Family
from zoogen.evaluation.fine_tuning_config import FineTuningConfig
from zoogen.evaluation.layer_similarity_config import SimilarityConfig
from zoogen.evaluation.result import Inputs
from zoogen.generators.config import GeneratorConfig, SamplerSettings
from zoogen.identity import digest
from zoogen.pipelines.model_digests import zoo_identity
from zoogen.zoo.plan import structure_key

Contents = Mapping[str, Mapping[str, Any]]  # structure to what is loaded for it (`Task.content`)

# Raise when the same configuration comes to mean another artifact.
EVALUATION_FORMAT = 3
FINE_TUNING_FORMAT = 2
FINE_TUNED_FILE_FORMAT = 2
SIMILARITY_FORMAT = 2


def others_identity(others: Mapping[str, str]) -> dict[str, object]:
    """Further models that are judged, name to identity, as a part of a digest; nothing where there are none."""
    return {"others": dict(others)} if others else {}


def drawn_identity(config: GeneratorConfig, generator: str) -> str:
    """Identity of what a generator of this digest draws with its configured sampler."""
    return digest({"generator": generator, "sampler": sampler_identity(config.sampler)})


def sampler_identity(sampler: SamplerSettings | None) -> dict[str, Any] | None:
    """How networks are drawn, as a part of a digest."""
    return None if sampler is None else sampler.model_dump(mode="json")


def contents_identity(contents: Contents) -> dict[str, object]:
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
    contents: Contents | None = None,
    others: Mapping[str, str] | None = None,
) -> str:
    """Identity of an evaluation; `reference` is the digest of the reference zoo, empty without one, `contents` what is
    loaded for unseen structures, `others` the identities of further generators with their samplers by name."""
    return digest(
        {
            "format": EVALUATION_FORMAT,
            "config": config.model_dump(mode="json"),
            "sampler": sampler_identity(generator_config.sampler),
            "zoo": zoo,
            "generator": generator,
            "reference": reference,
            **contents_identity(contents or {}),
            **others_identity(others or {}),
        }
    )


def evaluation_part_digest(
    config: EvaluationConfig,
    sampler: SamplerSettings | None,
    structure: str,
    families: Sequence[Family],
    *,
    mapped: bool,
    followed: bool,
    zoo: str,
    generator: str,
    reference: str,
    contents: Contents | None = None,
    others: Mapping[str, str] | None = None,
) -> str:
    """Identity of one structure's part of an evaluation: other structures, and methods that are not judged on it, are
    left out.

    Args:
        config: the evaluation's configuration.
        structure: canonical name.
        families: methods that are judged on it.
        mapped, followed: whether its weight matrices and the ways of its networks from noise are kept.
        zoo, generator, reference: digests; `reference` is empty where that zoo does not hold the structure.
        contents: what is loaded for it, where it is unseen.
        others: as of `evaluation_digest`.
    """
    content = config.model_dump(
        mode="json",
        exclude={
            **{"structures": True, "known": True, "methods": True, "unseen_methods": True},
            **{"weight_maps": {"structures"}, "trajectories": {"structures"}, "conventional": {"structures"}},
        },
    )
    return digest(
        {
            "format": EVALUATION_FORMAT,
            "config": {
                **content,
                "weight_maps": content["weight_maps"] if mapped else None,
                "trajectories": content.get("trajectories") if followed else None,
            },
            "families": list(families),
            "structure": structure,
            "sampler": sampler_identity(sampler),
            "zoo": zoo,
            "generator": generator,
            "reference": reference,
            **contents_identity(contents or {}),
            **others_identity(others or {}),
        }
    )


def fine_tuning_identity(
    config: FineTuningConfig,
    *,
    zoo: str,
    last: int | None,
    best: float,
    align: str,
    reference: str,
    generator: str,
    sampler: SamplerSettings | None,
) -> dict[str, object]:
    """What decides the curves of a structure beside the structure itself.

    Args:
        config: its structures and levels are left out.
        last, best, align: what of the zoo's training runs starts are made of, as of `autoencoder_digest`.
        generator: digest; empty where no start needs it, and then there is no `sampler`.
    """
    return {
        "format": FINE_TUNING_FORMAT,
        "config": config.model_dump(mode="json", exclude={"structures", "factors"}),
        **zoo_identity(zoo, last, best, align),
        "reference": reference,
        "generator": generator,
        "sampler": sampler_identity(sampler),
    }


def fine_tuning_digest(
    identity: Mapping[str, object], structures: Sequence[str], factors: Sequence[float], contents: Contents
) -> str:
    """Identity of the curves of all structures, and of the levels that are told of them."""
    told = {"structures": list(structures), "factors": list(factors)}
    return digest({**identity, **told, **contents_identity(contents)})


def fine_tuning_part_digest(identity: Mapping[str, object], structure: str, contents: Contents) -> str:
    """Identity of one structure's curves; other structures do not change them, so they are no part of it."""
    return digest({**identity, "structure": structure, **contents_identity(contents)})


def fine_tuned_file_digest(weights: Tensor, task: Mapping[str, Any], structure: str, iterations: int, seed: int) -> str:
    """Identity of the weights file that training on from networks [K, D] gives; `task` decides how they are trained."""
    content = hashlib.sha256(weights.contiguous().numpy().tobytes()).hexdigest()
    return digest(
        {
            "format": FINE_TUNED_FILE_FORMAT,
            "weights": content,
            "task": task,
            "structure": structure,
            "iterations": iterations,
            "seed": seed,
        }
    )


def similarity_digest(
    config: SimilarityConfig,
    inputs: Inputs,
    structures: Sequence[str],
    sampler: SamplerSettings | None,
    contents: Contents,
) -> str:
    """Identity of a similarity of layers; without a generator among the inputs its sampler is no part of it."""
    return digest(
        {
            "format": SIMILARITY_FORMAT,
            "config": config.model_dump(mode="json"),
            "inputs": inputs.model_dump(exclude={"study"}),
            "structures": list(structures),
            **contents_identity(contents),
            "sampler": sampler_identity(sampler if inputs.generator else None),
        }
    )


def autoencoder_key(name: str) -> str:
    return f"autoencoders/{name}.safetensors"


def generator_key(name: str) -> str:
    return f"generators/{name}.safetensors"


def evaluation_key(name: str) -> str:
    return f"evaluations/{name}.json"


def evaluation_part_key(structure: str, name: str) -> str:
    return f"evaluations/parts/{structure_key(structure)}/{name}.json"


def fine_tuning_key(name: str) -> str:
    return f"fine_tuning/{name}.json"


def fine_tuning_part_key(structure: str, name: str) -> str:
    return f"fine_tuning/parts/{structure_key(structure)}/{name}.json"


def similarity_key(name: str) -> str:
    return f"similarities/{name}.json"
