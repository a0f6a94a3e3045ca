"""What a world is, in one immutable value. Needs no torch."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

from ..errors import InputError
from ..generate.declare import Params
from ..geometry import CellPath
from ..mosaics.mosaic_spec import CELL_SIDE, Mosaic
from .world_spec import check_square, check_way

FORMAT = 3  # of worlds; another one means other pictures


class Manifest(Params):
    """What a world is.

    Attributes:
        model: SHA-256 of the model's weights.
        root: What the root picture is: its parameters or its SHA-256, any text that tells it apart.
        cells: How every other picture is painted. There are as many cells across as down, so that
            a cell has the shape of a picture. Its prompt is that of depth 1.
        deeper: Prompts of depth 2, 3, ...; after the last comes depth 1's again.
        upscaler: Name of what enlarges a picture to its canvas.
        reuse: Pictures that all others are made of (see `bank`); 0 for no such limit.
        loop: Path of the cell that the root is embedded in, so that ``loop`` leads to the root
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
        """Values of a canvas across and down: 8 x 8 a cell, whatever its shape."""
        return self.cells.grid.columns * CELL_SIDE

    def cells_at(self, depth: int) -> Mosaic:
        """How the pictures of a depth, 1 or more, are painted."""
        place = (depth - 1) % (len(self.deeper) + 1)
        if place == 0:
            return self.cells
        params = self.cells.params.but(prompt=self.deeper[place - 1])
        return self.cells.but(params=params, mix={})

    def json_object(self) -> dict[str, Any]:
        """As JSON has it, with the format."""
        return super().json_object() | {"format": FORMAT}

    @functools.cached_property
    def id(self) -> str:
        """SHA-256 of the manifest: what the pictures of this world are kept under."""
        return hashlib.sha256(self.json_line().encode()).hexdigest()

    def check(self) -> None:
        """Raises `InputError` for settings that no world can have."""
        self.cells.check()
        check_square(self.cells.grid)
        if self.cells.enlarge != 1:
            raise InputError("a world enlarges its pictures to canvases: it takes no `enlarge`")
        self.check_path(self.loop)

    def check_path(self, path: CellPath) -> None:
        """Raises `InputError` for a path with a cell that is not in the grid."""
        check_way(path, len(path), self.cells.grid)
