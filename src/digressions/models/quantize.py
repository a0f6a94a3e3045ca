"""Denoising networks whose weights take fewer bits: 8 or 4 for those of the attention blocks.

Only weights are stored so, with a scale for each row (int8, fp8) or for 64 numbers (nf4); the
arithmetic stays in the model's dtype. torchao has the first two, bitsandbytes the third (NF4:
Dettmers et al. 2023, QLoRA, arXiv 2305.14314). Convolutions stay as they are: neither library
stores them so.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import nn

from ..errors import InputError, MissingExtraError, verbatim
from .placement import HOME

_BLOCK = 64  # numbers that share a scale in nf4: narrower layers stay as they are

Quantized: TypeAlias = Callable[[nn.Linear, torch.device], nn.Module]
"""From a linear layer and a device to work on to the layer that takes its place."""


def check_quantize(name: str, device: torch.device, dtype: torch.dtype) -> None:
    """Tries it on a small layer, before anything large is loaded.

    Raises:
        InputError: No such kind, or it does not work on the device.
        MissingExtraError: Its library is not installed.
    """
    if name not in KINDS:
        kinds = ", ".join(KINDS)
        raise InputError(f"`quantize` {verbatim(repr(name))} is not known: choose one of {kinds}")
    quantized = KINDS[name]()
    try:
        layer = quantized(nn.Linear(64, 64, dtype=dtype).requires_grad_(False), device)
        layer = layer.to(HOME).to(device)  # as offloading would
        with torch.inference_mode():
            layer(torch.ones(1, 2, 64, dtype=dtype, device=device))
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"`quantize` {name} does not work on {device} ({reason}): choose another, or leave it "
            "out"
        ) from error


def quantize_network(network: nn.Module, name: str, device: torch.device) -> None:
    """Stores the linear layers of a network's attention blocks in fewer bits, in place.

    Args:
        network: Waits in main memory, and does so afterwards.
        name: One of `KINDS`.
        device: Each layer is worked on there, alone.
    """
    quantized = KINDS[name]()
    for path, layer in list(network.named_modules()):
        if (
            isinstance(layer, nn.Linear)
            and "attentions." in path
            and not layer.in_features % _BLOCK
        ):
            place, _, own = path.rpartition(".")
            setattr(network.get_submodule(place), own, quantized(layer, device).to(HOME))


def _int8() -> Quantized:
    with _imported("torchao"):
        from torchao.quantization import Int8WeightOnlyConfig
    return _by_torchao(Int8WeightOnlyConfig(set_inductor_config=False))


def _fp8() -> Quantized:
    with _imported("torchao"):
        from torchao.quantization import Float8WeightOnlyConfig
    return _by_torchao(Float8WeightOnlyConfig(set_inductor_config=False))


def _by_torchao(config: Any) -> Quantized:
    from torchao.quantization import quantize_

    def quantized(layer: nn.Linear, device: torch.device) -> nn.Module:
        layer = layer.to(device)
        quantize_(layer, config)
        return layer

    return quantized


def _nf4() -> Quantized:
    with _imported("bitsandbytes"):
        from bitsandbytes.nn import Linear4bit, Params4bit

    def quantized(layer: nn.Linear, device: torch.device) -> nn.Module:
        small = Linear4bit(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            compute_dtype=layer.weight.dtype,
            quant_type="nf4",
            device="meta",
        )
        small.weight = Params4bit(
            layer.weight.data, requires_grad=False, quant_type="nf4", module=small
        )
        small.bias = layer.bias
        return small.to(device).eval()  # which does it

    return quantized


KINDS: dict[str, Callable[[], Quantized]] = {"int8": _int8, "fp8": _fp8, "nf4": _nf4}


def import_networks() -> None:
    """Imports diffusers and transformers, which would import torchao and bitsandbytes where they
    are installed: seconds at every start, and lines about kernels that this machine lacks.

    They do not look again, so a program that needs both in diffusers imports it before."""
    with _hidden("torchao", "bitsandbytes"):
        import diffusers  # noqa: F401
        from transformers import PreTrainedModel  # noqa: F401


@contextmanager
def _imported(library: str) -> Iterator[None]:
    """Imports a library without what it says of kernels that this machine lacks, and without
    fetching any from the hub.

    Raises:
        MissingExtraError: It is not installed.
    """
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with _hidden("kernels"):
            yield
    except ImportError:
        raise MissingExtraError(library, "quantize") from None
    finally:
        logging.disable(before)


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Has packages that are not imported yet seem not to be installed while the block runs."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
