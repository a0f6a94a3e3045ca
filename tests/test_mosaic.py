"""The hypermosaic: cells that fit together, exact colours, a folder that survives a kill."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from digressions.errors import InputError, OutputError
from digressions.events import Estimate, Note, Preview, Progress, Saved, completed
from digressions.generate.job import Job
from digressions.generate.kinds import MAX_SEED
from digressions.generate.metadata import Record
from digressions.generate.paint import painter_of
from digressions.generate.params import GenerationParams, ResolvedParams
from digressions.generate.record_reading import record_of
from digressions.generate.replay import replay_file
from digressions.geometry import Grid
from digressions.images.image_files import read_image, read_text, to_tensor, write_image
from digressions.images.source_image import SourceImage, source_image
from digressions.models.base import Model
from digressions.mosaics.base_image import (
    BaseImage,
    base_image_of,
    base_params,
    make_base_image,
)
from digressions.mosaics.build import build, make_mosaic
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.cell_place import Place, is_mirrored, moved, place_of
from digressions.mosaics.cells import (
    band_of,
    cell_seed,
    cells_of,
    exact_cells,
    paint_cells,
    paint_over,
    strips,
)
from digressions.mosaics.fidelity import Gauge, Thumbnail
from digressions.mosaics.folder import MosaicFolder, MosaicPlan
from digressions.mosaics.mosaic_spec import CELL_SIDE, Mosaic, MosaicSpec, SharingParams
from digressions.mosaics.planning import grid_over, plan_of, read_start
from digressions.mosaics.store import Store

from .conftest import Ran, heed_interrupts
from .jobs import plain_mosaic

SEEDS = [
    3202682252830578881,
    8003828004978139229,
    5016167597400215901,
    3224219991772868430,
]
CELLS = ResolvedParams(
    prompt="frog", seed=5, size=32, steps=2, sampler="ddim", guidance=1.0, strength=0.75
)
MOSAIC = plain_mosaic(CELLS, (3, 3))


def changed(**values: Any) -> Mosaic:
    """`MOSAIC` with other settings, of its own or of its cells."""
    own = {name: values.pop(name) for name in list(values) if name in Mosaic.model_fields}
    return MOSAIC.but(params=CELLS.but(**values), **own)


def a_base(model: Model, upscaler: str = "lanczos", **values: Any) -> BaseImage:
    """A base image that is quickly painted."""
    params = CELLS.but(**{"prompt": "turtle"} | values)
    made = {"model": "bundled", "model_hash": model.hash, "dtype": "float32"}
    record = Record(kind="picture", params=params, **made)
    return BaseImage(record, None, upscaler)


def a_plan(model: Model, mosaic: Mosaic = MOSAIC, **sharing: Any) -> MosaicPlan:
    return MosaicPlan(mosaic, a_base(model), SharingParams(**sharing))


def started(model: Model, path: Path, plan: MosaicPlan | None = None) -> MosaicFolder:
    """A folder with its base image."""
    folder = MosaicFolder(model, plan or a_plan(model), path)
    completed(folder.start())
    return folder


def smooth(grid: Grid) -> torch.Tensor:
    """A base image with gradients in all directions: ``(3, H, W)``."""
    height, width = grid.rows * CELL_SIDE, grid.columns * CELL_SIDE
    y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
    planes = [x + 0 * y, 0.2 + 0.6 * y + 0 * x, 0.5 + 0.4 * torch.sin(5 * x + 4 * y)]
    return torch.stack(planes)


def pictures(path: Path) -> dict[int, bytes]:
    if not path.exists():
        return {}
    db = sqlite3.connect(path, timeout=5)
    try:
        return dict(db.execute("select cell, png from pictures"))
    except sqlite3.OperationalError:
        return {}  # the table is about to be made
    finally:
        db.close()


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


# --- cells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [8, 16, 64])
def test_neighbouring_cells_are_one_enlargement_of_the_base_image(side: int) -> None:
    grid = Grid(3, 2)
    mosaic = changed(grid=grid, size=side, band=0)
    base = smooth(grid)
    cells = cells_of(base, mosaic, range(6))
    rows = [torch.cat(list(cells[list(grid.row(row))]), dim=2) for row in range(2)]
    whole = F.interpolate(
        base[None], (2 * side, 3 * side), mode="bicubic", align_corners=False
    ).clamp(0, 1)
    assert torch.allclose(torch.cat(rows, dim=1), whole[0], atol=1e-5)


def test_at_their_own_size_cells_are_the_pixels_of_the_base_image() -> None:
    mosaic = changed(grid=(3, 2), size=CELL_SIDE)
    base = torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(
        cells_of(base, mosaic, [4, 0]), exact_cells(base, mosaic, [4, 0]), atol=1e-6
    )
    assert torch.equal(exact_cells(base, mosaic, [4])[0], base[:, 8:16, 8:16])


@pytest.mark.parametrize("b", [1, 2, 4])
def test_an_enlarged_cell_has_nearly_the_box_means_of_the_base_image(b: int) -> None:
    grid = Grid(4, 3)
    mosaic = changed(grid=grid, size=64)
    base, cells = smooth(grid), range(grid.cells)
    wanted = band_of(exact_cells(base, mosaic, cells), b)
    assert (band_of(cells_of(base, mosaic, cells), b) - wanted).abs().max() * 255 < 1.5


# --- seeds -----------------------------------------------------------------------------------


def test_cell_seeds_are_stable() -> None:
    # Written down: a seed that changes makes every mosaic of before another picture.
    assert [cell_seed(0, 0), cell_seed(0, 1), cell_seed(7, 4095), cell_seed(7, 3, 9)] == SEEDS


def test_the_cell_seeds_of_a_large_mosaic_are_distinct_and_in_range() -> None:
    seeds = [cell_seed(3, cell) for cell in range(256 * 256)]
    assert len(set(seeds)) == 256 * 256
    assert min(seeds) >= 0
    assert max(seeds) <= MAX_SEED


@given(st.integers(0, MAX_SEED), st.integers(0, MAX_SEED), st.integers(0, 65535))
def test_other_roots_give_other_seeds(one: int, other: int, cell: int) -> None:
    assert (cell_seed(one, cell) == cell_seed(other, cell)) == (one == other)
    assert cell_seed(one, cell) != cell_seed(one, cell, 0)


# --- variety ---------------------------------------------------------------------------------


def test_half_of_the_cells_look_the_other_way_and_keep_their_colours() -> None:
    grid = Grid(8, 6)
    mosaic = changed(grid=grid, jitter=0.0)
    base, cells = smooth(grid), range(grid.cells)
    seeds = [cell_seed(mosaic.params.seed, cell) for cell in cells]
    starts, exact = cells_of(base, mosaic, cells), exact_cells(base, mosaic, cells)
    thing = torch.linspace(0, 1, mosaic.cell.width).expand(
        3, mosaic.cell.width, -1
    )  # brighter to the right

    def nothing(jobs: Sequence[Job]) -> torch.Tensor:
        return torch.stack([job.image for job in jobs if job.image is not None])

    def right(jobs: Sequence[Job]) -> torch.Tensor:
        return torch.stack([thing for _ in jobs])

    assert torch.equal(paint_cells(nothing, mosaic, seeds, starts), starts)
    for cell, image in enumerate(paint_cells(right, mosaic, seeds, starts)):
        turned = is_mirrored(mosaic, seeds[cell])
        assert torch.equal(image, thing.flip(-1) if turned else thing)
    for share in (0.0, 0.5, 1.0):
        own = mosaic.but(mirror=share)
        found = sum(is_mirrored(own, cell_seed(5, cell)) for cell in range(2000)) / 2000
        assert found == pytest.approx(share, abs=0.05 if share == 0.5 else 0)
        painted = paint_over(right, own, seeds, starts, exact).float() / 255
        assert (band_of(painted, 2) - band_of(exact, 2)).abs().max() * 255 <= 1


@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.25])
def test_things_stand_off_their_middle_and_colours_stay(jitter: float) -> None:
    grid = Grid(8, 6)
    mosaic = changed(grid=grid, jitter=jitter)
    base, cells = smooth(grid), range(grid.cells)
    seeds = [cell_seed(mosaic.params.seed, cell) for cell in cells]
    starts = cells_of(base, mosaic, cells, seeds)

    def nothing(jobs: Sequence[Job]) -> torch.Tensor:
        return torch.stack([job.image for job in jobs if job.image is not None])

    painted = paint_cells(nothing, mosaic, seeds, starts)
    places = [place_of(mosaic, seed) for seed in seeds]
    assert max(abs(each) for place in places for each in place) <= jitter
    assert len(set(places)) == (grid.cells if jitter else 1)
    wanted = cells_of(base, mosaic, cells)
    assert torch.equal(starts, wanted) != bool(jitter)
    assert (painted - wanted).abs().max() * 255 < (3 if jitter else 0.001)
    exact = exact_cells(base, mosaic, cells)
    shown = paint_over(nothing, mosaic, seeds, starts, exact).float() / 255
    assert (band_of(shown, 2) - band_of(exact, 2)).abs().max() * 255 <= 1


@pytest.mark.parametrize("place", [Place(0.2, 0.0), Place(-0.16, 0.25), Place(0.0, -0.25)])
def test_what_is_moved_is_not_cut_off(place: Place) -> None:
    """A cross and the four lines at the edges: the cross moves, and all lines are still there."""
    side, last = 128, 127
    picture = torch.zeros(1, 3, side, side)
    for line in (0, 1, 2, 62, 63, 64, 65, last - 2, last - 1, last):
        picture[..., line] = picture[:, :, line] = 1.0
    image = moved(picture, [place])[0, 0]
    for profile, far in zip((image.mean(0), image.mean(1)), place, strict=True):
        at = round(side * (0.5 + far))
        assert profile[at - 3 : at + 3].max() > 0.9
        assert profile[[0, last]].min() > 0.9
        between = [*range(12, at - 12), *range(at + 12, side - 12)]
        assert profile[between].max() < 0.15


def test_what_is_moved_comes_back() -> None:
    picture = cells_of(smooth(Grid(4, 4)), changed(grid=(4, 4), jitter=0.0), range(16))
    places = [Place(0.02 * n - 0.16, 0.16 - 0.02 * n) for n in range(16)]
    back = moved(moved(picture, places), [place.back for place in places])
    assert (back - picture).abs().max() * 255 < 3
    one = moved(picture[5:6], places[5:6])
    assert torch.equal(one[0], moved(picture, places)[5])  # whatever else is in the batch


def test_several_prompts_are_mixed_over_the_cells_by_their_shares(bundled: Model) -> None:
    shares = ["a cat :3", "a {red|blue} dog", r"a clock at 12\:00", "a fox AND a frog"]
    spec = MosaicSpec.of(prompt="turtle", cell_prompt=shares, grid=20)
    mosaic = plan_of(bundled, spec, None).mosaic
    wanted = {"a cat": 3.0, "a {red|blue} dog": 1.0, r"a clock at 12\:00": 1.0}
    assert mosaic.mix == wanted | {"a fox AND a frog": 1.0}
    assert mosaic.params.prompt == "a cat"
    found = Counter(mosaic.prompt_for(cell_seed(0, cell)) for cell in range(3000))
    assert found.keys() == {*mosaic.prompts} - {"a {red|blue} dog"} | {"a red dog", "a blue dog"}
    assert found["a cat"] == pytest.approx(1500, rel=0.1)
    assert found["a fox AND a frog"] == pytest.approx(500, rel=0.15)
    again = Mosaic.from_json_object(json.loads(json.dumps(mosaic.json_object(), sort_keys=True)))
    assert [again.prompt_for(n) for n in range(99)] == [mosaic.prompt_for(n) for n in range(99)]


def test_one_prompt_of_the_cells_has_no_share(bundled: Model) -> None:
    spec = MosaicSpec.of(prompt="turtle", cell_prompt="a cat :3", grid=20)
    assert plan_of(bundled, spec, None).mosaic.mix == {}
    with pytest.raises(InputError, match="share must be above 0"):
        plan_of(bundled, MosaicSpec.of(prompt="turtle", cell_prompt=["a cat :-1", "a dog"]), None)


def test_prompts_of_several_kinds_are_painted_as_each_alone(bundled: Model) -> None:
    mosaic = changed(grid=(4, 1), band=0, mirror=0.0)
    mixed = mosaic.but(mix={"frog": 1.0, "turtle AND fox": 1.0})
    seeds = [3, 4, 5, 6]
    starts = cells_of(smooth(mosaic.grid), mosaic, range(4))
    painter = painter_of(bundled)
    painted = paint_cells(painter, mixed, seeds, starts)
    assert len({mixed.prompt_for(seed) for seed in seeds}) == 2
    for seed, start, image in zip(seeds, starts, painted, strict=True):
        alone = mosaic.but(params=mosaic.params.but(prompt=mixed.prompt_for(seed)))
        wanted = paint_cells(painter, alone, [seed], start[None])[0]
        assert (image - wanted).abs().max() < 1e-3


# --- settings --------------------------------------------------------------------------------

OTHERS: dict[str, Any] = {
    "prompt": "newt",
    "negative": "fox",
    "seed": 6,
    "size": 64,
    "steps": 3,
    "guidance": 2.0,
    "sampler": "lcm",
    "strength": 0.5,
    "guidance_rescale": 0.5,
    "combine": "sum",
    "timestep_spacing": "trailing",
    "zero_snr": True,
    "grid": (3, 4),
    "band": 1,
    "anchor": 0.1,
    "adapt": 0.75,
    "mirror": 0.25,
    "jitter": 0.05,
    "mix": {"newt": 1.0, "frog": 2.5},
    "shape": (48, 32),
    "enlarge": 4,
    "upscaler": "realesrgan",
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_setting_tells_two_mosaics_apart_and_is_read_back(name: str) -> None:
    other = changed(**{name: OTHERS[name]})
    assert other.json_object() != MOSAIC.json_object()
    assert Mosaic.from_json_object(json.loads(json.dumps(other.json_object()))) == other


def test_no_setting_of_the_cells_is_left_out() -> None:
    plain = {"masked_content"}  # which a mosaic cannot have
    assert OTHERS.keys() | plain == GenerationParams.model_fields.keys() | (
        Mosaic.model_fields.keys() - {"params"}
    )


@pytest.mark.parametrize(
    "values",
    [
        {"band": 3},
        {"band": -1},
        {"grid": (257, 1)},
        {"size": 12, "band": 8},
        {"size": (32, 160)},
        {"shape": (24, 32)},
        {"enlarge": 9},
        {"upscaler": "nearest"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        changed(**values).check()
    assert f"`{next(iter(values))}`" in error.value.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"reuse": 2, "merge_similar": 0.1}, "choose one of them"),
        ({"masked_content": "noise"}, "`masked_content`"),
        ({"band": 3}, "`band` 3"),
        ({"size": 60, "band": 8}, "`size` 60 is not a multiple of `band` 8"),
        ({"size": "16x80"}, "one side may be 4 times the other at most"),
        ({"grid": 300}, "at most 256"),
        ({"enlarge": 12}, "`enlarge` 12 is out of range: 1 to 8"),
        ({"upscaler": "nope"}, "`upscaler` 'nope'"),
        ({"image": np.zeros((5, 60, 3), np.uint8), "grid": "60x6"}, "`grid` 60x6 does not fit"),
    ],
)
def test_what_cannot_be_is_found_without_a_model(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        read_start(MosaicSpec.of(prompt="frog", **values))
    assert words in error.value.message


@pytest.mark.parametrize("values", [{"single": "png"}, {"batch_size": 0}, {"batch_size": "2"}])
def test_ways_of_building_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(values))):
        BuildParams(**values)


@pytest.mark.parametrize(
    ("text", "size", "grid"),
    [("64", (64, 64), (64, 64)), ("20", (100, 50), (20, 10)), ("20x3", (100, 50), (20, 3))],
)
def test_cells_are_square_on_the_users_picture(
    text: str, size: tuple[int, int], grid: tuple[int, int]
) -> None:
    picture = SourceImage(np.zeros((size[1], size[0], 3), np.uint8), {"path": "", "sha256": ""})
    assert grid_over(text, picture) == grid


def test_the_model_says_what_the_user_does_not(bundled: Model) -> None:
    spec = MosaicSpec.of(
        prompt="turtle", cell_prompt="frog", grid=6, zero_snr=False, negative="fox"
    )
    plan = plan_of(bundled, spec, None)
    defaults = bundled.defaults.values(cells=True)
    found = plan.mosaic.params.json_object()
    assert {name: found[name] for name in defaults} == defaults
    assert (plan.mosaic.grid, plan.mosaic.cell.width, found["prompt"]) == (
        (6, 6),
        bundled.size,
        "frog",
    )
    base = plan.base.record.params
    assert (base.prompt, base.negative, base.seed) == ("turtle", "fox", found["seed"])
    assert base.steps == bundled.defaults.steps


# --- measuring -------------------------------------------------------------------------------


@pytest.mark.parametrize("band", [0, 1, 2, 4])
def test_the_gauge_measures_what_numpy_measures(band: int) -> None:
    grid, side = Grid(4, 3), 16
    mosaic = changed(grid=grid, size=side, band=band)
    random = np.random.default_rng(band)
    whole = random.integers(0, 256, (grid.rows * side, grid.columns * side, 3), dtype=np.uint8)
    base = torch.rand(3, grid.rows * CELL_SIDE, grid.columns * CELL_SIDE)
    gauge = Gauge(mosaic, base)
    rows = [whole[row * side : (row + 1) * side] for row in range(grid.rows)]
    passed = list(gauge.watch(iter(rows)))
    assert all(a is b for a, b in zip(passed, rows, strict=True))

    def means(picture: np.ndarray, values: int) -> np.ndarray:
        height, width = grid.rows * values, grid.columns * values
        boxes = picture.reshape(height, len(picture) // height, width, -1, 3)
        # Axis 3 is what is left of the width.
        return boxes.mean((1, 3))

    original = base.permute(1, 2, 0).double().numpy()
    seen = gauge.fidelity()
    for values, decibels in ((band or 1, seen.band_psnr), (CELL_SIDE, seen.fine_psnr)):
        error = means(whole / 255.0, values) - means(original, values)
        assert decibels == pytest.approx(-10 * np.log10((error**2).mean()), abs=1e-3)
        if values == (band or 1):
            assert seen.largest == pytest.approx(np.abs(error).max() * 255, abs=1e-2)
    assert seen.band == (band or 1)


def test_a_thumbnail_is_the_whole_averaged_down() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (96, 64, 3), dtype=np.uint8)
    rows = [whole[top : top + 10] for top in range(0, 96, 10)]
    seen = Thumbnail(Grid(2, 3).size(32), 24)
    passed = list(seen.watch(iter(rows)))
    assert all(a is b for a, b in zip(passed, rows, strict=True))
    small = seen.image()
    assert small.shape == (24, 16, 3)
    assert np.abs(small - whole.reshape(24, 4, 16, 4, 3).mean((1, 3))).max() <= 0.51


# --- with a model ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(
    bundled: Model, tmp_path_factory: pytest.TempPathFactory
) -> tuple[MosaicFolder, list[object]]:
    """A 3 x 3 mosaic with one big image, painted in one batch, and what was said meanwhile."""
    path = tmp_path_factory.mktemp("made") / "mosaic"
    options = BuildParams(batch_size=9, single="tif")
    told = list(make_mosaic(bundled, a_plan(bundled), path, options))
    return MosaicFolder(bundled, a_plan(bundled), path), told


def largest_error(told: list[object]) -> float:
    (fidelity,) = (event.details["fidelity"] for event in told if said(event, "index.html"))
    return float(fidelity["largest"])


def said(event: object, name: str) -> bool:
    return isinstance(event, Saved) and event.path.name == name


def test_it_tells_what_it_costs_how_far_it_is_and_how_good_it_became(
    made: tuple[MosaicFolder, list[object]],
) -> None:
    folder, told = made
    (cost,) = (event for event in told if isinstance(event, Estimate))
    assert (cost.pictures, cost.done) == (9, 0)
    assert cost.text.startswith("9 pictures of 32 px, together 96 x 96 px (0.0092 Mpx), about 1 MB")
    assert cost.disk is not None
    painted = [event for event in told if isinstance(event, Progress) and event.task == "painting"]
    assert told.index(cost) < told.index(painted[0])
    assert [event.done for event in painted] == sorted(event.done for event in painted)
    assert (painted[0].done, painted[-1].done, painted[-1].total) == (0, 9, 9)
    notes = [event.text for event in told if isinstance(event, Note)]
    assert any(text.startswith("painted 9 in") and "inside the model" in text for text in notes)
    assert any(text.startswith("fidelity at 2x2 values a cell") for text in notes)
    seen = [event.image.shape for event in told if isinstance(event, Preview)]
    assert seen == [(24, 24, 3), (96, 96, 3)]
    assert [event.path for event in told if isinstance(event, Saved)] == [
        folder.path / "mosaic.tif",
        folder.path / "index.html",
    ]


def test_the_first_pictures_tell_how_long_the_rest_takes(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digressions.pace.STEADY", 1e-9)
    monkeypatch.setattr("digressions.pace.BRIEF", 0.0)
    work = make_mosaic(bundled, a_plan(bundled), tmp_path / "m", BuildParams(batch_size=2))
    costs = [event for event in work if isinstance(event, Estimate)]
    assert costs[0].seconds is None
    assert re.fullmatch("about .* left to paint", costs[1].text)
    assert costs[1].seconds is not None
    assert 0 < costs[1].seconds < 600


def test_the_use_case_says_what_is_unknown_and_paints_over_the_users_picture(
    bundled: Model, tmp_path: Path, photo: np.ndarray
) -> None:
    spec = MosaicSpec.of(
        prompt="photo of a zorkblat",
        image=Image.fromarray(photo),
        grid=2,
        size=32,
        steps=2,
        guidance=1.0,
        negative="fox",
        upscaler="lanczos",
    )
    told = list(build(bundled, spec, str(tmp_path / "m")))
    notes = [event for event in told if isinstance(event, Note) and event.level == "note"]
    assert "zorkblat" in notes[0].text
    assert "`negative` does nothing" in notes[1].text
    assert told.index(notes[1]) < next(i for i, e in enumerate(told) if isinstance(e, Progress))
    base = read_image(tmp_path / "m" / "base.png")
    assert base.shape == (16, 16, 3)
    assert np.abs(base.mean((0, 1)) - photo.mean((0, 1))).max() < 12
    record = record_of(read_text(tmp_path / "m" / "preview.jpg"))
    assert record.image is not None
    assert record.image.path == ""
    with pytest.raises(OutputError, match="belongs to another job"):
        list(build(bundled, spec.but(image=None), tmp_path / "m"))


def test_enlarged_pictures_are_as_exact_and_show_the_same(
    made: tuple[MosaicFolder, list[object]], bundled: Model, tmp_path: Path
) -> None:
    plan = a_plan(bundled, changed(enlarge=2, upscaler="lanczos"))
    path, options = tmp_path / "mosaic", BuildParams(batch_size=9, single="tif")
    assert largest_error(list(make_mosaic(bundled, plan, path, options))) <= 1.0
    large, small = (read_image(p / "mosaic.tif").astype(int) for p in (path, made[0].path))
    assert large.shape == (192, 192, 3)
    again = np.asarray(Image.fromarray(large.astype(np.uint8)).reduce(2)).astype(int)
    assert np.abs(again - small).mean() < 2


def test_the_mosaic_is_its_base_image_to_a_grey_level(
    made: tuple[MosaicFolder, list[object]],
) -> None:
    folder, told = made
    assert largest_error(told) <= 1.0
    whole = to_tensor(read_image(folder.path / "mosaic.tif"))
    base = to_tensor(read_image(folder.path / "base.png"))
    error = F.adaptive_avg_pool2d(whole, (6, 6)) - F.adaptive_avg_pool2d(base, (6, 6))
    assert float(error.abs().max()) * 255 == pytest.approx(largest_error(told), abs=0.02)


def test_the_folder_holds_everything(made: tuple[MosaicFolder, list[object]]) -> None:
    path = made[0].path
    names = {each.name for each in path.iterdir()}
    assert {
        "base.png",
        "mosaic.dzi",
        "mosaic_files",
        "index.html",
        "preview.jpg",
        "manifest.json",
        "pictures.sqlite",
        "mosaic.tif",
    } <= names
    assert not [name for name in names if name.endswith(".part")]
    manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    assert (manifest["columns"], manifest["rows"]) == (3, 3)
    assert manifest["fidelity"]["largest"] == largest_error(made[1])
    assert read_image(path / "preview.jpg").shape == (96, 96, 3)


@pytest.mark.parametrize("batch_size", [2])
def test_the_pictures_do_not_depend_on_the_batch(
    made: tuple[MosaicFolder, list[object]], bundled: Model, tmp_path: Path, batch_size: int
) -> None:
    folder = started(bundled, tmp_path / "m")
    completed(folder.paint(batch_size=batch_size))
    one, other = (pictures(f.path / "pictures.sqlite") for f in (made[0], folder))
    assert one.keys() == other.keys() == set(range(9))
    assert max(np.abs(pixels(one[cell]) - pixels(other[cell])).max() for cell in one) <= 2


def test_assembling_takes_each_picture_from_the_store_once(
    made: tuple[MosaicFolder, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    get = Store.get

    def counted(store: Store, cells: Iterable[int]) -> Iterator[bytes]:
        cells = list(cells)
        asked.extend(cells)
        return get(store, cells)

    monkeypatch.setattr(Store, "get", counted)
    completed(made[0].assemble())
    assert sorted(asked) == list(range(9))


def test_every_cell_is_another_picture(made: tuple[MosaicFolder, list[object]]) -> None:
    found = [pixels(png) for png in pictures(made[0].path / "pictures.sqlite").values()]
    assert all(np.abs(a - b).mean() > 2 for a, b in itertools.combinations(found, 2))


def test_strips_are_the_rows_of_pictures(made: tuple[MosaicFolder, list[object]]) -> None:
    folder = made[0]
    with folder._store() as store:
        found = list(strips(store, folder.plan.mosaic))
    assert [strip.shape for strip in found] == [(32, 96, 3)] * 3
    png = pictures(folder.path / "pictures.sqlite")[5]
    assert np.array_equal(found[1][:, 64:], pixels(png))


def test_a_finished_mosaic_is_not_painted_again(
    made: tuple[MosaicFolder, list[object]], bundled: Model
) -> None:
    path = made[0].path
    before = pictures(path / "pictures.sqlite")
    assert made[0].resumed
    told = list(make_mosaic(bundled, a_plan(bundled), path))
    (cost,) = (event for event in told if isinstance(event, Estimate))
    assert (cost.pictures, cost.done) == (0, 9)
    texts = [event.text for event in told if isinstance(event, Note)]
    assert "9 of them are already done" in texts
    assert not any("pictures/s" in text for text in texts)
    assert pictures(path / "pictures.sqlite") == before


def test_another_job_is_refused_its_folder(
    made: tuple[MosaicFolder, list[object]], bundled: Model
) -> None:
    others = [
        (changed(prompt="newt"), a_base(bundled), "prompt"),
        (changed(grid=(3, 4)), a_base(bundled), "grid"),
        (MOSAIC, a_base(bundled, seed=6), "seed"),
    ]
    for mosaic, base, word in others:
        with pytest.raises(OutputError, match=f"belongs to another job .*{word}"):
            MosaicFolder(bundled, MosaicPlan(mosaic, base, SharingParams()), made[0].path)


def test_a_folder_that_was_moved_with_its_start_picture_is_the_same_job(
    bundled: Model, tmp_path: Path, photo: np.ndarray
) -> None:
    """A job is known by what is in its files, not by where they are."""
    plans = []
    for name in ("a", "b"):
        path = write_image(tmp_path / name / "start.png", photo)
        base = base_image_of(bundled, GenerationParams(prompt="x"), source_image(path), "lanczos")
        plans.append(MosaicPlan(MOSAIC, base, SharingParams()))
    assert plans[0].json_object() == plans[1].json_object()


def test_nothing_is_written_before_everything_is_checked(bundled: Model, tmp_path: Path) -> None:
    long = "turtle " * 500
    bad = [
        (changed(prompt=long), a_base(bundled)),
        (MOSAIC, a_base(bundled, prompt=long)),
        (MOSAIC, a_base(bundled, upscaler="magic")),
        (changed(sampler="lcm", steps=60), a_base(bundled)),
        (changed(size=33, band=0), a_base(bundled)),
    ]
    for mosaic, base in bad:
        with pytest.raises(InputError):
            next(make_mosaic(bundled, MosaicPlan(mosaic, base, SharingParams()), tmp_path / "m"))
        assert not (tmp_path / "m").exists()


def test_one_image_that_would_be_too_large_is_refused_before_anything_is_painted(
    bundled: Model, tmp_path: Path
) -> None:
    mosaic = changed(grid=(256, 1), size=64, enlarge=8)
    assert mosaic.size.width > 65_500
    with pytest.raises(OutputError, match=r"too large for \.jpg: use \.tif"):
        next(make_mosaic(bundled, a_plan(bundled, mosaic), tmp_path, BuildParams(single="jpg")))
    assert list(tmp_path.iterdir()) == []


def test_a_base_image_has_the_schedule_that_the_user_wants(bundled: Model) -> None:
    asked = GenerationParams(prompt="a frog", timestep_spacing=bundled.spacing, steps=7)
    found = base_params(bundled, asked)
    assert found.timestep_spacing == bundled.spacing
    assert found.steps == bundled.defaults.steps


@pytest.mark.parametrize("shape", [(48, 64), (9, 200), (200, 9), (24, 24)])
def test_any_picture_becomes_a_base_image_of_the_right_size(
    bundled: Model, shape: tuple[int, int]
) -> None:
    own = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    base = BaseImage(a_base(bundled).record, source_image(own), "lanczos")
    assert make_base_image(bundled, base, MOSAIC.base_size).shape == (24, 24, 3)


# --- again -----------------------------------------------------------------------------------


def test_a_mosaic_and_its_base_image_are_made_again_from_their_files(
    bundled: Model, tmp_path: Path
) -> None:
    path = tmp_path / "m"
    plan = a_plan(bundled, reuse=6)
    list(make_mosaic(bundled, plan, path, BuildParams(batch_size=3)))
    for name in ("preview.jpg", "base.png"):
        told = list(replay_file(path / name, lambda *_: bundled))
        assert not [event for event in told if isinstance(event, Note) and event.level != "info"]
    replayed = tmp_path / "m" / "preview-replay"
    one, other = (pictures(p / "pictures.sqlite") for p in (path, replayed))
    assert one.keys() == other.keys() == set(range(9))
    assert max(np.abs(pixels(one[cell]) - pixels(other[cell])).max() for cell in one) <= 2
    first, again = (read_image(path / name) for name in ("base.png", "base-replay.png"))
    assert np.array_equal(first, again)
    texts = [read_text(path / name) for name in ("base.png", "base-replay.png")]
    assert texts[0] == texts[1]
    record = record_of(texts[0])
    assert (record.kind, record.details) == (
        "base image",
        {"enlarged": [24, 24], "tone": "off"},
    )


# --- stopping and going on -------------------------------------------------------------------


def test_closing_it_keeps_what_is_painted_and_the_same_call_goes_on(
    bundled: Model, tmp_path: Path
) -> None:
    store, options = tmp_path / "m" / "pictures.sqlite", BuildParams(batch_size=1)
    work = make_mosaic(bundled, a_plan(bundled), tmp_path / "m", options)
    for event in work:
        if isinstance(event, Progress) and event.task == "painting" and event.done >= 2:
            break
    work.close()  # type: ignore[attr-defined]
    first = pictures(store)
    assert 2 <= len(first) < 9
    told = list(make_mosaic(bundled, a_plan(bundled), tmp_path / "m", options))
    (cost, *_) = (event for event in told if isinstance(event, Estimate))
    assert (cost.pictures, cost.done) == (9 - len(first), len(first))
    second = pictures(store)
    assert second.keys() == set(range(9))
    assert first.items() <= second.items()


COMMAND = [
    *("mosaic", "turtle", "--grid", "4x3", "--size", "32", "--steps", "3", "--guidance", "1"),
    *("--batch-size", "1", "--seed", "3", "--device", "cpu", "--dtype", "float32"),
    *("--upscaler", "lanczos", "--image", "start.png"),
]


def run(folder: Path, stop: signal.Signals, after: int, *more: str) -> tuple[int, str]:
    """The command line in a process of its own, stopped when it has painted some pictures."""
    program = "from digressions.cli.app import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *COMMAND, *more, "-o", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.parent,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        preexec_fn=heed_interrupts,
    )
    while process.poll() is None:
        if len(pictures(folder / "pictures.sqlite")) >= after:
            process.send_signal(stop)
            break
        time.sleep(0.01)
    _, text = process.communicate()
    return process.returncode, text


def test_a_stopped_mosaic_goes_on_and_becomes_the_same(
    tmp_path: Path, digress: Callable[..., Ran], photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "start.png")
    folder, store = tmp_path / "stopped", tmp_path / "stopped" / "pictures.sqlite"

    code, text = run(folder, signal.SIGINT, after=2)
    assert code == 130
    assert "the same command goes on" in text.splitlines()[-1]
    assert "Traceback" not in text
    first = pictures(store)
    assert 2 <= len(first) < 12

    code, _ = run(folder, signal.SIGKILL, after=len(first) + 2)
    assert code == -signal.SIGKILL
    second = pictures(store)
    assert len(first) + 2 <= len(second) < 12
    assert first.items() <= second.items()

    assert digress(*COMMAND, "-o", folder).code == 0
    third = pictures(store)
    assert len(third) == 12
    assert second.items() <= third.items()  # nothing that was finished was painted again
    assert (folder / "index.html").exists()

    assert digress(*COMMAND, "-o", tmp_path / "whole").code == 0
    whole = pictures(tmp_path / "whole" / "pictures.sqlite")
    assert max(np.abs(pixels(third[c]) - pixels(whole[c])).max() for c in range(12)) <= 2
    one, other = (read_image(f / "base.png") for f in (folder, tmp_path / "whole"))
    assert np.array_equal(one, other)


def test_a_mosaic_whose_base_image_was_not_finished_starts_with_it(
    bundled: Model, tmp_path: Path
) -> None:
    path = started(bundled, tmp_path / "m").path
    whole = (path / "base.png").read_bytes()
    (path / "base.png").unlink()
    (path / ".base.png.1.part").write_bytes(whole[:50])
    again = MosaicFolder(bundled, a_plan(bundled), path)
    assert again.resumed
    completed(again.start())
    assert (path / "base.png").read_bytes() == whole


def test_a_store_of_another_job_in_the_folder_is_refused(bundled: Model, tmp_path: Path) -> None:
    folder = MosaicFolder(bundled, a_plan(bundled), tmp_path / "m")
    (tmp_path / "m").mkdir()
    Store(tmp_path / "m" / "pictures.sqlite", "another").close()
    with pytest.raises(OutputError, match="another"):
        completed(folder.start())


def test_a_folder_of_another_version_is_refused(bundled: Model, tmp_path: Path) -> None:
    manifest = started(bundled, tmp_path / "m").path / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"format": 4', '"format": 1'), "utf-8")
    with pytest.raises(OutputError, match="another version of this program"):
        MosaicFolder(bundled, a_plan(bundled), tmp_path / "m")


# --- the whole level -------------------------------------------------------------------------

WHOLE = """
import sys
from pathlib import Path
from digressions.cli.app import main
sys.argv = ["digress", "mosaic", "photo of a turtle", "--steps", "1", "-o", sys.argv[1]]
main()
status = Path("/proc/self/status").read_text()
print("PEAK", status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_4096_pictures_take_less_than_2_gb_of_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WHOLE, str(tmp_path / "mosaic")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    peak = int(ran.stdout.split("PEAK")[1])
    print(f"peak {peak / 1e6:.2f} GB")
    assert peak < 2e6
