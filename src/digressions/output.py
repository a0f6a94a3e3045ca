"""Places to write to: what is built there appears when it is whole, and a refusal is one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError, OutputError


def check_folder(folder: Path) -> None:
    """Makes sure, before anything is painted, that files can be written into a folder.

    Raises:
        OutputError: It, or what it would be made in, is no folder or must not be written to.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OutputError(f"{there} is no folder: choose another -o")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{there} must not be written to: choose another -o")


@contextmanager
def workshop(folder: Path, target: Path) -> Iterator[Path]:
    """A folder inside ``folder`` to build in; gone afterwards.

    After an exception every folder made on the way to it is gone as well. Its name is a fixed
    one, so that what a killed run has left there goes with the next run.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    with writing(target):
        folder.mkdir(parents=True, exist_ok=True)
        work = folder / f".{target.name}.writing"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
    try:
        yield work
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        for place in made:
            with suppress(OSError):
                place.rmdir()
        raise
    shutil.rmtree(work, ignore_errors=True)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """The system's refusals, in the package's words.

    Raises:
        OutputError: ``target`` cannot be written, and why.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error


def spare(source: Path, target: Path) -> None:
    """Makes sure that a file that something is made of is not written over.

    Raises:
        InputError: It is the target.
    """
    if source.resolve() == target.resolve():
        raise InputError(f"{source} would be written over: choose another -o")
