"""Write a training checkpoint as a diffusers folder: safetensors, float16 weights, model card."""

import argparse
import json
from pathlib import Path

import card
import torch
from captions import every_caption, surroundings
from compose import SIZE
from dataset import load
from diffusers import AutoencoderTiny
from pipeline import (
    load_models,
    load_tokenizer,
    make_models,
    make_pipeline,
    make_scheduler,
    picture_size,
)
from torch import nn

CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---
# digressions-mini

A very small text-to-image latent diffusion model, {size} x {size} px, trained from scratch on two
CPU cores and for minutes on a GPU. It has seen the {concepts} things listed below, in five styles:
photo, painting, drawing, cartoon, ink drawing; the figures say how well it paints them. It is meant
for mosaics: image-to-image from a patch of colour paints the thing in those colours.{guidance}

## Parts

| part | what | parameters |
| --- | --- | --- |
| `vae` | `AutoencoderTiny`, 8x, 16 channels | {vae:.2f} M |
| `unet` | `UNet2DConditionModel`, {latents} x {latents}, v-prediction, zero SNR | {unet:.2f} M |
| `text_encoder` | `CLIPTextModel`, 2 layers, 256 wide | {text:.2f} M |
| `tokenizer` | byte-level BPE, {pieces} pieces, 24 tokens | |

## Figures

{figures}

## Training

{pictures} drawings from {sets} art sets, composited over generated colour fields; no photographs.
`training/` of the project has the code, `training/LOG.md` every run with its time and figures, and
what did not work.

## Licences of the training pictures

The table at the end of this card names them all.

## Weak points

- It paints what is listed below and nothing else. "Photo" means a glossy 3D render or a clean
  drawing.
- Fine details of things that look left in some drawings and right in others: eyes and mouths can be
  smears. "facing left" and "facing right" help.
- *Ink*: lines are thinner than what a latent holds of a picture.
- *Colour at 0.9, and from gradients*: nine tenths of the start are noise by then, and colours are
  the prompt's. The package's own correction of colours comes after this figure.
- *Two animals*: the judge knows one thing a picture, and what looks like both is neither to it.
- *Coats*: "a red frog" is red all over, and loses its face.

## Things

{names}

"""


DISTILLED = """ It needs no guidance: a guidance scale of {guidance:g} was distilled
into it, so a scale of 1 is enough; more makes louder colours."""


def compute_in_float32(config: Path) -> None:
    """Has transformers load a part in float32, as diffusers loads the others, if nobody says how:
    it takes the dtype that the config names, here that of the file."""
    values = json.loads(config.read_text())
    config.write_text(json.dumps(values | {"dtype": "float32"}, indent=2, sort_keys=True) + "\n")


def half(model: nn.Module) -> nn.Module:
    """The model with float16 weights, ready to be saved."""
    return model.to(torch.float16)


def millions(model: nn.Module) -> float:
    """How many million parameters a model has."""
    return sum(p.numel() for p in model.parameters()) / 1e6


def concepts(records: list[dict]) -> list[str]:
    """What was taught, each thing by its first name."""
    return sorted({record["concept"] for record in records}, key=str.lower)


def model_card(pipeline, records: list[dict], guidance: float | None, notice: str) -> str:
    """The README of the exported folder; `guidance` is the scale that was distilled into it."""
    names = concepts(records)
    text = CARD.format(
        size=picture_size(pipeline.unet),
        latents=pipeline.unet.config.sample_size,
        concepts=len(names),
        names=", ".join(names),
        vae=millions(pipeline.vae),
        unet=millions(pipeline.unet),
        text=millions(pipeline.text_encoder),
        pieces=len(pipeline.tokenizer),
        pictures=len(records),
        sets=len({record["art"] for record in records}),
        figures=card.section(),
        guidance="" if guidance is None else DISTILLED.format(guidance=guidance),
    )
    return text + notice.replace("# Where", "## Where", 1)


def defaults_for(
    distilled: float | None, consistent: bool = False, clean_surroundings: bool = False
) -> dict[str, object]:
    """How the model is best used, for `digressions.json`; the guidance distilled into it.

    Guidance on top of what was distilled makes colours louder, not shapes better. Consistency
    models have a sampler of their own, and more than a few steps of it do harm.
    """
    guidance = 1.0 if distilled else 3.0
    inside = {"distilled_guidance": distilled} if distilled else {}
    inside["squares_only"] = True  # no other shape was ever trained
    if clean_surroundings:
        inside["clean_surroundings"] = True
    sampler, steps = ("lcm", 4) if consistent else ("ddim", 12)
    whole = {"sampler": sampler, "steps": steps, "guidance": guidance, "strength": 0.8}
    return whole | {"cell_steps": 4, "cell_guidance": guidance, "cell_strength": 0.8} | inside


def distilled_guidance(state: dict, start: Path | None) -> float | None:
    """The guidance scale inside a checkpoint: its teacher's, times what was inside the teacher."""
    if state["guidance"] is None:
        return None
    told = start / "digressions.json" if start else None
    inside = json.loads(told.read_text()) if told and told.exists() else {}
    return state["guidance"] * inside.get("distilled_guidance", 1)


def forget_paths(folder: Path) -> None:
    """Take out of the configs where on this machine the parts came from."""
    for path in folder.glob("*/config.json"):
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def taught(records: list[dict]) -> list[str]:
    """A line for every name, style, colour and number that captions speak of."""
    captions = {text for record in records for text in every_caption(record)} | {*surroundings()}
    kinds = ("names", "categories", "tags")
    names = {name for record in records for kind in kinds for name in record[kind]}
    words = {word for text in captions for word in text.split()}
    names = {name for name in names if any(letter.isalnum() for letter in name)}
    return [*sorted(names), *sorted(words - {word for name in names for word in name.split()})]


def write_figures(folder: Path, figures: Path) -> None:
    """Put the figures of `evaluate.py` into the model card of an exported folder."""
    readme = folder / "README.md"
    readme.write_text(card.with_figures(readme.read_text(), json.loads(figures.read_text())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="dataset file of data.py")
    parser.add_argument("--vae", type=Path, help="folder of autoencoder.py")
    parser.add_argument("--checkpoint", type=Path, help="of diffusion.py")
    parser.add_argument("--start", type=Path, help="the folder that diffusion.py was started from")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--card",
        type=Path,
        help="figures.json of evaluate.py for the model card; without --checkpoint, of a folder "
        "that was written before",
    )
    args = parser.parse_args()
    if args.checkpoint is None and args.card is not None:
        write_figures(args.out, args.card)
        return
    if None in (args.data, args.vae, args.checkpoint):
        parser.error("--data, --vae and --checkpoint are needed to write a model")
    state = torch.load(args.checkpoint, weights_only=True)
    _, records, vocabulary = load(args.data)
    if args.start:
        tokenizer, models = load_models(args.start)
    else:
        tokenizer = load_tokenizer(records, vocabulary)
        models = make_models(state["widths"], len(tokenizer))
    models.load_state_dict(state["average"])
    models["unet"].register_to_config(sample_size=state.get("size", SIZE) // 8)
    vae = AutoencoderTiny.from_pretrained(args.vae)
    pipeline = make_pipeline(
        half(vae), tokenizer, half(models["text"]), half(models["unet"]), make_scheduler()
    )
    pipeline.save_pretrained(args.out)
    compute_in_float32(args.out / "text_encoder" / "config.json")
    forget_paths(args.out)
    guidance = distilled_guidance(state, args.start)
    consistent = state.get("consistency") is not None
    chosen = defaults_for(guidance, consistent, state.get("clean_surroundings", False))
    (args.out / "digressions.json").write_text(json.dumps(chosen, indent=1) + "\n")
    (args.out / "vocabulary.txt").write_text("\n".join(taught(records)) + "\n")
    (args.out / "things.txt").write_text("\n".join(concepts(records)) + "\n")
    notice = (Path(__file__).parent / "NOTICE.md").read_text()
    (args.out / "README.md").write_text(model_card(pipeline, records, guidance, notice))
    if args.card is not None:
        write_figures(args.out, args.card)


if __name__ == "__main__":
    main()
