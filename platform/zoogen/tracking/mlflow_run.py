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
from zoogen.tracking.channel import Channel, Outage
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
ERROR_TAG = "zoogen.error"
COMPLETE_TAG = "zoogen.complete"  # on runs with everything that belongs to them
STEP = "step"  # of a point of a training's history


class MlflowRun(Run):
    """A run that was created or found.

    Once the run is open, a server that goes away costs the tracking and not the work: it is said once, and what is told
    meanwhile waits for its return. Only a run to which everything has got is tagged as complete, last of all.

    Args:
        client: speaks to the store.
        entity: the run as found.
        store, files: outages of the tracking store and of its artifacts, shared with other runs.
        experiment_of: id of the experiment of a name, which is made if it is not there.
    """

    def __init__(
        self,
        client: "MlflowClient",
        entity: "MlflowEntity",
        store: Outage,
        files: Outage,
        experiment_of: Callable[[str], str],
    ) -> None:
        self._client = client
        self._outages = store, files
        self._store, self._files = Channel(store), Channel(files)
        self.run_id: str = entity.info.run_id
        self._entity, self._experiment_of = entity, experiment_of
        self._known_params = set(entity.data.params)
        finished = entity.info.status == "FINISHED"
        self._tagged = COMPLETE_TAG in entity.data.tags
        self.recorded = finished and self._tagged
        self._earlier_end = entity.info.end_time if finished else None
        # Latest step and value by metric; RunData's own dictionary has no steps.
        self._last = {m.key: (m.step, m.value) for m in entity.data.to_proto().metrics}
        self._earlier = frozenset(self._last)  # metrics with points of earlier goes
        self._told: dict[str, set[int]] = {}  # steps by metric, of this go
        self._buffer: list[Metric] = []
        self._flushed = time.monotonic()
        self._failed_before = ERROR_TAG in entity.data.tags

    def params(self, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        # Parameters cannot change in MLflow. What names the run is equal by its digest; what may differ between
        # two goes (device, workers) keeps its first value, and the configuration's artifact tells the latest.
        new = {key: value for key, value in flatten(masked_settings(settings)).items() if key not in self._known_params}
        entries = [Param(key, value) for key, value in new.items()]
        for start in range(0, len(entries), _PARAMS_PER_REQUEST):
            chunk = entries[start : start + _PARAMS_PER_REQUEST]
            self._store.tell(self._client.log_batch, self.run_id, params=chunk)
        self._known_params |= set(new)

    def tags(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        entries = [RunTag(key, shorten(masked(str(value)), MAX_TAG_VALUE)) for key, value in tags.items() if str(value)]
        if entries:
            self._store.tell(self._client.log_batch, self.run_id, tags=entries)

    def metrics(self, figures: Mapping[str, float], step: int = 0, split: Split | None = None) -> None:
        for name, value in figures.items():
            key = _key(name, split)
            if not self._already(key, step, float(value)):
                self._add(key, step, float(value))
        if len(self._buffer) >= _FLUSH_COUNT or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def history(self, points: Sequence[Mapping[str, float]], split: Split | None = None, prefix: str = "") -> None:
        known: dict[str, set[int]] = {}
        for point in points:
            for name, value in point.items():
                key, step = _key(prefix + name, split), int(point[STEP])
                if name == STEP:
                    continue
                if key not in known:
                    known[key] = self._told.get(key, set()) | self._steps_of(key)
                if step not in known[key]:
                    self._add(key, step, float(value))
        self._flush()

    def _steps_of(self, key: str) -> set[int]:
        """Steps that earlier goes have recorded."""
        if key not in self._earlier:
            return set()
        points = self._store.ask(self._client.get_metric_history, self.run_id, key)
        if points is None:
            self._store.lost = True
        return {point.step for point in points or ()}

    def _add(self, key: str, step: int, value: float) -> None:
        from mlflow.entities import Metric

        if math.isfinite(value):
            self._buffer.append(Metric(key, value, int(time.time() * 1000), step))
            self._last[key] = max(self._last.get(key, (-1, math.nan)), (step, value), key=lambda last: last[0])
            self._told.setdefault(key, set()).add(step)

    def _already(self, key: str, step: int, value: float) -> bool:
        """Whether a continued run has this point or a later one: resumed training repeats its last steps."""
        last_step, last_value = self._last.get(key, (-1, math.nan))
        return step < last_step or (step == last_step and value == last_value)

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if not self._store.send():
            self._store.lost |= len(self._buffer) > _KEPT_COUNT
            del self._buffer[:-_KEPT_COUNT]
            return
        while self._buffer:
            batch, self._buffer = self._buffer[:_FLUSH_COUNT], self._buffer[_FLUSH_COUNT:]
            if not self._store.tell(self._client.log_batch, self.run_id, metrics=batch):
                break

    def dataset(self, name: str, digest: str, source: str, context: str = "training") -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(name=name, digest=digest, source_type="uri", source=json.dumps({"uri": masked(source)}))
        entry = DatasetInput(data, [InputTag("mlflow.data.context", context)])
        self._store.tell(self._client.log_inputs, self.run_id, [entry])

    def text(self, name: str, content: str) -> None:
        self._files.tell(self._client.log_text, self.run_id, masked(content), name)

    def files(self, paths: Sequence[Path], folder: str = "") -> None:
        for path in paths:
            self._files.tell(self._client.log_artifact, self.run_id, str(path), folder or None)

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
        def log() -> None:
            log_results(self._client, self._experiment_of(RESULTS), self._entity, evaluation, params or {})

        self._store.tell(log)

    def finish(self, state: State, error: str = "") -> None:
        for outage in self._outages:
            outage.over()  # what waits gets one more chance
        self._files.send()
        self._flush()
        if state != "FINISHED":
            self.tags({ERROR_TAG: " ".join(error.split())})
        elif self._failed_before:
            self._store.tell(self._client.delete_tag, self.run_id, ERROR_TAG)
        if state == "FINISHED" and self._store.whole and self._files.whole and not self._buffer:
            self._store.tell(self._client.set_tag, self.run_id, COMPLETE_TAG, "true")
        elif self._tagged and not (self.reused and self.recorded):
            self._store.tell(self._client.delete_tag, self.run_id, COMPLETE_TAG)
        end = self._earlier_end if self.reused and state == "FINISHED" else None
        self._store.tell(self._client.set_terminated, self.run_id, state, end)


def _key(name: str, split: Split | None) -> str:
    return safe_key(f"{split}/{name}" if split else name)
