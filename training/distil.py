"""Distil a denoiser into one that needs no guidance, or few steps, or both.

**No guidance.** The student learns what the teacher says with classifier-free guidance, on the
same noisy pictures (guided distillation, stage one of Meng et al. 2023,
https://arxiv.org/abs/2210.03142, with one fixed scale), so that a step costs half. The teacher's
answers have no noise of their own, so far fewer pictures are needed than from data. For an empty
caption the student learns the unconditional teacher, and so it can still be guided away from a
negative prompt.

**Few steps** (``--few-steps``). The student learns to go in one step where the teacher goes in
several: progressive distillation (Salimans and Ho 2022, https://arxiv.org/abs/2202.00512). The
step is as long as one of that many, but starts anywhere in time and not on one grid only, because
image-to-image starts between. What comes out is sampled by DDIM as before.

**Consistency** (``--consistency``). The student learns to say at any time what it says itself one
short step of the teacher's further on, and so, step by step, what is at the end of the way: latent
consistency distillation (Luo et al. 2023, https://arxiv.org/abs/2310.04378), with the student
itself, not an average of it, as the one that is asked (Song and Dhariwal 2023,
https://arxiv.org/abs/2310.14189). What comes out is sampled by ``lcm``, which adds noise after
every step.

Both of these need ``--masked 0``: their teacher walks several steps, in which nothing puts back
what is around a masked area. Without them a teacher that knows masked areas (``diffusion.py
--masked``) teaches them along with the rest.

A student of a teacher that has learnt more need not begin anew (``--student`` and ``--before``): it
begins with the old student and what the teacher has learnt since, weight by weight (task
arithmetic: Ilharco et al. 2023, https://arxiv.org/abs/2212.04089).

Shortcut models (Frans et al. 2024, https://arxiv.org/abs/2410.12557) are not here. Their network
is told the length of its step. diffusers' has a way in (``time_cond_proj_dim``), but checkpoints
use it for the guidance scale, and that is what this package's loader gives it: it would take a new
kind of checkpoint and a denoiser that knows where the sampler goes next.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import LCMScheduler
from diffusion import Trainer, encode, parser, run
from latents import Batch
from PIL import Image
from pipeline import contact_sheet, load_models
from recogniser import disturbed, load_recogniser
from text import tokenize
from torch import Tensor, nn

Velocity = Callable[[Tensor, Tensor], Tensor]  # noisy latents (B, C, H, W) and times (B,) to v


class Levels:
    """How much signal and noise there is at times (B,): 0 to T - 1, and -1, which is clean.

    A velocity says the clean latents as ``signal z - spread v``. Where all is noise that is
    ``-v``, and where all is clean it is ``z`` whatever the network says: so a consistency model
    needs no other skip connection to agree with its boundary condition.
    """

    def __init__(self, alphas_cumprod: Tensor):
        """`alphas_cumprod` is (T,); the last may be 0."""
        self.total = len(alphas_cumprod)
        alpha_bar = torch.cat([alphas_cumprod, alphas_cumprod.new_ones(1)])  # the last: index -1
        self.signals, self.spreads = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def signal(self, t: Tensor) -> Tensor:
        return self.signals[t].view(-1, 1, 1, 1)

    def spread(self, t: Tensor) -> Tensor:
        return self.spreads[t].view(-1, 1, 1, 1)

    def clean(self, velocity: Velocity, z: Tensor, t: Tensor) -> Tensor:
        """The clean latents that a network sees in `z`."""
        return self.signal(t) * z - self.spread(t) * velocity(z, t.clamp(min=0))

    def velocity(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """What a network must say of `z` at times of 0 or more to see `x`."""
        return (self.signal(t) * z - x) / self.spread(t)

    def step(self, velocity: Velocity, z: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """Where a DDIM step leads from times `t` to `s`; from clean it leads nowhere."""
        v = velocity(z, t.clamp(min=0))
        x = self.signal(t) * z - self.spread(t) * v
        noise = self.spread(t) * z + self.signal(t) * v
        return torch.where(
            (t < 0).view(-1, 1, 1, 1), z, self.signal(s) * x + self.spread(s) * noise
        )

    def later(self, t: Tensor, steps: int) -> Tensor:
        """The times one of `steps` further on, clean at the latest."""
        return (t - self.total // steps).clamp(min=-1)


def jump_velocity(
    teacher: Velocity, x_t: Tensor, t: Tensor, levels: Levels, steps: int, substeps: int
) -> Tensor:
    """The velocity that takes one DDIM step of the length of one of `steps` to where `substeps` of
    the teacher lead.

    Args:
        teacher: Says velocities.
        x_t: Noisy latents, (B, C, H, W).
        t: Their times, (B,), int64, 0 to T - 1.
        levels: The schedule.
        steps: The student's, from noise to clean.
        substeps: Of the teacher, for one of the student's.
    """
    end, z, now = levels.later(t, steps), x_t, t
    for i in range(1, substeps + 1):
        later = t + (end - t) * i // substeps
        z, now = levels.step(teacher, z, now, later), later
    # The clean latents that a single DDIM step would have needed to guess to arrive there.
    shrink = levels.spread(end) / levels.spread(t)
    x = (z - shrink * x_t) / (levels.signal(end) - shrink * levels.signal(t))
    return levels.velocity(x, x_t, t)


def consistency_velocity(
    teacher: Velocity, student: Velocity, x_t: Tensor, t: Tensor, levels: Levels, steps: int
) -> Tensor:
    """The velocity of the clean latents that the student sees one of the teacher's `steps` further
    on (Luo et al. 2023, algorithm 1); the arguments are those of `jump_velocity`."""
    end = levels.later(t, steps)
    x = levels.clean(student, levels.step(teacher, x_t, t, end), end)
    return levels.velocity(x, x_t, t)


def begin_with(teacher: nn.Module, student: nn.Module, before: nn.Module) -> None:
    """Turn a teacher's weights into a student's: those of the `student` of the teacher as it was
    `before`, and what the teacher has learnt since."""
    old, since = dict(student.named_parameters()), dict(before.named_parameters())
    for name, value in teacher.named_parameters():
        value += (old[name] - since[name]).to(value.device)


class Distiller(Trainer):
    """A `Trainer` whose target is a teacher: the models of `--start`, frozen."""

    def __init__(self, vae, records: list[dict], vocabulary: list[str], args):
        super().__init__(vae, records, vocabulary, args)
        _, teacher = load_models(args.start)
        self.teacher = teacher.requires_grad_(False).eval().to(args.device)
        if self.channels_last:
            self.teacher = self.teacher.to(memory_format=torch.channels_last)
        if args.student:
            _, student = load_models(args.student)
            _, before = load_models(args.before)
            with torch.no_grad():
                for models in (self.models, self.average):
                    begin_with(models, student, before)
        self.untold = tokenize(self.tokenizer, [""]).to(args.device)
        self.levels = Levels(self.alphas_cumprod)
        if args.recogniser:
            self.recogniser = load_recogniser(args.recogniser).to(args.device)
            place = {name: i for i, name in enumerate(self.recogniser.things)}
            things = torch.tensor([place[record["concept"]] for record in records])
            self.things = things.to(args.device)

    def loss(
        self, predicted: Tensor, wanted: Tensor, x_t: Tensor, t: Tensor, batch: Batch
    ) -> Tensor:
        """That of a `Trainer`; and how unlikely a recogniser finds the thing in the picture that
        the student sees, where there is a caption of one thing."""
        loss = super().loss(predicted, wanted, x_t, t, batch)
        if not self.args.recogniser:
            return loss
        clean = self.seen(predicted, x_t, t, batch)
        return loss + self.args.recognition * self.unlikely(clean, batch).mean()

    def seen(self, predicted: Tensor, x_t: Tensor, t: Tensor, batch: Batch) -> Tensor:
        """The clean latents that a network sees, which are given around masked areas."""
        clean = self.levels.signal(t) * x_t - self.levels.spread(t) * predicted
        return torch.lerp(batch.latents, clean, self.mask)

    def unlikely(self, clean: Tensor, batch: Batch) -> Tensor:
        """How unlikely the recogniser finds what was asked for (B,); 0 if not one thing was."""
        says = self.recogniser(disturbed(clean, self.noise))
        surprise = -says.gather(1, self.things[batch.drawing].unsqueeze(1)).squeeze(1)
        return surprise * (batch.told & batch.alone)

    def sheet(self) -> Image.Image:
        """Pictures without guidance, in as few steps as are taught, by the sampler that suits."""
        pipeline, steps = self.pipeline(), self.args.few_steps or 10
        if self.args.consistency:
            pipeline.scheduler, steps = LCMScheduler.from_config(self.scheduler.config), 4
        return contact_sheet(pipeline, steps=steps, guidance=1.0)

    @torch.no_grad()
    def target(self, x_t: Tensor, v: Tensor, t: Tensor, batch: Batch) -> Tensor:
        """The teacher's velocity at `args.guidance`, or what it teaches of few steps."""
        teacher = self.guided_teacher(batch.ids)
        if self.args.few_steps:
            steps, substeps = self.args.few_steps, self.args.substeps
            return jump_velocity(teacher, x_t, t, self.levels, steps, substeps)
        if self.args.consistency:
            student = self.says(self.models, batch.ids)
            steps = self.args.consistency
            return consistency_velocity(teacher, student, x_t, t, self.levels, steps)
        return teacher(x_t, t)

    def says(self, models: nn.ModuleDict, ids: Tensor) -> Velocity:
        """What models say of latents with captions."""
        states = encode(models["text"], ids)

        def velocity(x: Tensor, times: Tensor) -> Tensor:
            return models["unet"](x, times, states, return_dict=False)[0].float()

        return velocity

    def guided_teacher(self, ids: Tensor) -> Velocity:
        """What the teacher says with classifier-free guidance of `args.guidance`."""
        if self.args.guidance == 1:
            return self.says(self.teacher, ids)
        both = self.with_and_without(ids)

        def velocity(x: Tensor, times: Tensor) -> Tensor:
            asked, empty = both(x, times)
            return empty + self.args.guidance * (asked - empty)

        return velocity

    def with_and_without(self, ids: Tensor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What the teacher says with captions, and with none."""
        twice = self.says(self.teacher, torch.cat([ids, self.untold.expand_as(ids)]))
        return lambda x, times: twice(x.repeat(2, 1, 1, 1), times.repeat(2)).chunk(2)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    known = parser(__doc__.splitlines()[0])
    known.set_defaults(minutes=15, lr=3e-4)
    known.add_argument(
        "--guidance", type=float, default=3.0, help="of the teacher; 1 if it needs none"
    )
    known.add_argument("--student", type=Path, help="exported folder: an older student")
    known.add_argument("--before", type=Path, help="exported folder: the teacher of that time")
    few = known.add_mutually_exclusive_group()
    few.add_argument("--few-steps", type=int, help="steps of the student: progressive distillation")
    few.add_argument(
        "--consistency", type=int, help="steps of the teacher from noise to clean, 50 as a rule"
    )
    known.add_argument("--substeps", type=int, default=2, help="of the teacher for --few-steps")
    known.add_argument(
        "--recogniser", type=Path, help="folder of recogniser.py: learn to be recognised as well"
    )
    known.add_argument(
        "--recognition", type=float, default=0.01, help="how much that counts, beside the teacher"
    )
    return known


def checked(known: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments of a command line, or its error where they do not go together."""
    args = known.parse_args()
    if args.start is None:
        known.error("--start: the exported folder of the teacher is needed")
    if (args.student is None) != (args.before is None):
        known.error("--student and --before go together: an older student, and its teacher then")
    for name in ("few_steps", "substeps", "consistency"):
        if (value := getattr(args, name)) is not None and not 1 <= value <= 1000:
            known.error(f"--{name.replace('_', '-')} {value}: 1 to 1000")
    if args.masked and (args.few_steps or args.consistency):
        known.error("--masked: 0 with --few-steps or --consistency, which walk without a mask")
    return args


def main() -> None:
    run(Distiller, checked(arguments()))


if __name__ == "__main__":
    main()
