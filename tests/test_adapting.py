"""Cells of fine detail keep closer to the base image, flat ones are painted more freely."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks import adapt as study
from digressions.generate.params import GenerationParams
from digressions.geometry import Grid
from digressions.models.base import Model
from digressions.mosaics.adapting import Freedom, detail_of, freedom_of
from digressions.mosaics.cells import cell_job, paint_cells
from digressions.mosaics.mosaic_spec import CellParams, Mosaic, mosaic_of
from digressions.worlds.world_spec import WorldSpec

from .jobs import plain_mosaic, resolved
from .painters import paint_noise

FLAT = torch.full((3, 8, 8), 0.5)
RAMP = torch.linspace(0.3, 0.7, 8).expand(3, 8, 8).contiguous()
EYE = FLAT.clone()
EYE[:, 3:5, 2:6] = 0.0


def mosaic(adapt: float) -> Mosaic:
    return plain_mosaic(resolved(strength=0.8), Grid(3, 1)).but(adapt=adapt, jitter=0.0, mirror=0.0)


def test_detail_is_what_no_band_holds() -> None:
    assert detail_of(FLAT) == 0
    assert detail_of(RAMP) < 0.25  # though it goes from a third to two thirds
    assert detail_of(EYE) == 1
    faint = FLAT.lerp(EYE, 0.4)
    assert 0 < detail_of(faint) < 1
    assert detail_of(faint) == pytest.approx(detail_of(faint.flip(-1)))


def test_detail_is_the_same_in_a_cell_that_is_enlarged() -> None:
    for cell in (FLAT, EYE):
        large = F.interpolate(cell[None], (64, 64), mode="nearest")[0]
        assert detail_of(large) == pytest.approx(detail_of(cell))


def test_without_it_all_cells_are_painted_alike() -> None:
    for cell in (FLAT, EYE):
        assert freedom_of(mosaic(0), cell) == Freedom(0.8, 0.3)


def test_a_flat_cell_is_freer_and_a_fine_one_keeps_closer() -> None:
    for adapt in (0.25, 0.5, 1.0):
        flat, fine = (freedom_of(mosaic(adapt), cell) for cell in (FLAT, EYE))
        assert flat.strength > 0.8 > fine.strength
        assert flat.anchor < 0.3 < fine.anchor
    assert freedom_of(mosaic(1), FLAT) == Freedom(1, 0)
    assert freedom_of(mosaic(1), EYE) == pytest.approx(Freedom(0.4, 1))
    job = cell_job(mosaic(1), 5, EYE)
    assert (job.params.strength, job.anchor) == pytest.approx((0.4, 1))


def test_cells_of_one_batch_get_each_its_own_strength() -> None:
    large = [F.interpolate(cell[None], (64, 64))[0] for cell in (FLAT, RAMP, EYE)]
    together = paint_cells(paint_noise, mosaic(1), [1, 2, 3], torch.stack(large))
    for seed, start, picture in zip([1, 2, 3], large, together, strict=True):
        alone = paint_cells(paint_noise, mosaic(1), [seed], start[None])[0]
        assert torch.equal(alone, picture)
    changed = [(a - b).abs().mean() for a, b in zip(together, large, strict=True)]
    assert changed[0] > changed[2]


def test_it_is_the_default_of_mosaics_and_worlds(bundled: Model) -> None:
    usual = CellParams().adapt
    assert usual > 0
    params = GenerationParams(prompt="a fox", seed=1)
    assert mosaic_of(bundled, params, CellParams(), Grid(2, 2)).adapt == usual
    assert WorldSpec.of(prompt="a fox").cells.adapt == usual
    old = {name: value for name, value in mosaic(0).json_object().items() if name != "adapt"}
    assert Mosaic.from_json_object(old) == mosaic(0)


def test_an_eye_is_kept_where_it_smeared(bundled: Model) -> None:
    """With the bundled model: what is finer than the band stays nearer to the cell."""
    from digressions.generate.paint import painter_of

    large = F.interpolate(EYE[None], (128, 128), mode="bilinear")[0]
    painter = painter_of(bundled)

    def away(adapt: float) -> float:
        own = mosaic(adapt)
        own = own.but(params=own.params.but(size=128, steps=4))
        painted = paint_cells(painter, own, [1, 2], torch.stack([large, large]))
        return float((F.adaptive_avg_pool2d(painted, 8) - EYE).square().mean())

    assert away(1.0) < 0.7 * away(0.0)
    assert np.isfinite(away(0.5))


def test_the_study_compares_a_cell_with_its_own_pixels() -> None:
    own = mosaic(0).but(params=resolved(size=16))
    drawn = np.random.default_rng(1).integers(0, 200, (8, 24, 3), np.uint8)
    large = drawn.repeat(2, 0).repeat(2, 1)
    assert study.cells_in(large, own, [0, 2]).shape == (2, 16, 16, 3)
    assert study.fidelity(large, drawn, own, [0, 1, 2]) == np.inf
    large[:, 16:32] += 20
    assert study.fidelity(large, drawn, own, [0, 2]) == np.inf
    assert study.fidelity(large, drawn, own, [1]) == pytest.approx(20 * np.log10(255 / 20))
