"""Hidden units of an MLP-3 that may be renumbered."""

from zoogen.networks.stacked_mlp import MLPShape
from zoogen.weights.symmetry import Place, UnitGroup


def hidden_units(shape: MLPShape) -> tuple[UnitGroup, UnitGroup]:
    """Both hidden layers: rows of the layer that makes the units, columns of the one that reads them.

    LeakyReLU would also let a unit's inputs be scaled by any positive number and its outputs by the inverse;
    that is no renumbering and stays out.
    """
    return _units("hidden1", "dense1", "dense2", shape), _units("hidden2", "dense2", "dense3", shape)


def _units(name: str, made: str, read: str, shape: MLPShape) -> UnitGroup:
    places = (Place(f"{made}.weight", 0), Place(f"{made}.bias", 0), Place(f"{read}.weight", 1))
    return UnitGroup(name, shape.hidden, places)
