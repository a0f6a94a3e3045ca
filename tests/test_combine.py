"""Several prompts' directions to one: each way against its own formula, written again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from digressions.diffusion.combine import COMBINE
from digressions.diffusion.condition import Condition, SubPrompts, Text
from digressions.diffusion.denoise import Denoiser, composed, denoiser, guided
from digressions.diffusion.schedule import TableSchedule

SHAPE = (2, 3, 4, 5, 6)  # pictures, prompts, channels, height, width


def directions(seed: int = 0) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def weights(*values: float) -> Tensor:
    return torch.tensor([values] * SHAPE[0]).view(*SHAPE[:2], 1, 1)


GUIDANCE = torch.tensor([7.5, 3.0])


def combined(combine: str, d: Tensor, w: Tensor) -> Tensor:
    return COMBINE[combine](d, w, GUIDANCE)


def test_mean_is_the_weighted_average_of_the_guesses() -> None:
    """As ComfyUI's conditioning Combine: the prompts' guesses are averaged, then guided."""
    d, u = directions(), torch.randn(2, 4, 5, 6)
    c = d + u[:, None]
    average = (1 * c[:, 0] + 0.7 * c[:, 1] + 0.2 * c[:, 2]) / 1.9
    expected = u + 7.5 * (average - u)
    found = u + 7.5 * combined("mean", d, weights(1, 0.7, 0.2))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_sum_is_composable_diffusion() -> None:
    """``u + sum_i w_i (c_i - u)`` with the guidance scale in every weight, negative ones too."""
    d, u = directions(), torch.randn(2, 4, 5, 6)
    expected = u.clone()
    for i, w in enumerate((7.5, 7.5, -3.75)):
        expected += w * ((d[:, i] + u) - u)
    found = u + 7.5 * combined("sum", d, weights(1, 1, -0.5))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_perpendicular_adds_nothing_along_the_first() -> None:
    d = directions()
    rest = combined("perp", d, weights(1, -0.8, 0.6)) - d[:, 0]
    along = (rest * d[:, 0]).sum((1, 2, 3)) / d[:, 0].square().sum((1, 2, 3))
    torch.testing.assert_close(along, torch.zeros(2), rtol=0, atol=1e-5)
    # With a first prompt across all others nothing is taken from them.
    d = torch.zeros(SHAPE)
    d[:, 0, 0], d[:, 1, 1], d[:, 2, 2] = 1, 2, 3
    found = combined("perp", d, weights(1, -0.8, 0.6))
    torch.testing.assert_close(found, combined("sum", d, weights(1, -0.8, 0.6)))


def test_max_takes_one_prompt_at_each_latent() -> None:
    d, w = directions(), (1.0, 2.0, -0.5)
    found = combined("max", d, weights(*w))
    for y in range(SHAPE[3]):
        for x in range(SHAPE[4]):
            here = [factor * d[0, i, :, y, x] for i, factor in enumerate(w)]
            assert torch.equal(found[0, :, y, x], max(here, key=lambda v: float(v.norm())))


def test_superpose_makes_the_picture_likelier_under_every_prompt_alike() -> None:
    d = directions() * torch.tensor([1.0, 2.0, 0.5]).view(1, 3, 1, 1, 1)
    step = GUIDANCE.view(-1, 1, 1, 1) * combined("superpose", d, weights(1, 1, 1))
    gain = (d * step[:, None]).flatten(2).sum(2) - d.square().flatten(2).sum(2) / 2
    spread = gain.max(1).values - gain.min(1).values
    assert (spread < 1e-3 * d.square().flatten(2).sum(2).amax(1)).all()
    plain = (d * (GUIDANCE.view(-1, 1, 1, 1) * d.mean(1))[:, None]).flatten(2).sum(2)
    plain = plain - d.square().flatten(2).sum(2) / 2
    assert (plain.max(1).values - plain.min(1).values > 100 * spread).all()


def test_superpose_leaves_inactive_prompts_out() -> None:
    d = directions()
    found = combined("superpose", d, weights(1, 0, 1))
    alone = COMBINE["superpose"](d[:, [0, 2]], torch.ones(2, 2, 1, 1), GUIDANCE)
    torch.testing.assert_close(found, alone)
    assert torch.equal(combined("superpose", d, weights(0, 0, 0)), torch.zeros(2, 4, 5, 6))


@pytest.mark.parametrize("combine", ["mean", "superpose"])
def test_equal_prompts_are_as_one(combine: str) -> None:
    d = directions()[:, :1].expand(SHAPE)
    torch.testing.assert_close(combined(combine, d, weights(1, 1, 1)), d[:, 0], rtol=0, atol=1e-4)


@given(st.permutations(range(3)), st.sampled_from(["mean", "sum", "max", "superpose"]))
def test_order_does_not_matter(order: list[int], combine: str) -> None:
    d, w = directions(), weights(1, 0.7, -0.4)
    found = combined(combine, d[:, order], w[:, order])
    torch.testing.assert_close(found, combined(combine, d, w), rtol=1e-4, atol=1e-4)


def test_areas_are_weights_by_place() -> None:
    d = directions()
    left = torch.zeros(2, 3, 5, 6)
    left[:, 0, :, :3], left[:, 1, :, 3:] = 1, 0.5
    for combine in ("mean", "sum", "max"):
        found = combined(combine, d, left)
        torch.testing.assert_close(found[..., :3], d[:, 0, :, :, :3])
        factor = 1 if combine == "mean" else 0.5
        torch.testing.assert_close(found[..., 3:], factor * d[:, 1, :, :, 3:])


def test_mean_has_no_direction_where_no_prompt_is() -> None:
    found = combined("mean", directions(), torch.zeros(2, 3, 5, 6))
    assert torch.equal(found, torch.zeros_like(found))


SCHEDULE = TableSchedule("sample", alphas_cumprod=torch.linspace(0.99, 0.01, 10))
TIMES = torch.arange(9.0, -1.0, -1.0)


class Asked:
    """A network that paints a picture's own colour by its prompt, and counts its rows."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        self.rows.append(len(x_t))
        return 0.1 * x_t + condition.text.tokens.mean((1, 2)).view(-1, 1, 1, 1)


def averaging(network: Asked) -> Denoiser:
    return composed(denoiser(network, SCHEDULE), COMBINE["mean"], SCHEDULE)


def single(network: Asked) -> Denoiser:
    return guided(denoiser(network, SCHEDULE), SCHEDULE)


def sub_prompts(tokens: Tensor, weight: Tensor) -> SubPrompts:
    return SubPrompts(Text(tokens), TIMES.expand(len(tokens), -1), weight)


def condition_of(weight: Tensor) -> Condition:
    tokens = torch.arange(1.0, 1 + weight[..., 0].numel()).view(*weight.shape[:2], 1, 1)
    return Condition(
        text=Text(tokens[:, 0]),
        guidance=GUIDANCE,
        sub_prompts=sub_prompts(tokens, weight),
        negative=Text(torch.zeros(2, 1, 1)),
    )


def test_n_prompts_cost_n_plus_one_rows_in_one_batch() -> None:
    network, x = Asked(), torch.randn(2, 4, 5, 6)
    averaging(network)(x, torch.tensor([9.0, 9.0]), condition_of(torch.ones(2, 3, 10)))
    assert network.rows == [2 * 3 + 2]


def test_an_inactive_prompt_costs_nothing_and_says_nothing() -> None:
    weight = torch.ones(2, 3, 10)
    weight[:, 1:, 5:] = 0  # only the first prompt in the last steps
    condition, x = condition_of(weight), torch.randn(2, 4, 5, 6)
    network = Asked()
    found = averaging(network)(x, torch.tensor([4.0, 9.0]), condition)
    assert network.rows == [1 + 3 + 2]
    assert found.directions is not None
    assert (found.directions.d[0, 1:] == 0).all()
    alone = Condition(condition.text, GUIDANCE, negative=condition.negative)
    expected = single(Asked())(x, torch.tensor([4.0, 9.0]), alone)
    assert expected.directions is None
    torch.testing.assert_close(found.x_0[0], expected.x_0[0])
    assert not torch.allclose(found.x_0[1], expected.x_0[1])


def test_one_prompt_twice_in_mean_is_that_prompt_bit_for_bit() -> None:
    x, t = torch.randn(2, 4, 5, 6), torch.tensor([4.0, 9.0])
    once = condition_of(torch.ones(2, 1, 10))
    assert once.sub_prompts is not None
    tokens = once.sub_prompts.text.tokens.expand(2, 2, 1, 1)
    doubled = sub_prompts(tokens, torch.ones(2, 2, 10))
    twice = Condition(once.text, GUIDANCE, doubled, once.negative)
    alone = Condition(once.text, GUIDANCE, negative=once.negative)
    found, expected = averaging(Asked())(x, t, twice), single(Asked())(x, t, alone)
    assert torch.equal(found.x_0, expected.x_0)


def test_a_picture_that_starts_late_has_the_weights_of_its_own_steps() -> None:
    """Its column repeats its first time; the step that leaves that time is its first."""
    times = torch.tensor([[9.0, 6.0, 3.0], [6.0, 6.0, 3.0]])
    weight = torch.tensor([[[1.0, 2.0, 3.0]], [[0.0, 4.0, 5.0]]])
    late = SubPrompts(Text(torch.zeros(2, 1, 1, 1)), times, weight)
    assert late.weight_at(torch.tensor([6.0, 6.0])).tolist() == [[2.0], [4.0]]
    assert late.weight_at(torch.tensor([3.0, 3.0])).tolist() == [[3.0], [5.0]]
