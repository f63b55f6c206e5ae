"""All tables and figures of an evaluation as files."""

from pathlib import Path

from matplotlib.figure import Figure

from zoogen.evaluation.result import Evaluation
from zoogen.reports.denoising_figure import denoising_figure
from zoogen.reports.documents import documents
from zoogen.reports.figures import metric_figure, portrait_figure
from zoogen.reports.layer_similarity_figure import similarity_figure, similarity_violins
from zoogen.reports.named_evaluations import NamedEvaluation, file_label
from zoogen.reports.novelty_figure import novelty_figure
from zoogen.reports.styles import png
from zoogen.reports.table import comma_separated, markdown
from zoogen.reports.weight_maps import weight_map_figure
from zoogen.weights.files import write_bytes

_ROWS_PER_FIGURE = 6  # structures on one page of portraits


def render_report(evaluation: Evaluation) -> dict[str, bytes]:
    """File name to content.

    `evaluation.json`; as .md and .csv `table` (everything), `paper` (beside a paper's numbers), `audit` (with
    verdicts), `accuracy` (where networks are ranked by an error); as .png `metric`, `novelty` (or `similarity` and
    `similarities`, where an error ranks), `denoising`, `distributions-*`, `weights-<structure>`, as far as there is
    what they show.
    """
    run = NamedEvaluation(evaluation.inputs.study or "run", evaluation)
    files = {
        "evaluation.json": evaluation.to_json().encode(),
        "table.md": markdown(evaluation).encode(),
        "table.csv": comma_separated(evaluation).encode(),
    }
    for document in documents([run]):
        files[f"{document.name}.md"] = document.markdown().encode()
        files[f"{document.name}.csv"] = document.csv().encode()
    figures = {"metric": metric_figure(evaluation), "denoising": denoising_figure(evaluation)}
    figures |= _novelty_figures(run)
    figures |= _weight_figures(evaluation) | _portrait_figures(evaluation)
    files.update({f"{name}.png": png(figure) for name, figure in figures.items() if figure is not None})
    return files


def _novelty_figures(run: NamedEvaluation) -> dict[str, Figure | None]:
    """Errors may be 0 and similarities 1, which logarithmic axes of distances cannot show."""
    similarity = similarity_figure(run)
    if similarity is None:
        return {"novelty": novelty_figure(run.evaluation)}
    return {"similarity": similarity, "similarities": similarity_violins([run])}


def _portrait_figures(evaluation: Evaluation) -> dict[str, Figure | None]:
    """`distributions-known`, `distributions-unseen`, numbered where there are many structures."""
    figures = {}
    for known, name in ((True, "known"), (False, "unseen")):
        structures = list(dict.fromkeys(p.structure for p in evaluation.portraits if p.known is known))
        pages = [structures[i : i + _ROWS_PER_FIGURE] for i in range(0, len(structures), _ROWS_PER_FIGURE)]
        for number, page in enumerate(pages, 1):
            suffix = f"-{number}" if len(pages) > 1 else ""
            figures[f"distributions-{name}{suffix}"] = portrait_figure(evaluation, page)
    return figures


def _weight_figures(evaluation: Evaluation) -> dict[str, Figure | None]:
    labels = {record.structure: record.label for record in evaluation.weight_maps}
    return {f"weights-{file_label(label)}": weight_map_figure(evaluation, name) for name, label in labels.items()}


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
