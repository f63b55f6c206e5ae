"""Table, verdict and heat maps of the similarity between layers (GenFlowNet, Figure 6 and Table 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from zoogen.evaluation.layer_similarity import FLOOR_OF, Group, LayerPair, ParameterCount, Similarity
from zoogen.reports.html_page import PAGE, Block, HtmlPage, Made, Picture, Section
from zoogen.reports.named_evaluations import Origin
from zoogen.reports.published.numbers import PublishedParameters, published_for
from zoogen.reports.sheets import Sheet, SheetRow
from zoogen.reports.styles import new_figure, png
from zoogen.reports.table_rows import number
from zoogen.reports.text_tables import TextCell, TextTable

SIMILARITY_FILE, PARAMETERS_FILE, FIGURE_FILE = "similarity.md", "parameters.md", "similarity.png"
_PANEL_INCHES = 2.4
_CELL_INCHES = 0.28  # a value of two digits
_FEW_LAYERS = 6
_DARK = 0.6  # below it, values are written in white
_TITLES: Mapping[Group, str] = {
    "vision": "Vision networks",
    "policies": "Policies of two structures",
    "same structure": "Policies of one structure",
    "untrained vision": "Untrained vision networks",
    "untrained policies": "Untrained policies of two structures",
}
# Networks of the paper's Table 7 that a study need not hold.
_ABSENT = {
    "Transformer": "the paper does not define the architecture, so there is nothing to count",
    "MLP": "policy of another task",
}


@dataclass(frozen=True)
class Claim:
    """One half of the paper's sentence on Figure 6, checked.

    Attributes:
        text: what is claimed of the policies.
        policies: the policies' number, the mean over their pairs.
        vision: name of a pair of vision networks to its number.
        holds_against: the vision pairs against which the claim holds.
    """

    text: str
    policies: float
    vision: Mapping[str, float]
    holds_against: tuple[str, ...]

    @property
    def verdict(self) -> str:
        if len(self.holds_against) == len(self.vision):
            return "holds"
        return "does not hold" if not self.holds_against else f"holds only against {', '.join(self.holds_against)}"


def claims(similarity: Similarity) -> tuple[Claim, ...]:
    """ "similar on average and … lower variance" (section 3.6), by the numbers; none where a side is missing."""
    policies, vision = similarity.of("policies"), similarity.of("vision")
    if not policies or not vision:
        return ()
    mean = float(np.mean([pair.mean for pair in policies]))
    variance = float(np.mean([pair.variance for pair in policies]))
    means = {pair.name: pair.mean for pair in vision}
    variances = {pair.name: pair.variance for pair in vision}
    return (
        Claim("similar on average", mean, means, tuple(name for name, value in means.items() if mean > value)),
        Claim("lower variance", variance, variances, tuple(n for n, value in variances.items() if variance < value)),
    )


def verdict_lines(similarity: Similarity) -> list[str]:
    """The claims with their numbers, then what untrained networks read."""
    lines = []
    for claim in claims(similarity):
        against = ", ".join(f"{number(value)} ({name})" for name, value in claim.vision.items())
        lines.append(f'"{claim.text}" {claim.verdict}: policies {number(claim.policies)} against {against}')
    for group, floor in FLOOR_OF.items():
        trained, untrained = similarity.of(group), similarity.of(floor)
        if trained and untrained:
            means = [number(float(np.mean([pair.mean for pair in pairs]))) for pairs in (untrained, trained)]
            lines.append(f"{_TITLES[group].lower()}: mean CKA {means[0]} before training, {means[1]} after")
    return lines


def similarity_sheet(similarity: Similarity) -> Sheet:
    """One line per pair: mean and variance over the pairs of layers, their extremes, and the corresponding layers."""
    rows = []
    for group, title in _TITLES.items():
        for pair in similarity.of(group):
            values = np.array(pair.values)
            same = float(np.diag(values).mean()) if pair.first_layers == pair.second_layers else None
            numbers = (pair.mean, pair.variance, float(values.min()), float(values.max()), same)
            rows.append(SheetRow((title, pair.name), (*numbers, values.size, pair.networks)))
    columns = ("mean", "variance", "least", "most", "equal layers", "layer pairs", "network pairs")
    return Sheet(
        name="similarity",
        title="Linear CKA between layers",
        keys=("group", "pair"),
        columns=columns,
        rows=tuple(rows),
        notes=tuple(verdict_lines(similarity)),
    )


def similarity_markdown(similarity: Similarity) -> str:
    """The table, the verdict, and every matrix."""
    lines = [f"# Similarity of layers{_of_study(similarity)}", "", *similarity_sheet(similarity).markdown()]
    about, *networks = _remarks(similarity)
    lines += [about, "", *(f"- {line}" for line in networks), *([""] if networks else [])]
    for pair in similarity.pairs:
        lines += [f"## {pair.name}", "", *_matrix(pair).markdown(), ""]
    return "\n".join(lines)


def _remarks(similarity: Similarity) -> list[str]:
    """What was compared, then a line per vision network."""
    config = similarity.config
    lines = [
        f"{'Unbiased linear' if config.unbiased else 'Linear'} CKA on {config.inputs} inputs that correspond between "
        "structures; vision networks on held-out digits, block outputs averaged over positions or tokens. "
        "Mean and variance are over all pairs of layers."
    ]
    for net in similarity.vision:
        about = f"{net.parameters:,} parameters, {100 * net.accuracy:.1f} % of the held-out digits right"
        lines.append(f"{net.title}: {about}, {number(net.seconds)} s to train")
    return lines


def _of_study(similarity: Similarity) -> str:
    return f" of {similarity.inputs.study}" if similarity.inputs.study else ""


def _matrix(pair: LayerPair) -> TextTable:
    rows = []
    for layer, values, spreads in zip(pair.first_layers, pair.values, pair.spread, strict=True):
        cells = (
            TextCell(f"{v:.2f}" + (f" ± {s:.2f}" if pair.networks > 1 else ""), v)
            for v, s in zip(values, spreads, strict=True)
        )
        rows.append((TextCell(layer), *cells))
    return TextTable(("", *pair.second_layers), tuple(rows), 1)


def parameters_sheet(similarity: Similarity) -> Sheet:
    """Numbers of parameters beside the paper's Table 7."""
    published = published_for(str(similarity.task.get("kind", "")))
    left = list(published.parameters) if published is not None else []
    rows = []
    for count in similarity.parameters:
        entry = _published(count, left)
        note = ""
        if entry is not None:
            left.remove(entry)
            if entry.count == count.one_output_less != count.parameters:
                note = f"{entry.meaning}: the paper counts one output less than ours, which has one to stop"
        cells = (
            _digits(count.parameters),
            _digits(count.one_output_less),
            _digits(entry.count if entry else None),
            note or None,
        )
        rows.append(SheetRow((count.model,), cells))
    rows += [
        SheetRow((f"{net.title}, small",), (_digits(net.parameters), None, None, "in the figure"))
        for net in similarity.vision
    ]
    for entry in left:
        rows.append(SheetRow((entry.meaning,), (None, None, _digits(entry.count), _ABSENT.get(entry.network))))
    columns = ("parameters", "with one output less", "paper", "note")
    return Sheet(name="parameters", title="Numbers of parameters", keys=("network",), columns=columns, rows=tuple(rows))


def _digits(count: int | None) -> str | None:
    return None if count is None else f"{count:,}"


def _published(count: ParameterCount, left: Sequence[PublishedParameters]) -> PublishedParameters | None:
    """The published number of a network: by its name, or by its size, with or without one output."""
    sizes = {count.parameters, count.one_output_less}
    return next((p for p in left if p.meaning == count.label or p.count in sizes), None)


def parameters_markdown(similarity: Similarity) -> str:
    """The table of parameters."""
    return "\n".join([f"# Parameters{_of_study(similarity)}", "", *parameters_sheet(similarity).trimmed().markdown()])


def similarity_figure(similarity: Similarity) -> bytes:
    """Heat maps as PNG: trained networks above, the same untrained below, then policies of one structure."""
    rows = panel_rows(similarity)
    columns = max(map(len, rows))
    widths = [max(_width(row[index]) for row in rows if index < len(row)) for index in range(columns)]
    figure = new_figure(sum(widths) + 0.5 * columns + 1.0, (_PANEL_INCHES + 0.55) * len(rows) + 0.4)
    grid = figure.subplots(len(rows), columns, squeeze=False, width_ratios=widths)
    image = None
    for row, axes in zip(rows, grid, strict=True):
        for index, ax in enumerate(axes):
            pair = row[index] if index < len(row) else None
            if pair is None:
                ax.set_axis_off()
            else:
                image = _draw(ax, pair)
    if image is not None:
        figure.colorbar(image, ax=grid, label="linear CKA", shrink=0.6, pad=0.02)
    figure.suptitle("Similarity between layers", fontsize=11)
    return png(figure)


def panel_rows(similarity: Similarity) -> list[list[LayerPair | None]]:
    """The pairs row by row; untrained networks stand below their trained counterparts."""
    trained = [*similarity.of("vision"), *similarity.of("policies")]
    untrained = [*similarity.of("untrained vision"), *similarity.of("untrained policies")]
    same = list(similarity.of("same structure"))
    indent: list[LayerPair | None] = [None] * (len(similarity.of("vision")) if trained else 0)
    rows: list[list[LayerPair | None]] = [[*trained], [*untrained], [*indent, *same] if same else []]
    return [row for row in rows if row]


def _width(pair: LayerPair | None) -> float:
    """Inches of a panel: room for a value per column."""
    return max(_PANEL_INCHES, _CELL_INCHES * len(pair.second_layers)) if pair is not None else 0.0


def _draw(ax: Axes, pair: LayerPair) -> AxesImage:
    values = np.array(pair.values)
    image = ax.imshow(values, vmin=0, vmax=1, cmap="magma", aspect="auto", interpolation="nearest")
    size = 9.0 if max(values.shape) <= _FEW_LAYERS else 6.0
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if value < _DARK else "black"
        ax.text(j, i, f"{value:.2f}".lstrip("0") or "0", ha="center", va="center", fontsize=size, color=colour)
    for axis, layers in ((ax.xaxis, pair.second_layers), (ax.yaxis, pair.first_layers)):
        axis.set_ticks(range(len(layers)), list(layers), fontsize=7)
    ax.set_xlabel(pair.second, fontsize=8)
    ax.set_ylabel(pair.first, fontsize=8)
    ax.set_title(f"mean {number(pair.mean)}, variance {number(pair.variance)}", fontsize=8)
    return image


def render_similarity(similarity: Similarity, origin: Origin | None = None) -> dict[str, bytes]:
    """File name to content, the page first."""
    files = {
        SIMILARITY_FILE: similarity_markdown(similarity).encode(),
        PARAMETERS_FILE: parameters_markdown(similarity).encode(),
    }
    if similarity.pairs:
        files[FIGURE_FILE] = similarity_figure(similarity)
    return {PAGE: _page(similarity, files.get(FIGURE_FILE), origin).render(), **files}


def _page(similarity: Similarity, figure: bytes | None, origin: Origin | None) -> HtmlPage:
    told = {"task": similarity.task, "similarity": similarity.config.model_dump(mode="json")}
    configuration = origin.configuration if origin is not None else told
    sheet = similarity_sheet(similarity)
    matrices = tuple(Block(pair.name, _matrix(pair)) for pair in similarity.pairs)
    parameters = Section("Parameters", (Block.of(parameters_sheet(similarity).trimmed()),))
    return HtmlPage(
        title=f"Similarity of layers{_of_study(similarity)}",
        about=f"Linear CKA between layers, {similarity.environment.date}",
        verdicts=tuple(verdict_lines(similarity)),
        overview=Block(sheet.title, sheet.table()) if sheet.rows else None,
        sections=(
            parameters,
            *([Section("Layer by layer", matrices, tuple(_remarks(similarity)))] if matrices else []),
        ),
        figures=(Picture(FIGURE_FILE, "Similarity between layers", figure),) if figure is not None else (),
        command=origin.command if origin is not None else "",
        origins=(Made.of("", configuration, similarity.inputs.model_dump(), similarity.environment),),
    )
