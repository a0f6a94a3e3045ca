"""The film as a use case: events, files that remember it, and nothing lost when it is stopped."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.distributed.executor import LocalExecutor
from digressions.errors import ImageError, InputError
from digressions.events import Estimate, Event, Note, Progress, Saved
from digressions.generate.metadata import Record
from digressions.generate.record_reading import record_of
from digressions.generate.replay import replay_file
from digressions.images.image_files import read_image, read_text
from digressions.models.base import Model
from digressions.worlds.cache import Cache
from digressions.worlds.film import FilmDetails, make_film, plan_of
from digressions.worlds.world_spec import FilmSpec


@pytest.fixture(autouse=True)
def _start(tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo[:, 8:56]).save("start.png")


def a_spec(**changes: object) -> FilmSpec:
    given: dict[str, object] = {
        "prompt": "frog",
        "grid": 4,
        "size": 16,
        "steps": 1,
        "guidance": 1.0,
        "strength": 0.75,
        "sampler": "ddim",
        "seed": 3,
        "frame_size": 64,
        "fps": 4,
        "seconds": 3.0,
        "upscaler": "lanczos",
        "image": "start.png",
        "cache": "w.sqlite",
    }
    return FilmSpec.of(**given | changes)


def made(model: Model, target: str, **changes: object) -> list[Event]:
    return list(make_film(model, a_spec(**changes), target))


def frames(folder: Path | str) -> list[np.ndarray]:
    return [read_image(path) for path in sorted(Path(folder).glob("*.png"))]


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, (Estimate, Note))]


# --- what it tells -----------------------------------------------------------------------------


def test_a_film_says_what_it_costs_how_far_it_is_and_how_it_closes(bundled: Model) -> None:
    events = made(bundled, "film.gif", into=(6,), cell_prompt=["bee"])
    note, estimate, *between, closes, saved = events
    assert isinstance(note, Note)
    assert note.text.startswith("the prompt paints nothing")
    assert isinstance(estimate, Estimate)
    assert re.match(r"2 levels in 12 frames of 64x64 \(3.0 s\): \d+ pictures of 32", estimate.text)
    assert estimate.pictures + estimate.done <= 32
    progress = [event for event in between if isinstance(event, Progress)]
    tasks = dict.fromkeys(event.task for event in progress)
    assert list(tasks) == ["painting", "enlarging", "filming"]
    for task in tasks:
        steps = [event for event in progress if event.task == task]
        assert steps[-1].done == steps[-1].total
    assert isinstance(closes, Note)
    residuals = re.match(r"falls into 6/\d+ and closes: .* to (\S+) grey .* to (\S+)$", closes.text)
    assert residuals
    assert all(float(value) <= 1 for value in residuals.groups())
    assert isinstance(saved, Saved)
    assert (saved.path, saved.text) == (Path("film.gif"), "")
    assert saved.details["loop"][0] == 6
    with Image.open("film.gif") as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (12, (64, 64), 0)


def test_what_is_painted_already_is_said_and_not_painted_again(bundled: Model) -> None:
    made(bundled, "one")
    estimate, note, *_ = made(bundled, "two")
    assert isinstance(estimate, Estimate)
    assert (estimate.pictures, estimate.done) == (0, 31)
    assert isinstance(note, Note)
    assert note.text == "31 of them are already painted"
    assert all(map(np.array_equal, frames("one"), frames("two")))


def test_a_gif_is_made_to_fit(bundled: Model) -> None:
    saved = made(bundled, "film.gif", max_mb=0.02)[-1]
    assert isinstance(saved, Saved)
    assert re.fullmatch(r"at \d+x\d+ to fit 0.02 MB", saved.text)
    assert Path("film.gif").stat().st_size <= 20_000


def test_a_film_of_few_pictures_falls_as_deep_as_one_likes(bundled: Model) -> None:
    events = made(bundled, "film.webm", reuse=6, levels=5)
    coverage, estimate, _ = texts(events)
    assert re.match(r"6 pictures cover \d+% of their own cells within 0.05 in OKLab", coverage)
    assert estimate.startswith("5 levels in 12 frames")
    assert Path("film.webm").exists()


def test_the_first_frame_is_the_users_picture(bundled: Model, photo: np.ndarray) -> None:
    made(bundled, "frames")
    found = frames("frames")
    assert len(found) == 12
    square = photo[:, 8:56]  # its middle
    a = found[0].reshape(4, 16, 4, 16, 3).mean((1, 3))
    b = square.reshape(4, 12, 4, 12, 3).mean((1, 3))
    assert np.abs(a[1:3, 1:3] - b[1:3, 1:3]).max() < 12


def test_words_that_a_model_does_not_know_are_noted(bundled: Model) -> None:
    first = made(bundled, "frames", cell_prompt="frog", deeper_prompt="zyzzyva")[0]
    assert isinstance(first, Note)
    assert first.level == "note"
    assert "was not taught 'zyzzyva'" in first.text


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "target", "words"),
    [
        ({"levels": 0}, "film", "levels 0 is out of range"),
        ({"fps": 0}, "film", "fps 0"),
        ({"seconds": 0}, "film", "seconds 0"),
        ({"seconds": float("nan")}, "film", "seconds is nan"),
        ({"frame_size": 16}, "film", "frame_size 16x16 is out of range"),
        ({"frame_size": "large"}, "film", "frame_size 'large'"),
        ({"frame_size": 65}, "film.mp4", "frame_size 65x65: .mp4 takes even sides only"),
        ({"grid": "4x3"}, "film", "grid 4 cell_aspect 4:3 gives all of them that aspect"),
        ({"grid": 999}, "film", "at most 256"),
        ({"band": 3}, "film", "band 3"),
        ({"size": "16x80"}, "film", "size 16x80 of a cell's picture: one side may be 4 times"),
        ({"reuse": 1}, "film", "reuse 1 is out of range"),
        ({"into": "one"}, "film", "into 'one'"),
        ({"into": (16,)}, "film", "cell 16 is not in a grid of 4x4"),
        ({"max_mb": 0}, "film.gif", "max_mb 0"),
        ({"max_mb": 2}, "film.mp4", "max_mb is for a GIF: leave it out, or choose output film.gif"),
        ({"batch_size": 0}, "film", "batch_size 0"),
        ({"masked_content": "noise"}, "film", "masked_content is not a parameter"),
        ({"upscaler": "magic"}, "film", "'magic'"),
        ({"cell_prompt": ["bee", "turtle " * 500]}, "film", "tokens long"),
        ({"combine": "magic"}, "film", "combine 'magic' is not known"),
        ({}, "film.avi", "film.avi"),
        ({"image": "none.png"}, "film", "no such file"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line_and_nothing_is_written(
    bundled: Model, tmp_path: Path, changes: dict[str, object], target: str, words: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as refused:
        made(bundled, target, **changes)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_too_many_chosen_cells(bundled: Model) -> None:
    with pytest.raises(InputError, match="2 cells in into are more than levels 1"):
        made(bundled, "film", levels=1, into="5/6")


# --- who paints, and how long ----------------------------------------------------------------


class Witness(LocalExecutor[Model]):
    """This process, with something to say."""

    wanted = 2

    def notes(self) -> list[Note]:
        return [Note("a worker died", "note")]


def test_an_executor_paints_the_same_film_and_is_heard(bundled: Model) -> None:
    made(bundled, "alone", cache="a.sqlite")
    events = list(
        make_film(
            bundled, a_spec(cache="b.sqlite", batch_size=4), "helped", executor=Witness(bundled)
        )
    )
    assert Note("a worker died", "note") in events
    pairs = zip(frames("alone"), frames("helped"), strict=True)
    assert max(np.abs(a.astype(int) - b).max() for a, b in pairs) <= 2


@pytest.mark.parametrize("task", ["painting", "enlarging", "filming"])
def test_a_film_that_is_cancelled_keeps_what_is_painted(bundled: Model, task: str) -> None:
    making = make_film(bundled, a_spec(batch_size=1), "film.mp4")
    assert isinstance(making, Generator)
    for event in making:
        if isinstance(event, Progress) and event.task == task and event.done >= 3:
            break
    making.close()
    assert sorted(path.name for path in Path().iterdir()) == ["start.png", "w.sqlite"]
    with Cache(Path("w.sqlite")) as cache:
        (kept,) = cache._db.execute("select count(*) from pictures").fetchone()
        assert kept >= 3
        assert not cache._db.execute("select * from claims").fetchall()


# --- again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"reuse": 4, "cell_prompt": ["bee"]}], ids=["", "reuse"])
@pytest.mark.parametrize("kind", ["film.mp4", "film.webm", "film.gif", "film.webp", "frames"])
def test_a_film_can_be_replayed_by_what_its_file_remembers(
    bundled: Model, kind: str, more: dict[str, object]
) -> None:
    made(bundled, kind, **more)
    file = next(Path(kind).glob("*3.png")) if kind == "frames" else Path(kind)
    events = list(replay_file(file, lambda *_: bundled, output=Path("again")))
    assert not [event for event in events if isinstance(event, Note) and event.level != "info"]
    assert len(frames("again")) == 12
    if kind == "frames":
        pairs = zip(frames(kind), frames("again"), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_a_frame_is_replayed_into_a_folder_beside_it(bundled: Model) -> None:
    made(bundled, "frames")
    saved = list(replay_file(Path("frames/000003.png"), lambda *_: bundled))[-1]
    assert isinstance(saved, Saved)
    assert saved.path == Path("frames/000003-replay")
    assert len(frames(saved.path)) == 12


def a_record(model: Model) -> Record:
    made(model, "frames")
    return record_of(read_text("frames/000000.png"))


def test_a_film_remembers_how_its_root_is_painted(bundled: Model) -> None:
    record = a_record(bundled)
    assert record.kind == "film"
    assert record.params.prompt == "frog"
    assert record.image is not None
    assert record.image.path == "start.png"
    details = FilmDetails.from_json_object(record.details)
    assert details.cells.params.strength == 0.75
    assert (details.size, details.fps, details.count) == ((64, 64), 4, 12)
    plan = plan_of(record)
    assert plan.path == details.loop
    assert plan.levels == 2


@pytest.mark.parametrize(
    "change",
    [
        {"loop": []},
        {"loop": "5/6"},
        {"loop": [5, "6"]},
        {"fps": 0},
        {"count": -1},
        {"count": 10**12},
        {"size": "9999x9999"},
        {"size": "large"},
        {"reuse": 1},
        {"deeper": [5]},
        {"cells": {}},
        {"cells": None},
        {"more": 1},
    ],
    ids=str,
)
def test_damaged_settings_are_refused(bundled: Model, change: dict[str, object]) -> None:
    record = a_record(bundled)
    with pytest.raises(InputError, match="the settings of the film are damaged: "):
        plan_of(record.but(details=record.details | change))


def test_another_start_picture_is_refused(bundled: Model, photo: np.ndarray) -> None:
    record = a_record(bundled)
    Image.fromarray(255 - photo).save("start.png")
    with pytest.raises(InputError, match=r"start\.png is not the picture it was"):
        plan_of(record)


def test_a_file_that_is_no_film_cannot_be_replayed(bundled: Model) -> None:
    Path("film.mp4").write_bytes(b"no film at all" * 100)
    for name in ("film.mp4", "none.webm"):
        with pytest.raises(ImageError, match=name):
            list(replay_file(Path(name), lambda *_: bundled))
