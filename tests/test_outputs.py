"""Nothing of the user's is overwritten, and what keeps a file from being written is found first."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import digressions as dg
from digressions.errors import InputError, OutputError
from digressions.files import check_file, check_folder, output_path, slug, writing
from digressions.geometry import Size
from digressions.images.image_files import read_image, read_text, write_image
from digressions.images.text_chunks import fitting
from digressions.images.video import FrameList, check_video, uneven_rate, write_video
from digressions.images.xmp import texts_of_xmp, xmp_packet
from digressions.models.base import Model

from .conftest import Ran, tree
from .walls import framed, stripes

Digress = Callable[..., Ran]
Refused = Callable[..., str]

LONG = "a large old green turtle on a long beach of sand in the hot sun"
QUICK = ("--steps", "2", "--size", "16")
LANCZOS = ("--upscaler", "lanczos")
SMALL = ("--grid", "4", "--steps", "2", "--levels", "1", "--frame-size", "32", "--size", "16")
TAKEN = "is there already, and these settings did not make it: choose another -o, or give --over"


@pytest.fixture
def fox(tmp_path: Path, photo: np.ndarray) -> Path:
    return write_image(tmp_path / "fox.png", photo)


FULL = Path("/dev/full")


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompts",
    [("frog", "frog"), ("海亀の写真", "猫の写真"), (f"{LONG} a", f"{LONG} b"), ("🐢", "🐸")],
)
def test_a_name_of_our_own_is_free(digress: Digress, prompts: tuple[str, str]) -> None:
    kept: dict[Path, bytes | None] = {}
    for prompt in prompts:
        assert digress("paint", prompt, *QUICK).code == 0
        now = tree(Path("out"))
        assert kept.items() < now.items()
        assert len(now) == len(kept) + 1
        kept = now


def test_names_keep_letters_of_every_script_and_fit_every_system() -> None:
    assert slug("Ein Frosch, grün!") == "ein-frosch-grün"
    assert slug("क्षत्रिय") == "क्षत्रिय"
    assert len(slug("𠀀" * 100).encode()) <= 180
    assert slug("a" * 59 + "𠀀b") == "a" * 59 + "𠀀"


COMMANDS = {
    "paint": (("frog", *QUICK), ["out/frog.png"]),
    "several": (("frog", "-n", "2", *QUICK), ["out/frog-sheet.png"]),
    "print": (("fox.png", "--size", "5x5cm", "--proof", *LANCZOS), ["fox.pdf", "fox-proof.png"]),
    "upscale": (("fox.png", "--times", "2", *LANCZOS), ["fox-upscaled.png"]),
    "zoom": (("frog", *SMALL, "--seconds", "0.2", *LANCZOS), ["out/frog.mp4"]),
    "ensemble": (("frog", "fox", *QUICK), ["out/frog-fox.png"]),
    "compare": (("frog", "fox", "--sweep", "2", *QUICK), ["out/frog-fox-sweep.png"]),
    "frame": (("wall.png", "--insert", "fox.png"), ["out/wall-frame/room.png"]),
    "replay": (("frog.png",), ["frog-replay.png"]),
    "mosaic": (("frog", "--grid", "2", "--steps", "2"), ["out/frog/index.html"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_replaces_what_has_its_usual_name(
    digress: Digress, fox: Path, name: str
) -> None:
    arguments, outputs = COMMANDS[name]
    write_image("wall.png", framed())
    assert digress("paint", "frog", *QUICK, "-o", "frog.png").code == 0
    for output in outputs:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text("mine")
    before = tree(Path())
    command = {"several": "paint", "compare": "ensemble"}.get(name, name)
    ran = digress(command, *arguments)
    assert ran.code == 0, ran.err
    after = tree(Path())
    assert before.items() <= after.items()
    assert len(after) > len(before)


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"several", "mosaic", "frame"}))
def test_a_place_that_holds_something_else_is_refused_unless_it_may_go(
    digress: Digress, refused: Refused, fox: Path, name: str
) -> None:
    arguments, (output, *_) = COMMANDS[name]
    command = {"compare": "ensemble"}.get(name, name)
    assert digress("paint", "frog", *QUICK, "-o", "frog.png").code == 0
    target = Path("other").with_suffix(Path(output).suffix)
    target.write_text("mine")
    line = (command, *arguments, "-o", target)
    if command in ("paint", "zoom", "ensemble", "replay"):  # once the model tells its hash
        before = tree(Path())
        ran = digress(*line)
        assert ran.code == 2
        assert TAKEN in ran.err
        assert {p for p in tree(Path()) if "sqlite" not in p.name and p.name != "out"} == {*before}
    else:
        assert TAKEN in refused(*line)
    assert digress(*line, "--overwrite").code == 0
    assert target.read_bytes() != b"mine"


def test_what_the_same_settings_made_is_made_again(digress: Digress, fox: Path) -> None:
    seed = ("--seed", "3")
    for line in (
        ("paint", "frog", *QUICK, *seed, "-o", "a.png"),
        ("paint", "frog", "-n", "2", *QUICK, *seed, "-o", "b.png"),
        ("ensemble", "frog", "fox", "--balance", *QUICK, *seed, "-o", "c.png"),
        ("print", "fox.png", "--size", "5x5cm", *LANCZOS, "-o", "d.pdf"),
        ("upscale", "fox.png", "--times", "2", *LANCZOS, "-o", "e.jpg"),
        ("zoom", "frog", *SMALL, *LANCZOS, "--seconds", "0.2", "-o", "f.gif"),
        ("replay", "a.png", "-o", "g.png"),
    ):
        assert digress(*line).code == 0
        before = {path: each for path, each in tree(Path()).items() if "sqlite" not in path.name}
        ran = digress(*line)
        assert ran.code == 0, ran.err
        after = {path: each for path, each in tree(Path()).items() if "sqlite" not in path.name}
        assert after == before


def test_a_frame_keeps_pictures_of_other_settings(digress: Digress) -> None:
    write_image("wall.png", framed())
    line = ("wall.png", "--steps", "2", *LANCZOS)
    assert digress("frame", *line, "frog").code == 0
    before = tree(Path("out"))
    assert digress("frame", *line, "frog").code == 0  # continued
    assert tree(Path("out")) == before
    assert digress("frame", *line, "fox").code == 0
    assert before.items() < tree(Path("out")).items()
    assert Path("out/wall-frame-2/room.png").is_file()
    ran = digress("frame", *line, "fox", "-o", "out/wall-frame")
    assert ran.code == 2
    assert TAKEN in ran.err
    assert digress("frame", *line, "fox", "-o", "out/wall-frame", "--overwrite").code == 0


def test_a_pick_keeps_the_pictures_of_another(digress: Digress) -> None:
    """By the same rule as everything else: a name of our own never replaces a file."""
    write_image("wall.png", framed())
    line = ("frame", "wall.png", "frog", "--steps", "1", *LANCZOS)
    assert digress(*line, "-n", "3").code == 0
    assert digress(*line, "--pick", "1").code == 0
    before = tree(Path("out"))
    assert digress(*line, "--pick", "2").code == 0
    assert before.items() < tree(Path("out")).items()
    pictures = [read_image(f"out/wall-frame{n}/picture.png") for n in ("", "-2")]
    assert not np.array_equal(*pictures)
    ran = digress(*line, "--pick", "3", "-o", "out/wall-frame")
    assert (ran.code, TAKEN in ran.err) == (2, True)
    assert digress(*line, "--pick", "3", "-o", "out/wall-frame", "--overwrite").code == 0
    assert not np.array_equal(read_image("out/wall-frame/picture.png"), pictures[0])


JOBS = {
    "mosaic": ("frog", "--grid", "2", "--size", "16", "--steps", "1"),
    "photos": ("--image", "fox.png", "--tiles", "album", "--grid", "2", "--size", "16"),
    "site": ("frog", "--grid", "4", "--size", "16", "--steps", "1", "--reuse", "2", *LANCZOS),
    "photo site": ("--tiles", "album", "--grid", "4", "--size", "16"),
}


@pytest.mark.parametrize("name", JOBS)
def test_a_folder_of_another_job_is_replaced_only_when_it_may_go(
    digress: Digress, fox: Path, name: str
) -> None:
    for name_of_photo, photo in (("a", read_image(fox)), ("b", 255 - read_image(fox)[::-1])):
        write_image(f"album/{name_of_photo}.png", photo)
    commands = {"photos": "mosaic", "site": "export-site", "photo site": "export-site"}
    line = (commands.get(name, name), *JOBS[name])
    other = ("--band", "4") if "photo" in name else ("--seed", "3")
    assert digress(*line, "-o", "a").code == 0
    Path("a/mine.txt").write_text("mine")
    before = tree(Path("a"))
    ran = digress(*line, *other, "-o", "a")
    assert ran.code == 2
    assert "choose another -o, or give --overwrite" in ran.err
    assert tree(Path("a")) == before
    assert digress(*line, *other, "-o", "a", "--overwrite").code == 0
    assert Path("a/mine.txt").read_text() == "mine"
    assert digress(*line, *other, "-o", "fresh").code == 0
    made, fresh = tree(Path("a")), tree(Path("fresh"))
    assert made.keys() - {Path("a/mine.txt")} == {Path("a") / p.relative_to("fresh") for p in fresh}
    assert digress(*line, *other, "-o", "a").code == 0  # it is this job's now


def test_overwriting_takes_only_what_it_writes(digress: Digress) -> None:
    Path("mine").mkdir()
    Path("mine/cat.jpg").write_text("cat")
    Path("mine/preview.jpg").write_text("mine")
    line = ("mosaic", *JOBS["mosaic"], "-o", "mine")
    ran = digress(*line)
    assert (ran.code, "holds other files and no mosaic" in ran.err) == (2, True)
    assert digress(*line, "--overwrite").code == 0
    assert Path("mine/cat.jpg").read_text() == "cat"
    assert Path("mine/preview.jpg").read_bytes() != b"mine"


def test_a_table_is_the_file_that_was_asked_for(digress: Digress) -> None:
    assert digress("ensemble", "frog", "fox", "--sweep", "2", *QUICK, "-o", "x.png").code == 0
    assert {path.name for path in Path().iterdir()} == {"x.png", "x.webp", "x"}


# --- films -----------------------------------------------------------------------------------


def test_a_folder_of_frames_holds_one_film(digress: Digress, fox: Path) -> None:
    line = ("zoom", "frog", *SMALL, *LANCZOS, "-o", "frames")
    assert digress(*line, "--seconds", "1", "--fps", "8").code == 0
    assert len([*Path("frames").iterdir()]) == 8
    other = (*line, "--seconds", "0.5", "--fps", "6")
    ran = digress(*other)
    assert ran.code == 2
    assert f"frames {TAKEN}" in ran.err
    assert digress(*other, "--overwrite").code == 0
    assert [path.name for path in sorted(Path("frames").iterdir())] == [
        f"{number:06}.png" for number in range(3)
    ]
    Path("mixed").mkdir()
    fox.rename("mixed/fox.png")
    ran = digress(*line[:-1], "mixed")
    assert ran.code == 2
    assert f"mixed {TAKEN}" in ran.err


def test_rates_that_a_film_cannot_have_are_refused_first(refused: Refused) -> None:
    for fps in ("60", "120"):
        said = refused("zoom", "frog", *SMALL, "--fps", fps, "-o", "a.gif")
        assert f"--fps {fps}: a .gif has at most 50 frames a second" in said
    assert "at most 90" in refused("zoom", "frog", *SMALL, "--fps", "120", "-o", "a.webp")


def test_a_rate_that_a_gif_has_only_on_average_is_said(digress: Digress) -> None:
    assert [fps for fps in range(1, 51) if uneven_rate(Path("a.gif"), fps) is None] == [
        *(1, 2, 4, 5, 10, 20, 25, 50)
    ]
    line = ("zoom", "frog", *SMALL, *LANCZOS, "--seconds", "0.1", "-o", "a.gif")
    assert "30 frames a second come unevenly" in digress(*line, "--fps", "30").err


def test_a_webp_lasts_as_long_as_it_should(tmp_path: Path) -> None:
    frames = [np.full((8, 8, 3), index * 20, np.uint8) for index in range(12)]
    for _ in write_video(tmp_path / "a.webp", FrameList(frames, 60)):
        pass
    with Image.open(tmp_path / "a.webp") as film:
        durations = []
        for index in range(film.n_frames):
            film.seek(index)
            film.load()
            durations.append(film.info["duration"])
    assert sum(durations) == 200


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp"])
def test_equal_frames_give_equal_bytes(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    film = FrameList([rng.integers(0, 256, (38, 50, 3), np.uint8) for _ in range(5)], 25)
    found = set()
    for number in range(3):
        path = tmp_path / f"{number}{suffix}"
        for _ in write_video(path, film, text={"digressions": "{}"}):
            rng.bytes(1_000_000 * (number + 1))  # memory is not what it was
        found.add(path.read_bytes())
    assert len(found) == 1


def test_the_size_that_a_gif_has_to_fit_is_remembered(digress: Digress) -> None:
    line = ("zoom", "frog", *SMALL, *LANCZOS, "--seconds", "0.5", "--max-mb", "0.01")
    assert digress(*line, "-o", "a.gif").code == 0
    ran = digress("replay", "a.gif", "-o", "b.gif")
    assert ran.code == 0, ran.err
    assert Path("b.gif").read_bytes() == Path("a.gif").read_bytes()
    assert "to fit 0.01 MB" in ran.out
    assert "a film of 12 frames of 32x32" in ran.out


# --- what files have room for ----------------------------------------------------------------


@pytest.fixture
def comfy(fox: Path) -> Path:
    """A picture with a long workflow in it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", json.dumps({"nodes": ["a node"] * 9_000}))
    info.add_text("prompt", json.dumps({"3": {"inputs": {"seed": 4}}}))
    info.add_text("Creation Time", "today")
    Image.open(fox).save("comfy.png", pnginfo=info)
    return Path("comfy.png")


def test_long_texts_of_others_are_dropped_with_a_note(digress: Digress, comfy: Path) -> None:
    for line in (
        ("print", comfy, "--size", "5x5cm", "--dpi", "72", *LANCZOS, "-o", "o.jpg"),
        ("upscale", comfy, "--times", "2", *LANCZOS, "-o", "p.jpg"),
    ):
        ran = digress(*line)
        assert ran.code == 0, ran.err
        assert "no room for what another program left in the picture (workflow)" in ran.err
        texts = read_text(line[-1])
        assert texts["prompt"] == read_text(comfy)["prompt"]
        assert "workflow" not in texts
    ran = digress("upscale", comfy, "--times", "2", *LANCZOS, "-o", "p.png")
    assert (ran.code, "workflow" in read_text("p.png")) == (0, True)
    assert "no room" not in ran.err


def test_our_own_text_that_does_not_fit_is_refused_before_the_work(digress: Digress) -> None:
    ran = digress("paint", "frog " * 20_000, *QUICK, "-o", "a.jpg")
    assert ran.code == 2
    assert "too long for a JPEG" in ran.err
    assert "painting" not in ran.err


def test_names_that_a_kind_of_file_has_no_form_for_are_left_out(digress: Digress) -> None:
    texts = {"digressions": "{}", "Creation Time": "x", "提示": "y", "a" * 80: "z"}
    assert fitting("PNG", texts) == {"digressions": "{}", "Creation Time": "x"}
    assert texts_of_xmp(xmp_packet(texts))["digressions"] == "{}"


def test_a_print_of_a_picture_with_odd_names_remembers(digress: Digress, comfy: Path) -> None:
    line = ("print", comfy, "--size", "5x5cm", "--dpi", "72", *LANCZOS)
    assert digress(*line, "-o", "o.pdf").code == 0
    assert digress("replay", "o.pdf", "-o", "p.pdf").code == 0
    assert Path("o.pdf").read_bytes() == Path("p.pdf").read_bytes()


def test_chunks_of_more_than_a_mebibyte_are_read(digress: Digress, fox: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("workflow", "x" * 2_000_000, zip=True)
    Image.open(fox).save("big.png", pnginfo=info)
    line = ("--size", "5x5cm", "--dpi", "72", *LANCZOS)
    assert digress("print", "big.png", *line, "-o", "o.pdf").code == 0
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = bytearray(srgb + bytes(1_500_000))
    icc[0:4] = struct.pack(">I", len(icc))
    Path("big.icc").write_bytes(icc)
    assert digress("print", fox, *line, "--icc", "big.icc", "-o", "own.png").code == 0
    ran = digress("replay", "own.png", "-o", "own2.png")
    assert ran.code == 0, ran.err
    assert "a print of" in ran.out


# --- places ----------------------------------------------------------------------------------

MAKING = {
    "paint": ("frog", *QUICK),
    "ensemble": ("frog", "fox", *QUICK),
    "mosaic": ("frog", "--grid", "2"),
    "zoom": ("frog", *SMALL),
    "export-site": ("frog", "--grid", "2"),
    "frame": ("fox.png", "--find"),
    "print": ("fox.png", "--size", "5x5cm"),
    "upscale": ("fox.png",),
}
FOLDERS = ("mosaic", "export-site", "frame")


@pytest.mark.parametrize("place", ["", "fox.png/a", "n" * 300, "/proc/x"])
@pytest.mark.parametrize("command", MAKING)
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    refused: Refused,
    fox: Path,
    command: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the model is loaded")

    monkeypatch.setattr("digressions.models.loading.load", load)
    if command not in FOLDERS and place:
        place += ".mp4" if command == "zoom" else ".png"
    said = refused(command, *MAKING[command], "-o", place)
    assert "Errno" not in said


@pytest.mark.parametrize("command", MAKING)
def test_a_folder_is_no_file_and_no_file_a_folder(
    refused: Refused, fox: Path, command: str
) -> None:
    Path("dir.png").mkdir()
    if command in FOLDERS:
        said = refused(command, *MAKING[command], "-o", "new.png")
        assert "new.png is the name of a file, and -o is a folder here" in said
    elif command != "zoom":
        assert "dir.png is a folder: give a file as -o" in refused(
            command, *MAKING[command], "-o", "dir.png"
        )


def test_a_cache_that_cannot_be_written_is_found_before_the_work(refused: Refused) -> None:
    for command in ("zoom", "export-site", "serve"):
        said = refused(command, "frog", "--grid", "4", "--cache", "/proc/x.sqlite")
        assert "/proc/x.sqlite cannot be written" in said


def test_trying_a_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    before = tree(tmp_path)
    check_file(tmp_path / "a.txt")
    check_file(tmp_path / "new" / "deep" / "b.txt")
    check_folder(tmp_path / "other" / "c")
    assert tree(tmp_path) == before
    for name in ("a\0b", "", " "):
        with pytest.raises(OutputError):
            output_path(name)


def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is the disk full"), writing(tmp_path / "a.tif"):
        raise OSError("encoder error -2 when writing image file")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_what_cannot_be_said_is_one_line(tmp_path: Path) -> None:
    with FULL.open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "digressions", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ran.returncode == 2
    assert ran.stderr == "digress: what is said cannot be written: No space left on device\n"


# --- replay ----------------------------------------------------------------------------------


def test_a_sheet_says_which_pictures_to_replay(digress: Digress, refused: Refused) -> None:
    write_image("wall.png", framed())
    seed = ("--seed", "3")
    assert digress("paint", "frog", "-n", "2", *QUICK, *seed, "-o", "a.png").code == 0
    assert digress("ensemble", "frog", "fox", "--map", *QUICK, "-o", "b.png").code == 0
    assert digress("ensemble", "frog", "fox", "--sweep", "2", *QUICK, "-o", "c.png").code == 0
    assert digress("frame", "wall.png", "frog", "-n", "2", "--steps", "2", "-o", "f").code == 0
    write_image("stripes.png", stripes())
    assert digress("frame", "wall.png", "--insert", "stripes.png", "-o", "g").code == 0
    paper = ("--size", "5x5cm", "--proof", *LANCZOS)
    assert digress("print", "stripes.png", *paper, "-o", "p.pdf").code == 0
    for sheet, said in {
        "a-sheet.png": "a contact sheet: replay its picture a-3.png",
        "b-map.png": "a map of where prompts disagree: replay its picture b.png",
        "c.png": "a sweep: replay its picture c/1-0-00-",
        "c.webp": "a sweep",
        "f/candidates.jpg": "a contact sheet: replay its picture candidates/1-frog-0.png",
        "g/before-after.jpg": "a photo before and after: replay its picture room.png",
        "p-proof.png": "a proof: replay its picture p.pdf",
    }.items():
        assert f"{sheet} is {said}" in refused("replay", sheet)


def test_replay_computes_as_the_picture_was_computed(bundled: Model, digress: Digress) -> None:
    line = ("paint", "frog", *QUICK, "--seed", "3", "--dtype", "bfloat16", "--device", "cpu")
    assert digress(*line, "-o", "a.png").code == 0
    ran = digress("replay", "a.png", "-o", "b.png", "--device", "cpu")
    assert (ran.code, ran.err.count("note:")) == (0, 0)
    assert "a picture of 'frog', seed 3" in ran.out
    assert np.array_equal(read_image("a.png"), read_image("b.png"))
    ran = digress("replay", "a.png", "-o", "c.png", "--dtype", "float32", "--device", "cpu")
    assert "a.png was painted in bfloat16, not float32: pixels may differ" in ran.err


def test_a_picture_that_never_was_a_file_is_painted_again(bundled: Model, digress: Digress) -> None:
    picture = dg.paint(bundled, "frog", seed=3, steps=2, size=16)
    with pytest.warns(UserWarning, match="DPI"):
        dg.print_file(picture, "a.pdf", size="5x5cm", upscaler="lanczos")
    dg.upscale(picture, "a.png", times=2, upscaler="lanczos")
    write_image("wall.png", framed())
    (frame,) = dg.find_frames("wall.png")
    dg.hang("wall.png", frame, picture).save("b.png")
    for source, again in (("a.pdf", "c.pdf"), ("a.png", "c.png"), ("b.png", "d.png")):
        ran = digress("replay", source, "-o", again)
        assert ran.code == 0, ran.err
        assert Path(again).read_bytes() == Path(source).read_bytes()


# --- a mosaic's folder -----------------------------------------------------------------------


def test_a_mosaic_folder_is_a_picture(digress: Digress, refused: Refused) -> None:
    line = ("mosaic", "frog", "--grid", "5x4", "--steps", "2", "--size", "32", *LANCZOS)
    assert digress(*line, "-o", "m").code == 0
    mosaic = read_image("m")
    assert mosaic.shape == (4 * 32, 5 * 32, 3)
    assert np.array_equal(mosaic, read_image("m/mosaic_files/8/0_0.jpg"))
    assert digress("upscale", "m", "--times", "2", *LANCZOS).code == 0
    assert read_image("m-upscaled.png").shape == (8 * 32, 10 * 32, 3)
    assert digress("paint", "fox", "--image", "m", *QUICK, "-o", "over.png").code == 0
    assert digress("replay", "over.png", "-o", "again.png").code == 0
    write_image("wall.png", framed())
    assert digress("frame", "wall.png", "--insert", "m", "-o", "f").code == 0
    assert digress("replay", "f/room.png", "-o", "room.png").code == 0
    assert digress("replay", "m").code == 0
    assert Path("m-replay/base.png").read_bytes() == Path("m/base.png").read_bytes()
    ran = digress("print", "m", "--size", "10x8mm", *LANCZOS)
    assert "160 x 128 px at 406 DPI" in ran.out
    assert Path("m.pdf").is_file()
    assert "240 DPI" in digress("print", "m", "--size", "10x8cm", *LANCZOS, "-o", "n.pdf").out


def test_other_folders_are_no_pictures(digress: Digress, refused: Refused) -> None:
    Path("folder").mkdir()
    assert "folder is a folder: give a picture, or the folder of a mosaic" in refused(
        "upscale", "folder"
    )
    Path("folder/manifest.json").write_text("{}")
    assert "no finished mosaic" in refused("upscale", "folder")
    Path("folder/mosaic.dzi").write_text("<!DOCTYPE x><Image/>")
    assert "folder is a damaged mosaic" in refused("upscale", "folder")


def test_a_film_checks_its_rate_when_it_is_replayed() -> None:
    check_video(Path("a.mp4"), Size(32, 32), 1, 120)
    with pytest.raises(InputError, match="at most 50"):
        check_video(Path("a.gif"), Size(32, 32), 1, 51)


def test_a_text_chunk_bomb_is_no_picture(refused: Refused, fox: Path) -> None:
    """100 MiB of text in a chunk of 100 kB."""
    content = fox.read_bytes()
    body = b"zTXta\0\0" + zlib.compress(bytes(100 * 2**20))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    Path("bomb.png").write_bytes(content[:33] + chunk + content[33:])
    assert "bomb.png is damaged" in refused("upscale", "bomb.png")


def test_a_stop_loses_no_more_than_a_batch_of_few_large_pictures(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def paint_jobs(model: Model, jobs: object, *, batch_size: int, **_: object) -> list[object]:
        asked.append(batch_size)
        return []

    monkeypatch.setattr("digressions.generate.pictures.paint_jobs", paint_jobs)
    monkeypatch.setattr(bundled, "size", 1024)  # or they would be painted small and enlarged
    for size in (64, 512, 1024):
        assert list(dg.paint(bundled, "frog", n=20, size=size)) == []
    assert asked == [16, 4, 1]


def test_a_name_with_a_nul_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the name of a file"):
        read_image(tmp_path / "a\0b.png")


def test_a_place_that_cannot_be_written_is_refused_before_torch_is_imported(fox: Path) -> None:
    """It takes seconds to import, and nobody waits for them to be told about a name."""
    Path(fox.parent / "blocked").write_text("a file")
    inside = fox.parent / "blocked" / "x"
    commands = {
        "mosaic": ["frog", "-o", str(inside)],
        "export-site": ["frog", "-o", str(inside)],
        "zoom": ["frog", "-o", f"{inside}.mp4"],
        "paint": ["frog", "-o", f"{inside}.png"],
        "ensemble": ["frog", "fox", "-o", f"{inside}.png"],
        "print": [str(fox), "--size", "5x5cm", "-o", f"{inside}.pdf"],
        "upscale": [str(fox), "-o", f"{inside}.png"],
        "replay": [str(fox), "-o", f"{inside}.png"],
        "frame": [str(fox), "frog", "-o", str(inside)],
    }
    code = (
        "import sys, json; sys.modules['torch'] = None; from digressions.cli.app import main\n"
        "for line in json.loads(sys.argv[1]):\n"
        "    try: main(line)\n"
        "    except SystemExit as left: print(left.code)\n"
    )
    lines = json.dumps([[name, *rest] for name, rest in commands.items()])
    ran = subprocess.run([sys.executable, "-c", code, lines], capture_output=True, text=True)
    assert ran.stdout.split() == ["2"] * len(commands), ran.stderr
    assert ran.stderr.count("blocked is not a folder: choose another -o") == len(commands)
