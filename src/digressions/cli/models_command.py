"""``digress models``: what is in the user's model folders."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich.cells import cell_len

from ..errors import InputError, verbatim
from ..events import Note, counted
from ..generate.model_params import ModelParams
from .console import out, show, shown
from .options import FLAT, given, group, options_of


class ModelsOptions(options_of(ModelParams, only=["models"])):
    """See `ModelParams`."""


def models(
    part: Annotated[
        str,
        Parameter(help="Only what has this in its name, such as 'dream'.", show_default=False),
    ] = "",
    /,
    *,
    options: Annotated[ModelsOptions, FLAT] = ModelsOptions(),
    as_json: Annotated[
        bool,
        Parameter(
            name=["--json"],
            help="Print JSON. [default: off]",
            group=group("Output"),
            negative=(),
            show_default=False,
        ),
    ] = False,
    hashes: Annotated[
        bool,
        Parameter(
            name=["--hashes"],
            help="Compute the hashes that are not known yet, which reads every file. "
            "[default: off]",
            group=group("Output"),
            negative=(),
            show_default=False,
        ),
    ] = False,
) -> None:
    chosen = ModelParams.of(**given(options))
    from ..models.library import ENVIRONMENT, PICKLES, Library
    from ..models.listing import listing

    library = Library.of(chosen.models)
    if library is None:
        raise InputError(f"say where the models are with `models`, or in {ENVIRONMENT}")
    rows = list(listing(library, part, hashes=hashes))
    if as_json:
        out.print(shown(json.dumps([asdict(row) for row in rows], indent=1)))
        return
    if not rows and part:
        every = counted(len(library.files()), ".safetensors file")
        raise InputError(
            f"none of {every} in {library} has {verbatim(repr(part))} in its name"
            f"{library.meant(part)}"
        )
    if not rows:
        raise InputError(f"there is no .safetensors file in {library}")
    columns = {
        "name": [row.name for row in rows],
        "kind": [row.kind for row in rows],
        "family": [row.family for row in rows],
        "size": [size_of(row.size) for row in rows],
        "prediction": [row.prediction for row in rows],
        "licence": [row.licence for row in rows],
        "words": [row.words for row in rows],
        "hash": [row.content_sha256 or row.sha256 for row in rows],
        "": [row.what if row.kind in ("unknown", "damaged") else "" for row in rows],
    }
    told = [[name, *cells] for name, cells in columns.items() if any(cells)]
    # A line a file, however narrow the terminal: other programs read it, too.
    for line in zip(*map(_aligned, told), strict=True):
        out.print(shown("  ".join(line).rstrip()))
    if pickles := [each for each in library.pickles() if part.lower() in each.name.lower()]:
        such = verbatim(pickles[0].name)
        what = f"left out: {counted(len(pickles), 'pickle')} ({', '.join(PICKLES)}), such as {such}"
        show(iter([Note(f"{what}: they can run code, and only .safetensors are read", "note")]))


def _aligned(cells: list[str]) -> list[str]:
    """Cells of a column, as wide as the widest."""
    plain = [verbatim(" ".join(cell.split())) for cell in cells]
    width = max(map(cell_len, plain))
    return [cell + " " * (width - cell_len(cell)) for cell in plain]


def size_of(size: int) -> str:
    """Bytes in the unit that reads best, such as ``2.1 GB``."""
    amount, unit = float(size), "B"
    for larger in ("KB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
