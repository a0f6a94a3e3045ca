"""Where networks run, be they models or upscalers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import torch


def device_for(name: str | None) -> torch.device:
    """The device of a name; for ``None`` CUDA, then MPS, then the CPU.

    Raises:
        InputError: There is no such device, or it does not work.
    """
    import torch  # not before a network is loaded: it takes a second

    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"`device` {name!r} cannot be used: {reason}") from error
    return device
