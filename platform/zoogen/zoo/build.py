"""Building a zoo: one cohort at a time, each committed as one immutable part."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.artifact import Artifact, examine
from zoogen.errors import DamagedError, ZoogenError
from zoogen.identity import derive_seed
from zoogen.seal import sealed_json, unsealed_json
from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.records import CohortSpec, Scores
from zoogen.zoo.parts import cohort_table, finite_rows, part_metadata, table_to_parquet
from zoogen.zoo.plan import ZooPlan, part_key
from zoogen.zoo.prepare import prepare_serially, relay
from zoogen.zoo.progress import ProgressMeter, ZooProgressCallback
from zoogen.zoo.provenance import Provenance
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.verify import PartName, damage_of, look, parts_of


@dataclass(frozen=True)
class PartReport:
    """What became of one cohort.

    Attributes:
        cohort: digest of the specification.
        key: key of the part in the store.
        structure: canonical name.
        trained: False if the part was there before anything was trained.
        committed: False if the part was there, or another process wrote it meanwhile.
        rows: checkpoints in the part (0 if nothing was trained).
        diverged: (run, step) of checkpoints that were left out because their weights are not finite.
        training_seconds, scoring_seconds: wall-clock times.
        notices: remarks of the judge, and of diverged checkpoints.
    """

    cohort: str
    key: str
    structure: str
    trained: bool = False
    committed: bool = False
    rows: int = 0
    diverged: tuple[tuple[int, int], ...] = ()
    training_seconds: float = 0.0
    scoring_seconds: float = 0.0
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ZooReport:
    """What became of a whole zoo.

    Attributes:
        digest: names the zoo.
        manifest: URI of its manifest.
        parts: reports of the cohorts that were missing, in the order of completion.
        reused: cohorts that were there before.
        seconds: wall-clock time.
        deaths: workers that died and were replaced.
    """

    digest: str
    manifest: str
    parts: tuple[PartReport, ...]
    reused: int
    seconds: float
    deaths: int = 0

    @property
    def checkpoints(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def built(self) -> int:
        """Cohorts that were committed by this building, not by another one at the same time."""
        return sum(part.committed for part in self.parts)

    @property
    def diverged(self) -> int:
        return sum(len(part.diverged) for part in self.parts)

    @property
    def notices(self) -> tuple[str, ...]:
        """Distinct remarks, in order."""
        return tuple(dict.fromkeys(notice for part in self.parts for notice in part.notices))


def manifest_key(digest: str) -> str:
    """Key of a complete zoo's manifest."""
    return f"zoo/{digest}.json"


def plan_manifest_key(digest: str) -> str:
    """Key of the same content, written when the building begins."""
    return f"zoo/plans/{digest}.json"


def manifest_bytes(plan: ZooPlan) -> bytes:
    return sealed_json({"digest": plan.digest, **plan.manifest_content()})


def begin_zoo(plan: ZooPlan, store: ArtifactStore) -> None:
    """Check that the store can be written to, and leave the plan there so that an unfinished zoo can be listed."""
    store.check()
    _keep_manifest(plan, store, plan_manifest_key(plan.digest))


def has_manifest(plan: ZooPlan, store: ArtifactStore) -> bool:
    """Whether the manifest of the complete zoo is there, and whole."""
    return _manifest(plan, store, manifest_key(plan.digest)).value is not None


def _keep_manifest(plan: ZooPlan, store: ArtifactStore, key: str) -> None:
    there = _manifest(plan, store, key)
    if there.value is None:
        there.commit(manifest_bytes(plan))


def _manifest(plan: ZooPlan, store: ArtifactStore, key: str) -> Artifact[bool]:
    def read(data: bytes) -> bool:
        try:
            if unsealed_json(data) == {"digest": plan.digest, **plan.manifest_content()}:
                return True
            raise ValueError("it is that of another zoo")
        except ValueError as error:
            raise DamagedError(str(error)) from None

    return examine(store, key, read)


def finish_zoo(plan: ZooPlan, store: ArtifactStore) -> str:
    """Commit the manifest; returns its URI.

    Raises:
        ZoogenError: parts are missing.
    """
    if missing := missing_cohorts(plan, store):
        count = f"{len(missing)} of {len(plan.cohorts)} cohorts"
        raise ZoogenError(f"zoo {plan.digest} lacks {count}; build it again to complete it")
    _keep_manifest(plan, store, manifest_key(plan.digest))
    return store.uri_of(manifest_key(plan.digest))


def missing_cohorts(
    plan: ZooPlan,
    store: ArtifactStore,
    structures: Sequence[str] | None = None,
    *,
    sound: Task | None = None,
) -> tuple[CohortSpec, ...]:
    """Cohorts without a part, in the order of the plan (of the given canonical structures only).

    Args:
        sound: read the parts, too, and count those as missing that are damaged, or not of this task.
    """
    cohorts = [c for c in plan.cohorts if structures is None or c.structure in structures]
    parts = parts_of(cohorts, sound)
    if sound is not None:
        presence = look(store, parts)
        absent = {*presence.missing, *presence.damaged}
    else:
        absent = {name.key for name in parts} - {key for folder in _folders(parts) for key in store.list(folder)}
    return tuple(cohort for cohort, part in zip(cohorts, parts, strict=True) if part.key in absent)


def _folders(parts: Sequence[PartName]) -> set[str]:
    return {name.key.rpartition("/")[0] for name in parts}


def build_part(
    task: Task,
    spec: CohortSpec,
    store: ArtifactStore,
    *,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
    provenance: Provenance | None = None,
) -> PartReport:
    """Train, judge and commit one cohort, unless its part is there.

    Safe to repeat and to race: the part appears whole, once, whoever writes it. What the structure's networks share
    is made first where nobody did (`Task.prepare`), into the same store unless the task has another place for it.

    Raises:
        ZoogenError: the store cannot be used.
        ValueError: the task returned something else than it was asked for.
    """
    key, size = part_key(spec), task.layout(spec.structure).size
    task = task if task.assets is not None else task.using(store)
    there = _part(store, spec, task)
    if there.value:
        return PartReport(spec.digest, key, spec.structure)
    if not task.prepared(spec.structure):
        task.prepare(spec.structure, device, progress)
    cohort = task.train_cohort(spec, device=device, progress=progress)
    if cohort.weights.shape != (len(spec.runs), len(cohort.steps), size):
        expected = [len(spec.runs), len(cohort.steps), size]
        raise ValueError(f"{task.name} trained weights of shape {list(cohort.weights.shape)}, expected {expected}")
    keep = finite_rows(cohort.weights).cpu()
    diverged = tuple((spec.runs[m].run, int(cohort.steps[c])) for m, c in (~keep).nonzero().tolist())
    begin = time.perf_counter()
    scores: Scores | None = None
    if bool(keep.any()):
        kept = cohort.weights[keep.to(cohort.weights.device)]
        scores = task.score(spec.structure, kept, seed=derive_seed("score", spec.digest), device=device)
    scoring_seconds = time.perf_counter() - begin
    made_by = provenance or Provenance.current()
    label = task.label(spec.structure)
    table = cohort_table(cohort, scores, keep, label, task.describe_run(), made_by)
    notices = (*(scores.notices if scores else ()), *_diverged_notice(label, diverged, keep.numel()))
    metadata = {**part_metadata(cohort, scores, diverged, scoring_seconds), "notices": list(notices), "device": device}
    committed = there.commit(table_to_parquet(table, {**metadata, "columns": table.column_names}))
    notices = (there.notice(), *notices) if there.damage else notices
    return PartReport(
        spec.digest,
        key,
        spec.structure,
        True,
        committed,
        table.num_rows,
        diverged,
        cohort.seconds,
        scoring_seconds,
        notices,
    )


def build_serially(
    plan: ZooPlan, task: Task, store: ArtifactStore, progress: ZooProgressCallback | None = None, *, device: str = "cpu"
) -> ZooReport:
    """Build what is missing of a zoo in this process, cohort by cohort, and commit the manifest."""
    start, task = time.perf_counter(), task.using(store)
    begin_zoo(plan, store)
    missing, provenance, parts = missing_cohorts(plan, store, sound=task), Provenance.current(), []
    meter = ProgressMeter(len(plan.cohorts), len(plan.cohorts) - len(missing))
    prepare_serially(task, missing, meter, progress, device=device)
    for spec in missing:
        meter.start(spec.digest)
        report = build_part(
            task, spec, store, device=device, progress=relay(meter, spec.digest, progress), provenance=provenance
        )
        meter.finish(spec.digest, report.rows)
        parts.append(report)
        if progress is not None:
            progress(meter.snapshot())
    manifest = finish_zoo(plan, store)
    return ZooReport(plan.digest, manifest, tuple(parts), meter.reused, time.perf_counter() - start)


def _part(store: ArtifactStore, spec: CohortSpec, task: Task) -> Artifact[bool]:
    """What lies in a part's place."""
    key = part_key(spec)
    version = store.version(key)  # before it is read, as in `examine`
    damage = damage_of(store, *parts_of([spec], task)) if version else None
    whole = True if version and damage is None else None
    return Artifact(store, key, whole, damage.reason if damage is not None else "", version)


def _diverged_notice(label: str, diverged: tuple[tuple[int, int], ...], total: int) -> tuple[str, ...]:
    if not diverged:
        return ()
    runs = sorted({run for run, _ in diverged})
    named = ", ".join(map(str, runs[:5])) + (", …" if len(runs) > 5 else "")
    counts = f"{len(diverged)} of {total} checkpoints"
    return (f"{label}: {counts} diverged and were left out (runs {named}); lower the learning rate",)
