"""Few-step checkpoints, tiny autoencoders, half precision: used as they were made to be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from digressions.errors import InputError, ModelError
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.models.base import Model
from digressions.models.encoders import Autoencoder
from digressions.models.fingerprint import Fingerprint
from digressions.models.loading import load
from digressions.models.placement import Placement
from digressions.models.runtime import Stopwatch
from digressions.models.stable_diffusion import StableDiffusion

from .checkpoints import SIDE, build, tiny_vae, unet
from .jobs import job

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    built: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in built:
            built[family] = build(tmp_path_factory.mktemp(family), family)
        return built[family]

    return folder


def asked(model: Model, monkeypatch: pytest.MonkeyPatch, wanted: Job) -> list[int]:
    """The rows that the network was asked for, call by call, to paint two of a job."""
    rows: list[int] = []
    assert isinstance(model, StableDiffusion)
    forward = model.unet.forward

    def counted(x: torch.Tensor, *args: object, **options: object) -> object:
        rows.append(len(x))
        return forward(x, *args, **options)

    monkeypatch.setattr(model.unet, "forward", counted)
    painter_of(model)([wanted, wanted])
    return rows


# --- steps and guidance ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "sampler", "steps"), [("lcm", "lcm", 4), ("turbo", "euler_ancestral", 2)]
)
def test_few_step_models_come_with_their_sampler_and_without_guidance(
    folder_of: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    sampler: str,
    steps: int,
) -> None:
    model = load(str(folder_of(family)), "cpu", "float32")
    assert (model.defaults.sampler, model.defaults.steps) == (sampler, steps)
    wanted = job("frog", **model.defaults.values())
    assert asked(model, monkeypatch, wanted) == [2] * steps  # two pictures, not twice two


def test_an_lcm_that_is_a_lora_merged_into_its_network_wants_no_guidance(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    """Its scheduler says LCM, and its network takes no guidance scale."""
    shutil.copytree(folder_of("sd"), tmp_path / "merged")
    path = tmp_path / "merged" / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text("utf-8")) | {"_class_name": "LCMScheduler"}
    path.write_text(json.dumps(config), "utf-8")
    defaults = load(str(tmp_path / "merged"), "cpu", "float32").defaults
    assert (defaults.sampler, defaults.steps, defaults.guidance) == ("lcm", 4, 1.0)


@pytest.mark.parametrize("family", ["lcm", "turbo"])
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3])
def test_at_least_one_step_is_taken_at_any_strength(
    folder_of: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    strength: float,
) -> None:
    model = load(str(folder_of(family)), "cpu", "float32")
    chosen = model.defaults.values() | {"steps": 2, "strength": strength}
    wanted = job("frog", image=torch.rand(3, SIDE, SIDE), **chosen)
    assert asked(model, monkeypatch, wanted) == [2]


# --- a tiny autoencoder ----------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    torch.manual_seed(11)
    tiny_vae().save_pretrained(tmp_path / "taesd")
    return tmp_path / "taesd"


def test_a_tiny_autoencoder_takes_the_place_of_the_models_own(
    folder_of: Callable[[str], Path], tiny: Path
) -> None:
    folder = str(folder_of("sd-kl"))
    whole, small = load(folder, "cpu", "float32"), load(folder, "cpu", "float32", vae=tiny)
    images = torch.rand(2, 3, SIDE, SIDE)
    own = load_tiny(tiny)
    wanted = own.encode(images * 2 - 1).latents
    assert torch.allclose(small.encode(images), wanted, atol=1e-5)
    decoded = (own.decode(wanted).sample / 2 + 0.5).clamp(0, 1)
    assert torch.allclose(small.decode(wanted), decoded, atol=1e-5)
    assert not torch.allclose(whole.encode(images), wanted, atol=1e-2)
    # Pictures differ by it, so jobs must.
    assert small.hash != whole.hash
    assert small.hash == load(folder, "cpu", "float32", vae=tiny).hash


def load_tiny(folder: Path):
    from diffusers import AutoencoderTiny

    return AutoencoderTiny.from_pretrained(folder).eval().requires_grad_(False)


def test_what_is_no_autoencoder_or_does_not_fit_is_refused(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = str(folder_of("sd"))
    with pytest.raises(ModelError, match="holds a UNet2DConditionModel: give the folder of an"):
        load(folder, "cpu", "float32", vae=Path(folder) / "unet")
    with pytest.raises(ModelError, match="nowhere: there is no such file or folder"):
        load(folder, "cpu", "float32", vae=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no config"):
        load(folder, "cpu", "float32", vae=tmp_path / "empty")
    tiny_vae().save_pretrained(tmp_path / "four")  # the bundled model's latents have 16 channels
    with pytest.raises(ModelError, match="do not belong together"):
        load("bundled", "cpu", "float32", vae=tmp_path / "four")


def test_a_network_that_wants_to_see_a_picture_too_is_refused(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folder_of("sd"), tmp_path / "seeing")
    unet(addition_embed_type="image", encoder_hid_dim=8).save_pretrained(folder / "unet")
    with pytest.raises(ModelError, match=r"needs another condition \(image\)"):
        load(str(folder), "cpu", "float32")


# --- half precision --------------------------------------------------------------------------


def overflowing() -> torch.nn.Module:
    """An autoencoder whose decoder passes 65,504 inside, for large latents but not for small."""
    torch.manual_seed(5)
    vae = tiny_vae().eval().requires_grad_(False)
    convolutions = [m for m in vae.decoder.modules() if isinstance(m, torch.nn.Conv2d)]
    convolutions[0].weight *= 30_000
    convolutions[0].bias.zero_()
    convolutions[-1].weight /= 30_000
    return vae


def test_pictures_that_overflow_in_half_precision_are_those_of_float32() -> None:
    vae = overflowing().half()
    exact = Autoencoder(overflowing().half().float(), Placement(CPU), Stopwatch())
    torch.manual_seed(3)
    latents = torch.randn(3, 4, 8, 8) * torch.tensor([1e-4, 1e3, 1e-4]).view(3, 1, 1, 1)
    plain = vae.decode(latents.half()).sample
    broken = ~plain.isfinite().flatten(1).all(1)
    assert broken.tolist() == [False, True, False]  # or this test would show nothing

    half = Autoencoder(vae, Placement(CPU), Stopwatch()).decode(latents)
    assert torch.allclose(half[broken], exact.decode(latents)[broken], atol=1e-3)
    assert torch.equal(half[~broken], (plain[~broken].float() / 2 + 0.5).clamp(0, 1))
    assert vae.dtype == torch.float16  # what fits stays as quick as it was


def test_a_network_or_weights_that_give_no_numbers_are_one_line() -> None:
    vae = Autoencoder(tiny_vae(), Placement(CPU), Stopwatch())
    with pytest.raises(ModelError, match="set dtype to bfloat16 or float32"):
        vae.decode(torch.full((1, 4, 8, 8), float("nan")))
    damaged = tiny_vae()
    with torch.no_grad():
        next(damaged.decoder.parameters()).fill_(float("inf"))
    with torch.inference_mode(), pytest.raises(ModelError, match="cannot decode a picture"):
        Autoencoder(damaged, Placement(CPU), Stopwatch()).decode(torch.zeros(1, 4, 8, 8))


def test_an_autoencoder_that_asks_for_float32_gets_it(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    def dtype(folder: Path, kind: str = "float16") -> torch.dtype:
        model = load(str(folder), "cpu", kind)
        assert isinstance(model, StableDiffusion)
        return model.autoencoder.dtype

    assert dtype(folder_of("sd")) == torch.float16
    for upcast, wanted in ((True, torch.float32), (False, torch.float16)):
        folder = shutil.copytree(folder_of("sdxl"), tmp_path / str(upcast))
        path = folder / "vae" / "config.json"
        config = json.loads(path.read_text("utf-8")) | {"force_upcast": upcast}
        path.write_text(json.dumps(config), "utf-8")
        assert dtype(folder) == wanted
        assert dtype(folder, "bfloat16") == torch.bfloat16  # has float32's range


# --- weights that change ---------------------------------------------------------------------


def test_a_fingerprint_tells_changed_weights_from_touched_ones(tmp_path: Path) -> None:
    weights = tmp_path / "unet" / "w.safetensors"
    weights.parent.mkdir()
    save_file({"a": torch.ones(3)}, weights)
    seen = Fingerprint(tmp_path, ("unet/*.safetensors",))
    assert seen.hash() == Fingerprint(tmp_path, ("unet/*.safetensors",)).hash()
    os.utime(weights, ns=(0, 0))
    seen.check()
    save_file({"a": 2 * load_file(weights)["a"]}, weights)
    with pytest.raises(ModelError, match="have changed"):
        seen.check()
    weights.unlink()
    with pytest.raises(ModelError, match="have changed"):
        seen.check()


def test_weights_that_changed_before_they_were_hashed_have_no_hash(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(3)}, weights)
    seen = Fingerprint(tmp_path, ("*.safetensors",))
    save_file({"a": torch.zeros(300)}, weights)
    with pytest.raises(ModelError, match="have changed"):
        seen.hash()


# --- torch.compile ---------------------------------------------------------------------------


def test_compiling_without_a_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(function: object) -> object:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(InputError, match=r"compile does not work here .*install a C\+\+"):
        load("bundled", "cpu", "float32", compile=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_compiled_networks_paint_the_same(folder_of: Callable[[str], Path]) -> None:
    folder = str(folder_of("sd"))
    wanted = [job("frog", steps=2, image=torch.rand(3, SIDE, SIDE))] * 2
    plain, compiled = (load(folder, "cpu", "float32", compile=c) for c in (False, True))
    assert torch.allclose(painter_of(plain)(wanted), painter_of(compiled)(wanted), atol=1e-4)
