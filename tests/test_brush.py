"""A mask that is painted by hand over a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from digressions.geometry import Size
from digressions.images.brush import brushed, brushed_apart, kept_mask


def layer(*box: int) -> np.ndarray:
    found = np.zeros((40, 60, 4), np.uint8)
    left, top, right, bottom = box
    found[top:bottom, left:right] = (30, 180, 160, 255)
    return found


def test_strokes_of_all_layers_count_at_the_picture_s_own_size() -> None:
    mask = brushed([layer(0, 0, 30, 20), layer(30, 20, 60, 40)], Size(120, 80))
    assert mask is not None
    assert mask.shape == (80, 120)
    assert set(np.unique(mask)) == {0, 255}
    quarters = mask[:40, :60], mask[40:, 60:], mask[:40, 60:], mask[40:, :60]
    assert [int(part.mean()) // 200 for part in quarters] == [1, 1, 0, 0]


def test_no_stroke_is_no_mask() -> None:
    assert brushed([], Size(8, 8)) is None
    assert brushed([layer(0, 0, 0, 0)], Size(8, 8)) is None


def test_the_same_mask_is_the_same_file(tmp_path: Path) -> None:
    mask = brushed([layer(0, 0, 30, 20)], Size(60, 40))
    assert mask is not None
    first, again = kept_mask(mask, tmp_path), kept_mask(mask, tmp_path)
    assert first == again
    assert kept_mask(255 - mask, tmp_path) != first


def test_strokes_of_several_colours_are_masks_of_their_own() -> None:
    left, right = layer(0, 0, 30, 40), layer(30, 0, 60, 40)
    right[..., :3] = (200, 30, 40)
    colours = [(30, 180, 160), (0, 0, 255), (210, 20, 40)]
    first, second, third = brushed_apart([left, right], colours, Size(60, 40))
    assert first is not None
    assert third is not None
    assert second is None
    assert (first[:, :30].min(), first[:, 30:].max()) == (255, 0)
    assert (third[:, 30:].min(), third[:, :30].max()) == (255, 0)
