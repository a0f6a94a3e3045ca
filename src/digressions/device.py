"""Where networks run, be they models or upscalers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InputError, verbatim

if TYPE_CHECKING:
    import torch


_KINDS = ("cuda", "mps", "cpu", "xpu")


def check_device(name: str) -> None:
    """Raises `InputError` for what is no name of a device, such as ``"cuda"`` or ``"cuda:1"``."""
    kind, _, number = name.partition(":")
    if kind not in _KINDS or (number and not number.isdecimal()) or name.endswith(":"):
        raise InputError(
            f"`device` {verbatim(repr(name)):.60} is not known: choose one of {', '.join(_KINDS)}, "
            "or one of several such as cuda:1"
        )


def device_for(name: str | None) -> torch.device:
    """The device of a name; for ``None`` CUDA, then MPS, then the CPU.

    Raises:
        InputError: No such device is known, or it does not work.
    """
    import torch  # not before a network is loaded: it takes a second

    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    check_device(name)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"`device` {name!r} cannot be used: {reason}") from error
    return device
