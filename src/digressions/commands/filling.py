"""What ``digress frame PHOTO PROMPT`` does: candidates, a sheet of them, the finished room."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..console import err, out, plain, progress
from ..geometry import Size
from .chosen import enlarged, note_idle_negative, note_unknown, slug
from .hanging import note_vague, write_before_after
from .print import say_pixels, say_sheet

if TYPE_CHECKING:
    import numpy as np

    from ..frames.filling import Filled, Place
    from ..frames.frame import Frame
    from ..frames.refine import Refinement
    from ..models import Model
    from ..pictures.metadata import Settings
    from ..pictures.original import Original
    from ..prints.order import Order

BATCH = 8  # pictures that a kill can cost


@dataclass(frozen=True)
class Wish:
    """What one frame shall get.

    Attributes:
        number: Of the frame, as ``--find`` shows it.
        frame: Where it is.
        settings: Of the first candidate; those of the others have the seeds that follow.
        count: How many candidates.
        pick: Which of them to finish, from 1; ``None`` to have them shown.
        order: How to print it, or ``None``.
    """

    number: int
    frame: Frame
    settings: Settings
    count: int
    pick: int | None
    order: Order | None

    @property
    def place(self) -> Place:
        from ..frames.filling import place_of

        return place_of(self.settings)

    def candidates(self) -> list[Settings]:
        """The settings of all candidates, or of the one that is picked."""
        numbers = range(1, self.count + 1) if self.pick is None else [self.pick]
        first = self.settings.seed - 1
        return [dataclasses.replace(self.settings, seed=first + number) for number in numbers]


class Finish(NamedTuple):
    """What becomes of the chosen candidates.

    Attributes:
        refine: How each is repainted, or ``None``.
        upscaler: What enlarges it.
        suffix: Of the printer's file.
    """

    refine: Refinement | None
    upscaler: str
    suffix: str


def fill_frames(
    model: Model,
    folder: Path,
    room: Original,
    hole: Original | None,
    wishes: Sequence[Wish],
    finish: Finish,
    device: str | None,
) -> None:
    """Paints candidates into frames; then shows them, or finishes the chosen ones.

    What is in the folder already, made by the same settings, is taken as it is.
    """
    _check(model, folder, room, wishes, finish)
    _say_cost(model, room.pixels, wishes, finish)
    painted = [_candidates(model, folder, room, wish) for wish in wishes]
    if any(wish.count > 1 and wish.pick is None for wish in wishes):
        for wish, pictures in zip(wishes, painted, strict=True):
            _show(folder, room, hole, wish, pictures, len(wishes) > 1)
        out.print("choose with the same command and --pick NUMBER")
        return
    done = [
        _finished(model, folder, wish, pictures[0], finish, device, len(wishes) > 1)
        for wish, pictures in zip(wishes, painted, strict=True)
    ]
    _write_room(folder, room, hole, done)


def _check(
    model: Model, folder: Path, room: Original, wishes: Sequence[Wish], finish: Finish
) -> None:
    from ..frames.filling import job_of_scene, scene_of
    from ..frames.refine import refine_job
    from ..job import check

    for wish in wishes:
        for settings in wish.candidates():
            check(model, job_of_scene(scene_of(model, room.pixels, settings), settings))
        if finish.refine is not None:
            check(model, refine_job(model, room.pixels[:8, :8], finish.refine, **_how(settings))[0])
        if wish.order is not None:
            wish.order.check(folder / f"print{finish.suffix}")
    refining = [] if finish.refine is None else [finish.refine.prompt]
    note_unknown(model, *(wish.settings.prompt for wish in wishes), *refining)
    note_idle_negative(wishes[0].settings.negative, wishes[0].settings.guidance)


def _how(settings: Settings) -> dict[str, Any]:
    names = ("seed", "steps", "guidance", "sampler", "negative", "how")
    return {name: getattr(settings, name) for name in names}


def _say_cost(model: Model, room: np.ndarray, wishes: Sequence[Wish], finish: Finish) -> None:
    from ..ensembles.ensemble import rows, voices
    from ..frames.filling import job_of_scene, scene_of
    from ..frames.refine import windows

    count = sum(len(wish.candidates()) for wish in wishes)
    jobs = [
        (len(wish.candidates()), job_of_scene(scene_of(model, room, wish.settings), wish.settings))
        for wish in wishes
    ]
    asked = sum(each * rows(voices(job.ensemble, job.how, job.run), job.how) for each, job in jobs)
    frames = "1 frame" if len(wishes) == 1 else f"{len(wishes)} frames"
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    out.print(f"{pictures} for {frames}, {asked:,} rows of the network")
    for wish in wishes:
        note_vague(wish.number, wish.frame.aspect)
        own = _own_size(model, wish, finish)
        if finish.refine is not None:
            each = windows(own, model.size, model.factor)
            out.print(
                f"frame {wish.number}: repainted at {own.width:,} x {own.height:,} px, "
                f"{each} window{'s' * (each > 1)} a step"
            )
        if wish.order is not None:
            say_sheet(wish.order.sheet)
            say_pixels(own, wish.order, whole="digress print picture.png --fit whole")


def _own_size(model: Model, wish: Wish, finish: Finish) -> Size:
    """The pixels that come from the model, before the upscaler adds any."""
    from ..frames.refine import refined_size
    from ..frames.scene import layout

    place = wish.place
    if finish.refine is not None:
        return refined_size(place.aspect, finish.refine.scale, model.size)
    return layout(place.aspect, place.room, model.size, model.factor).opening.size


def _candidates(model: Model, folder: Path, room: Original, wish: Wish) -> list[Filled]:
    """The candidates of a frame, in order; each is on disk before the next batch begins."""
    from ..frames.filling import Filled, job_of_scene, kept, scene_of
    from ..frames.scene import cut
    from ..paint import paint
    from ..pictures.images import to_array, write_image
    from ..pictures.metadata import to_text
    from ..timing import retimed

    wanted = wish.candidates()
    paths = [
        folder / "candidates" / f"{wish.number}-{slug(s.prompt)[:40]}-{s.seed}.png" for s in wanted
    ]
    found: dict[int, np.ndarray] = {}
    for i, (path, settings) in enumerate(zip(paths, wanted, strict=True)):
        pixels = kept(path, settings)
        if pixels is not None:
            found[i] = pixels
    missing = [i for i in range(len(wanted)) if i not in found]
    seen = scene_of(model, room.pixels, wish.settings)
    jobs = [job_of_scene(seen, wanted[i]) for i in missing]
    with progress() as bar:
        task = bar.add_task(
            f"painting frame {wish.number}", total=sum(job.run for job in jobs), visible=bool(jobs)
        )
        for index, image in paint(
            retimed(model, wish.settings.timing),
            jobs,
            batch_size=BATCH,
            on_step=lambda n: bar.advance(task, n),
        ):
            i = missing[index]
            found[i] = cut(seen, to_array(image))
            write_image(paths[i], found[i], to_text(wanted[i]))
    return [Filled(found[i], settings) for i, settings in enumerate(wanted)]


def _show(
    folder: Path,
    room: Original,
    hole: Original | None,
    wish: Wish,
    pictures: list[Filled],
    several: bool,
) -> None:
    """The contact sheet: every candidate alone and on its wall."""
    import numpy as np

    from ..frames.filling import hung
    from ..frames.sketch import around
    from ..pictures.contactsheet import contact_sheet
    from ..pictures.images import resample, write_image
    from ..pictures.metadata import to_text

    mask = None if hole is None else hole.pixels
    rows, columns = around(wish.frame, room.pixels.shape)
    pairs = []
    for picture in pictures:
        wall = hung(room.pixels, mask, [picture])[rows, columns]
        high = 300
        wide = max(1, round(high * wall.shape[1] / wall.shape[0]))
        alone = max(1, round(high * wish.place.aspect))
        pairs.append(np.hstack([resample(picture.pixels, alone, high), resample(wall, wide, high)]))
    labels = [f"{i}: seed {picture.settings.seed}" for i, picture in enumerate(pictures, 1)]
    path = folder / (f"candidates-{wish.number}.jpg" if several else "candidates.jpg")
    write_image(path, contact_sheet(pairs, labels=labels), to_text(pictures[0].settings))
    out.print(plain(str(path)))


def _finished(
    model: Model,
    folder: Path,
    wish: Wish,
    candidate: Filled,
    finish: Finish,
    device: str | None,
    several: bool,
) -> Filled:
    """A candidate repainted, enlarged, written and printed."""
    from ..frames.filling import (
        Filled,
        finished_size,
        kept,
        picture_settings,
        print_settings,
        repainted,
    )
    from ..pictures.images import write_image
    from ..pictures.metadata import to_text

    def enlarge(image: np.ndarray, size: Size, upscaler: str) -> np.ndarray:
        return enlarged(image, size, upscaler, device)

    number = f"-{wish.number}" if several else ""
    size = finished_size(wish.place, wish.order)
    settings = picture_settings(candidate.settings, size, finish.upscaler, finish.refine)
    path = folder / f"picture{number}.png"
    pixels = kept(path, settings)
    if pixels is None:
        steps = 0 if finish.refine is None else max(1, int(settings.steps * finish.refine.strength))
        with progress() as bar:
            task = bar.add_task(f"repainting frame {wish.number}", total=steps, visible=steps > 0)
            own = repainted(model, candidate.pixels, settings, lambda n: bar.advance(task, n))
        pixels = enlarge(own, size, finish.upscaler)
        write_image(path, pixels, to_text(settings))
    out.print(plain(str(path)))
    if wish.order is not None:
        target = folder / f"print{number}{finish.suffix}"
        own_size = _own_size(model, wish, finish)
        text = to_text(print_settings(settings, own_size, wish.order))
        wish.order.write(target, wish.order.placed(pixels, enlarge), size, text)
        out.print(plain(str(target)))
    for stale in [] if wish.order else sorted(folder.glob(f"print{number}.*")):
        err.print(f"[yellow]note:[/yellow] {plain(str(stale))} is of an earlier picture")
    return Filled(pixels, settings)


def _write_room(
    folder: Path, room: Original, hole: Original | None, pictures: list[Filled]
) -> None:
    from ..frames.filling import hung, room_settings
    from ..pictures.images import write_image
    from ..pictures.metadata import to_text

    filled = hung(room.pixels, None if hole is None else hole.pixels, pictures)
    text = to_text(room_settings([picture.settings for picture in pictures]))
    write_image(folder / "room.png", filled, text)
    write_before_after(folder / "before-after.jpg", room.pixels, filled, text)
    out.print(plain(f"{folder / 'room.png'}\n{folder / 'before-after.jpg'}"))
