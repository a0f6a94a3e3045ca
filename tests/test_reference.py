"""The same weights, noise and settings give what diffusers' own pipelines give.

Compared in latents, where the pipelines work. The tolerance is 1e-3 of a unit (latents are of
about unit size), which is rounding; a wrong time step or formula is off by 1e-2 and more.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)

from digressions.diffusion.noise import Noise
from digressions.generate.job import Job
from digressions.generate.paint import painter_of, sample_batch
from digressions.models.base import Model
from digressions.models.loading import load
from tests import jobs
from tests.checkpoints import SIDE, WEIGHTS, build

TOLERANCE = 1e-3
# Where the grid starts at zero SNR, diffusers' Euler and DPM-Solver++ take 2**-12 for alpha = 0,
# and the former works at a noise level of 4096, where float32 ends sooner. Here alpha is 0.
ZERO_SNR_TOLERANCE = 0.05
STEPS = (7, 30, 80)  # none divides 1000
SEED = 11
PROMPT, NEGATIVE = "photo of a frog", "a turtle"


class SteppingDDIM(DDIMScheduler):
    """DDIM that steps to the next time step it visits.

    diffusers' own goes to ``t - 1000 // n``. With trailing spacing and a number of steps that does
    not divide 1000 that is not the next time step, and at the end not the clean picture.
    """

    def step(self, model_output, timestep, sample, **options):
        later = self.timesteps[self.timesteps < timestep]
        after = int(later[0]) if len(later) else -1
        kept = self.num_inference_steps
        table, self.alphas_cumprod = self.alphas_cumprod, self.alphas_cumprod.clone()
        wrong = int(timestep) - self.config.num_train_timesteps // kept
        if wrong != after:
            value = table[after] if after >= 0 else self.final_alpha_cumprod
            if wrong >= 0:
                self.alphas_cumprod[wrong] = value
        try:
            return super().step(model_output, timestep, sample, **options)
        finally:
            self.alphas_cumprod = table


SCHEDULERS = {
    "ddim": SteppingDDIM,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "lcm": LCMScheduler,
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    @cache
    def made(family: str) -> Path:
        return WEIGHTS if family == "bundled" else build(tmp_path_factory.mktemp(family), family)

    return made


@pytest.fixture(scope="session")
def ours(checkpoint):
    return cache(lambda family: load(str(checkpoint(family)), "cpu", "float32"))


@pytest.fixture(scope="session")
def theirs(checkpoint):
    @cache
    def loaded(kind: type, family: str):
        pipe = kind.from_pretrained(checkpoint(family), torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def with_scheduler(kind: type, family: str, sampler: str):
        pipe = loaded(kind, family)
        if not hasattr(pipe, "published"):
            pipe.published = pipe.scheduler.config
        known = {"algorithm_type": "dpmsolver++"} if sampler == "dpmpp_2m" else {}
        pipe.scheduler = SCHEDULERS[sampler].from_config(pipe.published, **known)
        return pipe

    return with_scheduler


def job(**changes) -> Job:
    usual = {"seed": SEED, "size": SIDE, "steps": 7, "guidance": 5.0, "negative": NEGATIVE}
    return jobs.job(PROMPT, **usual | changes)


def latents(model: Model, *wanted: Job) -> torch.Tensor:
    *_, last = sample_batch(model, wanted)
    return last.x


def noise(model: Model, seed: int = SEED) -> torch.Tensor:
    return Noise([seed], (model.latent_channels, SIDE // 8, SIDE // 8)).draw()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def picture() -> torch.Tensor:
    """A smooth picture, ``(3, SIDE, SIDE)``."""
    small = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear")[0]


def middle() -> torch.Tensor:
    """A mask of a square, ``(1, SIDE, SIDE)``."""
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, 16:48, 8:40] = 1
    return mask


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def steps_for(sampler: str) -> tuple[int, ...]:
    return (2, 4, 7) if sampler == "lcm" else STEPS


CASES = [(sampler, steps) for sampler in SCHEDULERS for steps in steps_for(sampler)]


@pytest.mark.parametrize("family", ["sd", "sd-v", "sd-pooled", "sd-kl", "bundled"])
@pytest.mark.parametrize(("sampler", "steps"), CASES)
def test_text_to_image(ours, theirs, family, sampler, steps):
    if family == "bundled" and steps == 80:
        pytest.skip("a real network; the small ones run 80 steps")
    inexact = family == "bundled" and sampler in ("euler_ancestral", "dpmpp_2m")
    tolerance = ZERO_SNR_TOLERANCE if inexact else TOLERANCE
    model = ours(family)
    pipe = theirs(StableDiffusionPipeline, family, sampler)
    wanted = pipe(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=steps,
        guidance_scale=5.0,
        width=SIDE,
        height=SIDE,
        generator=generator(),
        output_type="latent",
    ).images
    assert distance(latents(model, job(steps=steps, sampler=sampler)), wanted) < tolerance


@pytest.mark.parametrize("family", ["sd", "sd-v"])
def test_rescaled_guidance(ours, theirs, family):
    pipe = theirs(StableDiffusionPipeline, family, "ddim")
    wanted = pipe(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=7,
        guidance_scale=5.0,
        guidance_rescale=0.7,
        width=SIDE,
        height=SIDE,
        generator=generator(),
        output_type="latent",
    ).images
    assert distance(latents(ours(family), job(guidance_rescale=0.7)), wanted) < TOLERANCE


@pytest.mark.parametrize("strength", [0.3, 0.55, 0.8, 1.0])
@pytest.mark.parametrize(("sampler", "steps"), [c for c in CASES if c[1] != 80])
def test_image_to_image(ours, theirs, sampler, steps, strength):
    if int(steps * strength) < 1:
        pytest.skip("diffusers refuses to run no step; here one is run")
    model = ours("sd")
    pipe = theirs(StableDiffusionImg2ImgPipeline, "sd", sampler)
    wanted = pipe(
        PROMPT,
        image=picture()[None],
        strength=strength,
        negative_prompt=NEGATIVE,
        num_inference_steps=steps,
        guidance_scale=5.0,
        generator=generator(),
        output_type="latent",
    ).images
    found = latents(model, job(steps=steps, sampler=sampler, image=picture(), strength=strength))
    assert distance(found, wanted) < TOLERANCE


@pytest.mark.parametrize("family", ["sd", "inpainting"])
@pytest.mark.parametrize("strength", [0.3, 0.8, 1.0])
@pytest.mark.parametrize(("sampler", "steps"), [c for c in CASES if c[1] not in (30, 2)])
def test_inpainting(ours, theirs, family, sampler, steps, strength):
    if int(steps * strength) < 1:
        pytest.skip("diffusers refuses to run no step; here one is run")
    model = ours(family)
    pipe = theirs(StableDiffusionInpaintPipeline, family, sampler)
    wanted = pipe(
        PROMPT,
        image=picture()[None],
        mask_image=middle()[None],
        strength=strength,
        negative_prompt=NEGATIVE,
        num_inference_steps=steps,
        guidance_scale=5.0,
        width=SIDE,
        height=SIDE,
        generator=generator(),
        output_type="latent",
    ).images
    found = latents(
        model,
        job(steps=steps, sampler=sampler, image=picture(), mask=middle(), strength=strength),
    )
    assert distance(found, wanted) < TOLERANCE


@pytest.mark.parametrize("steps", STEPS)
def test_sdxl(ours, theirs, steps):
    model = ours("sdxl")
    pipe = theirs(StableDiffusionXLPipeline, "sdxl", "ddim")
    options = {"num_inference_steps": steps, "guidance_scale": 5.0, "output_type": "latent"}
    for negative in (None, NEGATIVE):
        wanted = pipe(
            PROMPT,
            negative_prompt=negative,
            width=SIDE,
            height=SIDE,
            generator=generator(),
            **options,
        ).images
        found = latents(model, job(steps=steps, negative=negative or ""))
        assert distance(found, wanted) < TOLERANCE


@pytest.mark.parametrize("strength", [0.3, 0.8, 1.0])
def test_sdxl_image_to_image(ours, theirs, strength):
    model = ours("sdxl")
    pipe = theirs(StableDiffusionXLImg2ImgPipeline, "sdxl", "dpmpp_2m")
    wanted = pipe(
        PROMPT,
        image=picture()[None],
        strength=strength,
        negative_prompt=NEGATIVE,
        num_inference_steps=30,
        guidance_scale=5.0,
        generator=generator(),
        output_type="latent",
    ).images
    found = latents(model, job(steps=30, sampler="dpmpp_2m", image=picture(), strength=strength))
    assert distance(found, wanted) < TOLERANCE


def test_lcm_takes_its_guidance_as_an_input(ours, theirs):
    model = ours("lcm")
    pipe = theirs(StableDiffusionPipeline, "lcm", "lcm")
    wanted = pipe(
        PROMPT,
        num_inference_steps=4,
        guidance_scale=8.5,
        width=SIDE,
        height=SIDE,
        generator=generator(),
        output_type="latent",
    ).images
    assert model.guidance_embedded
    found = latents(model, job(steps=4, sampler="lcm", guidance=8.5, negative=""))
    assert distance(found, wanted) < TOLERANCE


def test_turbo_without_guidance(ours, theirs):
    model = ours("turbo")
    pipe = theirs(StableDiffusionPipeline, "turbo", "euler_ancestral")
    wanted = pipe(
        PROMPT,
        num_inference_steps=2,
        guidance_scale=0.0,
        width=SIDE,
        height=SIDE,
        generator=generator(),
        output_type="latent",
    ).images
    assert (model.defaults.sampler, model.defaults.guidance) == ("euler_ancestral", 1.0)
    found = latents(model, job(steps=2, sampler="euler_ancestral", guidance=0.0))
    assert distance(found, wanted) < TOLERANCE


def test_diffusers_paints_the_same_picture_with_the_bundled_model(ours, theirs):
    """Through its own scheduler, loaded with nothing said, to the pixel."""
    model = ours("bundled")
    pipe = StableDiffusionPipeline.from_pretrained(WEIGHTS)
    pipe.set_progress_bar_config(disable=True)
    wanted = pipe(
        PROMPT,
        num_inference_steps=10,
        guidance_scale=4.0,
        width=SIDE,
        height=SIDE,
        latents=noise(model),
        output_type="np",
    ).images[0]
    found = painter_of(model)([job(steps=10, guidance=4.0, negative="")])[0]
    assert np.abs(found.permute(1, 2, 0).numpy() - wanted).max() * 255 < 0.5


@pytest.mark.parametrize("sampler", list(SCHEDULERS))
def test_a_picture_does_not_depend_on_its_batch(ours, sampler):
    """Prompts, seeds, strengths, guidance and start pictures mixed in one batch."""
    model = ours("sd")
    mixed = [
        job(sampler=sampler, seed=1),
        job(sampler=sampler, seed=2, image=picture(), strength=0.9, guidance=1.0),
        job(sampler=sampler, seed=3, image=1 - picture(), strength=0.3, negative=""),
        job(sampler=sampler, seed=4, image=picture(), strength=0.6, guidance=9.0),
    ]
    together = latents(model, *mixed)
    for index, one in enumerate(mixed):
        assert distance(latents(model, one)[0], together[index]) < TOLERANCE
