"""`zoogen report`: finds evaluations and puts them side by side."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoogen.config import read_mapping
from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.result import Evaluation
from zoogen.identity import digest
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import artifact_root, local_path
from zoogen.pipelines.digests import evaluation_key
from zoogen.pipelines.results import read_evaluation
from zoogen.reports.comparison import write_comparison
from zoogen.reports.documents import overview_table
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.zoo.store import ArtifactStore

_WAYS = (
    "give the YAML file of a study or of a sweep, the digest of an evaluation, an evaluation.json, or a report folder"
)
_DIGEST = re.compile(r"[0-9a-f]{3,64}")
_WIDTH = 120  # columns of the printed table


@dataclass(frozen=True)
class RunArgument:
    """One RUN of the command line with the overrides that follow it."""

    text: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """An evaluation, its digest (a shortened one of its content where it has no name), and how it was asked for.

    Attributes:
        trial: name of the trial in a sweep, empty outside one.
        store: where it was found, None for files.
    """

    argument: RunArgument
    digest: str
    evaluation: Evaluation
    trial: str = ""
    store: ArtifactStore | None = None

    @property
    def study(self) -> str:
        return self.trial or self.evaluation.inputs.study or "run"


def parse_arguments(words: Sequence[str]) -> list[RunArgument]:
    """RUN [KEY=VALUE …] RUN [KEY=VALUE …] …: an override belongs to the RUN before it.

    Raises:
        ZoogenError: an override comes first.
    """
    found: list[RunArgument] = []
    for word in words:
        if "=" not in word or Path(word).exists():
            found.append(RunArgument(word))
        elif not found:
            raise ZoogenError(f"override {word} comes before any RUN; write it after the study that it changes")
        else:
            found[-1] = replace(found[-1], overrides=(*found[-1].overrides, word))
    return found


def find_evaluations(argument: RunArgument, artifacts: str | None, say: Callable[[str], None]) -> list[Found]:
    """The evaluation that a RUN names, or those of a sweep's trials, as far as they are there.

    Args:
        argument: study or sweep file, digest or unique beginning of one, evaluation.json, or folder with one.
        artifacts: artifact root of digests, and of studies instead of their own; None: `artifacts`, their own.
        say: told, in one line, which trials of a sweep have none.

    Raises:
        ZoogenError: there is no such evaluation, or more than one.
    """
    path = Path(argument.text).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if _is_sweep(argument):
            return _of_sweep(argument, artifacts, say)
        return [_of_study(argument, artifacts)]
    if argument.overrides:
        raise ZoogenError(f"{argument.text} is no study's YAML file, so {argument.overrides[0]} changes nothing in it")
    if path.is_dir():
        return [_of_file(argument, path / "evaluation.json")]
    if path.is_file():
        return [_of_file(argument, path)]
    if _DIGEST.fullmatch(argument.text):
        return [_of_digest(argument, artifacts)]
    raise ZoogenError(f"there is no evaluation {argument.text!r}: {_WAYS}")


def _is_sweep(argument: RunArgument) -> bool:
    return "base" in read_mapping(argument.text)  # the study that a sweep varies; studies have no such key


def _of_sweep(argument: RunArgument, artifacts: str | None, say: Callable[[str], None]) -> list[Found]:
    from zoogen.sweeps.plan import load_sweep

    overrides = [*argument.overrides, *([f"overrides.artifacts={artifacts}"] if artifacts is not None else [])]
    plan = load_sweep(argument.text, overrides)
    command = " ".join(["zoogen sweep", argument.text, *overrides])
    if plan.config.stage != "pipeline":
        raise ZoogenError(
            f"{argument.text} ends with {plan.config.stage}, so its trials have no evaluations to report; "
            f"`{command}` writes its own table"
        )
    found, missing = [], []
    for trial in plan.trials:
        study = trial.study(Console())
        key = evaluation_key(study.evaluation_digest)
        if study.store.exists(key):
            found.append(_stored(argument, study.store, study.evaluation_digest, plan.config.study, trial.name))
        else:
            missing.append(trial.name)
    if not found:
        raise ZoogenError(f"no trial of {argument.text} has an evaluation; run `{command}` first")
    if missing:
        say(
            f"{argument.text}: {len(missing)} of {len(plan.trials)} trials have no evaluation (not run, failed, or "
            f"stopped early): {', '.join(missing)}"
        )
    return found


def _stored(argument: RunArgument, store: ArtifactStore, name: str, study: str | None = None, trial: str = "") -> Found:
    """The evaluation of a digest that is known to be there, as of the study that asks for it, if one does."""
    return Found(argument, name, read_evaluation(store, name, study), trial, store)


def _of_study(argument: RunArgument, artifacts: str | None) -> Found:
    # A study brings the machinery of training along; digests and files need none of it.
    from zoogen.pipelines.open import open_study

    overrides = [*argument.overrides, *([f"artifacts={artifacts}"] if artifacts is not None else [])]
    study = open_study(argument.text, overrides)
    name, store = study.evaluation_digest, study.store
    key = evaluation_key(name)
    if not store.exists(key):
        raise ZoogenError(
            f"there is no evaluation of this configuration at {store.uri_of(key)}; run `zoogen evaluate "
            f"{' '.join([argument.text, *overrides])}` first"
        )
    return _stored(argument, store, name, study.config.study)


def _of_file(argument: RunArgument, path: Path) -> Found:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ZoogenError(f"cannot read {path}: {error.strerror}; {_WAYS}") from None
    evaluation = Evaluation.from_json(text, str(path), sealed=False)
    return Found(argument, digest({"evaluation": evaluation.model_dump_json(indent=1)}), evaluation)


def _of_digest(argument: RunArgument, artifacts: str | None) -> Found:
    store = ArtifactStore(_root(artifacts))
    folder, _, suffix = evaluation_key("").rpartition("/")
    # parts of evaluations lie in folders of their own below
    keys = [key for key in store.list(folder) if key.endswith(suffix) and key.rpartition("/")[0] == folder]
    names = sorted(Path(key).stem for key in keys)
    matching = [name for name in names if name.startswith(argument.text)]
    if len(matching) > 1:
        raise ZoogenError(f"digest {argument.text} is not unique: {', '.join(matching)}; give more of it")
    if not matching:
        there = f"there are {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else "there are none"
        raise ZoogenError(
            f"no evaluation {argument.text} under {store.uri_of(folder)} ({there}); give another --artifacts"
        )
    return _stored(argument, store, matching[0])


def _root(artifacts: str | None) -> str:
    return artifact_root(artifacts if artifacts is not None else PipelineConfig.model_fields["artifacts"].default)


def named_runs(found: Sequence[Found]) -> list[NamedEvaluation]:
    """Runs named by their studies or trials, with the digest where these share a name.

    What was asked for twice is there once; an evaluation that two sweeps name differently is a trial of each.
    """
    unique = list({(item.study, item.digest): item for item in found}.values())
    counts = Counter(item.study for item in unique)
    names = [item.study if counts[item.study] == 1 else f"{item.study}-{item.digest[:8]}" for item in unique]
    return [NamedEvaluation(name, item.evaluation) for name, item in zip(names, unique, strict=True)]


def report(words: Sequence[str], out: str | None, artifacts: str | None, console: Console) -> Path:
    """Find, write, and print what the runs say; the path of the page.

    Raises:
        ZoogenError: a RUN is wrong, or the folder cannot be written.
    """
    notices: list[str] = []
    arguments = parse_arguments(words)
    found = [item for argument in arguments for item in find_evaluations(argument, artifacts, notices.append)]
    for notice in notices:
        console.say(notice)
    runs = named_runs(found)
    folder = local_path(out) if out is not None else _default_folder(found, artifacts)
    paths = write_comparison(runs, folder, notices)
    console.out.print(overview_table(runs), width=min(console.out.width, _WIDTH))
    for path in paths:
        if path.parent == folder:
            console.show(f"  {path}")
    console.show(f"  {folder}/<run>/ with each run's own tables and figures")
    return paths[0]


def _default_folder(found: Sequence[Found], artifacts: str | None) -> Path:
    """A folder named by the evaluations under the artifact root of the first that has one, or a temporary one if that
    root is remote."""
    name = f"comparison-{digest({'evaluations': [[item.study, item.digest] for item in found]})}"
    store = next((item.store for item in found if item.store is not None), None) or ArtifactStore(_root(artifacts))
    if store.root is None:
        return Path(tempfile.mkdtemp(prefix=f"zoogen-{name}-"))
    return store.root / "reports" / name
