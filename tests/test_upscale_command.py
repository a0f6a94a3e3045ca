"""Enlarging a picture file, by ``digress upscale`` and from Python: the size asked for, texts that
go along, bad input in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.errors import InputError
from digressions.events import Progress, Saved
from digressions.generate.params import UpscaleSpec
from digressions.generate.replay import ReplayRequest
from digressions.generate.upscaling import replay_upscale, upscale_picture
from digressions.geometry import Size
from digressions.images.image_files import read_image, read_text, write_image

from .conftest import Ran

LANCZOS = ["--upscaler", "lanczos"]


@pytest.fixture
def picture(tmp_path: Path, photo: np.ndarray) -> Path:
    return write_image(tmp_path / "a.png", photo, {"parameters": "turtle"})


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ([], (192, 256)),
        (["--times", "2.5"], (120, 160)),
        (["--size", "320x320"], (240, 320)),
        (["--size", "3000x96"], (96, 128)),
    ],
)
def test_the_size_asked_for(
    digress: Callable[..., Ran], picture: Path, options: list[str], shape: tuple[int, int]
) -> None:
    ran = digress("upscale", picture, *options, *LANCZOS, "-o", "b.png")
    assert ran.code == 0, ran.err
    assert read_image("b.png").shape == (*shape, 3)
    assert ran.out.startswith(f"b.png: {shape[1]} x {shape[0]} px")


def test_texts_go_along_and_the_enlargement_is_recorded(
    digress: Callable[..., Ran], picture: Path
) -> None:
    assert digress("upscale", picture).code == 0
    texts = read_text("a-upscaled.png")
    assert texts["parameters"] == "turtle"
    record = json.loads(texts["upscale"])
    assert record["upscaler"] == "realesrgan-animevideo"
    assert record["size"] == [256, 192]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--times", "1"], "--times 1.0 is out of range: more than 1, at most 64"),
        (["--times", "nan"], "--times is nan: it must be a finite number"),
        (["--times", "99"], "at most 64"),
        (["--times", "2", "--size", "99"], "give one of them"),
        (["--size", "64x64"], "--size 64x64 is 1 times"),
        (["--size", "much"], "'much'"),
        (["--upscaler", "magic"], "'magic'"),
        (["--upscaler", "net.pth"], "net.pth is a pickle"),
        (["--upscaler", "net.safetensors"], "no such file of weights"),
        (["-o", "b.gif"], ".gif"),
        (["-o", "a.png"], "written over"),
    ],
    ids=lambda value: "".join(value),
)
def test_a_bad_value(
    refused: Callable[..., str], picture: Path, options: list[str], words: str
) -> None:
    assert words in refused("upscale", picture, *options)


def test_more_pixels_than_are_written(
    refused: Callable[..., str], tmp_path: Path, photo: np.ndarray
) -> None:
    write_image(tmp_path / "b.png", np.tile(photo, (8, 8, 1)))
    assert "more than the 200,000,000" in refused("upscale", "b.png", "--times", "64")


def test_a_picture_that_is_none(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    assert "a.png is not a picture" in refused("upscale", "a.png")


# --- from Python -----------------------------------------------------------------------------

DAMAGED = '{"size": [SIZE], "upscaler": "lanczos", "image": {"path": "a.png", "sha256": "0"}}'
TWICE = UpscaleSpec(times=2, upscaler="lanczos")


def test_every_form_of_a_picture_is_enlarged(
    picture: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    expected = np.asarray(Image.fromarray(photo).resize((128, 96), Image.Resampling.LANCZOS))
    for form in (picture, str(picture), Image.open(picture), photo, photo / 255):
        events = list(upscale_picture(form, TWICE, tmp_path / "b.png", overwrite=True))
        assert events == [
            Progress("enlarging with lanczos", 0, 96),
            Progress("enlarging with lanczos", 96, 96),
            Saved(tmp_path / "b.png", "128 x 96 px"),
        ]
        assert np.array_equal(read_image(tmp_path / "b.png"), expected)
    list(upscale_picture(photo, TWICE, tmp_path / "b.png", text={"parameters": "a frog"}))
    assert read_text(tmp_path / "b.png")["parameters"] == "a frog"


def test_an_enlarged_picture_is_replayed(picture: Path, photo: np.ndarray, tmp_path: Path) -> None:
    list(upscale_picture(picture, TWICE, tmp_path / "b.png", text={"print": "{}"}))
    texts = read_text(tmp_path / "b.png")
    assert "print" not in texts  # what was done last is what is replayed
    list(replay_upscale(ReplayRequest(picture, texts, tmp_path / "c.png")))
    assert (tmp_path / "c.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    write_image(picture, photo[::-1])
    with pytest.raises(InputError, match="is not the picture it was"):
        list(replay_upscale(ReplayRequest(picture, texts, tmp_path / "d.png")))


def test_closing_it_writes_nothing(picture: Path, tmp_path: Path) -> None:
    work = upscale_picture(picture, TWICE, tmp_path / "b.png")
    assert isinstance(next(iter(work)), Progress)
    work.close()  # type: ignore[attr-defined]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        "[" * 100_000,
        "3",
        "{}",
        *(DAMAGED.replace("SIZE", size) for size in ("Infinity, 1", "1", "0, 4", '"a", 1')),
    ],
    ids=lambda text: text[:40],
)
def test_damaged_settings_of_an_enlargement(
    picture: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"enlargement are damaged|not the picture it was"):
        list(replay_upscale(ReplayRequest(picture, {"upscale": damage}, tmp_path / "b.png")))


def test_the_size_that_a_picture_gets() -> None:
    assert UpscaleSpec().size_for(Size(64, 48)) == (256, 192)
    assert UpscaleSpec(times=2.5).size_for(Size(64, 48)) == (160, 120)
    assert UpscaleSpec(size=320).size_for(Size(64, 48)) == (320, 240)
    with pytest.raises(InputError, match="give one of them"):
        UpscaleSpec(times=2, size="9x9").size_for(Size(1, 1))
