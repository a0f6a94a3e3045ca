"""Where a use case writes: one rule for every command (see "Output" in the glossary).

A name of our own never replaces a file: a number is added. A place that the user names may hold
what the same settings made; anything else there is refused unless the user says `overwrite`. All
of it is found before the work, and so is whatever else keeps a file from being written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from ..errors import OutputError, verbatim
from ..events import Note
from ..files import check_file, check_folder, is_part, numbered
from ..images.image_files import kind_of
from ..images.text_chunks import fitting
from ..images.video import is_frame
from .file_texts import made_alike

FOLDER = Path("out")
"""Where everything goes if nobody says."""


def check_place(folder: Path | None) -> None:
    """Raises `OutputError`, before a model is loaded, where a folder cannot be written.

    Args:
        folder: As the user says, or ``None``.
    """
    check_folder(FOLDER if folder is None else folder)


def check_file_place(path: Path | None) -> None:
    """As `check_place` for a single file."""
    if path is None:
        check_folder(FOLDER)
    else:
        check_file(path)


def check_place_by_name(target: Path | None) -> None:
    """As `check_place` for what is a file where its name has a suffix, and else a folder."""
    if target is None or target.suffix:
        check_file_place(target)
    else:
        check_folder(target)


Plan: TypeAlias = Callable[[Path], Mapping[Path, Mapping[str, str]]]
"""The files that are written for an output, and what each will remember."""


def chosen_output(
    output: Path | None,
    usual: Path,
    plan: Plan,
    *,
    overwrite: bool = False,
    aside: Collection[str] = (),
) -> Path:
    """Where to write, once it is sure that nothing of the user's is lost there.

    Args:
        output: As the user says, or ``None``.
        usual: The name of our own; gets a number where it is taken.
        plan: What is written for an output.
        overwrite: Whether what is at ``output`` may go.
        aside: As of `file_texts.made_alike`.

    Raises:
        OutputError: ``output`` holds something else, a file cannot be written there, or a kind of
            file has no room for what it shall remember.
    """
    if output is None:
        output = next(place for place in numbered(usual) if not any(map(_is_there, plan(place))))
    for path, text in plan(output).items():
        check_file(path)
        fitting(kind_of(path), text)
        if _is_there(path) and not overwrite:
            check_alike(path, text, aside)
    return output


def chosen_folder(
    output: Path | None,
    usual: Path,
    plan: Plan,
    *,
    overwrite: bool = False,
    aside: Collection[str] = (),
) -> Path:
    """A folder for several files, as `chosen_output`; what these settings made may be there, and
    is continued."""

    def serves(folder: Path) -> bool:
        files = plan(folder).items()
        return all(not _is_there(path) or made_alike(path, text, aside) for path, text in files)

    if output is None:
        output = next(filter(serves, numbered(usual, folder=True)))
    check_folder(output)
    for path, text in plan(output).items():
        check_file(path)
        if not overwrite:
            check_alike(path, text, aside)
    return output


def chosen_frames(
    output: Path | None,
    usual: Path,
    text: Mapping[str, str],
    *,
    overwrite: bool = False,
    aside: Collection[str] = (),
) -> Path:
    """A folder for the frames of a film, as `chosen_output`: new, empty, or with this very film."""
    if output is None:
        output = next(place for place in numbered(usual, folder=True) if not _holds(place))
    check_folder(output)
    others = [] if overwrite else _holds(output)
    if others and not (
        all(is_frame(path) for path in others) and made_alike(others[0], text, aside)
    ):
        raise taken(output)
    return output


def _holds(folder: Path) -> list[Path]:
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in there if not is_part(path))


def place_beside(picture: object, name: str, suffix: str) -> Path:
    """The usual name of what is made of a picture: beside its file or folder, named after it."""
    if not isinstance(picture, (str, Path)):
        return FOLDER / f"picture{name}{suffix}"
    path = Path(picture)
    path = path.resolve() if path.name in ("", "..") else path  # a folder that one is in
    return path.with_name(f"{path.name if path.is_dir() else path.stem}{name}{suffix}")


def check_alike(path: Path, text: Mapping[str, str], aside: Collection[str] = ()) -> None:
    """Raises `OutputError` where a file is there that other settings made, or somebody else."""
    if _is_there(path) and not made_alike(path, text, aside):
        raise taken(path)


def taken(path: Path) -> OutputError:
    """The error for a place that holds something else."""
    return OutputError(
        f"{verbatim(path)} is there already, and these settings did not make it: choose another "
        "`output`, or give `overwrite`"
    )


def notes_on_texts(path: Path, text: Mapping[str, str]) -> Iterator[Note]:
    """Says which texts of a picture a file of this kind has no room for."""
    kept = fitting(kind_of(path), text)
    dropped = sorted(name for name in text if kept.get(name) != text[name])
    if dropped:
        yield Note(
            f"{verbatim(path)} has no room for what another program left in the picture "
            f"({', '.join(dropped):.200}): it is left out, and a .png would keep it",
            "note",
        )


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
