"""What a generator is asked for: a structure, as it sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.tokens import WeightTokens, row_tokens


@dataclass(frozen=True)
class Target:
    """A structure whose weights are learnt or wanted.

    Attributes:
        structure: canonical name.
        label: short name for tables.
        layout: layout of its flat weights.
        condition: the structure as numbers, of equal length for all structures of a task.
        coordinates: makes `tokens` by the task's knowledge; None for what the layout alone tells.
    """

    structure: str
    label: str
    layout: ParameterLayout
    condition: tuple[float, ...]
    coordinates: Callable[[], WeightTokens] | None = field(default=None, compare=False, repr=False)

    def tokens(self) -> WeightTokens:
        """Its weights as tokens with coordinates (`Task.tokens`), made anew.

        Raises:
            ZoogenError: the structure lies beyond what the coordinates can express.
        """
        return row_tokens(self.layout) if self.coordinates is None else self.coordinates()
