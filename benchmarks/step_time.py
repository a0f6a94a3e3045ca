"""Seconds a step, measured on this CPU; and what GPUs would take, by arithmetic.

    python -m benchmarks.step_time --update docs/models.md

A step is one pass of the denoising network over one picture. On the CPU it is timed, in seconds of
processor time with one thread, beside the operations in it, counted one by one. For GPUs nothing is
measured: it is the same operations over a share of what the maker's data sheet promises
(`benchmarks.gpus`), an estimate.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpus import GPUS, UTILISATION, picture_tera, tera
from benchmarks.machine import cpu_name, dtype_name, version_of
from benchmarks.networks import NAMES, bare
from benchmarks.page import update
from digressions.diffusion.condition import Condition
from digressions.models.loading import load


@torch.inference_mode()
def bundled_step(repeats: int) -> dict[str, Any]:
    """Of the bundled model, in the dtype that it takes by itself."""
    model: Any = load("bundled", "cpu")
    side = model.size // model.vae_scale_factor
    x = torch.zeros(1, model.latent_channels, side, side)
    text = model.encode_text(["photo of a turtle"], model.size, model.size)
    condition, t = Condition(text, torch.ones(1)), torch.full((1,), 499.0)
    seconds = timed(lambda: model.network(x, t, condition), repeats)
    inputs = x.to(model.dtype), t
    count = tera(model.unet, *inputs, encoder_hidden_states=text.tokens)
    name = f"bundled, {model.size} px"
    return {"name": name, "tera": count, "seconds": seconds, "dtype": dtype_name(model.dtype)}


@torch.inference_mode()
def real_step(name: str, repeats: int) -> dict[str, Any]:
    """Of a network of real size with random weights, in bfloat16."""
    unet = bare(name)[0].to(torch.bfloat16).to_empty(device="cpu").eval()
    for value in unet.parameters():
        value.normal_(0, 0.02)
    side, width = unet.config.sample_size, unet.config.cross_attention_dim
    latents = torch.zeros(1, 4, side, side, dtype=torch.bfloat16)
    text = torch.zeros(1, 77, width, dtype=torch.bfloat16)
    added = {"text_embeds": torch.zeros(1, 1280).bfloat16(), "time_ids": torch.zeros(1, 6)}
    named = {"added_cond_kwargs": added} if name == "sdxl" else {}
    seconds = timed(lambda: unet(latents, 499, text, **named), repeats)
    label = f"{NAMES[name]}, {8 * side} px"
    count = picture_tera()[label][1]
    return {"name": label, "tera": count, "seconds": seconds, "dtype": "bfloat16"}


def timed(work: Any, repeats: int) -> float:
    """Seconds of processor time, the least of several."""
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def section(measured: Sequence[dict[str, Any]]) -> str:
    """The tables, in Markdown."""
    lines = ["| | operations a step | s a step, one thread | operations a second | dtype |"]
    lines += ["| --- | ---: | ---: | ---: | --- |"]
    for each in measured:
        rate = each["tera"] / each["seconds"]
        lines.append(
            f"| {each['name']} | {each['tera'] * 1e3:.3g} GFLOP | {each['seconds']:.3g} | "
            f"{rate * 1e3:.3g} GFLOP | {each['dtype']} |"
        )
    seen = f"Measured on {cpu_name()}, torch {version_of('torch')}."
    peak = f"{UTILISATION:.0%} of the peak in 16 bits that each maker names"
    lines += [
        "",
        f"{seen} For GPUs an estimate, not measured: one picture and the autoencoder at {peak}.",
        "",
    ]
    lines += ["| | " + " | ".join(gpu.name for gpu in GPUS) + " |"]
    lines += ["| --- |" + " ---: |" * len(GPUS)]
    for label, (_, step, halves) in picture_tera().items():
        for steps, way in ((1, "a step"), (50, "25 steps with guidance"), (4, "4 steps without")):
            work = step if steps == 1 else steps * step + halves
            shown = " | ".join(f"{work / (UTILISATION * gpu.peak):.2g} s" for gpu in GPUS)
            lines.append(f"| {label}: {way} | {shown} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measures, prints, and writes JSON and a page where asked; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", choices=NAMES, default=["sd15"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = [bundled_step(5 * asked.repeats)]
    found += [real_step(name, asked.repeats) for name in asked.networks]
    text = section(found)
    print(text)
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        update(asked.update, text, "step time")
    return found


if __name__ == "__main__":
    main()
