"""What the command line says: events as lines and progress bars, errors as one line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NoReturn, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .. import events
from ..errors import StoppedError, in_words, verbatim

if TYPE_CHECKING:
    from ..distributed.cluster import ClusterParams
    from ..distributed.executor import Executor
    from ..generate.model_params import ModelParams
    from ..models.base import Model
    from ..models.library import NamedFiles

LOGGED = 30.0  # seconds from which on a log hears again how far a task is
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

SHORT = {"n": "-n", "output": "-o"}
POSITIONAL = {
    "prompt": "the prompt",
    "prompts": "the prompts",
    "photo": "the photo",
    "picture": "the picture",
}
"""How messages call parameters that are not options."""


def option_name(name: str) -> str:
    """How a parameter is written on the command line, such as ``--guidance-rescale``."""
    return POSITIONAL.get(name) or SHORT.get(name) or f"--{name.replace('_', '-')}"


def fail(message: str, code: int) -> NoReturn:
    """Says an error in one line and leaves."""
    err.print(Text.assemble(("digress:", "red"), " ", shown(" ".join(message.splitlines()))))
    sys.exit(code)


def shown(text: str) -> Text:
    """A text of the library for the terminal: its parameters written as options, nothing in it
    taken for markup, and no bytes in it that are no characters, as names of files may have."""
    return Text(in_words(text, option_name).encode("utf-8", "backslashreplace").decode())


def show(found: Iterator[events.Event], *, kept: str = "") -> None:
    """Shows the events of a use case until it ends.

    Notes about what is to be done wait until it begins: an error that is found before is one line.

    Args:
        found: The use case, not yet begun.
        kept: What a stop by Ctrl-C keeps, such as "finished pictures are kept in out/turtle: the
            same command goes on".

    Raises:
        StoppedError: Ctrl-C.
    """
    waiting: list[events.Event] | None = []
    with Bars() if err.is_terminal else Lines() as display:
        try:
            for event in found:
                if waiting is not None and _is_note(event):
                    waiting.append(event)
                    continue
                for each in (*(waiting or ()), event):
                    display.show(each)
                waiting = None
            for each in waiting or ():
                display.show(each)
        except KeyboardInterrupt:
            raise StoppedError(f"stopped; {kept}" if kept else "stopped") from None
        finally:
            if isinstance(found, Generator):
                found.close()


def _is_note(event: events.Event) -> bool:
    return isinstance(event, events.Note) and event.level != "info"


class Lines:
    """Events as lines: what a log gets. A task has one where it begins, and others while it goes
    on, `LOGGED` apart.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""

    def show(self, event: events.Event) -> None:
        """Prints what one event says."""
        match event:
            case events.Progress(task, done, total):
                self._move(task, done, total)
            case events.Estimate(text):
                out.print(shown(text))
            case events.Note(text, "info"):
                out.print(shown(text))
            case events.Note(text, level):
                err.print(Text.assemble((f"{level}:", "yellow"), " ", shown(text)))
            case events.Saved(path, text):
                place = verbatim(path)
                out.print(shown(f"{place}: {text}" if text else place))

    def _move(self, task: str, done: int, total: int | None) -> None:
        now = self._clock()
        if task in self._said and now < self._said[task] + LOGGED:
            return
        self._said[task] = now
        err.print(shown(f"{task}: {done:,}" + ("" if total is None else f" of {total:,}")))


class Bars(Lines):
    """Progress bars, one a task, and lines above them: what a terminal gets."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=err,
        )
        self._tasks: dict[str, TaskID] = {}

    def __exit__(self, *_: object) -> None:
        if self._tasks:  # else it would print an empty line
            self._progress.stop()

    def _move(self, task: str, done: int, total: int | None) -> None:
        if task not in self._tasks:
            if not self._tasks:
                self._progress.start()
            self._tasks[task] = self._progress.add_task(task, total=total)
        self._progress.update(self._tasks[task], completed=done, total=total)


@contextmanager
def status(text: str) -> Iterator[None]:
    """Says on the terminal what is going on while the block runs."""
    with err.status(shown(text)):
        yield


def load_model(params: ModelParams, named: NamedFiles | None = None) -> Model:
    """The model that the user asks for, with a word on the terminal while it loads; ``named`` is as
    of `loading.load`."""
    from ..models.loading import load

    with status(f"loading {verbatim(params.model)}"):
        model = load(**params.arguments(), named=named)
    for contest in model.contests:
        winner = "OpenVINO" if contest.won else "torch"
        times = f"torch {contest.torch:.3f} s, OpenVINO {contest.openvino:.3f} s"
        err.print(shown(f"{contest.network}: {winner} runs it ({times})"))
    return model


@contextmanager
def joining(
    cluster: ClusterParams, model: Model, params: ModelParams
) -> Iterator[Executor[Model] | None]:
    """Whose workers paint while the block runs, with a word on the terminal; ``None`` for this
    process."""
    if cluster.executor == "local":
        yield None
        return
    from ..distributed.remote_model import open_executor

    with ExitStack() as stack:
        with status("joining the cluster" if cluster.address else "starting Ray"):
            executor = stack.enter_context(open_executor(cluster, model, params))
        yield executor


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "")
