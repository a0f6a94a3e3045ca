"""What was found about the colours of pictures in a frame, in words that follow from its figures.

What is within its error of nothing is not called a cause. Parameters are in backquotes, as in
`events`.
"""

from __future__ import annotations

import numpy as np

from .findings import GREY, LITTLE, SEEN, Findings, Influence, Interval, causes
from .trials import LEAK, PHOTO, Plan


def words(found: Findings, plan: Plan, seeds: int) -> list[str]:
    """What was found, a paragraph each."""
    return [
        _free(found),
        _masked(found, plan, seeds),
        _wall(found, plan, seeds),
        *_others(found, plan, seeds),
        _sum(found, plan),
    ]


def _free(found: Findings) -> str:
    text = (
        f"Painted freely, without a room, this prompt has a chroma of {_plus_minus(found.chroma)}; "
        f"below {GREY:g} most people say grey."
    )
    if found.chroma.high < GREY:
        return text + (
            " So the prompt is grey by itself, and no frame is needed to explain grey pictures."
        )
    if found.chroma.low < GREY:
        return text + " So the prompt is near grey by itself."
    return text + " So the prompt is not to blame."


def _masked(found: Findings, plan: Plan, seeds: int) -> str:
    parts = [
        f"at `strength` {strength:g} {_in_words(influence)}"
        for strength, influence in sorted(found.masked.items())
    ]
    influences = [*found.masked.values(), found.through]
    strongest = _strongest(influences)
    text = f"The masked area. {_verdict(strongest, 'What is in it', seeds)} When painting starts "
    text += f"from it, {'; '.join(parts)}. From noise alone {_in_words(found.through)}"
    if any(value.sure for value in (found.through.lightness, found.through.colour)):
        text += (
            ", because the autoencoder's latents around it hold something of what is in it; so it "
            "is filled with the colours around it before painting."
        )
    else:
        text += "."
    leak = found.against_base[plan.fills[LEAK][PHOTO].name]
    text += (
        f" In this photo it is {_described(found.masked_colour)}: from it, at `strength` {LEAK:g}, "
        f"pictures have {_share(leak.chroma)} of the chroma that they have from noise"
        f"{_lighter(leak.lighter)}."
    )
    return text


def _wall(found: Findings, plan: Plan, seeds: int) -> str:
    parts = [
        f"with `room` {room:g} {_in_words(influence)}"
        for room, influence in sorted(found.room.items())
    ]
    strongest = _strongest(list(found.room.values()))
    base = found.effects[plan.base.name]
    return (
        f"The room. {_verdict(strongest, 'Its colour', seeds)} Painted from noise, "
        + "; ".join(parts)
        + f". In this photo it is {_described(found.room_colour)}: in it pictures have "
        f"{_share(base.chroma)} of the chroma that they have without a room, and "
        f"{_share(base.contrast)} of the contrast{_lighter(base.lighter)}."
    )


def _others(found: Findings, plan: Plan, seeds: int) -> list[str]:
    lines = []
    for trial in plan.steps:
        if trial != plan.base:
            effect = found.against_base[trial.name]
            lines.append(f"{trial.params.steps} steps give {_share(effect.chroma)}")
    text = (
        f"The steps. Against {plan.base.params.steps} steps, "
        + " and ".join(lines)
        + " of the chroma"
    )
    changed = [
        _far(found.against_base[trial.name].distance) for trial in plan.steps if trial != plan.base
    ]
    if any(changed):
        text += "; they change the mean colour visibly."
    else:
        text += "; they do not change the mean colour visibly."
    found_cures = [
        f"{name} gives {_share(found.against_base[trial.name].chroma)} of the chroma and "
        f"{_share(found.against_base[trial.name].contrast)} of the contrast"
        for name, trial in plan.cures.items()
    ]
    cures = ["What else may help, against painting from noise: " + "; ".join(found_cures) + "."]
    return [text, *(cures if found_cures else [])]


def _sum(found: Findings, plan: Plan) -> str:
    losses = [c for c in causes(found, plan) if c.sure and c.chroma.value < 1 - LITTLE]
    if not losses:
        return (
            "In sum: nothing that was tried takes colour away here. Where pictures are grey all "
            "the same, it is the prompt or the model."
        )
    first = losses[0]
    text = (
        f"In sum: what takes most colour away here is {first.name}: {_share(first.chroma)} is "
        f"left. {first.mend[0].upper()}{first.mend[1:]}."
    )
    others = [f"{cause.name} ({_share(cause.chroma)} left)" for cause in losses[1:]]
    return text + (f" Then {'; '.join(others)}." if others else " Nothing else does for certain.")


def _strongest(influences: list[Influence]) -> Interval:
    """The slope furthest from 0 among those that are told from chance; of all if none is."""
    values = [value for each in influences for value in (each.lightness, each.colour)]
    return max(values, key=lambda value: (value.sure, abs(value.value)))


def _verdict(value: Interval, what: str, seeds: int) -> str:
    if max(abs(value.low), abs(value.high)) < LITTLE:
        return f"{what} pulls nothing worth speaking of."
    if not value.sure:
        return f"Whether {what[0].lower()}{what[1:]} pulls cannot be told from {seeds} seeds."
    if value.value < 0:
        return f"{what} pushes away: the picture goes against it."
    if value.value >= 0.5:
        return f"{what} pulls strongly."
    return f"{what} pulls." if value.value >= 0.15 else f"{what} pulls a little."


def _in_words(influence: Influence) -> str:
    return (
        f"{_share(influence.lightness)} of its lightness and {_share(influence.colour)} of its "
        "colour come through"
    )


def _share(value: Interval) -> str:
    return f"{100 * value.value:.0f} % ± {100 * value.error:.0f}"


def _plus_minus(value: Interval) -> str:
    return f"{value.value:.3f} ± {value.error:.3f}"


def _lighter(value: Interval) -> str:
    if not value.sure or abs(value.value) < SEEN:
        return ""
    return f", and are {'lighter' if value.value > 0 else 'darker'} by {abs(value.value):.2f}"


def _far(value: Interval) -> bool:
    return value.low > SEEN


def _described(lab: np.ndarray) -> str:
    """A colour in words, with its figures."""
    lightness, chroma = float(lab[0]), float(np.hypot(lab[1], lab[2]))
    light = "dark" if lightness < 0.4 else "of middle lightness" if lightness < 0.7 else "light"
    figures = f"lightness {lightness:.2f}, chroma {chroma:.3f}"
    if chroma < GREY:
        return f"{light} and nearly grey ({figures})"
    return f"{light} and {_hue(lab)} ({figures})"


def _hue(lab: np.ndarray) -> str:
    """The nearest of eight hues, by angle in OKLab."""
    angle = float(np.degrees(np.arctan2(lab[2], lab[1]))) % 360
    return min(_HUES, key=lambda hue: min(abs(angle - hue[0]), 360 - abs(angle - hue[0])))[1]


_HUES = (
    *((25, "red"), (60, "orange"), (105, "yellow"), (145, "green")),
    *((195, "turquoise"), (255, "blue"), (305, "violet"), (350, "pink")),
)
