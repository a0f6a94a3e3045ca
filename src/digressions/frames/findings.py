"""What an experiment's measurements say about the colours of a frame, in figures."""

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
            "paint at strength 1, as is done if nothing is said",
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
