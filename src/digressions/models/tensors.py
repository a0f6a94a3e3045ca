"""From the tensors of a file to a network that holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..errors import ModelError, verbatim
from ..files import reading_foreign
from .header import Header

Build: TypeAlias = Callable[[], Any]

_SCALE = ".scale_weight"  # of a weight in float8, as ComfyUI stores it


def read_tensors(header: Header, start: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of a file whose names start so, in a dtype; those in float8 times their scale.

    Raises:
        ModelError: The file cannot be read.
    """
    from safetensors import safe_open

    found = {}

    def refused(why: str) -> ModelError:
        return ModelError(f"{verbatim(str(header.path))} cannot be read: {why}")

    with reading_foreign(refused), safe_open(header.path, "pt") as file:
        for name in header.tensors:
            if not name.startswith(start) or name.endswith((_SCALE, ".scale_input")):
                continue
            tensor = file.get_tensor(name)
            scale = name.removesuffix(".weight") + _SCALE
            if tensor.dtype.itemsize == 1 and tensor.is_floating_point():
                tensor = tensor.float()
                if scale in header:
                    tensor = tensor * file.get_tensor(scale).float()
            found[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return found


def filled(what: str, build: Build, tensors_for: Callable[[Any], dict[str, Tensor]]) -> Any:
    """A network with tensors from a file, for use and not for training.

    It is built without memory of its own, and must find every tensor that it needs: what is missing
    is never made up, as the libraries would.

    Args:
        what: It is, such as "the unet of x.safetensors".
        build: Makes the network.
        tensors_for: Its tensors, under its own names; others are left out.

    Raises:
        ModelError: A tensor is missing, or has another shape.
    """
    with reading_foreign(lambda why: ModelError(f"{what} cannot be loaded: {why}")):
        with torch.device("meta"):
            network = build()
        wanted = network.state_dict()
        found = {key: value for key, value in tensors_for(network).items() if key in wanted}
        _check(what, wanted, found)
        network.load_state_dict(found, assign=True)
        _place_buffers(network)
    return network.eval().requires_grad_(False)


def _check(what: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        more = f" and {len(missing) - 1:,} others" if len(missing) > 1 else ""
        raise ModelError(f"{what} lacks {missing[0]}{more}: it is not whole")
    for key, value in found.items():
        if value.shape != wanted[key].shape:
            raise ModelError(
                f"{what} is of another build: {key} is {_times(value)}, not {_times(wanted[key])}"
            )


def _place_buffers(network: Any) -> None:
    """Positions, which no file holds, are counted anew where they were built without memory."""
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                if name != "position_ids":
                    raise ModelError(f"{name} of a text encoder is in no file")
                setattr(module, name, torch.arange(buffer.shape[-1]).expand(buffer.shape))


def _times(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
