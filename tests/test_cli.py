"""The command line: every bad input is one line and exit code 2; every picture can be replayed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import digressions
from digressions.generate.record_reading import record_of
from digressions.images.image_files import read_image, read_text, write_image
from digressions.models.base import Defaults, Model
from digressions.prompts.vocabulary import Vocabulary

from .conftest import Ran
from .test_images import bomb

WEIGHTS = Path(__file__).parents[1] / "src" / "digressions" / "weights"
LONG = " ".join(f"turtle{i}" for i in range(300))
QUICK = ["--size", "32", "--steps", "2", "--guidance", "1"]

Digress = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _quick_defaults(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=1.0))


# --- bad input -------------------------------------------------------------------------------


BAD_PICTURES: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "no such file"),
    "empty": (b"", "is empty"),
    "text": (b"this is no picture", "not a picture"),
    "bomb": (bomb(30_000, 30_000), "make it smaller"),
    "giant": (bomb(2**30, 2**30), "make it smaller"),
    "truncated": (None, "damaged"),
}


@pytest.mark.parametrize("command", [("paint",), ("mosaic", "--grid", "3")], ids=lambda c: c[0])
@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_a_bad_picture(
    refused: Callable[..., str],
    tmp_path: Path,
    photo: np.ndarray,
    command: tuple[str, ...],
    kind: str,
) -> None:
    content, reason = BAD_PICTURES[kind]
    path = tmp_path / "bad.png"
    if kind == "truncated":
        Image.fromarray(photo).save(path)
        content = path.read_bytes()[:80]
    if content is not None:
        path.write_bytes(content)
    output = tmp_path / ("o" if command[0] == "mosaic" else "o.png")
    line = refused(command[0], "turtle", "--image", path, "-o", output, *command[1:])
    assert str(path) in line
    assert reason in line


def test_a_folder_for_a_picture(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "is a folder" in refused("paint", "turtle", "--image", tmp_path)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("0", "at least 1x1"),
        ("0x4", "at least 1x1"),
        ("four", "'four' is not a number"),
        ("-3", "'-3' is not a number"),
        ("999", "--grid 999x999 does not fit: at most 256"),
    ],
)
def test_a_grid_that_cannot_be(refused: Callable[..., str], grid: str, words: str) -> None:
    assert words in refused("mosaic", "turtle", f"--grid={grid}", "-o", "m")


def test_a_grid_of_more_cells_than_pixels(
    refused: Callable[..., str], tmp_path: Path, photo: np.ndarray
) -> None:
    Image.fromarray(photo[:10, :20]).save(tmp_path / "a.png")
    line = refused("mosaic", "turtle", "--image", "a.png", "--grid", "21", "-o", "m")
    assert "21x10 does not fit a.png, which is 20 x 10 pixels" in line


BAD_VALUES = [
    (["paint", "--seed=-1"], "--seed -1"),
    (["paint", f"--seed={2**63}"], "--seed 9223372036854775808"),
    (["paint", "--seed=one"], "--seed"),
    (["paint", "--steps=0"], "0"),
    (["paint", "--steps=-4"], "-4"),
    (["paint", "--steps=1000000"], "1000000"),
    (["paint", "--steps=2.5"], "--steps"),
    (["paint", "--guidance=much"], "--guidance"),
    (["paint", "--guidance=nan"], "nan"),
    (["paint", "--guidance=inf"], "inf"),
    (["paint", "--size=33"], "33"),
    (["paint", "--size=0"], "'0'"),
    (["paint", "--size=large"], "'large'"),
    (["paint", "--size=64x"], "'64x'"),
    (["paint", "--sampler=magic"], "'magic'"),
    (["paint", "--upscaler=magic", "--enlarge=1"], "--upscaler does nothing with --enlarge 1"),
    (["paint", "--upscaler=magic", "--enlarge=2"], "'magic'"),
    (["paint", "--enlarge=0"], "--enlarge 0"),
    (["paint", "--enlarge=99"], "--enlarge 99"),
    (["paint", "--device=toaster"], "'toaster'"),
    (["paint", "--dtype=int3"], "'int3'"),
    (["paint", "--model=nonsense"], "'nonsense'"),
    (["paint", "--model=./nowhere"], "nowhere"),
    (["paint", "-n0"], "-n 0"),
    (["paint", "-o", "x.gif"], ".gif"),
    (["paint", "--mask=m.png"], "--mask needs an --image"),
    (["paint", "--nonsense"], "--nonsense"),
    (["mosaic", "--seed=-1"], "--seed -1"),
    (["mosaic", "--steps=0"], "0"),
    (["mosaic", "--guidance=nan"], "nan"),
    (["mosaic", "--strength=1.5"], "1.5"),
    (["mosaic", "--strength=-0.1"], "-0.1"),
    (["mosaic", "--strength=nan"], "nan"),
    (["mosaic", "--band=3"], "--band 3"),
    (["mosaic", "--band=-1"], "--band -1"),
    (["mosaic", "--anchor=2"], "2"),
    (["mosaic", "--size=33", "--band=0"], "33"),
    (["mosaic", "--size=0"], "0"),
    (["mosaic", "--size=-8"], "-8"),
    (["mosaic", "--sampler=magic"], "'magic'"),
    (["mosaic", "--upscaler=magic"], "'magic'"),
    (["mosaic", "--single=bmp"], "'bmp'"),
    (["mosaic", "--batch-size=0"], "--batch-size 0"),
    (["mosaic", "--device=toaster"], "'toaster'"),
    (["mosaic", "--model=nonsense"], "'nonsense'"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_VALUES, ids=lambda v: "".join(v))
def test_a_bad_value(refused: Callable[..., str], arguments: list[str], words: str) -> None:
    command, *rest = arguments
    grid = ["--grid", "3"] if command == "mosaic" else []
    assert words in refused(command, "turtle", *grid, *rest)


def test_a_bad_strength_of_a_start_picture(
    refused: Callable[..., str], tmp_path: Path, photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    for strength in ("1.5", "-1", "nan"):
        assert strength in refused(
            "paint", "turtle", "--image", "a.png", f"--strength={strength}", *QUICK
        )


def test_no_command_and_an_unknown_one(refused: Callable[..., str], digress: Digress) -> None:
    assert "'nonsense'" in refused("nonsense")
    assert "prompt" in refused("paint").lower()
    ran = digress("--help")
    assert ran.code == 0
    assert "mosaic" in ran.out
    assert digress().code == 2


def test_the_version_and_the_module(digress: Digress) -> None:
    assert digress("--version").out == f"digressions {digressions.__version__}\n"
    ran = subprocess.run(
        [sys.executable, "-m", "digressions", "--version"], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (0, f"digressions {digressions.__version__}\n")


@pytest.mark.parametrize("command", ["paint", "mosaic"])
def test_a_prompt_that_is_too_long_says_what_would_be_cut(
    refused: Callable[..., str], command: str
) -> None:
    line = refused(command, LONG, "-o", "m" if command == "mosaic" else "m.png")
    assert "would be cut" in line
    assert "299" in line.split("shorten it by")[1].replace(" ", "")


def test_a_negative_or_cell_prompt_that_is_too_long(refused: Callable[..., str]) -> None:
    assert "would be cut" in refused("paint", "turtle", "--negative", LONG)
    assert "would be cut" in refused("mosaic", "turtle", "--cell-prompt", LONG, "-o", "m")
    assert "would be cut" in refused("mosaic", LONG, "--cell-prompt", "frog", "-o", "m")


# --- checkpoints -----------------------------------------------------------------------------


def checkpoint(folder: Path, without: str) -> Path:
    """The bundled model less one part, as links."""
    for path in WEIGHTS.rglob("*"):
        name = path.relative_to(WEIGHTS)
        if path.is_file() and not name.as_posix().startswith(without):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path)
    return folder


PARTS = [
    "model_index.json",
    "scheduler",
    "unet",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae",
    "vae/diffusion_pytorch_model.safetensors",
    "tokenizer",
    "text_encoder",
    "text_encoder/model.safetensors",
]


@pytest.mark.parametrize("part", PARTS)
def test_a_checkpoint_with_a_part_missing(
    refused: Callable[..., str], tmp_path: Path, part: str
) -> None:
    folder = checkpoint(tmp_path / "model", part)
    line = refused("paint", "turtle", "--model", folder, *QUICK)
    assert str(folder) in line
    assert part.split("/")[0] in line


def test_a_pickle_is_refused_unopened(refused: Callable[..., str], tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", "unet/diffusion_pytorch_model")
    # Unpickling this would make a file.
    trap = b"cos\nsystem\n(S'touch " + bytes(tmp_path / "trap") + b"'\ntR."
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(trap)
    line = refused("paint", "turtle", "--model", folder, *QUICK)
    assert "pickle" in line
    assert "safetensors" in line
    lone = tmp_path / "lone"
    lone.mkdir()
    (lone / "model.ckpt").write_bytes(trap)
    assert "pickle" in refused("paint", "turtle", "--model", lone, *QUICK)
    assert "single file" in refused("paint", "turtle", "--model", lone / "model.ckpt", *QUICK)


def test_damaged_weights_are_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    name = "vae/diffusion_pytorch_model.safetensors"
    folder = checkpoint(tmp_path / "model", name)
    (folder / name).write_bytes((WEIGHTS / name).read_bytes()[:10_000])
    assert "vae" in refused("paint", "turtle", "--model", folder, *QUICK)


# --- folders ---------------------------------------------------------------------------------


MOSAIC = ["mosaic", "turtle", "--grid", "2x1", *QUICK, "--upscaler", "lanczos"]


def test_a_folder_with_other_files(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "holiday.txt").write_text("mine")
    line = refused(*MOSAIC, "-o", "m")
    assert "m holds other files" in line
    assert "choose another -o" in line


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"job": {}}', '{"job": 3}'])
def test_a_folder_with_a_foreign_manifest(
    refused: Callable[..., str], tmp_path: Path, manifest: str
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "manifest.json").write_text(manifest)
    assert "m" in refused(*MOSAIC, "-o", "m")


def test_a_folder_that_cannot_be_made(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("file", "file/m"):
        line = refused(*MOSAIC, "-o", folder)
        assert line.endswith("file is not a folder: choose another -o")


# --- painting and replaying ------------------------------------------------------------------


def test_replay_makes_the_identical_picture(digress: Digress, tmp_path: Path) -> None:
    painted = digress("paint", "red frog", *QUICK, "--negative", "blue", "-o", "x.png")
    assert painted.code == 0
    assert painted.out == "x.png\n"
    assert digress("replay", "x.png").out.splitlines()[-1] == "x-replay.png"
    one, other = read_image("x.png"), read_image("x-replay.png")
    assert one.shape == (32, 32, 3)
    assert np.array_equal(one, other)
    assert read_text("x.png") == read_text("x-replay.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x-replay.png", "x.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_every_kind_of_file_remembers(digress: Digress, suffix: str) -> None:
    assert digress("paint", "frog", *QUICK, "--seed", "9", "-o", f"x{suffix}").code == 0
    params = record_of(read_text(f"x{suffix}")).params
    assert (params.prompt, params.seed, params.steps) == ("frog", 9, 2)


def test_several_pictures_come_with_a_contact_sheet(digress: Digress, tmp_path: Path) -> None:
    ran = digress("paint", "frog", *QUICK, "-n", "3", "--seed", "7", "-o", "new/x.png")
    assert ran.code == 0
    names = ["x-7.png", "x-8.png", "x-9.png", "x-sheet.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    sheet = read_image("new/x-sheet.png")
    assert min(sheet.shape[:2]) > 64
    assert digress("paint", "frog", *QUICK, "--seed", "8", "-o", "alone.png").code == 0
    alone, among = read_image("alone.png").astype(int), read_image("new/x-8.png")
    assert np.abs(alone - among).max() <= 2


@pytest.mark.parametrize("command", [("paint",), ("mosaic", "--grid", "2")], ids=lambda c: c[0])
def test_a_word_that_the_model_was_not_taught_is_named(
    digress: Digress, bundled: Model, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(bundled, "vocabulary", Vocabulary(["photo of a turtle"]))
    ran = digress(command[0], "photo of a submarine", *command[1:])
    assert ran.code == 0
    assert "note: bundled was not taught 'submarine'" in ran.err
    assert "not taught" not in digress(command[0], "a turtle", *command[1:]).err


@pytest.mark.parametrize("command", [("paint",), ("mosaic", "--grid", "2")], ids=lambda c: c[0])
def test_a_negative_prompt_without_guidance_is_said_to_do_nothing(
    digress: Digress, command: tuple[str, ...]
) -> None:
    ran = digress(command[0], "frog", *command[1:], "--negative", "toad")
    assert "note: at a guidance of 1 --negative does nothing" in ran.err
    ran = digress(command[0], "newt", *command[1:], "--negative", "toad", "--guidance", "2")
    assert (ran.code, "does nothing" in ran.err) == (0, False)


def test_a_mask_keeps_the_rest(digress: Digress, tmp_path: Path, photo: np.ndarray) -> None:
    start = np.asarray(Image.fromarray(photo).resize((64, 64)))
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 255
    Image.fromarray(start).save(tmp_path / "a.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    command = ["paint", "green frog", "--image", "a.png", "--mask", "m.png", "--strength", "1"]
    assert digress(*command, "--steps", "3", "--seed", "1", "-o", "x.png").code == 0
    made = read_image("x.png").astype(int)
    assert (made[:, :32] == start[:, :32]).all()  # not what the autoencoder makes of it
    assert np.abs(made - start)[:, 40:].mean() > 10
    assert digress("replay", "x.png").code == 0
    assert np.array_equal(read_image("x.png"), read_image("x-replay.png"))


def test_a_picture_that_has_changed_is_not_replayed(
    digress: Digress, refused: Callable[..., str], tmp_path: Path, photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert digress("paint", "frog", "--image", "a.png", *QUICK, "-o", "x.png").code == 0
    Image.fromarray(photo[::-1]).save(tmp_path / "a.png")
    assert "a.png is not the picture it was" in refused("replay", "x.png")
    (tmp_path / "a.png").unlink()
    assert "a.png, which this was started from, is not there" in refused("replay", "x.png")


def test_a_picture_that_remembers_nothing_is_not_replayed(
    refused: Callable[..., str], tmp_path: Path, photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert "a.png does not say how it was made" in refused("replay", "a.png")
    assert "none.png" in refused("replay", "none.png")


FOREIGN = (
    "red frog\nNegative prompt: blue\n"
    "Steps: 2, Sampler: DDIM, CFG scale: 1, Seed: 5, Size: 32x32, Model: v1-5, Version: v1.10.1"
)


def test_a_picture_of_another_program_is_painted_with_a_named_model(
    digress: Digress, refused: Callable[..., str], photo: np.ndarray
) -> None:
    write_image("x.png", photo, {"parameters": FOREIGN})
    line = refused("replay", "x.png")
    assert "x.png was made by another program" in line
    assert "--model" in line
    ran = digress("replay", "x.png", "--model", "bundled")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "x-replay.png")
    assert "the picture will differ" in " ".join(ran.err.split())
    command = [
        "paint",
        "red frog",
        *QUICK,
        "--negative",
        "blue",
        "--sampler",
        "ddim",
        "--seed",
        "5",
    ]
    assert digress(*command, "-o", "y.png").code == 0
    assert np.array_equal(read_image("x-replay.png"), read_image("y.png"))


def test_our_own_picture_without_its_json_is_replayed(digress: Digress) -> None:
    assert digress("paint", "red frog", *QUICK, "--seed", "5", "-o", "x.png").code == 0
    one = read_image("x.png")
    write_image("x.png", one, {"parameters": read_text("x.png")["parameters"]})
    ran = digress("replay", "x.png")
    assert ran.code == 0
    assert "differ" not in ran.err
    assert np.array_equal(one, read_image("x-replay.png"))


def test_enlarging_is_remembered(digress: Digress) -> None:
    command = ["paint", "frog", *QUICK, "--enlarge", "3", "--upscaler", "lanczos", "-o", "x.png"]
    assert digress(*command).code == 0
    assert read_image("x.png").shape == (96, 96, 3)
    assert digress("replay", "x.png").code == 0
    assert np.array_equal(read_image("x.png"), read_image("x-replay.png"))


@pytest.mark.parametrize("own", [False, True], ids=["painted", "own picture"])
def test_a_mosaic_and_its_base_image_are_replayed(
    digress: Digress, refused: Callable[..., str], tmp_path: Path, photo: np.ndarray, own: bool
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    start = ["--image", "a.png"] if own else []
    ran = digress(*MOSAIC, *start, "--seed", "4", "-o", "m")
    assert ran.code == 0
    assert "2 pictures" in ran.out
    assert "fidelity" in ran.out
    assert digress("replay", "m/base.png", "-o", "again.png").code == 0
    assert np.array_equal(read_image("m/base.png"), read_image("again.png"))
    assert digress("replay", "m/preview.jpg", "-o", "n").code == 0
    assert np.array_equal(read_image("m/base.png"), read_image("n/base.png"))
    assert np.array_equal(read_image("m/preview.jpg"), read_image("n/preview.jpg"))
    # The folder belongs to this job now.
    line = refused(*MOSAIC, *start, "--seed", "5", "-o", "m")
    assert "m belongs to another job" in line
    assert "seed" in line
    assert "choose another -o" in line


# --- stopping --------------------------------------------------------------------------------


def test_stopping_is_one_line_and_130(
    digress: Digress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("digressions.generate.pictures.paint_jobs", stop)
    ran = digress("paint", "frog", *QUICK, "-o", "x.png")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "digress: stopped"
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("phase", ["start", "paint", "assemble"])
def test_a_mosaic_stopped_in_any_phase_says_how_to_go_on(
    digress: Digress, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    from digressions.mosaics.folder import MosaicFolder

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MosaicFolder, phase, stop)
    ran = digress(*MOSAIC, "-o", "m")
    assert ran.code == 130
    assert "kept in m: the same command goes on" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err


# --- offline ---------------------------------------------------------------------------------


def test_not_one_network_call(tmp_path: Path) -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__):\n"
        "    print('NETWORK', file=sys.stderr, flush=True)\n"
        "    raise OSError('there is no network')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "socket.create_connection = refuse\n"
        "from digressions.cli.app import main; main()\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
    ran = subprocess.run(
        [sys.executable, "-c", program, "paint", "frog", *QUICK, "-o", "x.png"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment | {"HF_HOME": str(tmp_path / "hub")},
    )
    assert ran.returncode == 0, ran.stderr
    assert "NETWORK" not in ran.stderr
    assert len(ran.stderr.splitlines()) <= 1  # the progress bar
    assert read_image(tmp_path / "x.png").shape == (32, 32, 3)
