"""What every benchmark's configuration has."""

from pydantic import Field

from zoogen.config import Config


class BenchmarkBase(Config):
    """What every benchmark needs.

    Attributes:
        results: folder for `<kind>.json` and `<kind>.md`.
        check: compare with the JSON that is there instead of replacing it, and fail if a measure got worse.
        tolerance: share by which a measure may be worse before `check` fails.
        seed: of everything random.
    """

    results: str = "docs/results"
    check: bool = False
    tolerance: float = Field(0.15, ge=0)
    seed: int = Field(0, ge=0, lt=2**31)
