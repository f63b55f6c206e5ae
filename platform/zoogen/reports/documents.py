"""The Markdown and CSV pages over one or several evaluations: a paper's tables, and the audit."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from zoogen.reports.accuracy import accuracy_columns, accuracy_figures, ranks_by_error
from zoogen.reports.accuracy_table import accuracy_sheet, percent
from zoogen.reports.audit import audit_sheets, verdicts
from zoogen.reports.cost import cost_sheet
from zoogen.reports.named_evaluations import NamedEvaluation, median, places
from zoogen.reports.paper import paper_remarks, paper_sheets
from zoogen.reports.paper_accuracy import beside_sheet, papers_of, printed_sheets
from zoogen.reports.pareto import pareto_sheet
from zoogen.reports.sheets import Sheet, tidy_csv
from zoogen.reports.table_rows import metric_title, number
from zoogen.reports.uncertainty import uncertainty_sheet, variance_sheet
from zoogen.reports.verdict import verdict

PAPER, AUDIT, ACCURACY = "paper", "audit", "accuracy"


@dataclass(frozen=True)
class Document:
    """A page: its file name without ending, title, remarks and tables."""

    name: str
    title: str
    remarks: tuple[str, ...]
    sheets: tuple[Sheet, ...]

    def markdown(self, level: int = 1) -> str:
        lines = ["#" * level + f" {self.title}", ""]
        lines += [f"- {remark}" for remark in self.remarks] + ([""] if self.remarks else [])
        for sheet in self.sheets:
            lines += sheet.markdown(level + 1)
        return "\n".join(lines).rstrip() + "\n"

    def csv(self) -> str:
        return tidy_csv(self.sheets)


def documents(runs: Sequence[NamedEvaluation]) -> list[Document]:
    """All pages that the runs have something for."""
    pages = (paper_document(runs), audit_document(runs), accuracy_document(runs))
    return [page for page in pages if page is not None]


def paper_document(runs: Sequence[NamedEvaluation]) -> Document:
    """Our numbers beside the paper's, table by table."""
    accuracies = papers_of(runs)
    sheets = [beside_sheet(runs), *paper_sheets(runs), uncertainty_sheet(runs), variance_sheet(runs)]
    sheets += [sheet for paper in accuracies for sheet in printed_sheets(paper)]
    papers = list(dict.fromkeys(run.published.paper for run in runs if run.published))
    papers += [paper.paper for paper in accuracies]
    title = f"Beside the numbers of {', '.join(papers)}" if papers else "Results"
    remarks = (*paper_remarks(runs), *(note for paper in accuracies for note in paper.notes))
    if not papers:
        remarks = ("No paper's numbers are stored for this kind of task.",)
    return Document(PAPER, title, remarks, tuple(sheet for sheet in sheets if sheet.rows))


def audit_document(runs: Sequence[NamedEvaluation]) -> Document:
    """Verdicts, quality beside novelty of every method, and cost."""
    several = len(runs) > 1
    remarks = tuple(f"{run.name}, {said.line}" if several else said.line for run, said in verdicts(runs))
    sheets = [*audit_sheets(runs), cost_sheet(runs)]
    return Document(AUDIT, "Audit: memorised, or new and good?", remarks, tuple(s for s in sheets if s.rows))


def accuracy_document(runs: Sequence[NamedEvaluation]) -> Document | None:
    """Accuracies, similarity to the originals, both at once, beside a paper's; None where no error ranks."""
    sheets = [accuracy_sheet(runs), pareto_sheet(runs)]
    shown = tuple(sheet for sheet in sheets if sheet.rows)
    return Document(ACCURACY, "Accuracy and similarity", (), shown) if shown else None


def overview_table(runs: Sequence[NamedEvaluation]) -> Table:
    """What a terminal shows of runs side by side: ranking metric, first published metric, verdict; accuracies where
    errors rank in all runs."""
    if all(ranks_by_error(run.evaluation) for run in runs):
        return _accuracy_overview(runs)
    published = next((run.published for run in runs if run.published), None)
    shared = [m for m in (published.metrics if published else ()) if any(_printed(run, m) for run in runs)][:1]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("structure", no_wrap=True)
    if len(runs) > 1:
        table.add_column("run", overflow="fold")
    ranked = dict.fromkeys(metric_title(r.primary) for run in runs for r in run.evaluation.results)
    for title in (f"generated\n{' / '.join(ranked)}", "trained", "×"):
        table.add_column(title, justify="right", no_wrap=True)
    for metric in shared:
        table.add_column(f"generated\n{metric_title(metric)}", justify="right", no_wrap=True)
        table.add_column(f"{published.paper if published else ''}", justify="right", no_wrap=True)
    table.add_column("verdict")
    for place in places(runs):
        for run in runs:
            said = verdict(run, place.structure)
            if said is None:
                continue
            ours, theirs = median(run.generated(place.structure)), median(run.trained(place.structure))
            ratio = ours / theirs if ours is not None and theirs else None
            line = run.published.result(place.label) if run.published else None
            cells = [number(ours), number(theirs), number(ratio)]
            for metric in shared:
                cells.append(number(median(run.generated(place.structure), metric)))
                cells.append(number(line.generated.get(metric)) if line else "–")
            text = said.kind + (f": {', '.join(said.rivals[:3])}" if said.rivals else "")
            table.add_row(place.label, *([run.name] if len(runs) > 1 else []), *cells, text)
    return table


def _accuracy_overview(runs: Sequence[NamedEvaluation]) -> Table:
    """Accuracies and similarity of originals and generated networks, and the verdict."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("structure", no_wrap=True)
    if len(runs) > 1:
        table.add_column("run", overflow="fold")
    for title in ("originals\nbest", "mean", "generated\nbest", "mean", "similarity\nrange"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict")
    for place in places(runs):
        for run in runs:
            said, figures = verdict(run, place.structure), accuracy_figures(run.evaluation)
            if said is None:
                continue
            values = [figures.get(column) for column in accuracy_columns(place.label)]
            span = f"{values[4]:.3f}–{values[6]:.3f}" if values[4] is not None and values[6] is not None else "–"
            text = said.kind + (f": {', '.join(said.rivals[:3])}" if said.rivals else "")
            table.add_row(place.label, *([run.name] if len(runs) > 1 else []), *map(percent, values[:4]), span, text)
    return table


def _printed(run: NamedEvaluation, metric: str) -> bool:
    return run.published is not None and any(metric in line.generated for line in run.published.results.values())
