"""An upscaler from a file: safetensors alone, what cannot be used in a line, tiles that hide.

What a file may be is tested with a stand-in for spandrel, and the real one where it is installed;
it needs torchvision, which the tests do without.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from digressions.errors import DigressionsError, InputError, MissingExtraError
from digressions.images.image_files import read_image, write_image
from digressions.images.spandrel_upscaler import SpandrelUpscaler
from digressions.images.upscale import check_upscaler, enlarge, load_upscaler

from .conftest import Ran

COMPACT = {"body.0.weight": (8, 3, 3, 3), "body.0.bias": (8,), "body.1.weight": (8,)}
COMPACT |= {"body.2.weight": (8, 8, 3, 3), "body.2.bias": (8,), "body.3.weight": (8,)}
COMPACT |= {"body.4.weight": (12, 8, 3, 3), "body.4.bias": (12,)}  # twice as large, 3 channels


def compact(path: Path) -> Path:
    """A small network of chance in the layout of Real-ESRGAN's compact ones (SRVGG)."""
    torch.manual_seed(0)
    save_file({name: 0.2 * torch.randn(shape) for name, shape in COMPACT.items()}, path)
    return path


class Descriptor(torch.nn.Module):
    """As spandrel's: enlarges twice by repetition, and says so."""

    def __init__(self, **said: int) -> None:
        super().__init__()
        self.scale, self.input_channels, self.output_channels = 2, 3, 3
        self.__dict__.update(said)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture
def spandrel(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in with the four names that are used; ``load`` is what it makes of weights."""
    stand = ModuleType("spandrel")
    inner = SimpleNamespace(load=lambda weights: Descriptor())

    class UnsupportedError(Exception):
        pass

    class ModelLoader:
        def load_from_state_dict(self, weights: dict[str, torch.Tensor]) -> object:
            return inner.load(weights)

    for name, value in (
        ("ModelLoader", ModelLoader),
        ("UnsupportedModelError", UnsupportedError),
        ("ImageModelDescriptor", Descriptor),
    ):
        setattr(stand, name, value)
    monkeypatch.setitem(sys.modules, "spandrel", stand)
    return inner


@pytest.fixture
def real_spandrel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real one, where torchvision is missing with empty names in its place: two of the
    architectures, none of them used here, want it when they are imported."""
    pytest.importorskip(
        "einops", reason="spandrel is an extra: pip install 'digressions[spandrel]'"
    )
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        functional = ModuleType("torchvision.transforms.functional")
        for name in ("InterpolationMode", "rotate", "normalize"):
            setattr(functional, name, None)
        for name in ("torchvision", "torchvision.transforms"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, functional.__name__, functional)
    try:
        importlib.import_module("spandrel")
    except ModuleNotFoundError:
        pytest.skip("spandrel is an extra: pip install 'digressions[spandrel]'")
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "spandrel"]:
        del sys.modules[name]


# --- enlarging -------------------------------------------------------------------------------


def test_a_real_network_in_tiles_is_the_whole_within_a_grey_level(
    real_spandrel: None, tmp_path: Path
) -> None:
    name = str(compact(tmp_path / "net.safetensors"))
    picture = np.random.default_rng(0).integers(0, 256, (150, 190, 3), np.uint8)
    whole = SpandrelUpscaler(name, "cpu", tile=400)(picture)
    tiled = SpandrelUpscaler(name, "cpu", tile=16)(picture)
    assert whole.shape == (300, 380, 3)
    assert whole.std() > 10
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_a_real_file_of_no_known_network(real_spandrel: None, tmp_path: Path) -> None:
    save_file({"something": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="an architecture that spandrel does not know"):
        load_upscaler(str(tmp_path / "a.safetensors"))


def test_the_command_enlarges_with_a_file(
    spandrel: SimpleNamespace, digress: Callable[..., Ran], tmp_path: Path, photo: np.ndarray
) -> None:
    write_image(tmp_path / "a.png", photo)
    name = compact(tmp_path / "net.safetensors")
    ran = digress("upscale", "a.png", "--times", 2, "--upscaler", name, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert np.array_equal(read_image("a-upscaled.png"), photo.repeat(2, 0).repeat(2, 1))


def test_enlarging_goes_on_until_it_is_enough(
    spandrel: SimpleNamespace, tmp_path: Path, photo: np.ndarray
) -> None:
    ready = load_upscaler(str(compact(tmp_path / "net.safetensors")), device="cpu")
    assert enlarge(photo, 8 * 64, 8 * 48, ready).shape == (384, 512, 3)


# --- what cannot be used ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt", "a.bin", "folder/a.PTH"])
def test_a_pickle_is_refused_unopened(name: str) -> None:
    with pytest.raises(InputError, match=r"is a pickle, .* get the model as \.safetensors"):
        check_upscaler(name)


def test_a_pickle_that_calls_itself_safetensors(spandrel: SimpleNamespace, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="damaged safetensors"):
        load_upscaler(str(tmp_path / "a.safetensors"))


def test_a_file_that_is_not_there_or_another(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of weights"):
        check_upscaler("nowhere.safetensors")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(InputError, match=r"is not a \.safetensors file"):
        check_upscaler(str(tmp_path / "a.txt"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"scale": 1}, "does not enlarge"),
        ({"input_channels": 1}, "is not for RGB"),
        ({"output_channels": 4}, "is not for RGB"),
    ],
)
def test_a_network_for_something_else(
    spandrel: SimpleNamespace, tmp_path: Path, said: dict[str, int], words: str
) -> None:
    spandrel.load = lambda weights: Descriptor(**said)
    with pytest.raises(InputError, match=words):
        load_upscaler(str(compact(tmp_path / "net.safetensors")))


def test_a_network_that_inpaints(spandrel: SimpleNamespace, tmp_path: Path) -> None:
    spandrel.load = lambda weights: object()
    with pytest.raises(InputError, match="does not enlarge"):
        load_upscaler(str(compact(tmp_path / "net.safetensors")))


def test_weights_that_do_not_fit_are_one_line(spandrel: SimpleNamespace, tmp_path: Path) -> None:
    def load(weights: object) -> object:
        raise RuntimeError("size mismatch\n  for body.0")

    spandrel.load = load
    with pytest.raises(InputError, match=r"cannot be loaded: size mismatch for body\.0"):
        load_upscaler(str(compact(tmp_path / "net.safetensors")))


@pytest.mark.parametrize("missing", ["spandrel", "torchvision"])
def test_what_is_not_installed_says_how_to(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str, *rest: object, **named: object) -> object:
        if name == "spandrel":
            raise ModuleNotFoundError(f"No module named '{missing}.x'", name=f"{missing}.x")
        return original(name, *rest, **named)  # type: ignore[operator]

    original = __builtins__["__import__"]  # type: ignore[index]
    monkeypatch.setitem(__builtins__, "__import__", without)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError) as error:
        check_upscaler(str(compact(tmp_path / "net.safetensors")))
    wanted = f"{missing} is not installed: pip install 'digressions[spandrel]', or pip install "
    wanted += "'.[spandrel]' in a clone"
    assert str(error.value) == wanted


def test_a_torchvision_that_does_not_fit_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, *rest: object, **named: object) -> object:
        if name == "spandrel":
            raise RuntimeError("operator torchvision::nms\ndoes not exist")
        return original(name, *rest, **named)  # type: ignore[operator]

    original = __builtins__["__import__"]  # type: ignore[index]
    monkeypatch.setitem(__builtins__, "__import__", broken)  # type: ignore[arg-type]
    with pytest.raises(
        DigressionsError, match="does not start here: operator torchvision::nms does"
    ):
        check_upscaler(str(compact(tmp_path / "net.safetensors")))
