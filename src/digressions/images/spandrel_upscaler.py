"""An upscaler from a file of weights: any network that spandrel knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..device import device_for
from ..errors import DigressionsError, InputError, MissingExtraError, verbatim
from ..files import reading_foreign
from .tiles import in_tiles

_PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".pkl")
_SUFFIX = ".safetensors"
_TILE = 192  # pixels a side
_FEATHER = 8


def is_file_of_weights(name: str) -> bool:
    """Whether the name of an upscaler is meant as a path."""
    return Path(name).suffix.lower() in (_SUFFIX, *_PICKLES) or "/" in name or "\\" in name


def check_weights(name: str) -> None:
    """What can be said of a file of weights before anything is loaded.

    Raises:
        InputError: It is not there, or not a safetensors file.
        MissingExtraError: spandrel is not installed.
    """
    path = Path(name)
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            f"{verbatim(path)} is a pickle, which can run any program when it is opened: "
            "get the model as .safetensors"
        )
    if not path.is_file():
        raise InputError(f"{verbatim(path)}: there is no such file of weights")
    if path.suffix.lower() != _SUFFIX:
        raise InputError(f"{verbatim(path)} is not a {_SUFFIX} file")
    _spandrel()


class SpandrelUpscaler:
    """A single-image super-resolution network, on the GPU if there is one.

    Large pictures are enlarged in tiles. ``reach`` covers convolutional networks of the usual
    depth, so that no pixel changes by more than a grey level; one that looks at the whole picture
    may differ more from tile to tile, which is faded over.
    """

    reach = 64

    def __init__(self, name: str, device: str | None = None, tile: int = _TILE) -> None:
        """Loads a network.

        Args:
            name: The path of a ``.safetensors`` file.
            device: As torch names it; CUDA, then MPS, then the CPU if not said.
            tile: Pixels a side of what is kept of a tile.

        Raises:
            InputError: No such file, not safetensors, an architecture that is not known, a
                network that does not enlarge RGB pictures, or no such device.
            MissingExtraError: spandrel is not installed.
        """
        check_weights(name)
        spandrel = _spandrel()
        from safetensors.torch import load_file

        place = device_for(device)
        damaged = f"{name} is a damaged safetensors file: get it again"
        with reading_foreign(lambda _: InputError(damaged)):
            weights = load_file(name)
        with reading_foreign(lambda why: InputError(f"{name} cannot be loaded: {why}")):
            try:
                network = spandrel.ModelLoader().load_from_state_dict(weights)
            except spandrel.UnsupportedModelError as error:
                raise InputError(
                    f"{name} has an architecture that spandrel does not know"
                ) from error
        if not isinstance(network, spandrel.ImageModelDescriptor) or network.scale < 2:
            raise InputError(f"{name} does not enlarge pictures")
        if (network.input_channels, network.output_channels) != (3, 3):
            raise InputError(f"{name} is not for RGB pictures")
        self.name = name
        self.scale: int = network.scale
        self._tile = tile
        self._device = place
        self._network: Any = network.to(self._device).eval()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return in_tiles(
            self._whole, image, self.scale, tile=self._tile, overlap=self.reach, feather=_FEATHER
        )

    def _whole(self, image: np.ndarray) -> np.ndarray:
        import torch

        from .image_files import to_array, to_tensor

        with torch.inference_mode():
            big = self._network(to_tensor(image)[None].to(self._device))
            return to_array(big[0].float().clamp(0, 1).cpu())


def _spandrel() -> Any:
    try:
        import spandrel
    except ModuleNotFoundError as error:
        missing = (error.name or "spandrel").split(".")[0]
        raise MissingExtraError(missing, "spandrel") from error
    except Exception as error:  # torchvision that does not fit torch fails in its own ways
        reason = " ".join(str(error).split())[:200]
        raise DigressionsError(f"spandrel does not start here: {reason}") from error
    return spandrel
