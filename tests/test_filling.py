"""Pictures painted into frames: what the model sees, what is kept, what can be made again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from digressions.condition import Condition, Text
from digressions.denoise import tiled, window_starts
from digressions.errors import InputError
from digressions.frames.hang import coverage
from digressions.frames.refine import Refinement, refine_job, refined_size, windows
from digressions.frames.scene import Scene, job_in, layout, paint_in, scene
from digressions.geometry import Quad, Size, project
from digressions.loading import load
from digressions.paint import paint
from digressions.pictures.images import read_image, read_text, to_array
from digressions.prints.pdf import read_pdf_text

from .checkpoints import build
from .conftest import Ran, tree
from .test_frame import MOULDING, OPENING, framed, painted, stripes

SECOND = Quad((500.0, 120.0), (600.0, 122.0), (598.0, 250.0), (501.0, 248.0))
AROUND = Quad((488.0, 106.0), (613.0, 109.0), (610.0, 264.0), (488.0, 262.0))
QUICK = ("--steps", 2, "--upscaler", "lanczos")


def two_frames() -> np.ndarray:
    white = (225, 224, 218)
    return painted(
        [(MOULDING, (60, 40, 30)), (OPENING, white), (AROUND, (30, 50, 90)), (SECOND, white)]
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], object]:
    def make(family: str) -> object:
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
    canvas, hole, opening = layout(aspect, room, side, factor)
    assert canvas.pixels <= side * side
    for length in (*canvas, *hole):
        assert length % factor == 0
    assert hole.left <= opening.left < opening.right <= hole.right
    assert hole.top <= opening.top < opening.bottom <= hole.bottom
    width, height = opening.size
    assert abs(width - height * aspect) <= 0.5 or abs(height - width / aspect) <= 0.5
    assert hole.left >= (factor if room else 0)


def test_more_room_is_a_smaller_opening() -> None:
    sizes = [layout(0.7, room, 512, 8).opening.size.pixels for room in (0, 0.25, 0.5, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_a_room_out_of_range_and_a_frame_too_thin_are_refused() -> None:
    with pytest.raises(InputError, match=r"--room 1\.5"):
        layout(1.0, 1.5, 64, 8)
    with pytest.raises(InputError, match="does not fit"):
        layout(1.0, 1.0, 16, 8)


@pytest.mark.parametrize("size", [1, 3])
def test_a_scene_is_the_photo_where_its_matrix_says(size: int) -> None:
    y, x = np.mgrid[0 : 480 * size, 0 : 640 * size]
    ramps = np.stack([x * 255 / x.max(), y * 255 / y.max(), 0 * x], -1)
    photo = np.rint(ramps).astype(np.uint8)
    seen = scene(photo, OPENING.scaled(size), 0.75, side=64, factor=8, room=0.2)
    v, u = np.mgrid[0 : seen.size.height, 0 : seen.size.width]
    there = project(seen.matrix, np.stack([u.ravel(), v.ravel()], -1))
    wanted = there / (x.max(), y.max())
    found = seen.pixels[..., :2].reshape(-1, 2)
    assert np.abs(found - wanted).max() < 0.01
    assert seen.pixels.dtype == np.float32


def test_only_the_hole_is_painted_and_it_holds_the_opening() -> None:
    seen = scene(framed(), OPENING, 0.75, side=64, factor=8, room=0.2)
    box = seen.opening
    assert (seen.hole[box.top : box.bottom, box.left : box.right] == 1).all()
    assert seen.hole[0].max() == seen.hole[:, 0].max() == 0
    assert scene(framed(), OPENING, 0.75, side=64, factor=8, room=0).hole.min() == 1


@pytest.mark.parametrize("family", ["sd", "inpainting", "sdxl"])
def test_models_of_all_kinds_paint_into_an_opening(
    tiny: Callable[[str], object], family: str
) -> None:
    model = tiny(family)
    seen = scene(framed(), OPENING, 0.75, side=64, factor=8, room=0.2)
    job = job_in(seen, "a frog AND a fox", seed=1, steps=2, guidance=2.0, sampler="ddim")
    picture = paint_in(model, seen, job)
    assert picture.shape == (*seen.opening.size[::-1], 3)
    other = paint_in(model, seen, job_in(seen, "a fox", **_quick(seed=2)))
    assert (picture != other).any()


def _quick(seed: int) -> dict[str, object]:
    return {"seed": seed, "steps": 2, "guidance": 1.0, "sampler": "ddim"}


def test_an_inpainting_model_sees_the_room_and_nothing_of_the_blank(
    tiny: Callable[[str], object],
) -> None:
    model = tiny("inpainting")
    seen = scene(framed(), OPENING, 0.75, side=64, factor=8, room=0.2)
    inside = seen.hole[..., None] > 0
    red = np.float32([1, 0, 0])

    def picture(of: Scene) -> np.ndarray:
        return paint_in(model, of, job_in(of, "a fox", **_quick(seed=1)))

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
    def alone(x_t: torch.Tensor, t: torch.Tensor, condition: Condition) -> torch.Tensor:
        assert max(x_t.shape[-2:]) <= 8
        assert condition.channels is not None
        return x_t.square() + condition.channels

    x, channels = torch.randn(2, 3, 13, 21), torch.randn(2, 3, 13, 21)
    condition = Condition(Text(torch.zeros(2, 1, 1)), torch.ones(2), channels=channels)
    found = tiled(alone, 8)(x, torch.zeros(2), condition)
    assert torch.allclose(found, x.square() + channels, atol=1e-5)


def test_a_picture_of_windows_has_no_seams(bundled: object) -> None:
    """Beside the same windows painted each by itself, which have."""
    size = Size(128, 128)
    y, x = np.mgrid[0:128, 0:128]
    start = np.stack([128 + 90 * np.sin(x / 40), 128 + 90 * np.cos(y / 50), x + y / 2], -1)
    start = start.clip(0, 255).astype(np.uint8)
    plan = Refinement("photo of a fox", strength=0.8)
    how = {"steps": 6, "guidance": 1.5, "sampler": "ddim"}
    assert windows(size, 64, 8) == 9
    together, apart = [], []
    for seed in (1, 2):
        job, box = refine_job(bundled, start, plan, seed=seed, **how)
        assert box.size == size
        (whole,) = paint(bundled, [job])
        together.append(seam(to_array(whole.image), 32))
        rows = []
        for top in (0, 64):
            row = []
            for left in (0, 64):
                part = start[top : top + 64, left : left + 64]
                alone, _ = refine_job(bundled, part, plan, seed=seed + top + left, **how)
                row.append(to_array(next(paint(bundled, [alone])).image))
            rows.append(np.hstack(row))
        apart.append(seam(np.vstack(rows), 64))
    print(f"steps across borders: together {together}, apart {apart}")
    assert np.mean(together) < 1.3
    assert np.mean(apart) > 2


def test_a_picture_no_larger_than_the_model_is_padded_and_comes_back(bundled: object) -> None:
    picture = stripes(45, 60)
    job, box = refine_job(bundled, picture, Refinement("a fox", scale=1.0), **_quick(seed=1))
    assert (job.width, job.height) == (64, 64)
    assert job.image is not None
    inner = to_array(job.image)[box.top : box.bottom, box.left : box.right]
    assert (inner == picture).all()
    assert (to_array(job.image)[:, box.left - 1] == to_array(job.image)[:, box.left]).all()


@given(aspect=st.floats(0.2, 5), scale=st.floats(1, 4))
def test_the_longer_side_is_as_many_models_long_as_asked(aspect: float, scale: float) -> None:
    size = refined_size(aspect, scale, 512)
    assert max(size) == pytest.approx(512 * scale, abs=0.5)
    assert min(size) == pytest.approx(max(size) * min(aspect, 1 / aspect), abs=1)


def test_an_inpainting_model_refines_too(tiny: Callable[[str], object]) -> None:
    model = tiny("inpainting")
    job, _ = refine_job(model, stripes(96, 80), Refinement("a fox"), **_quick(seed=1))
    (done,) = paint(model, [job])
    assert torch.isfinite(done.image).all()


# --- the whole way ---------------------------------------------------------------------------


@pytest.fixture
def wall(tmp_path: Path) -> np.ndarray:
    Image.fromarray(framed()).save(tmp_path / "wall.png")
    Image.fromarray(two_frames()).save(tmp_path / "two.png")
    Image.fromarray(painted([])).save(tmp_path / "bare.png")
    Image.fromarray(stripes()).save(tmp_path / "picture.png")
    return framed()


def test_from_a_photo_to_the_wall_and_to_paper(
    digress: Callable[..., Ran], tmp_path: Path, wall: np.ndarray
) -> None:
    paper = ("--size", "9x12cm", "--dpi", 60, "--bleed", "3mm")
    refine = ("--refine", "photo of a fox", "--refine-scale", 1.5)
    ran = digress("frame", "wall.png", "drawing of a fox", *paper, *refine, *QUICK, "-o", "o")
    assert ran.code == 0, ran.err
    assert "1 picture for 1 frame, 4 rows" in ran.out
    assert "120 x 90 mm as cut" in ran.out
    assert " DPI" in ran.out
    made = {path.relative_to(tmp_path / "o").as_posix() for path in (tmp_path / "o").rglob("*.*")}
    candidate = "candidates/1-drawing-of-a-fox-0.png"
    assert made == {candidate, "picture.png", "print.pdf", "room.png", "before-after.jpg"}

    hung = read_image(tmp_path / "o/room.png")
    untouched = np.ones(wall.shape[:2], bool)
    rows, columns, share = coverage(OPENING.scaled(1), wall.shape)
    untouched[rows, columns] = share == 0
    far = ~untouched
    assert (hung[far] != wall[far]).mean() > 0.9
    # The opening is found, not given: a pixel more may belong to it.
    rim = np.ones(wall.shape[:2], bool)
    rim[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1] = False
    assert (hung[rim] == wall[rim]).all()

    width, height = read_image(tmp_path / "o/picture.png").shape[1::-1]
    assert width >= 120 / 25.4 * 60  # the paper lies as the picture does
    assert height >= 90 / 25.4 * 60
    assert "digressions" in read_pdf_text(tmp_path / "o/print.pdf")

    for name in (candidate, "picture.png", "room.png"):
        ran = digress("replay", f"o/{name}", "-o", "again.png")
        assert ran.code == 0, ran.err
        again, first = read_image(tmp_path / "again.png"), read_image(tmp_path / "o" / name)
        assert (again == first).all(), name
        assert read_text(tmp_path / "again.png") == read_text(tmp_path / "o" / name)
    ran = digress("replay", "o/print.pdf", "-o", "again.pdf")
    assert ran.code == 0, ran.err
    assert (tmp_path / "again.pdf").read_bytes() == (tmp_path / "o/print.pdf").read_bytes()


def test_candidates_are_shown_and_one_is_picked(
    digress: Callable[..., Ran], tmp_path: Path, wall: np.ndarray
) -> None:
    ran = digress("frame", "wall.png", "a fox", "-n", 3, *QUICK, "-o", "o")
    assert ran.code == 0, ran.err
    assert "--pick" in ran.out
    assert not (tmp_path / "o/room.png").exists()
    assert (tmp_path / "o/candidates.jpg").exists()
    before = tree(tmp_path / "o/candidates")
    assert len(before) == 3
    ran = digress("frame", "wall.png", "a fox", "-n", 3, "--pick", 2, *QUICK, "-o", "o")
    assert ran.code == 0, ran.err
    assert tree(tmp_path / "o/candidates") == before
    assert '"seed": 1' in read_text(tmp_path / "o/picture.png")["digressions"]


def test_what_is_finished_is_kept_when_a_run_is_killed(
    digress: Callable[..., Ran],
    tmp_path: Path,
    wall: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from digressions import paint as painting
    from digressions.commands import filling

    monkeypatch.setattr(filling, "BATCH", 1)
    batches: list[int] = []
    whole = painting.paint_batch

    def counted(model: object, jobs: list[object], on_step: object = None) -> torch.Tensor:
        batches.append(len(jobs))
        if len(batches) == 3:
            raise KeyboardInterrupt
        return whole(model, jobs, on_step)

    monkeypatch.setattr(painting, "paint_batch", counted)
    command = ("frame", "wall.png", "a fox", "-n", 4, *QUICK, "-o", "o")
    assert digress(*command).code == 130
    kept = tree(tmp_path / "o/candidates")
    assert len(kept) == 2
    assert digress(*command).code == 0
    assert len(batches) == 3 + 2
    assert kept.items() <= tree(tmp_path / "o/candidates").items()
    assert digress(*command).code == 0
    assert len(batches) == 3 + 2
    assert digress(*command, "--guidance", 1.2).code == 0  # other pictures
    assert len(batches) == 3 + 2 + 4


def test_each_frame_gets_its_own_prompt(
    digress: Callable[..., Ran], tmp_path: Path, wall: np.ndarray
) -> None:
    two = two_frames()
    ran = digress("frame", "two.png", "a fox", "a frog", "--frame", 2, "--frame", 1, *QUICK)
    assert ran.code == 0, ran.err
    folder = tmp_path / "out/two-frame"
    names = sorted(path.name for path in (folder / "candidates").iterdir())
    assert names[0] == "1-a-frog-1000.png"
    assert names[1] == "2-a-fox-0.png"
    assert (folder / "picture-1.png").exists()
    hung = read_image(folder / "room.png")
    for quad in (OPENING, SECOND):
        rows, columns, share = coverage(quad, two.shape)
        inside = share == 1
        assert (hung[rows, columns][inside] != two[rows, columns][inside]).mean() > 0.9
    ran = digress("replay", folder / "room.png", "-o", "again.png")
    assert ran.code == 0, ran.err
    assert (read_image(tmp_path / "again.png") == hung).all()


def test_what_was_made_of_files_is_made_again(
    digress: Callable[..., Ran], tmp_path: Path, wall: np.ndarray
) -> None:
    digress("frame", "wall.png", "--insert", "picture.png", "-o", "o")
    digress("upscale", "picture.png", "--times", 2, "--upscaler", "lanczos", "-o", "big.png")
    for kind in ("pdf", "tif", "png"):
        paper = ("--size", "9x12cm", "--dpi", 60, "--mat", "4mm", "-o", f"print.{kind}")
        ran = digress("print", "big.png", *paper)
        assert ran.code == 0, ran.err
    digress("frame", "wall.png", "--find", "-o", "o")
    for name in ("o/found.jpg", "o/room.png", "big.png", "print.png", "print.tif", "print.pdf"):
        again = tmp_path / f"again{Path(name).suffix}"
        ran = digress("replay", name, "-o", again)
        assert ran.code == 0, ran.err
        assert again.read_bytes() == (tmp_path / name).read_bytes(), name
    Image.fromarray(stripes(20, 20)).save(tmp_path / "picture.png")
    ran = digress("replay", "o/room.png")
    assert ran.code == 2
    assert "not the picture it was" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bare.png", "a fox"], "--corners"),
        (["wall.png", "a fox", "a frog", "a cat"], "3 pictures"),
        (["wall.png", "a fox", "--frame", "9"], "--frame 9"),
        (["two.png", "a fox", "a frog", "--frame", "1"], "--frame for 2"),
        (["two.png", "a fox", "--frame", "1", "--frame", "1"], "twice"),
        (["wall.png", "a fox", "--insert", "picture.png"], "--insert"),
        (["wall.png", "a fox", "-n", "0"], "-n 0"),
        (["wall.png", "a fox", "-n", "2", "--pick", "3"], "--pick 3"),
        (["two.png", "a fox", "a frog", "--pick", "1", "--pick", "1", "--pick", "1"], "3 times"),
        (["wall.png", "a fox", "--room", "2"], "--room 2"),
        (["wall.png", "a fox", "--size", "A99"], "unknown paper"),
        (["wall.png", "a fox", "--size", "9x12"], "no unit"),
        (["wall.png", "a fox", "--size", "A4", "--dpi", "0"], "--dpi 0"),
        (["wall.png", "a fox", "--size", "A4", "--print-as", "doc"], "--print-as"),
        (["wall.png", "a fox", "--refine", "x", "--refine-scale", "9"], "--refine-scale 9"),
        (["wall.png", "a fox", "--refine", "x", "--refine-strength", "2"], "--refine-strength 2"),
        (["wall.png", "a (fox"], "never closed"),
        (["wall.png", "a fox", "--mask", "small.png"], "200 x 100"),
        (["wall.png", "a fox", "--corners", "0,0", "9,0", "2,1", "0,9"], "convex"),
        (["wall.png", "a fox", "--corners", "9000,0", "9100,0", "9100,90", "9000,90"], "0 pixels"),
        (["wall.png", "a fox", "--corners", "50,50", "51,50", "51,51", "50,51"], "1 pixels"),
        (["wall.png", "--insert", "picture.png", "--size", "A4"], "--size"),
        (["wall.png", "--find", "--refine", "a fox"], "--refine"),
        (["wall.png", "a fox", "--explain", "--size", "A4"], "--explain"),
        (["wall.png", "a fox", "--model", "nowhere"], "nowhere"),
        (["wall.png", "a fox", "--upscaler", "no"], "unknown upscaler"),
        (["wall.png", "  "], "empty prompt"),
        (["wall.png", "a fox", "--bleed", "3mm"], "--bleed is about the print"),
        (["wall.png", "a fox", "--print-as", "tif"], "--print-as is about the print"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_one_line_and_writes_nothing(
    refused: Callable[..., str],
    tmp_path: Path,
    wall: np.ndarray,
    arguments: list[str],
    words: str,
) -> None:
    Image.fromarray(np.full((100, 200), 255, np.uint8)).save(tmp_path / "small.png")
    assert words in refused("frame", *arguments, "-o", "o")


def test_a_print_of_an_earlier_picture_is_said_to_be_one(
    digress: Callable[..., Ran], wall: np.ndarray
) -> None:
    first = digress("frame", "wall.png", "a fox", "--size", "3x4cm", *QUICK, "-o", "o")
    assert first.code == 0, first.err
    assert "earlier picture" not in first.err
    again = digress("frame", "wall.png", "a frog", *QUICK, "-o", "o")
    assert "o/print.pdf is of an earlier picture" in " ".join(again.err.split())


@pytest.mark.parametrize("name", ["room.png", "picture.png", "candidates-2.jpg"])
def test_the_photo_is_never_written_over(
    refused: Callable[..., str], tmp_path: Path, wall: np.ndarray, name: str
) -> None:
    Image.fromarray(wall).save(tmp_path / name)
    assert "written over" in refused("frame", name, "a fox", "-o", tmp_path)
    assert "written over" in refused("frame", "wall.png", "a fox", "--palette", name, "-o", ".")
    link = tmp_path / "here"
    link.symlink_to(tmp_path)
    assert "written over" in refused("frame", name, "a fox", "-o", "here")
