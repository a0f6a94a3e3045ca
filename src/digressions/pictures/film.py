"""Frames to a film: MP4, WebM, a looping GIF, or a folder of PNGs.

Frames are asked for one by one and go straight to the encoder (PyAV), so the memory that a film
takes does not depend on its length.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ..errors import ImageError, InputError, OutputError
from ..geometry import Size
from ..output import workshop, writing
from .images import resample, write_image
from .texts import gif_comment

_VIDEO = {
    ".mp4": ("mp4", "libx264", {"crf": "18", "preset": "medium"}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "28", "b": "0", "row-mt": "1", "cpu-used": "3"}),
}
VIDEOS = tuple(_VIDEO)  # suffixes of files that remember
_BT709 = 1
_SAMPLES = 16  # frames that a GIF's palette is made of
_DITHER = 10.0  # grey levels from the darkest to the brightest of the pattern
_TRIES = 8
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32)

OnFrame = Callable[[int], None]


class Film(Protocol):
    """Frames by number.

    Attributes:
        count: How many there are.
        fps: Frames a second.
        size: Of each.
    """

    count: int
    fps: int
    size: Size

    def frame(self, index: int) -> np.ndarray:
        """``(H, W, 3)`` uint8."""
        ...


def check_film(path: Path, size: Size) -> None:
    """Raises what `write_film` would raise for this path and size, without writing.

    Raises:
        OutputError: A suffix that is no film's.
        InputError: A size that the encoder does not take.
    """
    kind = path.suffix.lower()
    if kind not in (*_VIDEO, ".gif", ""):
        raise OutputError(
            f"{path}: cannot write {kind!r}: use .mp4, .webm, .gif, or none for a folder"
        )
    if kind in _VIDEO and (size.width % 2 or size.height % 2):
        raise InputError(f"--size {size}: {kind} takes even sides only")


def write_film(
    path: Path,
    film: Film,
    *,
    most_bytes: int | None = None,
    text: Mapping[str, str] | None = None,
    on_frame: OnFrame | None = None,
) -> Size:
    """Writes a film, whole or not at all (of a folder: each frame).

    Args:
        path: ``.mp4``, ``.webm``, ``.gif``, or no suffix for a folder of PNGs.
        most_bytes: What a GIF may take; it is made smaller until it fits.
        text: What the file, or each PNG, remembers.
        on_frame: Called after every frame, with how many are rendered; a GIF that has to become
            smaller begins again at 1.

    Returns:
        The size of the frames as written.

    Raises:
        OutputError: Another suffix, or a place that cannot be written.
    """
    check_film(path, film.size)
    kind, text = path.suffix.lower(), dict(text or {})
    if kind == "":
        for index, frame in _frames(film, film.size, on_frame):
            write_image(path / f"{index:06}.png", frame, text)
        return film.size
    size = film.size
    with workshop(path.parent, path) as work, writing(path):
        beside = work / path.name
        if kind == ".gif":
            size = _write_gif(beside, film, most_bytes, text, on_frame)
        else:
            _write_video(beside, kind, film, text, on_frame)
        beside.replace(path)
    return size


def read_film_text(path: Path) -> dict[str, str]:
    """The texts that `write_film` left in an MP4 or a WebM.

    Raises:
        ImageError: The file is not there or no film.
    """
    import av

    try:
        # What another program wrote need not be UTF-8.
        with av.open(str(path), metadata_errors="replace") as container:
            found = dict(container.metadata)
    except av.FFmpegError as error:
        reason = "there is no such file" if not path.exists() else "is no film that can be read"
        raise ImageError(f"{path}: {reason}") from error
    # Matroska writes the names of what it does not know in capitals.
    return {name.lower(): value for name, value in found.items()}


def _frames(film: Film, size: Size, on_frame: OnFrame | None) -> Iterator[tuple[int, np.ndarray]]:
    for index in range(film.count):
        yield index, resample(film.frame(index), *size)
        if on_frame is not None:
            on_frame(index + 1)


def _write_video(
    path: Path, kind: str, film: Film, text: Mapping[str, str], on_frame: OnFrame | None
) -> None:
    import av

    container_format, codec, options = _VIDEO[kind]
    flags = {"movflags": "faststart+use_metadata_tags"} if kind == ".mp4" else {}
    with av.open(str(path), "w", format=container_format, options=flags) as container:
        container.metadata.update(text)
        stream: Any = container.add_stream(codec, rate=Fraction(film.fps), options=options)
        stream.width, stream.height, stream.pix_fmt = *film.size, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        for _, frame in _frames(film, film.size, on_frame):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _write_gif(
    path: Path,
    film: Film,
    most_bytes: int | None,
    text: Mapping[str, str],
    on_frame: OnFrame | None,
) -> Size:
    size, palette = film.size, palette_of(film)
    for _ in range(_TRIES):
        _write_gif_at(path, film, size, palette, on_frame)
        if text:
            _insert_comment(path, gif_comment(text))
        written = path.stat().st_size
        if most_bytes is None or written <= most_bytes:
            return size
        # Bytes go with the pixels; a little less, so that it ends soon.
        shrink = 0.95 * math.sqrt(most_bytes / written)
        size = Size(*(max(1, round(side * shrink)) for side in size))
    raise InputError(f"a GIF of {film.count} frames does not fit {most_bytes:,} bytes")


def _write_gif_at(
    path: Path, film: Film, size: Size, palette: Image.Image, on_frame: OnFrame | None
) -> None:
    import av

    colours = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)
    opaque = np.full((256, 4), 255, np.uint8)
    opaque[:, 1:] = np.resize(colours, (256, 3))
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
        stream: Any = container.add_stream("gif", rate=Fraction(film.fps))
        stream.width, stream.height, stream.pix_fmt = *size, "pal8"
        for index, frame in _frames(film, size, on_frame):
            indexed = dithered(frame).quantize(palette=palette, dither=Image.Dither.NONE)
            both: Any = (np.asarray(indexed), opaque)  # the stubs know of one array only
            picture = av.VideoFrame.from_ndarray(both, format="pal8")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _insert_comment(path: Path, comment: bytes) -> None:
    """Puts a comment where readers look for it, before the first frame; by way of a second file,
    so that a long film takes no more memory."""
    beside = path.with_name(f"{path.name}.part")
    with path.open("rb") as gif, beside.open("wb") as copy:
        head = gif.read(13)
        flags = head[10]
        palette = gif.read(3 * 2 ** ((flags & 7) + 1)) if flags & 0x80 else b""
        copy.write(head + palette + comment)
        shutil.copyfileobj(gif, copy)
    beside.replace(path)


def palette_of(film: Film) -> Image.Image:
    """One palette of 256 colours for all frames, so that nothing flickers: median cut over frames
    from everywhere in the film, then k-means."""
    indices = range(0, film.count, math.ceil(film.count / _SAMPLES))
    small = Size(*(max(1, min(side, 64)) for side in film.size))
    sheet = np.concatenate([resample(film.frame(index), *small) for index in indices])
    return Image.fromarray(sheet).quantize(256, Image.Quantize.MEDIANCUT, kmeans=2)


def dithered(frame: np.ndarray) -> Image.Image:
    """A frame with an ordered pattern on it (Bayer 1973), which stays where it is from frame to
    frame, where diffused errors would crawl and take more bytes."""
    height, width = frame.shape[:2]
    pattern = (_BAYER + 0.5) / 16 - 0.5
    tiled = np.tile(pattern, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    return Image.fromarray(np.rint(frame + tiled * _DITHER).clip(0, 255).astype(np.uint8))
