"""A larger denoiser around a trained one, which keeps what it has learnt.

`grown` puts an outer level around a network, for pictures of twice the side: the old levels move
one further in and keep their weights, so that only the finest details are learnt from nothing.
`deepened` gives levels more layers; until they have learnt something the network says what it said
before (zeroed last layers, as Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1).

    python grow.py --start ../src/digressions/weights --out GROWN --width 64 --layers 2 2 1
"""

import argparse
import re
import shutil
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from pipeline import load_models
from torch import Tensor, nn


def settings(unet: UNet2DConditionModel) -> dict:
    """What the network's class is called with."""
    return {name: value for name, value in unet.config.items() if name[0] != "_"}


def each(value, levels: int) -> list:
    """A setting of every level; one number stands for all."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * levels


def grown(old: UNet2DConditionModel, width: int) -> UNet2DConditionModel:
    """A network for latents of twice the side, with an outer level of `width` channels.

    Args:
        old: (B, C, h, w) to (B, C, h, w); its weights are kept but for the first and the last
            layer. Those that get input from the outer level take what channels there are.
        width: A multiple of 64. The sinusoids that tell the time are as many as this; it divides
            the old outer level's.

    Raises:
        ValueError: `width` does not divide the width of the old outer level.
    """
    told, levels = settings(old), len(old.config.block_out_channels)
    outer = old.config.block_out_channels[0]
    if outer % width:
        raise ValueError(f"width {width} does not divide {outer}, the width of the old level")
    heads, layers = (each(told[key], levels) for key in ("attention_head_dim", "layers_per_block"))
    new = UNet2DConditionModel(
        **told
        | {
            "sample_size": 2 * told["sample_size"],
            "block_out_channels": (width, *told["block_out_channels"]),
            "down_block_types": ("DownBlock2D", *told["down_block_types"]),
            "up_block_types": (*told["up_block_types"], "UpBlock2D"),
            "attention_head_dim": (max(1, width // 64), *heads),
            "layers_per_block": (layers[0], *layers),
            "time_embedding_dim": told["time_embedding_dim"] or 4 * outer,
        }
    )
    state = new.state_dict()
    for name, value in old.state_dict().items():
        if name.startswith(("conv_in", "conv_out", "conv_norm_out")):
            continue
        name = re.sub(r"^down_blocks\.(\d+)", lambda m: f"down_blocks.{int(m[1]) + 1}", name)
        if name == "time_embedding.linear_1.weight":  # neighbouring frequencies add up
            value = value.view(len(value), 2, width // 2, outer // width).sum(-1).flatten(1)
        if name not in state:  # the old outermost level had no upsampler to lose, only to gain
            raise ValueError(f"no place for {name} in the grown network")
        part = tuple(slice(min(a, b)) for a, b in zip(value.shape, state[name].shape, strict=True))
        state[name][part] = value[part]
    new.load_state_dict(state)
    return new


def deepened(old: UNet2DConditionModel, layers: tuple[int, ...]) -> UNet2DConditionModel:
    """A network of `layers` residual layers on each level, outermost first, that says the same.

    Raises:
        ValueError: A level would have fewer layers than now, or more and attention.
    """
    levels = len(old.config.block_out_channels)
    had = each(old.config.layers_per_block, levels)
    types = old.config.down_block_types
    for before, after, kind in zip(had, layers, types, strict=True):
        if after < before or (after > before and kind != "DownBlock2D"):
            raise ValueError(f"a {kind} of {before} layers cannot get {after}")
    new = UNet2DConditionModel(**settings(old) | {"layers_per_block": tuple(layers)})
    state, before = new.state_dict(), old.state_dict()
    for name, value in before.items():
        if match := re.match(r"up_blocks\.(\d+)\.resnets\.(\d+)\.(.*)", name):
            block, place, rest = int(match[1]), int(match[2]), match[3]
            more = layers[levels - 1 - block] - had[levels - 1 - block]
            # The last takes what came in; the others count from the first, which is the deepest.
            moved = place + more if place == had[levels - 1 - block] else place
            name = f"up_blocks.{block}.resnets.{moved}.{rest}"
        state[name] = value
    new.load_state_dict(state)
    for level in range(levels):
        for place in range(had[level], layers[level]):
            pass_through(new.down_blocks[level].resnets[place])
            pass_through(new.up_blocks[levels - 1 - level].resnets[place])
    return new


@torch.no_grad()
def pass_through(resnet: nn.Module) -> None:
    """Make a residual layer say its first channels, until it learns."""
    resnet.conv2.weight.zero_()
    resnet.conv2.bias.zero_()
    if resnet.conv_shortcut is not None:
        weight: Tensor = resnet.conv_shortcut.weight
        weight.zero_()
        weight[:, : len(weight), 0, 0] = torch.eye(len(weight))
        resnet.conv_shortcut.bias.zero_()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=Path, required=True, help="exported folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--width", type=int, help="of an outer level to add")
    parser.add_argument("--layers", type=int, nargs="+", help="of every level, outermost first")
    args = parser.parse_args()
    tokenizer, models = load_models(args.start)
    unet = models["unet"]
    if args.width:
        unet = grown(unet, args.width)
    if args.layers:
        unet = deepened(unet, tuple(args.layers))
    shutil.copytree(args.start / "text_encoder", args.out / "text_encoder", dirs_exist_ok=True)
    tokenizer.save_pretrained(args.out / "tokenizer")
    unet.save_pretrained(args.out / "unet")
    print(sum(p.numel() for p in unet.parameters()) / 1e6, "M parameters")


if __name__ == "__main__":
    main()
