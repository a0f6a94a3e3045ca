"""Several prompts in one picture: what is asked at each step, and what comes of it.

The proofs run on a small network with random weights: it paints nothing, but exactly.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from digressions.condition import Condition, Terms, Text
from digressions.denoise import Denoiser, Directions, Schedule
from digressions.ensembles.ensemble import HOW, REGIONAL, is_plain, mixed, slerp, voices
from digressions.ensembles.together import Evidence
from digressions.errors import DigressionsError, InputError, PromptError
from digressions.job import Job, check
from digressions.loading import load
from digressions.models import Model
from digressions.paint import paint, paint_batch, sample, watched
from digressions.prompts import parse
from digressions.sample import SAMPLERS, Noise, Step
from tests.checkpoints import SIDE, build

A, B, C = "photo of a frog", "a turtle", "a red fox"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(str(build(tmp_path_factory.mktemp("sd"), "sd")), "cpu", "float32")


@pytest.fixture(scope="module")
def lcm(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(str(build(tmp_path_factory.mktemp("lcm"), "lcm")), "cpu", "float32")


def job(prompt: str, **changes: object) -> Job:
    settings = {"seed": 3, "width": SIDE, "height": SIDE, "steps": 6, "guidance": 4.0}
    return Job(prompt, **settings | {"sampler": "ddim", "negative": C} | changes)  # type: ignore[arg-type]


def latents(model: Model, *jobs: Job) -> Tensor:
    *_, last = sample(model, list(jobs))
    return last.x


def rows_of(model: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The network's rows, call by call, from now on."""
    rows: list[int] = []
    forward = model._unet.forward

    def counted(x: Tensor, *rest: object, **options: object) -> object:
        rows.append(len(x))
        return forward(x, *rest, **options)

    monkeypatch.setattr(model._unet, "forward", counted)
    return rows


def euler(
    denoiser: Denoiser,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
) -> Iterator[Step]:
    """Euler's method in noise levels, as k-diffusion has it: a sampler of its own."""
    for i in range(len(times) - 1):
        (a, s), (a_next, s_next) = map(schedule.alpha_sigma, (times[i], times[i + 1]))
        level, next_level = s / a, s_next / a_next
        x_0 = denoiser(x, times[i], condition)
        slope = (x / a - x_0) / level
        x = (x / a + slope * (next_level - level)) * a_next
        yield Step(i + 1, x, x_0)


class SharedNoise(Noise):
    """Every prompt of a picture draws the same noise."""

    def apart(self, picture: list[int], member: list[int]) -> Noise:
        together = SharedNoise([], self._shape)
        seeds = [self._generators[i].initial_seed() for i in picture]
        together._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for generator in together._generators:
            torch.randn(self._shape, generator=generator)  # what the picture started from
        return together


# What is asked: no network.


def spoken(prompt: str, how: str, steps: int) -> list[list[str]]:
    """The texts that count at each step."""
    found = voices(parse(prompt), how, steps)
    return [
        ["+".join(part[0].text for part, _ in v.mix) for v in found if v.weight[step]]
        for step in range(steps)
    ]


def test_ranges_and_switches_become_weights_by_step() -> None:
    assert spoken("a @0-0.5 AND [b:c:0.75]", "mean", 4) == [["a", "b"], ["a", "b"], ["b"], ["c"]]
    assert [v.weight for v in voices(parse("a AND b :0.7"), "mean", 2)] == [(1, 1), (0.7, 0.7)]


def test_alternate_and_switch_share_the_steps_by_weight() -> None:
    assert spoken("a AND b", "alternate", 4) == [["a"], ["b"], ["a"], ["b"]]
    assert spoken("a :2 AND b", "alternate", 6).count(["a"]) == 4
    assert spoken("a AND b AND c", "alternate", 3) == [["a"], ["b"], ["c"]]
    assert spoken("a AND b", "switch", 4) == [["a"], ["a"], ["b"], ["b"]]
    assert spoken("a :3 AND b", "switch", 4) == [["a"], ["a"], ["a"], ["b"]]


def test_a_mixture_is_one_text_a_step() -> None:
    assert spoken("a AND b", "lerp", 2) == [["a+b"], ["a+b"]]
    assert spoken("a AND [b:c:1]", "slerp", 2) == [["a+b"], ["a+c"]]


@pytest.mark.parametrize("prompt", ["a", "", "(a:1.3) b", r"Tom \AND Jerry", "a car (1999)"])
def test_one_unchanging_prompt_is_plain(prompt: str) -> None:
    assert is_plain(parse(prompt))


@pytest.mark.parametrize("prompt", ["a AND b", "[a|b]", "[a:b:0.5]", "a :0.5", "a @0-0.5"])
def test_anything_else_is_combined(prompt: str) -> None:
    assert not is_plain(parse(prompt))


@pytest.mark.parametrize(
    ("prompt", "how", "words"),
    [
        ("a AND b :-1", "mean", "the weights add up to 0 at step 1 of 6"),
        ("a AND b :-2", "mean", "the weights add up to -1"),
        ("a @0-0.5 AND b :0.5 AND c :-0.5", "lerp", "add up to 0 at step 4 of 6"),
        ("a @0-0.5", "latents", "no prompt counts at step 4 of 6"),
        ("a AND b :-0.5", "switch", "takes no negative weights"),
        ("a :0", "mean", "no prompt counts at any of the 6 steps"),
        ("a AND b", "average", "--how 'average' is not known: choose one of mean, sum"),
    ],
)
def test_weights_that_a_way_cannot_use_are_one_line(prompt: str, how: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        voices(parse(prompt), how, 6)


# Texts.


def test_lerp_and_slerp_against_their_formulas(model: Model) -> None:
    a, b = (model.encode_prompts([text]).tokens.double() for text in (A, B))
    mix = tuple((parse(text).at(0, 1)[0].text, share) for text, share in ((A, 0.75), (B, 0.25)))
    found = mixed(model, mix, spherical=False).tokens.double()
    torch.testing.assert_close(found, 0.75 * a + 0.25 * b, rtol=0, atol=1e-5)
    theta = torch.acos((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)))[..., None]
    arc = ((0.75 * theta).sin() * a + (0.25 * theta).sin() * b) / theta.sin()
    expected = torch.where(theta < 1e-3, a, arc)  # the first token is the same in both
    found = mixed(model, mix, spherical=True).tokens.double()
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
    model: Model, monkeypatch: pytest.MonkeyPatch, sampler: str, guidance: float
) -> None:
    if sampler == "euler":
        sampler = "ddim"  # whose grid it takes
        monkeypatch.setitem(SAMPLERS, "ddim", euler)
    wanted = job(f"{A} AND {B} :0.7 AND {C} :0.3", sampler=sampler, guidance=guidance)
    mean, averaged = (
        latents(model, wanted),
        latents(model, dataclasses.replace(wanted, how="latents")),
    )
    torch.testing.assert_close(mean, averaged, rtol=0, atol=1e-4)
    assert not torch.allclose(mean, latents(model, job(A, sampler=sampler)), atol=1e-2)


@pytest.mark.parametrize("family", ["sdxl", "inpainting", "sd-v"])
def test_every_family_combines(tmp_path: Path, family: str) -> None:
    """With what each has besides tokens: pooled texts and sizes, masks, zero terminal SNR."""
    model = load(str(build(tmp_path, family)), "cpu", "float32")
    given = {"image": torch.rand(3, SIDE, SIDE), "mask": torch.ones(1, SIDE, SIDE)}
    wanted = job(f"{A} AND {B} :0.7", **given if family == "inpainting" else {})
    averaged = latents(model, dataclasses.replace(wanted, how="latents"))
    torch.testing.assert_close(latents(model, wanted), averaged, rtol=0, atol=1e-4)
    for how in HOW:
        assert latents(model, dataclasses.replace(wanted, how=how)).isfinite().all()


def test_mean_equals_latents_also_where_the_prompts_come_and_go(model: Model) -> None:
    wanted = job(f"{A} @0-0.5 AND [{B}:{C}:0.4]")
    averaged = dataclasses.replace(wanted, how="latents")
    torch.testing.assert_close(latents(model, wanted), latents(model, averaged), rtol=0, atol=1e-4)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "lcm"])
def test_own_noise_for_each_prompt_is_what_parts_mean_from_latents(
    model: Model, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    wanted = job(f"{A} AND {B}", sampler=sampler)
    averaged = dataclasses.replace(wanted, how="latents")
    mean = latents(model, wanted)
    assert (mean - latents(model, averaged)).abs().max() > 0.1
    monkeypatch.setattr("digressions.paint.Noise", SharedNoise)
    torch.testing.assert_close(mean, latents(model, averaged), rtol=0, atol=1e-4)


def by_hand(model: Model, prompts: list[str], step: object, steps: int = 6) -> Tensor:
    """DDIM with a formula for the noise, ``step(u, [c_1, ..., c_N])``, one network call each."""
    texts = model.encode_prompts([C, *prompts])
    x = Noise([3], (model.channels, SIDE // 8, SIDE // 8)).draw()
    times = model.times("ddim", steps)
    table = torch.cat([model.schedule.alphas_cumprod, torch.ones(1)])
    for t, s in itertools.pairwise(times):
        with torch.inference_mode():
            epsilons = [
                model._unet(x, t, encoder_hidden_states=texts.tokens[i : i + 1]).sample
                for i in range(len(prompts) + 1)
            ]
        noise = step(epsilons[0], epsilons[1:])  # type: ignore[operator]
        now, after = table[int(t)], table[int(s)]
        clean = (x - (1 - now).sqrt() * noise) / now.sqrt()
        x = after.sqrt() * clean + (1 - after).sqrt() * noise
    return x


def test_sum_is_the_composable_pipelines_formula(model: Model) -> None:
    """diffusers' community composable_stable_diffusion: ``u + sum w_i (c_i - u)`` in noise."""
    expected = by_hand(model, [A, B], lambda u, c: u + 4.0 * (c[0] - u) + -2.0 * (c[1] - u))
    found = latents(model, job(f"{A} AND {B} :-0.5", how="sum"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_mean_is_comfyuis_combine(model: Model) -> None:
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
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network whose rows do not depend on the batch: each is computed by itself."""
    forward = model._unet.forward

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

    monkeypatch.setattr(model._unet, "forward", row_by_row)
    assert torch.equal(latents(model, job(f"{A} AND {A}")), latents(model, job(A)))


@pytest.mark.parametrize("how", [h for h in HOW if h not in ("alternate", "switch", "perp")])
def test_the_order_of_two_prompts_does_not_matter(model: Model, how: str) -> None:
    found = latents(model, job(f"{A} AND {B} :0.7", how=how))
    other = latents(model, job(f"{B} :0.7 AND {A}", how=how))
    torch.testing.assert_close(found, other, rtol=0, atol=1e-3)


@pytest.mark.parametrize("how", ["mean", "latents", "lerp", "slerp", "alternate", "switch"])
def test_only_the_ratio_of_weights_counts_where_prompts_share(model: Model, how: str) -> None:
    found = latents(model, job(f"{A} :0.5 AND {B} :0.25", how=how))
    other = latents(model, job(f"{A} :2 AND {B} :1", how=how))
    torch.testing.assert_close(found, other, rtol=0, atol=1e-4)


def test_in_sum_a_weight_is_a_guidance_scale(model: Model) -> None:
    found = latents(model, job(f"{A} :0.5", how="sum", guidance=8.0))
    torch.testing.assert_close(found, latents(model, job(A, guidance=4.0)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("how", HOW)
def test_every_way_paints_something_of_its_own(model: Model, how: str) -> None:
    found = latents(model, job(f"{A} AND {B}", how=how))
    assert found.isfinite().all()
    assert (found - latents(model, job(A))).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("how", "rows"),
    [(how, 4) for how in ("mean", "sum", "perp", "max", "superpose", "superpose-or")]
    + [(how, 2) for how in ("lerp", "slerp", "alternate", "switch")]
    + [("latents", 6)],
)
def test_three_prompts_cost_four_rows_in_one_call(
    model: Model, monkeypatch: pytest.MonkeyPatch, how: str, rows: int
) -> None:
    check(model, job(f"{A} AND {B} AND {C}", how=how))
    counted = rows_of(model, monkeypatch)
    latents(model, job(f"{A} AND {B} AND {C}", how=how))
    assert counted == [rows] * 6


def test_a_plain_prompt_takes_the_plain_path(model: Model) -> None:
    """Two rows of guidance and nothing to combine, whatever else is in the list of jobs."""
    jobs = [job(A), job(f"{A} AND {B}"), job("(photo:1.2) of a frog")]
    assert all(asked.seen is None for asked in watched(model, [jobs[0], jobs[2]]))
    together = dict(paint(model, jobs))
    alone = paint_batch(model, [jobs[0], jobs[2]])
    assert torch.equal(together[0], alone[0])
    assert torch.equal(together[2], alone[1])


def test_a_batch_mixes_ensembles_of_different_lengths_and_strengths(model: Model) -> None:
    start = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    jobs = [
        job(f"{A} AND {B}"),
        job(f"{C} AND [{A}|{B}] AND {B} :0.3", seed=9, image=start, strength=0.5),
    ]
    for how in ("mean", "latents", "superpose-or"):
        mixed_jobs = [dataclasses.replace(each, how=how) for each in jobs]
        found = latents(model, *mixed_jobs)
        for row, each in zip(found, mixed_jobs, strict=True):
            torch.testing.assert_close(row[None], latents(model, each), rtol=0, atol=1e-4)


def test_image_to_image_counts_the_steps_that_it_runs(model: Model) -> None:
    start = torch.rand(3, SIDE, SIDE)
    halves = job(f"[{A}:{B}:0.5]", image=start, strength=0.5, steps=12)
    counted = job(f"[{A}:{B}:3]", image=start, strength=0.5, steps=12)
    assert halves.run == 6
    assert torch.equal(latents(model, halves), latents(model, counted))


def test_an_ensemble_inside_an_inpainting_keeps_the_rest(model: Model) -> None:
    start, mask = torch.rand(3, SIDE, SIDE), torch.zeros(1, SIDE, SIDE)
    mask[:, 16:48, 16:48] = 1
    kept = model.encode(start[None])
    for how in ("mean", "latents", "sum"):
        found = latents(model, job(f"{A} AND {B}", image=start, mask=mask, how=how))
        torch.testing.assert_close(found[..., :2, :], kept[..., :2, :], rtol=0, atol=1e-5)
        assert not torch.allclose(found[..., 2:6, 2:6], kept[..., 2:6, 2:6], atol=1e-2)


# Regions.


def halves(soft: float = 0.0) -> Tensor:
    ramp = torch.linspace(0, 1, SIDE).expand(SIDE, SIDE)
    left = (ramp < 0.5).float() if soft == 0 else 1 - ramp
    return torch.stack([left, 1 - left])


@pytest.mark.parametrize("how", REGIONAL)
def test_where_a_prompt_is_alone_it_is_alone(model: Model, how: str) -> None:
    """In the first step, before the network spreads what it sees: each half is its prompt's."""
    both = next(iter(watched(model, [job(f"{A} AND {B}", how=how, regions=halves())])))
    left, right = (next(iter(watched(model, [job(text)]))).step.x for text in (A, B))
    found = both.step.x
    if how == "superpose":  # the shares are the picture's, not the place's
        assert not torch.allclose(found[..., :4], right[..., :4], atol=1e-3)
        return
    torch.testing.assert_close(found[..., :4], left[..., :4], rtol=0, atol=1e-5)
    if how != "perp":
        torch.testing.assert_close(found[..., 4:], right[..., 4:], rtol=0, atol=1e-5)


def test_soft_edges_mix_and_no_region_is_everywhere(model: Model) -> None:
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


def test_regions_of_the_wrong_size_or_number_are_refused(model: Model) -> None:
    prompt = f"{A} AND {B}"
    assert "2 x 64 x 64" in refused(model, job(prompt, regions=torch.ones(2, 32, 64)))
    assert "2 x 64 x 64" in refused(model, job(prompt, regions=torch.ones(3, 64, 64)))
    assert "knows no regions" in refused(model, job(prompt, regions=halves(), how="lerp"))


@pytest.mark.parametrize("negative", ["a AND b", "[a|b]", "a @0-0.5", "a :2", "(a"])
def test_a_negative_prompt_is_one_text(model: Model, negative: str) -> None:
    refused(model, job(A, negative=negative))
    check(model, job(A, negative="(ugly:1.4), [blurry]"))


def test_a_model_with_guidance_inside_combines_what_it_can(lcm: Model) -> None:
    check(lcm, job(f"{A} AND {B}", sampler="lcm", steps=4))
    assert "guidance inside" in refused(lcm, job(f"{A} AND {B}", sampler="lcm", steps=4, how="sum"))


def test_without_guidance_directions_are_still_from_the_unconditional_guess(model: Model) -> None:
    found = latents(model, job(f"{A} AND {B}", guidance=1.0, how="sum"))
    expected = by_hand(model, [A, B], lambda u, c: c[0] + c[1] - u)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_every_text_that_a_run_needs_is_checked_before_it(model: Model) -> None:
    with pytest.raises(PromptError, match="tokens long"):
        check(model, job(f"[{A}:{'very ' * 40}long:0.9]"))


# Evidence.


def test_evidence_goes_to_the_prompt_that_foresaw_the_step() -> None:
    schedule = Schedule(torch.linspace(0.99, 0.01, 10))
    terms = Terms(Text(torch.zeros(1, 3, 1, 1)), torch.ones(1, 3, 10))
    terms.weight[:, 2] = 0
    evidence = Evidence(schedule, terms)
    d = torch.zeros(1, 3, 4, 2, 2)
    d[:, 0], d[:, 1] = 1, -1
    seen = Directions(d, terms.weight[..., :1, None], torch.full((1, 4, 2, 2), 0.2))
    t, s, live = torch.tensor([5.0]), torch.tensor([4.0]), torch.tensor([True])
    evidence.update(seen, t, s, live)
    ratio = float(terms.weight[0, 0, 0] / terms.weight[0, 1, 0])
    alpha = schedule.alphas_cumprod
    gap = float(alpha[4] / (1 - alpha[4]) - alpha[5] / (1 - alpha[5])) / 2
    assert ratio == pytest.approx(torch.tensor(gap * 16 * (1.2**2 - 0.8**2)).exp().item(), rel=1e-4)
    assert (terms.weight[0, 2] == 0).all()
    for _ in range(200):  # a prompt that has lost is not silenced, or it could not come back
        evidence.update(seen, t, s, live)
    assert (terms.weight[0, 1] > 0).all()
