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
image-to-image starts between. What comes out is sampled by DDIM as before; a consistency model
would need a sampler that adds noise after every step, and a shortcut model a network that is told
the length of the step, which diffusers' does not take.
"""

from collections.abc import Callable

import torch
from diffusion import Trainer, encode_unique, parser, run
from pipeline import load_models
from text import tokenize
from torch import Tensor


def jump_velocity(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x_t: Tensor,
    t: Tensor,
    alphas_cumprod: Tensor,
    steps: int,
    substeps: int,
) -> Tensor:
    """The velocity that takes one DDIM step of the length of one of `steps` to where `substeps` of
    the teacher lead.

    Args:
        velocity: The teacher: noisy latents and times (B,) to velocities.
        x_t: Noisy latents, (B, C, H, W).
        t: Their times, (B,), int64, 0 to one less than `alphas_cumprod` has.
        alphas_cumprod: The schedule, (T,); the last may be 0.
        steps: The student's, from noise to clean.
        substeps: Of the teacher, for one of the student's.
    """
    # One more at the end, for index -1: clean.
    signal = torch.cat([alphas_cumprod, alphas_cumprod.new_ones(1)]).sqrt()
    spread = (1 - signal.square()).sqrt()

    def at(levels: Tensor, times: Tensor) -> Tensor:
        return levels[times].view(-1, 1, 1, 1)

    end = (t - len(alphas_cumprod) // steps).clamp(min=-1)
    z, now = x_t, t
    for i in range(1, substeps + 1):
        later = t + (end - t) * i // substeps
        v = velocity(z, now.clamp(min=0))
        x, noise = (
            at(signal, now) * z - at(spread, now) * v,
            at(spread, now) * z + at(signal, now) * v,
        )
        z = torch.where(
            (now < 0).view(-1, 1, 1, 1), z, at(signal, later) * x + at(spread, later) * noise
        )
        now = later
    # The clean latents that a single DDIM step would have needed to guess to arrive there.
    shrink = at(spread, end) / at(spread, t)
    x = (z - shrink * x_t) / (at(signal, end) - shrink * at(signal, t))
    return (at(signal, t) * x_t - x) / at(spread, t)


class Distiller(Trainer):
    """A `Trainer` whose target is a teacher: the models of `--start`, frozen."""

    def __init__(self, vae, records: list[dict], vocabulary: list[str], args):
        super().__init__(vae, records, vocabulary, args)
        _, teacher = load_models(args.start)
        self.teacher = teacher.requires_grad_(False).eval()
        if not args.bf16:
            self.teacher = self.teacher.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def target(self, x_t: Tensor, v: Tensor, t: Tensor, texts: list[str]) -> Tensor:
        """The teacher's velocity at `args.guidance`, of one step or of `args.few_steps`'."""
        guided = self.args.guidance != 1
        ids = tokenize(self.tokenizer, [*texts, *[""] * len(texts)] if guided else texts)
        states = encode_unique(self.teacher["text"], ids)

        def velocity(x: Tensor, times: Tensor) -> Tensor:
            if not guided:
                return self.teacher["unet"](x, times, states, return_dict=False)[0].float()
            twice = x.repeat(2, 1, 1, 1), times.repeat(2)
            both = self.teacher["unet"](*twice, states, return_dict=False)[0]
            asked, empty = both.float().chunk(2)
            return empty + self.args.guidance * (asked - empty)

        if self.args.few_steps is None:
            return velocity(x_t, t)
        levels = self.scheduler.alphas_cumprod
        return jump_velocity(velocity, x_t, t, levels, self.args.few_steps, self.args.substeps)


def main() -> None:
    arguments = parser(__doc__.splitlines()[0])
    arguments.set_defaults(minutes=15, lr=3e-4)
    arguments.add_argument(
        "--guidance", type=float, default=3.0, help="of the teacher; 1 if it needs none"
    )
    arguments.add_argument(
        "--few-steps", type=int, help="steps of the student; without it only guidance is distilled"
    )
    arguments.add_argument("--substeps", type=int, default=2, help="of the teacher for one of them")
    args = arguments.parse_args()
    if args.start is None:
        arguments.error("--start: the exported folder of the teacher is needed")
    if args.few_steps is not None and (args.few_steps < 1 or args.substeps < 1):
        arguments.error("--few-steps and --substeps: 1 or more")
    run(Distiller, args)


if __name__ == "__main__":
    main()
