"""A run in MLflow, spoken to through its client alone: no global active run that others could disturb."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoogen.evaluation.result import Evaluation
from zoogen.secrets import masked, masked_settings
from zoogen.tracking.base import Run, Split, State
from zoogen.tracking.names import MAX_TAG_VALUE, flatten, safe_key, shorten
from zoogen.tracking.result_runs import RESULTS, learnt_from, log_results
from zoogen.tracking.summary import evaluation_medians, rows_csv, zoo_medians

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.entities import Run as MlflowEntity

_FLUSH_COUNT = 500  # metrics per request; MLflow takes at most 1000
_FLUSH_SECONDS = 5.0
_KEPT_COUNT = 50_000  # metrics that wait at most for a store that went away
_PARAMS_PER_REQUEST = 100
_PAUSE_SECONDS = 60.0
_FAILED = object()
ERROR_TAG = "zoogen.error"


class MlflowRun(Run):
    """A run that was created or found.

    Once the run is open, a server that goes away costs the tracking and not the work: it is said once, metrics
    wait for its return, and other calls are dropped meanwhile.

    Args:
        client: speaks to the store.
        entity: the run as found.
        say: told a notice.
        experiment_of: id of the experiment of a name, which is made if it is not there.
    """

    def __init__(
        self,
        client: "MlflowClient",
        entity: "MlflowEntity",
        say: Callable[[str], None],
        experiment_of: Callable[[str], str],
    ) -> None:
        self._client, self._say = client, say
        self.run_id: str = entity.info.run_id
        self._entity, self._experiment_of = entity, experiment_of
        self._known_params = set(entity.data.params)
        self._earlier_end = entity.info.end_time if entity.info.status == "FINISHED" else None
        # Latest step and value by metric; RunData's own dictionary has no steps.
        self._last = {m.key: (m.step, m.value) for m in entity.data.to_proto().metrics}
        self._buffer: list[Metric] = []
        self._flushed = time.monotonic()
        self._failed_before = ERROR_TAG in entity.data.tags
        self._paused_until, self._said = 0.0, False

    def params(self, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        # Parameters cannot change in MLflow. What names the run is equal by its digest; what may differ between
        # two goes (device, workers) keeps its first value, and the configuration's artifact tells the latest.
        new = {key: value for key, value in flatten(masked_settings(settings)).items() if key not in self._known_params}
        entries = [Param(key, value) for key, value in new.items()]
        for start in range(0, len(entries), _PARAMS_PER_REQUEST):
            chunk = entries[start : start + _PARAMS_PER_REQUEST]
            self._try(self._client.log_batch, self.run_id, params=chunk)
        self._known_params |= set(new)

    def tags(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        entries = [RunTag(key, shorten(masked(str(value)), MAX_TAG_VALUE)) for key, value in tags.items() if str(value)]
        if entries:
            self._try(self._client.log_batch, self.run_id, tags=entries)

    def metrics(self, figures: Mapping[str, float], step: int = 0, split: Split | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for name, value in figures.items():
            key = safe_key(f"{split}/{name}" if split else name)
            if math.isfinite(value) and not self._already(key, step, float(value)):
                self._buffer.append(Metric(key, float(value), now, step))
                self._last[key] = (step, float(value))
        if len(self._buffer) >= _FLUSH_COUNT or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def _already(self, key: str, step: int, value: float) -> bool:
        """Whether a continued run has this point or a later one: resumed training repeats its last steps."""
        last_step, last_value = self._last.get(key, (-1, math.nan))
        return step < last_step or (step == last_step and value == last_value)

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        while self._buffer:
            if self._try(self._client.log_batch, self.run_id, metrics=self._buffer[:_FLUSH_COUNT]) is _FAILED:
                break
            del self._buffer[:_FLUSH_COUNT]
        del self._buffer[:-_KEPT_COUNT]

    def dataset(self, name: str, digest: str, source: str, context: str = "training") -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(name=name, digest=digest, source_type="uri", source=json.dumps({"uri": masked(source)}))
        entry = DatasetInput(data, [InputTag("mlflow.data.context", context)])
        self._try(self._client.log_inputs, self.run_id, [entry])

    def text(self, name: str, content: str) -> None:
        self._try(self._client.log_text, self.run_id, masked(content), name)

    def files(self, paths: Sequence[Path], folder: str = "") -> None:
        for path in paths:
            self._try(self._client.log_artifact, self.run_id, str(path), folder or None)

    def zoo_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.text("tables/zoo.csv", rows_csv(rows))
        self.metrics(zoo_medians(rows))

    def evaluation(self, evaluation: Evaluation, report: Sequence[Path] = ()) -> None:
        self.metrics(evaluation_medians(evaluation), split="test")
        inputs = {key: value for key, value in evaluation.inputs.model_dump().items() if isinstance(value, str)}
        self.tags({f"zoogen.{key}": value for key, value in inputs.items()})
        self.params(learnt_from(evaluation))
        for known, name in ((True, "known"), (False, "unseen")):
            labels = dict.fromkeys(result.label for result in evaluation.results if result.known is known)
            self.tags({f"zoogen.{name}": ",".join(labels)})
        self.files(report, "report")

    def results(self, evaluation: Evaluation, params: Mapping[str, str] | None = None) -> None:
        experiment = self._try(self._experiment_of, RESULTS)
        if experiment is not _FAILED:
            self._try(log_results, self._client, experiment, self._entity, evaluation, params or {})

    def finish(self, state: State, error: str = "") -> None:
        self._paused_until = 0.0  # the end state is worth another attempt
        self._flush()
        if state != "FINISHED":
            self.tags({ERROR_TAG: " ".join(error.split())})
        elif self._failed_before:
            self._try(self._client.delete_tag, self.run_id, ERROR_TAG)
        end = self._earlier_end if self.reused and state == "FINISHED" else None
        self._try(self._client.set_terminated, self.run_id, state, end)

    def _try(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The call's answer, or `_FAILED`; after a failure nothing is tried for a minute."""
        if time.monotonic() < self._paused_until:
            return _FAILED
        try:
            return call(*arguments, **options)
        except Exception as problem:  # MLflow's, SQLAlchemy's, requests' and the system's errors have no common base
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            if not self._said:
                reason = shorten(masked(" ".join(str(problem).split())), 200)
                self._say(f"tracking is interrupted, the work goes on: {reason}; run the same command again afterwards")
                self._said = True
            return _FAILED
