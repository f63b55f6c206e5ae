"""Base of all results, their sealed JSON, and statistics of a metric over networks."""

import json
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from zoogen.errors import DamagedError, ZoogenError
from zoogen.seal import sealed_json, unsealed_json
from zoogen.shown import clipped

_KEY = "key"  # the member of a stored record that says where it belongs

R = TypeVar("R", bound="Record")


class Record(BaseModel):
    """Base of the results. JSON knows no infinity, so such numbers are written as text and read back."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


def record_bytes(record: Record, key: str = "") -> bytes:
    """The record's JSON with a seal (`zoogen.seal`): the only form in which records are stored.

    Args:
        key: where it will lie, so that its copy in another place is not taken for what belongs there.
    """
    content = json.loads(record.model_dump_json())
    return sealed_json({**content, _KEY: key} if key else content)


def read_record(
    model: type[R], data: str | bytes, where: str, key: str = "", *, sealed: bool = True, again: str = ""
) -> R:
    """A record from its JSON.

    Args:
        where: whose text it is, for the message.
        key: where it lies, if the record was written for a key.
        sealed: whether a text without a seal is refused; users may bring files of their own that have none.
        again: the command that makes it.

    Raises:
        DamagedError: the text does not fit its seal, belongs elsewhere, or is no such record.
        ZoogenError: the same of a user's file.
    """
    try:
        content = unsealed_json(data, required=sealed)
        written_for = content.pop(_KEY, "")
        if key and written_for != key:
            raise ValueError(f"it was written for {written_for or 'no key'}")
        return model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{clipped('.'.join(str(part) for part in first['loc'])) or 'text'}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    if not sealed:
        raise ZoogenError(f"{where} is no {model.__name__}: {clipped(reason, 200)}; write it again")
    remedy = f"`{again}` makes it again" if again else "run the stage that makes it again"
    raise DamagedError(f"it is no {model.__name__}: {reason}", where, remedy)


def is_error(metric: str) -> bool:
    """Whether a metric (`group.metric`) is a share of wrong answers: 1 - accuracy."""
    return metric.partition(".")[2] == "error"


class TrajectoryRecord(Record):
    """One network decoded after several numbers of denoising steps.

    Attributes:
        network: its index; each begins from noise of its own.
        metric: `group.metric`, lower is better.
        steps: denoising steps done, ascending from 0.
        values: the metric after each of them, infinite where the decoded weights are not finite.
    """

    structure: str
    label: str
    network: int
    metric: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


class Summary(Record):
    """Statistics of one metric over networks; NaN values are left out.

    `std` is the population's; quartiles interpolate linearly. Which end is best depends on the metric:
    for those that rank (a task's primary metrics) it is `minimum`.
    """

    count: int
    median: float
    mean: float
    std: float
    q25: float
    q75: float
    minimum: float
    maximum: float


def summarise(values: Sequence[float]) -> Summary:
    """Statistics of a list of numbers, NaN left out; all NaN if nothing remains.

    Example:
        >>> summarise([3.0, 1.0, 2.0]).median
        2.0
    """
    kept = np.asarray([value for value in values if not math.isnan(value)], dtype=np.float64)
    if not len(kept):
        nan = math.nan
        return Summary(count=0, median=nan, mean=nan, std=nan, q25=nan, q75=nan, minimum=nan, maximum=nan)
    # Infinite values (networks that failed) make mean and std undefined but leave the order intact:
    # quantiles of order statistics are taken without interpolating between inf and inf.
    with np.errstate(invalid="ignore"):
        mean, std = float(kept.mean()), float(kept.std())
    q25, median, q75 = (_quantile(np.sort(kept), q) for q in (0.25, 0.5, 0.75))
    ends = {"minimum": float(kept.min()), "maximum": float(kept.max())}
    return Summary(count=len(kept), median=median, mean=mean, std=std, q25=q25, q75=q75, **ends)


def _quantile(ordered: np.ndarray, q: float) -> float:
    position = q * (len(ordered) - 1)
    low, fraction = int(position), position - int(position)
    if fraction == 0.0 or ordered[low] == ordered[low + 1]:
        return float(ordered[low])
    return float(ordered[low] + fraction * (ordered[low + 1] - ordered[low]))
