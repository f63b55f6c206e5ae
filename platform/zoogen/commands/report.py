"""`zoogen report`: finds evaluations and puts them side by side."""

import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoogen.bounded import read_bytes
from zoogen.config import read_mapping
from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.result import Evaluation
from zoogen.identity import digest
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import artifact_root, local_path
from zoogen.pipelines.digests import evaluation_key
from zoogen.pipelines.report import origin as origin_of
from zoogen.pipelines.results import read_evaluation
from zoogen.reports.comparison import render_comparison
from zoogen.reports.named_evaluations import NamedEvaluation, Origin
from zoogen.reports.screen import print_overview, report_lines
from zoogen.reports.write import write_files
from zoogen.secrets import masked
from zoogen.shown import shown
from zoogen.zoo.store import ArtifactStore

_WAYS = (
    "give the YAML file of a study or of a sweep, the digest of an evaluation, an evaluation.json, or a report folder"
)
_DIGEST = re.compile(r"[0-9a-f]{3,64}")


@dataclass(frozen=True)
class EvaluationArgument:
    """One EVALUATION of the command line with the overrides that follow it."""

    text: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """An evaluation, its digest (a shortened one of its content where it has no name), and how it was asked for.

    Attributes:
        trial: name of the trial in a sweep, empty outside one.
        store: where it was found, None for files.
        origin: the study's command and configuration, None where only the evaluation is at hand.
    """

    argument: EvaluationArgument
    digest: str
    evaluation: Evaluation
    trial: str = ""
    store: ArtifactStore | None = None
    origin: Origin | None = None

    @property
    def study(self) -> str:
        return self.trial or self.evaluation.inputs.study or "evaluation"


def parse_arguments(words: Sequence[str]) -> list[EvaluationArgument]:
    """EVALUATION [KEY=VALUE …] EVALUATION [KEY=VALUE …] …: an override belongs to the word before it.

    Raises:
        ZoogenError: an override comes first.
    """
    found: list[EvaluationArgument] = []
    for word in words:
        if "=" not in word or Path(word).exists():
            found.append(EvaluationArgument(word))
        elif not found:
            raise ZoogenError(f"override {word} comes before any EVALUATION; write it after the study that it changes")
        else:
            found[-1] = replace(found[-1], overrides=(*found[-1].overrides, word))
    return found


def find_evaluations(argument: EvaluationArgument, artifacts: str | None, say: Callable[[str], None]) -> list[Found]:
    """The evaluation that an argument names, or those of a sweep's trials, as far as they are there.

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
    raise ZoogenError(f"there is no evaluation {shown(argument.text)}: {_WAYS}")


def _is_sweep(argument: EvaluationArgument) -> bool:
    return "base" in read_mapping(argument.text)  # the study that a sweep varies; studies have no such key


def _of_sweep(argument: EvaluationArgument, artifacts: str | None, say: Callable[[str], None]) -> list[Found]:
    from zoogen.sweeps.plan import load_sweep

    overrides = [*argument.overrides, *([f"overrides.artifacts={artifacts}"] if artifacts is not None else [])]
    plan = load_sweep(argument.text, overrides)
    if plan.config.stage != "pipeline":
        raise ZoogenError(
            f"{argument.text} ends with {plan.config.stage}, so its trials have no evaluations to report; "
            f"`{plan.command}` writes its own table"
        )
    found, missing = [], []
    for trial in plan.trials:
        study = trial.study(Console())
        key = evaluation_key(study.evaluation_digest)
        if study.store.exists(key):
            origin = Origin(masked(plan.command), origin_of(study, "pipeline").configuration)
            evaluation = read_evaluation(study.store, study.evaluation_digest, plan.config.study)
            found.append(Found(argument, study.evaluation_digest, evaluation, trial.name, study.store, origin))
        else:
            missing.append(trial.name)
    if not found:
        raise ZoogenError(f"no trial of {argument.text} has an evaluation; run `{plan.command}` first")
    if missing:
        say(
            f"{argument.text}: {len(missing)} of {len(plan.trials)} trials have no evaluation (not run, failed, or "
            f"stopped early): {', '.join(missing)}"
        )
    return found


def _of_study(argument: EvaluationArgument, artifacts: str | None) -> Found:
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
    evaluation = read_evaluation(store, name, study.config.study)
    return Found(argument, name, evaluation, store=store, origin=origin_of(study, "pipeline"))


def _of_file(argument: EvaluationArgument, path: Path) -> Found:
    try:
        text = read_bytes(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ZoogenError(f"cannot read {path}: {reason}; {_WAYS}") from None
    evaluation = Evaluation.from_json(text, str(path), sealed=False)
    return Found(argument, digest({"evaluation": evaluation.model_dump_json(indent=1)}), evaluation)


def _of_digest(argument: EvaluationArgument, artifacts: str | None) -> Found:
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
    return Found(argument, matching[0], read_evaluation(store, matching[0], None), store=store)


def _root(artifacts: str | None) -> str:
    return artifact_root(artifacts if artifacts is not None else PipelineConfig.model_fields["artifacts"].default)


def named_evaluations(found: Sequence[Found]) -> list[NamedEvaluation]:
    """Evaluations named by their studies or trials, with the digest where these share a name.

    What was asked for twice is there once; an evaluation that two sweeps name differently is a trial of each.
    """
    unique = list({(item.study, item.digest): item for item in found}.values())
    counts = Counter(item.study for item in unique)
    names = [item.study if counts[item.study] == 1 else f"{item.study}-{item.digest[:8]}" for item in unique]
    return [NamedEvaluation(name, item.evaluation, item.origin) for name, item in zip(names, unique, strict=True)]


def report(words: Sequence[str], out: str | None, artifacts: str | None, console: Console) -> Path:
    """Find, write, and print what the evaluations say; the path of the page.

    Raises:
        ZoogenError: an argument is wrong, or the folder cannot be written.
    """
    notices: list[str] = []
    arguments = parse_arguments(words)
    found = [item for argument in arguments for item in find_evaluations(argument, artifacts, notices.append)]
    evaluations = named_evaluations(found)
    folder = local_path(out) if out is not None else _default_folder(found, artifacts)
    options = [*(["--out", out] if out else []), *(["--artifacts", artifacts] if artifacts else [])]
    command = masked(shlex.join(["zoogen", "report", *words, *options]))
    paths = write_files(render_comparison(evaluations, notices, command), folder)
    print_overview(evaluations, console.out, notices)
    for line in report_lines(paths):
        console.show(line)
    return paths[0]


def _default_folder(found: Sequence[Found], artifacts: str | None) -> Path:
    """A folder named by the evaluations under the artifact root of the first that has one, or a temporary one if that
    root is remote."""
    name = f"comparison-{digest({'evaluations': [[item.study, item.digest] for item in found]})}"
    store = next((item.store for item in found if item.store is not None), None) or ArtifactStore(_root(artifacts))
    return store.folder("reports", name) or Path(tempfile.mkdtemp(prefix=f"zoogen-{name}-"))
