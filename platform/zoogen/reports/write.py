"""All tables and figures of an evaluation as files, and as one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from zoogen.evaluation.result import Evaluation
from zoogen.reports.audit import verdicts
from zoogen.reports.denoising_figure import denoising_figure
from zoogen.reports.documents import AUDIT, Document, documents
from zoogen.reports.error_overlap_figure import similarity_figure, similarity_violins
from zoogen.reports.figures import metric_figure, portrait_figure
from zoogen.reports.html_page import PAGE, Block, HtmlPage, Made, Picture, Section
from zoogen.reports.iterations_figure import iterations_figure
from zoogen.reports.named_evaluations import NamedEvaluation, Origin, file_label
from zoogen.reports.novelty_figure import novelty_figure
from zoogen.reports.overview import overview_sheet
from zoogen.reports.plane_figure import plane_figure
from zoogen.reports.styles import png
from zoogen.reports.table import captions, comma_separated, comparison_lines, markdown, notices, text_table
from zoogen.reports.weight_maps import weight_map_figure
from zoogen.weights.files import write_bytes

_ROWS_PER_FIGURE = 6  # structures on one page of portraits
_TITLES = {
    "metric": "Quality of every network",
    "iterations": "Iterations of conventional training that generated networks are worth",
    "plane": "Quality over the plane of structures, taught ones with an edge",
    "denoising": "Quality on the way from noise",
    "novelty": "Quality against distance to the training checkpoints",
    "similarity": "Accuracy against similarity to the originals",
    "similarities": "Distribution of the similarity to the originals",
    "distributions": "True and learnt distributions",
    "weights": "Weight matrices",
}


def render_report(evaluation: Evaluation, origin: Origin | None = None) -> dict[str, bytes]:
    """File name to content.

    `report.html` (all of it in one file); `evaluation.json`; as .md and .csv `table` (everything), `paper` (beside a
    paper's numbers), `audit` (with verdicts), `accuracy` (where networks are ranked by an error); as .png `metric`,
    `iterations` (where budgets were trained), `plane` (where structures have two coordinates), `novelty` (or
    `similarity` and `similarities`, where an error ranks), `denoising`, `distributions-*`, `weights-<structure>`, as
    far as there is what they show.

    Args:
        evaluation: what to report on.
        origin: the study's command and configuration, where they are known.
    """
    named = NamedEvaluation(evaluation.inputs.study or "evaluation", evaluation, origin)
    pages = documents([named])
    tables = {
        "evaluation.json": evaluation.to_json().encode(),
        "table.md": markdown(evaluation).encode(),
        "table.csv": comma_separated(evaluation).encode(),
    }
    for document in pages:
        tables[f"{document.name}.md"] = document.markdown().encode()
        tables[f"{document.name}.csv"] = document.csv().encode()
    figures = {"metric": metric_figure(evaluation), "iterations": iterations_figure(evaluation)}
    figures |= {"plane": plane_figure(evaluation), "denoising": denoising_figure(evaluation)}
    figures |= _novelty_figures(named)
    figures |= _weight_figures(evaluation) | _portrait_figures(evaluation)
    drawn = {f"{name}.png": png(figure) for name, figure in figures.items() if figure is not None}
    return {PAGE: _page(named, pages, drawn).render(), **tables, **drawn}


def _page(named: NamedEvaluation, pages: Sequence[Document], drawn: Mapping[str, bytes]) -> HtmlPage:
    evaluation = named.evaluation
    sheet = overview_sheet([named])
    full = Section(
        "All metrics", (Block("Every metric of every method", text_table(evaluation), captions(evaluation)),)
    )
    return HtmlPage(
        title=named.name,
        about=f"Generated networks and what they are compared with, {evaluation.environment.date}",
        verdicts=(*(said.line for _, said in verdicts([named])), *comparison_lines(evaluation)),
        overview=Block.of(sheet) if sheet.rows else None,
        notices=tuple(notices(evaluation)),
        sections=(*(section_of(page) for page in pages if page.sheets), full),
        figures=tuple(Picture(name, figure_title(name), data) for name, data in drawn.items()),
        command=named.origin.command if named.origin is not None else "",
        origins=(made_of(named, ""),),
    )


def section_of(page: Document) -> Section:
    """A page of tables as a part of an HTML page; its verdicts stand above it there."""
    remarks = () if page.name == AUDIT else page.remarks
    return Section(page.title, tuple(map(Block.of, page.sheets)), remarks)


def made_of(named: NamedEvaluation, title: str) -> Made:
    """What an evaluation was made of: by the study's configuration, or by what the evaluation itself tells of it."""
    evaluation = named.evaluation
    told = {"task": evaluation.task, "evaluation": evaluation.config.model_dump(mode="json")}
    configuration = named.origin.configuration if named.origin is not None else told
    return Made.of(title, configuration, evaluation.inputs.model_dump(), evaluation.environment)


def figure_title(name: str) -> str:
    """What a picture shows, by the name of its file."""
    stem = Path(name).stem
    kind, _, rest = stem.partition("-")
    title = _TITLES.get(kind, stem)
    return f"{title}: {rest}" if rest else title


def _novelty_figures(named: NamedEvaluation) -> dict[str, Figure | None]:
    """Errors may be 0 and similarities 1, which logarithmic axes of distances cannot show."""
    similarity = similarity_figure(named)
    if similarity is None:
        return {"novelty": novelty_figure(named.evaluation)}
    return {"similarity": similarity, "similarities": similarity_violins([named])}


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


def write_files(files: Mapping[str, bytes], folder: Path) -> tuple[Path, ...]:
    """Write files by their paths below a folder, each whole or not at all, and name them.

    Raises:
        ZoogenError: the folder cannot be written.
    """
    for name, data in files.items():
        write_bytes(folder / name, data)
    return tuple(folder / name for name in files)
