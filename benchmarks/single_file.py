"""What a single file of real size takes: seconds to load and to paint, and the most memory.

python -m benchmarks.single_file --family sd1 --size 256 --steps 2

Writes a file with random weights in float16 (2 GB for Stable Diffusion 1, 7 GB for SDXL) into a
folder that goes away, loads it as ``--model`` does and paints one picture. The picture is noise;
arithmetic and memory are those of a real one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from digressions.generate.paint import painter_of
from digressions.models import single_file
from digressions.models.loading import load
from digressions.models.runtime import peak_memory
from digressions.models.single_file import shipped_configs
from tests import jobs
from tests.original_layout import original, small_configs


def networks(family: Any) -> dict[str, Any]:
    """The networks of a family, without memory."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = shipped_configs(family)
    with torch.device("meta"):
        made = {
            "unet": UNet2DConditionModel.from_config(config["unet"]),
            "vae": AutoencoderKL.from_config(config["vae"]),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**config["text_encoder"])),
        }
        if "text_encoder_2" in config:
            second = CLIPTextConfig(**config["text_encoder_2"])
            made["text_encoder_2"] = CLIPTextModelWithProjection(second)
    return made


def write(path: Path, family: str) -> None:
    """A checkpoint of random weights, in the original layout."""
    from safetensors.torch import save_file

    found = {}
    for name, value in original(networks(family)).items():
        if not value.is_meta:
            found[name] = value
        elif value.ndim == 1 and name.endswith("weight"):  # of a normalisation
            found[name] = torch.ones(value.shape, dtype=torch.float16)
        else:
            found[name] = (torch.randn(value.shape) * 0.02).half()
    save_file(found, path)


@contextmanager
def small_networks(folder: Path) -> Iterator[None]:
    """Has families be of few channels while the block runs, for a dry run.

    Args:
        folder: New; gets their configs.
    """
    before, single_file.CONFIGS = single_file.CONFIGS, small_configs(folder)
    try:
        yield
    finally:
        single_file.CONFIGS = before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--family", default="sd1", choices=["sd1", "sdxl"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--file", type=Path, help="one that is there, or is to stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / f"{given.family}.safetensors"
        if not path.exists():
            write(path, given.family)
            print("written; run again with --file for a peak without the writing")
        begun = time.perf_counter()
        model = load(path, given.device, given.dtype)
        loaded = time.perf_counter() - begun
        after_load = peak_memory(model.device)
        begun = time.perf_counter()
        painter_of(model)([jobs.job(size=given.size, steps=given.steps, guidance=1.0)])
        row = {
            "file_gb": round(path.stat().st_size / 1e9, 2),
            "dtype": str(model.dtype).removeprefix("torch."),
            "load_s": round(loaded, 1),
            "paint_s": round(time.perf_counter() - begun, 1),
            "peak_loaded_gb": round(after_load / 1e9, 2),
            "peak_gb": round(peak_memory(model.device) / 1e9, 2),
        }
        print(json.dumps(vars(given) | row, default=str))


if __name__ == "__main__":
    main()
