"""Membrane blends: what is outside the mask stays bit for bit, and no seam shows."""

from __future__ import annotations

import pytest
import torch

from digressions.generate.job import Job
from digressions.generate.paint import Painted, paint_jobs
from digressions.generate.params import ResolvedParams
from digressions.geometry import Size
from digressions.images.masks import membrane_blend, membrane_fill
from digressions.models.base import Model

SIDE = 64


def ramp(side: int = SIDE) -> torch.Tensor:
    """A smooth picture ``(1, 3, side, side)``, 0.2 to 0.8."""
    y, x = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
    return (0.2 + 0.6 * torch.stack([x, y, (x + y) / 2]))[None]


def square(left: int, right: int, side: int = SIDE) -> torch.Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., left:right, left:right] = 1
    return mask


def step(picture: torch.Tensor, left: int) -> float:
    """The mean step between the pixels left and right of a masked square's left edge."""
    rows = slice(left, picture.shape[-1] - left)
    return (picture[..., rows, left] - picture[..., rows, left - 1]).abs().mean().item()


def test_the_picture_around_a_masked_area_stays_bit_for_bit() -> None:
    original, painted, mask = torch.rand(2, 3, 40, 56), torch.rand(2, 3, 40, 56), square(8, 30, 56)
    mask = mask[..., :40, :].expand(2, -1, -1, -1)
    found = membrane_blend(painted, original, mask)
    kept = (mask == 0).expand_as(original)
    assert torch.equal(found[kept], original[kept])
    assert not torch.equal(found, original)


@pytest.mark.parametrize(("left", "right"), [(25, 39), (8, 56), (3, 61)])
def test_a_painting_that_is_off_in_colour_meets_the_picture(left: int, right: int) -> None:
    original, mask = ramp(), square(left, right)
    painted = original + torch.tensor([0.1, -0.1, 0.05]).view(1, 3, 1, 1)
    found = membrane_blend(painted, original, mask)
    assert step(torch.lerp(original, painted, mask), left) > 0.08
    assert step(found, left) < step(original, left) + 0.02


def test_the_painting_keeps_its_colours_away_from_the_edge() -> None:
    """White on black stays white; only as far as a latent from the edge it is not."""
    found = membrane_blend(
        torch.ones(1, 3, SIDE, SIDE), torch.zeros(1, 3, SIDE, SIDE), square(8, 56)
    )
    assert (found[..., 18:46, 18:46] > 0.99).all()
    assert step(found, 8) < 0.2


def test_only_the_edge_is_mended_where_it_differs_from_side_to_side() -> None:
    """Too bright left and too dark right: nothing is to be seen at the edges, all is smooth."""
    original, mask = torch.full((1, 3, SIDE, SIDE), 0.5), square(12, 52)
    painted = original + torch.linspace(0.2, -0.2, SIDE).view(1, 1, 1, -1)
    pasted = torch.lerp(original, painted, mask)
    found = membrane_blend(painted, original, mask)
    assert step(pasted, 12) > 0.1
    assert step(found, 12) < 0.03


def test_details_of_the_painting_stay() -> None:
    original, mask = torch.full((1, 3, SIDE, SIDE), 0.5), square(12, 52)
    checks = 0.1 * (-1.0) ** torch.arange(SIDE).view(1, 1, 1, -1)
    found = membrane_blend(original + 0.15 + checks, original, mask)
    middle = found[..., 24:40, 24:40]
    assert (middle[..., 1:] - middle[..., :-1]).abs().mean() == pytest.approx(0.2, abs=1e-3)


def test_a_membrane_is_straight_between_two_sides() -> None:
    values = torch.zeros(1, 1, 24, 24)
    values[..., -1] = 1
    known = torch.zeros(1, 1, 24, 24, dtype=torch.bool)
    known[..., 0] = known[..., -1] = True
    wanted = torch.linspace(0, 1, 24).expand(1, 1, 24, 24)
    torch.testing.assert_close(membrane_fill(values, known), wanted, atol=0.06, rtol=0)


@pytest.mark.parametrize("known", [False, True])
def test_all_masked_or_nothing(known: bool) -> None:
    painted, original = torch.rand(1, 3, 20, 12), torch.rand(1, 3, 20, 12)
    mask = torch.full((1, 1, 20, 12), float(not known))
    assert torch.equal(membrane_blend(painted, original, mask), original if known else painted)


def test_a_soft_edge_mixes_the_two() -> None:
    original, painted = torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, 3, SIDE, SIDE)
    found = membrane_blend(painted, original, square(8, 56) * 0.25 + square(20, 44) * 0.75)
    assert (found[..., :8, :] == 0).all()
    assert found[..., 8:20, 8:20].max() <= 0.25
    assert (found[..., 28:36, 28:36] > 0.99).all()


def test_paint_keeps_what_is_outside_the_mask(bundled: Model) -> None:
    """Not what the autoencoder makes of it."""
    photo = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    mask = square(16, 48)[0]
    params = ResolvedParams(
        prompt="photo of a frog",
        seed=1,
        size=Size(SIDE, SIDE),
        steps=2,
        guidance=1.0,
        sampler="ddim",
        strength=1.0,
    )
    job = Job(params, image=photo, mask=mask)
    (found,) = [e.image for e in paint_jobs(bundled, [job]) if isinstance(e, Painted)]
    outside = (mask == 0).expand_as(photo)
    assert torch.equal(found[outside], photo[outside])
    assert (found - photo).abs()[~outside].mean() > 0.05
