"""Rendered characters."""

import unicodedata

import numpy as np
import pytest
import torch

from zoogen.errors import ZoogenError
from zoogen.tasks.images.config import DataConfig, GlyphConfig
from zoogen.tasks.images.data.glyphs import _affine_maps, _master, _masters, _pool, _warped, characters_of, render
from zoogen.tasks.images.data.load import load_images

STILL = GlyphConfig(rotation=0, scale=0, shift=0, shear=0, noise=0)


def config(**glyphs: object) -> DataConfig:
    return DataConfig(glyphs=GlyphConfig(**glyphs))


def test_sets_share_no_character_until_all_are_dealt() -> None:
    sets = len(_pool()) // 10
    assert sets >= 100
    dealt = [character for number in range(sets) for character in characters_of(number, 10)]
    assert len(set(dealt)) == 10 * sets
    assert characters_of(sets, 10) != characters_of(0, 10)
    assert len(set(characters_of(sets, 10))) == 10  # any number of sets


def test_characters_come_from_many_scripts_and_none_is_blank_or_composed() -> None:
    scripts = {unicodedata.name(character).split()[0] for character in _pool()}
    assert {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "ARABIC", "HEBREW", "DIGIT"} <= scripts
    assert not any(unicodedata.decomposition(character) or character.isspace() for character in _pool())
    assert all((_masters(character, 16).flatten(1).amax(1) > 0.3).all() for character in characters_of(5, 50))


def test_characters_that_look_the_same_are_one() -> None:
    pool = set(_pool())
    for alike in ("AΑА", "BΒВ", "cCсС", "oοоOΟО", "sSѕЅ"):  # Latin, Greek and Cyrillic
        assert len(pool & set(alike)) == 1, alike


def test_images_are_the_same_for_the_same_arguments_and_differ_otherwise() -> None:
    settings = config(images=6)
    first, again = (render(2, 16, settings) for _ in range(2))
    assert torch.equal(first.images, again.images) and first.titles == again.titles
    other = render(2, 16, settings.model_copy(update={"seed": 1}))
    assert other.titles == first.titles and not torch.equal(first.images, other.images)
    assert set(render(3, 16, settings).titles).isdisjoint(first.titles)


def test_ink_is_one_and_paper_zero_and_glyphs_fill_their_place() -> None:
    images = render(0, 32, DataConfig(glyphs=STILL.model_copy(update={"images": 12}))).images[:, 0]
    assert images.min() == 0 and 0.95 < images.max() <= 1
    extents = torch.stack([(images.amax(axis) > 0.02).sum(1) for axis in (1, 2)])
    assert extents.max() <= 25 and (extents.amax(0) >= 20).all()  # .7 of 32 is 22.4


def test_without_motion_an_image_is_its_glyph() -> None:
    masters = _masters("R", 32)
    maps = _affine_maps(STILL.model_copy(update={"images": len(masters)}), torch.Generator().manual_seed(0))
    warped = _warped(masters, torch.arange(len(masters)), maps, 16)
    mean = masters.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert torch.allclose(warped, mean, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        GlyphConfig(rotation=90, scale=0, shift=0, shear=0),
        GlyphConfig(rotation=0, scale=0.2, shift=0, shear=0),
        GlyphConfig(rotation=0, scale=0, shift=0.1, shear=0),
        GlyphConfig(rotation=0, scale=0, shift=0, shear=20),
    ],
)
def test_random_maps_stay_within_their_bounds_and_use_them(settings: GlyphConfig) -> None:
    maps = _affine_maps(settings.model_copy(update={"images": 4000}), torch.Generator().manual_seed(0)).double()
    linear = torch.linalg.inv(maps[:, :, :2])  # from places in the glyph to places in the image
    shift = -(linear @ maps[:, :, 2:])[:, :, 0] / 2  # as a fraction of the edge
    scale = torch.linalg.det(linear).sqrt()
    turn = torch.rad2deg(torch.atan2(-maps[:, 1, 0], maps[:, 0, 0])).abs()
    assert shift.abs().max() == pytest.approx(settings.shift, rel=0.01, abs=1e-6)
    assert (scale - 1).abs().max() == pytest.approx(settings.scale, rel=0.01, abs=1e-6)
    assert turn.max() == pytest.approx(settings.rotation, rel=0.01, abs=1e-4)
    if not settings.rotation:
        lean = (maps[:, 0, 1] / maps[:, 0, 0]).atan().rad2deg().abs()
        assert lean.max() == pytest.approx(settings.shear, rel=0.01, abs=1e-4)


def test_fonts_differ() -> None:
    masters = _masters("R", 32).flatten(1)
    assert len(masters) == 16
    assert len({master.numpy().tobytes() for master in masters}) == 16


def test_few_shot_and_other_numbers_of_classes() -> None:
    data = load_images("glyphs-4", size=12, channels=1, config=config(classes=5, images=3))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [5, 5, 5]
    assert data.titles == characters_of(4, 5)
    assert data.train.labels.tolist() == [0, 1, 2, 3, 4]


def test_more_classes_than_characters_are_refused() -> None:
    with pytest.raises(ZoogenError, match="classes is 100000, but there are only"):
        characters_of(0, 100_000)


def test_a_linear_classifier_learns_them_from_few_images() -> None:
    from sklearn.linear_model import LogisticRegression

    data = load_images("glyphs-0", size=16, channels=1, config=config(classes=5, images=80))
    model = LogisticRegression(C=0.01, max_iter=200).fit(data.train.images.flatten(1), data.train.labels)
    assert model.score(data.test.images.flatten(1), data.test.labels) > 0.6  # chance is .2


def test_a_glyph_is_in_the_middle() -> None:
    from zoogen.tasks.images.data.glyphs import _fonts

    pixels = _master(_fonts()[0][0], "H", 40)
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    assert abs(rows[0] + rows[-1] - 39) <= 1 and abs(columns[0] + columns[-1] - 39) <= 1
    assert rows[-1] - rows[0] + 1 == pytest.approx(28, abs=2)
