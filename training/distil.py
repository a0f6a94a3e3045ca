"""Distil a guided denoiser into one that needs no guidance, so that a step costs half.

The student learns what the teacher says with classifier-free guidance, on the same noisy pictures
(guided distillation, stage one of Meng et al. 2023, https://arxiv.org/abs/2210.03142, with one
fixed scale). The teacher's answers have no noise of their own, so far fewer pictures are needed
than from data. For an empty caption the student learns the unconditional teacher, and so it can
still be guided away from a negative prompt.
"""

import torch
from diffusion import Trainer, encode_unique, load_models, parser, run
from text import tokenize
from torch import Tensor


class Distiller(Trainer):
    """A `Trainer` whose target is a guided teacher: the models of `--start`, frozen."""

    def __init__(self, vae, records: list[dict], vocabulary: list[str], args):
        super().__init__(vae, records, vocabulary, args)
        _, teacher = load_models(args.start)
        self.teacher = teacher.requires_grad_(False).eval()
        if not args.bf16:
            self.teacher = self.teacher.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def target(self, x_t: Tensor, v: Tensor, t: Tensor, texts: list[str]) -> Tensor:
        """The teacher's velocity at `args.guidance`."""
        ids = tokenize(self.tokenizer, [*texts, *[""] * len(texts)])
        states = encode_unique(self.teacher["text"], ids)
        both = self.teacher["unet"](x_t.repeat(2, 1, 1, 1), t.repeat(2), states, return_dict=False)
        asked, empty = both[0].float().chunk(2)
        return empty + self.args.guidance * (asked - empty)


def main() -> None:
    arguments = parser(__doc__.splitlines()[0])
    arguments.set_defaults(minutes=15, lr=3e-4)
    arguments.add_argument("--guidance", type=float, default=3.0, help="scale of the teacher")
    args = arguments.parse_args()
    if args.start is None:
        arguments.error("--start: the exported folder of the teacher is needed")
    run(Distiller, args)


if __name__ == "__main__":
    main()
