"""Statistics of weights, tensor by tensor."""

from torch import Tensor

from zoogen.evaluation.result import TensorStatistics
from zoogen.weights.layout import ParameterLayout


def tensor_statistics(layout: ParameterLayout, weights: Tensor) -> dict[str, TensorStatistics]:
    """Variance of each tensor of the networks [K, D], of all its values and between networks (see the record)."""
    found = {}
    for name, values in layout.unflatten(weights.double()).items():
        variance, between = values.var(unbiased=False), values.var(0, unbiased=False).mean()
        found[name] = TensorStatistics(variance=float(variance), between=float(between))
    return found
