"""What of a forward pass is quickest on this machine: layout, dtype, attention, torch.compile.

    python -m benchmarks.kernels --compile --openvino --update docs/speed.md

The denoising network and the autoencoder's decoder of a model are run on one batch in every way;
the ways take turns within each repeat. The first row is plain torch: float32, channels first.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor

from benchmarks.machine import clock_for, clock_name, cpu_name, machine, threads_of
from benchmarks.page import update
from digressions.device import device_for
from digressions.models.loading import load
from digressions.models.openvino_networks import Converted, Step
from digressions.models.runtime import DTYPES, dtype_for
from digressions.models.stable_diffusion import StableDiffusion

LAYOUTS = {"first": torch.contiguous_format, "last": torch.channels_last}


@dataclass
class Way:
    """One way of running the networks.

    Attributes:
        name: As in the table.
        run: One step of the network and one decoding, of the batch.
        seconds: Of each, one value for each repeat.
        warming: Seconds of the first run, in which torch.compile works.
    """

    name: str
    run: Callable[[], None]
    seconds: list[float] = field(default_factory=list)
    warming: float = 0.0


def way(name: str, model: StableDiffusion, batch: int, **options: Any) -> Way:
    """The networks of a model, copied and set up as ``options`` say."""
    dtype = options.get("dtype", torch.float32)
    layouts = [LAYOUTS[each] for each in options.get("layouts", ("last", "last"))]
    unet, vae = (
        torch.nn.Module.to(copy.deepcopy(network), dtype=dtype, memory_format=layout)
        for network, layout in zip((model.unet, model.autoencoder.vae), layouts, strict=True)
    )
    unet.set_attn_processor(AttnProcessor2_0() if options.get("fused", True) else AttnProcessor())
    if options.get("openvino"):
        return _by_openvino(name, model, batch, unet, vae)
    if options.get("compiled"):
        unet.compile()
        vae.decoder.compile()
    latents, t, text = inputs(model, batch, dtype)
    noisy, clean = (latents.contiguous(memory_format=layout) for layout in layouts)

    @torch.inference_mode()
    def run() -> None:
        unet(noisy, t, encoder_hidden_states=text)
        vae.decode(clean)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)

    return Way(name, run)


def inputs(model: StableDiffusion, batch: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, times and tokens of a batch."""
    drawn = torch.Generator().manual_seed(0)
    side = model.size // model.vae_scale_factor
    latents = torch.randn(batch, model.latent_channels, side, side, generator=drawn)
    text = model.encode_text(["frog"] * batch, model.size, model.size).tokens.to(dtype)
    t = torch.full((batch,), 499.0, device=model.device)
    return latents.to(model.device, dtype), t, text


def _by_openvino(name: str, model: StableDiffusion, batch: int, unet: Any, vae: Any) -> Way:
    latents, t, text = inputs(model, batch, unet.dtype)
    step = Converted(Step(unet), (latents, t, text))
    decoder = Converted(vae.decoder, (latents,))

    @torch.inference_mode()
    def run() -> None:
        step(latents, t, text)
        decoder(latents)

    return Way(name, run)


def ways(model: StableDiffusion, batch: int, compiled: bool, openvino: bool) -> list[Way]:
    """All of them; the best dtype compiled, and by OpenVINO, where that is asked for."""
    found = [
        way("float32, channels first", model, batch, layouts=("first", "first")),
        way("float32, channels last", model, batch),
        way("float32, channels last, attention not fused", model, batch, fused=False),
    ]
    for name in ("bfloat16", "float16"):
        found.append(way(f"{name}, channels last", model, batch, dtype=DTYPES[name]))
    both = {"dtype": torch.bfloat16, "layouts": ("first", "last")}
    found.append(
        way("bfloat16, channels first in the denoiser, last in the decoder", model, batch, **both)
    )
    chosen = dtype_for(None, model.device)
    name = str(chosen).removeprefix("torch.")
    if openvino:
        found.append(way(f"{name}, OpenVINO", model, batch, dtype=chosen, openvino=True))
    if compiled:
        found.append(
            way(f"{name}, channels last, compiled", model, batch, dtype=chosen, compiled=True)
        )
    return found


def measure(found: Sequence[Way], repeats: int, clock: Callable[[], float]) -> None:
    """Warms each way, then lets them take turns."""
    for each in found:
        begun = clock()
        each.run()
        each.warming = clock() - begun
    for _ in range(repeats):
        for each in found:
            begun = clock()
            each.run()
            each.seconds.append(clock() - begun)


def table(found: Sequence[Way], batch: int) -> str:
    """The figures as a table in Markdown; ratios are taken within a repeat."""
    lines = [
        "| way | ms a picture | times the first | first run, s |",
        "| --- | ---: | ---: | ---: |",
    ]
    for each in found:
        ratio = statistics.median(
            mine / first for mine, first in zip(each.seconds, found[0].seconds, strict=True)
        )
        took = statistics.median(each.seconds) / batch * 1000
        lines.append(f"| {each.name} | {took:.1f} | {ratio:.2f} | {each.warming:.1f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and updates a page where asked; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--device")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile too: minutes")
    parser.add_argument("--openvino", action="store_true", help="OpenVINO too")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section between kernels marks")
    asked = parser.parse_args(arguments)
    if min(asked.batch, asked.repeats) < 1:
        parser.error("--batch and --repeats must be at least 1")
    device = device_for(asked.device)
    model = load(asked.model, str(device), "float32")
    if not isinstance(model, StableDiffusion):
        parser.error(f"--model {asked.model} has no unet")
    found = ways(model, asked.batch, asked.compile, asked.openvino)
    clock = clock_for(device)
    measure(found, asked.repeats, clock)
    seen = machine(("diffusers",))
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    text = (
        f"{table(found, asked.batch)}\n\nOne step and one decoding of {asked.batch} pictures, "
        f"{asked.model}; {where}, {threads_of(seen)}; torch {torch.__version__}; medians "
        f"of {asked.repeats} interleaved repeats, {clock_name(clock)}. Taken when nothing is said: "
        f"{str(dtype_for(None, device)).removeprefix('torch.')}.\n"
    )
    print(text)
    rows = [{"name": each.name, "seconds": each.seconds, "warming": each.warming} for each in found]
    report = {"machine": seen, "batch": asked.batch, "rows": rows}
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        update(asked.update, text, "kernels")
    return report


if __name__ == "__main__":
    main()
