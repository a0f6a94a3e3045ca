"""What becomes of the options that commands share: settings, a model, notes."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..console import err, out, plain, progress
from ..errors import InputError
from ..geometry import Grid, Size
from .groups import CellOptions, ModelOptions, RootOptions

if TYPE_CHECKING:
    import numpy as np

    from ..models import Model
    from ..pictures.metadata import Settings
    from ..pictures.original import Original
    from ..pictures.palette import Origin
    from ..worlds.bank import Bank
    from ..worlds.genesis import WorldSettings
    from ..worlds.world import World


def settings_for(
    model: Model,
    prompt: str,
    seed: int,
    size: Size,
    *,
    image: Original | None = None,
    mask: Original | None = None,
    **given: Any,
) -> Settings:
    """Settings of a picture, with the model's likes where the user said nothing."""
    from ..pictures.metadata import Settings

    likes: dict[str, Any] = {
        "sampler": model.defaults.sampler,
        "steps": model.defaults.steps,
        "guidance": model.defaults.guidance,
    }
    chosen = likes | {key: value for key, value in given.items() if value is not None}
    return Settings(
        command="paint",
        prompt=prompt,
        model=model.name,
        model_hash=model.hash,
        seed=seed,
        width=size.width,
        height=size.height,
        version=__version__,
        image=None if image is None else image.origin,
        mask=None if mask is None else mask.origin,
        **chosen,
    )


def start_settings(
    model: Model,
    image: Original | None,
    mask: Original | None,
    *,
    strength: float | None,
    sampler: str | None,
    timing: str | None = None,
    **hole: Any,
) -> dict[str, Any]:
    """The settings that say what a painting starts from: nothing, a picture, or a picture with a
    hole, whose own settings are those of `hole_settings`."""
    from ..timing import PUBLISHED, retimed

    if mask is not None:
        return hole_settings(model, strength=strength, sampler=sampler, timing=timing, **hole)
    retimed(model, timing or PUBLISHED)  # or it says why not
    likes = None if image is None else first_given(strength, model.defaults.strength)
    return {"strength": likes, "timing": timing or PUBLISHED}


def hole_settings(
    model: Model,
    *,
    strength: float | None,
    sampler: str | None,
    hole: str | None = None,
    timing: str | None = None,
    palette: Origin | None = None,
) -> dict[str, Any]:
    """The settings that say what a hole is painted from.

    Where the user said nothing, a hole starts from noise alone, so that what is in it pulls
    nothing; with a palette it starts from that, as freely as still holds its colours.

    Raises:
        InputError: They contradict each other, or the model cannot have that timing.
    """
    from ..pictures.palette import USUAL_STRENGTH
    from ..timing import PUBLISHED, retimed, timing_for_noise

    if palette is not None and hole == "noise":
        raise InputError("--hole noise forgets a --palette: give one of them")
    strength = first_given(strength, 1.0 if palette is None else USUAL_STRENGTH)
    if hole is None:
        hole = "noise" if strength == 1 and palette is None else "picture"
    suits = PUBLISHED
    if hole == "noise":
        suits = timing_for_noise(model, sampler or model.defaults.sampler)
    retimed(model, timing or suits)
    return {"strength": strength, "hole": hole, "timing": timing or suits, "palette": palette}


def world_from(
    model: Model,
    prompt: str,
    grid: Grid,
    cells: CellOptions,
    *,
    cell_prompts: list[str] | None = None,
    image: Original | None = None,
    picture_size: int | None = None,
    enlarge: int = 1,
) -> WorldSettings:
    """What a mosaic or a world grows from, with the model's likes where the user said nothing."""
    from ..mosaics.mosaic import Mosaic
    from ..mosaics.primary import Primary
    from ..worlds.genesis import WorldSettings

    likes = model.defaults.for_cells()
    prompts = cell_prompts or [prompt]
    mosaic = Mosaic(
        prompt=prompts[0],
        grid=grid,
        side=first_given(picture_size, model.size),
        strength=first_given(cells.strength, likes.strength),
        steps=first_given(cells.steps, likes.steps),
        guidance=first_given(cells.guidance, likes.guidance),
        sampler=cells.sampler or likes.sampler,
        seed=cells.seed,
        negative=cells.negative,
        band=cells.band,
        anchor=cells.anchor,
        enlarge=enlarge,
        upscaler=cells.upscaler if enlarge > 1 else "lanczos",
        how=cells.how,
    )
    settings = settings_for(
        model,
        prompt,
        cells.seed,
        Size(model.size, model.size),
        negative=cells.negative,
        how=cells.how,
        image=image,
    )
    primary = Primary(settings, None if image is None else image.pixels, cells.upscaler)
    return WorldSettings(primary, mosaic, tuple(prompts[1:]))


def loaded_world(
    prompt: str, root: RootOptions, cells: CellOptions, model: ModelOptions
) -> tuple[Model, WorldSettings]:
    """A model, and what a world grows from; what is wrong is said before the model is loaded."""
    from ..pictures.original import read_original

    grid = Grid.parse(root.grid)
    image = None if root.image is None else read_original(root.image)
    loaded = load_model(model)
    settings = world_from(
        loaded,
        prompt,
        grid,
        cells,
        cell_prompts=root.cell_prompt,
        image=image,
        picture_size=root.picture_size,
    )
    return loaded, settings


def check_reuse(reuse: int | None) -> None:
    """Raises `InputError` for a bank that cannot be."""
    if reuse is not None and not 2 <= reuse <= 4096:
        raise InputError(f"--reuse {reuse} is out of range: 2 to 4096")


def grown(world: World, count: int) -> Bank:
    """The bank of a finite world; with a progress bar, and a line on how well it serves."""
    from ..worlds.bank import grow_bank

    with progress() as bar:
        task = bar.add_task("bank", total=count - 1)
        bank = grow_bank(world, count, on_grown=lambda n: bar.advance(task, n))
    out.print(str(bank.coverage))
    return bank


def load_model(options: ModelOptions) -> Model:
    """The model that the user asks for, with a word on the console while it loads."""
    from ..loading import load

    with err.status(f"loading {plain(options.model)}"):
        model = load(options.model, options.device, options.dtype, **options.special)
    for contest in model.contests:
        winner = "OpenVINO" if contest.won else "torch"
        err.print(
            f"{contest.network}: {winner} runs it (torch {contest.torch:.3f} s, "
            f"OpenVINO {contest.openvino:.3f} s)"
        )
    return model


def enlarged(image: np.ndarray, size: Size, upscaler: str, device: str | None) -> np.ndarray:
    """A picture ``(H, W, 3)`` uint8 enlarged to a size, with a progress bar over its rows."""
    from ..upscale import enlarge, load_upscaler

    ready = load_upscaler(upscaler, device=device)
    with progress() as bar:
        task = bar.add_task(f"enlarging with {plain(upscaler)}", total=size.height)
        return enlarge(image, *size, ready, lambda rows: bar.advance(task, rows))


def note_unknown(model: Model, *prompts: str) -> None:
    """Says which words of the prompts a model was not taught, where it says what it was taught."""
    if model.vocabulary is None:
        return
    unknown = model.vocabulary.unknown(" ".join(prompts))
    if unknown:
        words = plain(", ".join(map(str, unknown)))
        err.print(
            f"[yellow]note:[/yellow] {plain(model.name)} was not taught {words}: "
            "it paints what it makes of the rest"
        )


def note_idle_negative(negative: str, guidance: float) -> None:
    """Says so where a negative prompt has nothing to work with."""
    if negative and guidance <= 1:
        err.print(
            f"[yellow]note:[/yellow] at a guidance of {guidance:g} the negative prompt does "
            "nothing: give --guidance 2 or more"
        )


def drawn(seed: int | None) -> int:
    """A seed: the user's, or one of chance."""
    return random.SystemRandom().randrange(2**32) if seed is None else seed


def first_given(*values: Any) -> Any:
    """The first that is not ``None``: the user's word before the model's likes."""
    return next(value for value in values if value is not None)


def slug(prompt: str) -> str:
    """A prompt as a file name: lower case letters, digits and hyphens, at most 60."""
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60] or "picture"
