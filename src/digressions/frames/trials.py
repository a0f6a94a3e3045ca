"""The ways to paint one frame that together tell what pulls the colours of the picture.

One thing is changed at a time, from painting as this package does by default: from noise alone, at
full strength. Only what fills the masked area and the strength are crossed, because how much of the
filling comes through is a matter of the strength.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..diffusion.names import SpacingName
from ..diffusion.sample import SAMPLERS
from ..errors import InputError
from ..generate.job import Job
from ..generate.params import GenerationParams, ResolvedParams
from ..generate.resolving import resolve
from ..images.colour import PALETTE_STRENGTH, from_oklab, oklab, start_of_masked
from ..models.base import Model
from .scene import Scene

PHOTO, PALETTE, AROUND = "photo", "palette", "around"
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
CALMER = 0.7  # guidance rescale, as its authors use it (Lin et al. 2023, arXiv 2305.08891)


@dataclass(frozen=True)
class Trial:
    """One way to paint the frame.

    Attributes:
        params: By which; seed and size are up to the picture.
        fill: What is in the masked area: ``photo`` as photographed, a name in `FILLS`, the
            ``palette``, or ``around``, the colours around it.
        room: How much of the room the model sees; see `scene.layout`. 0 is a painting
            without one.
        wall: ``photo``, or a name in `WALLS`.
    """

    params: ResolvedParams
    fill: str
    room: float
    wall: str = PHOTO

    def but(self, *, fill: str | None = None, **changes: Any) -> Trial:
        """The same with another filling or other parameters."""
        return dataclasses.replace(self, fill=fill or self.fill, params=self.params.but(**changes))

    @property
    def name(self) -> str:
        """Such as ``original-photo-0.8-12steps-room0.25``; as its files are called."""
        own = self.params
        parts = [str(own.masked_content), self.fill, f"{own.strength:g}"]
        parts += [f"{own.steps}steps", f"room{self.room:g}"]
        if self.wall != PHOTO:
            parts.append(f"{self.wall}wall")
        if own.timestep_spacing is not None:
            parts.append(own.timestep_spacing)
        if own.zero_snr:
            parts.append("zerosnr")
        if own.guidance_rescale:
            parts.append(f"rescale{own.guidance_rescale:g}")
        return "-".join(parts)


@dataclass(frozen=True)
class Plan:
    """All ways of one experiment, by what they are compared for.

    Attributes:
        free: Without a room: what the prompt paints by itself.
        base: From noise alone, in the room, the masked area filled from around.
        fills: At each strength, every filling that painting starts from. Strength 1 is left out
            where a start from a picture is one from noise, because the first step has no SNR.
        unfilled: From noise alone with every filling left in the masked area. What comes through
            goes by way of the autoencoder, whose latents around the area hold something of it.
        noise: From noise alone at less than full strength.
        walls: For each amount of room, the room as it is and recoloured.
        rooms: ``base`` with other amounts of room, the least first; ``base`` is among them.
        steps: ``base`` with other numbers of steps, the fewest first; ``base`` is among them.
        cures: What else may help, by name.
    """

    free: Trial
    base: Trial
    fills: dict[float, dict[str, Trial]]
    unfilled: dict[str, Trial]
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
        groups += [*self.unfilled.values(), self.noise]
        for walls in self.walls.values():
            groups += walls.values()
        groups += [*self.rooms, *self.steps, *self.cures.values()]
        return list(dict.fromkeys(groups))


def noise_params(model: Model, params: GenerationParams) -> ResolvedParams:
    """The parameters of the base of an experiment: from noise alone, whatever the user starts from.

    Raises:
        InputError: The model cannot work with them.
    """
    return resolve(model, params.but(strength=1.0, masked_content="noise"), mask=True)


def plan(model: Model, params: ResolvedParams, room: float, *, palette: bool = False) -> Plan:
    """The experiment for a model and the parameters that the user paints with.

    Args:
        params: As of `noise_params`.
        room: Above 0.
        palette: Whether there is one to try.
    """
    base = Trial(params, AROUND, room)
    own = model.with_timesteps(params.timestep_spacing, params.zero_snr)
    alpha, _ = own.schedule.alpha_sigma(own.times(params.sampler, params.steps)[:1])
    unfilled = {fill: base.but(fill=fill) for fill in (PHOTO, *FILLS)}
    fills = {
        strength: {
            fill: trial.but(masked_content="original", strength=strength)
            for fill, trial in unfilled.items()
        }
        for strength in STRENGTHS
        if strength < 1 or float(alpha) > 0
    }
    rooms = sorted({room, MORE_ROOM})
    walls = {
        much: {wall: dataclasses.replace(base, room=much, wall=wall) for wall in (PHOTO, *WALLS)}
        for much in rooms
    }
    numbers = sorted({max(1, params.steps // 2), params.steps, 2 * params.steps})
    cures: dict[str, Trial] = {}
    if palette:
        cures["palette"] = base.but(
            fill=PALETTE, masked_content="original", strength=PALETTE_STRENGTH
        )
    if params.guidance > 1 and not params.guidance_rescale and not model.guidance_embedded:
        cures[f"guidance rescale {CALMER:g}"] = base.but(guidance_rescale=CALMER)
    for name, spacing, zero_snr in _other_grids(model, own, params):
        cures[name] = base.but(timestep_spacing=spacing, zero_snr=zero_snr)
    return Plan(
        free=dataclasses.replace(base, room=0.0),
        base=base,
        fills=fills,
        unfilled=unfilled,
        noise=base.but(strength=LEAK),
        walls=walls,
        rooms=tuple(dataclasses.replace(base, room=much) for much in rooms),
        steps=tuple(base.but(steps=n) for n in numbers if _has_steps(own, params.sampler, n)),
        cures=cures,
    )


def _has_steps(model: Model, sampler: str, steps: int) -> bool:
    try:
        return len(model.times(sampler, steps)) > 0
    except InputError:
        return False


def _other_grids(
    model: Model, own: Model, params: ResolvedParams
) -> Iterator[tuple[str, SpacingName | None, bool]]:
    """Spacings that a model can have besides its own, by name."""
    if SAMPLERS[params.sampler].distilled_steps is not None:
        return
    grids: tuple[tuple[str, SpacingName | None, bool], ...] = (
        (f"{model.spacing} spacing", None, False),
        ("trailing spacing", "trailing", False),
        ("zero terminal SNR", None, True),
    )
    for name, spacing, zero_snr in grids:
        try:
            other = model.with_timesteps(spacing, zero_snr)
        except InputError:
            continue
        if not _same_grid(other, own, params):
            yield name, spacing, zero_snr


def _same_grid(one: Model, other: Model, params: ResolvedParams) -> bool:
    """Whether two models visit the same noise levels."""
    grids = [model.times(params.sampler, params.steps) for model in (one, other)]
    alphas = [
        model.schedule.alpha_sigma(grid)[0].flatten() ** 2
        for model, grid in zip((one, other), grids, strict=True)
    ]
    return torch.equal(*grids) and bool((alphas[0] - alphas[1]).abs().max() < 1e-6)


def prepared(scene: Scene, trial: Trial, palette: np.ndarray | None = None) -> Scene:
    """A scene as a trial starts from it: masked area filled, wall recoloured."""
    pixels = scene.pixels * np.float32(255)
    if trial.wall != PHOTO:
        moved = from_oklab(oklab(pixels) + np.array(WALLS[trial.wall], np.float32))
        pixels = np.where(scene.mask[..., None] > 0, pixels, moved)
    mask = (scene.mask * 255).astype(np.uint8)
    if trial.fill in FILLS:
        palette = np.array([[FILLS[trial.fill]]], np.uint8)
    if trial.fill != PHOTO:
        pixels = start_of_masked(pixels, mask, "noise", None if trial.fill == AROUND else palette)
    return scene._replace(pixels=(pixels / 255).astype(np.float32))


@dataclass(frozen=True)
class Subject:
    """What is painted into in every trial.

    Attributes:
        scene: The frame with a given amount of room.
        palette: See `colour.read_palette`, or ``None``.
    """

    scene: Callable[[float], Scene]
    palette: np.ndarray | None = None

    def job(self, trial: Trial, seed: int) -> Job:
        """The job of one picture."""
        return self._prepared(trial).job(trial.params.but(seed=seed))

    def colours(self, trial: Trial) -> tuple[np.ndarray, np.ndarray]:
        """Mean OKLab ``(3,)`` of what is in the opening before painting, and of the room.

        The room's is that of the opening where there is no room.
        """
        ready = self._prepared(trial)
        lab = oklab(ready.pixels * 255)
        box, around = ready.opening, ready.mask == 0
        inside = lab[box.top : box.bottom, box.left : box.right].mean((0, 1))
        return inside, lab[around].mean(0) if around.any() else inside

    def _prepared(self, trial: Trial) -> Scene:
        return prepared(self.scene(trial.room), trial, self.palette)
