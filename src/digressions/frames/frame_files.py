"""The files of a frame: which are written into its folder, and what each remembers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..generate.params import KeepParams
from ..generate.replay import sheet_text
from ..prints.printing import proof_path, proof_text
from .candidates import FrameTask
from .finishing import picture_record, print_record, room_record
from .frame_spec import FramePrintSpec
from .inserting import files_on_wall
from .scene import Scene

LATE = ("pictures", "effective_dpi")
"""What shows only late: how many candidates a contact sheet has by now, and the pixels of a picture
that is composed."""


def sheet_path(folder: Path, task: FrameTask, several: bool) -> Path:
    """The contact sheet of a frame's candidates."""
    return folder / (f"candidates-{task.number}.jpg" if several else "candidates.jpg")


def candidates_text(folder: Path, task: FrameTask) -> dict[str, str]:
    """What the contact sheet of a frame's candidates remembers."""
    text = task.records[0].to_text()
    return sheet_text(text, "a contact sheet", folder, task.paths(folder))


def are_shown(tasks: Sequence[FrameTask]) -> bool:
    """Whether candidates are shown on sheets, to choose from, rather than finished."""
    return any(task.count > 1 and task.pick is None for task in tasks)


def files_of(
    folder: Path,
    tasks: Sequence[FrameTask],
    scenes: Sequence[Scene],
    paper: FramePrintSpec,
    keep: KeepParams,
) -> dict[Path, dict[str, str]]:
    """Every file that is written for some frames, and what it remembers."""
    several = len(tasks) > 1
    files: dict[Path, dict[str, str]] = {}
    for task in tasks:
        texts = [record.to_text() for record in task.records]
        files |= dict(zip(task.paths(folder), texts, strict=True))
    if are_shown(tasks):
        for task in tasks:
            files[sheet_path(folder, task, several)] = candidates_text(folder, task)
        return files
    pictures = [picture_record(task, task.records[0], paper.upscaler) for task in tasks]
    for task, seen, record in zip(tasks, scenes, pictures, strict=True):
        number = f"-{task.number}" if several else ""
        files[folder / f"picture{number}.png"] = record.to_text()
        if task.print_job is not None:
            path = folder / f"print{number}{paper.suffix}"
            files[path] = print_record(record, seen.opening.size, task.print_job).to_text()
            if paper.proof:
                files[proof_path(path)] = proof_text(files[path], path)
    return files | files_on_wall(folder, room_record(pictures, keep).to_text())
