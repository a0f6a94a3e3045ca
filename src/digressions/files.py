"""Files: written whole or not at all, refused in one line; JSON from outside, read with care."""

from __future__ import annotations

import glob
import itertools
import json
import math
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import DigressionsError, InputError, OutputError, verbatim

_FILES = {
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".mp4", ".webm", ".pdf"),
    *(".json", ".sqlite", ".safetensors"),
}
"""Suffixes that a folder to write has by mistake."""
_LONGEST_NAME = 60  # characters of a file name that is made of a prompt
_MOST_BYTES = 180  # of the same: most systems take 255, and numbers and suffixes are added


def output_path(value: str | Path, field: str = "output") -> Path:
    """A place to write to, as somebody gives it.

    Args:
        field: The parameter that it is, for messages.

    Raises:
        OutputError: It is empty, or no system takes such a name.
    """
    if not str(value).strip():
        raise OutputError(f"`{field}` is empty: give the name of a file or a folder", field=field)
    if "\0" in str(value):
        what = f"`{field}` {str(value)!r:.80}"
        raise OutputError(f"{what} has a character that no file name can have", field=field)
    return Path(value)


def check_folder(folder: Path) -> None:
    """Makes sure, before anything is painted, that files can be written into a folder.

    It tries: a folder and a file are made and taken away again, since rights alone do not tell.

    Raises:
        OutputError: It, or what it would be made in, is not a folder or not writable, or it is
            named like a file.
    """
    with writing(output_path(folder)):
        made = _missing(folder)
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise OutputError(f"{verbatim(there)} is not a folder: choose another `output`")
        if made and folder.suffix.lower() in _FILES:
            raise OutputError(
                f"{verbatim(folder)} is the name of a file, and `output` is a folder here: leave "
                f"out {folder.suffix}"
            )
        if not os.access(there, os.W_OK | os.X_OK):
            raise OutputError(f"{verbatim(there)} is not writable: choose another `output`")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{os.getpid()}.part"
            probe.touch()
            probe.unlink()
        finally:
            _remove_empty(made)


def check_file(path: Path, field: str = "output") -> None:
    """Makes sure, before the work, that a file can be written, as `check_folder` does.

    Args:
        field: The parameter that it is, for messages.

    Raises:
        OutputError: It cannot, or what has its name is no file.
    """
    with writing(output_path(path, field)):
        if path.is_dir():
            raise OutputError(
                f"{verbatim(path)} is a folder: give a file as `{field}`", field=field
            )
        if path.exists() and not path.is_file():
            raise OutputError(
                f"{verbatim(path)} is not a file: choose another `{field}`", field=field
            )
        if path.exists() and not os.access(path, os.W_OK):
            raise OutputError(
                f"{verbatim(path)} is write-protected: choose another `{field}`", field=field
            )
        there = next(place for place in path.absolute().parents if place.exists())
        if not there.is_dir():
            raise OutputError(
                f"{verbatim(there)} is not a folder: choose another `{field}`", field=field
            )
    with suppress(_TriedError), whole_file(path) as part:
        part.touch()
        raise _TriedError


class _TriedError(Exception):
    """Ends a `whole_file` without a file."""


@contextmanager
def workshop(folder: Path, target: Path) -> Iterator[Path]:
    """A folder inside ``folder`` to build in; gone afterwards.

    After an exception every folder made on the way to it is gone as well. Its name is a fixed
    one, so that what a killed run has left there goes with the next run.
    """
    with writing(target):
        made = _missing(folder)
        folder.mkdir(parents=True, exist_ok=True)
        work = folder / f".{target.name}.writing"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
    try:
        yield work
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        _remove_empty(made)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _missing(folder: Path) -> list[Path]:
    """The folders on the way to one that are not there yet, the innermost first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """The system's refusals, in the package's words.

    Raises:
        OutputError: ``target`` cannot be written, and why.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{verbatim(target)} cannot be written: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if error.errno is None and "encoder error" in str(error):  # Pillow's, of libtiff's silence
        return f"is the disk full? (the encoder stopped: {error})"
    return error.strerror or str(error)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` when the block ends.

    The folder is made if it is missing; a link is written through. After an exception nothing has
    changed. A process that is killed in between leaves a hidden file beside ``path``, which nothing
    reads; see `remove_parts`.

    Raises:
        OutputError: The file cannot be written, and why.
    """
    named, path = path, Path(os.path.realpath(path))
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(named):
        made = _missing(path.parent)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield beside
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            _remove_empty(made)
            raise


def remove_parts(path: Path) -> None:
    """Removes what killed processes of this machine have left beside a file (see `whole_file`)."""
    path = Path(os.path.realpath(path))
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        process = part.name.split(".")[-2]
        if process.isdecimal() and not is_running(int(process)):
            part.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Whether a file is what a killed process has left (see `whole_file`)."""
    return re.fullmatch(r"\..+\.\d+\.part", path.name) is not None


def is_running(process: int) -> bool:
    """Whether there is a process of this number on this machine, as far as can be told."""
    if os.name == "nt":  # no harmless way to ask there
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file, indented by one, whole or not at all.

    Raises:
        OutputError: It cannot be written.
        ValueError: The value holds what JSON does not know, such as NaN.
    """
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    with whole_file(path) as part:
        part.write_text(text, "utf-8")


@contextmanager
def reading_foreign(refusal: Callable[[str], DigressionsError]) -> Iterator[None]:
    """The one place where what a library raises on a file from outside becomes an error of ours.

    On damaged files libraries raise what their documentation does not list, such as a ValueError
    for a number of 70 digits in a PDF. So the block holds nothing but calls of one library, and
    whatever comes out of them is about the file.

    Args:
        refusal: Makes the error of a reason, which is one line and may be empty of sense.

    Raises:
        DigressionsError: What the block raised, as ``refusal`` has it; our own errors as they are.
    """
    try:
        yield
    except DigressionsError:
        raise
    except Exception as error:
        raise refusal(" ".join(str(error).split())[:300] or type(error).__name__) from error


def at_home(text: str | Path) -> Path:
    """A path whose ``~`` is the user's folder, or another's: ``~nobody`` stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib's raises RuntimeError


def refuse_overwrite(source: Path, target: Path) -> None:
    """Makes sure that the output does not overwrite a file that it is made from.

    Raises:
        InputError: It is the target.
    """
    if source.resolve() == target.resolve():
        raise InputError(f"{verbatim(source)} would be written over: choose another `output`")


def cleared(folder: Path, names: Iterable[str]) -> None:
    """Takes from a folder what another job has left under the names that are to be written; what
    else is there stays. A manifest is no such name: the next one replaces it.

    Raises:
        OutputError: Something cannot be removed.
    """
    with writing(folder):
        for name in names:
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def parsed(text: str | bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        ValueError: It is not JSON, holds NaN or infinity, or is nested more deeply than Python can
            follow.
    """
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits:.20} is beyond every number")
    return number


def slug(prompt: str) -> str:
    """A prompt as a file name: its letters of any script, in lower case, digits and hyphens."""
    words, kinds = unicodedata.normalize("NFC", prompt).lower(), unicodedata.category
    # Letters, digits and the marks on letters; joiners vanish, all else parts words.
    kept = "".join(
        mark if kinds(mark)[0] in "LNM" else " " * (kinds(mark) != "Cf") for mark in words
    )
    name = "-".join(kept.split())[:_LONGEST_NAME].encode()[:_MOST_BYTES].decode("utf-8", "ignore")
    return name.strip("-") or "picture"


def numbered(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """A path, then the same with 2, 3, ... at the end of its name, before the suffix of a file."""
    yield path
    stem, suffix = (path.name, "") if folder else (path.stem, path.suffix)
    yield from (path.with_name(f"{stem}-{number}{suffix}") for number in itertools.count(2))
