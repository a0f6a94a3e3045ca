"""OpenVINO runs a model's networks: the same pictures, and only where it is quicker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from digressions.errors import InputError, MissingExtraError
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.models import openvino_networks, stable_diffusion
from digressions.models.loading import load
from digressions.models.openvino_networks import Contest, Converted, check_openvino, convert
from digressions.models.stable_diffusion import StableDiffusion

from .checkpoints import SIDE, build
from .jobs import job


def jobs(count: int, side: int = SIDE, guidance: float = 3.0) -> list[Job]:
    start = torch.rand(3, side, side, generator=torch.Generator().manual_seed(2))
    return [
        job("frog", seed=seed, size=side, steps=3, guidance=guidance, image=start, strength=0.8)
        for seed in range(count)
    ]


def test_without_openvino_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'digressions\[openvino\]'"):
        load("bundled", "cpu", "float32", openvino=True)


def test_it_is_for_a_cpu_and_not_together_with_torch_compile() -> None:
    with pytest.raises(InputError, match="the device is meta"):
        check_openvino(torch.device("meta"))
    with pytest.raises(InputError, match="choose one"):
        load("bundled", "cpu", "float32", openvino=True, compile=True)


def test_it_reports_to_nobody() -> None:
    """OpenVINO asks for leave to send usage data as soon as it is imported, if it can."""
    pytest.importorskip("openvino")
    program = (
        "import sys, torch\n"
        "from digressions.models.openvino_networks import check_openvino\n"
        "check_openvino(torch.device('cpu'))\n"
        "import openvino\n"
        "print([name for name, module in sys.modules.items() if 'telemetry' in name and module])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "openvino_telemetry" not in ran.stdout.splitlines()[-1]
    assert "permission" not in ran.stdout + ran.stderr


def test_a_tie_is_torchs() -> None:
    assert not Contest("unet", 1.0, 1.0).won
    assert Contest("unet", 1.2, 1.0).won


@pytest.mark.parametrize("family", ["sd", "sd-kl", "sdxl", "lcm"])
def test_pictures_are_torchs_at_any_batch_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    pytest.importorskip("openvino")
    folder = str(build(tmp_path, family))
    everything: Callable[..., list[Contest]] = lambda *a: convert(*a, contest=False)  # noqa: E731
    monkeypatch.setattr(stable_diffusion, "convert", everything)
    plain, fast = load(folder, "cpu", "float32"), load(folder, "cpu", "float32", openvino=True)
    assert [contest.network for contest in fast.contests] == ["unet", "encoder", "decoder"]
    for count, side in ((1, SIDE), (3, SIDE), (2, 2 * SIDE)):
        one, other = (painter_of(model)(jobs(count, side)) for model in (plain, fast))
        assert torch.allclose(one, other, atol=1e-3)


def test_what_loses_the_contest_stays_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    folder = str(build(tmp_path, "sd-kl"))
    monkeypatch.setattr(openvino_networks, "_race", lambda module, *_: races.pop(0))
    races = [(1.0, 2.0), (1.0, 0.5), (1.0, 0.99)]
    model = load(folder, "cpu", "float32", openvino=True)
    assert isinstance(model, StableDiffusion)
    vae = model.autoencoder.vae
    assert "forward" not in vars(model.unet)
    assert isinstance(vae.encoder, Converted)
    assert not isinstance(vae.decoder, Converted)
