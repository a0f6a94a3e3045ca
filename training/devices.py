"""Where training runs: which device, in which arithmetic, and how things get there."""

import contextlib
from argparse import ArgumentParser, BooleanOptionalAction

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


def has_fast_bf16(device: str = "cpu") -> bool:
    """Whether a device multiplies bfloat16 matrices faster than float32 ones."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def default_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def add_device(parser: ArgumentParser, threads: int) -> None:
    """The options that say where and how a script computes."""
    device = default_device()
    parser.add_argument("--device", choices=("cpu", "cuda"), default=device)
    parser.add_argument("--bf16", action=BooleanOptionalAction, default=has_fast_bf16(device))
    parser.add_argument("--threads", type=int, default=threads, help="of the CPU")


@contextlib.contextmanager
def arithmetic(device: str, bf16: bool):
    """bfloat16 by autocast if asked for; on the CPU also the plain attention, quickest there."""
    plain = sdpa_kernel(SDPBackend.MATH) if device == "cpu" else contextlib.nullcontext()
    with plain, torch.autocast(device, torch.bfloat16, enabled=bf16):
        yield


def sent(x: Tensor, device: str | torch.device) -> Tensor:
    """The CPU tensor `x` on `device`, without waiting for what a GPU is still at."""
    if torch.device(device).type == "cpu":
        return x
    return x.pin_memory().to(device, non_blocking=True)
