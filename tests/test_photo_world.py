"""Worlds of the user's photos: each made of all of them, exact at any depth, without a model."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import digressions as dg
from digressions.errors import InputError
from digressions.events import Note, Saved, completed
from digressions.generate.file_texts import text_of
from digressions.generate.results import finish
from digressions.geometry import CellPath, Size
from digressions.images.image_files import read_image
from digressions.images.xmp import XMP
from digressions.worlds.cache import Cache
from digressions.worlds.photo_bank import PhotoWorld
from digressions.worlds.photo_film import remembered_film
from digressions.worlds.photo_world import resolve_photo_world
from digressions.worlds.photo_world_spec import PhotoFilmSpec, PhotoWorldSpec
from digressions.worlds.ways import choose_loop
from digressions.worlds.zoom_film import ZoomFilm

from .albums import album, photo, picture
from .conftest import Ran, heed_interrupts
from .test_serve_command import PROGRAM

Digress = Callable[..., Ran]
SMALL = ("--grid", "8", "--size", "32")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    album(Path("photos"), 24)


def resolved(most: int = 100, **parameters: Any) -> Any:
    usual = {"tiles": ["photos"], "grid": "8", "size": 32}
    return completed(resolve_photo_world(PhotoWorldSpec.of(**usual | parameters), most))


@pytest.fixture
def world() -> Iterator[PhotoWorld]:
    with Cache(Path("c.sqlite")) as cache:
        yield resolved().open(cache)


def film(output: str, **parameters: Any) -> list[Any]:
    usual = {"grid": 8, "size": 32, "frame_size": 64, "fps": 4, "seconds": 1.5}
    return list(dg.photo_film("photos", output=output, **usual | parameters))


def notes(events: list[Any], level: str) -> list[str]:
    return [each.text for each in events if isinstance(each, Note) and each.level == level]


# --- the world -------------------------------------------------------------------------------


def test_every_photo_is_exact_in_its_place_however_deep(world: PhotoWorld) -> None:
    chance = random.Random(1)
    path: CellPath = tuple(chance.randrange(18, 46) for _ in range(30))
    assert max(world.residual(path[:depth]) for depth in (1, 2, 10, 30)) <= 1


def test_a_cell_shows_a_photo_bent_to_it(world: PhotoWorld) -> None:
    likeness = []
    for cell in range(0, 64, 5):
        seen, own = world.picture((cell,)), world.bank.pictures[world.index((cell,))]
        likeness.append(np.corrcoef(seen.reshape(-1), own.reshape(-1))[0, 1])
    assert np.mean(likeness) > 0.5
    assert {world.index((cell,)) for cell in range(64)} <= set(range(24))


def test_neighbours_show_different_photos(world: PhotoWorld) -> None:
    for leads in world.bank.next:
        rows = leads.reshape(8, 8)
        assert (rows[:, 1:] != rows[:, :-1]).mean() > 0.95


def test_the_loop_closes_exactly(world: PhotoWorld) -> None:
    looped = world.looped(choose_loop(world, 2))
    shown = ZoomFilm(looped, Size(64, 64), 4, 8)
    assert np.array_equal(shown.frame(0), shown.frame(8))
    loop = looped.manifest.loop
    assert looped.residual(loop) <= 1
    assert looped.residual(loop[:-1]) <= 1


def test_seen_large_a_photo_is_cut_from_its_own_file() -> None:
    for number in range(6):
        fine = photo(number, 600, 400)
        fine[::2] = 255 - fine[::2]  # lines that no preview keeps
        Image.fromarray(fine).save(f"photos/{number:04d}.jpg", quality=95)
    tiles = [f"photos/{number:04d}.jpg" for number in range(6)]
    made = resolved(tiles=tiles, grid="40")
    with Cache(Path("c.sqlite")) as cache:
        canvas = made.open(cache).canvas((820,)).astype(float)
    assert canvas.shape == (320, 320, 3)
    assert np.abs(np.diff(canvas.mean((1, 2)))).mean() > 5


def test_the_same_photos_make_the_same_world_wherever_they_are() -> None:
    before = resolved().manifest.id
    Path("photos").rename("elsewhere")
    assert resolved(tiles=["elsewhere"]).manifest.id == before
    Image.fromarray(photo(99)).save("elsewhere/0000.jpg")
    assert resolved(tiles=["elsewhere"]).manifest.id != before


def test_of_many_photos_those_are_taken_that_cover_the_colours_of_all() -> None:
    made = resolved(6)
    assert len(made.bank.next) == 6
    everything = resolved()
    assert made.bank.coverage.error > everything.bank.coverage.error
    first = resolved(tiles=["photos/0000.jpg", "photos/0001.jpg"])
    assert np.array_equal(made.bank.pictures[0], first.bank.pictures[0])


def test_it_may_start_from_a_picture_that_is_no_photo_of_the_folder() -> None:
    picture(Path("me.png"))
    made = resolved(image="me.png")
    assert len(made.bank.next) == 25
    with Cache(Path("c.sqlite")) as cache:
        root = made.open(cache).picture(())
    shown = Image.fromarray(read_image("me.png")).crop((20, 0, 140, 120)).resize((32, 32))
    assert np.abs(root.astype(float) - np.asarray(shown)).mean() < 40
    assert 0 not in made.bank.next[5][:4] or len(set(made.bank.next[5])) > 3


def test_a_picture_that_is_no_square_is_cut_and_told_or_kept_whole() -> None:
    Image.fromarray(np.full((40, 160, 3), (200, 30, 30), np.uint8)).save("wide.png")
    pixels = read_image("wide.png").copy()
    pixels[:, :40] = (30, 30, 200)  # what a square in the middle has nothing of
    Image.fromarray(pixels).save("wide.png")
    shown, said = {}, {}
    for fit in ("cover", "pad"):
        spec = PhotoWorldSpec.of(tiles=["photos"], grid="8", size=32, image="wide.png", fit=fit)
        with Cache(Path(f"{fit}.sqlite")) as cache:
            events = list(resolve_photo_world(spec, 100))
            shown[fit] = resolved(image="wide.png", fit=fit, crop="centre").open(cache).picture(())
        said[fit] = " ".join(notes(events, "note"))
    assert "wide.png is 160x40: what does not fit into a square is cut off" in said["cover"]
    assert "fit" not in said["pad"]
    assert (shown["cover"][..., 2] < 60).all()
    assert (shown["pad"][12:20, :6, 2] > 150).all()
    assert (
        resolved(image="wide.png").manifest.id != resolved(image="wide.png", fit="pad").manifest.id
    )


def test_a_film_remembers_how_its_picture_came_to_a_square() -> None:
    picture(Path("me.png"))
    film("a", image="me.png", fit="pad")
    spec, _ = remembered_film(text_of(Path("a/000000.png")))
    assert spec.world.fit == "pad"
    film("b", image="me.png")
    assert remembered_film(text_of(Path("b/000000.png")))[0].world.fit == "cover"


def test_what_was_looked_at_of_a_large_bank_is_told() -> None:
    few, all_of_them = resolved(6).bank.coverage, resolved().bank.coverage
    assert "6 pictures cover" in str(few)
    assert "of their own cells within" in str(few)
    assert all_of_them.looked_at == 8
    assert re.search(
        r"24 pictures cover \d+% of the cells of a sample of 8 within", str(all_of_them)
    )


def test_one_photo_is_too_few() -> None:
    with pytest.raises(InputError, match="two photos or more"):
        resolved(tiles=["photos/0000.jpg"])


# --- films -----------------------------------------------------------------------------------


def test_a_film_of_photos_is_made_again_by_what_it_remembers(digress: Digress) -> None:
    album(Path("photos"), 24)
    ran = digress(
        *("zoom", "--tiles", "photos", *SMALL, "--frame-size", "64", "--fps", "4"),
        *("--seconds", "1.5", "-o", "frames"),
    )
    assert ran.code == 0, ran.err
    assert "closes: the root equals its cell there to 0." in ran.out
    assert digress("replay", "frames/000000.png", "-o", "again").code == 0
    for number in range(6):
        one, two = (read_image(f"{place}/{number:06d}.png") for place in ("frames", "again"))
        assert np.array_equal(one, two)
    text = text_of(Path("frames/000000.png"))
    assert XMP not in text  # no AI made it
    assert "digressions" not in text
    spec, _ = remembered_film(text)
    assert isinstance(spec, PhotoFilmSpec)
    assert spec.count == 6


def test_a_replay_says_that_photos_are_others() -> None:
    film("a.gif")
    Image.fromarray(photo(77)).save("photos/0003.jpg")
    events = list(dg.replay("a.gif", output="b.gif"))
    assert "there are other photos in photos than when a.gif was made" in notes(events, "note")[-1]


def test_paths_are_forgotten_if_asked() -> None:
    picture(Path("secret.png"))
    film("frames", image="secret.png", forget_paths=True)
    film("known", image="secret.png")
    assert b"secret" in Path("known/000000.png").read_bytes()
    content = Path("frames/000000.png").read_bytes()
    assert b"secret" not in content
    assert b'"tiles"' not in content
    with pytest.raises(InputError, match="forget_paths"):
        finish(dg.replay("frames/000000.png", output="again"))


def test_a_film_that_was_stopped_goes_on() -> None:
    work = dg.photo_film("photos", output="a", grid=8, size=32, frame_size=64, fps=4, seconds=1.5)
    for event in work:
        if getattr(event, "task", "") == "placing" and event.done > 1:
            break
    work.close()
    events = film("a")
    assert "are already placed" in " ".join(notes(events, "info"))


# --- sites and pages -------------------------------------------------------------------------


def test_a_site_is_under_its_limit_and_names_no_photo(digress: Digress) -> None:
    album(Path("photos"), 24)
    ran = digress("export-site", "--tiles", "photos", *SMALL, "--max-mb", "1", "-o", "site")
    assert ran.code == 0, ran.err
    files = [path for path in Path("site").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1_000_000
    assert len(list(Path("site/bank").glob("*.map"))) == 24
    assert not any(b"0007.jpg" in path.read_bytes() for path in files)
    leads = np.frombuffer(Path("site/bank/5.map").read_bytes(), np.uint8)
    assert np.array_equal(leads, resolved().bank.next[5])
    again = digress("export-site", "--tiles", "photos", *SMALL, "--max-mb", "1", "-o", "site")
    assert again.code == 0, again.err  # the same site
    ran = digress("export-site", "--tiles", "photos", *SMALL, "--max-mb", "0.04", "-o", "less")
    assert ran.code == 2
    assert "do not fit in 0.04 MB" in ran.err


def test_a_film_of_other_photos_stays_unless_it_may_go(digress: Digress) -> None:
    line = ("zoom", "--tiles", "photos", *SMALL, "--frame-size", "64x48", "--seconds", "1")
    assert digress(*line, "--fps", "4", "-o", "a.webp").code == 0
    before = Path("a.webp").read_bytes()
    ran = digress(*line, "--fps", "5", "-o", "a.webp")
    assert (ran.code, "--overwrite" in ran.err, Path("a.webp").read_bytes()) == (2, True, before)
    assert digress(*line, "--fps", "5", "-o", "a.webp", "--overwrite").code == 0
    with Image.open("a.webp") as film_of_photos:
        assert (film_of_photos.size, film_of_photos.n_frames) == ((64, 48), 5)


def test_a_page_of_photos_is_served(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "serve", "--tiles", "photos", *SMALL, "--port", "0"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=tmp_path, text=True, preexec_fn=heed_interrupts
    )
    try:
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        address = next(line.split()[0] for line in lines if line.startswith("http://"))
        about = json.load(urllib.request.urlopen(f"{address}world.json"))
        assert (about["title"], about["columns"]) == ("photos", 8)
        assert (about["width"], about["height"], about["canvas"]) == (32, 32, 64)
        content = urllib.request.urlopen(f"{address}pictures/?cells=3,4").read()
        assert content.startswith(b"\x89PNG")
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("command", ["zoom", "serve", "screensaver", "export-site"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a frog", "--tiles", "photos"], "leave the prompt out"),
        (["--tiles", "photos", "--strength", "0.5"], "--strength is about painting"),
        (["--tiles", "photos", "--device", "cpu"], "--device is about painting"),
        (
            ["--tiles", "photos", "--grid", "8x6"],
            "as many cells across as down, since each cell holds a picture; give one number",
        ),
        (["--tiles", "photos", "--fit", "pad"], "--fit is about a start picture"),
        (
            ["--tiles", "photos", "--image", "photos/0001.jpg", "--fit", "contain"],
            "pictures of a world of photos are squares; choose cover or pad",
        ),
        (["--tiles", "nowhere"], "there is no such file or folder"),
        (["a frog", "--crop", "centre"], "--crop is about photos"),
        ([], "give --tiles"),
    ],
)
def test_bad_input_is_one_line(
    digress: Digress, command: str, arguments: list[str], words: str
) -> None:
    album(Path("photos"), 3)
    ran = digress(command, *arguments)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err
    assert not Path("out/worlds.sqlite").exists()


def test_a_site_says_where_it_is() -> None:
    from digressions.worlds.photo_site import export_photo_site
    from digressions.worlds.photo_world_spec import PhotoSiteSpec

    spec = PhotoSiteSpec.of(tiles=["photos"], grid="8", size=32, reuse=10)
    (saved,) = (each for each in export_photo_site(spec) if isinstance(each, Saved))
    assert saved.path == Path("out/photos-site")
    assert saved.details["pictures"] == 10
