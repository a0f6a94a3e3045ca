"""Enlarging: the size asked for, the colours kept, tiles that do not show."""

from __future__ import annotations

import numpy as np
import pytest

from digressions import upscale
from digressions.errors import InputError, MissingExtraError
from digressions.upscale import UPSCALERS, Upscaler, enlarge, load_upscaler

QUICK = "realesrgan-animevideo"  # the other networks take 30 times as long


@pytest.fixture(scope="module")
def network() -> Upscaler:
    return load_upscaler(QUICK)


@pytest.fixture(params=["lanczos", QUICK])
def upscaler(request: pytest.FixtureRequest) -> Upscaler:
    return load_upscaler(request.param)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (16, 24)])
def test_every_size_becomes_four_times_as_large(upscaler: Upscaler, shape: tuple[int, int]) -> None:
    big = upscaler(np.full((*shape, 3), 90, np.uint8))
    assert big.shape == (shape[0] * 4, shape[1] * 4, 3)
    assert big.dtype == np.uint8


def test_the_mean_colour_is_kept(upscaler: Upscaler, photo: np.ndarray) -> None:
    big = upscaler(photo)
    assert np.abs(big.mean((0, 1)) - photo.mean((0, 1))).max() <= 1.5


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_a_flat_picture_stays_flat(upscaler: Upscaler, colour: tuple[int, int, int]) -> None:
    big = upscaler(np.full((12, 12, 3), colour, np.uint8))
    assert np.abs(big.astype(int) - colour).max() <= 2


def test_the_same_picture_is_enlarged_the_same(network: Upscaler, photo: np.ndarray) -> None:
    assert np.array_equal(network(photo), network(photo))
    assert np.array_equal(network(photo), load_upscaler(QUICK, threads=1)(photo))


def test_tiles_do_not_show(
    network: Upscaler, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.concatenate([photo, photo[::-1, ::-1]], axis=1)
    whole = network(picture)
    monkeypatch.setattr(upscale, "TILE", 48)
    tiled = network(picture)
    assert tiled.shape == whole.shape
    assert np.abs(tiled.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("size", [(8, 8), (64, 48), (100, 30)])
def test_enlarging_reaches_exactly_the_size(
    upscaler: Upscaler, photo: np.ndarray, size: tuple[int, int]
) -> None:
    width, height = size
    assert enlarge(photo[:9, :12], width, height, upscaler).shape == (height, width, 3)


def test_an_unknown_name_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError) as refused:
        load_upscaler("magic")
    assert "'magic'" in str(refused.value)
    assert all(name in str(refused.value) for name in UPSCALERS)


def test_missing_weights_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscale.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install"):
        load_upscaler(QUICK)
