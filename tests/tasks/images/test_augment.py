"""Random crops against plain slicing and known bounds."""

import torch
from torch.nn.functional import interpolate

from zoogen.tasks.images.augment import cropped, crops


def test_shift_moves_by_whole_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(200, 2, 16, 16, generator=generator)
    maps = crops("shift", 200, 16, generator)
    pixels = (maps[:, :, 2] * 8).round().int()  # right, down; half an edge is 8 pixels
    assert set(pixels.flatten().tolist()) == {-2, -1, 0, 1, 2}
    moved = cropped(images, maps)
    for image, result, (across, down) in zip(images, moved, pixels.tolist(), strict=True):
        rows = (torch.arange(16) + down).clamp(0, 15)
        columns = (torch.arange(16) + across).clamp(0, 15)
        torch.testing.assert_close(result, image[:, rows][:, :, columns], atol=1e-4, rtol=1e-4)


def test_crops_lie_within_the_image_with_the_stated_areas() -> None:
    maps = crops("crop", 5000, 16, torch.Generator().manual_seed(0))
    width, height = maps[:, 0, 0], maps[:, 1, 1]
    assert bool((width <= 1).all()) and bool((height <= 1).all())
    assert bool((maps[:, 0, 2].abs() + width <= 1 + 1e-6).all()) and bool(
        (maps[:, 1, 2].abs() + height <= 1 + 1e-6).all()
    )
    assert bool((maps[:, 0, 1] == 0).all()) and bool((maps[:, 1, 0] == 0).all())
    area, uncut = width * height, (width < 1) & (height < 1)
    assert 0.079 < float(area.min()) < 0.1 and float(area.max()) > 0.9
    ratio = (width / height)[uncut]
    assert 0.749 < float(ratio.min()) < 0.77 and 1.30 < float(ratio.max()) < 1.334


def test_a_crop_of_half_the_edge_is_the_enlarged_part() -> None:
    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    corner = torch.tensor([[[0.5, 0.0, -0.5], [0.0, 0.5, -0.5]]])
    expected = interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)[:, :, :8, :8]
    torch.testing.assert_close(cropped(image, corner), expected, atol=1e-5, rtol=1e-5)


def test_leading_dimensions_and_seeds() -> None:
    generator = torch.Generator().manual_seed(1)
    images, maps = torch.randn(2, 3, 1, 8, 8, generator=generator), crops("crop", 6, 8, generator).view(2, 3, 2, 3)
    together = cropped(images, maps)
    for m in range(2):
        torch.testing.assert_close(together[m], cropped(images[m], maps[m]))
    again = crops("crop", 6, 8, torch.Generator().manual_seed(2))
    assert torch.equal(again, crops("crop", 6, 8, torch.Generator().manual_seed(2)))
