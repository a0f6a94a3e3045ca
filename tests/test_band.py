"""Exactness in a band: whatever the picture and whatever is asked of it, the box means agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from digressions.mosaics.cells import band_of, correct_band, enlarge_band, to_bytes

BANDS = (1, 2, 4, 8)
SIDE = 16


def error(images: Tensor, band: Tensor) -> float:
    """Largest error of a box mean after rounding to 8 bits, in grey levels."""
    seen = band_of(to_bytes(images).double() / 255, band.shape[-1])
    return float((seen - band).abs().max()) * 255


def picture(kind: str, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 3, SIDE, SIDE, generator=generator)
    return {
        "noise": noise,
        "binary": noise.round(),
        "black": torch.zeros_like(noise),
        "white": torch.ones_like(noise),
        "grey": torch.full_like(noise, float(noise[0, 0, 0, 0])),
        "one spark": (noise == noise.max()).float(),
        "dark": noise**8,
        "light": 1 - noise**8,
        "halves": torch.cat([torch.zeros(1, 3, SIDE, SIDE // 2), noise[..., SIDE // 2 :]], -1),
    }[kind]


KINDS = ["noise", "binary", "black", "white", "grey", "one spark", "dark", "light", "halves"]


@settings(max_examples=80)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(BANDS),
    st.sampled_from(["any", "extreme", "flat", "near"]),
    st.integers(0, 2**32),
)
def test_any_band_is_reached_from_any_picture(kind: str, b: int, want: str, seed: int) -> None:
    images = picture(kind, seed)
    values = torch.rand(1, 3, b, b, generator=torch.Generator().manual_seed(seed + 1))
    band = {
        "any": values,
        "extreme": values.round(),
        "flat": values[..., :1, :1].expand_as(values),
        "near": (band_of(images, b) + values / 10 - 0.05).clamp(0, 1),
    }[want]
    out = correct_band(images, band).images
    assert out.shape == images.shape
    assert out.min() >= 0
    assert out.max() <= 1
    assert float((band_of(out.double(), b) - band).abs().max()) * 255 <= 0.26
    # Rounding adds up to half a level in a flat picture, next to nothing in one with texture.
    textured = kind in ("noise", "dark", "light")
    assert error(out, band) <= (0.6 if textured else 0.76)


@settings(max_examples=40)
@given(
    st.sampled_from(BANDS),
    st.lists(st.sampled_from([0.0, 1 / 255, 0.5 / 255, 0.5, 254.6 / 255, 1.0]), min_size=3),
    st.integers(0, 2**32),
)
def test_batches_of_awkward_values_stay_within_a_grey_level(
    b: int, awkward: list[float], seed: int
) -> None:
    random = np.random.default_rng(seed)
    images = torch.tensor(random.choice(awkward, (2, 3, SIDE, SIDE)), dtype=torch.float32)
    band = torch.tensor(random.choice(awkward, (2, 3, b, b)), dtype=torch.float32)
    assert error(correct_band(images, band).images, band) <= 1


@pytest.mark.parametrize("b", BANDS)
@pytest.mark.parametrize("kind", ["noise", "binary", "black", "white", "dark"])
def test_a_picture_that_is_right_already_hardly_changes(kind: str, b: int) -> None:
    images = picture(kind, 1)
    corrected = correct_band(images, band_of(images, b))
    assert (corrected.images - images).abs().max() * 255 <= 2
    assert corrected.change.max() * 255 <= 0.6


@pytest.mark.parametrize("shift", [-0.08, 0.08])
def test_black_and_white_move_much_less_than_the_mean(shift: float) -> None:
    images = picture("noise", 2)
    images[..., :4, :] = 0
    images[..., 4:8, :] = 1
    out = correct_band(images, band_of(images, 1) + shift).images * 255
    asked = abs(shift) * 255
    assert out[..., :4, :].max() < asked / 2
    assert out[..., 4:8, :].min() > 255 - asked / 2
    # Adding a colour would move one of them by all of it.
    assert to_bytes(out[..., :4, :] / 255).max() == 0 or shift > 0
    assert to_bytes(out[..., 4:8, :] / 255).min() >= 254


def test_brighter_stays_brighter() -> None:
    images = torch.linspace(0, 1, SIDE * SIDE).view(1, 1, SIDE, SIDE).expand(1, 3, -1, -1)
    out = correct_band(images, torch.full((1, 3, 1, 1), 0.3)).images
    assert (out.flatten(2).diff() >= 0).all()


def test_pictures_are_corrected_one_by_one() -> None:
    images = torch.cat([picture(kind, 3) for kind in KINDS])
    band = torch.rand(len(KINDS), 3, 2, 2, generator=torch.Generator().manual_seed(4))
    together = correct_band(images, band).images
    alone = torch.cat(
        [correct_band(images[i : i + 1], band[i : i + 1]).images for i in range(len(KINDS))]
    )
    assert (together - alone).abs().max() * 255 < 0.01


def test_the_report_says_how_much_was_changed() -> None:
    images, band = picture("grey", 5), torch.full((1, 3, 1, 1), 0.5)
    corrected = correct_band(images, band)
    assert corrected.change == pytest.approx(float((corrected.images - images).abs().mean()))
    assert corrected.shifted < 0.5 / 255
    assert float(correct_band(picture("noise", 5), band).shifted) < 0.5 / 255


def test_a_band_is_the_mean_of_its_boxes() -> None:
    images = picture("noise", 6)
    wanted = images.view(1, 3, 2, SIDE // 2, 2, SIDE // 2).mean((3, 5))
    assert torch.allclose(band_of(images, 2), wanted, atol=1e-6)
    assert torch.equal(enlarge_band(wanted[..., :1, :1], (4, 4))[..., 0, 0], wanted[..., 0, 0])


def test_bytes_are_rounded_to_nearest_and_clipped() -> None:
    values = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 1.2])
    assert to_bytes(values).tolist() == [0, 0, 0, 1, 255, 255]
