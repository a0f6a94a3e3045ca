"""What a student learns of starts and masked areas: what it is shown, asked and told."""

from __future__ import annotations

import pytest
import torch

from tests.drawings import dataset, recogniser, student_of, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "recogniser", "training"]
BATCH = 16
PART = 3 * BATCH // 8


@pytest.fixture(scope="module")
def student(training, dataset, recogniser, tmp_path_factory):
    """A `Practice` of an untrained teacher."""
    folder = tmp_path_factory.mktemp("student")
    words = ("--recogniser", str(recogniser), "--recognition", "1", "--masked", "0.375")
    return student_of(training.starts_and_masks.Practice, training, dataset, folder, *words)


@pytest.fixture
def batch(training, student):
    g = torch.Generator().manual_seed(3)
    latents = torch.randn(BATCH, 16, 8, 8, generator=g)
    every = torch.ones(BATCH, dtype=torch.bool)
    ids = student.untold.repeat(BATCH, 1)
    return training.latents.Batch(latents, ids, every, torch.zeros(BATCH, dtype=torch.long), every)


def test_surroundings_are_shown_without_noise_and_all_else_with_it(student, batch):
    x_t, _, _ = student.noisy(batch)
    kept = (student.mask == 0).expand_as(x_t)
    assert torch.equal(x_t[kept], batch.latents[kept])
    areas = student.areas(BATCH)
    assert areas == slice(BATCH - PART, BATCH)
    inside = student.mask[areas] == 1
    assert inside.any((1, 2, 3)).all()
    assert not inside.all((1, 2, 3)).any()
    assert (student.mask[: areas.start] == 1).all()


def test_what_the_teacher_says_of_an_area_depends_on_what_is_around_it(student, batch):
    x_t, v, t = student.noisy(batch)
    areas = student.areas(BATCH)
    said = student.target(x_t, v, t, batch)
    around = (student.mask == 0).expand_as(x_t)
    other = student.target(torch.where(around, x_t + 1, x_t), v, t, batch)
    assert torch.equal(said[: areas.start], other[: areas.start])
    inside = (student.mask == 1).expand_as(x_t)
    changed = (said - other).abs()
    assert changed[areas][inside[areas]].mean() > 1e-3


def test_without_masked_areas_everything_is_noisy_and_the_checkpoint_says_so(
    training, student, batch, tmp_path, monkeypatch
):
    monkeypatch.setattr(student.args, "masked", 0.0)
    training.diffusion.Trainer.noisy(student, batch)
    assert (student.mask == 1).all()
    student.save(tmp_path / "checkpoint.pt")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["clean_surroundings"] is False


def test_what_is_said_of_surroundings_costs_nothing(student, batch):
    x_t, v, t = student.noisy(batch)

    def cost(said):
        student.noise.manual_seed(0)
        return student.loss(said, v, x_t, t, batch).item()

    outside = torch.where(student.mask == 0, v + 5, v)
    assert cost(outside) == pytest.approx(cost(v), rel=1e-6)
    inside = torch.where(student.mask == 0, v, v + 5)
    inside[:PART] = v[:PART]
    assert cost(inside) > cost(v) + 1


def test_only_steps_across_an_edge_count_as_its_error(training):
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 1:3, 1:3] = 1
    real = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    inside = torch.nn.functional.interpolate(mask, (16, 16))
    error = training.areas.edge_error
    assert error(real, real, mask) == 0
    assert error(real + 0.2, real, mask) < 1e-6
    assert error(real + 0.2 * inside, real, mask).item() == pytest.approx(0.04, rel=1e-4)
    middle = torch.zeros_like(inside)
    middle[..., 6:10, 6:10] = 1
    assert error(real + 0.2 * middle, real, mask) == 0


def test_leaving_the_colours_of_a_start_costs(training, student, batch):
    """A student that sees the start itself pays nothing for colours; one that sees grey does."""
    x_t, _, t = student.noisy(batch)
    student.args.recognition = 0
    scale = student.vae.config.scaling_factor
    begun = batch.latents.clone()
    begun[:PART] = student.vae.encoder(student.starts * 2 - 1) * scale
    grey = begun.clone()
    grey[:PART] = student.vae.encoder(torch.zeros_like(student.starts)) * scale

    def cost(clean):
        said = student.levels.velocity(clean, x_t, t)
        return student.loss(said, said, x_t, t, batch).item()

    assert cost(begun) < 0.1 * cost(grey)
    student.args.recognition = 1


@pytest.mark.parametrize("side", [8, 16])
def test_masked_areas_are_boxes_strips_and_blobs_that_leave_something(training, side):
    g = torch.Generator().manual_seed(0)
    masks = training.areas.masked_areas(40, side, g)
    share = masks.mean((1, 2, 3))
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert share.amin() > 0.02
    assert share.amax() < 0.9
    assert share.std() > 0.1


def test_starts_are_flat_or_change_slowly(training):
    g = torch.Generator().manual_seed(0)
    pictures = torch.rand(12, 3, 64, 64, generator=g)
    starts = training.starts_and_masks.flat_starts(pictures, g)
    assert starts.shape == pictures.shape
    assert starts.diff(dim=-1).abs().amax() < 0.05
    assert torch.allclose(starts[0], pictures[0].mean((1, 2), keepdim=True), atol=1e-5)


def test_a_student_so_taught_says_it_where_it_is_exported(training, student, tmp_path):
    student.save(tmp_path / "checkpoint.pt")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    told = training.export.defaults_for(3.0, clean_surroundings=state["clean_surroundings"])
    assert told["clean_surroundings"] is True
    assert "clean_surroundings" not in training.export.defaults_for(3.0)
