"""`StudioSpec`: where the studio listens, and where its pictures go."""

from __future__ import annotations

from pathlib import Path

from ..generate.declare import Params, option
from ..generate.kinds import FilePath
from ..generate.outputs import FOLDER


class StudioSpec(Params):
    """The studio. It listens on this machine only."""

    port: int = option(
        7860, "Port that the page is served at; 0 takes any.", group="Page", ge=0, le=65535
    )
    out: FilePath = option(FOLDER, "Folder of everything that is made.", group="Output")
    browser: bool = option(False, "Open the page in your browser.", group="Page")

    @property
    def own(self) -> Path:
        """Where the studio keeps what is no picture: uploads, jobs, what was deleted."""
        return self.out / ".studio"
