"""Walls with a frame or a poster on them, and a picture to hang, for tests of frames."""

from __future__ import annotations

import numpy as np

from benchmarks.rooms import Camera, Rectangle, rotation
from digressions.frames.hang import coverage
from digressions.homography import Quad

OPENING = Quad((212.3, 91.7), (430.6, 70.2), (441.9, 371.4), (205.1, 340.8))
MOULDING = Quad((192.0, 70.5), (452.5, 45.0), (465.0, 398.0), (183.5, 361.0))
POSTER = Quad((60.2, 120.4), (160.7, 110.3), (163.1, 270.8), (58.4, 255.6))


def painted(quads: list[tuple[Quad, tuple[int, int, int]]], seed: int = 0) -> np.ndarray:
    """A wall with quads on it, the first farthest: ``(480, 640, 3)`` uint8, a little noisy."""
    wall = np.full((480, 640, 3), (176, 168, 150), float)
    for quad, colour in quads:
        rows, columns, share = coverage(quad, wall.shape)
        part = wall[rows, columns]
        part += share[..., None] * (np.array(colour) - part)
    noise = np.random.default_rng(seed).normal(0, 2, wall.shape)
    return np.rint(wall + noise).clip(0, 255).astype(np.uint8)


def framed() -> np.ndarray:
    return painted([(MOULDING, (60, 40, 30)), (OPENING, (225, 224, 218))])


def two_framed() -> np.ndarray:
    """Two frames side by side, the right one lower."""

    def moved(quad: Quad, across: int, down: int) -> Quad:
        return Quad(*((x + across, y + down) for x, y in quad))

    places = [(-160, 0), (158, 25)]
    kinds = [(MOULDING, (60, 40, 30)), (OPENING, (225, 224, 218))]
    return painted([(moved(quad, *place), colour) for place in places for quad, colour in kinds])


def stripes(width: int = 300, height: int = 400) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, ::20] = 255
    picture[::25] = (255, 0, 0)
    return picture


def seen_by(yaw: float, pitch: float, focal: float, aspect: float) -> tuple[Quad, Camera]:
    """A rectangle 400 mm high, 1.5 m away; ``focal`` in half diagonals of a 1600 x 1200 photo."""
    half = float(np.hypot(1600, 1200) / 2)
    turned = rotation(0, pitch) @ rotation(1, yaw)
    middle = np.array([799.5, 599.5])
    camera = Camera(1600, 1200, focal * half, middle, turned, -1500 * turned[2], 0.0)
    place = Rectangle(-200 * aspect, -200, 200 * aspect, 200)
    return Quad.trusted(camera.straight(place.at(0))), camera
