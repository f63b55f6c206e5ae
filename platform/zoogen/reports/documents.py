"""The Markdown and CSV pages over one or several evaluations: a paper's tables, and the audit."""

from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.reports.accuracy_table import accuracy_sheet
from zoogen.reports.audit import audit_sheets, verdicts
from zoogen.reports.cost import cost_sheet
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.paper import paper_remarks, paper_sheets
from zoogen.reports.paper_accuracy import beside_sheet, papers_of, printed_sheets
from zoogen.reports.pareto import pareto_sheet
from zoogen.reports.sheets import Sheet, tidy_csv
from zoogen.reports.uncertainty import uncertainty_sheet, variance_sheet

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


def documents(evaluations: Sequence[NamedEvaluation]) -> list[Document]:
    """All pages that the evaluations have something for."""
    pages = (paper_document(evaluations), audit_document(evaluations), accuracy_document(evaluations))
    return [page for page in pages if page is not None]


def paper_document(evaluations: Sequence[NamedEvaluation]) -> Document:
    """Our numbers beside the paper's, table by table."""
    accuracies = papers_of(evaluations)
    sheets = [
        beside_sheet(evaluations),
        *paper_sheets(evaluations),
        uncertainty_sheet(evaluations),
        variance_sheet(evaluations),
    ]
    sheets += [sheet for paper in accuracies for sheet in printed_sheets(paper)]
    papers = list(dict.fromkeys(judged.published.paper for judged in evaluations if judged.published))
    papers += [paper.paper for paper in accuracies]
    title = f"Beside the numbers of {', '.join(papers)}" if papers else "Results"
    remarks = (*paper_remarks(evaluations), *(note for paper in accuracies for note in paper.notes))
    if not papers:
        remarks = ("No paper's numbers are stored for this kind of task.",)
    return Document(PAPER, title, remarks, tuple(sheet for sheet in sheets if sheet.rows))


def audit_document(evaluations: Sequence[NamedEvaluation]) -> Document:
    """Verdicts, quality beside novelty of every method, and cost."""
    several = len(evaluations) > 1
    remarks = tuple(f"{judged.name}, {said.line}" if several else said.line for judged, said in verdicts(evaluations))
    sheets = [*audit_sheets(evaluations), cost_sheet(evaluations)]
    return Document(AUDIT, "Audit: memorised, or new and good?", remarks, tuple(s for s in sheets if s.rows))


def accuracy_document(evaluations: Sequence[NamedEvaluation]) -> Document | None:
    """Accuracies, similarity to the originals, both at once, beside a paper's; None where no error ranks."""
    sheets = [accuracy_sheet(evaluations), pareto_sheet(evaluations)]
    shown = tuple(sheet for sheet in sheets if sheet.rows)
    return Document(ACCURACY, "Accuracy and similarity", (), shown) if shown else None
