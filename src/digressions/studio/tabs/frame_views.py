"""What the tab Frame shows: a room with its openings, candidates to choose from, before and after.

The page's script `frame.js` brings them to life.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DigressionsError
from ...events import Event, Saved
from ...images.image_files import read_image, thumbnail, to_webp
from ..live import file_url, picture
from ..studio import Studio
from ..studio_job import Job
from ..thumbs import kept_small

if TYPE_CHECKING:
    from ...frames.choosing import FrameInputs
    from ...homography import Quad
    from ...images import MaskAlpha
    from ...images.source_image import SourceImage

_PHOTO = 1600  # pixels of the longer side of a photo whose openings are dragged
_LARGE, _SMALL = 1400, 420  # pixels of before and after, and of a candidate
_BEFORE = 30  # percent of the room that are shown as they were; the style sheet begins there too
NO_PHOTO = (
    '<div class="empty hint"><p>Give a photo of a room: its empty frames are found, '
    "and you say what hangs in them.</p></div>"
)
LOOKING = (
    '<div class="empty hint" role="status"><span class="pulse" aria-hidden="true"></span>'
    "<p>Looking for frames</p></div>"
)


def room(
    path: str, mask: str | None = None, alpha: MaskAlpha | None = None
) -> tuple[str, DigressionsError | None]:
    """A photo with its openings, whose corners can be dragged, or with the one that a mask shows;
    and what is wrong with photo or mask."""
    from ...images.source_image import source_image

    try:
        photo = source_image(path, "photo")
    except DigressionsError as error:
        return NO_PHOTO, error
    try:
        found = _openings(path, photo, mask, alpha)
    except DigressionsError as error:
        return _room(photo.pixels, [], _MASK_IS_WRONG, by_mask=True), error
    said = _BY_MASK if mask else _DRAG if found else _NONE_FOUND
    return _room(photo.pixels, found, said, by_mask=mask is not None), None


_BY_MASK = "This opening is the one of the mask: say what hangs in it."
_MASK_IS_WRONG = "The mask shows no opening: give another, or take it away."
_DRAG = "Drag the corners, or move them by the arrow keys."
_NONE_FOUND = "No frame is found: add an opening, and drag its corners to where the picture goes."


def _openings(
    path: str, photo: SourceImage, mask: str | None, alpha: MaskAlpha | None
) -> list[Quad]:
    from ...api import find_frames
    from ...frames.choosing import LIKELY, numbered
    from ...frames.find import opening_in_mask
    from ...images.mask_files import read_mask

    if mask is not None:
        return [opening_in_mask(read_mask(mask, photo, alpha).pixels)]
    return [each.opening for each in numbered(find_frames(path)) if each.score >= LIKELY]


def _room(pixels: np.ndarray, found: Sequence[Quad], said: str, *, by_mask: bool) -> str:
    height, width = pixels.shape[:2]
    openings = json.dumps([[list(point) for point in each] for each in found])
    small = base64.b64encode(to_webp(thumbnail(pixels, _PHOTO), 82)).decode()
    return (
        f'<div class="room{" by-mask" if by_mask else ""}" data-width="{width}" '
        f'data-height="{height}" data-openings="{escape(openings)}">'
        f'<div class="photo"><img src="data:image/webp;base64,{small}" alt="The photo" '
        'draggable="false"><svg aria-hidden="true"></svg><div class="corners"></div>'
        '<div class="loupe" aria-hidden="true"></div></div>'
        f'<p class="said" role="status">{said}</p><ol class="openings"></ol>'
        '<div class="tools"><button type="button" class="add">Add an opening</button></div></div>'
    )


def with_views(studio: Studio, inputs: FrameInputs, events: Iterator[Event]) -> Iterator[Event]:
    """Adds small pictures to what is told of files, by which `shown` shows them."""
    from ...frames.candidates import candidate_of, on_its_wall

    for event in events:
        match event:
            case Saved(path, details={"frame": int(number), "candidates": list(files)}):
                pairs = []
                for file in files:
                    candidate = candidate_of(Path(file))
                    wall = on_its_wall(inputs, number, candidate)
                    pairs.append([_kept(studio, each, _SMALL) for each in (candidate.array, wall)])
                event = dataclasses.replace(event, details=event.details | {"views": pairs})
            case Saved(path) if path.name == "room.png":
                both = inputs.photo.pixels, read_image(path)
                large = [_kept(studio, each, _LARGE) for each in both]
                event = dataclasses.replace(event, details={"before-after": large})
        yield event


def _kept(studio: Studio, pixels: np.ndarray, side: int) -> str:
    return str(kept_small(studio, thumbnail(pixels, side)))


def shown(studio: Studio, job: Job) -> str:
    """The results of a job as HTML."""
    if grid := _candidates(job):
        return grid
    beside = [each for each in job.saved if "before-after" in each.details]
    if beside:
        earlier = studio.jobs.get(job.settings.get("chosen_from", 0))
        is_its = earlier is not None and earlier.settings["photo"] == job.settings["photo"]
        others = _candidates(earlier) if earlier is not None and is_its else ""
        if others:
            others = f"<details><summary>Choose another</summary>{others}</details>"
        return _before_after(beside[0], job.saved) + others
    chart = next((each.path for each in job.saved if each.path.suffix == ".png"), None)
    large = "" if chart is None else picture(str(chart), chart.name)
    return large + links(job.saved)


def _candidates(job: Job) -> str:
    """Candidates of each opening, alone and on the wall, one to be chosen for each; nothing of a
    job that made none."""
    grids = [each.details for each in job.saved if "views" in each.details]
    if not grids:
        return ""
    parts = []
    prompts = job.settings["spec"]["prompts"]
    prompts = prompts * len(grids) if len(prompts) == 1 else prompts
    for place, (details, prompt) in enumerate(zip(grids, prompts, strict=True)):
        cards, only = [], " checked" * (len(details["views"]) == 1)
        for number, (alone, wall) in enumerate(details["views"], 1):
            cards.append(
                f'<label class="card"><input type="radio" name="pick-{job.number}-{place}" '
                f'value="{number}"{only}><img src="{file_url(wall)}" alt="{number} on the wall">'
                f'<img class="alone" src="{file_url(alone)}" alt="{number} alone">'
                f"<span>{number}</span></label>"
            )
        title = f"Opening {details['frame']}: {prompt}"
        parts.append(
            f'<fieldset class="pick"><legend>{escape(title)}</legend>'
            f'<div class="cards">{"".join(cards)}</div></fieldset>'
        )
    hang = '<button type="button" class="hang">Hang the chosen</button>'
    return f'<div class="candidates" data-job="{job.number}">{"".join(parts)}{hang}</div>'


def _before_after(room: Saved, saved: Sequence[Saved]) -> str:
    before, after = (file_url(each) for each in room.details["before-after"])
    return (
        '<figure class="compare">'
        f'<img src="{after}" alt="The room with its pictures">'
        f'<img class="over" src="{before}" alt="The room before"><span class="bar"></span>'
        f'<input type="range" min="0" max="100" value="{_BEFORE}" aria-label="How much of the '
        'room is shown as it was before"></figure>'
    ) + links(saved)


def links(saved: Sequence[Saved]) -> str:
    """Links that download files."""
    found = "".join(
        f'<a href="{file_url(each.path)}" download="{escape(each.path.name)}">'
        f"{escape(each.path.name)}</a>"
        for each in saved
    )
    return f'<p class="files">{found}</p>'
