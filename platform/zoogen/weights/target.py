"""What a generator is asked for: a structure, as it sees it."""

from dataclasses import dataclass

from zoogen.weights.layout import ParameterLayout


@dataclass(frozen=True)
class Target:
    """A structure whose weights are learnt or wanted.

    Attributes:
        structure: canonical name.
        label: short name for tables.
        layout: layout of its flat weights.
        condition: the structure as numbers, of equal length for all structures of a task.
    """

    structure: str
    label: str
    layout: ParameterLayout
    condition: tuple[float, ...]
