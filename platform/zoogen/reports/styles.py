"""One look for all figures: a colour and a marker per method, drawn without a display or matplotlib's global state."""

import io
from bisect import bisect

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoogen.evaluation.config import TRUTH
from zoogen.reports.named_evaluations import GENERATED

# Okabe and Ito's colours, told apart by colour-blind readers; generated networks stand out in vermilion.
_COLOURS = {
    TRUTH: "#000000",
    GENERATED: "#D55E00",
    "held-out": "#0072B2",
    "held-out-last": "#56B4E9",
    "reference": "#0072B2",
    "reference-last": "#56B4E9",
    "training": "#009E73",
    "nearest": "#B2DF8A",
    "reconstructed": "#CC79A7",
    "gaussian": "#8C564B",
    "pca-gaussian": "#C49C94",
    "prior": "#7FBF00",
    "random": "#999999",
    "untrained": "#444444",
    "ensemble": "#000000",
    "vae": "#E377C2",
}
_LADDERS = {
    "conventional": ((1_000, 4_000), ("#A6CEE3", "#5B9BD5", "#1F5FA8")),
    "average": ((4, 8, 32), ("#F0E442", "#E69F00", "#B07A00", "#7A5500")),  # steps between shades; shades
    "latent-average": ((4, 8, 32), ("#FDBF6F", "#FF9933", "#CC6600", "#994C00")),
    "kde": ((0.05, 0.2), ("#9EDAE5", "#17BECF", "#0E7C86")),
    "noise": ((0.003, 0.03, 0.1), ("#D4C2EC", "#A98BD6", "#7A4FB5", "#4B2480")),
}
_MARKERS = {
    GENERATED: "*",
    "average": "s",
    "latent-average": "s",
    "conventional": "o",
    "noise": "^",
    "gaussian": "D",
    "pca-gaussian": "D",
    "kde": "v",
    "prior": "h",
    "nearest": "P",
    "ensemble": "X",
    "vae": "P",
    "random": "X",
    "untrained": "X",
}
RUN_COLOURS = (
    *("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4FB5", "#444444"),
    *("#B07A00", "#0B7A75", "#8C564B", "#B2DF8A"),
)
_DPI = 150
_PIXELS = 8000  # largest edge of a picture; Agg draws at most 65,536


def colour(method: str) -> str:
    """Colour of a method; members of a ladder (`average-5`, `noise-0.01`) are shades of one."""
    ladder, _, step = method.rpartition("-")
    if ladder in _LADDERS:
        bounds, shades = _LADDERS[ladder]
        return shades[bisect(bounds, float(step))]
    return _COLOURS.get(method, "#000000")


def marker(method: str) -> str:
    """Marker of a method in a scatter plot."""
    return _MARKERS.get(method) or _MARKERS.get(method.rpartition("-")[0], "o")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, which can be saved as PNG."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG, very large ones in fewer dots per inch."""
    buffer = io.BytesIO()
    dpi = min(_DPI, _PIXELS / max(figure.get_size_inches()))
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
