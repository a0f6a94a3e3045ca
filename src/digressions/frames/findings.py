"""What an experiment's measurements say about the colours of pictures, in figures.

How strongly a cause pulls them: slopes and differences with their error. Every trial is painted
with the same seeds, so all is compared within a seed, and the spread over the seeds is the error.
Plain arrays; colours are OKLab.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .experiment import Measured
from .trials import LEAK, PHOTO, Plan, Subject, Trial

_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5 % quantiles of Student's t for 1 to 30 degrees of freedom."""


class Interval(NamedTuple):
    """A number with its 95 % interval.

    Attributes:
        value: The mean over the seeds.
        error: Half the width of its 95 % interval.
    """

    value: float
    error: float

    @property
    def low(self) -> float:
        return self.value - self.error

    @property
    def high(self) -> float:
        return self.value + self.error

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def t95(freedom: int) -> float:
    """The 97.5 % quantile of Student's t; past 30 by Cornish and Fisher's expansion."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def interval(values: Sequence[float] | np.ndarray) -> Interval:
    """The mean of at least two values, one a seed, with Student's interval."""
    values = np.asarray(values, np.float64)
    error = values.std(ddof=1) / math.sqrt(len(values)) * t95(len(values) - 1)
    return Interval(float(values.mean()), float(error))


def slope(given: np.ndarray, painted: np.ndarray) -> Interval:
    """How much of a change in a given colour comes through in the painted one.

    For each seed a line is fitted by least squares, with one slope for all channels and an
    intercept for each; the interval is over the seeds.

    Args:
        given: ``(T, C)``, what was changed, one row a trial.
        painted: ``(T, S, C)``, what came out, for each seed.

    Raises:
        ValueError: Nothing was changed.
    """
    x = given - given.mean(0)
    spread = float((x**2).sum())
    if spread < 1e-12:
        raise ValueError("the given colours are all the same: no line goes through one point")
    y = painted - painted.mean(0)
    return interval((x[:, None] * y).sum((0, 2)) / spread)


def share_of(values: np.ndarray, whole: np.ndarray) -> Interval:
    """The ratio of two means over the same seeds, ``(S,)`` each.

    By the delta method (the spread of ``values - ratio * whole``), which holds where the whole is
    well away from 0.
    """
    ratio = float(values.mean() / whole.mean())
    off = interval((values - ratio * whole) / whole.mean())
    return Interval(ratio, off.error)


def moved(before: np.ndarray, after: np.ndarray) -> Interval:
    """How far apart two trials' mean colours are, in OKLab.

    The distance of two means that are the same is above 0 by chance alone; its square is corrected
    for that, and is 0 where it is less than chance makes it.

    Args:
        before, after: ``(S, 3)``, paired by seed.
    """
    shift = after - before
    mean = shift.mean(0)
    count = len(shift)
    by_chance = float(shift.var(0, ddof=1).sum()) / count
    distance = math.sqrt(max(float(mean @ mean) - by_chance, 0.0))
    length = math.sqrt(float(mean @ mean))
    along = shift @ mean / length if length > 1e-9 else np.linalg.norm(shift, axis=1)
    return Interval(distance, interval(along).error)


GREY = 0.045  # chroma below which most people call a picture grey
SEEN = 0.02  # of OKLab: two even areas side by side this far apart look different
LITTLE = 0.05  # a twentieth of a cause comes through, or of the chroma is lost


@dataclass(frozen=True)
class Influence:
    """How much of a cause's colour comes through in the picture, 0 nothing, 1 all of it.

    Attributes:
        lightness, colour: Slopes over the lightness and over the two colour axes.
    """

    lightness: Interval
    colour: Interval


@dataclass(frozen=True)
class Effect:
    """A trial against another one.

    Attributes:
        chroma: How colourful it is, as a share of the other one.
        contrast: As a share of the other one.
        lighter: Difference in mean lightness, 0..1.
        distance: Between the mean colours, in OKLab.
    """

    chroma: Interval
    contrast: Interval
    lighter: Interval
    distance: Interval


@dataclass(frozen=True)
class Findings:
    """All figures of an experiment.

    Attributes:
        masked: Of what is in the masked area, by strength, when the picture starts from it.
        through: Of what is in the masked area when the picture starts from noise; it goes by way
            of the autoencoder.
        room: Of the room's colour, by the amount of room, when the picture starts from noise.
        effects: Every trial against the free painting, by the trial's name.
        against_base: Every trial against the one from noise.
        chroma: Of the free painting.
        masked_colour, room_colour, free_colour: Mean OKLab ``(3,)``.
    """

    masked: dict[float, Influence]
    through: Influence
    room: dict[float, Influence]
    effects: dict[str, Effect]
    against_base: dict[str, Effect]
    chroma: Interval
    masked_colour: np.ndarray
    room_colour: np.ndarray
    free_colour: np.ndarray


def findings(plan: Plan, subject: Subject, measured: dict[Trial, Measured]) -> Findings:
    """Works the figures out."""
    inside, around = subject.colours(plan.unfilled[PHOTO])

    def influence(trials: dict[str, Trial], of: int) -> Influence:
        given = np.array([subject.colours(trial)[of] for trial in trials.values()])
        return _influence(given, np.array([measured[trial].colour for trial in trials.values()]))

    return Findings(
        masked={strength: influence(fills, 0) for strength, fills in plan.fills.items()},
        through=influence(plan.unfilled, 0),
        room={room: influence(walls, 1) for room, walls in plan.walls.items()},
        effects={t.name: compared(measured[plan.free], measured[t]) for t in plan.trials},
        against_base={t.name: compared(measured[plan.base], measured[t]) for t in plan.trials},
        chroma=interval(measured[plan.free].chroma),
        masked_colour=inside,
        room_colour=around,
        free_colour=measured[plan.free].colour.mean(0),
    )


def _influence(given: np.ndarray, painted: np.ndarray) -> Influence:
    return Influence(
        slope(given[:, :1], painted[:, :, :1]),
        slope(given[:, 1:], painted[:, :, 1:]),
    )


def compared(reference: Measured, trial: Measured) -> Effect:
    """A trial's pictures against those of another one with the same seeds."""
    return Effect(
        share_of(trial.chroma, reference.chroma),
        share_of(trial.contrast, reference.contrast),
        interval(trial.colour[:, 0] - reference.colour[:, 0]),
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
    chroma: Interval
    mend: str

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 1, no effect."""
        return self.chroma.low > 1 or self.chroma.high < 1


def causes(found: Findings, plan: Plan) -> list[Cause]:
    """What was tried, the greatest loss of colour first."""
    tried = [
        Cause(
            f"starting from what is in the masked area at `strength` {strength:g}",
            found.against_base[fills[PHOTO].name].chroma,
            "start from noise (`masked_content` noise and `strength` 1, as it is by default), or "
            "put colours there (`palette`)",
        )
        for strength, fills in plan.fills.items()
    ]
    tried += [
        Cause(
            "what is in the masked area, seen through the autoencoder",
            found.against_base[plan.unfilled[PHOTO].name].chroma,
            "fill it from around before it is encoded (`masked_content` noise does)",
        ),
        Cause(
            f"the room around it (`room` {plan.base.room:g})",
            found.effects[plan.base.name].chroma,
            "show less of the room (`room` 0 shows nothing), or put colours into the masked area "
            "(`palette`)",
        ),
        Cause(
            f"starting from noise at `strength` {LEAK:g}",
            found.against_base[plan.noise.name].chroma,
            "paint at `strength` 1, as is done if nothing is said",
        ),
    ]
    tried += [
        Cause(
            f"{trial.params.steps} steps instead of {plan.base.params.steps}",
            found.against_base[trial.name].chroma,
            f"give `steps` {plan.base.params.steps}",
        )
        for trial in plan.steps
        if trial != plan.base
    ]
    return sorted(tried, key=lambda cause: cause.chroma.value)
