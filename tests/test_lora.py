"""LoRAs: in whatever names, fused they are the weights that one would have merged by hand. Taken
out again, the model is what it was."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from digressions.errors import InputError, ModelError, PromptError
from digressions.generate.job import check
from digressions.generate.paint import painter_of, sample_batch
from digressions.models.library import Library
from digressions.models.loading import load
from digressions.models.lora import Fused, Lora
from digressions.prompts.parse import parse
from digressions.prompts.terms import LoraTag
from tests import jobs
from tests.original_layout import SIDE, configs, parts, save_folder, save_single, small, unet

__all__ = ["configs", "small"]

RANK, ALPHA = 3, 1.5
Layers = dict[str, tuple[Tensor, Tensor]]


@pytest.fixture(scope="module")
def networks(configs: Path) -> Callable[..., dict[str, Any]]:
    return cache(lambda family: parts(configs, family))


def latents(model: Any, prompt: str = "photo of a frog") -> Tensor:
    *_, last = sample_batch(model, [jobs.job(prompt, seed=3, size=SIDE, steps=3, guidance=3.0)])
    return last.x


def layers_of(networks: dict[str, Any], *kinds: type) -> dict[str, nn.Module]:
    """Some layers of every network that a LoRA may change, by network and path."""
    found = {}
    for network, module in networks.items():
        if network != "vae":
            named = [(n, m) for n, m in module.named_modules() if isinstance(m, kinds)]
            wanted = ("attn", "proj", "fc1", "conv1", "conv_shortcut", "downsamplers")
            picked = [(n, m) for n, m in named if any(word in n for word in wanted)]
            found |= {f"{network}.{n}": m for n, m in picked if "text_projection" not in n}
    return found


def drawn(layers: dict[str, nn.Module]) -> Layers:
    """Random factors for each layer, down and up."""
    generator = torch.Generator().manual_seed(4)
    made = {}
    for name, layer in layers.items():
        outer, *inner = layer.weight.shape
        down = torch.randn(RANK, *inner, generator=generator) * 0.1
        up = torch.randn(outer, RANK, *[1] * (len(inner) - 1), generator=generator) * 0.1
        made[name] = (down, up)
    return made


def merged(networks: dict[str, Any], drawn: Layers, strength: float) -> dict[str, Any]:
    """Copies of networks with ``W + strength * alpha / rank * up @ down``."""
    changed = deepcopy(networks)
    with torch.no_grad():
        for name, (down, up) in drawn.items():
            network, _, path = name.partition(".")
            weight = changed[network].get_submodule(path).weight
            change = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
            weight += strength * ALPHA / RANK * change
    return changed


def kohya(drawn: Layers) -> dict[str, Tensor]:
    """As kohya's scripts name them, by diffusers' blocks."""
    second = any(name.startswith("text_encoder_2.") for name in drawn)
    found = {}
    for name, (down, up) in drawn.items():
        network, _, path = name.partition(".")
        start = {"unet": "lora_unet_", "text_encoder": f"lora_te{'1' if second else ''}_"}
        plain = path.replace(".", "_")
        if network != "unet" and not plain.startswith("text_model"):
            plain = f"text_model_{plain}"
        name = start.get(network, "lora_te2_") + plain
        found[f"{name}.lora_down.weight"], found[f"{name}.lora_up.weight"] = down, up
        found[f"{name}.alpha"] = torch.tensor(ALPHA)
    return found


def peft(drawn: Layers) -> dict[str, Tensor]:
    """As PEFT and diffusers name them; alpha is the rank there."""
    found = {}
    for name, (down, up) in drawn.items():
        found[f"{name}.lora_A.weight"] = down
        found[f"{name}.lora_B.weight"] = up * ALPHA / RANK
    return found


def peft_alone(drawn: Layers) -> dict[str, Tensor]:
    """As PEFT's own ``save_pretrained`` names them, a network a file."""
    return {f"base_model.model.{k.partition('.')[2]}": v for k, v in peft(drawn).items()}


def comfyui(drawn: Layers) -> dict[str, Tensor]:
    """As ComfyUI names them: the network's layers as CompVis does, text encoders' as its own."""
    found = {}
    for name, (down, up) in drawn.items():
        network, _, path = name.partition(".")
        if network == "unet":
            theirs = unet({f"{path}.weight": down})
            start = f"diffusion_model.{next(iter(theirs)).removesuffix('.weight')}"
        else:
            path = path if path.startswith("text_model.") else f"text_model.{path}"
            start = f"text_encoders.clip_{'g' if '2' in network else 'l'}.transformer.{path}"
        found[f"{start}.lora_down.weight"], found[f"{start}.lora_up.weight"] = down, up
        found[f"{start}.alpha"] = torch.tensor(ALPHA)
    return found


def old(drawn: Layers) -> dict[str, Tensor]:
    """As the first diffusers named them, in attention alone."""
    found = {}
    for name, (down, up) in drawn.items():
        head, _, layer = name.removesuffix(".0").rpartition(".")
        start = f"{head}.processor.{layer}_lora" if "attn" in name else f"{name}.lora"
        found[f"{start}.down.weight"], found[f"{start}.up.weight"] = down, up * ALPHA / RANK
    return found


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize("names", [kohya, peft, comfyui])
def test_a_lora_paints_as_weights_merged_by_hand(
    networks: Callable[..., dict[str, Any]],
    tmp_path: Path,
    family: str,
    names: Callable[[Layers], dict[str, Tensor]],
) -> None:
    made = networks(family)
    factors = drawn(layers_of(made, nn.Linear, nn.Conv2d))
    save_file({k: v.contiguous() for k, v in names(factors).items()}, tmp_path / "l.safetensors")
    base = save_single(tmp_path / "base.safetensors", made)
    by_hand = save_single(tmp_path / "merged.safetensors", merged(made, factors, 0.7))
    before = base.read_bytes()
    plain = load(base, "cpu", "float32")
    found = load(base, "cpu", "float32", lora=[f"{tmp_path / 'l.safetensors'}:0.7"])
    wanted = latents(load(by_hand, "cpu", "float32"))
    assert torch.allclose(latents(found), wanted, atol=1e-3 * float(wanted.abs().max()))
    assert not torch.allclose(latents(plain), wanted, atol=0.03 * float(wanted.abs().max()))
    assert base.read_bytes() == before  # the file is mapped into memory
    other = load(base, "cpu", "float32", lora=[str(tmp_path / "l.safetensors")])
    assert len({plain.hash, found.hash, other.hash}) == 3


def test_the_first_names_of_diffusers_are_read(networks: Callable[..., dict[str, Any]]) -> None:
    made = deepcopy({"unet": networks("sd1")["unet"]})
    factors = drawn({k: v for k, v in layers_of(made, nn.Linear).items() if ".to_" in k})
    check_fused(made, old(factors), merged(made, factors, 1.0))


@pytest.mark.parametrize("network", ["unet", "text_encoder"])
def test_a_file_of_peft_alone_is_of_one_network(
    networks: Callable[..., dict[str, Any]], network: str
) -> None:
    made = deepcopy(networks("sd1"))
    factors = drawn(layers_of({network: made[network]}, nn.Linear))
    tensors = peft_alone(factors)
    if network == "text_encoder":
        start = "base_model.model."
        plain = {k.removeprefix(start).removeprefix("text_model."): v for k, v in tensors.items()}
        tensors = {f"{start}text_model.{k}": v for k, v in plain.items()}
    check_fused(made, tensors, merged(made, factors, 1.0))


def check_fused(made: dict[str, Any], tensors: dict[str, Tensor], wanted: dict[str, Any]) -> None:
    """A file's tensors make networks into others, and leave them as they were."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        save_file({k: v.contiguous() for k, v in tensors.items()}, path)
        before = deepcopy({name: network.state_dict() for name, network in made.items()})
        fused = Fused(made, [Lora(path, 1.0)], None)
    for name, network in wanted.items():
        for key, value in network.state_dict().items():
            assert torch.allclose(made[name].state_dict()[key], value, atol=1e-5), key
    fused.remove()
    for name, network in made.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, before[name][key]), key


SGM = {
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q": (
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    ),
    "lora_unet_middle_block_1_proj_in": "mid_block.attentions.0.proj_in",
    "lora_unet_output_blocks_0_0_in_layers_2": "up_blocks.0.resnets.0.conv1",
    "lora_unet_output_blocks_3_0_skip_connection": "up_blocks.1.resnets.0.conv_shortcut",
    "lora_unet_input_blocks_3_0_op": "down_blocks.0.downsamplers.0.conv",
    "lora_unet_label_emb_0_0": "add_embedding.linear_1",
}


def test_blocks_counted_as_stability_does_are_read(
    networks: Callable[..., dict[str, Any]],
) -> None:
    made = deepcopy({"unet": networks("sdxl")["unet"]})
    layers = {f"unet.{path}": made["unet"].get_submodule(path) for path in SGM.values()}
    factors = drawn(layers)
    tensors = {}
    for theirs, ours in SGM.items():
        down, up = factors[f"unet.{ours}"]
        tensors[f"{theirs}.lora_down.weight"], tensors[f"{theirs}.lora_up.weight"] = down, up
        tensors[f"{theirs}.alpha"] = torch.tensor(ALPHA)
    check_fused(made, tensors, merged(made, factors, 1.0))


def test_lycoris_files_are_their_formulas(networks: Callable[..., dict[str, Any]]) -> None:
    made = deepcopy({"unet": networks("sd1")["unet"]})
    path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    name = "lora_unet_" + path.replace(".", "_")
    torch.manual_seed(1)
    side = made["unet"].get_submodule(path).weight.shape[0]  # square
    a, b, c, d = (torch.randn(side, RANK) * 0.1 for _ in range(4))
    tensors = {"hada_w1_a": a, "hada_w1_b": b.T, "hada_w2_a": c, "hada_w2_b": d.T}
    wanted = deepcopy(made)
    with torch.no_grad():
        changed = torch.einsum("ir,jr,is,js->ij", a, b, c, d) * ALPHA / RANK
        wanted["unet"].get_submodule(path).weight += changed
    named = {f"{name}.{key}": value for key, value in tensors.items()}
    check_fused(made, named | {f"{name}.alpha": torch.tensor(ALPHA)}, wanted)

    small, first, second = torch.randn(4, 4), torch.randn(side // 4, 2), torch.randn(2, side // 4)
    wanted = deepcopy(made)
    with torch.no_grad():
        inner = first @ second
        changed = torch.einsum("ij,kl->ikjl", small, inner).reshape(side, side) * ALPHA / 2
        wanted["unet"].get_submodule(path).weight += changed
    named = {"lokr_w1": small, "lokr_w2_a": first, "lokr_w2_b": second}
    named = {f"{name}.{key}": value for key, value in named.items()}
    check_fused(made, named | {f"{name}.alpha": torch.tensor(ALPHA)}, wanted)


def test_several_loras_add_up(networks: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    made = networks("sd1")
    layers = layers_of(made, nn.Linear)
    factors = drawn(layers)
    save_file(kohya(factors), tmp_path / "one.safetensors")
    base = save_single(tmp_path / "base.safetensors", made)
    path = tmp_path / "one.safetensors"
    once = load(base, "cpu", "float32", lora=[f"{path}:0.5"])
    twice = load(base, "cpu", "float32", lora=[f"{path}:0.75", f"{path}:-0.25"])
    weights = [dict(model.unet.named_parameters()) for model in (once, twice)]
    assert all(torch.allclose(weights[0][k], weights[1][k], atol=1e-6) for k in weights[0])


def test_what_does_not_fit_is_one_line(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    base = save_single(tmp_path / "base.safetensors", networks("sd1"))
    path = tmp_path / "x.safetensors"
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"

    def refused(tensors: dict[str, Tensor], lora: str = str(path)) -> str:
        save_file(tensors, path)
        with pytest.raises((ModelError, InputError)) as caught:
            load(base, "cpu", lora=[lora])
        return str(caught.value)

    assert "is an autoencoder" in refused({"decoder.conv_in.weight": torch.zeros(2)})
    assert "is for another model" in refused({"lora_unet_x.lora_up.weight": torch.zeros(2, 1)})
    short = {f"{name}.lora_down.weight": torch.zeros(4, 5)}
    short |= {f"{name}.lora_up.weight": torch.zeros(64, 4)}
    assert "does not fit" in refused(short)
    assert "DoRA" in refused(short | {f"{name}.dora_scale": torch.zeros(4)})
    assert "out of range" in refused(short, f"{path}:99")
    assert "nowhere" in refused(short, str(tmp_path / "nowhere.safetensors"))


def test_a_lora_is_remembered_and_replayed(
    networks: Callable[..., dict[str, Any]], digress: Callable[..., Any], tmp_path: Path
) -> None:
    from PIL import Image, ImageChops

    made = networks("sd1")
    save_folder(tmp_path / "sd", made)
    save_file(kohya(drawn(layers_of(made, nn.Linear))), tmp_path / "ink.safetensors")
    common = ("paint", "a frog", "--model", "sd", "--steps", 2, "--size", SIDE, "--seed", 1)
    assert digress(*common, "-o", "1.png").code == 0
    ran = digress(*common, "-o", "2.png", "--lora", "ink.safetensors:0.8")
    assert ran.code == 0, ran.err
    ran = digress("replay", "2.png", "-o", "again.png")
    assert ran.code == 0
    assert "other weights" not in ran.err
    first, second, again = (Image.open(f"{name}.png") for name in ("1", "2", "again"))
    assert ImageChops.difference(first, second).getbbox()
    assert not ImageChops.difference(second, again).getbbox()
    assert "<lora:ink:0.8>" in second.text["parameters"]


@pytest.fixture
def inked(networks: Callable[..., dict[str, Any]], tmp_path: Path) -> Path:
    """A folder with a model and a LoRA, ``ink``."""
    made = networks("sd1")
    save_folder(tmp_path / "sd", made)
    save_file(kohya(drawn(layers_of(made, nn.Linear))), tmp_path / "ink.safetensors")
    return tmp_path


def test_a_lora_in_the_prompt_is_that_of_the_option(inked: Path) -> None:
    model = load(inked / "sd", "cpu", "float32", models=inked)
    plain = latents(model)
    found = latents(model, "photo of <lora:ink:0.8> a frog")
    wanted = latents(load(inked / "sd", "cpu", "float32", lora=[f"{inked}/ink.safetensors:0.8"]))
    assert torch.equal(found, wanted)
    assert torch.equal(latents(model), plain)  # taken out again, bit for bit
    assert not torch.allclose(plain, wanted, atol=1e-2)


def test_a_name_is_looked_for_once(inked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mosaic asks for its LoRAs at every cell, and a folder of models is large."""
    model = load(inked / "sd", "cpu", "float32", models=inked)
    tags = [LoraTag("ink", 0.8)]
    (first,) = model.adapters.found(tags)
    monkeypatch.setattr(Library, "files", lambda self: pytest.fail("looked again"))
    assert model.adapters.found(tags) == (first,)


def test_pictures_of_one_batch_may_name_several_loras(inked: Path) -> None:
    model = load(inked / "sd", "cpu", "float32", models=inked)
    usual = {"size": SIDE, "steps": 2, "guidance": 1.0}
    prompts = ["a frog", "a frog <lora:ink>", "a fox", "a frog <lora:ink:0.5>"]
    asked = [jobs.job(prompt, seed=i, **usual) for i, prompt in enumerate(prompts)]
    together = painter_of(model)(asked)
    for job, image in zip(asked, together, strict=True):
        assert torch.allclose(painter_of(model)([job])[0], image, atol=1e-4)


def test_several_prompts_share_their_loras(inked: Path) -> None:
    model = load(inked / "sd", "cpu", "float32", models=inked)
    same = jobs.job("a frog <lora:ink:0.5> AND a fox <lora:ink:0.5> :0.7", size=SIDE)
    check(model, same)
    assert same.ensemble.terms[1].weight == 0.7
    for prompt, said in [
        ("a frog <lora:ink> AND a fox", "share its network"),
        ("a frog <lora:nowhere>", "there is no LoRA 'nowhere'"),
    ]:
        with pytest.raises(PromptError, match=said):
            check(model, jobs.job(prompt, size=SIDE))
    with pytest.raises(PromptError, match="in the prompt"):
        check(model, jobs.job("a frog", negative="blur <lora:ink>", size=SIDE))


def test_tags_are_written_back_and_stand_outside_brackets() -> None:
    text = "a frog <lora:my ink-2:0.8> :0.7 @0.2-1"
    assert str(parse(text)) == text
    assert parse("a frog<lora:x>").terms[0].pieces == ("a frog",)
    assert parse("a <lora:x:-1> frog").terms[0].loras == (LoraTag("x", -1.0),)
    for wrong in ("a (frog <lora:x>:1.2)", "{a|b <lora:x>}", "a <lora:x:much>", "a <lora:x:11>"):
        with pytest.raises(PromptError):
            parse(wrong)
