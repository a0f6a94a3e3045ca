"""A new family of models is one file: `flow_family` paints everything that the bundled one does."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from digressions.diffusion.noise import Noise
from digressions.diffusion.sample import SAMPLERS
from digressions.errors import InputError, ModelError
from digressions.events import Progress
from digressions.generate.job import Job, check
from digressions.generate.paint import paint_jobs
from digressions.generate.params import PaintSpec
from digressions.generate.pictures import Picture, paint_pictures
from digressions.models.loading import FAMILIES, load
from digressions.prompts.scheduling import COMBINE_HELP

from . import jobs
from .flow_family import FACTOR, MIX, SIDE, LinearFlow, colour, linear_flow

PROMPT, NEGATIVE, GUIDANCE, SEED = "a frog", "a turtle", 2.5, 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LinearFlow:
    return linear_flow(tmp_path_factory.mktemp("linear"))


def test_a_checkpoint_is_loaded_by_its_family(
    model: LinearFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its index names the pipeline; it needs no scheduler of betas, and no unet."""
    monkeypatch.setitem(FAMILIES, "LinearFlowPipeline", lambda checkpoint, *_, **__: model)
    index = tmp_path / "model_index.json"
    index.write_text('{"_class_name": "LinearFlowPipeline"}')
    assert load(tmp_path) is model
    index.write_text('{"_class_name": ["of", "no", "family"]}')
    with pytest.raises(ModelError, match=r"vae/config\.json: a part of it is missing"):
        load(tmp_path)


def job(prompt: str = PROMPT, **changes: Any) -> Job:
    usual = {"size": SIDE, "steps": 8, "seed": SEED, "guidance": GUIDANCE, "negative": NEGATIVE}
    return jobs.job(prompt, **usual | changes)


def painted(model: LinearFlow, *wanted: Job) -> Tensor:
    found = [each for each in paint_jobs(model, wanted) if not isinstance(each, Progress)]
    return torch.stack([each.image for each in sorted(found)])


def euler(x: Tensor, times: Tensor) -> Tensor:
    """Euler's method by hand, with classifier-free guidance in velocities."""

    def velocity(x: Tensor, text: str) -> Tensor:
        return torch.einsum("ij,bjhw->bihw", MIX, x) - colour(text).view(1, 3, 1, 1)

    for t, s in itertools.pairwise(times):
        plain = velocity(x, NEGATIVE)
        x = x + (s - t) * (plain + GUIDANCE * (velocity(x, PROMPT) - plain))
    return x


def start_noise() -> Tensor:
    return Noise([SEED], (3, SIDE // FACTOR, SIDE // FACTOR)).draw()


def photo() -> Tensor:
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def test_text_to_image(model: LinearFlow) -> None:
    wanted = model.decode(euler(start_noise(), model.schedule.grid(8)))
    torch.testing.assert_close(painted(model, job()), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("strength", [0.3, 0.75, 1.0])
def test_image_to_image(model: LinearFlow, strength: float) -> None:
    times = model.schedule.grid(8)[-max(1, int(8 * strength)) - 1 :]
    x = (1 - times[0]) * model.encode(photo()[None]) + times[0] * start_noise()
    wanted = model.decode(euler(x, times))
    found = painted(model, job(image=photo(), strength=strength))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_inpainting(model: LinearFlow, strength: float) -> None:
    """Outside the mask the picture is the given one, bit for bit; inside it is the prompt's."""
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, 8:24, 8:24] = 1
    image = photo()
    found = painted(model, job(image=image, mask=mask, strength=strength))[0]
    kept = mask.expand(3, -1, -1) == 0
    assert torch.equal(found[kept], image[kept])
    inside = found[:, 12:20, 12:20].mean((1, 2))
    assert (inside - image[:, 12:20, 12:20].mean((1, 2))).abs().max() > 0.05
    other = painted(model, job("a fox", image=image, mask=mask, strength=strength))[0]
    assert not torch.allclose(found, other, atol=0.05)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_every_sampler_and_batch(model: LinearFlow, sampler: str) -> None:
    """Text-to-image and image-to-image in one batch are what each is alone."""
    wanted = [
        job(sampler=sampler),
        job("a fox", sampler=sampler, image=photo(), strength=0.5, seed=3),
        job("a cat", sampler=sampler, guidance=1.0, seed=9),
    ]
    together = painted(model, *wanted)
    assert together.isfinite().all()
    for picture, each in zip(together, wanted, strict=True):
        torch.testing.assert_close(painted(model, each)[0], picture, rtol=0, atol=1e-5)


@pytest.mark.parametrize("combine", COMBINE_HELP)
def test_every_way_of_combining(model: LinearFlow, combine: str) -> None:
    found = painted(model, job(f"{PROMPT} AND a fox", combine=combine))
    assert found.isfinite().all()
    if combine != "max":  # between two even colours one prompt wins everywhere
        assert not torch.equal(found, painted(model, job()))


def test_a_mosaics_cell_and_a_picture_larger_than_the_model(model: LinearFlow) -> None:
    cell = job(image=photo(), strength=0.8, anchor=0.5, band=2)
    free = job(image=photo(), strength=0.8)
    near, far = (
        (painted(model, each)[0].mean((1, 2)) - photo().mean((1, 2))).abs().mean()
        for each in (cell, free)
    )
    assert near < far
    large = job(size=(2 * SIDE, SIDE + FACTOR), tiles=True)
    assert painted(model, large).shape == (1, 3, SIDE + FACTOR, 2 * SIDE)


def test_what_the_family_refuses_is_one_line(model: LinearFlow) -> None:
    for changes, words in (
        ({"steps": 101}, "steps 101 is out of range"),
        ({"size": 30}, "not a positive multiple of 4"),
        ({"zero_snr": True}, "fixed for linear"),
        ({"timestep_spacing": "leading"}, "fixed for linear"),
    ):
        with pytest.raises(InputError, match=words):
            check(model, job(**changes))


def test_the_use_case_paints_with_its_defaults(model: LinearFlow, tmp_path: Path) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 8:24] = 255
    image = (photo().permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    for start in ({}, {"image": image}, {"image": image, "mask": mask}):
        spec = PaintSpec.of(prompt=PROMPT, seed=SEED, enlarge=1, **start)
        (picture,) = [e for e in paint_pictures(model, spec) if isinstance(e, Picture)]
        assert picture.array.shape == (SIDE, SIDE, 3)
        assert (picture.params.steps, picture.params.guidance) == (8, 2.5)
        assert picture.record.model_hash == model.hash
