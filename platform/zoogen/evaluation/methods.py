"""All families of methods by name."""

from collections.abc import Iterator, Mapping

from zoogen.evaluation import from_models, from_training, from_zoo
from zoogen.evaluation.candidates import Candidate, FamilyMembers
from zoogen.evaluation.config import Family
from zoogen.evaluation.structure import StructureData

_FAMILIES: Mapping[Family, FamilyMembers] = {
    "generated": from_models.generated,
    "held-out": from_zoo.held_out,
    "training": from_zoo.training,
    "nearest": from_zoo.nearest,
    "average": from_zoo.average,
    "gaussian": from_zoo.gaussian,
    "pca-gaussian": from_zoo.pca_gaussian,
    "noise": from_zoo.noise,
    "reconstructed": from_models.reconstructed,
    "kde": from_models.kde,
    "prior": from_models.prior,
    "random": from_zoo.random,
    "untrained": from_zoo.untrained,
    "reference": from_zoo.reference,
    "ensemble": from_zoo.ensemble,
    "vae": from_models.vae,
    "conventional": from_training.conventional,
    "others": from_models.others,
    "latent-average": from_models.latent_average,
}


def candidates_of(data: StructureData) -> Iterator[Candidate]:
    """The methods that are wanted and possible on a structure, in the order of the configuration."""
    for family in data.sources.families(data.name):
        yield from _FAMILIES[family](data)
