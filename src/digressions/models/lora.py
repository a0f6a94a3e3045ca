r"""LoRA files: small changes to a network's weights, added to them at load, so that a step costs
nothing more.

A file holds matrices for some layers of the network and of the text encoders. What they say is
added to a layer's weight :math:`W`, times the strength that the user gives:

- LoRA (Hu et al. 2021, arXiv 2106.09685): :math:`\Delta W = \frac{\alpha}{r} B A`, also for
  convolutions (LoCon);
- LoHa (FedPara, arXiv 2108.06098): :math:`\frac{\alpha}{r} (B_1 A_1) \odot (B_2 A_2)`;
- LoKr (LyCORIS, arXiv 2309.14859): :math:`C \otimes B A`, times :math:`\frac{\alpha}{r}` where
  anything is factored.

Layers are found by their names as kohya's scripts write them (``lora_unet_...``), diffusers
(``unet. ... .lora_A.weight``), PEFT alone (``base_model.model. ...``) or ComfyUI
(``diffusion_model. ...``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import InputError, ModelError, errors_about, verbatim
from ..files import at_home
from ..prompts.parse import MOST_STRENGTH
from .header import read_header
from .library import LORAS, Library, check_found, located
from .recognise import FAMILIES, Family, recognise
from .tensors import read_tensors

_PREFIXES = {
    "lora_unet_": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "unet.": "unet",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "base_model.model.text_model.": "text_encoder",
    "base_model.model.": "unet",
    "diffusion_model.": "unet",
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
}
_SUFFIX = re.compile(
    r"[._](?P<part>(?:lora[._])?(?:lora_)?(?:linear_layer\.)?(?:up|down|A|B|mid)\.(?:default\.)?weight"
    r"|alpha|hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))$"
)
_OURS = {  # names of Stability AI's programs within a block, as diffusers has them
    "in_layers_2": "conv1",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
    "downsamplers_0_op": "downsamplers_0_conv",
    "time_embed_0": "time_embedding_linear_1",
    "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1",
    "label_emb_0_2": "add_embedding_linear_2",
    "input_blocks_0_0": "conv_in",
}
_BLOCK = re.compile(r"(input|output)_blocks_(\d+)_(\d)_(.+)|middle_block_([012])_(.+)")
_MIDDLE = {"0": "resnets_0", "1": "attentions_0", "2": "resnets_1"}
_PARTS = {"up": "up", "B": "up", "down": "down", "A": "down", "mid": "mid"}


class Lora(NamedTuple):
    """A LoRA file, and how much of it counts: 1 as it was made."""

    path: Path
    strength: float

    @classmethod
    def parse(cls, text: str) -> Lora:
        """Reads ``FILE`` or ``FILE:STRENGTH``. Raises `InputError`."""
        name, colon, number = text.rpartition(":")
        drive = len(name) == 1 and number[:1] in ("/", "\\")
        if not colon or drive or at_home(text).is_file():
            return cls(at_home(text), 1.0)
        try:
            strength = float(number)
        except ValueError:
            raise InputError(
                f"`lora` {verbatim(text)}: {verbatim(repr(number))} is no strength: give a number "
                "from -10 to 10 after the colon, such as 0.8"
            ) from None
        if not abs(strength) <= MOST_STRENGTH:
            raise InputError(f"`lora` {verbatim(text)}: {number} is out of range: -10 to 10")
        return cls(at_home(name), strength)

    def located(self, library: Library | None) -> Lora:
        """With its whole path; found by name, if need be.

        Raises:
            InputError: There are several of the name.
            ModelError: There is none, or it is damaged.
        """
        with errors_about("lora"):
            found = located(str(self.path), LORAS, library)
        check_found("lora", found, LORAS, library)
        return self._replace(path=Path(found).absolute())

    def __str__(self) -> str:
        return f"{self.path}:{self.strength:g}"


Networks = Mapping[str, nn.Module]
"""``unet``, ``text_encoder`` and with SDXL ``text_encoder_2``."""


class Fused:
    """LoRAs in the weights of networks.

    They can be taken out again exactly: the weights that were changed are kept beside.
    """

    def __init__(self, networks: Networks, loras: Sequence[Lora], family: Family | None) -> None:
        """Adds them.

        Args:
            networks: Changed in place.
            loras: Added up.
            family: Of the networks, where that is known.

        Raises:
            ModelError: A file is no LoRA, of another family, or has layers that are not there.
        """
        changes: dict[nn.Parameter, Tensor] = {}
        for lora in loras:
            for weight, change in _changes(networks, lora, family):
                scaled = change * lora.strength
                changes[weight] = changes[weight] + scaled if weight in changes else scaled
        # New tensors: the old ones may be the file itself, mapped into memory.
        self._before = {weight: weight.data.cpu() for weight in changes}
        for weight, change in changes.items():
            weight.data = (weight.data.float() + change.to(weight.device)).to(weight.dtype)

    def remove(self) -> None:
        """Puts every weight back as it was, bit for bit."""
        for weight, before in self._before.items():
            weight.data = before.to(weight.device)
        self._before = {}


def _changes(
    networks: Networks, lora: Lora, family: Family | None
) -> list[tuple[nn.Parameter, Tensor]]:
    """What a file adds at full strength, float32 on the CPU, by the weight that it is added to."""
    shown = verbatim(str(lora.path))
    header = read_header(lora.path)
    contents = recognise(header)
    if contents.kind != "lora":
        raise ModelError(f"`lora` {shown} is {contents.what}: give the file of a LoRA")
    if family and contents.family and contents.family != family:
        raise ModelError(f"`lora` {shown} is {contents.what} and the model is {FAMILIES[family]}")
    if header.holds(".dora_scale", ".oft_", ".on_input", ".a1.weight"):
        raise ModelError(f"`lora` {shown} is {contents.what}: give a LoRA, LoCon, LoHa or LoKr")
    tensors = read_tensors(header, "", torch.float32)
    modules = _modules(networks)
    layers: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        found = _SUFFIX.search(name)
        if found is not None:
            layers[name[: found.start()]][_part(found["part"])] = tensor
    unknown = [name for name in layers if _key(name) not in modules]
    if unknown:
        layer = "layer" if len(unknown) == 1 else "layers"
        raise ModelError(
            f"`lora` {shown} has {len(unknown):,} {layer} that the model lacks, such as "
            f"{unknown[0]:.100}: it is for another model"
        )
    changes = []
    for name, parts in layers.items():
        weight = modules[_key(name)].weight
        try:
            changes.append((weight, _change(parts).reshape(weight.shape)))
        except (KeyError, RuntimeError) as error:
            raise ModelError(f"`lora` {shown}: {name:.100} does not fit the model") from error
    return changes


def _part(suffix: str) -> str:
    """``up``, ``down``, ``alpha`` or a name of LyCORIS, of whatever a name ends in."""
    if suffix.startswith(("alpha", "hada", "lokr")):
        return suffix
    return next(_PARTS[word] for word in re.split(r"[._]", suffix) if word in _PARTS)


def _key(layer: str) -> str:
    """A layer's name without what writers disagree on."""
    for prefix, network in _PREFIXES.items():
        if layer.startswith(prefix):
            rest = layer.removeprefix(prefix).replace(".processor", "").replace(".", "_")
            rest = _in_our_blocks(rest.removeprefix("text_model_"))
            for theirs, ours in _OURS.items():
                if rest.endswith(theirs):
                    rest = rest.removesuffix(theirs) + ours
            return f"{network}/{'conv_out' if rest == 'out_2' else rest}"
    return layer


def _modules(networks: Networks) -> dict[str, Any]:
    """The layers that have a weight, by `_key`."""
    found = {}
    for network, module in networks.items():
        for name, layer in module.named_modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                flat = name.replace(".", "_").removeprefix("text_model_")
                found[f"{network}/{flat}"] = layer
                if flat.endswith("to_out_0"):  # old diffusers names leave the 0 out
                    found.setdefault(f"{network}/{flat.removesuffix('_0')}", layer)
    return found


def _in_our_blocks(layer: str) -> str:
    """A layer whose blocks are counted as Stability AI's programs count them, as diffusers does.

    There the first is the first convolution. Then every block has two layers on the way down and
    three on the way up, each with a number, and what changes the size has a number of its own on
    the way down.
    """
    found = _BLOCK.fullmatch(layer)
    if found is None or layer == "input_blocks_0_0":
        return layer
    way, number, place, rest, middle, rest_of_middle = found.groups()
    if middle is not None:
        return f"mid_block_{_MIDDLE[middle]}_{rest_of_middle}"
    block, at = divmod(int(number) - (way == "input"), 3)
    kind = f"{'attentions' if place == '1' else 'resnets'}_{at}"
    if rest == "op":
        kind = "downsamplers_0"
    elif rest == "conv":
        kind = "upsamplers_0"
    return f"{'down' if way == 'input' else 'up'}_blocks_{block}_{kind}_{rest}"


def _change(parts: Mapping[str, Tensor]) -> Tensor:
    if "hada_w1_a" in parts:
        rank = parts["hada_w1_b"].shape[0]
        first, second = (_product(parts, f"hada_w{i}_a", f"hada_w{i}_b") for i in (1, 2))
        return first * second * _scale(parts, rank)
    if any(name.startswith("lokr") for name in parts):
        return _kronecker(parts)
    up, down = parts["up"], parts["down"]
    rank = down.shape[0]
    if "mid" in parts:
        change = torch.einsum("or,rskl,si->oikl", up.flatten(1), parts["mid"], down.flatten(1))
    else:
        change = up.flatten(1) @ down.flatten(1)
    return change * _scale(parts, rank)


def _kronecker(parts: Mapping[str, Tensor]) -> Tensor:
    factors, rank = [], None
    for i in (1, 2):
        if f"lokr_w{i}" in parts:
            factors.append(parts[f"lokr_w{i}"])
            continue
        rank = parts[f"lokr_w{i}_b"].shape[0]
        factors.append(_product(parts, f"lokr_w{i}_a", f"lokr_w{i}_b"))
    first, second = factors
    first = first.reshape(*first.shape, *[1] * (second.ndim - first.ndim))
    change = torch.kron(first, second)
    return change if rank is None else change * _scale(parts, rank)


def _product(parts: Mapping[str, Tensor], a: str, b: str) -> Tensor:
    return parts[a] @ parts[b].flatten(1)


def _scale(parts: Mapping[str, Tensor], rank: int) -> float:
    alpha = parts.get("alpha")
    return 1.0 if alpha is None else float(alpha) / rank
