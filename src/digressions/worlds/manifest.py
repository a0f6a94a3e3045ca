"""What a world is, in one immutable value: the same manifest, the same pictures."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass

from ..errors import InputError
from ..geometry import CellPath
from ..mosaics.mosaic import CELL_SIDE, Mosaic

FORMAT = 1  # of worlds; another one means other pictures
_PLAIN = ("model", "root", "deeper", "upscaler", "reuse")


@dataclass(frozen=True)
class Manifest:
    """What a world is.

    Attributes:
        model: SHA-256 of the model's weights.
        root: What the root picture is: its settings or its SHA-256, any text that tells it apart.
        cells: How every other picture is painted. The grid is square, so that a cell has the shape
            of a picture. Its prompt is that of depth 1.
        deeper: Prompts of depth 2, 3, ...; after the last comes depth 1's again.
        upscaler: Name of what enlarges a picture to its canvas.
        reuse: Pictures that all others are made of (see `bank`); 0 for no such limit.
        loop: Path of the cell that the root is planted in, so that ``loop`` leads to the root
            again; empty for none.
    """

    model: str
    root: str
    cells: Mosaic
    deeper: tuple[str, ...] = ()
    upscaler: str = "lanczos"
    reuse: int = 0
    loop: CellPath = ()

    @property
    def canvas_side(self) -> int:
        """Width and height of a canvas in pixels."""
        return self.cells.grid.columns * CELL_SIDE

    def cells_at(self, depth: int) -> Mosaic:
        """How the pictures of a depth, 1 or more, are painted."""
        prompts = (self.cells.prompt, *self.deeper)
        return dataclasses.replace(self.cells, prompt=prompts[(depth - 1) % len(prompts)])

    def to_json(self) -> str:
        """The whole manifest as one line."""
        fields = {name: getattr(self, name) for name in _PLAIN}
        fields |= {"cells": json.loads(self.cells.job()), "loop": list(self.loop)}
        return json.dumps(fields | {"format": FORMAT}, sort_keys=True)

    @functools.cached_property
    def id(self) -> str:
        """SHA-256 of the manifest: what the pictures of this world are kept under."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def check(self) -> None:
        """Raises `InputError` for a world that cannot be."""
        self.cells.check()
        grid = self.cells.grid
        if grid.columns != grid.rows or grid.columns < 2:
            raise InputError(f"--grid {grid}: a world's grid is square, 2x2 or more")
        if self.cells.enlarge != 1:
            raise InputError("a world's pictures have canvases: they are not enlarged besides")
        self.check_path(self.loop)

    def check_path(self, path: CellPath) -> None:
        """Raises `InputError` for a path with a cell that is not in the grid."""
        for cell in path:
            if not 0 <= cell < self.cells.grid.cells:
                raise InputError(f"cell {cell} is not in a grid of {self.cells.grid}")
