"""Characters of many scripts, rendered from the fonts that come with matplotlib: any number of data sets.

The letters, digits and currency signs of which several fonts have a shape of their own stand in one list without look-
alikes. A seeded order of it is dealt out: `glyphs-0` has the first K characters, `glyphs-1` the next K, so that sets
share no class until all characters have been dealt, and then they are dealt anew in another order.
"""

import math
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.tasks.images.config import DataConfig, GlyphConfig

_FONTS = tuple(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")) + tuple(
    f"{family}{style}"
    for family, styles in (
        ("DejaVuSansMono", ("", "-Bold", "-Oblique", "-BoldOblique")),
        ("DejaVuSerif", ("", "-Bold", "-Italic", "-BoldItalic")),
        ("STIXGeneral", ("", "Bol", "Italic", "BolIta")),
    )
    for style in styles
)
_CATEGORIES = ("Lu", "Ll", "Lo", "Nd", "Sc")  # letters, decimal digits, currency signs
_FONTS_AT_LEAST = 4  # of a character, so that its images differ in more than the affine map
_COMPARED = 16  # edge in pixels at which shapes are compared
_ALIKE = 0.85  # correlation of pixels from which two shapes count as one
_EXTENT = 0.7  # of the edge that the longer side of a glyph takes before the affine map
_OVERSAMPLING = 2
_CHUNK_PIXELS = 2**22


@dataclass(frozen=True)
class Glyphs:
    """Images [n, 1, S, S] float32 (ink 1, paper 0, plus noise), labels [n] and the characters by label."""

    images: Tensor
    labels: np.ndarray
    titles: tuple[str, ...]


def render(number: int, size: int, config: DataConfig) -> Glyphs:
    """The images of set `number`, classes in order.

    Raises:
        ZoogenError: more classes than there are characters.
    """
    settings = config.glyphs
    characters = characters_of(number, settings.classes)
    batches = []
    for character in characters:
        generator = seeded_generator(derive_seed("images.glyphs", number, character, config.seed))
        masters = _masters(character, size * _OVERSAMPLING)
        fonts = torch.randint(len(masters), (settings.images,), generator=generator)
        maps = _affine_maps(settings, generator)
        noise = torch.randn(settings.images, 1, size, size, generator=generator) * settings.noise
        batches.append(_warped(masters, fonts, maps, size) + noise)
    labels = np.repeat(np.arange(settings.classes), settings.images)
    return Glyphs(torch.cat(batches), labels, characters)


def characters_of(number: int, classes: int) -> tuple[str, ...]:
    """The characters of set `number`, which do not depend on seeds.

    Raises:
        ZoogenError: more classes than there are characters.
    """
    pool = _pool()
    if classes > len(pool):
        raise ZoogenError(f"task.data.glyphs.classes is {classes}, but there are only {len(pool)} characters")
    deal, place = divmod(number, len(pool) // classes)
    order = np.random.default_rng(derive_seed("images.glyphs.deal", deal)).permutation(len(pool))
    return tuple(pool[index] for index in order[place * classes : (place + 1) * classes])


@lru_cache(1)
def _fonts() -> tuple[tuple[Any, frozenset[int]], ...]:
    """Fonts with the code points that they draw."""
    import matplotlib
    from matplotlib.ft2font import FT2Font

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [FT2Font(folder / f"{name}.ttf") for name in _FONTS]
    return tuple((font, frozenset(font.get_charmap())) for font in fonts)


@lru_cache(1)
def _pool() -> tuple[str, ...]:
    """All characters that can be a class, by code point; of look-alikes the first."""
    counts: dict[int, int] = {}
    for _, drawn in _fonts():
        for code in drawn:
            counts[code] = counts.get(code, 0) + 1
    codes = [chr(code) for code in sorted(counts) if counts[code] >= _FONTS_AT_LEAST]
    basic = [c for c in codes if unicodedata.category(c) in _CATEGORIES and not unicodedata.decomposition(c)]
    shapes = np.stack([_shape(character) for character in basic])
    alike = shapes @ shapes.T > _ALIKE
    kept: list[int] = []
    for index in range(len(basic)):
        if shapes[index].any() and not alike[index, kept].any():
            kept.append(index)
    return tuple(basic[index] for index in kept)


def _shape(character: str) -> np.ndarray:
    """Pixels of the first font's glyph, centred and of length 1, [16 * 16]; zeros for a blank."""
    pixels = _master(next(font for font, drawn in _fonts() if ord(character) in drawn), character, _COMPARED).ravel()
    centred = pixels - pixels.mean()
    length = np.linalg.norm(centred)
    return centred / length if length > 0 else np.zeros_like(centred)


def _masters(character: str, edge: int) -> Tensor:
    """The character in every font that has it, [fonts, 1, edge, edge], ink 1 and paper 0."""
    drawn = [_master(font, character, edge) for font, codes in _fonts() if ord(character) in codes]
    return torch.from_numpy(np.stack(drawn))[:, None]


def _master(font: Any, character: str, edge: int) -> np.ndarray:
    """One glyph, antialiased, in the middle of [edge, edge] float32, its longer side `_EXTENT` of the edge."""
    from matplotlib.ft2font import LoadFlags

    canvas = np.zeros((edge, edge), np.float32)
    wanted = _EXTENT * edge
    points = 2 * wanted
    for _ in range(2):  # the first pass measures, generously, the second draws to size
        font.set_size(points, 72)
        font.set_text(character, 0.0, flags=LoadFlags.NO_HINTING)
        font.draw_glyphs_to_bitmap(antialiased=True)
        ink = _trimmed(np.asarray(font.get_image(), np.float32) / 255)
        if not ink.size:
            return canvas
        points *= wanted / max(ink.shape)
    height, width = (min(side, edge) for side in ink.shape)
    top, left = (edge - height) // 2, (edge - width) // 2
    canvas[top : top + height, left : left + width] = ink[:height, :width]
    return canvas


def _trimmed(pixels: np.ndarray) -> np.ndarray:
    """Without empty rows and columns around."""
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else pixels[:0]


def _affine_maps(settings: GlyphConfig, generator: torch.Generator) -> Tensor:
    """Random maps from places in the image to places in the glyph, [n, 2, 3], in units of half the edge."""
    spread = torch.rand(settings.images, 5, generator=generator) * 2 - 1
    turn = spread[:, 0] * math.radians(settings.rotation)
    shear = (spread[:, 1] * math.radians(settings.shear)).tan()
    scale = 1 + spread[:, 2] * settings.scale
    shift = spread[:, 3:] * settings.shift * 2
    rotation = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).view(-1, 2, 2)
    shearing = torch.eye(2).repeat(settings.images, 1, 1)
    shearing[:, 0, 1] = shear
    linear = rotation @ shearing / scale[:, None, None]
    return torch.cat([linear, -(linear @ shift[:, :, None])], 2)


def _warped(masters: Tensor, fonts: Tensor, maps: Tensor, size: int) -> Tensor:
    """Every image's font through its map, [n, 1, size, size]: bilinear at twice the size, then averaged."""
    edge = size * _OVERSAMPLING
    step = max(1, _CHUNK_PIXELS // edge**2)
    made = []
    for start in range(0, len(maps), step):
        chosen = masters[fonts[start : start + step]]
        grid = F.affine_grid(maps[start : start + step], [len(chosen), 1, edge, edge], align_corners=False)
        made.append(F.avg_pool2d(F.grid_sample(chosen, grid, align_corners=False), _OVERSAMPLING))
    return torch.cat(made)
