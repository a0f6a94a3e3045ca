"""Model folders: names are found in those of every program; `digress models` says what is there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from digressions.errors import InputError
from digressions.models import single_file
from digressions.models.fingerprint import content_hash
from digressions.models.header import read_header
from digressions.models.library import Library, located
from digressions.models.recognise import recognise
from tests.original_layout import SIDE, parts, save_single, small_configs

UNET = "model.diffusion_model."
SD1 = {
    f"{UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
    f"{UNET}middle_block.0.in_layers.0.weight": (8,),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (8,),
}
SDXL = {
    f"{UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
    f"{UNET}middle_block.0.in_layers.0.weight": (8,),
    f"{UNET}label_emb.0.0.weight": (8, 8),
    "conditioner.embedders.1.model.ln_final.weight": (8,),
    "v_pred": (0,),
}
LORA = {"lora_unet_mid_block_attentions_0_attn2_to_k.lora_down.weight": (4, 768)}
VAE = {"decoder.conv_in.weight": (8, 4, 3, 3)}
UPSCALER = {"conv_first.weight": (64, 3, 3, 3)}


def put(path: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: torch.zeros(v) for k, v in shapes.items()}, path, metadata or None)
    return path


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def comfyui(root: Path) -> Path:
    """A ComfyUI folder that names one of A1111's for the rest."""
    put(root / "ComfyUI/models/checkpoints/xl/noob.safetensors", SDXL)
    put(root / "ComfyUI/models/vae/anime.safetensors", VAE)
    put(root / "ComfyUI/models/upscale_models/4x.safetensors", UPSCALER)
    put(root / "ComfyUI/venv/lib/testdata.safetensors", SD1)
    (root / "ComfyUI/extra_model_paths.yaml").write_text(
        "a111:\n  base_path: ../webui\n  checkpoints: models/Stable-diffusion\n"
        "  loras: |\n    models/Lora\n    models/LyCORIS\n"
    )
    a1111(root / "webui")
    return root / "ComfyUI"


def a1111(root: Path) -> Path:
    put(root / "models/Stable-diffusion/dreamshaper_8.safetensors", SD1)
    put(root / "models/Stable-diffusion/dreamshaper_7.safetensors", SD1)
    tags = json.dumps({"10_ink": {"ink style": 12, "black": 30}})
    put(root / "models/Lora/ink.safetensors", LORA, ss_tag_frequency=tags)
    put(root / "embeddings/bad.safetensors", {"emb_params": (2, 768)})
    return root


def test_names_are_found_in_a_comfyui_folder(tmp_path: Path) -> None:
    library = Library(comfyui(tmp_path))

    def find(name: str, kind: Any = "checkpoint") -> str | None:
        found = library.find(name, (kind,))
        return None if found is None else found.name

    assert find("dreamshaper_8") == find("DreamShaper_8.safetensors") == "dreamshaper_8.safetensors"
    assert find("noob") == find("xl/noob") == find("no") == "noob.safetensors"
    assert find("ink", "lora") == "ink.safetensors"
    assert find("ink") is None  # a LoRA is no checkpoint
    assert find("anime", "vae") == "anime.safetensors"
    assert find("testdata") is None
    with pytest.raises(InputError, match="may be 2 files"):
        library.find("dream", ("checkpoint",))


def test_the_models_folder_of_a_program_is_one_as_well(tmp_path: Path) -> None:
    """It may hold embeddings beside all other kinds, as ComfyUI's does."""
    comfyui(tmp_path)
    put(tmp_path / "ComfyUI/models/embeddings/bad.safetensors", {"emb_params": (2, 768)})
    for root in (tmp_path / "ComfyUI", tmp_path / "ComfyUI/models"):
        library = Library(root)
        assert library.find("noob", ("checkpoint",)) is not None
        assert library.find("bad", ("embedding",)) is not None


def test_names_are_found_in_any_folder_and_through_links(tmp_path: Path) -> None:
    a1111(tmp_path / "real")
    (tmp_path / "any").mkdir()
    (tmp_path / "any" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "models" / "round").symlink_to(tmp_path / "real")
    library = Library(tmp_path / "any")
    assert len(library.files()) == 4
    assert located("dreamshaper_8", ("checkpoint",), library).endswith("dreamshaper_8.safetensors")
    assert located("a/hub-id", ("checkpoint",), library) == "a/hub-id"


def test_the_table(digress: Callable[..., Any], tmp_path: Path) -> None:
    root = comfyui(tmp_path)
    put(root / "models/checkpoints/broken.safetensors", SD1)
    whole = (root / "models/checkpoints/broken.safetensors").read_bytes()
    (root / "models/checkpoints/broken.safetensors").write_bytes(whole[:-5])
    ran = digress("models", "--models", root, "--json")
    assert ran.code == 0, ran.err
    rows = {row["name"]: row for row in json.loads(ran.out)}
    assert rows.keys() == {"noob", "anime", "4x", "dreamshaper_7", "dreamshaper_8", "ink", "broken"}
    assert (rows["noob"]["family"], rows["noob"]["prediction"]) == ("SDXL", "v_prediction")
    assert rows["dreamshaper_8"]["family"] == "Stable Diffusion 1"
    assert (rows["ink"]["kind"], rows["ink"]["words"]) == ("lora", "black, ink style")
    assert rows["4x"]["kind"] == "upscaler"
    assert "cut off" in rows["broken"]["what"]
    assert rows["noob"]["sha256"] == ""
    (root / "models/upscale_models/old.pth").write_bytes(b"pickle")
    ran = digress("models", "--models", root)
    (line,) = [line for line in ran.out.splitlines() if line.startswith("broken")]
    assert line.endswith("fetch or copy it again")
    assert line.index("is cut off") > ran.out.splitlines()[0].index("words")
    assert "note: left out: 1 pickle (.ckpt, .pth, .pt, .bin), such as old.pth" in ran.err
    ran = digress("models", "--models", root, "--hashes")
    assert all(word in ran.out for word in ("dreamshaper_8", "SDXL", "black, ink style"))
    ink = tmp_path / "webui/models/Lora/ink.safetensors"
    (line,) = [line for line in ran.out.splitlines() if line.startswith("ink ")]
    assert line.endswith(f"  {content_hash(ink)[:12]}")  # of a LoRA as A1111 writes it
    again = {
        row["name"]: row for row in json.loads(digress("models", "--models", root, "--json").out)
    }
    assert len(again["noob"]["sha256"]) == 10


def test_a_part_of_the_name_is_enough(
    digress: Callable[..., Any], refused: Callable[..., str], tmp_path: Path
) -> None:
    a1111(tmp_path / "webui")
    found = json.loads(digress("models", "Dream", "--models", "webui", "--json").out)
    assert [row["name"] for row in found] == ["dreamshaper_7", "dreamshaper_8"]
    (tmp_path / "webui/models/Stable-diffusion/old.ckpt").write_bytes(b"pickle")
    assert "old.ckpt" in digress("models", "--models", "webui").err
    assert "old.ckpt" not in digress("models", "dream", "--models", "webui").err
    assert "'x9' in its name" in refused("models", "x9", "--models", "webui")


@pytest.mark.parametrize(
    ("metadata", "width", "family"),
    [
        ({"ss_base_model_version": "sd_v1", "ss_sd_model_name": "anything-v2.1.ckpt"}, 8, "sd1"),
        ({"ss_base_model_version": "sd_v1", "ss_sd_model_name": "pixlife.safetensors"}, 8, "sd1"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, 768, "sd1"),  # shapes do not err
        ({"ss_base_model_version": "sdxl_base_v1-0"}, 8, "sdxl"),
        ({"modelspec.architecture": "stable-diffusion-v2-512/lora"}, 8, "sd2"),
        ({"ss_sd_model_name": "anything-v2.1.ckpt"}, 8, None),
    ],
)
def test_the_name_of_its_base_says_nothing_of_a_loras_family(
    tmp_path: Path, metadata: dict[str, str], width: int, family: str | None
) -> None:
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    path = put(tmp_path / "x.safetensors", {name: (4, width)}, **metadata)
    assert recognise(read_header(path)).family == family


def test_a_changed_file_is_looked_at_again(digress: Callable[..., Any], tmp_path: Path) -> None:
    path = put(tmp_path / "m/x.safetensors", VAE)
    assert '"vae"' in digress("models", "--models", "m", "--json").out
    put(path, UPSCALER)
    assert '"upscaler"' in digress("models", "--models", "m", "--json").out


def test_what_another_version_took_a_file_for_is_forgotten_but_not_its_hash(
    digress: Callable[..., Any], tmp_path: Path
) -> None:
    put(tmp_path / "m/x.safetensors", VAE)
    assert digress("models", "--models", "m", "--hashes").code == 0
    cache = tmp_path / "cache/digressions/models.json"
    known = json.loads(cache.read_text("utf-8"))
    ((path, entry),) = known.items()
    entry["row"] |= {"kind": "unknown", "sha256": "0123456789"}
    for version, kind in ((entry["version"], "unknown"), ("0.0.1", "vae")):
        cache.write_text(json.dumps({path: entry | {"version": version}}), "utf-8")
        (row,) = json.loads(digress("models", "--models", "m", "--json").out)
        assert (row["kind"], row["sha256"]) == (kind, "0123456789")
    entry["row"]["kind"] = "damaged"
    cache.write_text(json.dumps({path: entry}), "utf-8")
    (row,) = json.loads(digress("models", "--models", "m", "--json").out)
    assert row["kind"] == "vae"  # it could not be read, and can be now


def test_500_files_take_less_than_five_seconds(digress: Callable[..., Any], tmp_path: Path) -> None:
    first = put(tmp_path / "m/0.safetensors", SD1 | {f"{UNET}x.{i}": (1,) for i in range(1000)})
    content = first.read_bytes()
    for number in range(1, 500):
        (tmp_path / f"m/{number}.safetensors").write_bytes(content)
    began = time.process_time()
    assert digress("models", "--models", "m", "--json").code == 0
    assert time.process_time() - began < 5
    began = time.process_time()
    assert digress("models", "--models", "m", "--json").code == 0
    assert time.process_time() - began < 1


def test_what_is_wrong_is_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no such folder" in refused("models", "--models", tmp_path / "nowhere")
    assert "--models" in refused("models")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "extra_model_paths.yaml").write_text("a: [")
    assert "cannot be read" in refused("models", "--models", "c")


@pytest.mark.parametrize("option", ["--model", "--vae", "--lora", "--models"])
def test_the_folder_of_a_user_who_is_not_there_is_not_found(
    refused: Callable[..., str], tmp_path: Path, option: str
) -> None:
    library = () if option == "--models" else ("--models", tmp_path)
    words = refused("paint", "a frog", *library, option, "~no-such-user/x.safetensors")
    assert "~no-such-user/x.safetensors" in words


def test_paint_finds_the_model_and_replay_finds_it_again(
    digress: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = small_configs(tmp_path / "configs")
    monkeypatch.setattr(single_file, "CONFIGS", configs)
    (tmp_path / "models").mkdir()
    save_single(tmp_path / "models/dreamshaper_8.safetensors", parts(configs, "sd1"))
    monkeypatch.setenv("DIGRESSIONS_MODELS", str(tmp_path / "models"))
    made = digress("paint", "frog", "--model", "dream", "--steps", 1, "--size", SIDE, "-o", "a.png")
    assert made.code == 0, made.err
    monkeypatch.delenv("DIGRESSIONS_MODELS")
    assert digress("replay", "a.png", "-o", "b.png").code == 0


def test_replay_finds_a_model_by_its_hash(
    digress: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has moved, and that of a picture of A1111's."""
    import hashlib

    from PIL import Image, PngImagePlugin

    configs = small_configs(tmp_path / "configs")
    monkeypatch.setattr(single_file, "CONFIGS", configs)
    (tmp_path / "models").mkdir()
    path = save_single(tmp_path / "before.safetensors", parts(configs, "sd1"))
    common = ("--steps", 1, "--size", SIDE, "-o")
    assert digress("paint", "frog", "--model", path, *common, "a.png").code == 0
    moved = path.rename(tmp_path / "models" / "after.safetensors")
    put(tmp_path / "models" / "other.safetensors", SD1)
    ran = digress("replay", "a.png", "-o", "b.png", "--models", "models")
    assert ran.code == 0, ran.err
    assert "other weights" not in ran.err
    short = hashlib.sha256(moved.read_bytes()).hexdigest()[:10]
    text = PngImagePlugin.PngInfo()
    line = f"Steps: 1, Sampler: Euler, CFG scale: 2, Seed: 1, Size: {SIDE}x{SIDE}"
    text.add_text("parameters", f"a frog\n{line}, Model hash: {short}, Model: before")
    Image.new("RGB", (SIDE, SIDE)).save("theirs.png", pnginfo=text)
    ran = digress("replay", "theirs.png", "-o", "ours.png", "--models", "models")
    assert ran.code == 0, ran.err
    record = json.loads(Image.open("ours.png").text["digressions"])
    assert Path(record["model"]).name == "after.safetensors"
    assert record["files"][0]["sha256"].startswith(short)
