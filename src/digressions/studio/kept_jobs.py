"""What jobs were asked to do, in a file each until they have ended: it outlives a killed studio."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import write_json


@dataclass(frozen=True)
class LeftJob:
    """What an earlier studio had not finished.

    Attributes:
        began: Whether it was at work.
    """

    file: Path
    kind: str
    settings: Mapping[str, Any]
    title: str
    began: bool


class KeptJobs:
    """The files of a folder, whose names sort as what they keep was asked.

    Args:
        folder: Made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = f"{time.time_ns():020}"

    def put(
        self,
        number: int,
        kind: str,
        settings: Mapping[str, Any],
        title: str,
        began: Path | None = None,
    ) -> Path:
        """The file in which a job is kept from now on.

        Args:
            began: It, where it is kept already and is at work now.
        """
        file = began or self._folder / f"{self._opened}-{number:09}.json"
        asked = {"kind": kind, "settings": dict(settings), "title": title}
        write_json(file, asked | {"began": began is not None})
        return file

    def left(self) -> list[LeftJob]:
        """What is kept by now, what was at work first, then as it was asked; damaged files are
        passed over."""
        found = []
        for file in sorted(self._folder.glob("*.json")):
            try:
                told = json.loads(file.read_text("utf-8"))
                kind, title = str(told["kind"]), str(told["title"])
                began = bool(told.get("began", False))
                found.append(LeftJob(file, kind, dict(told["settings"]), title, began))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
        return sorted(found, key=lambda left: not left.began)
