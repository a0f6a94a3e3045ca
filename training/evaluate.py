"""Look at an exported model: sheets of pictures, colour errors and seconds.

Everything goes through diffusers' own pipelines, as a reference for anything faster.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from autoencoder import psnr
from compose import composite
from data import load
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from diffusion import contact_sheet
from PIL import Image
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

STRENGTHS = (0.6, 0.75, 0.9)


def sheets(pipeline: StableDiffusionPipeline, concepts: list[str], out: Path, args) -> None:
    """Write the twelve-prompt sheet and one picture of every concept in three styles."""
    settings = {"steps": args.steps, "guidance": args.guidance}
    contact_sheet(pipeline, **settings).save(out / "sheet.png")
    turtles = contact_sheet(pipeline, ["photo of a turtle"], range(32), **settings)
    wrapped = Image.new("RGB", (64 * 8, 64 * 4))
    for seed in range(32):
        cell = turtles.crop((0, 64 * seed, 64, 64 * seed + 64))
        wrapped.paste(cell, (64 * (seed % 8), 64 * (seed // 8)))
    wrapped.save(out / "turtles.png")
    for style in ("photo", "drawing", "cartoon"):
        rows = [concepts[i : i + 8] for i in range(0, len(concepts), 8)]
        sheet = Image.new("RGB", (64 * 16, 64 * len(rows)))
        for y, row in enumerate(rows):
            prompts = [f"{style} of a {name}" for name in row]
            pictures = contact_sheet(pipeline, prompts, range(2), **settings)
            sheet.paste(pictures.crop((0, 0, 64 * len(row), 64)), (0, 64 * y))
            sheet.paste(pictures.crop((0, 64, 64 * len(row), 128)), (512, 64 * y))
        sheet.save(out / f"concepts-{style}.png")


def flat_grounds(n: int, seed: int) -> Tensor:
    """Flat pictures (n, 3, 64, 64) of random colours, 0..1."""
    colour = torch.rand(n, 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    return colour.expand(-1, -1, 64, 64)


def colour_errors(pipeline: StableDiffusionPipeline, out: Path, args) -> dict[str, float]:
    """Mean absolute error, 0..1, of a picture's mean colour, painted from a flat ground."""
    img2img = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    img2img.set_progress_bar_config(disable=True)
    grounds, errors, rows = flat_grounds(16, 1), {}, []
    for strength in STRENGTHS:
        painted = img2img(
            ["photo of a turtle", "photo of a frog"] * 8,
            image=grounds,
            strength=strength,
            num_inference_steps=round(args.steps / strength),
            guidance_scale=args.guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in range(16)],
            output_type="np",
        ).images
        target = grounds.permute(0, 2, 3, 1).numpy()
        errors[str(strength)] = float(np.abs((painted - target).mean((1, 2))).mean())
        rows.append(np.concatenate(list(painted), axis=1))
    sheet = (np.concatenate(rows) * 255).round().astype(np.uint8)
    Image.fromarray(sheet).save(out / "image-to-image.png")
    return errors


@torch.no_grad()
def cost(model: torch.nn.Module, *inputs: Tensor) -> dict[str, float]:
    """GFLOP for one item and milliseconds per item in a batch as given (best of three)."""
    with FlopCounterMode(display=False) as counter:
        model(*(x[:1] for x in inputs))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        model(*inputs)
        seconds.append(time.perf_counter() - start)
    return {
        "gflop": round(counter.get_total_flops() / 1e9, 3),
        "ms": round(1000 * min(seconds) / len(inputs[0]), 2),
    }


@torch.no_grad()
def autoencoder_psnr(vae, drawings: Tensor, seed: int) -> float:
    """PSNR in dB on 256 composites."""
    g = torch.Generator().manual_seed(seed)
    index = torch.randint(0, len(drawings), (256,), generator=g)
    x = composite(drawings[index], g)
    return psnr(vae.decoder(vae.encoder(x * 2 - 1)) / 2 + 0.5, x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of export.py")
    parser.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for sheets and figures")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=3.5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    pictures, records, _ = load(args.data)
    concepts = list(dict.fromkeys(record["concept"] for record in records))
    pipeline = StableDiffusionPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    latents, states = torch.randn(32, 16, 8, 8), torch.randn(32, 24, 256)
    figures = {
        "autoencoder_db": autoencoder_psnr(pipeline.vae, torch.from_numpy(pictures), 5),
        "colour_error": colour_errors(pipeline, args.out, args),
        "unet": cost(pipeline.unet, latents, torch.full((32,), 500), states),
        "decoder": cost(pipeline.vae.decoder, latents),
        "encoder": cost(pipeline.vae.encoder, torch.rand(32, 3, 64, 64)),
        "megabytes": sum(f.stat().st_size for f in args.model.rglob("*") if f.is_file()) / 1e6,
    }
    (args.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    sheets(pipeline, concepts, args.out, args)


if __name__ == "__main__":
    main()
