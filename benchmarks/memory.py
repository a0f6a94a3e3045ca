"""What models of real size hold in memory: each network, each step of the work, each option.

    python -m benchmarks.memory --families sd1 sdxl --update docs/models.md

Weights are counted, and so is what one picture takes beside them: every tensor that the networks
make, on tensors without contents, as a card's allocator would count them. For ``--measure`` it is
measured as well: a single file with random weights in float16 (2 GB, 7 GB) is written into a folder
that goes away and loaded as ``--model`` does, in bfloat16 on the CPU, in a process of its own, and
the most that the process holds above what it held before is noted for each step, and as a whole
while a picture is painted in one step with each option.

What a card would hold follows: without offloading all weights and the largest step, with it the
largest network with its own step. Memory does not depend on what weights mean, nor, where there is
enough of it, on how busy a machine is. Time would.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.machine import cpu_name, version_of
from benchmarks.page import update
from benchmarks.peak import Live, Peak
from benchmarks.single_file import networks, write
from digressions.diffusion.condition import Condition
from digressions.generate.paint import painter_of
from digressions.models.autoencoder_tiles import SMALL_SIDE, in_tiles
from digressions.models.loading import load
from digressions.models.quantize import KINDS, import_networks, quantize_network
from digressions.models.single_file import shipped_configs
from tests import jobs

NAMES = {"sd1": "Stable Diffusion 1.5", "sdxl": "SDXL"}
PARTS = {"text": "text encoders", "unet": "denoising network", "vae": "autoencoder"}
SIDES = {"sd1": 512, "sdxl": 1024}
CPU = torch.device("cpu")
WAYS: list[dict[str, Any]] = [
    {},
    {"vae_tiles": "on"},
    *({"quantize": kind} for kind in KINDS),
    {"offload": True},
    {"offload": True, "vae_tiles": "on"},
    {"offload": True, "vae_tiles": "on", "quantize": "int8"},
    {"offload": True, "vae_tiles": "on", "quantize": "nf4"},
]


def held(network: nn.Module) -> int:
    """Bytes of a network's weights, however they are stored."""
    total = 0
    for value in (*network.parameters(), *network.buffers()):
        flatten = getattr(value, "__tensor_flatten__", None)
        parts = [value] if flatten is None else [getattr(value, name) for name in flatten()[0]]
        if (state := getattr(value, "quant_state", None)) is not None:
            parts += [state.absmax, state.state2.absmax]
        total += sum(part.nbytes for part in parts)
    return total


def stored(network: nn.Module, kind: str, dtype: torch.dtype) -> int:
    """Bytes of a network without contents, once its attention blocks are quantized: one layer of
    each shape is, and counts as often as it is there."""
    layers = [
        (module.in_features, module.out_features, module.bias is not None)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and "attentions." in name
    ]
    total = sum(value.numel() for value in network.parameters()) * dtype.itemsize
    for inside, outside, bias in set(layers):
        small = nn.ModuleDict({"attentions": nn.ModuleList([nn.Linear(inside, outside, bias)])})
        small = small.to(dtype).requires_grad_(False)
        before = held(small)
        quantize_network(small, kind, CPU)
        total -= (before - held(small)) * layers.count((inside, outside, bias))
    return total


def counted(family: str, side: int) -> dict[str, int]:
    """Bytes that each step of painting one picture takes beside the weights, in bfloat16, counted.

    Text encoders are left out: 77 tokens are hardly anything.

    Args:
        side: Of the picture in pixels.
    """
    from diffusers import AutoencoderKL, UNet2DConditionModel

    config, before = shipped_configs(family), torch.get_default_dtype()  # type: ignore[arg-type]
    torch.set_default_dtype(torch.bfloat16)
    try:
        with FakeTensorMode(), torch.no_grad():
            unet = UNet2DConditionModel.from_config(config["unet"]).eval()
            vae = AutoencoderKL.from_config(config["vae"]).eval()
            latents = torch.empty(1, 4, side // 8, side // 8)
            text = torch.empty(1, 77, unet.config.cross_attention_dim)
            width = unet.config.projection_class_embeddings_input_dim
            added: dict[str, Any] = {}
            if width is not None:  # pooled text and six numbers about the size
                pooled = width - 6 * unet.config.addition_time_embed_dim
                added["text_embeds"] = torch.empty(1, pooled)
                added["time_ids"] = torch.empty(1, 6)
            with Live(unet.parameters()) as step:
                unet(latents, torch.tensor(499.0), text, added_cond_kwargs=added)
            with Live(vae.parameters()) as whole:
                vae.decode(latents)
            with Live(vae.parameters()) as tiled:
                _decode_in_tiles(vae, latents)
    finally:
        torch.set_default_dtype(before)
    return {"text": 0, "unet": step.bytes, "vae": whole.bytes, "vae_tiles": tiled.bytes}


def _decode_in_tiles(vae: Any, latents: Tensor) -> Tensor:
    def decode(part: Tensor) -> Tensor:
        return vae.decode(part, return_dict=False)[0]

    return in_tiles(decode, latents.to(vae.dtype), 1, 8, SMALL_SIDE // 8)


@torch.inference_mode()
def steps(path: Path, side: int) -> dict[str, int]:
    """As `counted`, but measured.

    Args:
        path: A single file.
        side: Of the picture in pixels.
    """
    model: Any = load(path, "cpu", "bfloat16")
    latents = torch.zeros(1, model.latent_channels, *[side // model.vae_scale_factor] * 2)
    text = model.encode_text([""], side, side)
    condition, t = Condition(text, torch.ones(1)), torch.full((1,), 499.0)
    found = {
        "text": _grown(lambda: model.encode_text(["photo of a turtle"], side, side)),
        "unet": _grown(lambda: model.network(latents, t, condition)),
        "vae": _grown(lambda: model.decode(latents)),
    }
    tiled = _grown(lambda: _decode_in_tiles(model.autoencoder.vae, latents))
    return found | {"vae_tiles": tiled}


def _grown(work: Callable[[], Any]) -> int:
    """How much more the process holds at most while it works."""
    with Peak(CPU) as before:
        pass
    with Peak(CPU) as during:
        work()
    return max(0, during.bytes - before.bytes)


def painted(path: Path, side: int, **options: Any) -> dict[str, int]:
    """The most bytes that a process holds while it paints a picture in one step with a loaded
    model, and what it held with the libraries alone."""
    import_networks()
    with Peak(CPU) as before:
        pass
    model = load(path, "cpu", "bfloat16", **options)
    with Peak(CPU) as during:
        painter_of(model)([jobs.job(size=side, steps=1, guidance=1.0)])
    return {"libraries": before.bytes, "most": during.bytes}


def computed(weights: dict[str, int], steps: dict[str, int], way: dict[str, Any]) -> int:
    """What a card holds at most, from bytes of weights and of steps, with some options."""
    working = steps | {"vae": steps["vae_tiles" if way.get("vae_tiles") == "on" else "vae"]}
    own = weights | {"unet": weights[way.get("quantize", "unet")]}
    if way.get("offload"):
        return max(own[part] + working[part] for part in PARTS)
    return sum(own[part] for part in PARTS) + max(working[part] for part in PARTS)


def weights_of(family: str, dtype: torch.dtype = torch.bfloat16) -> dict[str, int]:
    """Bytes of each of `PARTS`, and of the denoising network in each way to quantize."""
    made = networks(family)
    bytes_of = {
        name: sum(value.numel() for value in network.parameters()) * dtype.itemsize
        for name, network in made.items()
    }
    text = sum(count for name, count in bytes_of.items() if name.startswith("text"))
    found = {"text": text, "unet": bytes_of["unet"], "vae": bytes_of["vae"]}
    return found | {kind: stored(made["unet"], kind, dtype) for kind in KINDS}


def options(way: dict[str, Any]) -> str:
    """As they are typed."""
    if not way:
        return "none"
    pairs = [(f"--{name.replace('_', '-')}", value) for name, value in way.items()]
    return f"`{' '.join(name if value is True else f'{name} {value}' for name, value in pairs)}`"


def section(found: dict[str, dict[str, Any]]) -> str:
    """The tables, in Markdown."""
    lines = ["| GB | weights, 16 bits | as int8, fp8, nf4 | working, one picture |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    for family, each in found.items():
        title, weights = f"{NAMES[family]}, {each['side']} px", each["weights"]
        for part, name in PARTS.items():
            fewer = ", ".join(_gb(weights[k]) for k in KINDS) if part == "unet" else ""
            works = _works(each, part)
            if part == "vae":
                works += f"; in tiles {_works(each, 'vae_tiles')}"
            lines.append(f"| {title}: {name} | {_gb(weights[part])} | {fewer} | {works} |")
    lines += ["", "| options | " + " | ".join(NAMES[family] for family in found) + " |"]
    lines += ["| --- |" + " ---: |" * len(found)]
    for way in WAYS:
        cells = []
        for each in found.values():
            shown = _gb(computed(each["weights"], each["counted"], way))
            if (seen := each["painted"].get(options(way))) is not None:
                shown += f" ({_gb(seen['most'] - seen['libraries'])})"
            cells.append(shown)
        lines.append(f"| {options(way)} | {' | '.join(cells)} |")
    return "\n".join(lines) + (
        "\n\nGB of 10^9 bytes, one picture a batch, no guidance. In brackets: measured on a CPU "
        f"({cpu_name()}), the most that a process held beyond its libraries; nothing is offloaded "
        f"there; torch {version_of('torch')}, diffusers {version_of('diffusers')}.\n"
    )


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f}"


def _works(each: dict[str, Any], part: str) -> str:
    measured = f" ({_gb(each['steps'][part])})" if "steps" in each else ""
    return _gb(each["counted"][part]) + measured


def written(path: Path, family: str) -> None:
    """Writes a single file, alone too: the memory that this takes stays with the process."""
    write(path, family)


def _alone(function: str, path: Path, **arguments: Any) -> Any:
    """A function of this module in a process of its own."""
    call = [sys.executable, "-m", "benchmarks.memory", "--alone", function, str(path)]
    ran = subprocess.run([*call, json.dumps(arguments)], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    return json.loads(ran.stdout.splitlines()[-1])


def measure(family: str, asked: argparse.Namespace, known: dict[str, Any]) -> dict[str, Any]:
    """All figures of a family; what is known already is not measured again."""
    side = asked.side or SIDES[family]
    found = {"side": side, "painted": {}} | known
    if "weights" not in found:
        found["weights"] = weights_of(family)
    if "counted" not in found:
        found["counted"] = counted(family, side)
    if family not in asked.measure:
        return found
    ways = [way for way in WAYS if _name(way) in asked.paint and "offload" not in way]
    missing = [way for way in ways if options(way) not in found["painted"]]
    with tempfile.TemporaryDirectory() as place:
        path = (asked.folder or Path(place)) / f"{family}.safetensors"
        if ("steps" not in found or missing) and not path.exists():
            _alone("written", path, family=family)
        if "steps" not in found:
            found["steps"] = _alone("steps", path, side=side)
        for way in missing:
            found["painted"][options(way)] = _alone("painted", path, side=side, **way)
    return found


def _name(way: dict[str, Any]) -> str:
    return str(way.get("quantize", "vae_tiles" if way else "none"))


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes JSON and a page where asked; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=NAMES, default=["sd1"])
    parser.add_argument("--measure", nargs="*", choices=NAMES, default=["sd1"])
    ways = ["none", "vae_tiles", *KINDS]
    parser.add_argument("--paint", nargs="*", choices=ways, default=ways, help="if measured")
    parser.add_argument("--side", type=int, help="of pictures in pixels, if not the family's own")
    parser.add_argument("--folder", type=Path, help="where files stay, to be used again")
    parser.add_argument("--out", type=Path, help="JSON file; what is in it is not measured again")
    parser.add_argument("--update", type=Path, help="page with a section")
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.alone:
        name, path, given = asked.alone
        work: Any = {"written": written, "steps": steps, "painted": painted}[name]
        print(json.dumps(work(Path(path), **json.loads(given))))
        return {}
    found = json.loads(asked.out.read_text("utf-8")) if asked.out and asked.out.exists() else {}
    for family in asked.families:
        found[family] = measure(family, asked, found.get(family, {}))
        if asked.out is not None:
            asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    text = section(found)
    print(text)
    if asked.update is not None:
        update(asked.update, text, "memory")
    return found


if __name__ == "__main__":
    main()
