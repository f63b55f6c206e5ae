"""Several evaluations side by side in one folder, each with its own report in a folder below."""

import itertools
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from zoogen.reports.audit import verdicts
from zoogen.reports.comparison_figure import comparison_figure
from zoogen.reports.documents import Document, documents
from zoogen.reports.error_overlap_figure import similarity_violins
from zoogen.reports.html_page import PAGE, Block, HtmlPage, Link, Picture
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.overview import overview_sheet
from zoogen.reports.sheets import tidy_csv
from zoogen.reports.styles import png
from zoogen.reports.table import notices as notices_of
from zoogen.reports.write import made_of, render_report, section_of

MARKDOWN = "report.md"
_TABLES, _PICTURE, _VIOLINS = "report.csv", "evaluations.png", "similarities.png"
_LONGEST = 80  # characters of a folder's name


def render_comparison(
    evaluations: Sequence[NamedEvaluation], notices: Sequence[str] = (), command: str = ""
) -> dict[str, bytes]:
    """Path below the folder to content: `report.html` and `report.md` with all tables and figures, `report.csv`,
    `evaluations.png`, `similarities.png` (where an error ranks), and each evaluation's report as `<name>/…`,
    the name made fit for a folder (`folders_of`).

    Args:
        evaluations: in the order of the tables.
        notices: one-line remarks for the head of the page.
        command: what asked for the comparison.
    """
    pages, names = documents(evaluations), [evaluation.name for evaluation in evaluations]
    figures = {_PICTURE: comparison_figure(evaluations), _VIOLINS: similarity_violins(evaluations)}
    folders = folders_of(names)
    files = {
        f"{folder}/{name}": data
        for folder, evaluation in zip(folders, evaluations, strict=True)
        for name, data in render_report(evaluation.evaluation, evaluation.origin).items()
    }
    drawn = {name: png(figure) for name, figure in figures.items() if figure is not None}
    files |= drawn
    pictures = [name for name in files if name.endswith(".png")]
    pictures.sort(key=lambda name: name not in figures)
    lines = [
        f"# {', '.join(names)}",
        "",
        *map(_made, evaluations),
        *(f"- {notice}" for notice in notices),
        "",
    ]
    lines += [line for page in pages for line in (page.markdown(level=2), "")]
    lines += ["## Figures", "", *(line for name in pictures for line in (f"![{name}]({name})", ""))]
    sheets = [sheet for page in pages for sheet in page.sheets]
    text = "\n".join(lines).rstrip() + "\n"
    html = _page(evaluations, pages, drawn, notices, command, folders).render()
    return {PAGE: html, MARKDOWN: text.encode(), _TABLES: tidy_csv(sheets).encode(), **files}


def _page(
    evaluations: Sequence[NamedEvaluation],
    pages: Sequence[Document],
    drawn: Mapping[str, bytes],
    notices: Sequence[str],
    command: str,
    folders: Sequence[str],
) -> HtmlPage:
    names = [evaluation.name for evaluation in evaluations]
    sheet = overview_sheet(evaluations)
    own = [f"{e.name}: {notice}" for e in evaluations for notice in notices_of(e.evaluation)]
    titles = {_PICTURE: "The ranking metric side by side", _VIOLINS: "Similarity to the originals"}
    return HtmlPage(
        title=", ".join(names),
        about="Evaluations side by side" if len(evaluations) > 1 else "One evaluation",
        verdicts=tuple(f"{evaluation.name}, {said.line}" for evaluation, said in verdicts(evaluations)),
        overview=Block.of(sheet) if sheet.rows else None,
        notices=(*notices, *own),
        links=tuple(Link(f"{quote(folder)}/{PAGE}", name) for folder, name in zip(folders, names, strict=True)),
        sections=tuple(section_of(page) for page in pages if page.sheets),
        figures=tuple(Picture(name, titles[name], data) for name, data in drawn.items()),
        command=command,
        origins=tuple(made_of(evaluation, evaluation.name) for evaluation in evaluations),
    )


def folders_of(names: Sequence[str]) -> list[str]:
    """A folder for each name: one segment of a path and of a Markdown link, all of them different.

    Names come from files that anybody may have written, and a swept value may be a path.

    Example:
        >>> folders_of(["N=4", "coordinates=x/h", "../evil", "n=4"])
        ['N=4', 'coordinates=x-h', 'evil', 'n=4-2']
    """
    taken = {PAGE, MARKDOWN, _TABLES, _PICTURE, _VIOLINS}
    folders = []
    for name in names:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.=") else "-" for c in name)
        plain = plain.strip("-.")[:_LONGEST].rstrip("-.") or "evaluation"
        candidates = itertools.chain([plain], (f"{plain}-{count}" for count in itertools.count(2)))
        folders.append(next(folder for folder in candidates if folder.lower() not in taken))
        taken.add(folders[-1].lower())  # some file systems do not tell capitals
    return folders


def _made(named: NamedEvaluation) -> str:
    """Where an evaluation's numbers come from."""
    evaluation = named.evaluation
    inputs = {key: value for key, value in evaluation.inputs.model_dump().items() if value}
    of = ", ".join(f"{key} {value}" for key, value in inputs.items())
    return f"- {named.name}: {of or 'no inputs named'}; {evaluation.environment.date}"
