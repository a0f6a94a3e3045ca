"""Use cases: a picture to a printer's file, and a printed file made again.

Both are generators of events (see `events`). Where a print comes with something else, such as the
picture in a frame, `notes` and `printed` are the parts that they are made of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import verbatim
from ..events import Event, Note, Saved
from ..files import parsed, refuse_overwrite
from ..generate.file_texts import reads_text, text_of
from ..generate.marks import kept_mark
from ..generate.outputs import chosen_output, notes_on_texts, place_beside
from ..generate.replay import ReplayRequest, picture_again, replays_text, sheet_text
from ..geometry import Size
from ..images.source_image import PictureLike, SourceImage, check_unchanged, source_image
from ..images.upscale import check_upscaler
from ..mosaics.stored import StoredMosaic, is_stored
from ..pace import paced
from .paper import Sheet
from .poster import finest, gamut_note, is_streamed, poster_notes, print_mosaic
from .print_file import read_pdf_text
from .print_job import PrintJob, damaged
from .print_spec import PrintSpec
from .sizes import Extent, in_millimetres, nearest_frame

LOW_DPI = 200  # below, a print at arm's length looks soft
_SAMPLES = 1_000_000  # pixels are looked at for the share of colours that cannot be printed
_TO_SAY = 0.005  # a smaller share that is cut off is rounding


def print_picture(
    picture: PictureLike,
    spec: PrintSpec,
    output: Path | None = None,
    *,
    text: Mapping[str, str] | None = None,
    overwrite: bool = False,
    device: str | None = None,
) -> Iterator[Event]:
    """Makes a printer's file of a picture, exact in size and colours.

    Args:
        picture: A path, a PIL image or an array.
        spec: How to print it.
        output: ``.pdf``, ``.tif``, ``.png`` or ``.jpg``; a free name beside the picture if not
            given.
        text: What the file remembers of how the picture was made; of a picture file, what that
            remembers, if not given.
        overwrite: As of `outputs.chosen_output`.
        device: Of an upscaler from a file: the best there is if not given.

    Yields:
        What is printed and how the picture is fitted as `Note`, `Progress` while it is enlarged,
        `Saved` for each file.

    Raises:
        InputError, OutputError: Before anything is written, whatever is wrong with the picture,
            the spec or the place.
    """
    check_upscaler(spec.upscaler, device)
    if isinstance(picture, (str, Path)) and is_stored(Path(picture)):
        with StoredMosaic(Path(picture)) as mosaic:
            job = finest(spec, mosaic.rows.size)
            usual = place_beside(picture, "", ".pdf")
            if is_streamed(job, mosaic, output or usual):
                yield from _of_mosaic(job, mosaic, spec, output, usual, text, overwrite, device)
                return
    source = source_image(picture)
    own = source.size
    job = finest(spec, own) if _is_folder(picture) else spec.job(own.width / own.height)
    if isinstance(picture, (str, Path)):
        text = text_of(Path(picture)) if text is None else text
    remembered = print_text(job, own, source.origin, text or {})
    usual = place_beside(picture, "", ".pdf")
    output = _place(job, picture, output, usual, remembered, spec, overwrite=overwrite)
    yield from source.notes()
    yield from print_source(job, source, output, remembered, proof=spec.proof, device=device)


def _of_mosaic(
    job: PrintJob,
    mosaic: StoredMosaic,
    spec: PrintSpec,
    output: Path | None,
    usual: Path,
    text: Mapping[str, str] | None,
    overwrite: bool,
    device: str | None,
) -> Iterator[Event]:
    """Prints a mosaic from its store."""
    text = text_of(mosaic.path) if text is None else text
    remembered = print_text(job, mosaic.rows.size, mosaic.origin, text)
    output = _place(job, mosaic.path, output, usual, remembered, spec, overwrite=overwrite)
    yield from notes(job, mosaic.rows.size)
    yield from poster_notes(job, mosaic)
    yield from notes_on_texts(output, remembered)
    proof = (proof_path(output), proof_text(remembered, output)) if spec.proof else None
    yield from print_mosaic(job, mosaic, output, remembered, proof=proof, device=device)


def _place(
    job: PrintJob,
    picture: PictureLike,
    output: Path | None,
    usual: Path,
    remembered: Mapping[str, str],
    spec: PrintSpec,
    *,
    overwrite: bool,
) -> Path:
    """Where a print goes."""

    def plan(place: Path) -> dict[Path, dict[str, str]]:
        return print_files(place, remembered, proof=spec.proof)

    if output is not None:
        job.check(output)
        if isinstance(picture, (str, Path)):
            for target in plan(output):
                refuse_overwrite(Path(picture), target)
    return chosen_output(output, usual, plan, overwrite=overwrite)


def print_text(
    job: PrintJob, own: Size, origin: Mapping[str, str], text: Mapping[str, str]
) -> dict[str, str]:
    """What the print of a picture remembers.

    Args:
        own: The picture's size.
        origin: Its own, see `SourceImage`.
        text: What is known of how the picture was made.
    """
    kept = kept_mark({name: value for name, value in text.items() if name != "sheet"})
    return kept | {"print": json.dumps({"image": dict(origin)} | job.remembered(own))}


def print_files(
    output: Path, text: Mapping[str, str], *, proof: bool
) -> dict[Path, dict[str, str]]:
    """The files of a print, and what each remembers: the print these texts."""
    beside = {proof_path(output): proof_text(text, output)} if proof else {}
    return {output: dict(text), **beside}


def print_source(
    job: PrintJob,
    source: SourceImage,
    output: Path,
    text: Mapping[str, str],
    *,
    proof: bool = False,
    device: str | None = None,
) -> Iterator[Event]:
    """Prints a picture that was read, as a job says; see `print_picture`.

    Args:
        text: As of `print_text`.
        proof: Whether a proof goes beside it.
    """
    yield from notes(job, source.size)
    yield from notes_on_texts(output, text)
    place = proof_path(output) if proof else None
    yield from printed(job, source.pixels, output, text, proof=place, device=device)


@replays_text("print")
def replay_print(request: ReplayRequest) -> Iterator[Event]:
    """Prints a picture file once more, as a printed one remembers.

    Raises:
        InputError: The text is damaged, or the picture or the profile is not there or another by
            now.
        OutputError: It cannot be written there.
    """
    try:
        found = parsed(request.text["print"])
        origin = dict(found["image"])
        path = str(origin.get("path") or "")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error
    job = PrintJob.from_remembered(found)
    job.check(request.target)
    yield Note(verbatim(f"a print of {path or 'a picture'} on {job.sheet.trim}"))
    yield from notes_on_texts(request.target, request.text)
    if path and is_stored(Path(path)):
        with StoredMosaic(Path(path)) as mosaic:
            if is_streamed(job, mosaic, request.target):
                check_unchanged(mosaic.origin, origin)
                yield from print_mosaic(
                    job, mosaic, request.target, request.text, device=request.device
                )
                return
    try:
        image = yield from picture_again(request, origin)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error
    yield from printed(job, image.pixels, request.target, request.text, device=request.device)


reads_text(".pdf")(read_pdf_text)


def _is_folder(picture: PictureLike) -> bool:
    """Whether a picture is a mosaic, of whose pictures nothing is to be lost."""
    return isinstance(picture, (str, Path)) and Path(picture).is_dir()


def proof_path(output: Path) -> Path:
    """Where the proof of a printer's file goes."""
    return output.with_name(f"{output.stem}-proof.png")


def proof_text(text: Mapping[str, str], output: Path) -> dict[str, str]:
    """What the proof of a printer's file with these texts remembers."""
    return sheet_text(text, "a proof", output.parent, [output])


def printed(
    job: PrintJob,
    image: np.ndarray,
    output: Path,
    text: Mapping[str, str],
    *,
    proof: Path | None = None,
    device: str | None = None,
) -> Iterator[Event]:
    """Enlarges a picture ``(H, W, 3)`` uint8 and writes the printer's file.

    Args:
        text: What the file remembers.
        proof: Where a proof goes, or ``None``.
        device: As of `print_picture`.

    Raises:
        OutputError: It cannot be written there.
    """
    own = Size(image.shape[1], image.shape[0])
    rows = job.placement(own).target.size.height
    task = f"enlarging with {job.upscaler_for(own)}"
    placed = yield from paced(task, "enlarge", job.placing(image, device), rows)
    if job.profile is not None:
        step = max(1, round((placed.size / 3 / _SAMPLES) ** 0.5))
        yield gamut_note(placed[::step, ::step], job.profile)
    words = None if proof is None else (proof, proof_text(text, output))
    job.write(output, placed, own, text, words)
    yield Saved(output, details=job.remembered(own))
    if proof is not None:
        yield Saved(proof)


def notes(job: PrintJob, picture: Size) -> Iterator[Note]:
    """What is printed, and how a picture of a size is fitted, before the work.

    Args:
        picture: The pixels that it has of its own.
    """
    yield Note(_sheet_words(job.sheet))
    yield Note(_pixel_words(job, picture))
    effective = job.effective_dpi(picture)
    if effective < LOW_DPI:
        yield Note(
            f"{_whole(effective)} DPI is less than {LOW_DPI}: seen up close, the print will look "
            "soft or show details that the upscaler invented",
            "warning",
        )
    elif job.sheet.dpi < LOW_DPI:
        yield Note(f"`dpi` {job.sheet.dpi} is less than {LOW_DPI}", "warning")


def _sheet_words(sheet: Sheet) -> str:
    """A sheet in lengths and in pixels."""
    name, sold = nearest_frame(sheet.trim)
    same = max(abs(a - b) for a, b in zip(sold, sheet.trim, strict=True)) < 0.5
    parts = [f"{sheet.trim} as cut ({name if same else f'nearest that is sold: {name}'})"]
    if sheet.mat:
        parts.append(f"{Extent(*(side - 2 * sheet.mat for side in sheet.trim))} seen")
    if sheet.bleed:
        parts.append(f"{in_millimetres(sheet.bleed)} mm bleed")
    parts.append(f"{sheet.media.width:,} x {sheet.media.height:,} px at {sheet.dpi} DPI")
    return ", ".join(parts)


def _pixel_words(job: PrintJob, picture: Size) -> str:
    """How many DPI a picture of a size has of its own, and how it is enlarged or reduced."""
    found, upscaler = job.placement(picture), job.upscaler_for(picture)
    words = (
        f"the picture's own {picture.width:,} x {picture.height:,} px are "
        f"{_whole(job.effective_dpi(picture))} DPI"
    )
    if upscaler is not None:
        words += f": enlarged {found.enlargement:.2f} times with {verbatim(upscaler)}"
    lost = 1 - found.crop.size.pixels / picture.pixels
    if lost < _TO_SAY:
        return words
    words += f"; {_percent(lost)} of it is cut off to fit (`fit` contain keeps it"
    trim = job.sheet.trim
    ratio = picture.width / picture.height * trim.width / trim.height
    turned = 1 - min(ratio, 1 / ratio)
    if turned < lost - 0.05:
        words += f", {trim.turned()} would cut off {_percent(turned)}"
    return words + ")"


def _whole(number: float) -> str:
    """A number above 0 without decimals: no picture has 0 DPI."""
    return f"{number:.0f}" if number >= 1 else "less than 1"


def _percent(share: float) -> str:
    """A share of something that stays, in part: never all of it."""
    return f"{100 * share:.0f} %" if share < 0.995 else "more than 99 %"
