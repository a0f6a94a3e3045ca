"""Every error that the package raises on purpose.

    DigressionsError
    ├── InputError          something the caller gave is wrong; the message says what would be right
    │   ├── ImageError      a picture that cannot be read, or is not what it claims to be
    │   ├── ModelError      an unknown model, or a checkpoint with a part missing
    │   ├── PromptError     a prompt that cannot be used
    │   └── OutputError     a place that cannot be written, or that belongs to another job
    ├── ExecutorError       workers that are not available, differ from each other or keep dying
    ├── MissingExtraError   an optional package that is not installed
    └── StoppedError        stopped by the user; finished work is kept

Messages name parameters in backquotes, as in "`guidance` 2000 is out of range: -100 to 1000". Each
door writes them its own way: ``str(error)`` speaks Python and drops the quotes, the command line
turns them into options (``--guidance``) with `DigressionsError.worded`. It prints any of these
errors as one line and exits with ``exit_code``. What the user typed goes into a message through
`verbatim`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PARAMETER = re.compile(r"`([A-Za-z_][A-Za-z0-9_]*)`")
_QUOTE = "\ue060"  # of the private use area: a backquote of the user's within a message


class DigressionsError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        message: One line, also where something of the user's in it is several; parameters are in
            backquotes.
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        message = " ".join(line.strip() for line in message.splitlines())
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.worded(lambda name: name)

    def worded(self, name_of: Callable[[str], str]) -> str:
        """The message with every parameter written as ``name_of`` its Python name."""
        return in_words(self.message, name_of)


class InputError(DigressionsError):
    """Something the caller gave is wrong.

    Attributes:
        field: The Python name of the parameter that is wrong, or ``None`` where it is no one's.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        named = _PARAMETER.search(message)
        self.field = field or (named[1] if named else None)


class ImageError(InputError):
    """A picture that cannot be read, or is not what it claims to be."""


class ModelError(InputError):
    """An unknown model, or a checkpoint with a part missing."""


class PromptError(InputError):
    """A prompt that cannot be used.

    Attributes:
        reason: What is wrong, without the place.
        position: Index of the character in the prompt, from 0, or ``None``. Counted from 1 where
            it is shown, with an arrow before it in an excerpt of ``text``, the prompt.
    """

    def __init__(
        self, reason: str, position: int | None = None, text: str = "", *, field: str = "prompt"
    ) -> None:
        where = "" if position is None else f" (character {position + 1}{_excerpt(text, position)})"
        super().__init__(reason + where, field=field)
        self.reason = reason
        self.position = position
        self.text = text


@contextmanager
def errors_about(field: str) -> Iterator[None]:
    """Errors in the block about a prompt, or about no parameter, are about this one."""
    try:
        yield
    except InputError as error:
        if error.field in (None, "prompt"):
            error.field = field
        raise


class OutputError(InputError):
    """A place that cannot be written, or that belongs to another job."""

    def __init__(self, message: str, *, field: str | None = "output") -> None:
        super().__init__(message, field=field)


class ExecutorError(DigressionsError):
    """Workers that are not available, differ or keep dying; finished work is kept."""


class MissingExtraError(DigressionsError):
    """An optional package that is not installed.

    Args:
        package: Its name on PyPI.
        extra: The extra of this package that installs it, if it is not installed without one.
    """

    def __init__(self, package: str, extra: str | None = None) -> None:
        wanted = package
        if extra is not None:
            wanted = f"'digressions[{extra}]', or pip install '.[{extra}]' in a clone"
        super().__init__(f"{package} is not installed: pip install {wanted}")


class StoppedError(DigressionsError):
    """Stopped by the user; finished work is kept."""

    exit_code = 130


def in_words(message: str, name_of: Callable[[str], str]) -> str:
    """A message whose parameters, in backquotes, are written as ``name_of`` their Python names."""
    return _PARAMETER.sub(lambda found: name_of(found[1]), message).replace(_QUOTE, "`")


def verbatim(text: object) -> str:
    """A text of the user's for a message: backquotes in it name no parameter."""
    return str(text).replace("`", _QUOTE)


def _excerpt(text: str, position: int, around: int = 24) -> str:
    """The part of a prompt that an error is about, in one line."""
    if not text:
        return ""
    start, end = max(position - around, 0), position + around
    before, after = text[start:position], text[position:end]
    shown = f"{'...' * (start > 0)}{before} --> {after}{'...' * (end < len(text))}"
    return ": " + verbatim(" ".join(shown.split()))
