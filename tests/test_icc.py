"""A printer's colours: LittleCMS's own answers, a proof that is the print, a gamut that is one."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from digressions.errors import InputError
from digressions.prints.icc import (
    INTENTS,
    Profile,
    converted,
    out_of_gamut,
    read_profile,
    soft_proof,
    srgb,
)

from .profiles import cmyk, lab, saved


@pytest.fixture
def printer(tmp_path: Path) -> Profile:
    return read_profile(saved(tmp_path, cmyk()))


@pytest.fixture
def noise() -> np.ndarray:
    """More rows than are converted at a time."""
    return np.random.default_rng(0).integers(0, 256, (700, 40, 3), np.uint8)


def test_what_a_profile_says_of_itself(printer: Profile) -> None:
    assert printer[:3] == ("Chemical proof", "CMYK", "prtr")
    assert printer.content == cmyk()
    assert printer.origin is not None
    assert printer.origin["sha256"] == hashlib.sha256(cmyk()).hexdigest()
    assert srgb().origin is None


@pytest.mark.parametrize("intent", INTENTS)
def test_colours_are_converted_as_by_pillow(
    printer: Profile, noise: np.ndarray, intent: str
) -> None:
    flags = 0 if intent == "absolute" else ImageCms.Flags.BLACKPOINTCOMPENSATION
    expected = ImageCms.profileToProfile(
        Image.fromarray(noise),
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(printer.content)),
        INTENTS[intent],
        "CMYK",
        flags=flags,
    )
    found = converted(noise, printer, intent)
    assert found.shape == (700, 40, 4)
    assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize("intent", ["perceptual", "relative", "saturation"])
def test_white_takes_no_ink_and_black_is_black(printer: Profile, intent: str) -> None:
    ends = np.array([[[255] * 3, [0] * 3]], np.uint8)
    assert converted(ends, printer, intent)[0, 0].max() == 0
    proof = soft_proof(ends, printer, intent)
    assert (proof[0, 0] == 255).all()
    assert proof[0, 1].max() <= 10


def test_absolute_shows_the_paper(printer: Profile) -> None:
    white = np.full((1, 1, 3), 255, np.uint8)
    assert soft_proof(white, printer, "absolute").max() < 255


def test_srgb_is_no_conversion_and_all_of_it_can_be_shown(noise: np.ndarray) -> None:
    assert np.abs(converted(noise, srgb(), "relative").astype(int) - noise).max() <= 1
    assert not out_of_gamut(noise, srgb()).any()


def test_srgb_is_the_same_every_day() -> None:
    assert srgb().content[24:36] == bytes(12)
    assert ImageCms.getProfileName(io.BytesIO(srgb().content)).startswith("sRGB")


def test_pure_colours_of_a_screen_are_outside_and_what_was_printed_is_inside(
    printer: Profile,
) -> None:
    pure = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert out_of_gamut(pure, printer).all()
    calm = np.array([[[255] * 3, [128] * 3, [0] * 3, [200, 150, 120]]], np.uint8)
    assert not out_of_gamut(calm, printer).any()
    # A screen cannot show all that can be printed, so some that comes back was cut there.
    printed = soft_proof(pure // 2 + 64, printer, "relative")
    assert out_of_gamut(printed, printer).mean() <= 1 / 3


BROKEN = {
    "empty": b"",
    "text": b"this is no profile" * 9,
    "cut": cmyk()[:5000],
    "header": cmyk()[:128],
    "scrambled": cmyk()[:128] + bytes(len(cmyk()) - 128),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_profile_is_refused_in_a_line(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, BROKEN[kind], "broken.icc")
    with pytest.raises(InputError, match=r"not an ICC profile|a damaged ICC profile") as refused:
        read_profile(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_profile_that_nothing_is_printed_by_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"of Lab .* which nothing is printed by"):
        read_profile(saved(tmp_path, lab()))


def test_a_profile_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_profile(tmp_path / "none.icc")
    with pytest.raises(InputError, match="cannot be read"):
        read_profile(tmp_path)
