"""How much of each prompt is in a picture, and where the prompts disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from digressions.diffusion.noise import Noise
from digressions.ensembles.balance import TRIALS, balances, check_judge, rows_for
from digressions.ensembles.disagreement import (
    PaintedWithMap,
    overlay,
    paint_with_maps,
    variance_over_prompts,
)
from digressions.errors import InputError
from digressions.generate.job import Job
from digressions.generate.paint import Painted, paint_jobs
from digressions.models.base import Defaults, Model
from digressions.models.loading import load
from digressions.models.stable_diffusion import StableDiffusion

from .checkpoints import SIDE, build
from .jobs import job

A, B = "photo of a frog", "a turtle"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
    found = load(str(build(tmp_path_factory.mktemp("sd"), "sd")), "cpu", "float32")
    assert isinstance(found, StableDiffusion)
    return found


def pictures(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def guess(model: StableDiffusion, x_t: Tensor, t: Tensor, prompt: str) -> Tensor:
    """What the network says of the noise, with a prompt."""
    tokens = model.encode_text([prompt], SIDE, SIDE).tokens
    noise: Tensor = model.unet(x_t, t, encoder_hidden_states=tokens).sample
    return noise


@pytest.mark.parametrize("inside", [1.0, 3.0])
def test_a_share_is_the_error_of_the_noise_that_a_prompt_saves(
    model: StableDiffusion, monkeypatch: pytest.MonkeyPatch, inside: float
) -> None:
    """Computed again, one row at a time, in noise; guidance in the network is taken out."""
    monkeypatch.setattr(model, "defaults", Defaults(distilled_guidance=inside))
    errors = {"": 0.0, A: 0.0, B: 0.0}
    z = model.encode(pictures(1))
    for trial in range(4):
        t = torch.tensor([125.0 + 250 * trial])
        noise = Noise([trial], tuple(z.shape[1:])).draw()
        kept = model.schedule.alphas_cumprod[int(t)]
        x_t = kept.sqrt() * z + (1 - kept).sqrt() * noise
        empty = guess(model, x_t, t, "")
        for prompt in errors:
            asked = empty + (guess(model, x_t, t, prompt) - empty) / inside
            errors[prompt] += float((asked - noise).square().sum())
    expected = [(errors[""] - errors[prompt]) / errors[""] for prompt in (A, B)]
    (found,) = balances(model, pictures(1), [A, B], trials=4)
    assert found.explained == pytest.approx(expected, abs=1e-4)
    assert found.least == min(found.explained)
    assert found.where.shape == (2, SIDE // 8, SIDE // 8)
    assert found.where.sum((1, 2)).tolist() == pytest.approx(found.explained)


def test_a_picture_is_judged_the_same_in_any_company(model: Model) -> None:
    together = [b.explained for b in balances(model, pictures(), [A, B])]
    alone = [next(balances(model, picture[None], [B, A])).explained for picture in pictures()]
    for (a, b), (d, c) in zip(together, alone, strict=True):
        assert (a, b) == pytest.approx((c, d), abs=1e-4)


def test_it_costs_what_it_says(model: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    forward = model.unet.forward

    def counted(x: Tensor, *rest: object, **options: object) -> object:
        rows.append(len(x))
        return forward(x, *rest, **options)

    monkeypatch.setattr(model.unet, "forward", counted)
    list(balances(model, pictures(1), [A, B]))
    assert sum(rows) == rows_for(2) == TRIALS * 3


def test_no_prompt_and_an_inpainting_model_judge_nothing(model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a prompt"):
        check_judge(model, [])
    inpainting = load(str(build(tmp_path, "inpainting")), "cpu", "float32")
    with pytest.raises(InputError, match="cannot judge"):
        check_judge(inpainting, [A])


def test_variance_is_over_the_active_prompts() -> None:
    d = torch.randn(2, 3, 4, 5, 6)
    w = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0]]).view(2, 3, 1, 1)
    found, several = variance_over_prompts(d, w)
    torch.testing.assert_close(found[0], d[0, :2].var(0, correction=0))
    torch.testing.assert_close(found[1], torch.zeros(4, 5, 6), rtol=0, atol=1e-12)
    assert several.tolist() == [True, False]


def ensemble(prompt: str, image: Tensor | None = None, **changes: Any) -> Job:
    return job(prompt, image=image, **{"seed": 3, "steps": 3, "guidance": 4.0} | changes)


def test_maps_come_with_the_very_pictures_that_paint_makes(model: Model) -> None:
    both = f"{A} AND {B}"
    jobs = [ensemble(both), ensemble(A), ensemble(both, image=pictures(1)[0], strength=0.4)]
    jobs.append(ensemble(f"{A} AND {A}"))
    plain = {found.job: found for found in paint_jobs(model, jobs) if isinstance(found, Painted)}
    for found in with_maps(model, jobs):
        assert torch.equal(found.image, plain[found.job].image)
        if found.job == 1:
            assert found.spread is None
        elif found.job == 3:
            assert found.spread is not None
            assert float(found.spread.max()) < 1e-4  # a prompt agrees with itself
        else:
            assert found.spread is not None
            assert found.spread.shape == (SIDE // 8, SIDE // 8)
            assert float(found.spread.min()) > 1e-4


def with_maps(model: Model, jobs: list[Job]) -> list[PaintedWithMap]:
    found = paint_with_maps(model, jobs)
    painted = [event for event in found if isinstance(event, PaintedWithMap)]
    assert sorted(each.job for each in painted) == list(range(len(jobs)))
    return painted


@pytest.mark.parametrize("combine", ["lerp", "switch", "latents"])
def test_ways_that_ask_one_text_at_a_time_have_no_map(model: Model, combine: str) -> None:
    (found,) = with_maps(model, [ensemble(f"{A} AND {B}", combine=combine)])
    assert found.spread is None


def test_an_overlay_is_grey_where_calm_and_hot_where_prompts_differ() -> None:
    picture = np.full((32, 32, 3), (200, 100, 0), np.uint8)
    spread = torch.zeros(4, 4)
    spread[0, 0] = 2
    found = overlay(picture, spread)
    assert (found[-1, -1] == 100).all()
    assert found[0, 0, 0] > 200
    assert found[0, 0, 0] > found[0, 0, 2]
    assert (overlay(picture, torch.zeros(4, 4)) == 100).all()
