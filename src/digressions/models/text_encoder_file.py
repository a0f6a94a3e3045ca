"""The text encoders that a file holds: a checkpoint's own, or those of a file of their own, which
ComfyUI keeps as ``clip_l.safetensors`` and ``clip_g.safetensors``.

Names are those of `transformers` or of OpenCLIP, after any prefix. Which of SDXL's two an encoder
is, its width says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import ModelError, verbatim
from .header import Header, read_header
from .recognise import Family, recognise
from .tensors import filled, read_tensors

_OPEN_CLIP = "token_embedding.weight"
_TRANSFORMERS = (
    "text_model.embeddings.token_embedding.weight",
    "embeddings.token_embedding.weight",
)
_CALLED: dict[Family | None, dict[str, str]] = {
    "sd1": {"text_encoder": "clip_l"},
    "sd2": {"text_encoder": "clip_h"},
    "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"},
}
"""What ComfyUI calls the files of a family's text encoders, by the names that diffusers has."""


class StoredEncoder(NamedTuple):
    """A text encoder in a file.

    Attributes:
        header: Of the file.
        start: What the names of its tensors start with.
        open_clip: Whether they are OpenCLIP's names.
        width: Of its layers.
    """

    header: Header
    start: str
    open_clip: bool
    width: int


def encoders_in(header: Header) -> list[StoredEncoder]:
    """The text encoders of a file, in the order of its names."""
    found = []
    for name, stored in header.tensors.items():
        if len(stored.shape) != 2 or not name.endswith(_OPEN_CLIP):
            continue
        ending = next((each for each in _TRANSFORMERS if name.endswith(each)), _OPEN_CLIP)
        start = name.removesuffix(ending)
        found.append(StoredEncoder(header, start, ending == _OPEN_CLIP, stored.shape[1]))
    return found


def chosen_encoders(
    header: Header, family: Family | None, widths: dict[str, int], given: Sequence[Path]
) -> dict[str, StoredEncoder]:
    """The text encoders of a checkpoint: those of other files where some are given, else its own.

    Args:
        header: Of the checkpoint.
        widths: Of those that its family has, by the names that diffusers has.
        given: Files of text encoders.

    Raises:
        ModelError: One is missing, or a file holds none that the family has.
    """
    found = _by_name(encoders_in(header), widths)
    for path in given:
        other = read_header(path)
        own = _by_name(encoders_in(other), widths)
        if not own:
            there = " and ".join(f"{each.width:,}" for each in encoders_in(other))
            what = f"holds a text encoder {there} wide" if there else f"is {recognise(other).what}"
            wanted = _wanted(family, widths, widths)
            raise ModelError(f"`text_encoder` {verbatim(str(path))} {what}: give {wanted}")
        found |= own
    missing = [name for name in widths if name not in found]
    if missing:
        wanted = _wanted(family, widths, missing)
        raise ModelError(
            f"{verbatim(str(header.path))} lacks {wanted}: name the file with `text_encoder`"
        )
    return found


def _by_name(stored: Sequence[StoredEncoder], widths: dict[str, int]) -> dict[str, StoredEncoder]:
    names = {width: name for name, width in widths.items()}
    return {names[each.width]: each for each in stored if each.width in names}


def _wanted(
    family: Family | None, widths: dict[str, int], names: Sequence[str] | dict[str, int]
) -> str:
    called = _CALLED[family]
    words = [f"a text encoder {widths[name]:,} wide ({called[name]})" for name in names]
    return " and ".join(words)


def load_encoder(
    what: str, stored: StoredEncoder, kind: Any, config: Any, dtype: torch.dtype
) -> Any:
    """A text encoder of `transformers` with what a file holds.

    Args:
        what: It is, for messages.
        kind, config: Of the network.

    Raises:
        ModelError: It is not whole, or of another build.
    """
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    start = stored.start

    def tensors(network: Any) -> dict[str, Tensor]:
        found = read_tensors(stored.header, start, dtype)
        if stored.open_clip:
            found = convert_open_clip_checkpoint(network, found, prefix=start)
        else:
            found = {name.removeprefix(start): tensor for name, tensor in found.items()}
        plain = {name.removeprefix("text_model."): tensor for name, tensor in found.items()}
        inside = "text_model." if hasattr(network, "text_model") else ""
        outer = "text_projection."
        return {
            name if name.startswith(outer) else f"{inside}{name}": tensor
            for name, tensor in plain.items()
        }

    return filled(what, lambda: kind(config), tensors)
