"""Several prompts in one picture: what is asked at each step, and what comes of it.

The proofs run on a small network with random weights: it paints nothing, but exactly.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from digressions.diffusion.combine import superdiff_or
from digressions.diffusion.condition import Condition, SubPrompts, Text
from digressions.diffusion.denoise import Directions
from digressions.diffusion.noise import Noise
from digressions.diffusion.sample import SAMPLERS, Sampler, Step, StepInput
from digressions.diffusion.schedule import TableSchedule
from digressions.errors import DigressionsError, InputError, PromptError
from digressions.events import Progress
from digressions.generate.conditioning import mixed, slerp
from digressions.generate.job import Job, check
from digressions.generate.paint import paint_jobs, painter_of, sample_batch
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.models.stable_diffusion import StableDiffusion
from digressions.prompts.parse import parse
from digressions.prompts.scheduling import (
    COMBINE_HELP,
    REGIONAL,
    is_plain,
    network_rows,
    sub_prompts,
)
from tests import jobs
from tests.checkpoints import SIDE, build

A, B, C = "photo of a frog", "a turtle", "a red fox"


def loaded(folder: Path, family: str) -> StableDiffusion:
    model = load(str(build(folder, family)), "cpu", "float32")
    assert isinstance(model, StableDiffusion)
    return model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
    return loaded(tmp_path_factory.mktemp("sd"), "sd")


@pytest.fixture(scope="module")
def lcm(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
    return loaded(tmp_path_factory.mktemp("lcm"), "lcm")


def job(prompt: str, **changes: Any) -> Job:
    return jobs.job(prompt, **{"seed": 3, "guidance": 4.0, "negative": C} | changes)


def combined(wanted: Job, combine: str) -> Job:
    """The same job with another way of combining."""
    return dataclasses.replace(wanted, params=wanted.params.but(combine=combine))


def latents(model: Model, *wanted: Job) -> Tensor:
    *_, last = sample_batch(model, wanted)
    return last.x


def rows_of(model: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The network's rows, call by call, from now on."""
    rows: list[int] = []
    forward = model.unet.forward

    def counted(x: Tensor, *rest: object, **options: object) -> object:
        rows.append(len(x))
        return forward(x, *rest, **options)

    monkeypatch.setattr(model.unet, "forward", counted)
    return rows


def euler(step: StepInput, history: None) -> tuple[Tensor, None]:
    """Euler's method in noise levels, as k-diffusion has it: a sampler of its own."""
    (a, s), (a_next, s_next) = step.alpha_sigma_t, step.alpha_sigma_s
    level, next_level = s / a, s_next / a_next
    slope = (step.x_t / a - step.x_0) / level
    return (step.x_t / a + slope * (next_level - level)) * a_next, None


class SharedNoise(Noise):
    """Every prompt of a picture draws the same noise."""

    def for_members(self, picture: list[int], member: list[int]) -> Noise:
        together = SharedNoise([], self._shape)
        seeds = [self._generators[i].initial_seed() for i in picture]
        together._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for generator in together._generators:
            torch.randn(self._shape, generator=generator)  # what the picture started from
        return together


# What is asked: no network.


def active(prompt: str, combine: str, steps: int) -> list[list[str]]:
    """The texts that are active at each step."""
    found = sub_prompts(parse(prompt), combine, steps)
    return [
        ["+".join(part[0].text for part, _ in v.mix) for v in found if v.weight[step]]
        for step in range(steps)
    ]


def test_ranges_and_switches_become_weights_by_step() -> None:
    assert active("a @0-0.5 AND [b:c:0.75]", "mean", 4) == [["a", "b"], ["a", "b"], ["b"], ["c"]]
    found = sub_prompts(parse("a AND b :0.7"), "mean", 2)
    assert [sub_prompt.weight for sub_prompt in found] == [(1, 1), (0.7, 0.7)]


def test_alternate_and_switch_share_the_steps_by_weight() -> None:
    assert active("a AND b", "alternate", 4) == [["a"], ["b"], ["a"], ["b"]]
    assert active("a :2 AND b", "alternate", 6).count(["a"]) == 4
    assert active("a AND b AND c", "alternate", 3) == [["a"], ["b"], ["c"]]
    assert active("a AND b", "switch", 4) == [["a"], ["a"], ["b"], ["b"]]
    assert active("a :3 AND b", "switch", 4) == [["a"], ["a"], ["a"], ["b"]]


def test_a_mixture_is_one_text_a_step() -> None:
    assert active("a AND b", "lerp", 2) == [["a+b"], ["a+b"]]
    assert active("a AND [b:c:1]", "slerp", 2) == [["a+b"], ["a+c"]]


@pytest.mark.parametrize("prompt", ["a", "", "(a:1.3) b", r"Tom \AND Jerry", "a car (1999)"])
def test_one_unchanging_prompt_is_plain(prompt: str) -> None:
    assert is_plain(parse(prompt))


@pytest.mark.parametrize("prompt", ["a AND b", "[a|b]", "[a:b:0.5]", "a :0.5", "a @0-0.5"])
def test_anything_else_is_combined(prompt: str) -> None:
    assert not is_plain(parse(prompt))


@pytest.mark.parametrize(
    ("prompt", "combine", "words"),
    [
        ("a AND b :-1", "mean", "the weights add up to 0 at step 1 of 6"),
        ("a AND b :-2", "mean", "the weights add up to -1"),
        ("a @0-0.5 AND b :0.5 AND c :-0.5", "lerp", "add up to 0 at step 4 of 6"),
        ("a @0-0.5", "latents", "no prompt is active at step 4 of 6"),
        ("a AND b :-0.5", "switch", "takes no negative weights"),
        ("a :0", "mean", "no prompt is active at any of the 6 steps"),
        ("a AND b", "average", "combine 'average' is not known: choose one of mean, sum"),
    ],
)
def test_weights_that_a_way_cannot_use_are_one_line(prompt: str, combine: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sub_prompts(parse(prompt), combine, 6)


# Texts.


def test_lerp_and_slerp_against_their_formulas(model: StableDiffusion) -> None:
    a, b = (model.encode_text([text], SIDE, SIDE).tokens.double() for text in (A, B))
    mix = tuple((parse(text).at(0, 1)[0].text, share) for text, share in ((A, 0.75), (B, 0.25)))
    found = mixed(model, mix, False, job(A)).tokens.double()
    torch.testing.assert_close(found, 0.75 * a + 0.25 * b, rtol=0, atol=1e-5)
    theta = torch.acos((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)))[..., None]
    arc = ((0.75 * theta).sin() * a + (0.25 * theta).sin() * b) / theta.sin()
    expected = torch.where(theta < 1e-3, a, arc)  # the first token is the same in both
    found = mixed(model, mix, True, job(A)).tokens.double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_slerp_has_no_gap_where_vectors_agree_or_oppose() -> None:
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    b = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert slerp(a, b, 0.5).isfinite().all()
    assert torch.equal(slerp(a, b, 0.5)[0], a[0])


# The proofs.


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "euler"])
@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_mean_equals_latents_where_a_step_is_affine_and_draws_no_noise(
    model: StableDiffusion, monkeypatch: pytest.MonkeyPatch, sampler: str, guidance: float
) -> None:
    if sampler == "euler":
        sampler = "ddim"  # whose grid it takes
        monkeypatch.setitem(SAMPLERS, "ddim", Sampler(euler))
    wanted = job(f"{A} AND {B} :0.7 AND {C} :0.3", sampler=sampler, guidance=guidance)
    mean, averaged = latents(model, wanted), latents(model, combined(wanted, "latents"))
    torch.testing.assert_close(mean, averaged, rtol=0, atol=1e-4)
    assert not torch.allclose(mean, latents(model, job(A, sampler=sampler)), atol=1e-2)


@pytest.mark.parametrize("family", ["sdxl", "inpainting", "sd-v"])
def test_every_family_combines(tmp_path: Path, family: str) -> None:
    """With what each has besides tokens: pooled texts and sizes, masks, zero terminal SNR."""
    model = loaded(tmp_path, family)
    given = {"image": torch.rand(3, SIDE, SIDE), "mask": torch.ones(1, SIDE, SIDE)}
    wanted = job(f"{A} AND {B} :0.7", **given if family == "inpainting" else {})
    averaged = latents(model, combined(wanted, "latents"))
    torch.testing.assert_close(latents(model, wanted), averaged, rtol=0, atol=1e-4)
    for combine in COMBINE_HELP:
        assert latents(model, combined(wanted, combine)).isfinite().all()


def test_mean_equals_latents_also_where_the_prompts_come_and_go(model: StableDiffusion) -> None:
    wanted = job(f"{A} @0-0.5 AND [{B}:{C}:0.4]")
    averaged = combined(wanted, "latents")
    torch.testing.assert_close(latents(model, wanted), latents(model, averaged), rtol=0, atol=1e-4)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "lcm"])
def test_own_noise_for_each_prompt_is_what_parts_mean_from_latents(
    model: StableDiffusion, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    wanted = job(f"{A} AND {B}", sampler=sampler)
    averaged = combined(wanted, "latents")
    mean = latents(model, wanted)
    assert (mean - latents(model, averaged)).abs().max() > 0.1
    monkeypatch.setattr("digressions.generate.paint.Noise", SharedNoise)
    torch.testing.assert_close(mean, latents(model, averaged), rtol=0, atol=1e-4)


def by_hand(model: StableDiffusion, prompts: list[str], step: object, steps: int = 6) -> Tensor:
    """DDIM with a formula for the noise, ``step(u, [c_1, ..., c_N])``, one network call each."""
    texts = model.encode_text([C, *prompts], SIDE, SIDE)
    x = Noise([3], (model.latent_channels, SIDE // 8, SIDE // 8)).draw()
    times = model.times("ddim", steps)
    table = torch.cat([model.schedule.alphas_cumprod, torch.ones(1)])
    for t, s in itertools.pairwise(times):
        with torch.inference_mode():
            epsilons = [
                model.unet(x, t, encoder_hidden_states=texts.tokens[i : i + 1]).sample
                for i in range(len(prompts) + 1)
            ]
        noise = step(epsilons[0], epsilons[1:])  # type: ignore[operator]
        now, after = table[int(t)], table[int(s)]
        clean = (x - (1 - now).sqrt() * noise) / now.sqrt()
        x = after.sqrt() * clean + (1 - after).sqrt() * noise
    return x


def test_sum_is_the_composable_pipelines_formula(model: StableDiffusion) -> None:
    """diffusers' community composable_stable_diffusion: ``u + sum w_i (c_i - u)`` in noise."""
    expected = by_hand(model, [A, B], lambda u, c: u + 4.0 * (c[0] - u) + -2.0 * (c[1] - u))
    found = latents(model, job(f"{A} AND {B} :-0.5", combine="sum"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_mean_is_comfyuis_combine(model: StableDiffusion) -> None:
    """Conditioning (Combine): the noise averaged by strength, then guided."""
    expected = by_hand(model, [A, B], lambda u, c: u + 4.0 * ((c[0] + 0.7 * c[1]) / 1.7 - u))
    found = latents(model, job(f"{A} AND {B} :0.7"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral", "dpmpp_2m", "lcm"])
def test_one_prompt_twice_in_mean_is_that_prompt(model: Model, sampler: str) -> None:
    """Bit for bit, as far as the network gives a row the same bits in batches of 2 and 3."""
    twice, once = job(f"{A} AND {A}", sampler=sampler), job(A, sampler=sampler)
    torch.testing.assert_close(latents(model, twice), latents(model, once), rtol=0, atol=1e-5)


def test_one_prompt_twice_in_mean_is_that_prompt_bit_for_bit(
    model: StableDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network whose rows do not depend on the batch: each is computed by itself."""
    forward = model.unet.forward

    def row_by_row(
        x: Tensor, t: Tensor, encoder_hidden_states: Tensor, **options: object
    ) -> object:
        texts = encoder_hidden_states
        rows = [
            forward(x[i : i + 1], t[i : i + 1], encoder_hidden_states=texts[i : i + 1], **options)[
                0
            ]
            for i in range(len(x))
        ]
        return (torch.cat(rows),)

    monkeypatch.setattr(model.unet, "forward", row_by_row)
    assert torch.equal(latents(model, job(f"{A} AND {A}")), latents(model, job(A)))


@pytest.mark.parametrize(
    "combine", [name for name in COMBINE_HELP if name not in ("alternate", "switch", "perp")]
)
def test_the_order_of_two_prompts_does_not_matter(model: Model, combine: str) -> None:
    found = latents(model, job(f"{A} AND {B} :0.7", combine=combine))
    other = latents(model, job(f"{B} :0.7 AND {A}", combine=combine))
    torch.testing.assert_close(found, other, rtol=0, atol=1e-3)


@pytest.mark.parametrize("combine", ["mean", "latents", "lerp", "slerp", "alternate", "switch"])
def test_only_the_ratio_of_weights_counts_where_prompts_share(model: Model, combine: str) -> None:
    found = latents(model, job(f"{A} :0.5 AND {B} :0.25", combine=combine))
    other = latents(model, job(f"{A} :2 AND {B} :1", combine=combine))
    torch.testing.assert_close(found, other, rtol=0, atol=1e-4)


def test_in_sum_a_weight_is_a_guidance_scale(model: StableDiffusion) -> None:
    found = latents(model, job(f"{A} :0.5", combine="sum", guidance=8.0))
    torch.testing.assert_close(found, latents(model, job(A, guidance=4.0)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("combine", COMBINE_HELP)
def test_every_way_paints_something_of_its_own(model: Model, combine: str) -> None:
    found = latents(model, job(f"{A} AND {B}", combine=combine))
    assert found.isfinite().all()
    assert (found - latents(model, job(A))).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("combine", "rows"),
    [(name, 4) for name in ("mean", "sum", "perp", "max", "superpose", "superpose-or")]
    + [(name, 2) for name in ("lerp", "slerp", "alternate", "switch")]
    + [("latents", 6)],
)
def test_three_prompts_cost_four_rows_in_one_call(
    model: StableDiffusion, monkeypatch: pytest.MonkeyPatch, combine: str, rows: int
) -> None:
    check(model, job(f"{A} AND {B} AND {C}", combine=combine))
    counted = rows_of(model, monkeypatch)
    latents(model, job(f"{A} AND {B} AND {C}", combine=combine))
    assert counted == [rows] * 6
    asked = job(f"{A} AND {B} AND {C}", combine=combine).sub_prompts
    assert network_rows(asked, combine) == sum(counted)


def test_a_plain_prompt_takes_the_plain_path(model: StableDiffusion) -> None:
    """Two rows of guidance and nothing to combine, whatever else is in the list of jobs."""
    wanted = [job(A), job(f"{A} AND {B}"), job("(photo:1.2) of a frog")]
    steps = sample_batch(model, [wanted[0], wanted[2]])
    assert all(step.directions is None for step in steps)
    found = [each for each in paint_jobs(model, wanted) if not isinstance(each, Progress)]
    together = dict(found)
    alone = painter_of(model)([wanted[0], wanted[2]])
    assert torch.equal(together[0], alone[0])
    assert torch.equal(together[2], alone[1])


def test_a_batch_mixes_ensembles_of_different_lengths_and_strengths(model: StableDiffusion) -> None:
    start = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    wanted = [
        job(f"{A} AND {B}"),
        job(f"{C} AND [{A}|{B}] AND {B} :0.3", seed=9, image=start, strength=0.5),
    ]
    for combine in ("mean", "latents", "superpose-or"):
        batch = [combined(each, combine) for each in wanted]
        found = latents(model, *batch)
        for row, each in zip(found, batch, strict=True):
            torch.testing.assert_close(row[None], latents(model, each), rtol=0, atol=1e-4)


def test_image_to_image_counts_the_steps_that_it_runs(model: StableDiffusion) -> None:
    start = torch.rand(3, SIDE, SIDE)
    halves = job(f"[{A}:{B}:0.5]", image=start, strength=0.5, steps=12)
    counted = job(f"[{A}:{B}:3]", image=start, strength=0.5, steps=12)
    assert halves.num_steps == 6
    assert torch.equal(latents(model, halves), latents(model, counted))


def test_an_ensemble_inside_an_inpainting_keeps_the_rest(model: StableDiffusion) -> None:
    start, mask = torch.rand(3, SIDE, SIDE), torch.zeros(1, SIDE, SIDE)
    mask[:, 16:48, 16:48] = 1
    kept = model.encode(start[None])
    for combine in ("mean", "latents", "sum"):
        found = latents(model, job(f"{A} AND {B}", image=start, mask=mask, combine=combine))
        torch.testing.assert_close(found[..., :2, :], kept[..., :2, :], rtol=0, atol=1e-5)
        assert not torch.allclose(found[..., 2:6, 2:6], kept[..., 2:6, 2:6], atol=1e-2)


# Regions.


def halves(soft: float = 0.0) -> Tensor:
    ramp = torch.linspace(0, 1, SIDE).expand(SIDE, SIDE)
    left = (ramp < 0.5).float() if soft == 0 else 1 - ramp
    return torch.stack([left, 1 - left])


@pytest.mark.parametrize("combine", REGIONAL)
def test_where_a_prompt_is_alone_it_is_alone(model: Model, combine: str) -> None:
    """In the first step, before the network spreads what it sees: each half is its prompt's."""
    both = job(f"{A} AND {B}", combine=combine, regions=halves())
    found, left, right = (next(sample_batch(model, [each])).x for each in (both, job(A), job(B)))
    if combine == "superpose":  # the shares are the picture's, not the place's
        assert not torch.allclose(found[..., :4], right[..., :4], atol=1e-3)
        return
    torch.testing.assert_close(found[..., :4], left[..., :4], rtol=0, atol=1e-5)
    if combine != "perp":
        torch.testing.assert_close(found[..., 4:], right[..., 4:], rtol=0, atol=1e-5)


def test_soft_edges_mix_and_no_region_is_everywhere(model: StableDiffusion) -> None:
    prompt = f"{A} AND {B}"
    soft = latents(model, job(prompt, regions=halves(soft=1)))
    assert not torch.allclose(soft, latents(model, job(prompt, regions=halves())), atol=1e-3)
    everywhere = torch.ones(2, SIDE, SIDE)
    torch.testing.assert_close(
        latents(model, job(prompt, regions=everywhere)), latents(model, job(prompt))
    )


def refused(model: Model, wanted: Job) -> str:
    with pytest.raises(DigressionsError) as caught:
        check(model, wanted)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_regions_of_the_wrong_size_or_number_are_refused(model: StableDiffusion) -> None:
    prompt = f"{A} AND {B}"
    assert "2 x 64 x 64" in refused(model, job(prompt, regions=torch.ones(2, 32, 64)))
    assert "2 x 64 x 64" in refused(model, job(prompt, regions=torch.ones(3, 64, 64)))
    assert "knows no regions" in refused(model, job(prompt, regions=halves(), combine="lerp"))


@pytest.mark.parametrize("negative", ["a AND b", "[a|b]", "a @0-0.5", "a :2", "(a"])
def test_a_negative_prompt_is_one_text(model: Model, negative: str) -> None:
    refused(model, job(A, negative=negative))
    check(model, job(A, negative="(ugly:1.4), [blurry]"))


def test_a_model_with_guidance_inside_combines_what_it_can(lcm: Model) -> None:
    check(lcm, job(f"{A} AND {B}", sampler="lcm", steps=4))
    added = job(f"{A} AND {B}", sampler="lcm", steps=4, combine="sum")
    assert "guidance inside" in refused(lcm, added)


def test_without_guidance_directions_are_still_from_the_unconditional_guess(
    model: StableDiffusion,
) -> None:
    found = latents(model, job(f"{A} AND {B}", guidance=1.0, combine="sum"))
    expected = by_hand(model, [A, B], lambda u, c: c[0] + c[1] - u)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_every_text_that_a_run_needs_is_checked_before_it(model: StableDiffusion) -> None:
    with pytest.raises(PromptError, match="tokens long"):
        check(model, job(f"[{A}:{'very ' * 40}long:0.9]"))


# The likelihood of each prompt.


def test_weight_goes_to_the_prompt_that_foresaw_the_step() -> None:
    schedule = TableSchedule(alphas_cumprod=torch.linspace(0.99, 0.01, 10))
    times = torch.arange(9.0, -1.0, -1.0)[None]
    weight = torch.ones(1, 3, 10)
    weight[:, 2] = 0
    asked = SubPrompts(Text(torch.zeros(1, 3, 1, 1)), times, weight)
    condition = Condition(Text(torch.zeros(1, 1, 1)), torch.ones(1), asked)
    d = torch.zeros(1, 3, 4, 2, 2)
    d[:, 0], d[:, 1] = 1, -1
    seen = Directions(d, weight[..., :1, None], torch.full((1, 4, 2, 2), 0.2))
    t, s, x = torch.tensor([5.0]), torch.tensor([4.0]), torch.zeros(1, 4, 2, 2)
    step = Step(5, t, s, torch.tensor([True]), x, x, seen)
    after_step = superdiff_or(schedule)

    def weighed(condition: Condition) -> Tensor:
        assert condition.sub_prompts is not None
        return condition.sub_prompts.weight_at(s)[0]

    found, later = after_step(step, condition)
    assert found is x
    ratio = float(weighed(later)[0] / weighed(later)[1])
    alpha = schedule.alphas_cumprod
    gap = float(alpha[4] / (1 - alpha[4]) - alpha[5] / (1 - alpha[5])) / 2
    assert ratio == pytest.approx(torch.tensor(gap * 16 * (1.2**2 - 0.8**2)).exp().item(), rel=1e-4)
    assert weighed(later)[2] == 0
    assert weighed(condition).tolist() == [1, 1, 0]  # what it was given stays what it was
    for _ in range(200):  # a prompt that has lost is not inactive, or it could not come back
        _, later = after_step(step, later)
    assert weighed(later)[1] > 0
    assert torch.equal(asked.weight, weight)


def test_likelihood_counts_for_the_pictures_that_took_the_step() -> None:
    schedule = TableSchedule(alphas_cumprod=torch.linspace(0.99, 0.01, 10))
    asked = SubPrompts(Text(torch.zeros(2, 2, 1, 1)), torch.ones(2, 1), torch.ones(2, 2, 1))
    condition = Condition(Text(torch.zeros(2, 1, 1)), torch.ones(2), asked)
    d = torch.randn(1, 2, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    seen = Directions(d, torch.ones(1, 2, 1, 1), d[:, 0])
    times, x = torch.tensor([5.0, 5.0]), torch.zeros(2, 4, 2, 2)
    step = Step(1, times, torch.tensor([5.0, 4.0]), torch.tensor([False, True]), x, x, seen)
    _, later = superdiff_or(schedule)(step, condition)
    assert later.sub_prompts is not None
    likely = later.sub_prompts.log_likelihood
    assert likely is not None
    assert likely[0].tolist() == [0, 0]
    assert likely[1, 0] > 0 > likely[1, 1]
