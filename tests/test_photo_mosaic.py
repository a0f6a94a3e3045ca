"""A mosaic of the user's photos: exact, whole after any kill, honest about what was left out."""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import digressions as dg
from benchmarks.measure import errors, kept
from digressions.errors import ImageError, InputError, OutputError
from digressions.events import Estimate, Event, Note, Progress, Saved
from digressions.generate.results import finish
from digressions.geometry import Grid, Size
from digressions.images.image_files import cover, read_image, read_text
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.photos.photo_build import build_photos, remembered_photos
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec, photo_mosaic_of

from .albums import album, photo, picture
from .conftest import Ran, heed_interrupts, tree

Digress = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("me.png"))
    album(Path("photos"), 60)


def a_spec(**parameters: Any) -> PhotoMosaicSpec:
    usual: dict[str, Any] = {"image": "me.png", "tiles": ["photos"], "grid": "8", "size": 32}
    return PhotoMosaicSpec.of(**usual | parameters)


def made(output: str = "m", **parameters: Any) -> list[Event]:
    return list(build_photos(a_spec(**parameters), output))


def notes(events: Iterable[Event], level: str | None = None) -> str:
    return "\n".join(e.text for e in events if isinstance(e, Note) and level in (None, e.level))


def whole(folder: str | Path) -> np.ndarray:
    """The mosaic of a folder, from its store."""
    db = sqlite3.connect(Path(folder) / "pictures.sqlite")
    manifest = json.loads((Path(folder) / "manifest.json").read_text("utf-8"))
    rows = db.execute("select png from pictures order by cell").fetchall()
    db.close()
    cells = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for (png,) in rows]
    across = manifest["columns"]
    lines = [np.concatenate(cells[k : k + across], 1) for k in range(0, len(cells), across)]
    return np.concatenate(lines)


def chosen(folder: str | Path) -> list[tuple[str, int]]:
    db = sqlite3.connect(Path(folder) / "pictures.sqlite")
    rows = db.execute("select photo, turn from choice order by cell").fetchall()
    db.close()
    return rows


# --- exact -----------------------------------------------------------------------------------


@pytest.mark.parametrize("band", [1, 2, 4, 8])
def test_averaged_back_it_is_the_picture(band: int) -> None:
    made(band=band)
    grid = Grid(8, 6)
    found = errors(whole("m"), read_image("m/base.png"), grid, band)
    assert found.largest <= 0.75


def test_each_photo_stays_itself() -> None:
    made()
    made("unbent", band=0)
    bent_choice, plain_choice = chosen("m"), chosen("unbent")
    db = sqlite3.connect("m/pictures.sqlite")
    db.execute("delete from pictures")
    db.close()
    assert len(bent_choice) == len(plain_choice) == 48
    # With nothing bent a cell is the photo: what was chosen for the exact mosaic, unbent.
    made("half", bend=0.0)
    assert kept(whole("half"), whole("half"), Grid(8, 6)) == pytest.approx(1)
    made()  # the cells that are gone are made again
    assert len(chosen("m")) == 48
    assert errors(whole("m"), read_image("m/base.png"), Grid(8, 6), 2).largest <= 0.75


def test_bending_goes_half_the_way() -> None:
    fidelity = {}
    for bend in (0.0, 0.5, 1.0):
        events = made(f"m{bend}", bend=bend)
        (saved,) = (event for event in events if isinstance(event, Saved))
        fidelity[bend] = saved.details
    assert fidelity[0.0]["bending"] == {"mean": 0, "worst": 0}
    psnr = [fidelity[bend]["fidelity"]["band_psnr"] for bend in (0.0, 0.5, 1.0)]
    assert psnr[0] < psnr[1] < psnr[2]
    assert psnr[2] > 60
    assert 0 < fidelity[0.5]["bending"]["mean"] < fidelity[1.0]["bending"]["mean"]


def test_what_was_bent_is_told_and_what_was_gained() -> None:
    text = notes(made())
    assert "fidelity at 2x2 values a cell: " in text
    assert "as the photos were, unbent: at 2x2 values a cell: " in text
    assert "photos were bent by " in text
    manifest = json.loads(Path("m/manifest.json").read_text("utf-8"))
    assert manifest["fidelity"]["largest"] < 0.75 < manifest["unbent"]["largest"]
    assert 0 < manifest["bending"]["mean"] <= manifest["bending"]["worst"]
    assert "unbent" not in notes(made("plain", band=0))


def test_pricing_the_bending_in_means_less_of_it() -> None:
    """Chosen by colour alone, photos of this album need more bending to be as exact."""
    events = made()
    (saved,) = (event for event in events if isinstance(event, Saved))
    assert saved.details["fidelity"]["fine_psnr"] > saved.details["unbent"]["fine_psnr"]


# --- photos ----------------------------------------------------------------------------------


def test_no_photo_too_often_and_none_too_near() -> None:
    text = notes(made(repeat=2, apart=2))
    used = Counter(photo for photo, _ in chosen("m"))
    assert max(used.values()) <= 2
    assert f"{len(used)} photos shown, none more than " in text
    places: dict[str, list[tuple[int, int]]] = {}
    for cell, (name, _) in enumerate(chosen("m")):
        places.setdefault(name, []).append(divmod(cell, 8))
    for where in places.values():
        for r, c in where:
            for s, d in where:
                assert (r, c) == (s, d) or max(abs(r - s), abs(c - d)) > 2


def test_every_photo_once() -> None:
    made(grid="auto")
    used = Counter(photo for photo, _ in chosen("m"))
    assert set(used.values()) == {1}
    manifest = json.loads(Path("m/manifest.json").read_text("utf-8"))
    assert (manifest["columns"], manifest["rows"]) == (8, 6)  # 9 x 7 would take 63


def test_too_few_photos_are_refused_with_the_number_that_is_missing() -> None:
    with pytest.raises(InputError, match=r"80 cells, and 60 photos .*: at least 20 more are"):
        made(grid="10x8", repeat=1)
    assert not Path("m").exists()


def test_one_photo_makes_a_mosaic() -> None:
    album(Path("one"), 1)
    events = made(tiles=["one"], repeat=None)
    assert "1 photo shown, none more than 48 times" in notes(events)
    assert "could not but show a photo that is also shown within 3 cells" in notes(events, "note")
    assert errors(whole("m"), read_image("m/base.png"), Grid(8, 6), 2).largest <= 0.75


def test_mirrored_and_rotated_photos_fit_better() -> None:
    made("plain")
    made("turned", mirrored=True, rotated=True)
    assert {turn for _, turn in chosen("plain")} == {0}
    assert len({turn for _, turn in chosen("turned")}) > 3
    (plain, turned) = (
        json.loads(Path(name, "manifest.json").read_text("utf-8")) for name in ("plain", "turned")
    )
    assert turned["fidelity"]["fine_psnr"] > plain["fidelity"]["fine_psnr"]


@pytest.mark.parametrize(("aspect", "cell"), [("3:2", (48, 32)), ("2:3", (32, 48))])
def test_cells_of_another_aspect(aspect: str, cell: tuple[int, int]) -> None:
    made(cell_aspect=aspect, grid="6")
    mosaic = whole("m")
    manifest = json.loads(Path("m/manifest.json").read_text("utf-8"))
    grid = Grid(manifest["columns"], manifest["rows"])
    assert mosaic.shape == (grid.rows * cell[1], grid.columns * cell[0], 3)
    assert abs(mosaic.shape[1] / mosaic.shape[0] - 160 / 120) < 0.2  # the picture's own aspect
    assert errors(mosaic, read_image("m/base.png"), grid, 2).largest <= 0.75
    shown = cover(read_image("me.png"), mosaic.shape[1], mosaic.shape[0])
    assert errors(mosaic, shown, grid, 2).psnr > 35


def test_large_cells_are_cut_from_the_files_themselves() -> None:
    for number in range(4):
        fine = photo(number, 800, 600)
        fine[::2] = 255 - fine[::2]  # lines that no preview keeps
        Image.fromarray(fine).save(f"photos/{number:04d}.jpg", quality=95)
    made(tiles=[f"photos/{number:04d}.jpg" for number in range(4)], size=600, grid="2x1", band=0)
    rows = whole("m").astype(int).mean((1, 2))
    assert np.abs(np.diff(rows)).mean() > 20


def test_a_photo_that_is_gone_by_then_is_taken_from_the_index(tmp_path: Path) -> None:
    work = build_photos(a_spec(size=512, grid="2x1"), "m")
    for event in work:
        if isinstance(event, Note) and "shown" in event.text:
            for path in Path("photos").iterdir():
                path.unlink()
            break
    text = notes(work, "note")
    assert "2 photos had changed or gone since they were chosen: enlarged from the index" in text
    assert errors(whole("m"), read_image("m/base.png"), Grid(2, 1), 2).largest <= 0.75


def test_what_is_left_out_is_told() -> None:
    Path("photos/broken.jpg").write_text("no photo", "utf-8")
    Path("photos/copy.jpg").write_bytes(Path("photos/0003.jpg").read_bytes())
    said = notes(made(size=128), "note")
    assert "left out: 1 file that cannot be read (broken.jpg: is not a picture" in said
    assert "; 1 copy" in said
    assert "60 photos of fewer pixels than a cell of 128x128: enlarged" in said


def test_folders_that_cannot_be_written_will_do() -> None:
    for place in (Path("photos"), *Path("photos").iterdir()):
        place.chmod(0o555 if place.is_dir() else 0o444)
    before = tree(Path("photos"))
    made()
    assert tree(Path("photos")) == before
    Path("photos").chmod(0o755)


# --- killed and taken up again ---------------------------------------------------------------

PROGRAM = (
    "import os, signal, sys\n"
    "from digressions.mosaics.photos.photo_build import build_photos\n"
    "from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec\n"
    "from digressions.events import Progress\n"
    "spec = PhotoMosaicSpec.of(image='me.png', tiles=['photos'], grid='16', size=64)\n"
    "for event in build_photos(spec, 'm'):\n"
    "    if isinstance(event, Progress) and event.task.startswith(sys.argv[1]) and event.done:\n"
    "        os.kill(os.getpid(), signal.SIGKILL)\n"
)


@pytest.mark.parametrize("task", ["indexing", "choosing", "placing", "writing"])
def test_a_killed_run_goes_on_and_makes_the_same(task: str) -> None:
    list(build_photos(a_spec(grid="16", size=64), "untouched"))
    Path("out/photos.sqlite").unlink()
    killed = subprocess.run([sys.executable, "-c", PROGRAM, task], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not Path("m/preview.jpg").exists()
    list(build_photos(a_spec(grid="16", size=64), "m"))
    assert np.array_equal(whole("m"), whole("untouched"))
    wanted = {path.relative_to("untouched") for path in Path("untouched").rglob("*.jpg")}
    assert {path.relative_to("m") for path in Path("m").rglob("*.jpg")} == wanted


def test_a_mosaic_that_was_begun_stays_with_its_photos() -> None:
    made()
    before = whole("m")
    Path("photos/0001.jpg").unlink()
    album(Path("photos"), 5, first=100)
    events = made()
    assert "there are other photos than when this mosaic was begun" in notes(events, "note")
    assert np.array_equal(whole("m"), before)
    (cost,) = (event for event in events if isinstance(event, Estimate))
    different = len({photo for photo, _ in chosen("m")})
    assert f"of {different} photos chosen when it was begun; about" in cost.text


def test_a_mosaic_that_was_begun_needs_no_more_photos() -> None:
    made(repeat=1)
    for path in sorted(Path("photos").iterdir())[:20]:
        path.unlink()
    events = made(repeat=1)
    assert "there are other photos than when this mosaic was begun" in notes(events, "note")
    with pytest.raises(InputError, match="at least 8 more are needed"):
        made("another", repeat=1)


def test_photos_that_go_before_any_is_chosen_make_the_grid_coarser() -> None:
    events = build_photos(a_spec(grid="auto"), "m")
    for event in events:
        if isinstance(event, Progress) and event.task == "choosing photos":
            break
    events.close()  # type: ignore[attr-defined]
    assert read_image("m/base.png").shape[:2] == (48, 64)
    for path in sorted(Path("photos").iterdir())[:30]:
        path.unlink()
    made(grid="auto")
    assert len(chosen("m")) == 24
    assert errors(whole("m"), read_image("m/base.png"), Grid(6, 4), 2).largest <= 0.75


def test_a_folder_of_another_job_is_refused(bundled: Any) -> None:
    made()
    with pytest.raises(OutputError, match="belongs to another job"):
        made(band=4)
    finish(dg.mosaic(bundled, "a frog", size=32, grid=1, steps=1, output="painted"))
    with pytest.raises(OutputError, match="belongs to another job"):
        made("painted")


# --- what is written -------------------------------------------------------------------------


def test_the_page_names_photos_and_leads_to_them() -> None:
    album(Path("photos/sub [x]"), 1, first=80)
    os.rename("photos/sub [x]/0080.jpg", "photos/sub [x]/a #1 é.jpg")  # noqa: PTH104
    made(tiles=["photos/sub [x]", "photos"], grid="auto")
    page = Path("m/index.html").read_text("utf-8")
    data = json.loads(page.split('id="mosaic">')[1].split("</script>")[0])
    photos = data["photos"]
    assert data["title"] == "me"
    assert len(photos["shown"]) == data["grid"]["rows"] * data["grid"]["columns"]
    number = photos["names"].index("a #1 é.jpg")
    assert photos["links"][number] == "../photos/sub%20%5Bx%5D/a%20%231%20%C3%A9.jpg"
    for link, name in zip(photos["links"], photos["names"], strict=True):
        place = Path("m", unquote(link)).resolve()
        assert place.name == name
        assert place.is_file()


def test_a_picture_whose_name_is_no_text_names_the_page() -> None:
    place = os.fsdecode(b"m\xe9.png")
    Path("me.png").rename(place)
    made(image=place)
    assert "<title>m?" in Path("m/index.html").read_text("utf-8")


def test_paths_are_remembered_as_typed_or_not_at_all(tmp_path: Path) -> None:
    made()
    made("secret", forget_paths=True)
    for folder, known in (("m", True), ("secret", False)):
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        contents = b"".join(path.read_bytes() for path in files if "viewer" not in path.parts)
        assert os.fsencode(tmp_path) not in contents
        assert (b"photos/" in contents or b'"photos"]' in contents) == known
        assert (b"me.png" in contents) == known
        assert any(f"{number:04d}.jpg".encode() in contents for number in range(60)) == known
    assert np.array_equal(whole("m"), whole("secret"))


def test_one_big_image_remembers_too() -> None:
    list(build_photos(a_spec(), "m", BuildParams(single="tif")))
    assert Image.open("m/mosaic.tif").size == (256, 192)
    for name in ("mosaic.tif", "preview.jpg", "base.png"):
        assert json.loads(read_text(f"m/{name}")["photos"])["photos"]["tiles"] == ["photos"]


def test_replaying_makes_it_again(digress: Digress) -> None:
    made(mirrored=True, repeat=3)
    ran = digress("replay", "m/preview.jpg", "-o", "again")
    assert ran.code == 0, ran.err
    assert ran.err.count("note:") == 0
    assert np.array_equal(whole("m"), whole("again"))
    album(Path("photos"), 3, first=200)
    ran = digress("replay", "m/preview.jpg", "-o", "third")
    assert "note: there are other photos in photos than when m/preview.jpg was made" in ran.err
    events = iter(dg.replay("m/preview.jpg", output="fifth"))
    for event in events:
        if isinstance(event, Progress) and event.task == "placing photos":
            album(Path("photos"), 1, first=300)  # after they were listed
            break
    assert "there are other photos in photos than when" in notes(events, "note")
    made("secret", forget_paths=True)
    ran = digress("replay", "secret/preview.jpg", "-o", "fourth")
    assert ran.code == 2
    assert "this was made with --forget-paths: it does not say of which photos" in ran.err


# --- doors -----------------------------------------------------------------------------------


def test_command_and_python_make_the_same(digress: Digress) -> None:
    line = ("mosaic", "--image", "me.png", "--tiles", "photos", "--grid", "8", "--size", "32")
    ran = digress(*line, "--mirrored")
    assert ran.code == 0, ran.err
    assert "8x6 cells of 32x32 px" in ran.out
    events = dg.photo_mosaic("me.png", "photos", grid=8, size=32, mirrored=True, output="b")
    assert finish(events) == [Path("b/index.html")]
    assert np.array_equal(whole("out/me"), whole("b"))
    pixels = read_image("me.png")
    finish(dg.photo_mosaic(pixels, [Path("photos")], grid=(8, 6), size=32, mirrored=True))
    assert np.array_equal(whole("out/photos"), whole("b"))


def test_a_preset_sets_what_a_mosaic_of_photos_has() -> None:
    events = list(build_photos(a_spec(preset="gift", grid="4"), "m"))
    assert notes(events).startswith("preset gift: `single` jpg")
    assert Path("m/mosaic.jpg").exists()
    assert a_spec(preset="draft", grid=None).grid == "24"
    with pytest.raises(InputError, match="screensaver is not for this"):
        a_spec(preset="screensaver")


def test_the_signature_shows_what_is_declared() -> None:
    shown = inspect.signature(dg.photo_mosaic).parameters
    assert PhotoMosaicSpec.flat_fields().keys() <= shown.keys()


def test_nothing_is_loaded_for_it() -> None:
    program = (
        "import sys\n"
        "from digressions.cli.app import main\n"
        "main('mosaic --image me.png --tiles photos --grid 2 --size 16'.split())\n"
        "loaded = [name for name in ('diffusers', 'transformers', 'ncnn') if name in sys.modules]\n"
        "print('loaded', loaded)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "loaded []"


REFUSED = [
    (("a frog", "--image", "me.png", "--tiles", "photos"), "leave the prompt out"),
    (("--tiles", "photos"), "--image is missing"),
    (("--image", "me.png"), "say what to paint"),
    (("a frog", "--repeat", "2"), "--repeat is about photos"),
    (("a frog", "--forget-paths"), "--forget-paths is about photos"),
    (("--image", "me.png", "--tiles", "photos", "--strength", "0.5"), "--strength is about paint"),
    (("--image", "me.png", "--tiles", "photos", "--model", "x"), "--model is about painting"),
    (("--image", "me.png", "--tiles", "photos", "--profile"), "--profile is about painting"),
    (("--image", "me.png", "--tiles", "nowhere"), "--tiles nowhere: there is no such file"),
    (("--image", "none.png", "--tiles", "photos"), "none.png: there is no such file"),
    (("--image", "me.png", "--tiles", "photos", "--grid", "300"), "--grid 300x300 does not fit"),
    (("--image", "me.png", "--tiles", "photos", "--grid", "9", "--repeat", "1"), "at least 3 more"),
    (("--image", "me.png", "--tiles", "photos", "--cell-aspect", "9:1"), "--cell-aspect '9:1'"),
    (("--image", "me.png", "--tiles", "photos", "--size", "33"), "not a multiple of --band 2"),
    (("--image", "me.png", "--tiles", "photos", "--bend", "2"), "--bend 2.0 is out of range"),
    (("--image", "me.png", "--tiles", "photos", "--bend", "0.5", "--band", "0"), "--bend does no"),
    (("--image", "me.png", "--tiles", "photos", "--index", "photos"), "--index photos is a folder"),
]


@pytest.mark.parametrize(("arguments", "why"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], why: str
) -> None:
    assert why in refused("mosaic", *arguments)


def test_the_cost_is_said_first() -> None:
    events = made()
    (cost,) = (event for event in events if isinstance(event, Estimate))
    assert cost.text.startswith("8x6 cells of 32x32 px, together 256 x 192 px")
    assert "of 60 photos used at most 2 times" in cost.text


def test_the_grid_keeps_all_of_the_picture_or_a_note_says_what_not(digress: Digress) -> None:
    asked = ("mosaic", "--image", "me.png", "--tiles", "photos", "--grid", "8x8", "--size", 32)
    ran = digress(*asked, "-o", "cover")
    assert ran.code == 0, ran.err
    assert "note: me.png is 160x120: 20 px are cut off at its left" in ran.err
    assert "(--fit contain or pad keeps all of it)" in ran.err
    for fit, size in (("contain", (48, 64)), ("pad", (64, 64))):
        ran = digress(*asked, "--fit", fit, "-o", fit)
        assert ran.code == 0, ran.err
        assert "cut off" not in ran.err
        assert read_image(f"{fit}/base.png").shape[:2] == size
        assert digress("replay", f"{fit}/preview.jpg", "-o", f"{fit}-again").code == 0
        assert np.array_equal(whole(f"{fit}-again"), whole(fit))
    padded, own = read_image("pad/base.png").astype(int), Image.open("me.png").resize((64, 48))
    assert np.abs(padded[8:56] - np.asarray(own)).mean() < 4
    assert "belongs to another job" in digress(*asked, "-o", "pad").err


def test_the_finest_grid_that_photos_allow() -> None:
    spec = a_spec(grid="auto", repeat=3)
    grid = spec.grid_for(Size(1600, 1200), 60)
    assert grid == (15, 11)  # 16 x 12 would take 192
    assert photo_mosaic_of(spec, grid, 60).repeat == 3
    assert a_spec(grid="auto").grid_for(Size(1000, 10), 10**6) == (256, 3)
    assert a_spec(grid="auto").grid_for(Size(7, 5), 10**6) == (7, 5)


def test_damaged_settings_are_one_line() -> None:
    made()
    text = read_text("m/preview.jpg")["photos"]
    for damage in ("{", "[]", "{}", text.replace('"8"', '"x"'), text.replace("me.png", "no.png")):
        with pytest.raises((ImageError, InputError)):
            remembered_photos({"photos": damage})


def test_ctrl_c_keeps_what_is_done() -> None:
    line = ["mosaic", "--image", "me.png", "--tiles", "photos", "--grid", "60", "--size", "64"]
    program = f"from digressions.cli.app import main\nmain({line!r})\n"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    for _ in range(1200):
        if Path("out/me/pictures.sqlite").exists():
            break
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "stopped; what is done is kept" in err
    assert "the same command goes on" in err


def test_what_it_takes_is_said_before_anything_is_written(tmp_path: Path) -> None:
    before = tree(tmp_path)
    first, timed = dg.photo_mosaic_cost("me.png", "photos", grid="8", size=32, index="own.sqlite")
    assert tree(tmp_path) == before
    assert first.text.startswith("8x6 cells of 32x32 px, together 256 x 192 px")
    assert first.disk == int(256 * 192 * 2.6)
    assert (first.seconds, first.pictures) == (None, 0)
    assert timed.seconds is not None
    assert 0 < timed.seconds < 600
    assert timed.text.startswith(f"{first.text}; about ")
    (said,) = (each for each in made(index="own.sqlite") if isinstance(each, Estimate))
    assert (said.disk, said.pictures) == (first.disk, 0)
    with pytest.raises(InputError, match="no such file"):
        next(dg.photo_mosaic_cost("me.png", "nowhere"))
