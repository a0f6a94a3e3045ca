"""One thing on a square becomes a wide or tall picture: extended or cropped, by what loses less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.compose import openings, wall
from digressions.errors import InputError
from digressions.events import Note
from digressions.frames.each_frame import asked_of_each
from digressions.frames.frame_records import picture_details
from digressions.frames.frame_spec import FrameSpec
from digressions.frames.scene import compose_for
from digressions.generate import hires
from digressions.generate.hires import made_large, with_hires
from digressions.generate.params import GenerationParams
from digressions.generate.record_reading import record_of
from digressions.generate.resolving import resolve
from digressions.generate.start import Inputs, record_for
from digressions.geometry import Size
from digressions.images import ComposeName
from digressions.images.composing import Composed, composed
from digressions.images.image_files import read_image, read_text, write_image
from digressions.images.upscale import Lanczos
from digressions.models.base import Model

from .conftest import Ran

SIDE = 64


def ball(across: float = 0.5, down: float = 0.5, radius: float = 0.25) -> np.ndarray:
    """A red ball on a ground that goes from blue on the left to green on the right."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    ground = np.stack([0 * x + 40, 60 + 100 * x, 160 - 100 * x], -1)
    inside = (x - across) ** 2 + (y - down) ** 2 < radius**2
    return np.where(inside[..., None], (230.0, 40.0, 30.0), ground).astype(np.uint8)


def reds(picture: np.ndarray) -> np.ndarray:
    """Where the ball is, ``(H, W)`` bool."""
    return picture[..., 0] > 200


@pytest.mark.parametrize("aspect", [3.0, 1.5, 1.0, 0.7, 1 / 3])
@pytest.mark.parametrize("compose", ["extend", "crop", "auto"])
def test_a_composed_picture_has_the_aspect(aspect: float, compose: str) -> None:
    height, width, _ = composed(ball(), aspect, compose).pixels.shape
    assert min(height, width) <= SIDE <= max(height, width)
    assert abs(width - height * aspect) <= 0.5 or abs(height - width / aspect) <= 0.5


@pytest.mark.parametrize("aspect", [2.5, 0.4])
def test_ground_is_carried_on_around_a_thing_in_the_middle(aspect: float) -> None:
    made = composed(ball(), aspect, "auto").pixels
    assert max(made.shape) == round(SIDE * 2.5)
    seen = reds(made)
    assert seen.sum() == reds(ball()).sum()
    rows, columns = np.nonzero(seen)
    middle = (made.shape[0] - 1) / 2, (made.shape[1] - 1) / 2
    assert np.allclose((rows.mean(), columns.mean()), middle, atol=1)


def test_no_step_shows_where_the_ground_is_carried_on() -> None:
    made = composed(ball(), 3.0, "extend").pixels.astype(float)
    assert np.abs(np.diff(made, axis=1))[:, [SIDE - 1, 2 * SIDE - 1]].max() < 8


def test_what_stands_at_the_bottom_stays_there() -> None:
    made = composed(ball(down=0.85), 0.6, "extend").pixels
    assert (made[-SIDE:] == ball(down=0.85)).all()
    assert not reds(made[:-SIDE]).any()


def test_a_large_thing_that_is_cut_off_at_one_side_stays_at_it() -> None:
    picture = ball(across=1.0, radius=0.35)
    assert (composed(picture, 1.5, "extend").pixels[:, -SIDE:] == picture).all()


@pytest.mark.parametrize("across", [0.1, 0.9])
def test_a_thing_is_not_pushed_to_the_end_of_a_very_wide_picture(across: float) -> None:
    picture = ball(across=across)
    assert (composed(picture, 3.0, "auto").pixels[:, SIDE:-SIDE] == picture).all()


@pytest.mark.parametrize("across", [0.5, 0.9])
def test_what_is_cut_off_fades_away_without_a_seam(across: float) -> None:
    made = composed(ball(across=across), 3.0, "extend").pixels.astype(float)
    steps = np.abs(np.diff(made, axis=1)).max((0, 2))
    assert steps[[SIDE - 1, 2 * SIDE - 1]].max() < 45
    assert steps[2 * SIDE :].max() < 60  # where the square itself steps by 190 at the ball
    assert not reds(made[:, 2 * SIDE + SIDE // 6 :]).any()


def test_what_a_composition_leaves_out_is_known() -> None:
    assert composed(ball(), 2.0, "crop").cut_off == pytest.approx(0.5)
    assert composed(ball(), 0.4, "crop").cut_off == pytest.approx(0.6, abs=0.01)
    for compose in ("extend", "auto", "stretch"):
        assert composed(ball(), 2.0, compose).cut_off == 0


def test_the_way_that_is_taken_unasked_is_said() -> None:
    extended = composed(ball(), 2.0, "auto")
    assert extended.told("auto") == "its ground is carried on"
    assert extended.told("extend") == ""
    assert composed(ball(), 2.0, "crop").told("auto") == "50% of the square is cut off"
    assert composed(ball(), 2.0, "stretch").told("stretch") == ""


def test_the_way_is_worked_out_once(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[float] = []

    def counted(picture: np.ndarray, aspect: float, compose: ComposeName) -> Composed:
        worked_out.append(aspect)
        return composed(picture, aspect, compose)

    monkeypatch.setattr(hires, "composed", counted)
    side = bundled.size
    asked = GenerationParams(prompt="a fox", size=Size(2 * side, side), seed=1)
    record = record_for(bundled, resolve(bundled, asked), Inputs())
    record = with_hires(bundled, record, Inputs(), "lanczos")
    notes = list(made_large(bundled, ball(), record, Lanczos()))
    assert worked_out == [2.0]
    assert notes == [Note("seed 1: its ground is carried on")]


def test_what_fills_the_square_is_cropped_where_most_of_it_is() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    checks = ((x // 4 + y // 4) % 2 * 200 + 20).astype(np.uint8)
    plain = np.full((SIDE, SIDE), 120, np.uint8)
    picture = np.where(y > SIDE // 3, checks, plain)[..., None].repeat(3, 2)
    made = composed(picture, 1.6, "auto").pixels
    assert made.shape == (40, SIDE, 3)
    assert (made == picture[-40:]).all()


def test_a_frame_of_a_usual_aspect_is_painted_in_it(bundled: Model) -> None:
    def chosen(aspect: float, **asked: object) -> str:
        spec = FrameSpec.of(prompts=["a fox"], **asked)
        params = resolve(bundled, spec.params.but(prompt="a fox"), mask=True)
        return compose_for(bundled, spec, params, aspect, asked_of_each(spec, 1)[0].room)

    assert chosen(1.1) == "stretch"
    assert chosen(1.4) == chosen(1 / 1.4) == "auto"
    assert chosen(1.4, compose="crop") == "crop"
    assert chosen(1.4, compose="stretch") == "stretch"
    assert chosen(1.4, room=0.2) == chosen(1.4, strength=0.5) == "stretch"
    with pytest.raises(InputError, match="nothing of what the frame shows"):
        chosen(1.4, compose="extend", strength=0.5)
    with pytest.raises(InputError, match="nothing of the room"):
        chosen(1.4, compose="crop", room=0.2)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"find": True}, "`compose` is about painted pictures, and needs a prompt"),
        ({"insert": "me.jpg"}, "`compose` is about painted pictures, and needs a prompt"),
        ({"prompts": "a fox", "explain": True}, "`compose` does nothing with `explain`"),
    ],
)
def test_composing_what_is_not_painted_so_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        FrameSpec.of(compose="crop", **asked).check()
    assert words in refused.value.args[0]


def test_what_a_model_paints_whole(bundled: Model) -> None:
    side = bundled.size
    assert bundled.paints_whole(Size(side, side))
    assert not bundled.paints_whole(Size(side, 2 * side))
    assert not bundled.paints_whole(Size(2 * side, 2 * side))


def test_the_openings_of_the_study_are_as_wide_as_they_are_tall() -> None:
    found = openings()
    assert len(found) == 20
    assert found[0] == pytest.approx(1 / found[-1])
    for aspect in (found[0], found[-1]):
        photo, corners = wall(aspect)
        (left, top), _, (right, bottom), _ = corners
        assert (right - left) / (bottom - top) == pytest.approx(aspect, rel=0.01)
        assert right < photo.shape[1] - 1


def test_a_wide_frame_gets_one_thing_on_its_ground_and_replays(
    digress: Callable[..., Ran], tmp_path: Path
) -> None:
    """The picture is as wide as its frame; all of it follows from what its file remembers."""
    photo, corners = wall(2.5)
    write_image(tmp_path / "wall.png", photo)
    asked = ("--corners", " ".join(f"{x},{y}" for x, y in corners), "--upscaler", "lanczos")
    paper = ("--size", "10x4cm", "--dpi", 60)

    def run(folder: str, *more: object) -> str:
        ran = digress("frame", "wall.png", "a fox", *asked, "--steps", 1, *more, "-o", folder)
        assert ran.code == 0, ran.err
        return ran.out + ran.err

    assert "of the square" not in run("o", "--compose", "extend", *paper)
    assert "60% of the square is cut off" in run("c", "--compose", "crop")
    (candidate,) = (tmp_path / "o" / "candidates").iterdir()
    assert read_image(candidate).shape[:2] == (128, 320)
    details = picture_details(record_of(read_text(tmp_path / "o" / "picture.png")))
    assert details.opening.compose == "extend"
    assert digress("replay", "o/picture.png", "-o", "again.png").code == 0
    assert (read_image(tmp_path / "again.png") == read_image(tmp_path / "o/picture.png")).all()
    said = run("p", *paper)
    assert "painted on a square" in said
    assert ("its ground is carried on" in said) != ("of the square is cut off" in said)
    run("p", *paper)  # whatever way it was composed in, the same settings made it
    assert "painted on a square" not in run("q", "--compose", "stretch")
    stretched = next((tmp_path / "q" / "candidates").iterdir())
    assert max(read_image(stretched).shape[:2]) < 320
