"""The benchmarks of small cards and single files: they run, and their figures add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu_single_files, memory, quantized, step_time
from benchmarks.gpus import GPUS, UTILISATION
from benchmarks.page import marked
from benchmarks.single_file import small_networks, write
from digressions.models.loading import load
from digressions.models.quantize import KINDS

from .original_layout import SIDE

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["memory", "quantized", "step time"])
def test_the_page_of_models_has_figures(name: str) -> None:
    (section,) = marked(name).findall((DOCS / "models.md").read_text("utf-8"))
    assert section


def test_a_dry_run_of_what_a_gpu_is_to_measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tiny", "--device", "cpu", "--dtype", "float32", "--cells", "2"]
    out = tmp_path / "gpu.json"
    gpu_single_files.main([*arguments, "--networks", "sdxl", "--out", str(out)])
    (line,) = [
        each for each in capsys.readouterr().out.splitlines() if each.startswith("| Stable D")
    ][-1:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[0] == "Stable Diffusion XL"
    assert all(float(rate) > 0 for rate in cells[2:6])
    rows = {row["side"]: row for row in json.loads(out.read_text("utf-8"))["rows"]}
    assert float(cells[2]) == pytest.approx(1 / rows["c"]["seconds"], rel=0.01)
    assert float(cells[5]) == pytest.approx(1 / rows["d"]["seconds"], rel=0.01)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_a_network_takes_is_counted_by_the_shapes_of_its_layers(kind: str) -> None:
    pytest.importorskip({"nf4": "bitsandbytes"}.get(kind, "torchao"))
    plain: Any = load("bundled", "cpu", "float32")
    small: Any = load("bundled", "cpu", "float32", quantize=kind)
    counted = memory.stored(plain.unet, kind, torch.float32)
    assert counted == pytest.approx(memory.held(small.unet), rel=1e-3)
    assert counted < memory.held(plain.unet)


def test_each_step_is_measured_and_what_a_card_holds_follows(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with small_networks(tmp_path / "configs"):
        write(path, "sdxl")
        found = memory.steps(path, 2 * SIDE)
        counts = [memory.counted("sdxl", side) for side in (SIDE, 2 * SIDE, 1024)]
        once = memory.painted(path, SIDE, offload=True)
    assert found.keys() == counts[0].keys() == {"text", "unet", "vae", "vae_tiles"}
    for part in ("unet", "vae"):  # as the pixels, or a little less where something is fixed
        assert 3 * counts[0][part] < counts[1][part] < 4.1 * counts[0][part]
    assert counts[2]["vae_tiles"] < counts[2]["vae"] / 3
    assert once["most"] >= once["libraries"] > 0
    weights = {"text": 10, "unet": 50, "vae": 2, "nf4": 20}
    working = {"text": 1, "unet": 4, "vae": 30, "vae_tiles": 3}
    sums = {
        "none": ({}, 10 + 50 + 2 + 30),
        "`--vae-tiles on`": ({"vae_tiles": "on"}, 10 + 50 + 2 + 4),
        "`--offload`": ({"offload": True}, 50 + 4),
        "`--offload --quantize nf4`": ({"offload": True, "quantize": "nf4"}, 2 + 30),
    }
    for shown, (way, wanted) in sums.items():
        assert memory.options(way) == shown
        assert memory.computed(weights, working, way) == wanted


def test_pictures_of_quantized_networks_are_compared() -> None:
    pytest.importorskip("torchao")
    pytest.importorskip("bitsandbytes")
    rows = {row["kind"]: row for row in quantized.main(["--pictures", "1"])}
    assert rows.keys() == {"bfloat16", *KINDS}
    assert 0 < rows["int8"]["guess"] < rows["fp8"]["guess"] < rows["nf4"]["guess"] < 0.1


def test_a_step_is_timed_beside_its_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_time, "picture_tera", lambda: {"a network": (512, 1.0, 2.0)})
    found = step_time.bundled_step(1)
    assert 0 < found["seconds"] < 60
    assert 1e-3 < found["tera"] < 1e-1
    text = step_time.section([found])
    assert "For GPUs an estimate, not measured" in text
    peaks = [UTILISATION * gpu.peak for gpu in GPUS]
    shown = " | ".join(f"{(4 * 1.0 + 2.0) / peak:.2g} s" for peak in peaks)
    assert f"| a network: 4 steps without | {shown} |" in text
