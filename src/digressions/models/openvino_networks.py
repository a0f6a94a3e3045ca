"""A model's networks run by OpenVINO on a CPU, each where it is faster than by torch.

A network is converted once, takes batches and sizes of any kind, and computes in the model's own
dtype; its pictures are torch's to the rounding of that. Which of the two runs a network is measured
on this machine, on a small batch.
"""

from __future__ import annotations

import copy
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import InputError, MissingExtraError

GAIN = 1.05  # how much faster it must be to be taken
BATCH = 2
REPEATS = 3


class Contest(NamedTuple):
    """Seconds of one network on a small batch, by either; OpenVINO runs it where it won."""

    network: str
    torch: float
    openvino: float

    @property
    def won(self) -> bool:
        """Whether OpenVINO did."""
        return self.torch >= GAIN * self.openvino


def check_openvino(device: torch.device) -> Any:
    """Imports OpenVINO, having checked that it can run here.

    Raises:
        InputError: The device is no CPU.
        MissingExtraError: It is not installed.
    """
    if device.type != "cpu":
        raise InputError(f"`openvino` is for a CPU and the device is {device}: leave it out")
    # It would ask on the console for leave to report to Intel and Google: it goes without.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("openvino", "openvino") from None
    return openvino


def convert(
    unet: Any, vae: Any, examples: dict[str, tuple[Tensor, ...]], *, contest: bool = True
) -> list[Contest]:
    """Has OpenVINO run the networks of a model, in place, those that it is faster with.

    Args:
        unet: Takes the ``"unet"`` example as sample, time, tokens and, if it has any, the scale's
            embedding, or pooled text and time ids.
        vae: Its encoder and decoder take the examples of these names.
        contest: ``False`` takes it for all, whatever it costs.

    Returns:
        What was measured.
    """
    found = []
    step = Step(unet)
    for name, module in (("unet", step), ("encoder", vae.encoder), ("decoder", vae.decoder)):
        converted = Converted(module, examples[name])
        seconds = Contest(name, *_race(module, converted, examples[name]))
        found.append(seconds)
        if contest and not seconds.won:
            continue
        if name == "unet":
            unet.forward = _as_unet(converted, unet.forward)
        else:
            setattr(vae, name, converted)
    return found


class Converted(nn.Module):
    """A module run by OpenVINO: positional tensors in, one tensor out, in the module's dtype."""

    def __init__(self, module: nn.Module, example: tuple[Tensor, ...]) -> None:
        super().__init__()
        openvino = check_openvino(torch.device("cpu"))
        self.original = module
        half = next(module.parameters()).dtype
        # Converted in float32 and run in the other: a trace in bfloat16 would keep its casts.
        plain: Any = nn.Module.float(copy.deepcopy(module))
        plain = plain.to(memory_format=torch.contiguous_format)
        inputs = tuple(value.float() if value.is_floating_point() else value for value in example)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about sizes that it takes for fixed
            network = openvino.convert_model(plain, example_input=inputs)
        names = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
        options = {"INFERENCE_PRECISION_HINT": names[half]}
        options["INFERENCE_NUM_THREADS"] = str(torch.get_num_threads())
        self._network = openvino.Core().compile_model(network, "CPU", options)
        self._turn = threading.Lock()  # one request at a time, whoever asks

    def forward(self, *inputs: Tensor) -> Tensor:
        """Runs it."""
        arrays = [v.float().numpy() if v.is_floating_point() else v.numpy() for v in inputs]
        with self._turn:
            found = torch.from_numpy(self._network(arrays)[0].copy())
        return found.to(inputs[0].dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        """Torch's own: what is copied is to be changed."""
        return copy.deepcopy(self.original, memo)


class Step(nn.Module):
    """A denoising network with its inputs in a row."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor, tokens: Tensor, *more: Tensor) -> Tensor:
        scale = more[0] if len(more) == 1 else None
        added = {"text_embeds": more[0], "time_ids": more[1]} if len(more) == 2 else None
        return self.unet(
            x,
            t,
            encoder_hidden_states=tokens,
            timestep_cond=scale,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]


def _as_unet(
    converted: Converted, original: Callable[..., tuple[Tensor]]
) -> Callable[..., tuple[Tensor]]:
    """A `Step` called as `StableDiffusion` calls its network.

    Prompts of several lengths need a mask, which was not converted: torch runs them.
    """

    def forward(
        x: Tensor,
        t: Tensor,
        encoder_hidden_states: Tensor,
        timestep_cond: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        encoder_attention_mask: Tensor | None = None,
        return_dict: bool = False,
    ) -> tuple[Tensor]:
        if encoder_attention_mask is not None:
            return original(
                x,
                t,
                encoder_hidden_states,
                timestep_cond=timestep_cond,
                added_cond_kwargs=added_cond_kwargs,
                encoder_attention_mask=encoder_attention_mask,
                return_dict=return_dict,
            )
        added = added_cond_kwargs or {}
        more = [timestep_cond, added.get("text_embeds"), added.get("time_ids")]
        return (converted(x, t, encoder_hidden_states, *(v for v in more if v is not None)),)

    return forward


def _race(
    module: nn.Module, converted: Converted, example: tuple[Tensor, ...]
) -> tuple[float, float]:
    """Median seconds by torch and by OpenVINO, taking turns."""
    seconds: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for _ in range(REPEATS + 1):
            for runner, taken in zip((module, converted), seconds, strict=True):
                begun = time.perf_counter()
                runner(*example)
                taken.append(time.perf_counter() - begun)
    return statistics.median(seconds[0][1:]), statistics.median(seconds[1][1:])
