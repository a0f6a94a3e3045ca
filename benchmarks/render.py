"""The photo of a room: what hangs, what stands before it, light, lens, sensor, JPEG."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.canvas import Canvas, Clip, art, coverage, ellipse, exposed, relief, soft
from benchmarks.rooms import Hanging, Rectangle, Room

DIRECTIONS = np.array([[0, -1], [1, 0], [0, 1], [-1, 0]])  # in which the sides of a quad face


class Photo(NamedTuple):
    """A photo, and what can be seen in it.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 sRGB.
        visible: For each hanging thing, the share of its opening that nothing stands before, 0..1.
    """

    pixels: np.ndarray
    visible: tuple[float, ...]


def photograph(room: Room) -> Photo:
    """Takes the photo of a room; the same one every time."""
    rng = np.random.default_rng([room.seed, 2])
    scene = Scene(room, rng)
    before = scene.furnish()
    visible = []
    for hanging in room.hangings:
        quad = room.camera.straight(hanging.opening.at(hanging.edge_z))
        rows, columns, share = coverage(quad, before.shape)
        seen = (share * (1 - before[rows, columns])).sum() / max(share.sum(), 1e-6)
        visible.append(float(seen))
    return Photo(exposed(scene.pixels, room.camera, rng), tuple(visible))


class Scene(Canvas):
    """A room as its camera sees it, drawn thing by thing.

    Attributes:
        sun: ``(2,)``, the direction in the photo that light comes from.
    """

    def __init__(self, room: Room, rng: np.random.Generator) -> None:
        super().__init__(room.camera, room.wall, rng)
        self.room = room
        angle = rng.uniform(0.2, 1.2)
        self.sun = np.array([rng.choice([-1, 1]) * np.cos(angle), -np.sin(angle)])

    # --- the wall ----------------------------------------------------------------------------

    def furnish(self) -> np.ndarray:
        """Builds all that is in the room, and lights it; what stands before it, as `clutter`."""
        self.build_wall()
        for kind, place in self.room.others:
            self.add_other(kind, place)
        for hanging in self.room.hangings:
            self.hang(hanging)
        self.light()
        return self.clutter()

    def build_wall(self) -> None:
        room, rng, wall = self.room, self.rng, np.array(self.room.wall)
        far = 6000.0
        if room.pattern == "plaster":
            self.pixels += relief(rng, self.pixels.shape[:2], 0.02, 2 * self.unit)[..., None]
        elif room.pattern == "stripes":
            other = np.clip(wall + rng.normal(0, 0.06, 3), 0.03, 0.97)
            step = rng.uniform(50, 180)
            for left in np.arange(-3000, 3000, 2 * step):
                self.rectangle(Rectangle(left, -2500, left + step, room.floor), 0, other)
        elif room.pattern == "brick":
            joint = np.clip(wall * rng.uniform(0.7, 1.15), 0, 1)
            for row, top in enumerate(np.arange(room.floor - 2700, room.floor, 75.0)):
                self.rectangle(Rectangle(-far, top, far, top + 8), 0, joint)
                for left in np.arange(-2600 + 120 * (row % 2), 2600, 240.0):
                    self.rectangle(Rectangle(left, top, left + 8, top + 75), 0, joint)
        elif room.pattern == "panels":
            step = rng.uniform(120, 500)
            for left in np.arange(-3000, 3000, step):
                self.rectangle(Rectangle(left, -2500, left + 6, room.floor), 0, wall * 0.8)
                self.rectangle(Rectangle(left + 6, -2500, left + 9, room.floor), 0, wall * 1.05)
        if room.corner is not None:
            beyond = Rectangle(room.corner, -far / 2, room.corner + far / 2, far / 2)
            self.rectangle(beyond, 0, wall * rng.uniform(0.75, 1.08))
        ground = np.array([0.5, 0.38, 0.28]) * rng.uniform(0.6, 1.3)
        self.rectangle(Rectangle(-far, room.floor, far, room.floor + 1500), 0, ground)
        for line in np.cumsum(rng.uniform(60, 160, 8)):
            top = room.floor + line
            self.rectangle(Rectangle(-far, top, far, top + 5), 0, ground * 0.7)
        board = np.array([0.9, 0.9, 0.88]) * rng.uniform(0.6, 1.05)
        self.rectangle(Rectangle(-far, room.floor - 90, far, room.floor), -12, board)

    def add_other(self, kind: str, place: Rectangle) -> None:
        """Something on the wall that is no frame."""
        rng = self.rng
        paint = rng.uniform(0.3, 0.95, 3) * 0.4 + rng.uniform(0.2, 0.55)
        self.rectangle(place.grown(4), -2, paint * 0.7)
        self.rectangle(place, -10, paint)
        if kind == "door":
            for share in (0.08, 0.55):
                panel = Rectangle(
                    place.left + 0.18 * place.width,
                    place.top + share * place.height,
                    place.right - 0.18 * place.width,
                    place.top + (share + 0.36) * place.height,
                )
                self.rectangle(panel.grown(8), -10, paint * 0.85)
                self.rectangle(panel, -10, paint * 1.04)
        elif kind == "window":
            columns = int(rng.integers(1, 4))
            for column in range(columns):
                step = place.width / columns
                left = place.left + column * step + 30
                pane = Rectangle(left, place.top + 40, left + step - 60, place.bottom - 40)
                self.texture(pane, 0, 0.55 + 0.45 * art(rng, 40, 60))
        elif kind == "books":
            left = place.left
            while left < place.right - 20:
                thick = rng.uniform(15, 50)
                top = place.top + rng.uniform(0, 0.3) * place.height
                book = Rectangle(left, top, min(left + thick, place.right), place.bottom)
                self.rectangle(book, -30, rng.uniform(0.1, 0.9, 3))
                left += thick + rng.uniform(0, 4)
        elif kind == "vent":
            for top in np.arange(place.top + 15, place.bottom - 10, 22):
                self.rectangle(
                    Rectangle(place.left + 12, top, place.right - 12, top + 8), -10, paint / 2
                )

    # --- a frame -----------------------------------------------------------------------------

    def hang(self, hanging: Hanging) -> None:
        """A frame, from its shadow on the wall to the reflections in its glass."""
        rng = np.random.default_rng(hanging.seed)
        front, outer, sight = -hanging.depth, hanging.outer, hanging.sight
        self._cast(hanging, rng)
        if hanging.depth > 2:
            both = np.concatenate([outer.at(0), outer.at(front)])
            hull = cv2.convexHull(self.camera.straight(both).astype(np.float32))[:, 0]
            self.fill(hull.astype(float), np.array(hanging.moulding_colour) * 0.55)
        if hanging.moulding:
            self._moulding(hanging, rng)
            self.rectangle(sight, front, np.array(hanging.moulding_colour) * rng.uniform(0.4, 0.9))
        behind = front + hanging.rebate
        beyond = self.camera.straight(
            np.concatenate([sight.grown(30).at(z) for z in (front, behind)])
        )
        rows, columns, share = self.around(beyond, 2)
        quad = self.camera.straight(sight.at(front)) - [columns.start, rows.start]
        across, along, inside = coverage(quad, share.shape)
        share[:] = 0
        share[across, along] = inside
        clip = rows, columns, share
        kept = self.pixels[rows, columns].copy()
        if hanging.mat:
            self.rectangle(sight.grown(20), behind, hanging.mat_colour)
            lit = rng.choice([rng.uniform(0.75, 0.94), rng.uniform(1.05, 1.12)])  # it is aslant
            bevel = np.clip(np.array(hanging.mat_colour) * lit, 0, 1)
            self.rectangle(hanging.opening.grown(2), behind, bevel)
            self._content(hanging, hanging.opening, behind, rng)
        else:
            paper = hanging.opening if hanging.kind == "poster" else sight.grown(20)
            self._content(hanging, paper, behind, rng)
        if hanging.moulding:
            self._inner_shadow(hanging, behind, rng, clip)
        if hanging.glare:
            self._reflect(hanging, rng, clip)
        part = self.pixels[rows, columns]
        part[:] = kept + share[..., None] * (part - kept)

    def _cast(self, hanging: Hanging, rng: np.random.Generator) -> None:
        reach = -self.sun * hanging.depth * rng.uniform(0.4, 1.6)
        moved = hanging.outer.at(0) + np.array([*reach, 0.0])
        blur = hanging.depth * rng.uniform(0.15, 0.8) * self.pixels_a_mm(hanging)
        self.shade(self.camera.straight(moved), rng.uniform(0.55, 0.95), max(blur, 0.6))

    def pixels_a_mm(self, hanging: Hanging) -> float:
        quad = self.camera.straight(hanging.opening.at(0))
        return float(np.linalg.norm(quad[2] - quad[0])) / float(
            np.hypot(hanging.opening.width, hanging.opening.height)
        )

    def _moulding(self, hanging: Hanging, rng: np.random.Generator) -> None:
        """Four mitred sides, each lit in its own way, in rings from outside to inside."""
        front, steps = -hanging.depth, len(hanging.rings)
        for index, brightness in enumerate(hanging.rings):
            rim = hanging.sight.grown(hanging.moulding * (1 - index / steps))
            hole = hanging.sight.grown(hanging.moulding * (1 - (index + 1) / steps))
            a, b = (self.camera.straight(place.at(front)) for place in (rim, hole))
            self.fill(a, np.array(hanging.moulding_colour) * brightness)
            for side in range(4):
                lit = 1 + 0.12 * float(DIRECTIONS[side] @ self.sun) * (-1) ** index
                after = (side + 1) % 4
                points = np.array([a[side], a[after], b[after], b[side]])
                self.fill(
                    points, np.clip(np.array(hanging.moulding_colour) * brightness * lit, 0, 1)
                )
        if hanging.ornate:
            rows, columns, share = coverage(
                self.camera.straight(hanging.outer.at(front)), self.pixels.shape
            )
            carved = relief(rng, share.shape, 0.12, 1.5 * self.unit)
            self.pixels[rows, columns] *= 1 + (share * carved)[..., None]

    def _content(
        self, hanging: Hanging, place: Rectangle, z: float, rng: np.random.Generator
    ) -> None:
        if hanging.content == "art":
            self.texture(place, z, art(rng, 160, max(20, round(160 / hanging.aspect))))
            return
        self.rectangle(place, z, hanging.colour)
        if rng.random() < 0.3:  # paper that is not quite flat, or a backing of fibres
            rows, columns, share = coverage(self.camera.straight(place.at(z)), self.pixels.shape)
            waves = relief(rng, share.shape, 0.02, rng.choice([1.0, 30.0]) * self.unit)
            self.pixels[rows, columns] *= 1 + (share * waves)[..., None]

    def _inner_shadow(
        self, hanging: Hanging, z: float, rng: np.random.Generator, clip: Clip
    ) -> None:
        """What the moulding throws on the picture, from the side that the light comes from."""
        reach, sight = hanging.rebate * rng.uniform(0.6, 3.0), hanging.sight
        strength, blur = rng.uniform(0.5, 0.95), hanging.rebate * self.pixels_a_mm(hanging) * 0.6
        band = Rectangle(sight.left - 60, sight.top - 60, sight.right + 60, sight.top + reach)
        self.shade(self.camera.straight(band.at(z)), strength, max(blur, 0.6), clip)
        if self.sun[0] < 0:
            band = Rectangle(sight.left - 60, sight.top, sight.left + reach, sight.bottom)
        else:
            band = Rectangle(sight.right - reach, sight.top, sight.right + 60, sight.bottom)
        self.shade(self.camera.straight(band.at(z)), strength, max(blur, 0.6), clip)

    def _reflect(self, hanging: Hanging, rng: np.random.Generator, clip: Clip) -> None:
        """A window or a lamp in the glass."""
        rows, columns, within = clip
        place, mask = hanging.sight, np.zeros(within.shape, np.float32)
        for _ in range(int(rng.integers(1, 4))):
            x = place.left + rng.uniform(0, 0.8) * place.width
            y = place.top + rng.uniform(0, 0.8) * place.height
            wide, high = rng.uniform(0.15, 0.8) * place.width, rng.uniform(0.15, 0.8) * place.height
            slant = rng.uniform(-0.5, 0.5) * wide
            points = Rectangle(x, y, x + wide, y + high).at(-hanging.depth + hanging.rebate)
            points[:2, 0] += slant
            quad = self.camera.straight(points) - [columns.start, rows.start]
            across, along, share = coverage(quad, mask.shape)
            mask[across, along] = np.maximum(mask[across, along], share)
        mask = within * soft(mask, rng.choice([1.0, 4.0, 20.0, 60.0]) * self.unit)
        part = self.pixels[rows, columns]
        part += hanging.glare * mask[..., None] * (1 - 0.6 * part)

    # --- light, and what stands before the wall ----------------------------------------------

    def light(self) -> None:
        rng, (height, width) = self.rng, self.pixels.shape[:2]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None]
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        slope = rng.uniform(0, 0.3)
        field = 1 + slope * (np.float32(self.sun[0]) * x + np.float32(self.sun[1]) * y) / 2
        if rng.random() < 0.35:  # a lamp on the wall
            cx, cy, radius = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0.3, 1.2)
            field = field * (0.75 + 0.5 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2))
        self.pixels *= field[..., None]
        if rng.random() < 0.25:  # the edge of a shadow falls across everything
            at, turn = rng.uniform(0.2, 0.8) * width, rng.uniform(-0.6, 0.6) * width
            right, bottom = at + 3 * width, height + 9
            points = np.array([[at, -9], [right, -9], [right, bottom], [at + turn, bottom]])
            self.shade(points, rng.uniform(0.55, 0.85), rng.uniform(3, 40) * self.unit)

    def clutter(self) -> np.ndarray:
        """Furniture, plants, a lamp; gives back where they are, ``(H, W)`` float32 in 0..1."""
        rng, (height, width) = self.rng, self.pixels.shape[:2]
        before = np.zeros((height, width), np.float32)
        lowest = max(float(self.room.corners(h)[:, 1].max()) for h in self.room.hangings)
        if rng.random() < 0.6:  # a sofa or sideboard below what hangs there
            top = lowest + rng.uniform(0.02, 0.2) * height
            left, wide = rng.uniform(-0.2, 0.5) * width, rng.uniform(0.3, 0.9) * width
            colour = rng.uniform(0.1, 0.8, 3)
            box = [
                [left, top],
                [left + wide, top - 5],
                [left + wide, height + 9],
                [left, height + 9],
            ]
            self._stand(before, np.array(box), colour)
            for _ in range(int(rng.integers(0, 4))):  # cushions, boxes
                x, side = left + rng.uniform(0, 0.8) * wide, rng.uniform(0.05, 0.14) * width
                tilt = rng.uniform(-0.2, 0.2) * side
                square = np.array(
                    [
                        [x, top + tilt],
                        [x + side, top],
                        [x + side - tilt, top + side],
                        [x - tilt, top + side],
                    ]
                )
                self._stand(before, square - [0, 0.5 * side], rng.uniform(0.1, 0.9, 3))
        if self.room.hidden:
            target = self.room.corners(self.room.hangings[rng.integers(len(self.room.hangings))])
            short = np.linalg.norm(target - np.roll(target, 1, 0), axis=1).min()
            start = int(rng.integers(4))
            spot = target[start] + rng.choice([0.0, rng.uniform(0.2, 0.8)]) * (
                target[(start + 1) % 4] - target[start]
            )
            self._hide(
                before, spot, short * rng.uniform(0.06, 0.2), rng.choice(["leaves", "vase", "post"])
            )
        if rng.random() < 0.4:
            spot = np.array([rng.uniform(0, width), height * rng.uniform(0.8, 1.0)])
            self._hide(before, spot, rng.uniform(0.04, 0.12) * height, "leaves")
        return before

    def _hide(self, before: np.ndarray, spot: np.ndarray, radius: float, kind: str) -> None:
        rng, height = self.rng, self.pixels.shape[0]
        colour = rng.uniform(0.05, 0.7, 3)
        if kind == "vase":
            self._stand(before, ellipse(spot, radius, 1.5 * radius, 0.0), colour)
        elif kind == "post":
            half, lean = radius * 0.35, rng.uniform(-0.3, 0.3) * radius
            top = spot - [0, radius]
            self._stand(
                before,
                np.array(
                    [
                        [top[0] - half, top[1]],
                        [top[0] + half, top[1]],
                        [top[0] + half + lean, height + 9],
                        [top[0] - half + lean, height + 9],
                    ]
                ),
                colour,
            )
        else:
            green = np.array([0.15, 0.35, 0.12]) * rng.uniform(0.6, 1.8)
            for _ in range(int(rng.integers(5, 12))):
                middle = spot + rng.normal(0, 0.6, 2) * radius
                leaf = ellipse(
                    middle,
                    radius * rng.uniform(0.4, 1),
                    radius * rng.uniform(0.1, 0.3),
                    rng.uniform(0, np.pi),
                )
                self._stand(before, leaf, np.clip(green * rng.uniform(0.7, 1.4), 0, 1))

    def _stand(self, before: np.ndarray, points: np.ndarray, colour: np.ndarray) -> None:
        self.fill(points, colour)
        rows, columns, share = coverage(points, before.shape)
        before[rows, columns] = np.maximum(before[rows, columns], share)
