"""``digress zoom``: one clear line for bad input, a film that loops, a kill that costs nothing."""

from __future__ import annotations

import itertools
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.images.image_files import read_image
from digressions.models.base import Defaults, Model

from .conftest import Ran, heed_interrupts

Digress = Callable[..., Ran]
SMALL = {
    "--grid": "4",
    "--size": "16",
    "--steps": "1",
    "--guidance": "1",
    "--strength": "0.75",
    "--sampler": "ddim",  # not the model's defaults: those may change
    "--seed": "3",
    "--frame-size": "64",
    "--fps": "4",
    "--seconds": "3",
    "--upscaler": "lanczos",
    "--device": "cpu",
    "--dtype": "float32",
    "--image": "start.png",
}


def small(*others: str) -> list[str]:
    """The arguments of a small film, with others beside them or in their place."""
    pairs = [pair for pair in SMALL.items() if pair[0] not in others]
    return ["zoom", "frog", *itertools.chain(*pairs), *others]


@pytest.fixture(autouse=True)
def _quick(
    bundled: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: np.ndarray
) -> None:
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=1.0))
    Image.fromarray(photo).save(tmp_path / "start.png")


def frames(folder: Path) -> list[np.ndarray]:
    return [read_image(path) for path in sorted(folder.glob("*.png"))]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--levels", "0"], "--levels 0 is out of range"),
        (["--fps", "0"], "--fps 0"),
        (["--seconds", "0"], "--seconds 0"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--frame-size", "16"], "--frame-size 16x16 is out of range"),
        (["--frame-size", "9000"], "--frame-size 9000x9000"),
        (["--frame-size", "large"], "--frame-size 'large'"),
        (["--frame-size", "65"], "--frame-size 65x65: .mp4 takes even sides only"),
        (["--size", "16x80"], "--size 16x80 of a cell's picture: one side may be 4 times"),
        (["--cell-aspect", "9:1"], "--cell-aspect '9:1' is not WIDTH:HEIGHT"),
        (["--cell-aspect", "4:3"], "--size 16x16 has an aspect already"),
        (["--grid", "4x3"], "--grid 4 --cell-aspect 4:3 gives all of them that aspect"),
        (["--grid", "1"], "--grid 1x1"),
        (["--grid", "999"], "at most 256"),
        (["--band", "3"], "--band 3"),
        (["--reuse", "1"], "--reuse 1 is out of range"),
        (["--into", "one"], "--into 'one'"),
        (["--into", "16"], "cell 16 is not in a grid of 4x4"),
        (["--max-mb", "0"], "--max-mb 0"),
        (["--max-mb", "2", "-o", "film.mp4"], "--max-mb is for a GIF"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--cache-size", "-1"], "--cache-size -1"),
        (["--upscaler", "magic"], "'magic'"),
        (["--cell-prompt", "bee", "--cell-prompt", "turtle " * 500], "tokens long"),
        (["--cell-prompt", "bee", "--deeper-prompt", "turtle " * 500], "tokens long"),
        (["--combine", "magic"], "magic"),
        (["-o", "film.avi"], "film.avi"),
        (["--image", "none.png"], "no such file"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_nothing_is_written(
    digress: Digress, tmp_path: Path, arguments: list[str], words: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = digress(*small(*arguments))
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1, ran.err
    assert words in ran.err
    assert ran.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_too_many_chosen_cells(digress: Digress) -> None:
    ran = digress(*small("--levels", "1", "--into", "5/6"))
    assert ran.code == 2
    assert "2 cells in --into are more than --levels 1" in ran.err


def test_another_file_is_no_cache(digress: Digress, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary " * 99)
    ran = digress(*small("--cache", "diary.txt"))
    assert ran.code == 2
    assert "diary.txt" in ran.err.splitlines()[-1]
    assert (tmp_path / "diary.txt").read_text() == "dear diary " * 99


def test_a_film_is_made_and_says_what_it_costs_and_how_it_closes(
    digress: Digress, tmp_path: Path
) -> None:
    ran = digress(*small("--into", "5", "--cell-prompt", "bee", "-o", "film.gif"))
    assert ran.code == 0, ran.err
    first, *_, last = ran.out.splitlines()
    assert re.match(r"2 levels in 12 frames of 64x64 \(3.0 s\): \d+ pictures of 32 in", first)
    residuals = re.search(r"falls into 5/\d+ and closes: .* to (\S+) grey .* to (\S+)\n", ran.out)
    assert residuals
    assert all(float(value) <= 1 for value in residuals.groups())
    assert last == "film.gif"
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (12, (64, 64), 0)
    assert (tmp_path / "out" / "worlds.sqlite").exists()


def test_a_gif_is_made_to_fit(digress: Digress, tmp_path: Path) -> None:
    ran = digress(*small("-o", "film.gif", "--max-mb", "0.02"))
    assert ran.code == 0, ran.err
    assert "to fit 0.02 MB" in ran.out
    assert (tmp_path / "film.gif").stat().st_size <= 20_000


def test_a_film_of_few_pictures_falls_as_deep_as_one_likes(
    digress: Digress, tmp_path: Path
) -> None:
    ran = digress(*small("--reuse", "6", "--levels", "5", "-o", "film.webm"))
    assert ran.code == 0, ran.err
    assert re.match(r"6 pictures cover \d+% of their own cells within 0.05 in OKLab", ran.out)
    assert "5 levels" in ran.out
    assert (tmp_path / "film.webm").exists()


def test_the_first_frame_is_the_users_picture(
    digress: Digress, tmp_path: Path, photo: np.ndarray
) -> None:
    assert digress(*small("-o", "frames")).code == 0
    found = frames(tmp_path / "frames")
    assert len(found) == 12
    square = photo[:, 8:56]  # its middle
    a = found[0].reshape(4, 16, 4, 16, 3).mean((1, 3))
    b = square.reshape(4, 12, 4, 12, 3).mean((1, 3))
    assert np.abs(a[1:3, 1:3] - b[1:3, 1:3]).max() < 12


# --- replay ----------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["--reuse", "4", "--cell-prompt", "bee"]], ids=["", "reuse"])
@pytest.mark.parametrize("kind", ["film.mp4", "film.webm", "film.gif", "frames"])
def test_a_film_can_be_replayed_by_what_its_file_remembers(
    digress: Digress, tmp_path: Path, kind: str, more: list[str]
) -> None:
    assert digress(*small(*more, "-o", kind)).code == 0
    file = next((tmp_path / kind).glob("*3.png")) if kind == "frames" else tmp_path / kind
    ran = digress("replay", file, "-o", "again", "--device", "cpu", "--dtype", "float32")
    assert ran.code == 0, ran.err
    assert len(frames(tmp_path / "again")) == 12
    if kind == "frames":
        pairs = zip(frames(tmp_path / kind), frames(tmp_path / "again"), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_a_file_that_is_no_film_cannot_be_replayed(digress: Digress, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film at all" * 100)
    for name in ("film.mp4", "none.webm"):
        ran = digress("replay", name)
        assert ran.code == 2
        assert len(ran.err.splitlines()) == 1
        assert name in ran.err


# --- stopping and going on -------------------------------------------------------------------


def kept(cache: Path) -> int:
    if not cache.exists():
        return 0
    db = sqlite3.connect(cache, timeout=5)
    try:
        (count,) = db.execute("select count(*) from pictures").fetchone()
    except sqlite3.OperationalError:
        return 0  # about to be made
    finally:
        db.close()
    return int(count)


def run_until(
    tmp_path: Path, stop: signal.Signals, ready: Callable[[], bool], *arguments: str
) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from digressions.cli.app import main; main()", *small(*arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        preexec_fn=heed_interrupts,
    )
    while process.poll() is None:
        if ready():
            process.send_signal(stop)
            break
        time.sleep(0.005)
    _, text = process.communicate()
    return process.returncode, text


def test_a_film_that_was_killed_goes_on_and_becomes_the_same(
    digress: Digress, tmp_path: Path
) -> None:
    one = (
        "--batch-size",
        "1",
        "--dtype",
        "float32",
        "-o",
        "frames",
    )  # as the model in this process
    cache, folder = tmp_path / "out" / "worlds.sqlite", tmp_path / "frames"

    code, text = run_until(tmp_path, signal.SIGINT, lambda: kept(cache) >= 5, *one)
    assert code == 130
    assert text.splitlines()[-1].endswith("the same command goes on")
    first = kept(cache)
    assert first >= 5
    assert not folder.exists()

    # While it paints, and while it writes.
    code, _ = run_until(tmp_path, signal.SIGKILL, lambda: kept(cache) >= first + 3, *one)
    assert code == -signal.SIGKILL
    second = kept(cache)
    assert second >= first + 3
    code, _ = run_until(tmp_path, signal.SIGKILL, lambda: len(frames(folder)) >= 2, *one)
    assert code == -signal.SIGKILL
    assert 2 <= len(frames(folder)) < 12

    # The model of this process has other defaults for the root, which is in the cache already.
    ran = digress(*small(*one, "--overwrite"))
    assert ran.code == 0, ran.err
    assert "31 of them are already painted" in ran.out  # all: it was killed while it filmed
    whole = digress(*small("--batch-size", "1", "-o", "whole", "--cache", "other.sqlite"))
    assert whole.code == 0
    pairs = list(zip(frames(folder), frames(tmp_path / "whole"), strict=True))
    assert len(pairs) == 12
    assert max(np.abs(a.astype(int) - b).max() for a, b in pairs) <= 2


def test_a_killed_encoder_leaves_nothing_half(digress: Digress, tmp_path: Path) -> None:
    long = ("--seconds", "2000", "-o", "film.mp4")
    code, _ = run_until(tmp_path, signal.SIGKILL, lambda: any(tmp_path.glob(".film.*")), *long)
    assert code == -signal.SIGKILL
    assert not (tmp_path / "film.mp4").exists()
    assert digress(*small("-o", "film.mp4")).code == 0
    assert (tmp_path / "film.mp4").exists()
    assert not list(tmp_path.glob(".film.*"))
