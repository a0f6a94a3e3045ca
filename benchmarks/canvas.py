"""A canvas that is drawn on by the share of each pixel that a shape covers, and its exposure.

So edges lie where they should to a small part of a pixel. Whole numbers are the centres of pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.rooms import Camera, Rectangle

Clip = tuple[slice, slice, np.ndarray]
"""Rows and columns of a box, and the share of each of its pixels, ``(h, w)`` float32 in 0..1."""


class Canvas:
    """What a camera sees, drawn from the farthest thing to the nearest.

    Attributes:
        pixels: ``(H, W, 3)`` float32, 0..1.
        unit: Pixels of this photo in one of a photo that is 1,600 px long.
    """

    def __init__(self, camera: Camera, colour: object, rng: np.random.Generator) -> None:
        self.camera, self.rng = camera, rng
        self.pixels = np.empty((camera.height, camera.width, 3), np.float32)
        self.pixels[:] = colour
        self.unit = max(camera.width, camera.height) / 1600

    def fill(self, points: np.ndarray, colour: object, opacity: float = 1.0) -> None:
        """A convex polygon ``(N, 2)`` in pixels in one colour, or in ``(h, w, 3)`` of its box."""
        rows, columns, share = coverage(points, self.pixels.shape)
        share = opacity * share[..., None]
        part = self.pixels[rows, columns]
        part += share * (np.asarray(colour, np.float32) - part)

    def shade(
        self, points: np.ndarray, factor: float, blur: float, clip: Clip | None = None
    ) -> None:
        """Darkens or lightens a polygon with soft edges of ``blur`` pixels, inside ``clip``."""
        rows, columns, within = clip or self.around(points, 3 * blur)
        if not within.size:  # outside the photo
            return
        mask = np.zeros(within.shape, np.float32)
        origin = np.array([columns.start, rows.start])
        across, along, share = coverage(points - origin, mask.shape)
        mask[across, along] = share
        mask = within * soft(mask, blur)
        self.pixels[rows, columns] *= 1 + (factor - 1) * mask[..., None]

    def around(self, points: np.ndarray, margin: float) -> Clip:
        """All of the box of some points."""
        height, width = self.pixels.shape[:2]
        low = np.clip(np.floor(points.min(0) - margin).astype(int), 0, (width, height))
        high = np.clip(np.ceil(points.max(0) + margin).astype(int) + 1, low, (width, height))
        within = np.ones((high[1] - low[1], high[0] - low[0]), np.float32)
        return slice(low[1], high[1]), slice(low[0], high[0]), within

    def rectangle(self, place: Rectangle, z: float, colour: object, opacity: float = 1.0) -> None:
        self.fill(self.camera.outline(place.at(z)), colour, opacity)

    def texture(self, place: Rectangle, z: float, picture: np.ndarray) -> None:
        """A picture ``(h, w, 3)`` float32 on a rectangle."""
        self.paste(self.camera.straight(place.at(z)), picture)

    def paste(self, quad: np.ndarray, picture: np.ndarray, edge: float = 0.5) -> None:
        """A picture ``(h, w, 3)`` float32 on any quad, ``edge`` of whose outermost pixels lie
        between their middles and the sides of the quad."""
        rows, columns, share = coverage(quad, self.pixels.shape)
        if not share.size:
            return
        right, bottom = picture.shape[1] - 1 + edge, picture.shape[0] - 1 + edge
        corners = np.array([[-edge, -edge], [right, -edge], [right, bottom], [-edge, bottom]])
        origin = np.array([columns.start, rows.start])
        warp = cv2.getPerspectiveTransform(
            corners.astype(np.float32), (quad - origin).astype(np.float32)
        )
        size = (share.shape[1], share.shape[0])
        warped = cv2.warpPerspective(
            picture, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        part = self.pixels[rows, columns]
        part += share[..., None] * (warped - part)


def coverage(points: np.ndarray, shape: tuple[int, ...]) -> Clip:
    """The share of each pixel inside a convex polygon, with the rows and columns of its box."""
    if len(points) < 3:
        return slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32)
    height, width = shape[:2]
    low = np.clip(np.floor(points.min(0)).astype(int) - 1, 0, (width, height))
    high = np.clip(np.ceil(points.max(0)).astype(int) + 2, 0, (width, height))
    x = np.arange(low[0], high[0], dtype=np.float32)[None]
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None]
    following = np.roll(points, -1, 0)
    area = (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()
    share = np.ones((y.size, x.size), np.float32)
    for (ax, ay), (bx, by) in zip(points, following, strict=True):
        length = np.hypot(bx - ax, by - ay)
        if length > 1e-6:
            normal = np.sign(area) * np.array([ay - by, bx - ax]) / length
            distance = np.float32(normal[0]) * (x - ax) + np.float32(normal[1]) * (y - ay)
            np.minimum(share, np.clip(distance + 0.5, 0, 1), out=share)
    return slice(low[1], high[1]), slice(low[0], high[0]), share


def art(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Some picture: ``(height, width, 3)`` float32 in 0..1."""
    picture = rng.random((3, 3, 3)).astype(np.float32)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(3, 14))):
        middle = rng.uniform(0, 1, 2) * [width, height]
        if rng.random() < 0.6:
            points = ellipse(middle, *(rng.uniform(0.05, 0.35, 2) * width), rng.uniform(0, np.pi))
        else:
            wide, high = rng.uniform(0.05, 0.5, 2) * width
            points = Rectangle(middle[0], middle[1], middle[0] + wide, middle[1] + high).at(0)[
                :, :2
            ]
        rows, columns, share = coverage(points, picture.shape)
        part = picture[rows, columns]
        part += share[..., None] * (rng.random(3).astype(np.float32) - part)
    return np.clip(soft(picture, rng.choice([0.4, 3.0])), 0, 1)


def relief(
    rng: np.random.Generator, shape: tuple[int, ...], strength: float, grain: float
) -> np.ndarray:
    """Smooth noise ``(H, W)`` float32 of this standard deviation and size in pixels."""
    if not min(shape[:2]):
        return np.zeros(shape[:2], np.float32)
    high, wide = (max(2, round(side / grain)) for side in shape[:2])
    noise = rng.standard_normal((high, wide)).astype(np.float32) * np.float32(strength)
    return cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def soft(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred; wide blurs are made on a small copy."""
    if not image.size:
        return image
    step = int(max(1, sigma // 4))
    if step == 1:
        return cv2.GaussianBlur(image, (0, 0), float(sigma))
    height, width = image.shape[:2]
    size = (max(1, width // step), max(1, height // step))
    small = cv2.GaussianBlur(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / step
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def ellipse(middle: np.ndarray, a: float, b: float, turn: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.stack([a * np.cos(angle), b * np.sin(angle)], -1)
    c, s = np.cos(turn), np.sin(turn)
    return middle + points @ np.array([[c, s], [-s, c]])


def exposed(canvas: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Through lens, sensor and JPEG: ``(H, W, 3)`` uint8."""
    height, width = canvas.shape[:2]
    unit = max(height, width) / 1600
    x = np.arange(width, dtype=np.float32)[None] - np.float32(camera.centre[0])
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(camera.centre[1])
    radius = (x**2 + y**2) / np.float32(camera.half_diagonal**2)
    if camera.distortion:
        source = 1 / (1 + camera.distortion * radius)  # of the radius, solved by fixed point
        for _ in range(6):
            source = 1 / (1 + camera.distortion * radius * source**2)
        at_x, at_y = x * source + camera.centre[0], y * source + camera.centre[1]
        canvas = cv2.remap(
            canvas,
            at_x.astype(np.float32),
            at_y.astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    most = 2.2 if rng.random() < 0.1 else 1.3
    canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, most) * unit)
    canvas = canvas * (1 - np.float32(rng.uniform(0, 0.35)) * radius)[..., None]
    canvas = canvas * (rng.uniform(0.9, 1.1, 3) * rng.uniform(0.75, 1.08)).astype(np.float32)
    sigma = rng.uniform(0.5, 9 if rng.random() < 0.1 else 5) / 255
    canvas += sigma * rng.standard_normal(canvas.shape, dtype=np.float32)
    pixels = np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    quality = [int(cv2.IMWRITE_JPEG_QUALITY), int(rng.integers(45, 96))]
    packed = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), quality)[1]
    return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
