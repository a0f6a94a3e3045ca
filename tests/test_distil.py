"""What a distilled student learns: a teacher's answers, its steps, and to be recognised."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.drawings import AUTOENCODER, dataset, recogniser, student_of, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "recogniser", "training"]


@pytest.mark.parametrize(("steps", "substeps"), [(1, 1), (2, 3), (4, 2)])
def test_a_teacher_that_knows_the_answer_teaches_it(training, steps, substeps):
    """With one picture in the world every step leads straight to it, however many are taken."""
    levels = training.diffusion.make_scheduler().alphas_cumprod
    g = torch.Generator().manual_seed(0)
    z, noise = torch.randn(5, 4, 2, 2, generator=g), torch.randn(5, 4, 2, 2, generator=g)
    t = torch.tensor([999, 700, 250, 40, 3])
    x_t, v = training.diffusion.noisy_and_velocity(z, noise, levels[t].view(-1, 1, 1, 1))

    def velocity(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        alpha_bar = levels[times].view(-1, 1, 1, 1)
        return (alpha_bar.sqrt() * x - z) / (1 - alpha_bar).sqrt()

    schedule = training.distil.Levels(levels)
    jump = training.distil.jump_velocity(velocity, x_t, t, schedule, steps, substeps)
    torch.testing.assert_close(jump, v, atol=2e-3, rtol=1e-3)
    same = training.distil.consistency_velocity(velocity, velocity, x_t, t, schedule, steps)
    torch.testing.assert_close(same, v, atol=2e-3, rtol=1e-3)


def test_one_step_of_the_student_arrives_where_the_teacher_does(training):
    levels = training.diffusion.make_scheduler().alphas_cumprod
    g = torch.Generator().manual_seed(0)
    x_t, t = torch.randn(3, 4, 2, 2, generator=g), torch.tensor([999, 600, 300])

    def velocity(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) * (times.view(-1, 1, 1, 1) / 1000)

    def step(x, v, now, then):
        a, b = (levels[i].view(-1, 1, 1, 1) for i in (now, then))
        clean, noise = a.sqrt() * x - (1 - a).sqrt() * v, (1 - a).sqrt() * x + a.sqrt() * v
        return b.sqrt() * clean + (1 - b).sqrt() * noise

    middle = step(x_t, velocity(x_t, t), t, t - 125)
    wanted = step(middle, velocity(middle, t - 125), t - 125, t - 250)
    jump = training.distil.jump_velocity(velocity, x_t, t, training.distil.Levels(levels), 4, 2)
    torch.testing.assert_close(step(x_t, jump, t, t - 250), wanted, atol=1e-4, rtol=1e-4)


def test_a_consistency_student_learns_what_it_sees_one_step_of_the_teacher_further_on(training):
    """Also from pure noise, where the schedule leaves no signal."""
    levels = training.diffusion.make_scheduler()
    x_t = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([999, 600, 300])

    def teacher(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) * (times.view(-1, 1, 1, 1) / 1000)

    def student(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return x.sin() + times.view(-1, 1, 1, 1) / 500

    levels.set_timesteps(50)  # diffusers' own DDIM, 20 times a step
    for i in range(3):
        now, x = int(t[i]), x_t[i : i + 1]
        there = levels.step(teacher(x, t[i : i + 1]), now, x).prev_sample
        seen = levels.step(student(there, t[i : i + 1] - 20), now - 20, there).pred_original_sample
        schedule = training.distil.Levels(levels.alphas_cumprod)
        learnt = training.distil.consistency_velocity(
            teacher, student, x, t[i : i + 1], schedule, 50
        )
        told = levels.step(learnt, now, x).pred_original_sample
        torch.testing.assert_close(told, seen, atol=1e-4, rtol=1e-4)


def test_the_last_step_of_a_consistency_student_is_the_teachers_alone(training):
    """The boundary condition: what is clean stays as it is, whatever the student says of it."""
    schedule = training.distil.Levels(training.diffusion.make_scheduler().alphas_cumprod)
    x_t, t = torch.randn(3, 4, 2, 2), torch.tensor([0, 7, 19])

    def teacher(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return x.cos()

    def student(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, 1e6)

    learnt = training.distil.consistency_velocity(teacher, student, x_t, t, schedule, 50)
    torch.testing.assert_close(learnt, teacher(x_t, t), atol=1e-3, rtol=1e-3)


def latents_of(training, dataset, n):
    """Latents of fresh composites and what they show."""
    pictures, records, vocabulary = training.dataset.load(dataset)
    tokenizer = training.pipeline.load_tokenizer(records, vocabulary)
    vae = training.sharpen.AutoencoderTiny.from_pretrained(AUTOENCODER)
    args = SimpleNamespace(bf16=False, size=64, cache=n, seed=0)
    weights = torch.tensor([record["weight"] for record in records])
    g = torch.Generator().manual_seed(7)
    drawings = torch.from_numpy(pictures)
    cache = training.latents.LatentCache(vae, tokenizer, drawings, records, weights, args, g)
    return cache.latents, [records[i]["concept"] for i in cache.index.tolist()]


def test_a_recogniser_knows_things_from_latents(training, dataset, recogniser):
    known = training.recogniser.load_recogniser(recogniser)
    latents, shown = latents_of(training, dataset, 128)
    said = [known.things[i] for i in known(latents).argmax(1).tolist()]
    assert sum(a == b for a, b in zip(said, shown, strict=True)) > 0.7 * len(
        shown
    )  # by chance a third


def test_a_folder_without_a_recogniser_is_refused(training, tmp_path):
    with pytest.raises(SystemExit, match="has no recogniser"):
        training.recogniser.load_recogniser(tmp_path)


def test_disturbed_latents_are_near_what_they_were(training):
    g = torch.Generator().manual_seed(0)
    flat = torch.full((256, 16, 8, 8), 3.0)
    off = training.recogniser.disturbed(flat, g) - flat
    assert 0.2 < off.std() < 0.7
    assert off.std((1, 2, 3)).amin() < 0.05  # some are hardly touched
    assert off.std((1, 2, 3)).amax() < 1.2 * training.recogniser.NOISE


def test_what_cannot_be_recognised_costs_more(training, dataset, recogniser, tmp_path):
    """And only where there is a caption of one thing: nobody asked for anything else."""
    words = ("--recogniser", str(recogniser), "--recognition", "1")
    student = student_of(training.distil.Distiller, training, dataset, tmp_path, *words)
    latents, shown = latents_of(training, dataset, 64)
    t = torch.full((len(latents),), 999)  # all noise: what is seen is all the student's own
    x_t = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    student.mask = torch.ones(len(latents), 1, 8, 8)
    records = student.records
    right = [next(i for i, r in enumerate(records) if r["concept"] == name) for name in shown]
    wrong = [next(i for i, r in enumerate(records) if r["concept"] != name) for name in shown]

    def cost(drawings, told=True, alone=True):
        every = torch.ones(len(drawings), dtype=torch.bool)
        batch = training.latents.Batch(
            latents, student.untold.repeat(len(drawings), 1), every & told, torch.tensor(drawings),
            every & alone,
        )  # fmt: skip
        return student.loss(-latents, -latents, x_t, t, batch).item()

    assert cost(right) < cost(wrong)
    assert cost(wrong, told=False) == 0
    assert cost(wrong, alone=False) == 0  # which of two things is meant nobody knows


def test_a_student_begins_where_an_older_one_was_and_its_teacher_has_come_since(training):
    layers = [torch.nn.Linear(3, 2) for _ in range(3)]
    teacher, student, before = layers
    wanted = student.weight + (teacher.weight - before.weight)
    with torch.no_grad():
        training.distil.begin_with(teacher, student, before)
    torch.testing.assert_close(teacher.weight, wanted)
