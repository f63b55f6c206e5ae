"""Weight matrices as pictures (GenFlowNet, Figures 5, 7 and 8)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoogen.evaluation.result import Evaluation, WeightMapRecord
from zoogen.reports.named_evaluations import named
from zoogen.reports.styles import colour, new_figure

_WIDTH = 1.9  # inches of one matrix
_TALLEST, _LOWEST = 1.7, 0.7  # inches: very wide matrices are stretched to be seen


def weight_map_figure(evaluation: Evaluation, structure: str) -> Figure | None:
    """Matrices of one structure: a row per tensor, a column per network; None if none were kept.

    All pictures of a row share a colour scale that is symmetric about zero.
    """
    maps = [record for record in evaluation.weight_maps if record.structure == structure]
    if not maps:
        return None
    tensors = list(dict.fromkeys(record.tensor for record in maps))
    networks = list(dict.fromkeys((record.method, record.network) for record in maps))
    rows = [[_find(maps, tensor, network) for network in networks] for tensor in tensors]
    heights = [_height(row) for row in rows]
    figure = new_figure(_WIDTH * len(networks) + 1.7, sum(heights) + 0.35 * len(rows) + 0.7)
    grid = figure.subplots(len(rows), len(networks), squeeze=False, height_ratios=heights)
    for index, (tensor, row, axes) in enumerate(zip(tensors, rows, grid, strict=True)):
        limit = max(float(np.abs(np.array(record.values)).max()) for record in row if record is not None) or 1.0
        for network, record, ax in zip(networks, row, axes, strict=True):
            _draw(ax, record, limit)
            if index == 0:
                ax.set_title("{} {}".format(*network), fontsize=9, color=colour(network[0]))
        axes[0].set_axis_on()
        axes[0].set_ylabel(tensor, rotation=0, ha="right", va="center", fontsize=9)
        image = next(ax.images[0] for ax in axes if ax.images)
        bar = figure.colorbar(image, ax=list(axes), shrink=0.9, pad=0.012, aspect=max(6, 12 * heights[index]))
        bar.ax.tick_params(labelsize=7)
    figure.suptitle(f"Weights of structure {named(maps[0].label, structure)}", fontsize=11)
    return figure


def _find(maps: Sequence[WeightMapRecord], tensor: str, network: tuple[str, int]) -> WeightMapRecord | None:
    return next((r for r in maps if r.tensor == tensor and (r.method, r.network) == network), None)


def _height(row: Sequence[WeightMapRecord | None]) -> float:
    """Inches: true to the matrix' shape between two bounds."""
    height, width = next(np.shape(record.values) for record in row if record is not None)
    return float(min(max(_WIDTH * height / width, _LOWEST), _TALLEST))


def _draw(ax: Axes, record: WeightMapRecord | None, limit: float) -> None:
    if record is None:
        ax.set_axis_off()
        return
    values = np.array(record.values)
    ax.imshow(values, vmin=-limit, vmax=limit, cmap="RdBu_r", aspect="auto", interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
