"""Structures of the hypergrid task: the tuple c = [s, h, n, d] of GenFlowNet §3.1."""

import math
import re
from dataclasses import dataclass

from zoogen.errors import ZoogenError
from zoogen.shown import shown

# GenFlowNet §3.1 and A.2: (horizon, dimensions) by name. A-D are trained on, the starred are unseen.
NAMED: dict[str, tuple[int, int]] = {
    "A": (16, 4),
    "B": (6, 6),
    "C": (5, 5),
    "D": (9, 4),
    "A*": (3, 3),
    "B*": (4, 4),
    "C*": (12, 3),
    "D*": (7, 7),
    "E*": (2, 2),
    "F*": (8, 2),
    "G*": (27, 3),
    "H*": (25, 4),
}
LARGEST_WIDTH = 1_000_000  # of the one-hot encoding of a state
LARGEST_STATES = 300  # decimal digits of their number, which is to be a floating-point number, too
_NAMES = {pair: name for name, pair in NAMED.items()}
_SPELLINGS = "a name (A … H*), a tuple s,h,n,d such as 36,12,3,6, or h^n such as 12^3"


@dataclass(frozen=True)
class HypergridStructure:
    """A grid of `dimensions` n coordinates with values 0 … `horizon` h − 1."""

    horizon: int
    dimensions: int

    def __post_init__(self) -> None:
        if self.horizon < 2 or self.dimensions < 1:
            raise ZoogenError(
                f"impossible structure h={self.horizon}, n={self.dimensions}: a hypergrid needs "
                "a horizon h of at least 2 and n of at least 1 dimension"
            )
        if self.state_size > LARGEST_WIDTH or self.dimensions * math.log10(self.horizon) > LARGEST_STATES:
            raise ZoogenError(
                f"structure h={self.horizon}, n={self.dimensions} is too large: n·h goes up to {LARGEST_WIDTH:,} and "
                f"h^n up to 10^{LARGEST_STATES}"
            )

    @classmethod
    def parse(cls, text: str) -> "HypergridStructure":
        """Structure from a name, a tuple `s,h,n,d` or `h,n`, or `h^n`.

        Raises:
            ZoogenError: no such name, not a tuple, s ≠ n·h, d ≠ √s, n < 1 or h < 2.
        """
        text = text.strip().strip("[]()")
        if len(text) > 80:
            raise ZoogenError(f"structure {shown(text)} is not of a known form: give {_SPELLINGS}")
        if text in NAMED:
            return cls(*NAMED[text])
        if match := re.fullmatch(r"(-?\d{1,9})\^(-?\d{1,9})", text, re.ASCII):
            return cls(int(match[1]), int(match[2]))
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            raise ZoogenError(f"unknown structure {shown(text)}: give {_SPELLINGS}") from None
        if any(abs(number) > LARGEST_WIDTH for number in numbers):
            raise ZoogenError(f"structure {shown(text)} is too large: n·h goes up to {LARGEST_WIDTH:,}")
        integers = numbers if len(numbers) == 2 else numbers[:3]  # d = √s may be any real number
        if len(numbers) not in (2, 4) or not all(x.is_integer() for x in integers) or not math.isfinite(numbers[-1]):
            raise ZoogenError(f"structure {shown(text)} is not of a known form: give {_SPELLINGS}")
        if len(numbers) == 2:
            return cls(int(numbers[0]), int(numbers[1]))
        state, horizon, dimensions, size = numbers
        structure = cls(int(horizon), int(dimensions))
        if state != structure.state_size or abs(size - structure.size) > 5e-3:
            raise ZoogenError(
                f"impossible structure {shown(text)}: s must be n·h = {structure.state_size} and d must be √s = "
                f"{structure.size:.6g}; write {structure.name} or {structure.horizon}^{structure.dimensions}"
            )
        return structure

    @property
    def state_size(self) -> int:
        """s = n·h, width of the one-hot encoding of a state."""
        return self.horizon * self.dimensions

    @property
    def size(self) -> float:
        """d = √s."""
        return math.sqrt(self.state_size)

    @property
    def actions(self) -> int:
        """n increments, then stop."""
        return self.dimensions + 1

    @property
    def states(self) -> int:
        """h^n."""
        return self.horizon**self.dimensions

    @property
    def log_states(self) -> float:
        """Natural logarithm of h^n."""
        return self.dimensions * math.log(self.horizon)

    @property
    def name(self) -> str:
        """Canonical spelling: the tuple `s,h,n,d`."""
        return f"{self.state_size},{self.horizon},{self.dimensions},{self.size:.6g}"

    @property
    def label(self) -> str:
        """`C* 12^3` for the paper's structures, `10^4` for others."""
        grid = f"{self.horizon}^{self.dimensions}"
        name = _NAMES.get((self.horizon, self.dimensions))
        return f"{name} {grid}" if name else grid
