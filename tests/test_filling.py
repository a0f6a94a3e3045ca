"""Pictures painted into frames: what the model sees, what is kept, what can be made again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import digressions as dg
from benchmarks.compose import wall as wide_wall
from digressions.diffusion.condition import Condition, Elsewhere, Text
from digressions.diffusion.denoise import Guess, guided, tiled, window_starts
from digressions.diffusion.schedule import TableSchedule
from digressions.errors import InputError
from digressions.events import Estimate, Event, Note, Preview, Progress, Saved, completed
from digressions.frames import candidates
from digressions.frames.filling import fill_frames
from digressions.frames.finishing import refined_size
from digressions.frames.frame_records import picture_details
from digressions.frames.frame_spec import FrameSpec
from digressions.frames.hang import coverage
from digressions.frames.scene import Scene, layout, scene
from digressions.generate.params import ResolvedParams
from digressions.generate.previews import LatentColours, PaintPreviews
from digressions.generate.record_reading import record_of
from digressions.generate.windows import (
    painted_alone,
    strength_for,
    thing_in,
    window_job,
    windows_in,
)
from digressions.geometry import Box, Size
from digressions.homography import Quad, project
from digressions.images.image_files import read_image, read_text, to_array, write_image
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.prints.print_file import read_pdf_text
from digressions.prompts.unnamed import without_thing

from .checkpoints import build
from .conftest import tree
from .walls import MOULDING, OPENING, framed, painted, stripes

SECOND = Quad((500.0, 120.0), (600.0, 122.0), (598.0, 250.0), (501.0, 248.0))
AROUND = Quad((488.0, 106.0), (613.0, 109.0), (610.0, 264.0), (488.0, 262.0))
QUICK = {"steps": 2, "upscaler": "lanczos"}


def two_frames() -> np.ndarray:
    white = (225, 224, 218)
    return painted(
        [(MOULDING, (60, 40, 30)), (OPENING, white), (AROUND, (30, 50, 90)), (SECOND, white)]
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    def make(family: str) -> Model:
        return load(str(build(tmp_path_factory.mktemp(family), family)), "cpu", "float32")

    return make


# --- what the model sees ---------------------------------------------------------------------


@settings(max_examples=40)
@given(
    aspect=st.floats(0.3, 3.0),
    room=st.sampled_from([0.0, 0.1, 0.3]),
    model=st.sampled_from([(64, 8), (128, 8), (128, 4)]),
)
def test_an_opening_keeps_its_aspect_whatever_the_model(
    aspect: float, room: float, model: tuple[int, int]
) -> None:
    side, factor = model
    canvas, masked, opening = layout(aspect, room, side, factor)
    assert canvas.pixels <= side * side
    for length in (*canvas, *masked):
        assert length % factor == 0
    assert masked.left <= opening.left < opening.right <= masked.right
    assert masked.top <= opening.top < opening.bottom <= masked.bottom
    width, height = opening.size
    assert abs(width - height * aspect) <= 0.5 or abs(height - width / aspect) <= 0.5
    assert masked.left >= (factor if room else 0)


def test_more_room_is_a_smaller_opening() -> None:
    sizes = [layout(0.7, room, 512, 8).opening.size.pixels for room in (0, 0.25, 0.5, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_a_room_out_of_range_and_a_frame_too_thin_are_refused() -> None:
    with pytest.raises(InputError, match=r"room 1\.5"):
        layout(1.0, 1.5, 64, 8)
    with pytest.raises(InputError, match="does not fit"):
        layout(1.0, 1.0, 16, 8)


@pytest.mark.parametrize("size", [1, 3])
def test_a_scene_is_the_photo_where_its_matrix_says(size: int) -> None:
    y, x = np.mgrid[0 : 480 * size, 0 : 640 * size]
    ramps = np.stack([x * 255 / x.max(), y * 255 / y.max(), 0 * x], -1)
    photo = np.rint(ramps).astype(np.uint8)
    seen = scene(photo, OPENING.scaled(size), 0.75, side=64, vae_scale_factor=8, room=0.2)
    v, u = np.mgrid[0 : seen.size.height, 0 : seen.size.width]
    there = project(seen.matrix, np.stack([u.ravel(), v.ravel()], -1))
    wanted = there / (x.max(), y.max())
    found = seen.pixels[..., :2].reshape(-1, 2)
    assert np.abs(found - wanted).max() < 0.01
    assert seen.pixels.dtype == np.float32


def test_only_the_masked_area_is_painted_and_it_holds_the_opening() -> None:
    seen = scene(framed(), OPENING, 0.75, side=64, vae_scale_factor=8, room=0.2)
    box = seen.opening
    assert (seen.mask[box.top : box.bottom, box.left : box.right] == 1).all()
    assert seen.mask[0].max() == seen.mask[:, 0].max() == 0
    assert scene(framed(), OPENING, 0.75, side=64, vae_scale_factor=8, room=0).mask.min() == 1


def quick(prompt: str, seed: int = 1, **more: Any) -> ResolvedParams:
    usual = {"size": 64, "steps": 2, "guidance": 1.0, "sampler": "ddim", "strength": 1.0}
    return ResolvedParams(**usual | {"prompt": prompt, "seed": seed} | more)


def paint_in(model: Model, seen: Scene, params: ResolvedParams) -> np.ndarray:
    return seen.cut(completed(painted_alone(model, seen.job(params)))).pixels


@pytest.mark.parametrize("family", ["sd", "inpainting", "sdxl"])
def test_models_of_all_kinds_paint_into_an_opening(
    tiny: Callable[[str], Model], family: str
) -> None:
    model = tiny(family)
    seen = scene(framed(), OPENING, 0.75, side=64, vae_scale_factor=8, room=0.2)
    picture = paint_in(model, seen, quick("a frog AND a fox", guidance=2.0))
    assert picture.shape == (*seen.opening.size[::-1], 3)
    other = paint_in(model, seen, quick("a fox", seed=2))
    assert (picture != other).any()


def test_an_inpainting_model_sees_the_room_and_nothing_of_the_blank(
    tiny: Callable[[str], Model],
) -> None:
    model = tiny("inpainting")
    seen = scene(framed(), OPENING, 0.75, side=64, vae_scale_factor=8, room=0.2)
    inside = seen.mask[..., None] > 0
    red = np.float32([1, 0, 0])

    def picture(of: Scene) -> np.ndarray:
        return paint_in(model, of, quick("a fox"))

    plain = picture(seen)
    assert (picture(seen._replace(pixels=np.where(inside, red, seen.pixels))) == plain).all()
    assert (picture(seen._replace(pixels=np.where(inside, seen.pixels, red))) != plain).any()


# --- repainted, in windows -------------------------------------------------------------------


def seam(image: np.ndarray, side: int) -> float:
    """Steps across the borders of windows of ``side`` pixels, as a share of what is usual."""
    step = np.abs(np.diff(image.astype(float), axis=1)).mean((0, 2))
    borders = np.arange(side, image.shape[1], side) - 1
    return float(step[borders].mean() / np.median(step))


@given(length=st.integers(1, 200), side=st.integers(2, 40))
def test_windows_cover_all_and_overlap_by_half(length: int, side: int) -> None:
    starts = window_starts(length, side)
    assert starts[0] == 0
    assert starts[-1] == max(length - side, 0)
    assert all(b - a <= -(-side // 2) for a, b in pairwise(starts))


def test_windows_of_a_network_that_looks_at_single_latents_are_the_whole() -> None:
    def alone(x_t: torch.Tensor, t: torch.Tensor, condition: Condition) -> Guess:
        assert max(x_t.shape[-2:]) <= 8
        assert condition.extra_channels is not None
        return Guess(x_t.square() + condition.extra_channels)

    x, channels = torch.randn(2, 3, 13, 21), torch.randn(2, 3, 13, 21)
    condition = Condition(Text(torch.zeros(2, 1, 1)), torch.ones(2), extra_channels=channels)
    found = tiled(alone, 8)(x, torch.zeros(2), condition).x_0
    assert torch.allclose(found, x.square() + channels, atol=1e-5)


def test_a_picture_of_windows_has_no_seams(bundled: Model) -> None:
    """Beside the same windows painted each by itself, which have."""
    side = bundled.size
    y, x = np.mgrid[0 : 2 * side, 0 : 2 * side] * 64 / side
    start = np.stack([128 + 90 * np.sin(x / 40), 128 + 90 * np.cos(y / 50), x + y / 2], -1)
    start = start.clip(0, 255).astype(np.uint8)
    params = quick("photo of a fox", strength=0.8, steps=4)

    def repainted(picture: np.ndarray, seed: int) -> np.ndarray:
        job, box = window_job(bundled, picture, params.but(seed=seed))
        assert box.size == Size(*picture.shape[1::-1])
        return completed(painted_alone(bundled, job))

    assert windows_in(bundled, Size(2 * side, 2 * side)) == 9
    as_one = seam(repainted(start, 1), side // 2)
    rows = []
    for top in (0, side):
        parts = [start[top : top + side, left : left + side] for left in (0, side)]
        rows.append(np.hstack([repainted(part, 1 + top + i) for i, part in enumerate(parts)]))
    one_by_one = seam(np.vstack(rows), side)
    print(f"steps across borders: as one {as_one}, one by one {one_by_one}")
    assert as_one < 1.6
    assert one_by_one > 2


def test_windows_get_less_strength_the_less_they_show() -> None:
    """And none of a model of few pixels, which paints its thing into each."""
    sizes = [Size(512, 400), Size(768, 700), Size(1024, 1024), Size(600, 2048)]
    found = [strength_for(512, size) for size in sizes]
    assert found[0] == 0.5
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4
    assert found[-1] < 0.2


def test_refining_in_windows_of_few_pixels_is_refused(bundled: Model, wall: np.ndarray) -> None:
    with pytest.raises(
        InputError, match=r"into each of 4 windows of 128 px.*or give refine_scale 1$"
    ):
        fill(bundled, "wall.png", "a fox", refine="fur", refine_scale=1.5, compose="stretch")
    asked = {"refine": "fur", "refine_scale": 4.0, "compose": "extend"}
    with pytest.raises(InputError, match=r"or give refine_scale 1$"):
        fill(bundled, "wall.png", "a fox", **asked)
    assert not Path("o").exists()


# --- windows that cannot show the thing ------------------------------------------------------


def test_windows_that_cannot_show_the_thing_are_asked_for_something_else() -> None:
    """A network that paints the number that it is asked for."""

    def alone(x_t: torch.Tensor, t: torch.Tensor, condition: Condition) -> Guess:
        return Guess(torch.ones_like(x_t) * condition.text.tokens.view(-1, 1, 1, 1))

    thing, ground = (Text(torch.full((2, 1, 1), value)) for value in (1.0, 0.0))
    places = torch.tensor([[0.0, 0.0, 1.0, 1 / 3], [0.0, 1 / 3, 1.0, 2 / 3]])
    condition = Condition(thing, torch.ones(2), elsewhere=Elsewhere(ground, places))
    left, middle = tiled(alone, 8)(torch.zeros(2, 1, 8, 24), torch.zeros(2), condition).x_0
    for made, first in ((left, 0), (middle, 8)):
        assert (made[..., first + 3 : first + 5] > 0.5).all()
        rest = torch.cat([made[..., :first], made[..., first + 8 :]], -1)
        assert rest.mean() < 0.15
    assert (left[..., 16:] == 0).all()
    everywhere = dataclasses.replace(condition, elsewhere=None)
    assert (tiled(alone, 8)(torch.zeros(2, 1, 8, 24), torch.zeros(2), everywhere).x_0 == 1).all()


def test_what_guidance_leads_away_from_is_the_same_everywhere() -> None:
    seen: list[torch.Tensor] = []

    def alone(x_t: torch.Tensor, t: torch.Tensor, condition: Condition) -> Guess:
        seen.append(condition.text.tokens.flatten())
        return Guess(torch.zeros_like(x_t))

    one, two, three = (Text(torch.full((1, 1, 1), float(value))) for value in (1, 2, 3))
    away = Elsewhere(two, torch.tensor([[0.0, 0.0, 1.0, 0.5]]))
    condition = Condition(one, torch.full((1,), 2.0), negative=three, elsewhere=away)
    schedule = TableSchedule("epsilon", alphas_cumprod=torch.linspace(0.99, 0.01, 10))
    x = torch.zeros(1, 1, 8, 16)
    guided(tiled(alone, 8), schedule)(x, torch.zeros(1), condition)
    assert {tuple(each.tolist()) for each in seen} == {(1.0, 3.0), (2.0, 3.0)}


@pytest.mark.parametrize(
    ("prompt", "of", "found"),
    [
        ("drawing of a fox", "drawing of a fox", "drawing"),
        ("oil painting of a red fox in snow", "a fox", "oil painting"),
        ("a fox", "photo of a fox", ""),
        ("oil on canvas", "photo of a fox", "oil on canvas"),
        ("soft fur", "a fox", "soft fur"),
        ("photo of a photo", "photo of a photo", ""),
    ],
)
def test_a_prompt_without_its_thing(prompt: str, of: str, found: str) -> None:
    assert without_thing(prompt, of) == found


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_the_thing_is_where_the_detail_is(at: float) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    wide = np.full((40, 120, 3), 90, np.uint8)
    left = round(80 * at)
    wide[:, left : left + 40] = noisy
    assert abs(thing_in(wide).left - left) <= 2
    turned = thing_in(np.ascontiguousarray(wide.transpose(1, 0, 2)))
    assert (turned.left, turned.size) == (0, (40, 40))
    assert abs(turned.top - left) <= 2
    assert thing_in(noisy) == Box(0, 0, 40, 40)


def test_a_composed_picture_is_refined_and_replays(
    bundled: Model, wall: np.ndarray, tmp_path: Path
) -> None:
    """Its windows at the ends show ground alone, and one shows all of the thing."""
    photo, corners = wide_wall(2.5)
    write_image(tmp_path / "wide.png", photo)
    asked = {"corners": corners, "compose": "extend", "steps": 4, "upscaler": "lanczos"}
    fill(bundled, tmp_path / "wide.png", "drawing of a fox", refine="drawing of a fox", **asked)
    record = record_of(read_text("o/picture.png"))
    refine = picture_details(record).refine
    assert refine is not None
    assert refine.size == (320, 128)
    assert refine.strength == strength_for(bundled.size, refine.size)
    again = replayed(bundled, "o/picture.png")
    assert (read_image(again) == read_image("o/picture.png")).all()


def test_a_picture_no_larger_than_the_model_is_padded_and_comes_back(bundled: Model) -> None:
    picture = stripes(45, 60)
    job, box = window_job(bundled, picture, quick("a fox"))
    assert job.params.size == (bundled.size, bundled.size)
    assert job.image is not None
    inner = to_array(job.image)[box.top : box.bottom, box.left : box.right]
    assert (inner == picture).all()
    assert (to_array(job.image)[:, box.left - 1] == to_array(job.image)[:, box.left]).all()


@given(aspect=st.floats(0.2, 5), scale=st.floats(1, 4))
def test_the_longer_side_is_as_many_models_long_as_asked(aspect: float, scale: float) -> None:
    size = refined_size(aspect, scale, 512)
    assert max(size) == pytest.approx(512 * scale, abs=0.5)
    assert min(size) == pytest.approx(max(size) * min(aspect, 1 / aspect), abs=1)


def test_an_inpainting_model_refines_too(tiny: Callable[[str], Model]) -> None:
    model = tiny("inpainting")
    job, box = window_job(model, stripes(96, 80), quick("a fox", strength=0.5))
    assert completed(painted_alone(model, job)).shape == (*job.params.size[::-1], 3)
    assert box.size == (96, 80)


# --- the whole way ---------------------------------------------------------------------------


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Photos of walls in the working folder; the pixels of the first."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(framed()).save(tmp_path / "wall.png")
    Image.fromarray(two_frames()).save(tmp_path / "two.png")
    return framed()


def fill(model: Model, photo: Any, prompts: Any, folder: str = "o", **more: Any) -> list[Event]:
    spec = FrameSpec.of(prompts=prompts, **QUICK | more)
    return list(fill_frames(model, photo, spec, Path(folder), overwrite=True))


def texts(events: list[Event], kind: type = Note) -> str:
    return "\n".join(event.text for event in events if isinstance(event, kind))


def replayed(model: Model, source: str, target: str = "again.png") -> Path:
    dg.finish(dg.replay(source, lambda *_: model, output=target, overwrite=True))
    return Path(target)


def test_from_a_photo_to_the_wall_and_to_paper(bundled: Model, wall: np.ndarray) -> None:
    paper = {"size": "9x12cm", "dpi": 60, "bleed": "3mm"}
    refine = {"refine": "photo of a fox", "refine_scale": 1.0, "compose": "stretch"}
    events = fill(bundled, "wall.png", "drawing of a fox", **paper, **refine)
    assert "1 picture for 1 frame; the network is asked 4 times" in texts(events, Estimate)
    assert "120 x 90 mm as cut" in texts(events)
    assert " DPI" in texts(events)
    made = {path.relative_to("o").as_posix() for path in Path("o").rglob("*.*")}
    candidate = "candidates/1-drawing-of-a-fox-0.png"
    assert made == {candidate, "picture.png", "print.pdf", "room.png", "before-after.jpg"}
    saved = [event.path.name for event in events if isinstance(event, Saved)]
    assert saved == ["picture.png", "print.pdf", "room.png", "before-after.jpg"]

    hung = read_image("o/room.png")
    untouched = np.ones(wall.shape[:2], bool)
    rows, columns, share = coverage(OPENING.scaled(1), wall.shape)
    untouched[rows, columns] = share == 0
    far = ~untouched
    assert (hung[far] != wall[far]).mean() > 0.9
    # The opening is found, not given: a pixel more may belong to it.
    rim = np.ones(wall.shape[:2], bool)
    rim[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1] = False
    assert (hung[rim] == wall[rim]).all()

    width, height = read_image("o/picture.png").shape[1::-1]
    assert width >= 120 / 25.4 * 60  # the paper lies as the picture does
    assert height >= 90 / 25.4 * 60
    assert "digressions" in read_pdf_text(Path("o/print.pdf"))

    for name in (candidate, "picture.png", "room.png"):
        again = replayed(bundled, f"o/{name}")
        assert (read_image(again) == read_image(f"o/{name}")).all(), name
        assert read_text(again) == read_text(f"o/{name}")
    again = replayed(bundled, "o/print.pdf", "again.pdf")
    assert again.read_bytes() == Path("o/print.pdf").read_bytes()


def test_a_photo_in_memory_is_filled_as_a_file_is(bundled: Model, wall: np.ndarray) -> None:
    fill(bundled, "wall.png", "a fox")
    fill(bundled, Image.fromarray(wall), "a fox", "p")
    assert (read_image("o/room.png") == read_image("p/room.png")).all()
    with pytest.raises(InputError, match="picture in memory"):
        replayed(bundled, "p/room.png")


def test_progress_tells_every_step(bundled: Model, wall: np.ndarray) -> None:
    refine = {"refine": "photo of a fox", "refine_strength": 1.0, "compose": "stretch"}
    events = fill(bundled, "wall.png", "a fox", n=2, pick=2, **refine)
    bars: dict[str, list[tuple[int, int | None]]] = {}
    for event in events:
        if isinstance(event, Progress):
            bars.setdefault(event.task, []).append((event.done, event.total))
    painting, repainting = bars["painting frame 1"], bars["repainting frame 1"]
    assert painting == [(1, 2), (2, 2), (2, 2)]
    assert repainting == [(1, 2), (2, 2), (2, 2)]
    done = [done for done, _ in bars["enlarging with lanczos"]]
    assert done == sorted(done)


def test_candidates_are_shown_and_one_is_picked(bundled: Model, wall: np.ndarray) -> None:
    events = fill(bundled, "wall.png", "a fox", n=3)
    assert "`pick`" in texts(events, Saved)
    assert [event.label for event in events if isinstance(event, Preview)] == [
        f"frame 1, seed {seed}" for seed in range(3)
    ]
    assert not Path("o/room.png").exists()
    assert Path("o/candidates.jpg").exists()
    before = tree(Path("o/candidates"))
    assert len(before) == 3
    (sheet,) = (event for event in events if isinstance(event, Saved))
    assert [Path(each) in before for each in sheet.details["candidates"]] == [True] * 3
    fill(bundled, "wall.png", "a fox", n=3, pick=2)
    assert tree(Path("o/candidates")) == before
    assert record_of(read_text("o/picture.png")).params.seed == 1


def test_candidates_are_seen_while_they_are_painted(bundled: Model, wall: np.ndarray) -> None:
    previews = PaintPreviews(LatentColours.of(bundled), every=0)
    spec = FrameSpec.of(prompts="a fox", **QUICK)
    events = fill_frames(bundled, "wall.png", spec, Path("o"), previews=previews)
    labels = [event.label for event in events if isinstance(event, Preview)]
    assert labels.index("so far") < labels.index("frame 1, seed 0")


def test_what_is_finished_is_kept_when_a_run_is_stopped(
    bundled: Model, wall: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "BATCH", 1)
    spec = FrameSpec.of(prompts="a fox", n=4, **QUICK)
    found = 0
    with closing(fill_frames(bundled, "wall.png", spec, Path("o"))) as events:
        for event in events:
            found += isinstance(event, Preview)
            if found == 2 and isinstance(event, Progress) and event.done == 5:
                break  # in the middle of the third
    kept = tree(Path("o/candidates"))
    assert len(kept) == 2

    def painted_now(**more: Any) -> int:
        shown = fill(bundled, "wall.png", "a fox", n=4, **more)
        (estimate,) = (event for event in shown if isinstance(event, Estimate))
        count = sum(isinstance(event, Preview) for event in shown)
        assert (estimate.pictures, estimate.done) == (count, 4 - count)
        return count

    assert painted_now() == 2
    assert kept.items() <= tree(Path("o/candidates")).items()
    assert painted_now() == 0
    assert painted_now(guidance=1.2) == 4  # other pictures


def test_each_frame_gets_its_own_prompt(bundled: Model, wall: np.ndarray) -> None:
    two = two_frames()
    fill(bundled, "two.png", ["a fox", "a frog"], frame=[2, 1])
    names = sorted(path.name for path in Path("o/candidates").iterdir())
    assert names == ["1-a-frog-1000.png", "2-a-fox-0.png"]
    assert Path("o/picture-1.png").exists()
    hung = read_image("o/room.png")
    for quad in (OPENING, SECOND):
        rows, columns, share = coverage(quad, two.shape)
        inside = share == 1
        assert (hung[rows, columns][inside] != two[rows, columns][inside]).mean() > 0.9
    assert (read_image(replayed(bundled, "o/room.png")) == hung).all()


def test_a_single_prompt_goes_into_all_frames_that_are_named(
    bundled: Model, wall: np.ndarray
) -> None:
    fill(bundled, "two.png", "a fox", frame=[2, 1], n=2, pick=[1, 2])
    seeds = {
        number: record_of(read_text(f"o/picture-{number}.png")).params.seed for number in (1, 2)
    }
    assert seeds == {2: 0, 1: 1001}


def test_each_frame_gets_its_own_room_and_number_of_candidates(
    bundled: Model, wall: np.ndarray
) -> None:
    own: dict[str, Any] = {"frame": [2, 1], "room": ["auto", 0.2], "n": [1, 2]}
    events = fill(bundled, "two.png", ["a fox", "a frog"], **own)
    shown = [e.details for e in events if isinstance(e, Saved) and "candidates" in e.details]
    assert [(each["frame"], len(each["candidates"])) for each in shown] == [(2, 1), (1, 2)]
    fill(bundled, "two.png", ["a fox", "a frog"], pick=[1, 2], **own)
    rooms = {
        number: picture_details(record_of(read_text(f"o/picture-{number}.png"))).opening.room
        for number in (1, 2)
    }
    assert rooms == {1: 0.2, 2: 0.0}  # the usual of a model of few pixels
    path = "o/candidates/1-a-frog-1001.png"
    again, before = (read_image(each).astype(int) for each in (replayed(bundled, path), path))
    assert np.abs(again - before).max() <= 1  # it was painted in a batch


def test_what_is_asked_of_the_painting_reaches_the_repainting(
    bundled: Model, wall: np.ndarray
) -> None:
    asked = {"guidance": 3.0, "guidance_rescale": 0.5, "timestep_spacing": "leading"}
    asked |= {"negative": "a dog", "combine": "sum"}
    whole = {"compose": "stretch"}
    fill(
        bundled, "wall.png", "a fox AND a cat", seed=3, refine="a frog AND a fox", **asked, **whole
    )
    record = record_of(read_text("o/picture.png"))
    refine = picture_details(record).refine
    assert refine is not None
    for name, value in asked.items():
        assert getattr(record.params, name) == getattr(refine, name) == value
    assert (refine.prompt, refine.seed, refine.strength) == ("a frog AND a fox", 3, 0.5)
    assert refine.masked_content is None
    calm = read_image("o/picture.png")
    assert (read_image(replayed(bundled, "o/picture.png")) == calm).all()
    fill(
        bundled,
        "wall.png",
        "a fox AND a cat",
        "p",
        seed=3,
        refine="a frog AND a fox",
        **asked,
        **whole,
    )
    assert (read_image("p/picture.png") == calm).all()


def test_what_suits_noise_is_not_taken_for_the_repainting(
    tiny: Callable[[str], Model], wall: np.ndarray
) -> None:
    fill(tiny("sd"), "wall.png", "a fox", refine="a frog", compose="stretch")
    record = record_of(read_text("o/picture.png"))
    refine = picture_details(record).refine
    assert record.params.timestep_spacing == "trailing"  # the model's is leading
    assert refine is not None
    assert refine.timestep_spacing is None


def test_a_print_may_be_all_that_prints_can_be(bundled: Model, wall: np.ndarray) -> None:
    paper = {"size": "9x12cm", "dpi": 60, "marks": True, "proof": True, "print_as": "tif"}
    fill(bundled, "wall.png", "a fox", **paper)
    assert Path("o/print-proof.png").exists()
    job = json.loads(read_text("o/print.tif")["digressions"])["details"]["print"]
    assert job["marks"]
    again = replayed(bundled, "o/print.tif", "again.tif")
    assert again.read_bytes() == Path("o/print.tif").read_bytes()


def test_a_print_of_an_earlier_picture_is_said_to_be_one(bundled: Model, wall: np.ndarray) -> None:
    first = fill(bundled, "wall.png", "a fox", size="3x4cm")
    assert "earlier picture" not in texts(first)
    again = fill(bundled, "wall.png", "a frog")
    assert "o/print.pdf belongs to an earlier picture" in texts(again)


def test_words_that_the_model_was_not_taught_are_said(bundled: Model, wall: np.ndarray) -> None:
    events = fill(
        bundled, "two.png", ["a fox", "a gryphon"], refine="a zeppelin", compose="stretch"
    )
    (note,) = [e for e in events if isinstance(e, Note) and "was not taught" in e.text]
    assert note.level == "note"
    assert "gryphon" in note.text
    assert "zeppelin" in note.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"room": 1.0, "corners": ["0,0", "639,0", "639,4", "0,4"]}, "does not fit"),
        ({"prompts": "a (fox"}, "never closed"),
        ({"seed": 2**63 - 5}, "leaves no room"),
        ({"refine": "a [fox", "compose": "stretch"}, "never closed"),
        ({"steps": 900, "sampler": "lcm"}, "`steps` 900 is out of range"),
    ],
)
def test_what_cannot_be_painted_is_refused_before_anything_is_written(
    bundled: Model, wall: np.ndarray, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    before = tree(tmp_path)
    with pytest.raises(InputError) as refused:
        list(
            fill_frames(
                bundled,
                "wall.png",
                FrameSpec.of(**{"prompts": "a fox"} | QUICK | changes),
                Path("o"),
            )
        )
    assert words in refused.value.message
    assert tree(tmp_path) == before
