"""The ways to paint one frame that together tell what pulls the colours of the picture.

One thing is changed at a time, from painting as this package does by default: from noise alone, at
full strength. Only the filling of the hole and the strength are crossed, because how much of the
filling comes through is a matter of the strength.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..job import Job
from ..models import Model
from ..pictures.colour import from_oklab, oklab
from ..pictures.palette import USUAL_STRENGTH, started
from ..timing import PUBLISHED, TIMINGS, ZERO_SNR, retimed
from .scene import Scene, job_in

PHOTO, PALETTE, CLOSED = "photo", "palette", "closed"
FILLS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "grey": (127, 127, 127),
    "green": (150, 205, 160),
    "violet": (190, 160, 215),
}
"""Even fillings, sRGB. The two tints are about as light as each other, and opposite in colour."""
WALLS: dict[str, tuple[float, float, float]] = {
    "warm": (0.0, 0.05, 0.07),
    "cool": (0.0, -0.03, -0.09),
    "dark": (-0.25, 0.0, 0.0),
}
"""What is added to the room in OKLab."""
STRENGTHS = (0.8, 0.9, 1.0)
LEAK = STRENGTHS[0]  # the strength that the first public inpainting code came with
MORE_ROOM = 0.5


@dataclass(frozen=True)
class Trial:
    """One way to paint the frame.

    Attributes:
        start: ``noise`` alone or the ``picture`` that is in the hole; `Job.hole`.
        fill: What is in the hole: ``photo`` as photographed, a name in `FILLS`, the ``palette``, or
            ``closed``, the colours around it.
        strength: See `Job`.
        steps: Of the whole time grid.
        room: How much of the room the model sees; see `scene.layout`. 0 is a painting without one.
        wall: ``photo``, or a name in `WALLS`.
        timing: See `timing.retimed`.
        rescale: See `Job`.
    """

    start: str
    fill: str
    strength: float
    steps: int
    room: float
    wall: str = PHOTO
    timing: str = PUBLISHED
    rescale: float = 0.0

    @property
    def name(self) -> str:
        """Such as ``picture-photo-0.8-12steps-room0.25``; as its files are called."""
        parts = [self.start, self.fill, f"{self.strength:g}"]
        parts += [f"{self.steps}steps", f"room{self.room:g}"]
        if self.wall != PHOTO:
            parts.append(f"{self.wall}wall")
        parts.append(self.timing)
        if self.rescale:
            parts.append(f"rescale{self.rescale:g}")
        return "-".join(parts)


@dataclass(frozen=True)
class Plan:
    """All ways of one experiment, by what they are compared for.

    Attributes:
        free: Without a room: what the prompt paints by itself.
        base: From noise alone, in the room, the hole closed.
        fills: At each strength, every filling that painting starts from. Strength 1 is left out
            where a start from a picture is one from noise, because the first step has no SNR.
        unclosed: From noise alone with every filling in the hole. What comes through goes by way of
            the autoencoder, whose latents around the hole hold something of what is in it.
        noise: From noise alone at less than full strength.
        walls: For each amount of room, the room as it is and recoloured.
        rooms: ``base`` with other amounts of room, the least first; ``base`` is among them.
        steps: ``base`` with other numbers of steps, the fewest first; ``base`` is among them.
        cures: What else may help, by name.
    """

    free: Trial
    base: Trial
    fills: dict[float, dict[str, Trial]]
    unclosed: dict[str, Trial]
    noise: Trial
    walls: dict[float, dict[str, Trial]]
    rooms: tuple[Trial, ...]
    steps: tuple[Trial, ...]
    cures: dict[str, Trial]

    @property
    def trials(self) -> list[Trial]:
        """Each once."""
        groups: list[Trial] = [self.free, self.base]
        for fills in self.fills.values():
            groups += fills.values()
        groups += [*self.unclosed.values(), self.noise]
        for walls in self.walls.values():
            groups += walls.values()
        groups += [*self.rooms, *self.steps, *self.cures.values()]
        return list(dict.fromkeys(groups))


def plan(
    model: Model,
    *,
    steps: int,
    guidance: float,
    room: float,
    sampler: str,
    timing: str = PUBLISHED,
    palette: bool = False,
) -> Plan:
    """The experiment for a model and the settings that the user paints with.

    Args:
        room: Above 0.
        palette: Whether there is one to try.
    """
    base = Trial("noise", CLOSED, 1.0, steps, room, timing=timing)
    own = retimed(model, timing)
    alpha, _ = own.schedule.alpha_sigma(own.times(sampler, steps)[:1])
    unclosed = {fill: dataclasses.replace(base, fill=fill) for fill in (PHOTO, *FILLS)}
    fills = {
        strength: {
            fill: dataclasses.replace(trial, start="picture", strength=strength)
            for fill, trial in unclosed.items()
        }
        for strength in STRENGTHS
        if strength < 1 or float(alpha) > 0
    }
    rooms = sorted({room, MORE_ROOM})
    walls = {
        much: {wall: dataclasses.replace(base, room=much, wall=wall) for wall in (PHOTO, *WALLS)}
        for much in rooms
    }
    most = 50 if sampler == "lcm" else len(model.schedule)
    numbers = sorted({max(1, steps // 2), steps, min(2 * steps, most)})
    cures = {}
    if palette:
        cures["palette"] = dataclasses.replace(
            base, start="picture", fill=PALETTE, strength=USUAL_STRENGTH
        )
    if guidance > 1 and not model.guidance_in_network:
        cures["rescale 0.7"] = dataclasses.replace(base, rescale=0.7)
    if sampler != "lcm":
        for other in TIMINGS:
            if other == ZERO_SNR and model.schedule.prediction == "epsilon":
                continue
            if not _same(retimed(model, other), own):
                cures[f"{other} timing"] = dataclasses.replace(base, timing=other)
    return Plan(
        free=dataclasses.replace(base, room=0.0),
        base=base,
        fills=fills,
        unclosed=unclosed,
        noise=dataclasses.replace(base, strength=LEAK),
        walls=walls,
        rooms=tuple(dataclasses.replace(base, room=much) for much in rooms),
        steps=tuple(dataclasses.replace(base, steps=number) for number in numbers),
        cures=cures,
    )


def _same(one: Model, other: Model) -> bool:
    """Whether two timings of a model are one."""
    table, others = one.schedule.alphas_cumprod, other.schedule.alphas_cumprod
    return one.spacing == other.spacing and bool((table - others).abs().max() < 1e-6)


def prepared(scene: Scene, trial: Trial, palette: np.ndarray | None = None) -> Scene:
    """A scene as a trial starts from it: hole filled, wall recoloured."""
    pixels = scene.pixels * np.float32(255)
    if trial.wall != PHOTO:
        moved = from_oklab(oklab(pixels) + np.array(WALLS[trial.wall], np.float32))
        pixels = np.where(scene.hole[..., None] > 0, pixels, moved)
    mask = (scene.hole * 255).astype(np.uint8)
    if trial.fill in FILLS:
        palette = np.array([[FILLS[trial.fill]]], np.uint8)
    if trial.fill != PHOTO:
        pixels = started(pixels, mask, "noise", None if trial.fill == CLOSED else palette)
    return scene._replace(pixels=(pixels / 255).astype(np.float32))


@dataclass(frozen=True)
class Subject:
    """What is painted in every trial.

    Attributes:
        scene: The frame with a given amount of room.
        palette: See `palette`, or ``None``.
    """

    scene: Callable[[float], Scene]
    prompt: str
    guidance: float
    sampler: str
    negative: str = ""
    how: str = "mean"
    palette: np.ndarray | None = None

    def job(self, trial: Trial, seed: int) -> Job:
        """The job of one picture."""
        ready = prepared(self.scene(trial.room), trial, self.palette)
        job = job_in(
            ready,
            self.prompt,
            seed=seed,
            steps=trial.steps,
            guidance=self.guidance,
            sampler=self.sampler,
            strength=trial.strength,
            negative=self.negative,
            how=self.how,
        )
        return dataclasses.replace(job, hole=trial.start, rescale=trial.rescale)

    def colours(self, trial: Trial) -> tuple[np.ndarray, np.ndarray]:
        """Mean OKLab ``(3,)`` of what is in the opening before painting, and of the room.

        The room's is that of the opening where there is no room.
        """
        ready = prepared(self.scene(trial.room), trial, self.palette)
        lab = oklab(ready.pixels * 255)
        box, around = ready.opening, ready.hole == 0
        inside = lab[box.top : box.bottom, box.left : box.right].mean((0, 1))
        return inside, lab[around].mean(0) if around.any() else inside
