"""The models of a study with their identities."""

from collections.abc import Mapping
from dataclasses import dataclass

from zoogen.autoencoders.build import shape_for
from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.generators.config import GeneratorConfig
from zoogen.generators.source.config import SourceConfig
from zoogen.pipelines import model_digests as digests
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.digests import drawn_identity
from zoogen.tasks.base import Task
from zoogen.weights.target import Target
from zoogen.zoo.plan import ZooPlan


@dataclass(frozen=True)
class Model:
    """A model that is learnt from the study's zoo.

    Attributes:
        name: the method that a further model is judged as; empty for the study's own.
        autoencoder, generator: their configurations.
        autoencoder_digest: empty without an autoencoder.
        generator_digest: identity of the generator, the autoencoder's included.
    """

    name: str
    autoencoder: AutoencoderConfig | None
    generator: GeneratorConfig
    autoencoder_digest: str
    generator_digest: str

    @property
    def drawn_identity(self) -> str:
        """Identity of what the generator draws with its configured sampler."""
        return drawn_identity(self.generator, self.generator_digest)

    def title(self, what: str) -> str:
        """For example `generator`, and `generator exact` of the further model `exact`."""
        return f"{what} {self.name}".rstrip()


def taught(config: GeneratorConfig, task: Task, plan: ZooPlan) -> tuple[str, ...]:
    """Canonical names of the structures that a generator learns: those that it names, or the zoo's."""
    given = config.structures if isinstance(config, SourceConfig) else ()
    return tuple(dict.fromkeys(map(task.canonical, given))) or plan.structures


def models_of(config: PipelineConfig, task: Task, plan: ZooPlan, targets: tuple[Target, ...]) -> tuple[Model, ...]:
    """The study's own model, then the others.

    Args:
        targets: all structures of the study, which an autoencoder of padded vectors makes room for.

    Raises:
        ZoogenError: a structure does not fit, or is impossible.
    """
    made = []
    for name, model in config.models.items():
        autoencoder = ""
        if model.autoencoder is not None:
            autoencoder = digests.autoencoder_digest(
                model.autoencoder,
                plan.digest,
                config.last_checkpoints,
                config.best_runs,
                shape_for(model.autoencoder, targets),
                config.seed,
                config.align,
            )
            generator = digests.generator_digest(model.generator, autoencoder, config.seed)
        else:
            learnt = _learnt(model.generator, config, task, plan)
            generator = digests.direct_generator_digest(model.generator, learnt, config.seed)
        made.append(Model(name, model.autoencoder, model.generator, autoencoder, generator))
    return tuple(made)


def _learnt(generator: GeneratorConfig, config: PipelineConfig, task: Task, plan: ZooPlan) -> Mapping[str, object]:
    """What a generator without an autoencoder learns from."""
    structures = taught(generator, task, plan)
    if generator.learns_from_zoo:
        zoo = digests.zoo_identity(plan.digest, config.last_checkpoints, config.best_runs, config.align)
        return {**zoo, "structures": list(structures)}
    return {"task": {name: task.resolved_for(name) for name in structures}}
