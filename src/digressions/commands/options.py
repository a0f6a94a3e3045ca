"""The options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_UPSCALER = "realesrgan-animevideo"

Prompt = Annotated[
    str, typer.Argument(help="What to paint, like 'photo of a turtle' or 'a giraffe AND a frog'.")
]
ModelName = Annotated[
    str, typer.Option("--model", help="'bundled', a folder in diffusers layout, or a hub id.")
]
Device = Annotated[
    str | None, typer.Option(help="cuda, mps or cpu; the best there is if not said.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="float32, float16 or bfloat16. If not said: float16 on a GPU, bfloat16 on a CPU with "
        "units for it, else float32."
    ),
]
Compiled = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Have torch.compile work on the networks: minutes first, then a little quicker; on a "
        "CPU that pays after some 17,000 pictures of the bundled model.",
    ),
]
TinyVae = Annotated[
    Path | None,
    typer.Option(
        "--tiny-vae", help="Folder of a tiny autoencoder (TAESD) to use: quicker, less fine."
    ),
]
OpenVino = Annotated[
    bool,
    typer.Option(
        "--openvino",
        help="Have OpenVINO run those networks that it is quicker with, on a CPU.",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(help="Steps of the whole way from noise; as the model likes if not said."),
]
Guidance = Annotated[
    float | None, typer.Option(help="Guidance scale, 1 for none; as the model likes if not said.")
]
Strength = Annotated[
    float | None,
    typer.Option(help="0..1: how freely to paint over a picture; as the model likes if not said."),
]
Negative = Annotated[str, typer.Option(help="What not to paint.")]
SamplerName = Annotated[
    str | None, typer.Option("--sampler", help="ddim, euler_ancestral, dpmpp_2m or lcm.")
]
How = Annotated[
    str,
    typer.Option(
        help="How prompts beside AND become one picture: mean, sum, latents, lerp, slerp, "
        "alternate, switch, perp, max, superpose or superpose-or."
    ),
]
Hole = Annotated[
    str | None,
    typer.Option(
        help="What a hole is painted from: noise alone, or the picture that is in it; noise at "
        "strength 1 if not said, else the picture."
    ),
]
Palette = Annotated[
    str | None,
    typer.Option(
        metavar="PICTURE|COLOURS",
        help="Colours to paint a hole from, instead of what is in it: those of a picture, or such "
        "as 'navy,teal,#e0c080' from top to bottom.",
    ),
]
Rescale = Annotated[
    float, typer.Option(help="0..1: take back the contrast that a high guidance adds.")
]
Timing = Annotated[
    str | None,
    typer.Option(
        help="published, trailing or zero-snr: whether noise goes as the model was published, or "
        "starts at its noisiest, or at noise alone; trailing for a hole from noise if not said."
    ),
]
UpscalerName = Annotated[
    str,
    typer.Option(
        "--upscaler",
        help="lanczos, realesrgan-animevideo, realesrgan-anime, realesrgan or a .safetensors file.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="The same seed paints the same; drawn if not said.")]
RootSeed = Annotated[int, typer.Option("--seed", help="The same seed paints the same.")]
Reuse = Annotated[
    int | None,
    typer.Option(help="Paint only so many pictures, and use them again wherever they fit."),
]
StartImage = Annotated[
    Path | None,
    typer.Option(
        "--image",
        help="Start from this picture, its transparent parts white, and not a painted one.",
    ),
]
CellPrompts = Annotated[
    list[str] | None,
    typer.Option(
        "--cell-prompt", help="What the cells show; again for the next depth, and then round."
    ),
]
PictureSize = Annotated[
    int | None, typer.Option(help="Width and height of each picture; the model's if not said.")
]
WorldGrid = Annotated[str, typer.Option("--grid", help="Cells across and down.")]
Band = Annotated[
    int, typer.Option(help="Values a cell and side that equal the picture; 0 for none.")
]
Anchor = Annotated[
    float, typer.Option(help="0..1: how strongly each step is steered to the cell's colours.")
]
CacheFile = Annotated[
    Path,
    typer.Option("--cache", help="File that keeps what is painted, for any number of worlds."),
]
CacheSize = Annotated[int, typer.Option(help="Megabytes that the cache may take.")]
