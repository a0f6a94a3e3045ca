"""An ensemble as a run asks it: whose text, mixed how, with what weight, at which step.

`voices` resolves a parsed `Ensemble` and a way of combining to the steps of one run: schedules,
ranges and turns become weights by step. `encoded` turns the voices of a batch into `Terms`, what
a denoiser is asked.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..condition import Terms, Text
from ..errors import InputError, PromptError
from ..models import Model
from ..terms import Active, Ensemble, Plain

HOW = {
    "mean": "the prompts' predictions averaged at every step; they share the guidance",
    "sum": "the predictions added up: every prompt adds its own guidance (AND of A1111)",
    "latents": "a step is taken for each prompt alone, then the latents are averaged",
    "lerp": "the encoded texts averaged into one",
    "slerp": "the encoded texts averaged along the arc between them",
    "alternate": "the prompts take turns, a step each",
    "switch": "one prompt after the other, a stretch of the steps each",
    "perp": "the first prompt, and of the others what is across it (Perp-Neg)",
    "max": "at each place the prompt that wants most",
    "superpose": "so that the picture becomes likelier under every prompt alike (SuperDiff AND)",
    "superpose-or": "one prompt or the other: whichever the picture comes to look like "
    "(SuperDiff OR)",
}
"""The ways of combining prompts."""

REGIONAL = ("mean", "sum", "perp", "max", "superpose")
"""Those in which a prompt may have an area of its own."""

ONE_SIDED = ("slerp", "alternate", "switch", "superpose-or")
"""Those in which "away from" has no meaning."""

Mix = tuple[tuple[Plain, float], ...]


@dataclass(frozen=True)
class Voice:
    """What is asked of the network as one row, at the steps where it counts.

    Attributes:
        term: The number of its prompt in the ensemble, or of the first of a mixture.
        mix: The texts that are mixed into one and their shares, which add up to 1. One as a rule.
        weight: For every step; 0 where it is silent.
    """

    term: int
    mix: Mix
    weight: tuple[float, ...]


def is_plain(ensemble: Ensemble) -> bool:
    """Whether it is one text at all steps at its usual weight: nothing is to be combined."""
    term = ensemble.terms[0]
    whole = (term.weight, term.start, term.end) == (1, 0, 1)
    return len(ensemble.terms) == 1 and whole and not term.changes


@functools.lru_cache(maxsize=256)
def voices(ensemble: Ensemble, how: str, steps: int) -> tuple[Voice, ...]:
    """The voices of an ensemble in a run of so many steps, in the order of its prompts.

    Raises:
        InputError: Unknown way of combining.
        PromptError: Weights that this way cannot use, or nothing is ever asked for.
    """
    if how not in HOW:
        raise InputError(f"--how {how!r} is not known: choose one of {', '.join(HOW)}")
    found: dict[tuple[int, Mix], list[float]] = {}
    credit = [0.0] * len(ensemble.terms)
    for step in range(steps):
        heard = {}
        for number, term in enumerate(ensemble.terms):
            active = term.at(step, steps)
            if active is not None:
                heard[number] = active
        _check_weights(heard, how, step, steps)
        if how == "alternate":
            heard = _turn(heard, credit)
        elif how == "switch":
            heard = _stretch(heard, step, steps)
        if how in ("lerp", "slerp") and heard:
            key = min(heard), _mixed(heard.values())
            found.setdefault(key, [0.0] * steps)[step] = 1.0
        else:
            for number, active in heard.items():
                key = number, ((active.text, 1.0),)
                found.setdefault(key, [0.0] * steps)[step] = active.weight
    if not found:
        raise PromptError(f"no prompt counts at any of the {steps} steps")
    ordered = sorted(found, key=lambda key: key[0])
    return tuple(Voice(*key, tuple(found[key])) for key in ordered)


def rows(asked: Sequence[Voice], how: str) -> int:
    """Network rows of a whole run with guidance: one a voice and step, and the unconditional."""
    heard = [sum(weight != 0 for weight in step) for step in _by_step(asked)]
    if how == "latents":
        return 2 * len(asked) * len(heard)  # each prompt is guided by itself, heard or not
    return sum(heard) + len(heard)


def silent(asked: Sequence[Voice]) -> bool:
    """Whether there is a step at which nothing is asked for."""
    return any(not any(step) for step in _by_step(asked))


def side_by_side(asked: Sequence[Voice], how: str) -> bool:
    """Whether there is a step at which several prompts guess the same picture."""
    return how != "latents" and any(sum(w != 0 for w in step) > 1 for step in _by_step(asked))


def _by_step(asked: Sequence[Voice]) -> list[tuple[float, ...]]:
    return list(zip(*(voice.weight for voice in asked), strict=True))


def _check_weights(heard: dict[int, Active], how: str, step: int, steps: int) -> None:
    if how == "latents" and not heard:
        raise PromptError(
            f"no prompt counts at step {step + 1} of {steps}: --how latents needs one"
        )
    if how in ONE_SIDED and any(active.weight < 0 for active in heard.values()):
        raise PromptError(f"--how {how} takes no negative weights: choose sum or perp")
    total = sum(active.weight for active in heard.values())
    if how in ("mean", "latents", "lerp") and heard and total < 1e-6:
        raise PromptError(
            f"the weights add up to {total:.4g} at step {step + 1} of {steps}: --how {how} shares "
            "one guidance out and needs a sum above 0; choose sum or perp"
        )


def _turn(heard: dict[int, Active], credit: list[float]) -> dict[int, Active]:
    """The one whose turn it is: each earns its share of a step, and a turn costs one step."""
    total = sum(active.weight for active in heard.values())
    for number, active in heard.items():
        credit[number] += active.weight / total
    # A hair of floating point must not decide whose turn it is.
    chosen = max(heard, key=lambda number: round(credit[number], 6), default=None)
    if chosen is None:
        return {}
    credit[chosen] -= 1
    return {chosen: heard[chosen]._replace(weight=1.0)}


def _stretch(heard: dict[int, Active], step: int, steps: int) -> dict[int, Active]:
    """The one in whose stretch a step is; stretches are as long as the weights say."""
    ends = list(itertools.accumulate(active.weight for active in heard.values()))
    for number, end in zip(heard, ends, strict=True):
        if (step + 0.5) / steps * ends[-1] < end:
            return {number: heard[number]._replace(weight=1.0)}
    return {}


def _mixed(heard: Iterable[Active]) -> Mix:
    shares: dict[Plain, float] = {}
    for active in heard:
        shares[active.text] = shares.get(active.text, 0.0) + active.weight
    total = sum(shares.values())
    return tuple((text, share / total) for text, share in shares.items())


def encoded(
    model: Model,
    asked: Sequence[Sequence[Voice]],
    times: Tensor,
    regions: Sequence[Tensor | None],
    size: tuple[int, int],
    spherical: bool = False,
) -> Terms:
    """The voices of a batch as `Terms`.

    Args:
        asked: The voices of each picture, of as many steps as it runs.
        times: ``(n + 1, B)``, the time grid of the batch; see `sample`.
        regions: For each picture ``(prompts, H, W)`` in 0..1 or ``None`` for everywhere.
        size: ``(h, w)`` of the latents.
        spherical: Mix texts by slerp, not lerp.
    """
    count = max(map(len, asked))
    weight = torch.zeros(len(asked), count, len(model.schedule), device=model.device)
    texts = []
    for picture, spoken in enumerate(asked):
        run = times[-len(spoken[0].weight) - 1 : -1, picture].round().long()
        for number, voice in enumerate(spoken):
            weight[picture, number, run] = torch.tensor(voice.weight, device=model.device)
            texts.append(mixed(model, voice.mix, spherical))
        texts += [texts[-1]] * (count - len(spoken))
    text = Text.cat(texts)
    rows = text._map(lambda value: value.unflatten(0, (len(asked), count)))
    return Terms(rows, weight, _areas(asked, regions, size, count, model.device))


def _areas(
    asked: Sequence[Sequence[Voice]],
    regions: Sequence[Tensor | None],
    size: tuple[int, int],
    count: int,
    device: torch.device,
) -> Tensor | None:
    if all(region is None for region in regions):
        return None
    area = torch.ones(len(asked), count, *size)
    for picture, (spoken, region) in enumerate(zip(asked, regions, strict=True)):
        if region is not None:
            small = F.adaptive_avg_pool2d(region[None], size)[0]
            for number, voice in enumerate(spoken):
                area[picture, number] = small[voice.term]
    return area.to(device)


def mixed(model: Model, mix: Mix, spherical: bool) -> Text:
    """A mixture of encoded texts, one row; a single one is what it is, bit for bit."""
    texts = [model.encode_prompts([text]) for text, _ in mix]
    shares = [share for _, share in mix]

    def join(values: Sequence[Tensor]) -> Tensor:
        if len(values) == 1:
            return values[0]
        if not spherical:
            weighted = [value * share for value, share in zip(values, shares, strict=True)]
            return torch.stack(weighted).sum(0)
        joined, held = values[0], shares[0]
        for value, share in zip(values[1:], shares[1:], strict=True):
            held += share
            joined = slerp(joined, value, share / held)
        return joined

    pooled = [text.pooled for text in texts if text.pooled is not None]
    return Text(join([text.tokens for text in texts]), join(pooled) if pooled else None)


def slerp(a: Tensor, b: Tensor, along: float) -> Tensor:
    r"""From ``a`` to ``b`` along the arc between them, vectors in the last dimension.

    :math:`\frac{\sin((1 - s)\theta)}{\sin\theta} a + \frac{\sin(s\theta)}{\sin\theta} b`
    (Shoemake 1985) with :math:`\theta` their angle; a straight line where there is hardly any, or
    where they are opposite and every arc is as good.
    """
    wide = torch.promote_types(a.dtype, torch.float32)
    x, y = a.to(wide), b.to(wide)
    cosine = F.cosine_similarity(x, y, dim=-1, eps=1e-12)[..., None].clamp(-1, 1)
    theta = cosine.acos()
    sine = theta.sin()
    arc = (((1 - along) * theta).sin() * x + (along * theta).sin() * y) / sine.clamp(min=1e-6)
    return torch.where(sine > 1e-4, arc, x.lerp(y, along)).to(a.dtype)
