"""What `--quantize` does to the bundled model's pictures, beside float32.

    python -m benchmarks.quantized --update docs/models.md

Paints the same prompts from the same seeds with each kind of weights, and compares the pictures,
and the network's guess of the picture from one noisy start. bfloat16 stands beside them: what
computing in it changes, which nobody minds.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.machine import cpu_name, version_of
from benchmarks.memory import held
from benchmarks.page import update
from digressions.diffusion.condition import Condition
from digressions.generate.paint import painter_of
from digressions.models.loading import load
from digressions.models.quantize import KINDS
from tests import jobs

THINGS = ("frog", "fox", "turtle", "sunflower", "house", "bicycle", "apple", "owl")
NOISY = 700.0  # of 1000: where a guess is far from the picture and not yet a blur


def painted(model: Any, count: int) -> Tensor:
    """Pictures of ``count`` things, ``(count, 3, H, W)``, with the model's own settings."""
    usual = {"size": model.size, "steps": model.defaults.steps, "sampler": model.defaults.sampler}
    wanted = [
        jobs.job(f"photo of a {thing}", seed=seed, **usual)
        for seed, thing in enumerate(THINGS[:count], 1)
    ]
    return painter_of(model)(wanted)


@torch.inference_mode()
def guessed(model: Any, count: int) -> Tensor:
    """The network's output for noise and each of the things."""
    texts = [f"photo of a {thing}" for thing in THINGS[:count]]
    text = model.encode_text(texts, model.size, model.size)
    side = model.size // model.vae_scale_factor
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(count, model.latent_channels, side, side, generator=generator)
    condition = Condition(text, torch.ones(count))
    return model.network(noise, torch.full((count,), NOISY), condition).float()


def rows(count: int) -> list[dict[str, Any]]:
    """Figures of each kind: megabytes, error of the guess, and of the pictures in grey levels."""
    ways: dict[str, dict[str, Any]] = {"bfloat16": {"dtype": "bfloat16"}}
    ways |= {kind: {"dtype": "float32", "quantize": kind} for kind in KINDS}
    plain: Any = load("bundled", "cpu", "float32")
    pictures, guesses = painted(plain, count), guessed(plain, count)
    found = []
    for name, way in ways.items():
        model: Any = load("bundled", "cpu", **way)
        stored = held(model.unet)  # at its first step bitsandbytes packs them anew for a CPU
        error = (painted(model, count) - pictures) * 255
        guess = guessed(model, count) - guesses
        found.append(
            {
                "kind": name,
                "mb": stored / 1e6,
                "guess": float(guess.std() / guesses.std()),
                "grey": float(error.abs().mean()),
                "psnr": 20 * math.log10(255 / float(error.square().mean().sqrt())),
            }
        )
    return found


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measures, prints, and writes JSON and a page where asked; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=len(THINGS), choices=range(1, 9))
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section")
    asked = parser.parse_args(arguments)
    found = rows(asked.pictures)
    lines = ["| weights | network, MB | error of a guess | of pictures, grey levels | PSNR |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {r['kind']} | {r['mb']:.1f} | {r['guess']:.1%} | {r['grey']:.2f} | {r['psnr']:.1f} dB |"
        for r in found
    ]
    text = "\n".join(lines) + (
        f"\n\nThe bundled model, {asked.pictures} pictures, beside float32, {cpu_name()}; torch "
        f"{version_of('torch')}, torchao {version_of('torchao')}, bitsandbytes "
        f"{version_of('bitsandbytes')}.\n"
    )
    print(text)
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        update(asked.update, text, "quantized")
    return found


if __name__ == "__main__":
    main()
