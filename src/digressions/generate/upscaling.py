"""Use cases: a picture file with more pixels, and an enlarged one made again.

Both are generators of events (see `events`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError, verbatim
from ..events import Event, Note, Saved
from ..files import parsed, refuse_overwrite
from ..geometry import Size
from ..images.carried import Carried
from ..images.colour import filled_from_around
from ..images.decoding import MAX_PIXELS
from ..images.image_files import check_suffix, keeps_alpha, resample, write_image
from ..images.source_image import PictureLike, SourceImage, source_image
from ..images.upscale import check_upscaler, enlarging, load_upscaler
from ..pace import paced
from .file_texts import text_of
from .keeping import kept_of, notes_on_keeping
from .marks import kept_mark
from .outputs import chosen_output, notes_on_texts, place_beside
from .params import KeepParams, UpscaleSpec
from .replay import ReplayRequest, picture_again, replays_text


def upscale_picture(
    picture: PictureLike,
    spec: UpscaleSpec,
    output: Path | None = None,
    *,
    text: Mapping[str, str] | None = None,
    overwrite: bool = False,
    device: str | None = None,
) -> Iterator[Event]:
    """Enlarges a picture and writes it, with its transparency where the file can have one.

    Args:
        picture: A path, a PIL image or an array.
        spec: To which size, and by what.
        output: ``.png``, ``.jpg``, ``.webp`` or ``.tif``; a free name beside the picture if not
            given.
        text: What the file remembers of how the picture was made; of a picture file, what that
            remembers, if not given.
        overwrite: As of `outputs.chosen_output`.
        device: Of an upscaler from a file: the best there is if not given.

    Yields:
        `Progress`, in rows, and `Saved`.

    Raises:
        InputError, OutputError: Before anything is written, whatever is wrong with the picture,
            the spec or the place.
    """
    check_upscaler(spec.upscaler, device)
    source = source_image(picture)
    size = spec.size_for(Size(source.pixels.shape[1], source.pixels.shape[0]))
    if size.pixels > MAX_PIXELS:
        raise InputError(f"{size} has more than the {MAX_PIXELS:,} pixels that are written")
    if isinstance(picture, (str, Path)):
        text = text_of(Path(picture)) if text is None else text
    note = {
        "image": source.origin,
        "size": list(size),
        "upscaler": spec.upscaler,
        "version": __version__,
        "keep": spec.keep.json_object(),
    }
    kept = {name: each for name, each in (text or {}).items() if name not in ("print", "sheet")}
    # What was done last is what is made again.
    remembered = kept_mark(kept) | {"upscale": json.dumps(note)}
    usual = place_beside(picture, "-upscaled", ".png")
    if output is not None:
        check_suffix(output, *size)
        if isinstance(picture, (str, Path)):
            refuse_overwrite(Path(picture), output)
    output = chosen_output(output, usual, lambda place: {place: remembered}, overwrite=overwrite)
    yield from source.notes(flattened=not keeps_alpha(output))
    yield from notes_on_keeping(source, spec.keep)
    yield from notes_on_texts(output, remembered)
    carried = kept_of(source, spec.keep)
    yield from _enlarged(source, size, spec.upscaler, output, remembered, device, carried)


@replays_text("upscale")
def replay_upscale(request: ReplayRequest) -> Iterator[Event]:
    """Enlarges a picture file once more, as an enlarged one remembers.

    Raises:
        InputError: The text is damaged, or the picture is not there or another by now.
        OutputError: It cannot be written there.
    """
    try:
        note = parsed(request.text["upscale"])
        size = Size(*(int(side) for side in note["size"]))
        origin, upscaler = dict(note["image"]), str(note["upscaler"])
        keep = KeepParams.from_json_object(note.get("keep", {}))
        source = yield from picture_again(request, origin)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"the settings of the enlargement are damaged: {error!r:.120}") from error
    if min(size) < 1 or size.pixels > MAX_PIXELS:
        raise InputError(f"the settings of the enlargement are damaged: its size is {size}")
    check_suffix(request.target, *size)
    yield Note(verbatim(f"{origin['path'] or 'a picture'} enlarged to {size} with {upscaler}"))
    yield from notes_on_texts(request.target, request.text)
    yield from _enlarged(
        *(source, size, upscaler, request.target, request.text, request.device),
        carried=kept_of(source, keep),
    )


def _enlarged(
    source: SourceImage,
    size: Size,
    upscaler: str,
    output: Path,
    text: Mapping[str, str],
    device: str | None,
    carried: Carried,
) -> Iterator[Event]:
    ready = load_upscaler(upscaler, device=device)
    layer = source.layer if keeps_alpha(output) else None
    pixels = source.pixels if layer is None else _opaque(layer)
    work = enlarging(pixels, *size, ready)
    image = yield from paced(f"enlarging with {upscaler}", "enlarge", work, size.height)
    if layer is not None:
        image = np.dstack([image, resample(layer[..., 3], *size)])
    write_image(output, image, text, carried)
    yield Saved(output, f"{size.width:,} x {size.height:,} px")


def _opaque(layer: np.ndarray) -> np.ndarray:
    """The colours of a picture ``(H, W, 4)`` uint8, those around in the place of what is clear: an
    upscaler would draw whatever hides there into what is seen."""
    clear = np.where(layer[..., 3] == 0, 255, 0).astype(np.uint8)
    return filled_from_around(layer[..., :3], clear)
