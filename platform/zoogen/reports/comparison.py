"""Several evaluations side by side in one folder, each with its own report in a folder below."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from zoogen.reports.comparison_figure import comparison_figure
from zoogen.reports.documents import documents
from zoogen.reports.layer_similarity_figure import similarity_violins
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.sheets import tidy_csv
from zoogen.reports.styles import png
from zoogen.reports.write import render_report
from zoogen.weights.files import write_bytes

PAGE = "report.md"
_TABLES, _PICTURE, _VIOLINS = "report.csv", "runs.png", "similarities.png"
_LONGEST = 80  # characters of a folder's name


def render_comparison(runs: Sequence[NamedEvaluation], notices: Sequence[str] = ()) -> dict[str, bytes]:
    """Path below the folder to content: `report.md` with all tables and figures, `report.csv`, `runs.png`,
    `similarities.png` (where an error ranks), and each run's report as `<run>/…`, the run's name made fit for a
    folder (`run_folders`).

    Args:
        runs: the evaluations, in the order of the tables.
        notices: one-line remarks for the head of the page.
    """
    pages = documents(runs)
    figures = {_PICTURE: comparison_figure(runs), _VIOLINS: similarity_violins(runs)}
    files = {
        f"{folder}/{name}": data
        for folder, run in zip(run_folders([run.name for run in runs]), runs, strict=True)
        for name, data in render_report(run.evaluation).items()
    }
    files |= {name: png(figure) for name, figure in figures.items() if figure is not None}
    pictures = [name for name in files if name.endswith(".png")]
    pictures.sort(key=lambda name: name not in figures)
    lines = [
        f"# {', '.join(run.name for run in runs)}",
        "",
        *map(_made, runs),
        *(f"- {notice}" for notice in notices),
        "",
    ]
    lines += [line for page in pages for line in (page.markdown(level=2), "")]
    lines += ["## Figures", "", *(line for name in pictures for line in (f"![{name}]({name})", ""))]
    sheets = [sheet for page in pages for sheet in page.sheets]
    text = "\n".join(lines).rstrip() + "\n"
    return {PAGE: text.encode(), _TABLES: tidy_csv(sheets).encode(), **files}


def run_folders(names: Sequence[str]) -> list[str]:
    """A folder for each name: one segment of a path and of a Markdown link, all of them different.

    Names come from files that anybody may have written, and a swept value may be a path.

    Example:
        >>> run_folders(["N=4", "coordinates=x/h", "../evil", "n=4"])
        ['N=4', 'coordinates=x-h', 'evil', 'n=4-2']
    """
    taken = {PAGE, _TABLES, _PICTURE, _VIOLINS}
    folders = []
    for name in names:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.=") else "-" for c in name)
        plain = plain.strip("-.")[:_LONGEST].rstrip("-.") or "run"
        candidates = itertools.chain([plain], (f"{plain}-{count}" for count in itertools.count(2)))
        folders.append(next(folder for folder in candidates if folder.lower() not in taken))
        taken.add(folders[-1].lower())  # some file systems do not tell capitals
    return folders


def write_comparison(runs: Sequence[NamedEvaluation], folder: str | Path, notices: Sequence[str] = ()) -> list[Path]:
    """Write the comparison's files into a folder, the page first.

    Raises:
        ZoogenError: the folder cannot be written.
    """
    paths = []
    for name, data in render_comparison(runs, notices).items():
        paths.append(Path(folder) / name)
        write_bytes(paths[-1], data)
    return paths


def _made(run: NamedEvaluation) -> str:
    """Where a run's numbers come from."""
    evaluation = run.evaluation
    inputs = {key: value for key, value in evaluation.inputs.model_dump().items() if value}
    of = ", ".join(f"{key} {value}" for key, value in inputs.items())
    return f"- {run.name}: {of or 'no inputs named'}; {evaluation.environment.date}"
