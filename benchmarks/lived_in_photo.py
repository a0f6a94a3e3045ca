"""The photo of a room of `lived_in.py`: wallpaper, gilding, pictures, windows, a phone's camera."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.canvas import art, coverage, ellipse, exposed, relief, soft
from benchmarks.lived_in import surface_of
from benchmarks.render import DIRECTIONS, Photo, Scene
from benchmarks.rooms import Hanging, Rectangle, Room

CUT_OFF = 0.999  # share of an opening that lies in the photo, below which it is cut off
_STRIP = 320  # pixels of the longer side of a moulding's picture


def lived_in_photo(room: Room) -> Photo:
    """Takes the photo; of an opening that the photo cuts off at most half counts as visible."""
    rng = np.random.default_rng([room.seed, 4])
    before = (scene := LivedInScene(room, rng)).furnish()
    visible = []
    for hanging in room.hangings:
        quad = room.camera.straight(hanging.opening.at(hanging.edge_z))
        rows, columns, share = coverage(quad, before.shape)
        whole = cv2.contourArea(quad.astype(np.float32))
        seen = float((share * (1 - before[rows, columns])).sum()) / max(whole, 1e-6)
        inside = float(share.sum()) / max(whole, 1e-6)
        visible.append(min(seen, 1.0) if inside > CUT_OFF - 0.01 else min(seen, 0.5))
    return Photo(
        exposed(_by_phone(scene.pixels, scene.unit, rng), room.camera, rng), tuple(visible)
    )


def _by_phone(canvas: np.ndarray, unit: float, rng: np.random.Generator) -> np.ndarray:
    """What a phone does to a photo: too little light, blotches, smearing, sharpening, a curve."""
    shape = canvas.shape[:2]
    if rng.random() < 0.3:
        canvas = canvas * np.float32(rng.uniform(0.35, 0.8))
    if rng.random() < 0.4:
        for channel in range(3):
            canvas[..., channel] += relief(rng, shape, rng.uniform(0.004, 0.02), 6 * unit)
    if rng.random() < 0.4:
        sigma = rng.uniform(0.02, 0.07)
        noisy = canvas + sigma / 2 * rng.standard_normal(canvas.shape, dtype=np.float32)
        canvas = cv2.bilateralFilter(noisy, 5, float(2 * sigma), 2 * unit)
    if rng.random() < 0.2:  # the hand moved
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, length // 2), 1.0)
        canvas = cv2.filter2D(canvas, -1, kernel / kernel.sum())
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.8, 2.5)) * unit)
        canvas = canvas + np.float32(rng.uniform(0.3, 1.2)) * (canvas - blurred)
    curve = np.float32(rng.uniform(0, 0.5))
    canvas = np.clip(canvas, 0, 1)
    return canvas + curve * (canvas * canvas * (3 - 2 * canvas) - canvas)


class LivedInScene(Scene):
    """`Scene` with wallpaper, carved and grained mouldings, more pictures, windows and doors."""

    def build_wall(self) -> None:
        super().build_wall()
        if self.room.pattern != "paper":
            return
        rng, wall = self.rng, np.array(self.room.wall, np.float32)
        side = float(rng.uniform(60, 500))
        motif = art(rng, 48, 48)
        motif = (motif + motif[:, ::-1]) / 2 - motif.mean((0, 1))
        tile = np.clip(wall + np.float32(rng.uniform(0.05, 0.5)) * motif, 0.01, 0.98)
        repeats = int(np.clip(3600 / side, 4, 40))
        paper = np.tile(tile, (repeats, repeats, 1)).astype(np.float32)
        reach = repeats * side / 2
        middle = float(np.mean([h.opening.left for h in self.room.hangings]))
        above = self.room.floor - 2 * reach
        self.texture(Rectangle(middle - reach, above, middle + reach, self.room.floor), 0, paper)

    def add_other(self, kind: str, place: Rectangle) -> None:
        draw = {
            "real window": self._window,
            "real door": self._door,
            "real cupboard": self._cupboard,
        }.get(kind)
        if draw is None:
            super().add_other(kind, place)
        elif self._in_sight(place):
            draw(place)

    def _in_sight(self, place: Rectangle) -> bool:
        points = self.camera.outline(place.grown(100).at(0))
        return bool(len(points)) and bool(self.around(points, 0)[2].size)

    def _colour_of_wood(self) -> np.ndarray:
        rng = self.rng
        if rng.random() < 0.6:
            return np.full(3, rng.uniform(0.7, 0.97)) + rng.normal(0, 0.01, 3)
        return np.array([0.45, 0.30, 0.18]) * rng.uniform(0.3, 1.4)

    def _casing(self, place: Rectangle, colour: np.ndarray) -> None:
        """Trim around a window or door, lit from above."""
        wide = self.rng.uniform(20, 90)
        self.rectangle(place.grown(wide + 8), 0, np.array(self.room.wall) * 0.8)
        self.rectangle(place.grown(wide), -15, colour)
        self.rectangle(place.grown(0.3 * wide), -15, colour * 0.9)
        self.rectangle(place, -12, colour * self.rng.uniform(0.5, 0.95))

    def _window(self, place: Rectangle) -> None:
        """Trim, sashes with panes, what is outside, sometimes a sill, curtains or a blind."""
        rng, colour = self.rng, self._colour_of_wood()
        self._casing(place, colour)
        sash = rng.uniform(15, 60)
        columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        bar = rng.uniform(15, 70)
        view = place.grown(-sash)
        self.rectangle(place, -8, colour)
        self.texture(view, 30, self._outside())
        for column in range(1, columns):
            x = view.left + view.width * column / columns
            self.rectangle(Rectangle(x - bar / 2, view.top, x + bar / 2, view.bottom), 0, colour)
        for row in range(1, rows):
            y = view.top + view.height * row / rows
            self.rectangle(Rectangle(view.left, y - bar / 2, view.right, y + bar / 2), 0, colour)
        if rng.random() < 0.25:  # a blind
            end = view.top + rng.uniform(0.2, 0.9) * view.height
            for top in np.arange(view.top, end, rng.uniform(20, 45)):
                self.rectangle(Rectangle(view.left, top, view.right, top + 16), -10, colour * 0.95)
        if rng.random() < 0.5:
            sill = Rectangle(place.left - 60, place.bottom, place.right + 60, place.bottom + 35)
            self.rectangle(sill, -80, colour * 0.98)
        if rng.random() < 0.4:
            self._curtains(place)

    def _outside(self) -> np.ndarray:
        """Sky, trees and houses; too bright, or night: ``(h, w, 3)`` float32."""
        rng = self.rng
        high, wide = 90, 80
        down = np.linspace(0, 1, high, dtype=np.float32)[:, None, None]
        sky = np.array([0.75, 0.85, 0.97]) * (1 - down) + np.array([0.95, 0.95, 0.93]) * down
        view = np.broadcast_to(sky, (high, wide, 3)).astype(np.float32).copy()
        for _ in range(int(rng.integers(0, 8))):
            middle = np.array([rng.uniform(0, wide), high * rng.uniform(0.5, 1.1)])
            shape = ellipse(middle, rng.uniform(6, 30), rng.uniform(6, 30), 0.0)
            across, along, share = coverage(shape, view.shape)
            part = view[across, along]
            green = np.array([0.2, 0.35, 0.15]) * rng.uniform(0.4, 1.6)
            part += share[..., None] * (green.astype(np.float32) - part)
        view += relief(rng, (high, wide), 0.06, 2.0)[..., None]
        level = rng.choice([rng.uniform(1.0, 1.8), rng.uniform(0.5, 1.0), rng.uniform(0.02, 0.15)])
        return np.clip(view * np.float32(level), 0, 1.2)

    def _curtains(self, place: Rectangle) -> None:
        rng, colour = self.rng, self.rng.uniform(0.1, 0.95, 3)
        wide = rng.uniform(0.12, 0.45) * place.width
        for left in (place.left - 0.4 * wide, place.right - 0.6 * wide):
            for x in np.arange(left, left + wide, 28.0):
                fold = Rectangle(x, place.top - 120, x + 30, place.bottom + 250)
                self.rectangle(fold, -90, np.clip(colour * rng.uniform(0.75, 1.1), 0, 1))

    def _door(self, place: Rectangle) -> None:
        """Trim, a leaf with one to six panels or panes, a handle."""
        rng, colour = self.rng, self._colour_of_wood()
        self._casing(place, colour)
        leaf = np.clip(colour * rng.uniform(0.8, 1.05), 0.02, 0.98)
        self.rectangle(place, -8, leaf)
        columns, rows = int(rng.integers(1, 3)), int(rng.integers(1, 4))
        stile = rng.uniform(0.06, 0.18) * place.width
        glazed = rng.random() < 0.3
        for column in range(columns):
            for row in range(rows):
                across, down = place.width / columns, place.height / rows
                left, top = place.left + column * across, place.top + row * down
                panel = Rectangle(left, top, left + across, top + down).grown(-stile)
                if min(panel.width, panel.height) < 40:
                    continue
                self.rectangle(panel.grown(7), -8, leaf * 0.8)
                if glazed:
                    self.texture(panel, 0, self._outside())
                else:
                    self.rectangle(panel, -4, np.clip(leaf * rng.uniform(0.92, 1.06), 0, 1))
        y = place.top + 0.52 * place.height
        handle = Rectangle(place.right - 75, y, place.right - 55, y + 120)
        self.rectangle(handle, -50, np.full(3, rng.uniform(0.1, 0.8)))

    def _cupboard(self, place: Rectangle) -> None:
        """A grid of equal doors or tiles with gaps."""
        rng, colour = self.rng, self._colour_of_wood()
        self.rectangle(place.grown(10), 0, np.array(self.room.wall) * 0.75)
        self.rectangle(place, -30, colour * 0.45)
        columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        across, down = place.width / columns, place.height / rows
        border = rng.uniform(0.06, 0.2) * min(across, down)
        for column in range(columns):
            for row in range(rows):
                left, top = place.left + column * across, place.top + row * down
                front = Rectangle(left, top, left + across, top + down).grown(-4)
                self.rectangle(front, -40, np.clip(colour * rng.uniform(0.95, 1.03), 0, 1))
                if border > 12:
                    self.rectangle(front.grown(-border), -38, colour * 0.8)
                    self.rectangle(front.grown(-border - 6), -36, np.clip(colour * 1.02, 0, 1))

    # --- frames ------------------------------------------------------------------------------

    def _moulding(self, hanging: Hanging, rng: np.random.Generator) -> None:
        """Each side is a picture of its profile, with carving or grain along it."""
        surface = surface_of(hanging)
        if surface == "plain":
            super()._moulding(hanging, rng)
            return
        front = -hanging.depth
        a, b = (self.camera.straight(place.at(front)) for place in (hanging.outer, hanging.sight))
        strip = _carved(rng) if surface == "gilt" else _grained(rng)
        profile = np.interp(
            np.linspace(0, 1, strip.shape[0]),
            np.linspace(0, 1, len(hanging.rings)),
            hanging.rings,
        ).astype(np.float32)
        colour = np.array(hanging.moulding_colour, np.float32)
        for side in range(4):
            lit = 1 + np.float32(0.25 * float(DIRECTIONS[side] @ self.sun))
            after = (side + 1) % 4
            points = np.array([a[side], a[after], b[after], b[side]])
            shown = (strip * profile[:, None] * lit)[..., None] * colour
            if surface == "gilt":  # gold shines
                shown = shown + np.maximum(strip - 1.15, 0)[..., None] * np.float32(0.6)
            self.paste(points, np.clip(shown, 0, 1), edge=0.0)

    def _content(
        self, hanging: Hanging, place: Rectangle, z: float, rng: np.random.Generator
    ) -> None:
        if hanging.content != "art" or hanging.kind == "screen":
            super()._content(hanging, place, z, rng)
            return
        size = 200, max(30, round(200 / hanging.aspect))
        self.texture(place, z, picture(rng, *size))


def _carved(rng: np.random.Generator) -> np.ndarray:
    """A motif again and again along a moulding, brightness about 1: ``(h, w)`` float32."""
    high, repeats = 40, int(rng.integers(6, 40))
    step = max(6, _STRIP // repeats)
    motif = relief(rng, (high, step), rng.uniform(0.1, 0.5), float(rng.uniform(2, 8)))
    motif = motif + motif[:, ::-1]
    worn = relief(rng, (high, step * repeats), 0.08, 2.0)
    return np.clip(1 + np.tile(motif, (1, repeats)) + worn, 0.2, 2.0).astype(np.float32)


def _grained(rng: np.random.Generator) -> np.ndarray:
    """Fibres along a moulding, brightness about 1: ``(h, w)`` float32."""
    fibres = relief(rng, (40, 24), float(rng.uniform(0.03, 0.2)), 1.0)
    return np.clip(1 + cv2.resize(fibres, (_STRIP, 40)), 0.3, 1.7).astype(np.float32)


def picture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A landscape, a portrait, a drawing, a print with a border, or shapes: ``(h, w, 3)``."""
    kind = str(rng.choice(["shapes", "landscape", "portrait", "drawing", "print"]))
    if kind == "landscape":
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        top, low = rng.uniform(0.3, 0.95, 3), rng.uniform(0.05, 0.6, 3)
        horizon = rng.uniform(0.3, 0.7)
        view = np.where(down < horizon, top, low) * (0.7 + 0.5 * down)
        view = np.broadcast_to(view, (height, width, 3)).astype(np.float32)
        return np.clip(view + _clouds(rng, width, height), 0, 1)
    if kind == "portrait":
        ground = rng.uniform(0.02, 0.4, 3) * np.ones((height, width, 3))
        face = ground.astype(np.float32) + 0.4 * _clouds(rng, width, height)
        short = min(width, height)
        skin = np.array([0.8, 0.6, 0.48]) * rng.uniform(0.5, 1.1)
        for y, a, b, colour in (
            (1.0, 0.45, 0.4, rng.uniform(0.05, 0.7, 3)),
            (0.42, 0.17, 0.23, skin),
        ):
            shape = ellipse(np.array([width / 2, y * height]), a * short, b * short, 0.0)
            across, along, share = coverage(shape, face.shape)
            part = face[across, along]
            part += share[..., None] * (colour.astype(np.float32) - part)
        return np.clip(soft(face, 1.5), 0, 1)
    if kind == "drawing":
        paper = np.full((height, width, 3), rng.uniform(0.75, 0.97), np.float32)
        for _ in range(int(rng.integers(3, 20))):
            points = (rng.random((4, 2)) * [width, height]).astype(np.int32)
            cv2.polylines(paper, [points], False, [float(rng.uniform(0, 0.6))] * 3, 2)
        return soft(paper, 0.7)
    if kind == "print":
        paper = np.full((height, width, 3), rng.uniform(0.7, 0.98), np.float32)
        x, y = (int(rng.uniform(0.08, 0.25) * side) for side in (width, height))
        paper[y:-y, x:-x] = art(rng, width - 2 * x, height - 2 * y)
        return paper
    return art(rng, width, height)


def _clouds(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise of every size, ``(h, w, 3)`` float32."""
    total = np.zeros((height, width, 3), np.float32)
    for grain in (2.0, 6.0, 20.0, 60.0):
        for channel in range(3):
            total[..., channel] += relief(rng, (height, width), 0.05, grain)
    return total
