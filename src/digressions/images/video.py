"""Frames to a film: MP4, WebM, a GIF or WebP that loops, or a folder of PNGs.

Frames are asked for one by one and go straight to the encoder (PyAV), so the memory that a film
takes does not depend on its length; of a WebP alone, which Pillow writes, all frames are in memory.
"""

from __future__ import annotations

import itertools
import math
import re
import shutil
import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ..errors import ImageError, InputError, OutputError, verbatim
from ..files import reading_foreign, remove_parts, whole_file
from ..geometry import Size
from .decoding import is_file
from .image_files import check_suffix, resample, write_image
from .text_chunks import gif_extensions, save_options
from .xmp import XMP

# Equal frames give equal bytes: as many threads on every machine, and not the macroblock tree, in
# which x264 with AVX-512 reads memory that nobody has written.
_ALIKE = "threads=4:mbtree=0"
_VIDEO = {
    ".mp4": ("mp4", "libx264", {"crf": "18", "preset": "medium", "x264-params": _ALIKE}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "28", "b": "0", "row-mt": "1", "cpu-used": "3"}),
}
VIDEOS = tuple(_VIDEO)
"""Suffixes of files whose texts `read_video_text` reads."""
_BT709 = 1
_SAMPLES = 16  # frames that a GIF's palette is made of
_DITHER = 10.0  # grey levels from the darkest to the brightest of the pattern
_TRIES = 8
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32)
_XMP_TAG = "xmp"  # what FFmpeg calls the packet
_TAGS = {XMP: _XMP_TAG}
_XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_FASTEST = {".gif": 50, ".webp": 90}  # a picture of 1 cs, or 10 ms, is shown for 100 ms
_FRAME = re.compile(r"\d{6}\.png", re.ASCII)  # of a folder; 432,000 frames are the most
_MAX_WEBP = 1_000_000_000  # bytes of all frames


class Film(Protocol):
    """Frames by number.

    Attributes:
        count: How many there are.
        fps: Frames per second.
        size: Of each.
    """

    @property
    def count(self) -> int: ...

    @property
    def fps(self) -> float: ...

    @property
    def size(self) -> Size: ...

    def frame(self, index: int) -> np.ndarray:
        """``(H, W, 3)`` uint8."""
        ...


@dataclass(frozen=True)
class FrameList:
    """A film of frames that are there already.

    Attributes:
        frames: ``(H, W, 3)`` uint8 each, at least one, of one size.
        fps: Frames per second.
    """

    frames: Sequence[np.ndarray]
    fps: float

    @property
    def count(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> Size:
        return Size(self.frames[0].shape[1], self.frames[0].shape[0])

    def frame(self, index: int) -> np.ndarray:
        return self.frames[index]


def is_frame(path: Path) -> bool:
    """Whether a file has the name of a frame in a folder of them."""
    return _FRAME.fullmatch(path.name) is not None


def uneven_rate(path: Path, fps: float) -> str | None:
    """What a user should know of a rate that a GIF can have on average only, or ``None``."""
    if path.suffix.lower() != ".gif" or 100 % fps == 0:
        return None
    return (
        f"a GIF counts time in hundredths of a second, so {fps:g} frames a second come unevenly: "
        "`fps` 50, 25, 20 or 10 does not"
    )


def check_video(
    path: Path, size: Size, count: int = 1, fps: float = 1, *, name: str = "size"
) -> None:
    """Raises what `write_video` would raise for this path, size, number and rate of frames.

    Args:
        path: As of `write_video`.
        size, count, fps: Of the film.
        name: Of the parameter that the size comes from, for the message.

    Raises:
        OutputError: A suffix that is no film's.
        InputError: A size or a rate that the kind of file does not take, or frames that take too
            much memory.
    """
    kind = path.suffix.lower()
    if kind not in (*_VIDEO, ".gif", ".webp", ""):
        raise OutputError(
            f"{verbatim(path)}: cannot write {kind!r}: use .mp4, .webm, .gif, .webp, or no suffix "
            "for a folder of PNGs"
        )
    if fps > (most := _FASTEST.get(kind, fps)):
        raise InputError(
            f"`fps` {fps:g}: a {kind} has at most {most} frames a second, or browsers slow it down"
        )
    if kind in _VIDEO and (size.width % 2 or size.height % 2):
        raise InputError(f"`{name}` {size}: {kind} takes even sides only")
    if kind == ".webp":
        check_suffix(path, *size)
        if (memory := count * size.pixels * 3) > _MAX_WEBP:
            raise OutputError(
                f"{verbatim(path)}: {count:,} frames of {size} as .webp take {memory / 1e9:.1f} GB "
                "of memory: use .mp4, .webm or .gif"
            )


def write_video(
    path: Path,
    film: Film,
    *,
    most_bytes: int | None = None,
    text: Mapping[str, str] | None = None,
) -> Generator[int, None, Size]:
    """Writes a film, whole or not at all (of a folder: each frame).

    Closing the generator before its end cancels, and leaves what was there.

    Args:
        path: ``.mp4``, ``.webm``, ``.gif``, ``.webp`` (quality 90), or no suffix for a folder of
            PNGs.
        most_bytes: What a GIF may take; it is made smaller until it fits.
        text: What the file, or each PNG, remembers.

    Yields:
        How many frames are rendered, after each; a GIF that has to become smaller begins again
        at 1.

    Returns:
        The size of the frames as written.

    Raises:
        OutputError, InputError: As `check_video`; or the place cannot be written, or a GIF cannot
            be made small enough.
    """
    check_video(path, film.size, film.count, film.fps)
    kind, text = path.suffix.lower(), dict(text or {})
    if kind == "":
        for index, frame in _frames(film, film.size):
            write_image(path / f"{index:06}.png", frame, text)
            yield index + 1
        for other in list(path.iterdir()):
            if is_frame(other):
                remove_parts(other)
                if int(other.stem) >= film.count:  # of an older, longer film
                    other.unlink()
        return film.size
    remove_parts(path)
    with whole_file(path) as part:
        if kind == ".gif":
            return (yield from _write_gif(part, film, most_bytes, text))
        if kind == ".webp":
            yield from _write_webp(part, film, text)
        else:
            yield from _encode(part, kind, film, text)
    return film.size


def read_video_text(path: Path) -> dict[str, str]:
    """The texts that `write_video` left in an MP4 or a WebM.

    Raises:
        ImageError: The file is not there or not a film.
    """
    import av

    if not is_file(path):
        raise ImageError(f"{verbatim(path)}: there is no such file")
    with reading_foreign(
        lambda why: ImageError(f"{verbatim(path)} is not a film that can be read ({why})")
    ):
        # What another program wrote need not be UTF-8.
        options = {"export_xmp": "1"}
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            found = dict(container.metadata)
    # Matroska writes the names of what it does not know in capitals.
    names = {tag: name for name, tag in _TAGS.items()}
    return {names.get(name.lower(), name.lower()): value for name, value in found.items()}


def _frames(film: Film, size: Size) -> Iterator[tuple[int, np.ndarray]]:
    for index in range(film.count):
        yield index, resample(film.frame(index), *size)


def _rate(film: Film) -> Fraction:
    return Fraction(film.fps).limit_denominator(1000)


def _encode(path: Path, kind: str, film: Film, text: Mapping[str, str]) -> Iterator[int]:
    import av

    container_format, codec, options = _VIDEO[kind]
    flags = {"fflags": "+bitexact"}  # equal frames give equal bytes: no clock, no random numbers
    if kind == ".mp4":
        flags["movflags"] = "faststart+use_metadata_tags"
    with av.open(str(path), "w", format=container_format, options=flags) as container:
        tags = {_TAGS.get(name, name): value for name, value in text.items()}
        if kind == ".mp4":
            tags.pop(_XMP_TAG, None)  # it gets a box of its own
        container.metadata.update(tags)
        stream: Any = container.add_stream(codec, rate=_rate(film), options=options)
        stream.width, stream.height, stream.pix_fmt = *film.size, "yuv420p"
        context = stream.codec_context
        context.flags |= av.codec.context.Flags.bitexact
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        for index, frame in _frames(film, film.size):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            container.mux(stream.encode(picture))
            yield index + 1
        container.mux(stream.encode())
    if XMP in text and kind == ".mp4":
        with path.open("ab") as file:
            file.write(_xmp_box(text[XMP].encode()))


def _xmp_box(packet: bytes) -> bytes:
    """An XMP packet as a box of an MP4 (XMP Specification Part 3, 2.1): at the end of the file it
    moves nothing that offsets point to."""
    return struct.pack(">I", 8 + 16 + len(packet)) + b"uuid" + _XMP_UUID + packet


def _write_webp(path: Path, film: Film, text: Mapping[str, str]) -> Iterator[int]:
    pictures = []
    for index, frame in _frames(film, film.size):
        pictures.append(Image.fromarray(frame))
        yield index + 1
    first, *rest = pictures
    options = save_options("WEBP", text) | {"quality": 90, "loop": 0, "save_all": True}
    ends = [round(1000 * index / film.fps) for index in range(film.count + 1)]
    durations = [end - start for start, end in itertools.pairwise(ends)]
    options |= {"append_images": rest, "duration": durations}
    first.save(path, "WEBP", **options)


def _write_gif(
    path: Path, film: Film, most_bytes: int | None, text: Mapping[str, str]
) -> Generator[int, None, Size]:
    size, palette = film.size, palette_of(film)
    for _ in range(_TRIES):
        yield from _write_gif_at(path, film, size, palette)
        if text:
            _insert(path, gif_extensions(text))
        written = path.stat().st_size
        if most_bytes is None or written <= most_bytes:
            return size
        # Bytes go with the pixels; a little less, so that it ends soon.
        shrink = 0.95 * math.sqrt(most_bytes / written)
        size = Size(*(max(1, round(side * shrink)) for side in size))
    raise InputError(f"a GIF of {film.count} frames does not fit {most_bytes:,} bytes")


def _write_gif_at(path: Path, film: Film, size: Size, palette: Image.Image) -> Iterator[int]:
    import av

    colours = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)
    opaque = np.full((256, 4), 255, np.uint8)
    opaque[:, 1:] = np.resize(colours, (256, 3))
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
        stream: Any = container.add_stream("gif", rate=_rate(film))
        stream.width, stream.height, stream.pix_fmt = *size, "pal8"
        for index, frame in _frames(film, size):
            indexed = dithered(frame).quantize(palette=palette, dither=Image.Dither.NONE)
            both: Any = (np.asarray(indexed), opaque)  # the stubs know of one array only
            picture = av.VideoFrame.from_ndarray(both, format="pal8")
            picture.pts = index
            container.mux(stream.encode(picture))
            yield index + 1
        container.mux(stream.encode())


def _insert(path: Path, extensions: bytes) -> None:
    """Puts extensions where readers look for them, before the first frame; by way of a second
    file, so that a long film takes no more memory."""
    with whole_file(path) as part, path.open("rb") as gif, part.open("wb") as copy:
        head = gif.read(13)
        flags = head[10]
        palette = gif.read(3 * 2 ** ((flags & 7) + 1)) if flags & 0x80 else b""
        copy.write(head + palette + extensions)
        shutil.copyfileobj(gif, copy)


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
