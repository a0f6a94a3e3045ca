"""Schedules at any time, samplers against diffusers' own, and what wrappers of denoisers keep."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from digressions.diffusion.combine import COMBINE
from digressions.diffusion.condition import Anchor, Condition, Inpaint, Text
from digressions.diffusion.denoise import (
    Denoiser,
    Guess,
    anchored,
    denoiser,
    inpainted,
    tiled,
    window_starts,
)
from digressions.diffusion.names import A1111_SAMPLERS, SamplerName
from digressions.diffusion.noise import Noise
from digressions.diffusion.sample import SAMPLERS, sample, with_late_starts
from digressions.diffusion.schedule import (
    FlowSchedule,
    Prediction,
    Schedule,
    TableSchedule,
    TrigFlowSchedule,
)
from digressions.prompts.scheduling import COMBINE_HELP, CombineName

TABLE = TableSchedule(alphas_cumprod=torch.cumprod(1 - torch.linspace(0.01, 0.2, 40), 0))
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)
SHAPE = (2, 3, 4, 5)


def noise(seed: int = 0, *shape: int) -> Tensor:
    return torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(seed))


def condition(count: int = 2, **more: object) -> Condition:
    return Condition(Text(torch.zeros(count, 1, 1)), torch.ones(count), **more)


# --- schedules -------------------------------------------------------------------------------


def test_a_table_at_whole_times_is_the_table() -> None:
    alpha, sigma = TABLE.alpha_sigma(torch.arange(len(TABLE), dtype=torch.float32))
    assert torch.equal(alpha.flatten(), TABLE.alphas_cumprod.sqrt())
    assert torch.equal(sigma.flatten(), (1 - TABLE.alphas_cumprod).sqrt())


@given(st.integers(-1, len(TABLE) - 2), st.floats(0.01, 0.99))
def test_between_two_steps_of_a_table_the_signal_is_interpolated(step: int, part: float) -> None:
    (alpha, sigma), (before, _), (after, _) = (
        TABLE.alpha_sigma(torch.tensor([time])) for time in (step + part, float(step), step + 1.0)
    )
    signal = (1 - part) * before**2 + part * after**2
    torch.testing.assert_close(alpha**2, signal, rtol=0, atol=1e-5)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones(1, 1, 1, 1))
    assert before > alpha > after


@given(st.floats(0, math.pi / 2))
def test_trigflow_is_a_quarter_circle(time: float) -> None:
    alpha, sigma = TrigFlowSchedule().alpha_sigma(torch.tensor([time]))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones(1, 1, 1, 1))
    assert torch.atan2(sigma, alpha).item() == pytest.approx(time, abs=1e-5)


@pytest.mark.parametrize("schedule", [TABLE, FlowSchedule(), TrigFlowSchedule()])
def test_every_schedule_begins_clean_and_grows_noisier(schedule: Schedule) -> None:
    x_0 = noise()
    clean = torch.full((2,), schedule.clean_time)
    assert torch.equal(schedule.noised(x_0, noise(1), clean), x_0)
    alpha, sigma = schedule.alpha_sigma(torch.tensor([schedule.clean_time]))
    assert (alpha.item(), sigma.item()) == (1, 0)
    alpha, sigma = schedule.alpha_sigma(schedule.levels(9))
    assert alpha.shape == (9, 1, 1, 1)
    assert (alpha.diff(dim=0) < 0).all()
    assert (sigma.diff(dim=0) > 0).all()


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("kind", ["table", "flow", "trigflow"])
def test_what_a_network_puts_out_means_one_clean_picture_and_back(
    kind: str, prediction: Prediction
) -> None:
    schedule, times = {
        "table": (TableSchedule(prediction, alphas_cumprod=TABLE.alphas_cumprod), [0.0, 17.3]),
        "flow": (FlowSchedule(prediction), [0.2, 0.9]),
        "trigflow": (TrigFlowSchedule(prediction), [0.2, 1.4]),
    }[kind]
    t, x_0, epsilon = torch.tensor(times), noise(), noise(1)
    x_t = schedule.noised(x_0, epsilon, t)
    alpha, sigma = schedule.alpha_sigma(t)
    said = {
        "epsilon": epsilon,
        "v_prediction": alpha * epsilon - sigma * x_0,
        "sample": x_0,
        "flow": epsilon - x_0,
    }[prediction]
    if (kind, prediction) == ("flow", "v_prediction"):  # only where alpha^2 + sigma^2 = 1
        return
    torch.testing.assert_close(schedule.output(x_t, x_0, t), said, rtol=0, atol=1e-4)
    torch.testing.assert_close(schedule.clean(x_t, said, t), x_0, rtol=0, atol=1e-4)


@pytest.mark.parametrize("schedule", [TABLE, FlowSchedule(), TrigFlowSchedule()])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_clean_and_output_are_the_two_ways_of_one_map(
    schedule: Schedule, prediction: Prediction
) -> None:
    schedule = dataclasses.replace(schedule, prediction=prediction)
    t, x_t, output = schedule.levels(4)[1:3], noise(), noise(1)
    back = schedule.output(x_t, schedule.clean(x_t, output, t), t)
    torch.testing.assert_close(back, output, rtol=0, atol=1e-4)


# --- samplers --------------------------------------------------------------------------------


def velocity(x_t: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
    """A network that says something else at every place and time."""
    return torch.sin(2 * x_t) + 0.3 * t.view(-1, 1, 1, 1)


def sampled(
    network: Callable[..., Tensor], sampler: str, schedule: Schedule, x: Tensor, grid: Tensor
) -> Tensor:
    *_, last = sample(
        *(denoiser(network, schedule), SAMPLERS[sampler], schedule, x),
        grid[:, None].expand(-1, len(x)),
        condition(len(x)),
        Noise([1] * len(x), tuple(x.shape[1:])),
    )
    return last.x


@pytest.mark.parametrize("steps", [1, 4, 7, 30])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_ddim_on_a_flow_is_diffusers_euler(steps: int, shift: float) -> None:
    """Grid and steps of FlowMatchEulerDiscreteScheduler, as the pipelines of SD 3 and FLUX set it:
    on ``linspace(1, 1 / n, n)``, shifted."""
    schedule, x = FlowSchedule(shift=shift), noise()
    theirs = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps))
    torch.testing.assert_close(schedule.grid(steps), theirs.sigmas.float(), rtol=0, atol=1e-6)
    wanted = x
    for sigma, time in zip(theirs.sigmas, theirs.timesteps, strict=False):
        said = velocity(wanted, sigma.expand(len(x)).float())
        wanted = theirs.step(said, time, wanted).prev_sample
    found = sampled(velocity, "ddim", schedule, x, schedule.grid(steps))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [3, 12])
def test_dpmpp_2m_on_a_flow_is_diffusers(steps: int) -> None:
    schedule, x = FlowSchedule(), noise()
    grid = torch.tensor([*np.linspace(0.95, 0.05, steps), 0.0], dtype=torch.float32)
    theirs = DPMSolverMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", algorithm_type="dpmsolver++"
    )
    theirs.set_timesteps(steps)
    theirs.sigmas = grid
    wanted = x
    for index, time in enumerate(theirs.timesteps):
        said = velocity(wanted, grid[index].expand(len(x)))
        wanted = theirs.step(said, time, wanted).prev_sample
    found = sampled(velocity, "dpmpp_2m", schedule, x, grid)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


def test_ddim_on_trigflow_turns_by_the_angle_between() -> None:
    """Lu & Song 2024, section 3: ``x_s = cos(t - s) x_t - sin(t - s) F``."""
    schedule, x = TrigFlowSchedule(), noise()
    grid = torch.tensor([math.pi / 2, 1.2, 0.5, 0.0])
    wanted = x
    for t, s in itertools.pairwise(grid):
        turn = t - s
        wanted = turn.cos() * wanted - turn.sin() * velocity(wanted, t.expand(len(x)))
    found = sampled(velocity, "ddim", schedule, x, grid)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
@pytest.mark.parametrize(
    ("schedule", "grid"),
    [
        (TABLE, torch.tensor([39.0, 22.5, 7.25, -1.0])),
        (FlowSchedule(shift=3.0), FlowSchedule(shift=3.0).grid(5)),
        (TrigFlowSchedule(), torch.linspace(math.pi / 2, 0, 6)),
    ],
    ids=["table", "flow", "trigflow"],
)
def test_a_network_that_knows_the_picture_leads_to_it(
    sampler: str, schedule: Schedule, grid: Tensor
) -> None:
    """With one picture in the world every sampler ends at it, at continuous times too."""
    target = noise(5)

    def knowing(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return schedule.output(x_t, target, t)

    found = sampled(knowing, sampler, schedule, noise(), grid)
    torch.testing.assert_close(found, target, rtol=0, atol=1e-3)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_a_picture_that_starts_late_is_the_one_that_starts_alone(sampler: str) -> None:
    schedule, x = FlowSchedule(), noise()
    grid = schedule.grid(6)
    steps = sample(
        *(denoiser(velocity, schedule), SAMPLERS[sampler], schedule, x),
        with_late_starts(grid, [6, 3]),
        condition(),
        Noise([1, 1], SHAPE[1:]),
    )
    *_, last = steps
    for index, count in enumerate((6, 3)):
        alone = sampled(velocity, sampler, schedule, x[index : index + 1], grid[-count - 1 :])
        torch.testing.assert_close(last.x[index : index + 1], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_a_step_leaves_alone_what_was_yielded_before(sampler: str) -> None:
    """What a preview or a test keeps stays what it was."""
    schedule = FlowSchedule()
    steps = sample(
        *(denoiser(velocity, schedule), SAMPLERS[sampler], schedule, noise()),
        schedule.grid(4)[:, None].expand(-1, 2),
        condition(),
        Noise([1, 1], SHAPE[1:]),
    )
    kept = [(step, step.x.clone(), step.x_0.clone()) for step in steps]
    assert [step.done for step, _, _ in kept] == [1, 2, 3, 4]
    assert all(torch.equal(step.x, x) and torch.equal(step.x_0, x_0) for step, x, x_0 in kept)


def test_what_is_declared_without_torch_is_what_there_is() -> None:
    assert set(get_args(SamplerName)) == set(SAMPLERS) == set(A1111_SAMPLERS)
    assert get_args(CombineName) == tuple(COMBINE_HELP)
    assert set(COMBINE) == set(COMBINE_HELP)


# --- wrappers --------------------------------------------------------------------------------


def local(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
    """A denoiser that looks at one latent at a time, and at what else it is shown there."""
    seen = x_t if condition.extra_channels is None else x_t + condition.extra_channels
    return Guess(torch.tanh(seen))


@pytest.mark.parametrize("shape", [(8, 8), (9, 8), (8, 25), (23, 17)])
@pytest.mark.parametrize("extra", [False, True])
def test_windows_do_not_show_where_a_network_looks_no_further(
    shape: tuple[int, int], extra: bool
) -> None:
    x = noise(0, 2, 3, *shape)
    more = {"extra_channels": noise(1, 2, 3, *shape)} if extra else {}
    asked, t = condition(**more), torch.zeros(2)
    whole = local(x, t, asked).x_0
    torch.testing.assert_close(tiled(local, 8)(x, t, asked).x_0, whole, rtol=0, atol=1e-6)


@given(st.integers(1, 300), st.integers(2, 40))
def test_windows_cover_everything_and_overlap_by_half(length: int, side: int) -> None:
    starts = window_starts(length, side)
    assert starts[0] == 0
    assert max(starts) + side >= length
    assert max(starts) + min(side, length) == length
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert all(0 < gap <= math.ceil(side / 2) for gap in gaps)


def test_a_picture_of_the_networks_size_is_one_window() -> None:
    calls = []

    def counted(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        calls.append(x_t.shape)
        return Guess(x_t)

    tiled(counted, 8)(noise(0, 2, 3, 8, 6), torch.zeros(2), condition())
    assert calls == [(2, 3, 8, 6)]


def test_windows_go_inside_the_wrappers_that_see_a_whole_picture() -> None:
    x, t = noise(0, 2, 3, 16, 16), torch.zeros(2)
    asked = condition(
        inpaint=Inpaint(x, x, torch.ones(2, 1, 16, 16), torch.ones(2)),
        anchor=Anchor(torch.zeros(2, 3, 2, 2), torch.ones(2)),
    )
    inside = tiled(local, 8)
    assert anchored(inpainted(inside, FlowSchedule()))(x, t, asked).x_0.shape == x.shape
    for wrong in (inside, inpainted(inside, FlowSchedule()), anchored(inside)):
        with pytest.raises(ValueError, match="windows go inside"):
            wrong(x, t, asked)


def guessing(value: Tensor) -> Denoiser:
    return lambda x_t, t, condition: Guess(value)


def test_inpainting_gives_the_unmasked_part_back_and_shows_it_as_noisy_as_the_rest() -> None:
    schedule, image, start = FlowSchedule(), noise(1), noise(2)
    mask = torch.zeros(2, 1, 4, 5)
    mask[..., 2:] = 1
    kept = condition(inpaint=Inpaint(image, start, mask, torch.ones(2)))
    seen = []

    def watched(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        seen.append(x_t)
        return Guess(noise(3))

    x_t = noise(4)
    for time in (1.0, 0.4):
        found = inpainted(watched, schedule)(x_t, torch.full((2,), time), kept).x_0
        assert torch.equal(found[..., :2], image[..., :2])
        assert torch.equal(found[..., 2:], noise(3)[..., 2:])
    assert torch.equal(seen[0], x_t)  # the very first step sees what it starts from
    given = 0.6 * image + 0.4 * start
    torch.testing.assert_close(seen[1][..., :2], given[..., :2])
    assert torch.equal(seen[1][..., 2:], x_t[..., 2:])


@pytest.mark.parametrize("time", [1.0, 0.4])
def test_a_network_that_was_taught_so_is_shown_clean_surroundings_from_the_start(time) -> None:
    image, mask = noise(1), torch.zeros(2, 1, 4, 5)
    mask[..., 2:] = 1
    kept = condition(inpaint=Inpaint(image, noise(2), mask, torch.ones(2)))
    seen = []

    def watched(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        seen.append(x_t)
        return Guess(noise(3))

    x_t = noise(4)
    inside = inpainted(watched, FlowSchedule(), clean_surroundings=True)
    found = inside(x_t, torch.full((2,), time), kept).x_0
    assert torch.equal(seen[0], torch.where(mask == 0, image, x_t))
    assert torch.equal(found, torch.where(mask == 0, image, noise(3)))


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_an_anchor_moves_the_mean_towards_the_parents(weight: float) -> None:
    guess, band = noise(0, 2, 3, 8, 8), noise(1, 2, 3, 1, 1)
    held = condition(anchor=Anchor(band, torch.full((2,), weight)))
    found = anchored(guessing(guess))(guess, torch.zeros(2), held).x_0
    mean = guess.mean((2, 3), keepdim=True)
    wanted = mean + weight * (band - mean)
    torch.testing.assert_close(found.mean((2, 3), keepdim=True), wanted, rtol=0, atol=1e-5)
    if weight == 0:
        assert torch.equal(found, guess)
