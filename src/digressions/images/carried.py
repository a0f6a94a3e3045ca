"""What a file of the user's own holds besides pixels and texts, and what of it goes along: the EXIF
of a camera, and the ICC profile that its colours are in.

Pictures are sRGB inside the package (see `decoding`). One that keeps its profile is converted back
when it is written, which is exact to about a grey level for colours that sRGB has; others were cut
off when it was read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ..errors import OutputError

_SEGMENT = 65_000  # bytes of EXIF that fit into one segment of a JPEG
_MOST = 32_000  # bytes of EXIF that leave room for our own texts in it
# Not true of the new picture, or by places in the old file: the pixels are upright and as many as
# there are, the maker's note points at bytes of the old file, an XMP packet has a place of its own.
_DROPPED = (ExifTags.Base.Orientation, ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength, 700)
_DROPPED_INSIDE = (
    ExifTags.Base.MakerNote,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
)
_INSIDE = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)


class Carried(NamedTuple):
    """What of a file goes along with what is made of it.

    Attributes:
        exif: As Pillow writes it, or ``None``.
        icc: An RGB profile, or ``None``.
    """

    exif: bytes | None = None
    icc: bytes | None = None

    def only(self, *, exif: bool, icc: bool) -> Carried:
        """As much of it as somebody wants."""
        return Carried(self.exif if exif else None, self.icc if icc else None)

    def missing(self, *, exif: bool, icc: bool) -> list[str]:
        """What somebody wants and is not there, in words."""
        absent = [(exif and self.exif is None, "EXIF"), (icc and self.icc is None, "RGB profile")]
        return [words for lacks, words in absent if lacks]

    def coloured(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels ``(H, W, 3 or 4)`` uint8 sRGB in the colours of the profile."""
        if self.icc is None:
            return pixels
        source = ImageCms.createProfile("sRGB")
        target = ImageCms.ImageCmsProfile(io.BytesIO(self.icc))
        opaque = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
        converted = np.array(ImageCms.profileToProfile(opaque, source, target, outputMode="RGB"))
        return np.dstack([converted, pixels[..., 3:]]) if pixels.shape[2] == 4 else converted

    def options(self, ours: Image.Exif | None) -> dict[str, object]:
        """What Pillow's ``save`` takes to store it.

        Args:
            ours: The tags that a file gets anyway, which come first; or ``None``.

        Raises:
            OutputError: All tags together are more than a file has room for.
        """
        options: dict[str, object] = {} if self.icc is None else {"icc_profile": self.icc}
        if self.exif is None:
            return options
        tags = Image.Exif()
        tags.load(self.exif)
        merged = _merged(tags, ours)
        if len(merged.tobytes()) > _SEGMENT:
            raise OutputError("the photo's EXIF and our settings do not fit into one file together")
        return options | {"exif": merged}


NOTHING = Carried()


def carried_by(image: Image.Image) -> Carried:
    """What of an opened picture's file can go along.

    The EXIF comes without orientation, size, thumbnail and maker's note, which are not true of
    another picture. What is damaged or too long, and a profile of other colours than red, green and
    blue, is left out.
    """
    return Carried(_exif_of(image), _profile_of(image))


def _exif_of(image: Image.Image) -> bytes | None:
    try:
        tags = _merged(image.getexif(), None)
        content = tags.tobytes()
    except Exception:  # whatever Pillow raises for damaged tags, which cannot go along
        return None
    return content if len(tags) and len(content) <= _MOST else None


def _merged(tags: Image.Exif, ours: Image.Exif | None) -> Image.Exif:
    """A new set of tags: those of a photo that stay true, and ours in their place."""
    found = Image.Exif()
    for source in (tags, ours):
        if source is None:
            continue
        for tag, value in source.items():
            if tag not in (*_DROPPED, *_INSIDE) and not isinstance(value, Mapping):
                found[tag] = value
        for place in _INSIDE:
            inner = {
                tag: value
                for tag, value in source.get_ifd(place).items()
                if tag not in _DROPPED_INSIDE and tag != ExifTags.IFD.Interop
            }
            if inner:
                own = found.get_ifd(place)
                own.update(inner)
                found[place] = own  # or a TIFF would be saved without it
    return found


def _profile_of(image: Image.Image) -> bytes | None:
    content = image.info.get("icc_profile")
    if not content:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        space = profile.profile.xcolor_space.strip()
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")
    except Exception:  # LittleCMS has its own, for damaged ones and those for reading alone
        return None
    return content if space == "RGB" else None
