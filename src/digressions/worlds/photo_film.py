"""Use case: a film that falls into photos made of photos, and such a film again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ImageError, InputError
from ..events import Event, Note
from ..files import output_path, parsed
from ..generate.presets import notes_on_preset
from ..generate.replay import ReplayRequest, replays_text
from ..generate.signatures import takes
from ..geometry import CellPath
from ..images.source_image import remembered_image
from ..images.video import uneven_rate
from .cache import Cache
from .filming import Way, check_film, chosen_film, filmed, usual_film
from .photo_world import ResolvedPhotoWorld, check_photo_world, resolve_photo_world
from .photo_world_spec import PhotoFilmSpec

TEXT = "photo_film"
"""The key of the text by which a film of photos remembers how it was made."""
_FOUND = ("loop", "reuse")  # shown by its pictures


@takes(PhotoFilmSpec)
def photo_film(
    tiles: str | Path | Iterable[str | Path],
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    **parameters: Any,
) -> Iterator[Event]:
    """Makes a film that falls into photos made of photos and comes out where it began. Needs no
    model.

    Args:
        tiles: Folders, photos, or text files with a path a line.
        output: ``.mp4``, ``.webm``, ``.gif``, ``.webp``, or a folder for PNGs; a free name after
            the photos' folder if not given.
        overwrite: Whether what is at ``output`` may go, whatever made it.
        parameters: Those of `PhotoFilmSpec`: ``image``, ``levels``, ``grid``, ``reuse``, ...
    """
    places = [tiles] if isinstance(tiles, (str, Path)) else list(tiles)
    spec = PhotoFilmSpec.of(tiles=[str(place) for place in places], **parameters)
    target = None if output is None else output_path(output)
    return make_photo_film(spec, target, overwrite=overwrite)


def make_photo_film(
    spec: PhotoFilmSpec, target: Path | None = None, *, overwrite: bool = False
) -> Iterator[Event]:
    """Makes a film of photos, and says what it costs, how far it is and how well it closes.

    Closing it cancels; what is indexed and placed by then is kept.

    Args:
        spec: What film.
        target, overwrite: As of `film.make_film`.

    Raises:
        InputError, ImageError, OutputError: It cannot be made.
    """
    check_film(spec, target)
    check_photo_world(spec.world, spec.cache)
    yield from notes_on_preset(spec, preset=spec.preset)
    world = yield from resolve_photo_world(spec.world, spec.bank.most)
    yield from _filming(spec, world, target, usual_film(spec.world.title), overwrite=overwrite)


def _filming(
    spec: PhotoFilmSpec,
    world: ResolvedPhotoWorld,
    target: Path | None,
    usual: Path,
    *,
    overwrite: bool,
) -> Iterator[Event]:
    size = spec.frame_for(world.manifest.cells.cell)

    def text_for(loop: CellPath) -> dict[str, str]:
        flight = {"loop": loop, "frame_size": str(size), "fps": spec.fps}
        flight |= {"count": spec.count, "max_mb": spec.max_mb}
        remembered = {"version": __version__, **world.remembered, **flight}
        return {TEXT: json.dumps(remembered), **world.mark}

    choose = partial(chosen_film, target, usual, overwrite=overwrite)
    # The way is not known yet, but this much is before anything is placed.
    place = choose(text_for(spec.first_cells or (0,)), aside=_FOUND)
    if uneven := uneven_rate(place, spec.fps):
        yield Note(uneven, "note")
    way = Way(spec.levels, spec.first_cells, size, spec.fps, spec.count, spec.max_mb)
    with Cache(spec.cache.cache, spec.cache.limit) as cache:
        yield from filmed(world.open(cache), way, text_for, choose, "place")


@replays_text(TEXT)
def replay_photo_film(request: ReplayRequest) -> Iterator[Event]:
    """A film of photos again. A frame of a folder of PNGs remembers the film, too."""
    spec, digest = remembered_film(request.text)
    still = request.source.suffix.lower() == ".png"
    usual = request.usual_folder if still else request.usual_file
    place = request.output or usual
    if place.suffix.lower() != ".gif":
        spec = spec.but(max_mb=None)
    check_film(spec, place)
    world = yield from resolve_photo_world(spec.world, spec.bank.most)
    if world.digest != digest:
        yield Note(
            f"there are other photos in {', '.join(spec.world.photos.tiles)} than when "
            f"{request.source} was made: the film will be another",
            "note",
        )
    yield from _filming(spec, world, request.output, usual, overwrite=request.overwrite)


def remembered_film(text: Any) -> tuple[PhotoFilmSpec, str]:
    """What a film of photos remembers: the spec, and what tells its photos.

    Raises:
        ImageError: It is damaged.
        InputError: It was to forget where the photos are, or the picture is another by now.
    """
    try:
        found = parsed(text[TEXT])
        photos, origin = dict(found["photos"]), dict(found["image"])
        loop, fps = [int(cell) for cell in found["loop"]], int(found["fps"])
        values = {name: found[name] for name in ("grid", "size", "band", "seed", "frame_size")}
        values |= {"max_mb": found["max_mb"], "seconds": int(found["count"]) / fps, "fps": fps}
        values |= {"fit": found["fit"]} if "fit" in found else {}
        reuse = max(2, int(found["reuse"]) - bool(origin["sha256"]))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ImageError(f"the settings of the film are damaged: {error!s:.80}") from error
    if photos.get("forget_paths"):
        raise InputError("this was made with `forget_paths`: it does not say of which photos")
    if origin["sha256"]:
        values["image"] = origin["path"]
        remembered_image(origin)
    try:
        way = {"levels": len(loop), "into": loop}
        spec = PhotoFilmSpec.of(reuse=reuse, **way, **values, **photos)
        spec.check()
    except (InputError, TypeError) as error:
        raise ImageError(f"the settings of the film are damaged: {error!s:.80}") from error
    return spec, str(found.get("digest", ""))
