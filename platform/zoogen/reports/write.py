"""All tables and figures of an evaluation as files."""

from pathlib import Path

from zoogen.evaluation.result import Evaluation
from zoogen.reports.figures import metric_figure, portrait_figure
from zoogen.reports.styles import png
from zoogen.reports.table import comma_separated, markdown
from zoogen.weights.files import write_bytes

_ROWS_PER_FIGURE = 6  # structures on one page of portraits


def render_report(evaluation: Evaluation) -> dict[str, bytes]:
    """File name to content: `evaluation.json`, `table.md`, `table.csv`, `metric.png`, `distributions-*.png`."""
    files = {
        "evaluation.json": evaluation.to_json().encode(),
        "table.md": markdown(evaluation).encode(),
        "table.csv": comma_separated(evaluation).encode(),
    }
    metric = metric_figure(evaluation)
    if metric is not None:
        files["metric.png"] = png(metric)
    for known, name in ((True, "known"), (False, "unseen")):
        structures = list(dict.fromkeys(p.structure for p in evaluation.portraits if p.known is known))
        pages = [structures[i : i + _ROWS_PER_FIGURE] for i in range(0, len(structures), _ROWS_PER_FIGURE)]
        for number, page in enumerate(pages, 1):
            figure = portrait_figure(evaluation, page)
            if figure is not None:
                suffix = f"-{number}" if len(pages) > 1 else ""
                files[f"distributions-{name}{suffix}.png"] = png(figure)
    return files


def write_report(evaluation: Evaluation, folder: str | Path) -> list[Path]:
    """Write the report's files into a folder, each whole or not at all, and name them.

    Raises:
        ZoogenError: the folder cannot be written.
    """
    paths = []
    for name, data in render_report(evaluation).items():
        paths.append(Path(folder) / name)
        write_bytes(paths[-1], data)
    return paths
