"""``digress upscale``: the size asked for, texts that go along, bad input in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from digressions.pictures.images import read_image, read_text, write_image

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
        (["--times", "1"], "--times 1 is 1 times 64x48"),
        (["--times", "nan"], "more than 1 and at most 64"),
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
