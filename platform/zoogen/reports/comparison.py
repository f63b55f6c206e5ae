"""Several evaluations side by side in one folder, each with its own report in a folder below."""

from collections.abc import Sequence
from pathlib import Path

from zoogen.reports.comparison_figure import comparison_figure
from zoogen.reports.documents import audit_document, paper_document
from zoogen.reports.runs import Run
from zoogen.reports.sheets import tidy_csv
from zoogen.reports.styles import png
from zoogen.reports.write import render_report
from zoogen.weights.files import write_bytes

PAGE = "report.md"
_TABLES, _PICTURE = "report.csv", "runs.png"


def render_comparison(runs: Sequence[Run]) -> dict[str, bytes]:
    """Path below the folder to content: `report.md` with all tables and figures, `report.csv`, `runs.png`, and each
    run's report as `<run>/…`. The runs' names must differ and be fit for folders."""
    documents = [paper_document(runs), audit_document(runs)]
    figure = comparison_figure(runs)
    files = {f"{run.name}/{name}": data for run in runs for name, data in render_report(run.evaluation).items()}
    if figure is not None:
        files[_PICTURE] = png(figure)
    pictures = [name for name in files if name.endswith(".png")]
    pictures.sort(key=lambda name: name != _PICTURE)
    lines = [f"# {', '.join(run.name for run in runs)}", "", *map(_made, runs), ""]
    lines += [line for document in documents for line in (document.markdown(level=2), "")]
    lines += ["## Figures", "", *(line for name in pictures for line in (f"![{name}]({name})", ""))]
    sheets = [sheet for document in documents for sheet in document.sheets]
    page = "\n".join(lines).rstrip() + "\n"
    return {PAGE: page.encode(), _TABLES: tidy_csv(sheets).encode(), **files}


def write_comparison(runs: Sequence[Run], folder: str | Path) -> list[Path]:
    """Write the comparison's files into a folder, the page first.

    Raises:
        ZoogenError: the folder cannot be written.
    """
    paths = []
    for name, data in render_comparison(runs).items():
        paths.append(Path(folder) / name)
        write_bytes(paths[-1], data)
    return paths


def _made(run: Run) -> str:
    """Where a run's numbers come from."""
    evaluation = run.evaluation
    inputs = {key: value for key, value in evaluation.inputs.model_dump().items() if value}
    of = ", ".join(f"{key} {value}" for key, value in inputs.items())
    return f"- {run.name}: {of or 'no inputs named'}; {evaluation.environment.date}"
