"""From an artifact to the generator in it, whatever its kind."""

from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.weight_generator import KIND, WeightGenerator, restoring
from zoogen.weights.packing import unpack


def read_generator(data: bytes) -> WeightGenerator:
    """The generator of a byte string that a generator's `to_bytes` made, on the CPU.

    Raises:
        DamagedError: damaged data, or data of another kind.
    """
    tensors, metadata = unpack(KIND, data)
    with restoring():
        return LatentWeightGenerator.restored(tensors, metadata)
