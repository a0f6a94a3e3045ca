"""An experiment as a chart and a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..images.colour import from_oklab
from ..images.contact_sheet import GROUND, INK, comparison_sheet
from .experiment import Experiment, Measured
from .findings import Findings, Influence, Interval
from .trials import LEAK, PHOTO, Plan, Trial

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 900, 24, 330, 40, 34
_FAINT, _BAR, _SECOND = (70, 70, 78), (125, 180, 240), (240, 180, 110)


class Bar(NamedTuple):
    """A line of a chart.

    Attributes:
        label: To its left.
        values: One, or two of which the second is drawn in another colour.
        swatch: ``(3,)`` sRGB 0..255 beside the label, or ``None``.
    """

    label: str
    values: tuple[Interval, ...]
    swatch: np.ndarray | None = None


def panel(title: str, bars: Sequence[Bar], zero: float, legend: Sequence[str] = ()) -> np.ndarray:
    """Values with their 95 % intervals, as points on lines.

    Args:
        zero: Where the upright line is drawn: 0 for influences, 1 for shares.
        legend: Names of first and second values.

    Returns:
        ``(H, 900, 3)`` uint8.
    """
    edges = [edge for bar in bars for v in bar.values for edge in (v.low, v.high)]
    low, high = min([*edges, 0.0]), max([*edges, zero, 1.0])
    pad = 0.04 * (high - low)
    low, high = low - pad, high + pad
    image = Image.new("RGB", (_WIDTH, _TOP + _ROW * len(bars) + 34), GROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=14)
    small = ImageFont.load_default(size=12)
    draw.text((8, 8), title, INK, font)
    for name, mark, left in zip(
        legend, (_BAR, _SECOND), (_WIDTH - 260, _WIDTH - 130), strict=False
    ):
        draw.ellipse((left, 12, left + 9, 21), fill=mark)
        draw.text((left + 14, 9), name, INK, small)

    def at(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    bottom = _TOP + _ROW * len(bars)
    step = 0.1 if high - low < 0.9 else 0.25 if high - low < 2.2 else 0.5
    for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
        x = at(k * step)
        draw.line((x, _TOP, x, bottom), _FAINT)
        draw.text((x, bottom + 6), f"{100 * k * step:.0f} %", INK, small, anchor="ma")
    draw.line((at(zero), _TOP, at(zero), bottom), INK, 2)
    for row, bar in enumerate(bars):
        middle = _TOP + _ROW * row + _ROW // 2
        draw.text((_LEFT - 34, middle), bar.label, INK, font, anchor="rm")
        if bar.swatch is not None:
            box = (_LEFT - 28, middle - 8, _LEFT - 10, middle + 8)
            draw.rectangle(box, fill=tuple(int(value) for value in bar.swatch))
        count = len(bar.values)
        for index, value in enumerate(bar.values):
            y = middle + (index - (count - 1) / 2) * 9
            colour = (_BAR, _SECOND)[index]
            draw.line((at(value.low), y, at(value.high), y), colour, 3)
            x = at(value.value)
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
    return np.asarray(image)


def chart(found: Findings, plan: Plan, measured: dict[Trial, Measured]) -> np.ndarray:
    """What pulls, and what that does to the colours: two panels, ``(H, 900, 3)`` uint8."""
    influences = [
        Bar(f"masked area, from it at strength {strength:g}", _both(influence))
        for strength, influence in sorted(found.masked.items())
    ]
    influences.append(Bar("masked area, from noise (by the encoder)", _both(found.through)))
    influences += [
        Bar(f"the room, from noise, room {room:g}", _both(influence))
        for room, influence in sorted(found.room.items())
    ]

    def shown(label: str, trial: Trial) -> Bar:
        swatch = from_oklab(measured[trial].colour.mean(0))
        return Bar(label, (found.effects[trial.name].chroma,), swatch)

    shares = [shown("freely, without a room", plan.free)]
    shares += [shown(label, trial) for label, trial in labelled(plan)]
    return np.concatenate(
        [
            panel(
                "How much of its colour comes through in the picture",
                influences,
                0.0,
                ("of lightness", "of colour"),
            ),
            panel(
                "How colourful the pictures are, against painting freely (squares: mean colour)",
                shares,
                1.0,
            ),
        ]
    )


def _both(influence: Influence) -> tuple[Interval, Interval]:
    return influence.lightness, influence.colour


def labelled(plan: Plan) -> list[tuple[str, Trial]]:
    """The trials as they are in this photo, and what to call them."""
    rows = [(f"from noise, room {plan.base.room:g}", plan.base)]
    rows += [
        (f"from the original, strength {strength:g}", fills[PHOTO])
        for strength, fills in sorted(plan.fills.items(), reverse=True)
    ]
    rows.append(("from noise, area not filled", plan.unfilled[PHOTO]))
    rows.append((f"from noise, strength {LEAK:g}", plan.noise))
    rows += [(f"room {t.room:g}", t) for t in plan.rooms if t != plan.base]
    rows += [(f"{t.params.steps} steps", t) for t in plan.steps if t != plan.base]
    return rows + [(name, trial) for name, trial in plan.cures.items()]


def sheet(plan: Plan, experiment: Experiment, most: int = 6) -> np.ndarray:
    """Pictures of every trial, one a row, with the same seeds in a column: ``(H, W, 3)`` uint8."""
    rows = [("freely, without a room", plan.free), *labelled(plan)]
    rows += [
        (f"from {fill}, strength {strength:g}", trial)
        for strength, fills in sorted(plan.fills.items())
        for fill, trial in fills.items()
        if fill != PHOTO
    ]
    rows += [
        (f"from noise, {fill} in the area", trial)
        for fill, trial in plan.unfilled.items()
        if fill != PHOTO
    ]
    rows += [
        (f"{wall} wall, room {room:g}", trial)
        for room, walls in sorted(plan.walls.items())
        for wall, trial in walls.items()
        if wall != PHOTO
    ]
    shape = experiment.painted(plan.base)[0].shape
    pictures = [
        [
            np.asarray(Image.fromarray(picture).resize((shape[1], shape[0])))
            for picture in experiment.painted(trial)[:most]
        ]
        for _, trial in rows
    ]
    across = [f"seed {seed}" for seed in experiment.seeds[:most]]
    return comparison_sheet(pictures, across, [name for name, _ in rows], gap=4, least=72)
