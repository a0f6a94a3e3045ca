"""LoRAs that were distilled for few steps bring their settings, unless the user says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from digressions.events import Note
from digressions.models import single_file
from digressions.models.few_steps import made_for
from digressions.models.loading import load
from digressions.models.lora import Lora
from digressions.mosaics.build import build, plan_of
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.worlds.opening import notes_on_world, resolve_world
from digressions.worlds.world_spec import WorldSpec
from tests.original_layout import SIDE, parts, save_single, small_configs

LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def put(path: Path, metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    down, up = torch.zeros(1, 64), torch.zeros(64, 1)
    save_file({f"{LAYER}.lora_down.weight": down, f"{LAYER}.lora_up.weight": up}, path, metadata)
    return path


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("sdxl_lightning_4step_lora", ("euler", 4, 1, "trailing")),
        ("SDXL-Lightning-8steps", ("euler", 8, 1, "trailing")),
        ("lightning_2step", ("euler", 2, 1, "trailing")),
        ("Hyper-SD15-8steps-lora", ("euler", 8, 1, "trailing")),
        ("Hyper-SDXL-12steps-CFG-lora", ("euler", 12, 5, "trailing")),
        ("hyper_sd15", ("euler", 8, 1, "trailing")),
        ("lcm-lora-sdv1-5", ("lcm", 4, 1, None)),
        ("LCM_LoRA_Weights_SDXL", ("lcm", 4, 1, None)),
        ("sd_xl_turbo_lora_v1", ("euler_ancestral", 4, 1, "trailing")),
        ("dmd2_sdxl_4step_lora", ("lcm", 4, 1, None)),
        ("lightning_strikes", None),
        ("hyperrealistic", None),
        ("porsche_turbo", None),
        ("two steps ahead", None),
        ("filmcmyk", None),
    ],
)
def test_a_name_says_the_settings(tmp_path: Path, name: str, wanted: Any) -> None:
    path = put(tmp_path / f"{name}.safetensors")
    found = made_for([Lora(path, 0.7)])
    assert (found and (found.sampler, found.steps, found.guidance, found.spacing)) == wanted
    assert made_for([Lora(path, 0.0)]) is None


@pytest.mark.parametrize("field", ["modelspec.title", "ss_output_name"])
def test_a_header_says_them_where_the_file_was_renamed(tmp_path: Path, field: str) -> None:
    path = put(tmp_path / "fast.safetensors", {field: "sdxl_lightning_2step_lora"})
    found = made_for([Lora(put(tmp_path / "ink.safetensors"), 1.0), Lora(path, 1.0)])
    assert found is not None
    assert (found.steps, found.sampler) == (2, "euler")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configs = small_configs(tmp_path / "configs")
    monkeypatch.setattr(single_file, "CONFIGS", configs)
    monkeypatch.setenv("DIGRESSIONS_MODELS", str(tmp_path / "m"))
    (tmp_path / "m").mkdir()
    save_single(tmp_path / "m/dream.safetensors", parts(configs, "sd1"))
    put(tmp_path / "m/Hyper-SD15-2steps-lora.safetensors")
    put(tmp_path / "m/lcm-lora-sdv1-5.safetensors")
    return tmp_path


def params_of(path: str) -> dict[str, Any]:
    return json.loads(Image.open(path).text["digressions"])["params"]


def test_they_count_unless_the_user_says_otherwise(digress: Callable[..., Any], root: Path) -> None:
    common = ("--model", "dream", "--size", SIDE, "--seed", 1)
    named = ("paint", "a frog <lora:Hyper-SD15-2steps-lora:1>")
    for given in (("paint", "a frog", "--lora", "hyper-sd15"), named):
        ran = digress(*given, *common, "-o", f"{len(given)}.png")
        assert ran.code == 0, ran.err
        assert ran.err.count("Hyper-SD15-2steps-lora.safetensors is made for --steps 2") == 1
        found = params_of(f"{len(given)}.png")
        assert (found["steps"], found["sampler"], found["guidance"]) == (2, "euler", 1)
        assert found["timestep_spacing"] == "trailing"
    own = ("--steps", 3, "--guidance", 2, "--timestep-spacing", "karras")
    assert digress(*named, *common, *own, "--sampler", "ddim", "-o", "own.png").code == 0
    found = params_of("own.png")
    assert (found["steps"], found["sampler"], found["guidance"]) == (3, "ddim", 2)
    assert found["timestep_spacing"] == "karras"
    mosaic = ("mosaic", "a frog", "--lora", "lcm-lora", "--grid", 2, *common, "-o", "mo")
    ran = digress(*mosaic)
    assert ran.code == 0, ran.err
    cells = json.loads(Path("mo/manifest.json").read_text())["job"]["mosaic"]["params"]
    assert (cells["steps"], cells["sampler"], cells["guidance"]) == (4, "lcm", 1)
    assert cells["timestep_spacing"] is None
    assert "timestep-spacing does nothing" not in ran.err


NAMES = ("steps", "sampler", "guidance")
FAST, SLOW = "a bee <lora:lcm-lora-sdv1-5>", "a bee"
FEW, OWN = (4, "lcm", 1), (2, "euler", 3)


@pytest.mark.parametrize(
    ("prompt", "asked", "wanted", "shared"),
    [
        ("a frog", {"cell_prompt": [FAST]}, FEW, False),
        ("a frog", {"cell_prompt": [SLOW, FAST]}, FEW, True),
        ("a frog", {"cell_prompt": [SLOW, FAST], **dict(zip(NAMES, OWN, strict=True))}, OWN, False),
        (FAST, {"cell_prompt": [SLOW]}, None, False),
        (FAST, {}, FEW, False),
    ],
)
def test_those_of_the_cells_count_for_the_cells_alone(
    root: Path, prompt: str, asked: dict[str, Any], wanted: Any, shared: bool
) -> None:
    model = load("dream", "cpu")
    asked = {"prompt": prompt, "grid": 2, "size": SIDE, **asked}
    spec = MosaicSpec.of(**asked)
    events = takewhile(lambda event: isinstance(event, Note), build(model, spec, root / "o"))
    world = resolve_world(model, WorldSpec.of(**asked))
    cells = plan_of(model, spec, None).mosaic, world.cells
    for mosaic, notes in zip(cells, (events, notes_on_world(model, world)), strict=True):
        found = tuple(getattr(mosaic.params, name) for name in NAMES)
        assert found == (wanted or tuple(model.defaults.values(cells=True)[n] for n in NAMES))
        told = " ".join(note.text for note in notes)
        assert ("all cells are painted with the settings of lcm-lora-sdv1-5" in told) == shared


def test_deeper_cells_are_painted_as_the_others(root: Path) -> None:
    model = load("dream", "cpu")
    usual = {"prompt": "a frog", "grid": 2, "size": SIDE}
    world = resolve_world(model, WorldSpec.of(**usual, deeper_prompt=[FAST]))
    assert tuple(getattr(world.cells.params, name) for name in NAMES) == FEW
    told = " ".join(note.text for note in notes_on_world(model, world))
    assert "all cells are painted with the settings of lcm-lora-sdv1-5" in told
