"""A masked area: only it is painted, at the photo's own size, and all else stays to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import digressions as dg
from digressions.errors import InputError
from digressions.generate.masked_area import MaskedArea
from digressions.generate.params import StartParams
from digressions.generate.start import read_inputs, start_job
from digressions.geometry import Box, Size
from digressions.images.image_files import read_image, to_tensor, write_image
from digressions.images.upscale import Lanczos
from digressions.models.base import Model

from .conftest import Ran
from .jobs import resolved

FEW = {"steps": 2, "seed": 3}


def room(wide: int = 300, high: int = 200) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (high, wide, 3), np.uint8)


def hole(photo: np.ndarray, box: Box) -> np.ndarray:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[box.top : box.bottom, box.left : box.right] = 255
    return mask


HOLES = {
    "small": Box(20, 30, 50, 60),
    "large": Box(60, 40, 220, 180),
    "at a corner": Box(270, 170, 300, 200),
    "as wide as the photo": Box(0, 90, 300, 110),
    "all": Box(0, 0, 300, 200),
    "a pixel": Box(5, 5, 6, 6),
}


@pytest.mark.parametrize("box", HOLES.values(), ids=HOLES)
def test_only_the_masked_area_changes_and_the_photo_keeps_its_size(
    bundled: Model, box: Box
) -> None:
    photo = room()
    mask = hole(photo, box)
    found = dg.paint(bundled, "photo of a frog", image=photo, mask=mask, **FEW).array
    assert found.shape == photo.shape
    assert np.array_equal(found[mask == 0], photo[mask == 0])
    assert (found[mask > 0] != photo[mask > 0]).any(-1).mean() > 0.9


def test_a_soft_mask_mixes_at_the_photos_own_size(bundled: Model) -> None:
    photo = room()
    mask = hole(photo, HOLES["large"])
    start = {"image": photo, "mask": mask, "masked_content": "original"}
    hard = dg.paint(bundled, "photo of a frog", **start, **FEW).array
    mask[mask > 0] = 128
    soft = dg.paint(bundled, "photo of a frog", **start, **FEW).array
    inside = mask > 0
    half = photo[inside] + (hard[inside].astype(float) - photo[inside]) * 128 / 255
    assert np.abs(soft[inside] - half).max() < 1.01


@given(
    photo=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    size=st.sampled_from([Size(64, 64), Size(96, 48), Size(48, 96), Size(512, 512)]),
    data=st.data(),
)
def test_an_area_holds_the_mask_in_the_aspect_that_is_painted(
    photo: tuple[int, int], size: Size, data: st.DataObject
) -> None:
    wide, high = photo
    left, top = data.draw(st.integers(0, wide - 1)), data.draw(st.integers(0, high - 1))
    right, bottom = data.draw(st.integers(left + 1, wide)), data.draw(st.integers(top + 1, high))
    mask = hole(np.zeros((high, wide, 3), np.uint8), Box(left, top, right, bottom))
    area = MaskedArea.of(mask, size)
    box = area.box
    assert box.left <= left < right <= box.right
    assert box.top <= top < bottom <= box.bottom
    assert abs(box.size.width / size.width - box.size.height / size.height) * min(size) <= 1
    if wide >= size.width and high >= size.height:
        assert area.scale >= 1
    for inside, side in (((box.left, box.right), wide), ((box.top, box.bottom), high)):
        assert (inside[0] >= 0 and inside[1] <= side) or inside[1] - inside[0] >= side
    back = area.put_back(
        torch.zeros(3, size.height, size.width),
        np.zeros((high, wide, 3), np.uint8),
        mask,
        Lanczos(),
    )
    assert back.shape == (high, wide, 3)


def test_what_holds_the_hole_is_painted_at_the_photos_own_pixels() -> None:
    photo = room()
    mask = hole(photo, HOLES["small"])
    area = MaskedArea.of(mask, Size(64, 64))
    assert area.box.size == area.size
    painted = to_tensor(room(64, 64))
    back = area.put_back(painted, photo, mask, Lanczos())
    here = area.box
    inside = mask[here.top : here.bottom, here.left : here.right] > 0
    assert np.array_equal(
        back[here.top : here.bottom, here.left : here.right][inside], room(64, 64)[inside]
    )


def test_a_photo_of_the_size_that_is_painted_is_seen_whole(bundled: Model) -> None:
    photo = room(64, 64)
    inputs = read_inputs(StartParams(image=photo, mask=hole(photo, HOLES["small"])))
    job = start_job(resolved(masked_content="original"), inputs)
    assert job.image is not None
    assert torch.equal(job.image, to_tensor(photo))


def test_an_ensemble_paints_only_the_masked_area_too(digress: Any, tmp_path: Path) -> None:
    photo = room()
    mask = hole(photo, HOLES["large"])
    write_image(tmp_path / "room.png", photo)
    write_image(tmp_path / "mask.png", np.dstack([mask] * 3))
    start = ["--image", "room.png", "--mask", "mask.png", "--steps", 2, "--seed", 1]
    for more, files in (
        (["-o", "a.png"], ["a.png"]),
        (["-o", "b.png", "-n", 2, "--map"], ["b-1.png", "b-2.png"]),
        (["-o", "c.png", "--sweep", 2], sorted_names("c", 2)),
    ):
        ran: Ran = digress("ensemble", "photo of a frog", "photo of a fox", *start, *more)
        assert ran.code == 0, ran.err
        for name in files:
            (path,) = tmp_path.glob(name)
            found = read_image(path)
            assert found.shape == photo.shape
            assert np.array_equal(found[mask == 0], photo[mask == 0])
            assert not np.array_equal(found, photo)
    again: Ran = digress("replay", "a.png")
    assert again.code == 0, again.err
    assert np.array_equal(read_image(tmp_path / "a-replay.png"), read_image(tmp_path / "a.png"))


def sorted_names(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number}-*.png" for number in range(1, count + 1)]


def test_an_enlarged_painting_is_replayed(digress: Any, tmp_path: Path) -> None:
    photo = room()
    write_image(tmp_path / "room.png", photo)
    write_image(tmp_path / "mask.png", np.dstack([hole(photo, HOLES["large"])] * 3))
    start = ["--image", "room.png", "--mask", "mask.png", "--steps", 2, "--seed", 1]
    for upscaler in ("lanczos", "realesrgan-animevideo"):
        name = f"{upscaler}.png"
        ran: Ran = digress("paint", "a frog", *start, "--upscaler", upscaler, "-o", name)
        assert ran.code == 0, ran.err
        assert digress("replay", name, "-o", f"again-{name}").code == 0
        assert np.array_equal(read_image(tmp_path / f"again-{name}"), read_image(tmp_path / name))


def test_an_upscaler_that_has_nothing_to_do_is_noted(digress: Any, tmp_path: Path) -> None:
    photo = room()
    write_image(tmp_path / "room.png", photo)
    write_image(tmp_path / "mask.png", np.dstack([hole(photo, HOLES["small"])] * 3))
    start = ["--image", "room.png", "--mask", "mask.png", "--steps", 1, "-o", "a.png"]
    assert "--upscaler does nothing" in digress("paint", "a", *start, "--upscaler", "lanczos").err
    assert "--upscaler does nothing" not in digress("paint", "a", *start).err


def test_regions_lie_in_the_whole_photo(bundled: Model) -> None:
    photo = room()
    mask = hole(photo, HOLES["small"])
    start = {"image": photo, "mask": mask, "region_softness": 0.0}
    inputs = read_inputs(StartParams(**start, region=["left", "all"]))
    job = start_job(resolved("a AND b"), inputs)
    assert job.regions is not None
    assert bool((job.regions == 1).all())  # the hole lies in the left half
    inputs = read_inputs(StartParams(**start, region=["left", "right"]))
    with pytest.raises(InputError, match="region 2 has nothing of the masked area"):
        start_job(resolved("a AND b"), inputs)


def test_a_sheet_of_large_photos_is_small_enough_to_look_at(digress: Any, tmp_path: Path) -> None:
    photo = room(2100, 1400)
    write_image(tmp_path / "room.png", photo)
    write_image(tmp_path / "mask.png", np.dstack([hole(photo, HOLES["small"])] * 3))
    start = ["--image", "room.png", "--mask", "mask.png", "--steps", 1, "--seed", 1]
    assert digress("paint", "a frog", *start, "-n", 2, "-o", "a.png").code == 0
    assert read_image(tmp_path / "a-1.png").shape == photo.shape
    assert read_image(tmp_path / "a-sheet.png").shape[1] < 2100
