"""The evaluation of a study, structure by structure."""

from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.evaluation.result import Evaluation, Inputs
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.evaluation.structure_evaluation import StructureEvaluation, assembled, evaluate_structure
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import evaluation_part_digest, evaluation_part_key
from zoogen.pipelines.sampling import configured
from zoogen.pipelines.stored import load_generator
from zoogen.pipelines.units import StructureUnit, run_units
from zoogen.tasks.base import ProgressCallback


@dataclass(frozen=True)
class EvaluationUnit(StructureUnit[StructureEvaluation]):
    """All methods on one structure."""

    model = StructureEvaluation

    def result(self, study: Study, progress: ProgressCallback) -> StructureEvaluation:
        generator = load_generator(study)
        sources = Sources(
            study.task,
            study.config.evaluation,
            study.learnt(),
            configured(generator, study.config.generator),
            generator.codec,
            study.reference,
            study.device,
            {model.name: configured(load_generator(study, model), model.generator) for model in study.others},
        )
        data = StructureData(sources, self.structure)
        part = evaluate_structure(data, lambda done, total, _: progress(done, total, {}))
        return part.model_copy(update={"cost": study.alignment_cost(self.structure) if data.known else {}})


def evaluated(study: Study, generators: Sequence[WeightGenerator]) -> Evaluation:
    """The evaluation of the study from its parts; those that are missing are judged.

    Args:
        generators: of the study's models, its own first.

    Raises:
        ZoogenError: the configuration wants pictures of a structure that is not evaluated, or a part failed.
    """
    parts = run_units(study, "evaluation", evaluation_units(study))
    reference = study.reference_plan
    inputs = Inputs(
        study=study.config.study,
        zoo=study.plan.digest,
        autoencoder=study.autoencoder_digest,
        generator=study.generator_digest,
        reference=reference.digest if reference is not None else "",
        structures=len(study.plan.structures),
        models=min((part.learnt for part in parts if part.structure in study.plan.targets), default=0),
        others={model.name: model.generator_digest for model in study.others},
    )
    cost = study.zoo_cost()
    for model, generator in zip(study.models, generators, strict=True):
        within = f"{model.name}/" if model.name else ""
        if generator.codec is not None:
            cost[f"{within}autoencoder"] = generator.codec.seconds
        cost[f"{within}generator"] = generator.seconds
    return assembled(study.task, study.config.evaluation, parts, inputs, cost, study.plan.structures)


def evaluation_units(study: Study) -> list[EvaluationUnit]:
    """One for every structure, in the order of the evaluation."""
    config = study.config
    sources = Sources(study.task, config.evaluation, study.zoo, reference=study.reference)
    others = {model.name: model.drawn_identity for model in study.others}
    units = []
    for structure in sources.structures:
        name = evaluation_part_digest(
            config.evaluation,
            config.generator.sampler,
            structure,
            sources.families(structure),
            mapped=structure in sources.mapped,
            followed=structure in sources.followed,
            zoo=study.plan.digest,
            generator=study.generator_digest,
            reference=sources.reference.plan.digest
            if sources.reference is not None and structure in sources.trained_elsewhere
            else "",
            contents=study.contents([structure] if structure in sources.unseen else []),
            others=others,
        )
        units.append(EvaluationUnit(config, structure, evaluation_part_key(structure, name)))
    return units
