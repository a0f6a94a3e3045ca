"""What of pictures, films, PDFs and colour profiles `fuzz.py` feeds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from digressions.errors import DigressionsError

from .fuzz_damage import Reader, damaged
from .fuzz_texts import record


def picture() -> Image.Image:
    y, x = np.mgrid[0:24, 0:32]
    return Image.fromarray(np.stack([x * 8 % 256, y * 10 % 256, x * y % 256], -1).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _pictures(folder: Path) -> dict[str, bytes]:
    from digressions.images.image_files import write_image

    image, icc = picture(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = record().to_text()
    found = {}
    for suffix in ("png", "jpg", "webp", "tif"):
        path = write_image(folder / f"own.{suffix}", np.asarray(image), text)
        found[path.name] = path.read_bytes()
    for kind, suffix in (("BMP", "bmp"), ("GIF", "gif"), ("PPM", "ppm"), ("AVIF", "avif")):
        found[f"a.{suffix}"] = saved(image, kind)
    for kind, suffix in (("JPEG2000", "jp2"), ("ICO", "ico"), ("TGA", "tga")):
        found[f"a.{suffix}"] = saved(image, kind)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 35
    found["icc.png"] = saved(image.convert("RGBA"), "PNG", icc_profile=icc)
    found["icc.jpg"] = saved(image.convert("CMYK"), "JPEG", exif=exif)
    found["exif.jpg"] = saved(image, "JPEG", exif=exif, icc_profile=icc)
    found["palette.png"] = saved(image.convert("P"), "PNG", transparency=3)
    found["sixteen.png"] = saved(Image.fromarray(np.arange(64, dtype=np.uint16)[None]), "PNG")
    found["lzw.tif"] = saved(image, "TIFF", compression="tiff_lzw", icc_profile=icc)
    found["float.tif"] = saved(image.convert("F"), "TIFF")
    return found


def _read_picture(path: Path) -> None:
    from digressions.generate.record_reading import record_of
    from digressions.images.colour import read_palette
    from digressions.images.image_files import focal_length, read_image, read_text
    from digressions.images.mask_files import source_mask
    from digressions.images.source_image import as_array

    for read in (read_image, as_array, source_mask, focal_length, read_palette):
        with contextlib.suppress(DigressionsError):
            read(str(path))
    record_of(read_text(path), str(path))


def _films(folder: Path) -> dict[str, bytes]:
    from digressions.events import completed
    from digressions.images.video import write_video

    class Still:
        from digressions.geometry import Size

        count, fps, size = 3, 5, Size(32, 32)

        def frame(self, index: int) -> np.ndarray:
            return np.full((32, 32, 3), 40 * index, np.uint8)

    found = {}
    for suffix in ("mp4", "webm", "gif"):
        path = folder / f"film.{suffix}"
        completed(write_video(path, Still(), text=record().to_text()))
        found[path.name] = path.read_bytes()
    return found


def _read_film(path: Path) -> None:
    from digressions.images.image_files import read_text
    from digressions.images.video import VIDEOS, read_video_text

    (read_video_text if path.suffix in VIDEOS else read_text)(path)


def _pdfs(folder: Path) -> dict[str, bytes]:
    from digressions.events import completed
    from digressions.geometry import Size
    from digressions.prints.paper import Sheet
    from digressions.prints.print_job import PrintJob
    from digressions.prints.sizes import Extent

    path, image = folder / "a.pdf", np.asarray(picture())
    job = PrintJob(Sheet(Extent(8, 6), 72))
    job.write(
        path, completed(job.placing(image)), Size(32, 24), record().to_text() | {"print": "{}"}
    )
    return {"a.pdf": path.read_bytes()}


def _read_pdf(path: Path) -> None:
    from digressions.prints.print_file import read_pdf_text

    read_pdf_text(path)


def _profiles() -> dict[str, bytes]:
    from .profiles import cmyk

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"srgb.icc": srgb, "cmyk.icc": cmyk()}


def _read_profile(path: Path) -> None:
    from digressions.prints.icc import read_profile

    read_profile(path)


MEDIA: dict[str, Callable[[Path], Reader]] = {
    "picture": lambda folder: Reader(_pictures(folder), _read_picture, damaged),
    "film": lambda folder: Reader(_films(folder), _read_film, damaged),
    "pdf": lambda folder: Reader(_pdfs(folder), _read_pdf, damaged),
    "profile": lambda _: Reader(_profiles(), _read_profile, damaged),
}
"""Readers by name; made in a folder of their own."""
