"""An opening seen upright with the room around it, and a picture hung into it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..geometry import Box, Quad, homography
from ..pictures.images import cover
from .rings import pixel_corners, upright_size

_GAMMA = 2.2
_FINER = 2  # times the photo's pixels that a picture is warped in, before it is averaged
_LONGEST = 8192
_DARK = 0.5  # of the room's white: a backing darker than this is no paper to go by
_PRINT = 0.85  # of the room's white: a print's, where the backing says nothing


class Upright(NamedTuple):
    """A part of a photo, seen head on.

    Attributes:
        pixels: ``(H, W, 3)`` uint8.
        opening: Where the opening lies in it.
        matrix: ``(3, 3)``: its pixels to the photo's.
    """

    pixels: np.ndarray
    opening: Box
    matrix: np.ndarray


def rectify(
    photo: np.ndarray, opening: Quad, aspect: float, *, border: float = 0.25, longest: int = 2048
) -> Upright:
    """An opening upright at its true aspect, with a border of the room around it.

    Args:
        photo: ``(H, W, 3)`` uint8.
        aspect: True width / height.
        border: Width of the border, as a share of the opening's shorter side. Beyond the photo its
            edge is repeated.
        longest: Pixels of the opening's longer side at most; fewer where the photo has fewer.
    """
    width, height = upright_size(opening, aspect, longest)
    margin = round(border * min(width, height))
    matrix = homography(pixel_corners(width, height) + margin, opening.array)
    size = (width + 2 * margin, height + 2 * margin)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpPerspective(photo, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Upright(pixels, Box(margin, margin, margin + width, margin + height), matrix)


def insert(
    photo: np.ndarray,
    opening: Quad,
    picture: np.ndarray,
    aspect: float,
    *,
    mask: np.ndarray | None = None,
    lit: bool = True,
) -> np.ndarray:
    """The photo with a picture in the opening, in the shadow and reflections that were there.

    Pixels that the opening does not touch stay as they are, bit for bit; those on its edge are
    mixed by the share of them that it covers.

    Args:
        photo, picture: ``(H, W, 3)`` uint8 sRGB. The picture is cut to the opening's aspect.
        aspect: True width / height of the opening.
        mask: ``(H, W)`` uint8, black where something stands before the opening.
        lit: Take the light from what is in the opening, which must be blank; else it is even.
    """
    rows, columns, share = coverage(opening, photo.shape)
    if mask is not None:
        share = share * (mask[rows, columns] / np.float32(255))
    part = photo[rows, columns]
    hung = _linear(_warped(picture, opening, aspect, rows, columns))
    white = _white(photo)
    if lit:
        light, gloss = _light(_linear(part), share, white)
        hung = hung * light + gloss
    else:
        hung = hung * (_PRINT * white)
    mixed = _linear(part) * (1 - share[..., None]) + hung * share[..., None]
    result = photo.copy()
    touched = share > 0
    result[rows, columns][touched] = _bytes(mixed)[touched]
    return result


def coverage(quad: Quad, shape: tuple[int, ...]) -> tuple[slice, slice, np.ndarray]:
    """Rows and columns of a quad's box, and the share of each pixel that it covers, ``(h, w)``."""
    low = np.clip(np.floor(quad.array.min(0)).astype(int) - 1, 0, (shape[1], shape[0]))
    high = np.clip(np.ceil(quad.array.max(0)).astype(int) + 2, low, (shape[1], shape[0]))
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    share = np.ones(x.shape, np.float32)
    for (ax, ay), (bx, by) in zip(quad, (*quad[1:], quad[0]), strict=True):
        length = np.hypot(bx - ax, by - ay)
        inside = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length
        share *= np.clip(inside + 0.5, 0, 1)
    return slice(low[1], high[1]), slice(low[0], high[0]), share


def _warped(
    picture: np.ndarray, opening: Quad, aspect: float, rows: slice, columns: slice
) -> np.ndarray:
    """The picture as it lies in the box of the opening, ``(h, w, 3)`` uint8."""
    width, height = upright_size(opening, aspect, _LONGEST // _FINER)
    width, height = _FINER * width, _FINER * height
    upright = cover(picture, width, height)
    origin = np.array([columns.start, rows.start])
    corners = (opening.array - origin + 0.5) * _FINER - 0.5
    matrix = homography(pixel_corners(width, height), corners)
    wide, high = columns.stop - columns.start, rows.stop - rows.start
    finer = cv2.warpPerspective(
        upright,
        matrix,
        (_FINER * wide, _FINER * high),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.resize(finer, (wide, high), interpolation=cv2.INTER_AREA)


def _light(part: np.ndarray, share: np.ndarray, white: float) -> tuple[np.ndarray, np.ndarray]:
    """What falls on the blank in an opening, and what its glass reflects.

    The smooth part of its brightness is a quadratic surface, fitted so that shadows and
    reflections do not count. What is darker than that is shadow and darkens a picture; what is
    brighter is a reflection and is added to it.

    Args:
        part: ``(h, w, 3)`` linear.
        share: ``(h, w)``: where the opening is.
        white: Brightness of white in the room, linear.

    Returns:
        ``(h, w, 3)`` to multiply a linear picture by, ``(h, w, 3)`` to add.
    """
    brightness = part.mean(-1)
    inside = share > 0.99
    if not inside.any():
        return np.full_like(part, _PRINT * white), np.zeros_like(part)
    y, x = (axis.astype(np.float32) for axis in np.nonzero(inside))
    pick = slice(None, None, max(1, x.size // 20_000))
    scale = np.float32(max(brightness.shape))

    def terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        u, v = x / scale - 0.5, y / scale - 0.5
        return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], -1)

    values = np.log(brightness[inside][pick] + 1e-3)
    basis = terms(x[pick], y[pick])
    weight = np.ones_like(values)
    for _ in range(8):
        root = np.sqrt(weight)[:, None]
        fitted = np.linalg.lstsq(basis * root, values * root[:, 0], rcond=None)[0]
        off = values - basis @ fitted
        spread = max(float(np.median(np.abs(off))) * 1.5, 0.01)
        weight = 1 / (1 + (off / spread) ** 2) ** 2
    ys, xs = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    smooth = np.exp(terms(xs, ys) @ fitted.astype(np.float32)) - 1e-3
    level = float(np.percentile(smooth[inside], 95))
    smooth = np.clip(smooth, 0.1 * level, 1.5 * level)[..., None]
    # Smoothed inside the opening, and no shadow where it may be noise: on a dark backing that is
    # strong, and would lie on the picture as black specks.
    calm = _smoothed(brightness, inside)[..., None]
    shadow = np.minimum(calm / smooth * np.exp(spread), 1)
    softened = cv2.GaussianBlur(part, (0, 0), 1.0)
    tint = np.median(part[inside], axis=0)
    tint = tint / max(float(tint.mean()), 1e-4)
    noise = 1 + 3 * spread
    gloss = np.maximum(softened - smooth * tint * noise, 0)
    paper = level > _DARK * white and np.ptp(tint) < 0.25
    bright = level if paper else _PRINT * white
    colour = tint if paper else np.ones(3, np.float32)
    return bright * smooth / level * shadow * colour, gloss


def _smoothed(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Values ``(h, w)`` blurred by a pixel, of those inside alone."""
    weights = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0)
    return cv2.GaussianBlur(values * inside, (0, 0), 1.0) / np.maximum(weights, 1e-6)


def _white(photo: np.ndarray) -> float:
    """Brightness that white things have in a photo, linear 0..1."""
    return float(np.percentile(_linear(photo[::8, ::8]).mean(-1), 95))


def _linear(pixels: np.ndarray) -> np.ndarray:
    """uint8 sRGB to linear light, float32 in 0..1, near enough for mixing."""
    return _LINEAR[pixels]


def _bytes(light: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(light, 0, 1) ** np.float32(1 / _GAMMA) * 255).astype(np.uint8)


_LINEAR = (np.arange(256, dtype=np.float32) / 255) ** np.float32(_GAMMA)
