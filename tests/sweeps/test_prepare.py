"""What networks of a structure share is made by one of the trials that need it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zoogen.console import Console
from zoogen.orchestration.trial import Leases
from zoogen.pipelines import stages
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study
from zoogen.sweeps.trial import TrialOrder, TrialStudy, silent
from zoogen.tasks.images import task as images

KNOWN, UNSEEN = "cnn-small@digits", "mlp-mini@digits"


def config_of(root: Path, steps: int) -> PipelineConfig:
    """Biases of two small networks, the second of which has no zoo."""
    few = {"iterations": 3, "batch_size": 8}
    return PipelineConfig.model_validate(
        {
            "artifacts": str(root),
            "task": {"kind": "images", "start": "trunk", "training": few, "collection": few, "subset": ["*bias"]},
            "zoo": {"structures": [KNOWN], "runs": 1, "validation_runs": 0, "test_runs": 1},
            "autoencoder": {"kind": "linear", "latent": 2, "scaling": "global"},
            "generator": {"denoiser": {"kind": "mlp"}, "loop": {**few, "schedule": {"kind": "constant"}},
                          "sampler": {"steps": steps}},
            "evaluation": {"count": 2, "structures": [UNSEEN], "methods": ["generated"], "portraits": [],
                           "audit": {"matched": False, "behaviour": False}},
            "ray": None,
            "tracking": {"kind": "none"},
        }
    )  # fmt: skip


def trial(config: PipelineConfig) -> TrialStudy:
    order = TrialOrder("trial", "0", {}, config.model_dump_json(), "pipeline")
    handle: Any = Handle(str(config.generator.sampler.steps))
    return TrialStudy(config, silent(), order=order, handle=handle)


class Handle:
    """A trial's handle for threads of one process, with the sweep's own book of who does what."""

    leases, lock = Leases(), threading.Lock()

    def __init__(self, name: str) -> None:
        self.name, self.waited = name, 0.0

    @contextmanager
    def exclusive(self, key: str, done: Callable[[], bool]) -> Iterator[None]:
        begin = time.perf_counter()
        while not done() and not self._take(key):
            time.sleep(0.01)
        self.waited += time.perf_counter() - begin
        try:
            yield
        finally:
            with self.lock:
                self.leases.free(self.name, key)

    def _take(self, key: str) -> bool:
        with self.lock:
            return self.leases.take(key, self.name)


def test_two_trials_at_a_time_make_one_trunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = images.make_trunk

    def slowly(config: Any, structure: str, *arguments: Any, **keywords: Any) -> bytes:
        made.append(structure)
        time.sleep(0.5)  # both trials are there by then
        return make(config, structure, *arguments, **keywords)

    monkeypatch.setattr(images, "make_trunk", slowly)
    trials = [trial(config_of(tmp_path, steps)) for steps in (2, 3)]
    assert trials[0].evaluation_digest != trials[1].evaluation_digest, "so that both are judged"
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda study: study.make_ready([UNSEEN]), trials))
    assert made == [UNSEEN]
    assert not trials[0].task.missing(UNSEEN) and not trials[1].task.missing(UNSEEN)
    assert max(study.handle.waited for study in trials) > 0.4, "one of them waited, and says so"
    trials[0].make_ready([UNSEEN])
    assert made == [UNSEEN]


def test_zoos_that_share_a_trunk_make_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = images.make_trunk
    monkeypatch.setattr(images, "make_trunk", lambda *given, **named: made.append(given[1]) or make(*given, **named))
    config = config_of(tmp_path, 2)
    longer = config.task.collection.model_copy(update={"iterations": 4})  # type: ignore[union-attr]
    other = config.model_copy(update={"task": config.task.model_copy(update={"collection": longer})})
    studies = [Study(each, Console()) for each in (config, other)]
    assert studies[0].plan.digest != studies[1].plan.digest
    for study in studies:
        stages.build_zoo(study)
    assert made == [KNOWN]


def test_what_lacks_for_judging_is_made_and_told_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = Study(config_of(tmp_path, 2), Console())
    stages.build_zoo(study)
    key = study.task.missing(UNSEEN)
    assert key and not study.store.exists(key) and not study.task.missing(KNOWN)
    stages.train_autoencoder(study)
    stages.train_generator(study)
    capsys.readouterr()
    stages.evaluate(study)
    said = capsys.readouterr().err
    assert said.index(f"preparing {study.task.label(UNSEEN)}: ") < said.index("evaluation: ")
    assert study.store.exists(key) and not study.task.missing(UNSEEN)


def test_whole_networks_lack_nothing(tmp_path: Path) -> None:
    config = config_of(tmp_path, 2)
    task = config.task.model_copy(update={"subset": ("*",)})
    study = Study(config.model_copy(update={"task": task}), Console())
    assert not study.task.missing(UNSEEN) and not study.task.prepared(UNSEEN)
