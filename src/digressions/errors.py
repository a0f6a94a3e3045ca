"""Every error that the package raises on purpose.

    DigressionsError
    ├── InputError          something the caller gave is wrong; the message names it and the mend
    │   ├── ImageError      a picture that cannot be read, or is not what it claims to be
    │   ├── ModelError      an unknown model, or a checkpoint with a part missing
    │   ├── PromptError     a prompt that cannot be used
    │   └── OutputError     a place that cannot be written, or that belongs to another job
    ├── EngineError         workers that cannot be had, differ from each other or keep dying
    ├── MissingExtraError   a package that only this needs is not installed
    └── StoppedError        stopped by the user; finished work is kept

The command line prints any of them as one line and leaves with ``exit_code``.
"""

from __future__ import annotations


class DigressionsError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 2


class InputError(DigressionsError):
    """Something the caller gave is wrong."""


class ImageError(InputError):
    """A picture that cannot be read, or is not what it claims to be."""


class ModelError(InputError):
    """An unknown model, or a checkpoint with a part missing."""


class PromptError(InputError):
    """A prompt that cannot be used.

    Attributes:
        message: What is wrong.
        position: Index of the character in the prompt, from 0, or ``None``. Counted from 1 where
            it is shown, with an arrow before it in an excerpt of ``text``, the prompt.
    """

    def __init__(self, message: str, position: int | None = None, text: str = "") -> None:
        where = "" if position is None else f" (character {position + 1}{_excerpt(text, position)})"
        super().__init__(message + where)
        self.message = message
        self.position = position
        self.text = text


class OutputError(InputError):
    """A place that cannot be written, or that belongs to another job."""


class EngineError(DigressionsError):
    """Workers that cannot be had, differ from each other or keep dying; finished work is kept."""


class MissingExtraError(DigressionsError):
    """A package that only this needs is not installed.

    Args:
        package: Its name on PyPI.
        extra: The extra of this package that installs it, if it is not installed without one.
    """

    def __init__(self, package: str, extra: str | None = None) -> None:
        wanted = package if extra is None else f"'digressions[{extra}]'"
        super().__init__(f"{package} is not installed: pip install {wanted}")


class StoppedError(DigressionsError):
    """Stopped by the user; finished work is kept."""

    exit_code = 130


def _excerpt(text: str, position: int, around: int = 24) -> str:
    """The part of a prompt that an error is about, in one line."""
    if not text:
        return ""
    start, end = max(position - around, 0), position + around
    before, after = text[start:position], text[position:end]
    shown = f"{'...' * (start > 0)}{before} --> {after}{'...' * (end < len(text))}"
    return ": " + " ".join(shown.split())
