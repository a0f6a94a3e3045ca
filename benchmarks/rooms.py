"""Rooms with frames on the wall, each from its seed, and where exactly the frames are.

A room is a wall (the plane ``z = 0``; ``x`` right and ``y`` down in mm, ``z`` into the wall), what
hangs on it, what stands before it, and a camera. `render.py` takes its photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

HALF_DIAGONAL_35MM = 21.633  # mm, of the 36 x 24 mm picture that EXIF's focal lengths refer to
NEAREST = 50.0  # mm before the camera, where things are cut off
ASPECTS = (1.0, 1.2, 1.25, 4 / 3, 1.4, 2**0.5, 1.5, 16 / 9, 2.0)

MOULDINGS = (
    (0.08, 0.08, 0.09),
    (0.93, 0.93, 0.91),
    (0.46, 0.30, 0.18),
    (0.74, 0.58, 0.40),
    (0.68, 0.54, 0.24),
    (0.66, 0.67, 0.69),
    (0.30, 0.16, 0.12),
)
WALLS = (
    (0.90, 0.89, 0.86),
    (0.84, 0.84, 0.84),
    (0.88, 0.84, 0.76),
    (0.62, 0.68, 0.70),
    (0.55, 0.62, 0.52),
    (0.30, 0.36, 0.42),
    (0.72, 0.50, 0.42),
)


class Camera(NamedTuple):
    """A pinhole with a little radial distortion.

    Attributes:
        width, height: Of the photo in pixels.
        focal: Focal length in pixels.
        centre: Where the optical axis meets the photo, ``(2,)`` pixels; off the middle if the
            photo was cropped.
        rotation: ``(3, 3)``, from the room's axes to the camera's (right, down, forward).
        position: ``(3,)`` mm.
        distortion: First radial coefficient, for radii in half diagonals of the photo.
    """

    width: int
    height: int
    focal: float
    centre: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    distortion: float

    @property
    def half_diagonal(self) -> float:
        return float(np.hypot(self.width, self.height) / 2)

    @property
    def focal_35mm(self) -> float:
        """The focal length that EXIF calls 35 mm equivalent, of a photo not cropped."""
        return self.focal / self.half_diagonal * HALF_DIAGONAL_35MM

    def straight(self, points: np.ndarray) -> np.ndarray:
        """``(N, 3)`` mm to ``(N, 2)`` pixels of a lens without distortion."""
        seen = (points - self.position) @ self.rotation.T
        return self.focal * seen[:, :2] / seen[:, 2:] + self.centre

    def outline(self, points: np.ndarray) -> np.ndarray:
        """As `straight` for a convex polygon, cut off where it reaches behind the camera."""
        depth = (points - self.position) @ self.rotation[2] - NEAREST
        kept = []
        for index, (here, there) in enumerate(zip(depth, np.roll(depth, -1), strict=True)):
            following = points[(index + 1) % len(points)]
            if here >= 0:
                kept.append(points[index])
            if (here >= 0) != (there >= 0):
                kept.append(points[index] + (following - points[index]) * here / (here - there))
        return self.straight(np.array(kept)) if kept else np.zeros((0, 2))

    def distorted(self, pixels: np.ndarray) -> np.ndarray:
        """``(N, 2)`` pixels of the lens without distortion to those of the photo."""
        offset = (pixels - self.centre) / self.half_diagonal
        stretch = 1 + self.distortion * (offset**2).sum(-1, keepdims=True)
        return self.centre + offset * stretch * self.half_diagonal


class Rectangle(NamedTuple):
    """In mm on the wall."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def grown(self, by: float, below: float = 0.0) -> Rectangle:
        return Rectangle(self.left - by, self.top - by, self.right + by, self.bottom + by + below)

    def overlaps(self, other: Rectangle) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def at(self, z: float) -> np.ndarray:
        """Corners ``(4, 3)``, clockwise from the top left."""
        (a, b), (c, d) = (self.left, self.right), (self.top, self.bottom)
        return np.array([[a, c, z], [b, c, z], [b, d, z], [a, d, z]])


@dataclass(frozen=True)
class Hanging:
    """A picture frame, screen or poster.

    Attributes:
        kind: ``frame``, ``mat`` (a frame with a passe-partout), ``poster`` or ``screen``.
        opening: Where a picture goes: inside moulding and mat.
        content: ``blank``, ``art`` or ``dark``.
        mat: Width of the passe-partout in mm; 0 for none. ``mat_below``: more of it at the bottom.
        moulding: Width of the moulding in mm; 0 for none.
        depth: How far its front stands out from the wall, mm.
        rebate: How far the picture lies behind the front, mm.
        rings: Brightness of the moulding's profile from outside to inside.
        glare: Strength of the reflections in the glass, 0..1.
    """

    kind: str
    opening: Rectangle
    content: str
    colour: tuple[float, float, float]
    mat: float
    mat_below: float
    mat_colour: tuple[float, float, float]
    moulding: float
    moulding_colour: tuple[float, float, float]
    depth: float
    rebate: float
    rings: tuple[float, ...]
    ornate: bool
    glare: float
    seed: int

    @property
    def sight(self) -> Rectangle:
        """Inner edge of the moulding."""
        return self.opening.grown(self.mat, self.mat_below)

    @property
    def outer(self) -> Rectangle:
        return self.sight.grown(self.moulding)

    @property
    def edge_z(self) -> float:
        """Depth of what borders the opening."""
        return -self.depth + (self.rebate if self.mat else 0.0)

    @property
    def aspect(self) -> float:
        return self.opening.width / self.opening.height


@dataclass(frozen=True)
class Room:
    """What there is to photograph; ``seed`` decides everything else when it is rendered."""

    seed: int
    camera: Camera
    wall: tuple[float, float, float]
    pattern: str
    hangings: tuple[Hanging, ...]
    others: tuple[tuple[str, Rectangle], ...]
    floor: float
    corner: float | None
    hidden: bool
    exif: bool

    def corners(self, hanging: Hanging) -> np.ndarray:
        """Corners of an opening in the photo, ``(4, 2)``, clockwise from the top left."""
        camera = self.camera
        return camera.distorted(camera.straight(hanging.opening.at(hanging.edge_z)))


def room(seed: int, width: int = 1600) -> Room:
    """The room of a seed, photographed ``width`` pixels wide, 4:3 or 3:4."""
    rng = np.random.default_rng([seed, 1])
    wall = np.clip(np.array(WALLS[rng.integers(len(WALLS))]) + rng.normal(0, 0.03, 3), 0.05, 0.97)
    hangings: list[Hanging] = []
    wanted = int(rng.choice([1, 2, 3, 4, 6], p=[0.45, 0.2, 0.15, 0.1, 0.1]))
    spread = 250.0
    while len(hangings) < wanted:
        new = _hanging(rng, tuple(wall), spread)
        spread *= 1.02
        if not any(new.outer.grown(25).overlaps(old.outer) for old in hangings):
            hangings.append(new)
    all_outer = np.array([hanging.outer for hanging in hangings])
    whole = Rectangle(*all_outer[:, :2].min(0), *all_outer[:, 2:].max(0))
    camera = camera_at(rng, whole, width, wanted)
    floor = whole.bottom + rng.uniform(150, 1300)
    corner = float(whole.right + rng.uniform(80, 900)) if rng.random() < 0.3 else None
    others = []
    for _ in range(int(rng.integers(0, 5))):
        kind = str(rng.choice(["door", "window", "shelf", "switch", "books", "vent"]))
        wide, high = _OTHERS[kind] * rng.uniform(0.7, 1.3, 2)
        left = rng.uniform(whole.left - 1500, whole.right + 1500)
        top = floor - high if kind == "door" else rng.uniform(whole.top - 500, whole.bottom + 500)
        place = Rectangle(left, top, left + wide, top + high)
        taken = [hanging.outer.grown(30) for hanging in hangings] + [other for _, other in others]
        if not any(place.overlaps(old) for old in taken):
            others.append((kind, place))
    return Room(
        seed=seed,
        camera=camera,
        wall=tuple(wall),
        pattern=str(
            rng.choice(
                ["plain", "plaster", "stripes", "brick", "panels"], p=[0.35, 0.35, 0.1, 0.1, 0.1]
            )
        ),
        hangings=tuple(hangings),
        others=tuple(others),
        floor=float(floor),
        corner=corner,
        hidden=bool(rng.random() < 0.3),
        exif=bool(rng.random() < 0.7),
    )


_OTHERS = {
    "door": np.array([850.0, 2000.0]),
    "window": np.array([900.0, 1100.0]),
    "shelf": np.array([800.0, 30.0]),
    "switch": np.array([80.0, 80.0]),
    "books": np.array([500.0, 230.0]),
    "vent": np.array([300.0, 200.0]),
}


def _hanging(rng: np.random.Generator, wall: tuple[float, ...], spread: float) -> Hanging:
    kind = str(rng.choice(["frame", "mat", "poster", "screen"], p=[0.45, 0.25, 0.18, 0.12]))
    aspect = float(ASPECTS[rng.integers(len(ASPECTS))])
    if rng.random() < 0.4:
        aspect = float(np.exp(rng.uniform(0, np.log(2.4))))
    if kind == "screen":
        aspect = 16 / 9
    elif rng.random() < 0.5:
        aspect = 1 / aspect
    longer = float(np.exp(rng.uniform(np.log(220), np.log(900))))
    wide, high = (longer, longer / aspect) if aspect >= 1 else (longer * aspect, longer)
    x, y = rng.uniform(-spread, spread), rng.uniform(-0.6 * spread, 0.6 * spread)
    paper = np.clip(rng.uniform(0.78, 0.97) + rng.normal(0, 0.012, 3), 0.05, 0.98)
    content = str(rng.choice(["blank", "art"], p=[0.72, 0.28]))
    if kind == "screen":
        content, paper = str(rng.choice(["dark", "art"], p=[0.8, 0.2])), rng.uniform(0.03, 0.14, 3)
    elif rng.random() < 0.25:  # a backing of wood, felt or card
        paper = np.clip(rng.uniform(0.1, 0.8, 3) * 0.5 + rng.uniform(0.1, 0.4), 0.05, 0.95)
    while kind == "poster" and np.abs(paper - wall).max() < 0.06:  # nobody could see it
        paper = rng.uniform(0.1, 0.97, 3)
    framed = kind in ("frame", "mat")
    colour = np.array(MOULDINGS[rng.integers(len(MOULDINGS))]) * rng.uniform(0.85, 1.05)
    if kind == "screen":
        colour = np.full(3, rng.uniform(0.03, 0.2))
    rings = rng.uniform(0.75, 1.1, int(rng.integers(1, 5)))
    depth = {"poster": 0.5, "screen": 35.0}.get(kind, float(rng.uniform(8, 35)))
    return Hanging(
        kind=kind,
        opening=Rectangle(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2),
        content=content,
        colour=tuple(paper),
        mat=float(rng.uniform(0.06, 0.22) * min(wide, high)) if kind == "mat" else 0.0,
        mat_below=float(rng.choice([0.0, 0.0, 15.0])) if kind == "mat" else 0.0,
        mat_colour=tuple(np.clip(rng.uniform(0.6, 0.97) + rng.normal(0, 0.02, 3), 0.05, 0.98)),
        moulding=float(rng.uniform(9, 60)) if framed else 9.0 if kind == "screen" else 0.0,
        moulding_colour=tuple(np.clip(colour, 0.02, 0.97)),
        depth=depth,
        rebate=float(rng.uniform(2, 9)) if framed else 1.0 if kind == "screen" else 0.0,
        rings=tuple(rings) if framed else (1.0,),
        ornate=bool(framed and rng.random() < 0.15),
        glare=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.4 and kind != "poster" else 0.0,
        seed=int(rng.integers(2**31)),
    )


def camera_at(rng: np.random.Generator, whole: Rectangle, width: int, wanted: int) -> Camera:
    """A camera that sees the whole of what hangs there, from somewhere."""
    tall = rng.random() < 0.3
    height = round(width * 0.75)
    wide, high = (height, width) if tall else (width, height)
    half = np.hypot(wide, high) / 2
    focal = rng.uniform(23, 52) / HALF_DIAGONAL_35MM * half
    yaw = rng.uniform(-5, 5) if rng.random() < 0.4 else rng.choice([-1, 1]) * rng.uniform(5, 35)
    pitch, roll = np.clip(rng.normal(0, 6), -15, 15), np.clip(rng.normal(0, 1.2), -4, 4)
    turned = rotation(2, roll) @ rotation(0, pitch) @ rotation(1, yaw)
    cropped = rng.random() < 0.25
    centre = np.array([(wide - 1) / 2, (high - 1) / 2])
    if cropped:
        centre = centre + rng.uniform(-0.04, 0.04, 2) * wide
    target = np.array([(whole.left + whole.right) / 2, (whole.top + whole.bottom) / 2, 0.0])
    share = rng.uniform(0.2, 0.8) if wanted == 1 else rng.uniform(0.5, 0.92)
    distance = focal * max(whole.width / wide, whole.height / high) / share
    aside = rng.uniform(-0.35, 0.35, 2) * (1 - share) * np.array([wide, high]) / focal
    distortion = float(rng.uniform(-0.03, 0.03)) if rng.random() < 0.25 else 0.0
    for _ in range(60):
        looking = turned.T @ np.array([0.0, 0.0, 1.0])
        shift = turned.T @ np.array([*(aside * distance), 0.0])
        position = target - looking * distance + shift
        camera = Camera(wide, high, focal, centre, turned, position, distortion)
        seen = camera.distorted(camera.straight(whole.at(0.0)))
        inside = (seen > 0.02 * wide).all() and (seen < np.array([wide, high]) - 0.02 * wide).all()
        if inside and ((whole.at(0.0) - position) @ turned.T)[:, 2].min() > 200:
            break
        distance *= 1.06
    return camera


def rotation(axis: int, degrees: float) -> np.ndarray:
    """``(3, 3)``: a rotation about an axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = np.eye(3)
    first, second = [other for other in range(3) if other != axis]
    turned[first, first] = turned[second, second] = c
    turned[first, second], turned[second, first] = -s, s
    return turned
