"""A studio for strangers, such as one on the web: what each may ask for, and how long it is kept.

The studio of one's own machine trusts whoever sits at it: fields take paths, a job may take days,
and what was made stays. Here files are those that were given to the page, jobs are small, and what
was made goes after a while.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..events import Event
from ..generate.model_params import ModelParams
from .jobs import Jobs, Work
from .studio import Reach, Studio
from .studio_job import Job, Settings
from .studio_spec import StudioSpec

MOST = {
    "n": 4,
    "steps": 60,
    "sweep": 9,
    "enlarge": 4,
    "times": 4,
    "dpi": 300,
    "levels": 4,
    "seconds": 12,
    "fps": 25,
    "pictures": 60,
    "refine_scale": 2,
}
"""The most that may be asked for, by parameter."""
LONGEST_SIDE = 768
"""In pixels, of a picture or a film."""
MOST_CELLS = 1600
"""Of a mosaic."""
LONGEST_PAPER = 600
"""In mm."""
_PATH = re.compile(r"""(^|[\s,:;=@"'(\[|])(~|\.{0,2}/\S|\.\.|[A-Za-z]:\\)""")


class StrangersStudio(Studio):
    """A `Studio` that answers to a name on the web.

    Args:
        hosts, framed_by: As of `Reach`.
        seconds: That a job may take.
        waiting: Jobs of one page that may wait.
    """

    def __init__(
        self,
        spec: StudioSpec,
        model_params: ModelParams,
        *,
        hosts: Sequence[str] = (),
        framed_by: Sequence[str] = (),
        seconds: float = 300,
        waiting: int = 3,
    ) -> None:
        super().__init__(spec, model_params)
        # The gallery shows and deletes everybody's pictures, and models are files of the machine.
        self.reach = Reach(hosts, framed_by, ("Gallery", "Models"), 12 * 2**20)
        roots = [self.out, self.uploads]
        self.jobs = StrangersJobs(self.own / "jobs", roots, seconds, waiting)

    def clears(self, older: float, every: float = 60) -> None:
        """Deletes what is older, in seconds, from now on, in a thread of its own."""

        def run() -> None:
            while True:
                clear(self.out, older)
                time.sleep(every)

        threading.Thread(target=run, name="clears", daemon=True).start()


class StrangersJobs(Jobs):
    """The queue, which refuses what is too much and what names a file of the machine.

    Args:
        folder: As of `Jobs`.
        roots: Folders whose files may be named.
        seconds, waiting: As of `StrangersStudio`.
    """

    strangers = True

    def __init__(self, folder: Path, roots: Sequence[Path], seconds: float, waiting: int) -> None:
        super().__init__(folder)
        self._roots, self._seconds, self._most = roots, seconds, waiting

    def learn(self, kind: str, work: Work, *, kept: bool = True, resumes: bool = False) -> None:
        """As of `Jobs`; the work ends when its time is over, and nothing is kept: what a killed
        studio left would be offered to everybody."""

        def within(settings: Settings) -> Iterator[Event]:
            return self._within(work(settings))

        super().learn(kind, within, kept=False, resumes=resumes)

    def check(self, asked: Any) -> None:
        """Raises `InputError` where it names a file; see `check_files`."""
        check_files(asked, self._roots)

    def submit(self, page: str, kind: str, settings: Settings, title: str) -> Job:
        """As of `Jobs`.

        Raises:
            InputError: It is too much, names a file, or too many of the page's jobs are waiting.
        """
        self.check(settings)
        check_size(kind, settings.get("spec", {}))
        waiting = [job for job in self.queue() if job.page == page and job.state == "waiting"]
        if len(waiting) >= self._most:
            raise InputError(f"{len(waiting)} jobs of yours are waiting already: wait for one")
        return super().submit(page, kind, settings, title)

    def _within(self, events: Iterator[Event]) -> Iterator[Event]:
        end = time.monotonic() + self._seconds
        for event in events:
            yield event
            if time.monotonic() > end:
                getattr(events, "close", lambda: None)()
                raise InputError(
                    f"a job has {self._seconds:.0f} s on this page: ask for less, or install the "
                    "program, where it may take as long as it likes"
                )


def check_files(settings: Any, roots: Collection[Path]) -> None:
    """Raises `InputError` where a text in settings could name a file outside some folders, whether
    it is there or not."""
    if isinstance(settings, Mapping):
        settings = list(settings.values())
    if isinstance(settings, (list, tuple)):
        for each in settings:
            check_files(each, roots)
    if not isinstance(settings, str):
        return
    given = any(Path(settings).resolve().is_relative_to(root.resolve()) for root in roots)
    if not given and _PATH.search(settings):
        raise InputError("files are given to this page, not named by a path")


def check_size(kind: str, spec: Mapping[str, Any]) -> None:
    """Raises `InputError`, at its field, where a parameter asks for too much."""
    for name, most in MOST.items():
        asked = spec.get(name)
        for value in asked if isinstance(asked, list) else [asked]:
            if isinstance(value, (int, float)) and value > most:
                raise InputError(f"`{name}` {value:g} is more than {most} on this page", field=name)
    for name in ("size", "frame_size"):
        if kind not in ("print", "poster") and _longest(spec.get(name)) > LONGEST_SIDE:
            raise InputError(f"`{name}` is more than {LONGEST_SIDE} px on this page", field=name)
    if kind in ("print", "poster"):
        _check_paper(spec)
    if "grid" in spec and _cells(str(spec["grid"])) > MOST_CELLS:
        raise InputError(f"`grid` has more than {MOST_CELLS:,} cells on this page", field="grid")


def _check_paper(spec: Mapping[str, Any]) -> None:
    from ..prints.print_spec import PrintSpec

    asked = {key: spec[key] for key in ("size", "dpi") if key in spec}
    if max(PrintSpec.of(**asked).sheet(1.0).trim) > LONGEST_PAPER:
        raise InputError(f"`size` is more than {LONGEST_PAPER} mm on this page", field="size")


def _longest(size: Any) -> int:
    """The longer side of a size as it was typed."""
    return max(map(int, re.findall(r"\d+", str(size or ""))), default=0)


def _cells(grid: str) -> int:
    """The cells of a grid as it was typed: ``"40"`` or ``"40x30"``."""
    sides = [int(each) for each in re.findall(r"\d+", grid)][:2]
    return 0 if not sides else sides[0] * sides[-1]


def clear(folder: Path, older: float) -> None:
    """Deletes what in a folder was last written so many seconds ago; what jobs are asked stays.

    Args:
        folder: Of a studio; what is in its own folder counts one by one.
    """
    end = time.time() - older
    own = folder / ".studio"
    held = [*folder.glob("*"), *own.glob("uploads/*"), *own.glob("thumbs/*")]
    for path in held:
        if path == own or _newest(path) > end:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _newest(path: Path) -> float:
    """When anything in a path was last written, in seconds since 1970; of what has gone, 0."""
    newest = 0.0
    for each in [path, *path.rglob("*")]:
        try:
            newest = max(newest, each.lstat().st_mtime)
        except OSError:
            continue
    return newest
