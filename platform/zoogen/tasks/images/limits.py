"""What a weights file from anywhere may ask for when its networks are judged by what it says of itself."""

from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.limits import beyond

_MOST_GLYPHS = 100_000  # rendered images
_LARGEST_EDGE = 512
_MOST_AT_ONCE = 1_024  # networks


def excess(config: ImagesConfig) -> str:
    """What is more than that, and its limit; empty if nothing is."""
    data, glyphs = config.data, config.data.glyphs
    if data.root is not None:
        return f"images below {data.root[:80]}"
    return (
        beyond("rendered images", glyphs.classes * glyphs.images, _MOST_GLYPHS)
        or beyond("pixels", data.size or 0, _LARGEST_EDGE)
        or beyond("judged_at_once", config.judged_at_once or 0, _MOST_AT_ONCE)
    )
