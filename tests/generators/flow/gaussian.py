"""Flow matching from N(0, I) to N(mean, std² I), of which everything is known."""

from torch import Tensor

from zoogen.generators.denoiser_config import MlpConfig
from zoogen.generators.flow.config import FlowConfig
from zoogen.generators.flow.matching import LatentFlow

MEAN, STD = 1.5, 0.4
FIELD = MlpConfig(width=32, hidden=64, blocks=2, embedding=16)


def slope(t: Tensor) -> Tensor:
    """How the velocity grows with the distance from the path's mean: Cov(x_1 - x_0, x_t) / Var(x_t)."""
    return (t * STD**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * STD**2)


class Gaussian(LatentFlow):
    """The optimal velocity E[x_1 - x_0 | x_t]; its flow takes x_0 to MEAN + STD x_0."""

    def velocity(self, points: Tensor, times: Tensor, conditions: Tensor, hidden: Tensor | None = None) -> Tensor:
        t = times.unsqueeze(-1)
        return MEAN + slope(t) * (points - t * MEAN)


def gaussian(**changes: object) -> Gaussian:
    return Gaussian(FlowConfig(field=FIELD, **changes), latent=6, condition=2)  # type: ignore[arg-type]
