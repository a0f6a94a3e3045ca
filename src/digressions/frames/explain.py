"""What an experiment's measurements say about the colours of a frame: figures, then words.

The words follow from the figures: what is within its error of nothing is not called a cause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .experiment import Measured
from .pulls import Estimate, estimate, moved, share_of, slope
from .trials import LEAK, PHOTO, Plan, Subject, Trial

GREY = 0.045  # chroma below which most people call a picture grey
SEEN = 0.02  # of OKLab: two even areas side by side this far apart look different
LITTLE = 0.05  # a twentieth of a cause comes through, or of the chroma is lost


@dataclass(frozen=True)
class Pull:
    """How much of a cause's colour comes through, 0 nothing, 1 all of it.

    Attributes:
        lightness, colour: Slopes over the lightness and over the two colour axes.
    """

    lightness: Estimate
    colour: Estimate


@dataclass(frozen=True)
class Effect:
    """A trial against another one.

    Attributes:
        chroma: How colourful it is, as a share of the other one.
        contrast: As a share of the other one.
        lighter: Difference in mean lightness, 0..1.
        distance: Between the mean colours, in OKLab.
    """

    chroma: Estimate
    contrast: Estimate
    lighter: Estimate
    distance: Estimate


@dataclass(frozen=True)
class Findings:
    """All figures of an experiment.

    Attributes:
        hole: Pull of what is in the hole, by strength, when the picture starts from it.
        through: Pull of what is in the hole when the picture starts from noise; it goes by way of
            the autoencoder.
        wall: Pull of the room's colour, by the amount of room, when it starts from noise.
        effects: Every trial against the free painting, by the trial's name.
        against_base: Every trial against the one from noise.
        chroma: Of the free painting.
        hole_colour, room_colour, free_colour: Mean OKLab ``(3,)``.
    """

    hole: dict[float, Pull]
    through: Pull
    wall: dict[float, Pull]
    effects: dict[str, Effect]
    against_base: dict[str, Effect]
    chroma: Estimate
    hole_colour: np.ndarray
    room_colour: np.ndarray
    free_colour: np.ndarray


def findings(plan: Plan, subject: Subject, measured: dict[Trial, Measured]) -> Findings:
    """Works the figures out."""
    inside, around = subject.colours(plan.unclosed[PHOTO])

    def pull(trials: dict[str, Trial], of: int) -> Pull:
        given = np.array([subject.colours(trial)[of] for trial in trials.values()])
        return _pull(given, np.array([measured[trial].colour for trial in trials.values()]))

    return Findings(
        hole={strength: pull(fills, 0) for strength, fills in plan.fills.items()},
        through=pull(plan.unclosed, 0),
        wall={room: pull(walls, 1) for room, walls in plan.walls.items()},
        effects={t.name: compared(measured[plan.free], measured[t]) for t in plan.trials},
        against_base={t.name: compared(measured[plan.base], measured[t]) for t in plan.trials},
        chroma=estimate(measured[plan.free].chroma),
        hole_colour=inside,
        room_colour=around,
        free_colour=measured[plan.free].colour.mean(0),
    )


def _pull(given: np.ndarray, painted: np.ndarray) -> Pull:
    return Pull(
        slope(given[:, :1], painted[:, :, :1]),
        slope(given[:, 1:], painted[:, :, 1:]),
    )


def compared(reference: Measured, trial: Measured) -> Effect:
    """A trial's pictures against those of another one with the same seeds."""
    return Effect(
        share_of(trial.chroma, reference.chroma),
        share_of(trial.contrast, reference.contrast),
        estimate(trial.colour[:, 0] - reference.colour[:, 0]),
        moved(reference.colour, trial.colour),
    )


@dataclass(frozen=True)
class Cause:
    """Something that takes colour away, or adds it.

    Attributes:
        name: As the sentence begins.
        chroma: Of pictures with it, as a share of those without it.
        mend: What to do about it.
    """

    name: str
    chroma: Estimate
    mend: str

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 1, no effect."""
        return self.chroma.low > 1 or self.chroma.high < 1


def causes(found: Findings, plan: Plan) -> list[Cause]:
    """What was tried, the greatest loss of colour first."""
    tried = [
        Cause(
            f"starting from what is in the hole at strength {strength:g}",
            found.against_base[fills[PHOTO].name].chroma,
            "start from noise (--hole noise --strength 1, as it is by default), or put colours "
            "there (--palette)",
        )
        for strength, fills in plan.fills.items()
    ]
    tried += [
        Cause(
            "what is in the hole, seen through the autoencoder",
            found.against_base[plan.unclosed[PHOTO].name].chroma,
            "close it before it is encoded (--hole noise does)",
        ),
        Cause(
            f"the room around it (--room {plan.base.room:g})",
            found.effects[plan.base.name].chroma,
            "show less of the room (--room 0 shows nothing), or put colours into the hole "
            "(--palette)",
        ),
        Cause(
            f"starting from noise at strength {LEAK:g}",
            found.against_base[plan.noise.name].chroma,
            "paint at strength 1",
        ),
    ]
    tried += [
        Cause(
            f"{trial.steps} steps instead of {plan.base.steps}",
            found.against_base[trial.name].chroma,
            f"--steps {plan.base.steps}",
        )
        for trial in plan.steps
        if trial != plan.base
    ]
    return sorted(tried, key=lambda cause: cause.chroma.value)


def words(found: Findings, plan: Plan, seeds: int) -> list[str]:
    """What was found, a paragraph each."""
    return [
        _free(found),
        _hole(found, plan, seeds),
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


def _hole(found: Findings, plan: Plan, seeds: int) -> str:
    parts = [
        f"at strength {strength:g} {_pull_in_words(pull)}"
        for strength, pull in sorted(found.hole.items())
    ]
    pulls = [*found.hole.values(), found.through]
    strongest = _strongest(pulls)
    text = f"The hole. {_verdict(strongest, 'What is in it', seeds)} When painting starts from it, "
    text += "; ".join(parts) + f". From noise alone {_pull_in_words(found.through)}"
    if any(value.sure for value in (found.through.lightness, found.through.colour)):
        text += (
            ", because the autoencoder's latents around the hole hold something of what is in it;"
            " so it is closed with the colours around it before painting."
        )
    else:
        text += "."
    leak = found.against_base[plan.fills[LEAK][PHOTO].name]
    text += (
        f" In this photo it is {_described(found.hole_colour)}: from it, at strength {LEAK:g}, "
        f"pictures have {_share(leak.chroma)} of the chroma that they have from noise"
        f"{_lighter(leak.lighter)}."
    )
    return text


def _wall(found: Findings, plan: Plan, seeds: int) -> str:
    parts = [
        f"with --room {room:g} {_pull_in_words(pull)}" for room, pull in sorted(found.wall.items())
    ]
    strongest = _strongest(list(found.wall.values()))
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
            lines.append(f"{trial.steps} steps give {_share(effect.chroma)}")
    text = f"The steps. Against {plan.base.steps} steps, " + " and ".join(lines) + " of the chroma"
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


def _strongest(pulls: list[Pull]) -> Estimate:
    """The slope furthest from 0 among those that are told from chance; of all if none is."""
    values = [value for pull in pulls for value in (pull.lightness, pull.colour)]
    return max(values, key=lambda value: (value.sure, abs(value.value)))


def _verdict(value: Estimate, what: str, seeds: int) -> str:
    if max(abs(value.low), abs(value.high)) < LITTLE:
        return f"{what} pulls nothing worth speaking of."
    if not value.sure:
        return f"Whether {what[0].lower()}{what[1:]} pulls cannot be told from {seeds} seeds."
    if value.value < 0:
        return f"{what} pushes away: the picture goes against it."
    if value.value >= 0.5:
        return f"{what} pulls strongly."
    return f"{what} pulls." if value.value >= 0.15 else f"{what} pulls a little."


def _pull_in_words(pull: Pull) -> str:
    return (
        f"{_share(pull.lightness)} of its lightness and {_share(pull.colour)} of its colour come "
        "through"
    )


def _share(value: Estimate) -> str:
    return f"{100 * value.value:.0f} % ± {100 * value.error:.0f}"


def _plus_minus(value: Estimate) -> str:
    return f"{value.value:.3f} ± {value.error:.3f}"


def _lighter(value: Estimate) -> str:
    if not value.sure or abs(value.value) < SEEN:
        return ""
    return f", and are {'lighter' if value.value > 0 else 'darker'} by {abs(value.value):.2f}"


def _far(value: Estimate) -> bool:
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
