"""What a command prints of results: at most a screen of 40 lines, and where the rest lies."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.overview import Standing, has_metrics, ranking, rival_remarks, standings, tally, trained_remarks
from zoogen.reports.table import EQUIVALENT, notices
from zoogen.reports.verdict import UNTRAINED

TABLE_LINES = 27  # with its heading; leaves room for title, remarks and paths
_NOTICES = 3
_LONG, _LONGEST = 40, 120  # characters of a name in a table: where the ends tell it from its likes, and else
_NARROWEST = 16  # columns of names, whatever stands beside them
_WIDEST = 120  # columns; longer lines are hard to read
_UNBOUNDED = 10_000  # columns, more than any table has
_WORTH = 100  # columns from which on there is room for what networks are worth
_WORTH_LINE = f"{EQUIVALENT}: how many iterations of conventional training reach the same median"
_UNSEEN = "°"


def print_overview(
    evaluations: Sequence[NamedEvaluation], console: Console, remarks: Sequence[str] = (), limit: int = TABLE_LINES
) -> None:
    """Print a line per structure and evaluation, unseen structures before known ones, as many as fit, and the first
    notices.

    Args:
        evaluations: what to show.
        console: where to; its width counts up to 120 columns.
        remarks: lines to show with the notices of the evaluations.
        limit: lines that the table may take.
    """
    found = sorted(standings(evaluations), key=lambda standing: standing.place.known)
    several = len(evaluations) > 1
    names = ", ".join(dict.fromkeys(e.name for e in evaluations))
    show_line(console, f"{names}: {ranking(found)}")
    labels = short_names(standing.place.label for standing in found)
    named = short_names(standing.evaluation.name for standing in found)
    short = {**short_names(standing.baseline_method for standing in found), **named, **labels}
    worth = width_of(console) >= _WORTH and any(standing.worth for standing in found)
    shown = print_first(lambda count: _table(found[:count], several, worth, short), len(found), console, limit)
    if shown < len(found):
        show_line(console, f"… and {len(found) - shown} more in the report; of all {len(found)}: {tally(found)}")
    for remark in (*trained_remarks(found[:shown]), *rival_remarks(found[:shown])):
        show_line(console, remark)
    if worth:
        show_line(console, _WORTH_LINE)
    if any(not standing.place.known for standing in found[:shown]):
        show_line(console, f"{_UNSEEN} a structure that the zoo does not hold")
    prefix = "{name}: " if several else ""
    said = [f"{prefix.format(name=e.name)}{notice}" for e in evaluations for notice in notices(e.evaluation)]
    for line in first_notices([*remarks, *said]):
        show_line(console, line)


def _table(found: Sequence[Standing], several: bool, worth: bool, names: Mapping[str, str]) -> Table:
    trained = any(standing.trained is not None for standing in found)
    table = new_table()
    table.add_column("structure", overflow="fold", min_width=_narrowest(names[s.place.label] for s in found))
    if several:
        table.add_column("evaluation", overflow="fold", min_width=_narrowest(names[s.evaluation.name] for s in found))
    titles = ["generated", *([EQUIVALENT] if worth else []), *(["trained"] if trained else [])]
    for title in (*titles, "best baseline", UNTRAINED):
        table.add_column(title, justify="right", no_wrap=title != "best baseline", overflow="fold")
    table.add_column("verdict")
    if mixed := has_metrics(found):
        table.add_column("metric")
    for standing in found:
        label = names[standing.place.label] + ("" if standing.place.known else _UNSEEN)
        best = f"{names[standing.baseline_method]} {standing.text(standing.baseline)}".strip()
        cells = [label, *([names[standing.evaluation.name]] if several else []), standing.text(standing.generated)]
        cells += [standing.worth] if worth else []
        cells += [standing.text(standing.trained)] if trained else []
        cells += [best, standing.text(standing.untrained)]
        cells += [standing.said.words, *([standing.metric] if mixed else [])]
        table.add_row(*map(Text, cells))
    return table


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Names to what a narrow column shows of them: long ones without their middle, as far as they then still differ.

    Example:
        >>> list(short_names(["resnet18@cifar100", "a" * 20 + "-" * 99 + "z" * 20]).values())
        ['resnet18@cifar100', 'aaaaaaaaaaaaaaaaaaaa…zzzzzzzzzzzzzzzzzzz']
    """
    short = {name: _without_middle(name, _LONG) for name in names}
    shown = Counter(short.values())
    return {name: text if shown[text] == 1 else _without_middle(name, _LONGEST) for name, text in short.items()}


def _without_middle(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[len(name) - (longest - 1) // 2 :]}"


def _narrowest(names: Iterable[str]) -> int:
    return min(_NARROWEST, max(map(cell_len, names), default=0))


def new_table() -> Table:
    """An empty table in the one look of all printed tables."""
    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def print_first(table: Callable[[int], Table], count: int, console: Console, limit: int = TABLE_LINES) -> int:
    """Print a table of the first rows, as many of `count` as take no more than `limit` lines; how many these are."""
    options = console.options.update(width=width_of(console))
    count = min(count, limit)
    while count > 1 and len(console.render_lines(table(count), options, pad=False)) > limit:
        count -= 1
    if count:
        console.print(table(count), width=width_of(console))
    return count


def fitting_columns(table: Callable[[int], Table], count: int, console: Console) -> int:
    """How many of `count` columns fit the console's width, at least one."""
    unbounded = console.options.update(max_width=_UNBOUNDED)
    count = min(count, width_of(console) // 2)
    while count > 1 and Measurement.get(console, unbounded, table(count)).maximum > width_of(console):
        count -= 1
    return count


def first_notices(lines: Sequence[str]) -> list[str]:
    """The first notices, and how many more there are."""
    shown = [f"notice: {line}" for line in lines]
    if len(shown) <= _NOTICES + 1:  # the line that counts one more could as well say it
        return shown
    return [*shown[:_NOTICES], f"… and {len(shown) - _NOTICES} more notices in the report"]


def show_line(console: Console, text: str) -> None:
    """One line, cut at the console's width."""
    line = textwrap.shorten(text, width_of(console), placeholder=" …")
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def width_of(console: Console) -> int:
    return min(console.width, _WIDEST)


def report_lines(paths: Sequence[Path]) -> list[str]:
    """Where a report lies: its page, and the folder of all else."""
    if not paths:
        return []
    page = next((path for path in paths if path.suffix == ".html"), paths[0])
    return [f"report: {page}", f"Markdown, CSV, figures: {page.parent}"]
