"""A picture hung into a photo, in the light that falls on the opening."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import InputError
from ..homography import Quad, homography, pixel_corners
from ..images.image_files import cover
from .aspect import upright_size

_GAMMA = 2.2
_FINER = 2  # times the photo's pixels that a picture is warped in, before it is averaged
_LONGEST = 8192  # pixels of a picture's longer side that is warped, at most
_DARK = 0.5  # of the room's white: a backing darker than this is no paper to go by
_MIN_KEPT = 0.3  # of what is around an opening, where its edge may lie elsewhere
_NEAR = 0.02  # share of the blank around a pixel that is enough to say how it is there
_BLACK = 1e-3  # linear brightness below which all is black
_GLOSS_BLUR = 4.0  # sigma in pixels within which noise averages out
_CLIPPED = 0.93  # linear brightness of a channel from which its colour says nothing
_MIN_NOISE = 0.005  # of the logarithm of brightness
_UNEVEN = 0.03  # how far even light may be off a quadratic surface
_SHADOWED = 0.35  # the share of a blank that may lie in shadow, if as much as the rest reflects
_MIN_SEEN = 1.0  # pixels of an opening that lie in its photo
_PRINT = 0.85  # of the room's white: a print's, where the backing says nothing


def hang(
    photo: np.ndarray,
    opening: Quad,
    picture: np.ndarray,
    aspect: float,
    *,
    mask: np.ndarray | None = None,
    lit: bool = True,
) -> np.ndarray:
    """The photo with a picture in an opening, in the shadow and reflections that were there.

    Pixels that the opening does not touch stay as they are, bit for bit; those on its edge are
    mixed by the share of them that it covers.

    Args:
        photo, picture: ``(H, W, 3)`` uint8 sRGB. The picture is cut to the opening's aspect.
        opening: In pixels of the photo.
        aspect: True width / height of the opening.
        mask: ``(H, W)`` uint8 of the photo's size, black where something stands before the opening.
        lit: Take the light from what is in the opening, which must be blank; else it is even.

    Returns:
        ``(H, W, 3)`` uint8, a new array.

    Raises:
        InputError: The opening lies outside the photo.
    """
    rows, columns, share = coverage(opening, photo.shape)
    if share.sum() < _MIN_SEEN:
        raise InputError(
            f"next to nothing of the opening {opening} lies in the photo, which is "
            f"{photo.shape[1]} x {photo.shape[0]} pixels: take the photo that the frame was found "
            "in",
            field="frame",
        )
    if mask is not None:
        share = share * (mask[rows, columns] / np.float32(255))
    part = _linear(photo[rows, columns])
    hung = _linear(_warped(picture, opening, aspect, rows, columns))
    white = _white(photo)
    if lit:
        light, gloss = _light(part, share, white)
        hung = hung * light + gloss
    else:
        hung = hung * (_PRINT * white)
    mixed = _without_blank(part, share) + hung * share[..., None]
    result = photo.copy()
    touched = share > 0
    result[rows, columns][touched] = _bytes(mixed)[touched]
    return result


def coverage(quad: Quad, shape: tuple[int, ...]) -> tuple[slice, slice, np.ndarray]:
    """The share of each pixel that a quad covers.

    Args:
        quad: In pixels.
        shape: Of the photo: ``(H, W, ...)``.

    Returns:
        Rows and columns of the quad's box, and ``(h, w)`` float32 in 0..1 over that box.
    """
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


def _without_blank(part: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What of each pixel is not the opening's, ``(h, w, 3)`` linear, by its share.

    On the edge a pixel is a mixture of the blank and of what is around it. The blank, as it is
    beside that pixel, is taken out, so that no rim of it stays around a dark picture.
    """
    rest = 1 - share[..., None]
    inside = share > 0.99
    beside, near = _blurred(part * inside[..., None], inside, 1.0)
    without = np.clip(part - (1 - rest) * beside, _MIN_KEPT * rest * part, rest)
    return np.where((near > _NEAR)[..., None] & (rest > 0), without, part * rest)


def _light(part: np.ndarray, share: np.ndarray, white: float) -> tuple[np.ndarray, np.ndarray]:
    """What falls on the blank in an opening, and what its glass reflects.

    The smooth part of its brightness is a quadratic surface through what most of the blank shows.
    What is darker than that is shadow and darkens a picture; what is brighter is a reflection and
    is added to it.

    Args:
        part: ``(h, w, 3)`` linear.
        share: ``(h, w)``: where the opening is.
        white: Brightness of white in the room, linear.

    Returns:
        ``(h, w, 3)`` to multiply a linear picture by, and ``(h, w, 3)`` to add.
    """
    inside = share > 0.99
    if not inside.any():
        return np.full_like(part, _PRINT * white), np.zeros_like(part)
    brightness = np.log(part.mean(-1) + _BLACK)
    # Noise, from neighbours; what it does to the blank must not lie on the picture.
    beside = np.abs(np.diff(brightness, axis=1))[inside[:, 1:] & inside[:, :-1]]
    noise = max(float(np.quantile(beside, 0.75)) / 1.6 if beside.size else 0.0, _MIN_NOISE)
    calm = _denoised(part, inside, noise)
    bright = calm.mean(-1)
    smooth, spread = _surface(np.log(bright + _BLACK), inside, noise)
    level = float(np.percentile(smooth[inside], 95))
    smooth = np.clip(smooth, 0.1 * level, 1.5 * level)
    shadow = np.minimum(bright / smooth * np.exp(spread), 1)
    tint = np.median(part[inside], axis=0)
    tint = tint / max(float(tint.mean()), 1e-4)
    # A reflection begins to count at half the usual doubt, and counts whole at one and a half; in
    # the mean around, where noise is nothing.
    excess = np.where(inside, bright / smooth - 1, 0)
    sure = _blurred(excess, inside, _GLOSS_BLUR)[0] / spread
    gloss = smooth * np.maximum(excess, 0) * np.clip(sure - 0.5, 0, 1)
    unclipped = (part.max(-1) < _CLIPPED) * inside
    colour = _gloss_colour(calm - smooth[..., None] * tint, gloss * unclipped)
    paper = level > _DARK * white and np.ptp(tint) < 0.25
    light = (level if paper else _PRINT * white) * smooth / level * shadow
    return light[..., None] * (tint if paper else np.ones(3)), gloss[..., None] * colour


def _gloss_colour(light: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The usual colour of reflections ``(h, w, 3)``, 1 in the mean; white where there is little."""
    total = (np.maximum(light, 0) * weight[..., None]).sum((0, 1)) + _BLACK
    return np.asarray(np.clip(total / total.mean(), 0.7, 1.4), np.float32)


def _denoised(part: np.ndarray, inside: np.ndarray, noise: float) -> np.ndarray:
    """What is in an opening without its noise, edges kept; what is around it has no part in it.

    Args:
        part: ``(h, w, 3)`` linear.
        noise: Of the logarithm of its brightness, between neighbours.
    """
    logarithm = np.log(part + _BLACK)
    usual = np.median(logarithm[inside], axis=0)
    only = np.where(inside[..., None], logarithm, usual).astype(np.float32)
    return np.exp(cv2.bilateralFilter(only, 0, 6 * noise, 3.0)) - _BLACK


def _blurred(values: np.ndarray, inside: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Values ``(h, w, ...)``, 0 outside, blurred by those inside alone; their share as well."""
    weights = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma)
    total = cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigma)
    return (total.T / np.maximum(weights, 1e-6).T).T, weights


def _surface(brightness: np.ndarray, inside: np.ndarray, noise: float) -> tuple[np.ndarray, float]:
    """The even part of what lights a blank: ``(h, w)`` linear, and how far off it usually is.

    A robust fit that begins low: reflections may cover more of the glass than shadows.

    Args:
        brightness: ``(h, w)``, its logarithm.
    """
    y, x = (axis.astype(np.float32) for axis in np.nonzero(inside))
    pick = slice(None, None, max(1, x.size // 20_000))
    scale = np.float32(max(brightness.shape))

    def terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        u, v = x / scale - 0.5, y / scale - 0.5
        return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], -1)

    values, basis = brightness[inside][pick], terms(x[pick], y[pick])
    most = max(3 * noise, _UNEVEN)
    off = values - np.quantile(values, _SHADOWED)
    for turn in range(12):
        spread = float(np.clip(1.5 * np.median(np.abs(off)), noise, most))
        weight = 1 / (1 + (off / spread) ** 2) ** 2
        count = 1 if turn < 4 else basis.shape[1]  # first its level, then its slopes
        root = np.sqrt(weight)[:, None]
        fitted = np.linalg.lstsq(basis[:, :count] * root, values * root[:, 0], rcond=None)[0]
        off = values - basis[:, :count] @ fitted
    ys, xs = np.mgrid[: inside.shape[0], : inside.shape[1]].astype(np.float32)
    return np.exp(terms(xs, ys) @ fitted.astype(np.float32)) - _BLACK, spread


def _white(photo: np.ndarray) -> float:
    """Brightness that white things have in a photo, linear 0..1."""
    return float(np.percentile(_linear(photo[::8, ::8]).mean(-1), 95))


_LINEAR = (np.arange(256, dtype=np.float32) / 255) ** np.float32(_GAMMA)


def _linear(pixels: np.ndarray) -> np.ndarray:
    """uint8 sRGB to linear light, float32 in 0..1, near enough for mixing."""
    return _LINEAR[pixels]


def _bytes(light: np.ndarray) -> np.ndarray:
    """Linear light in 0..1 to uint8 sRGB."""
    return np.rint(np.clip(light, 0, 1) ** np.float32(1 / _GAMMA) * 255).astype(np.uint8)
