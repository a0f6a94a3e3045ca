"""`BuildParams`: how a mosaic is made, which changes nothing in its pictures. Needs no torch."""

from __future__ import annotations

from typing import Literal

from ..errors import InputError
from ..generate.declare import Params, option
from .mosaic_spec import BATCH_SIZE


class BuildParams(Params):
    """How a mosaic is made, which changes nothing in its pictures."""

    single: Literal["jpg", "tif"] | None = option(
        None, "Also write one big image: jpg or tif.", group="Output"
    )
    batch_size: int | None = option(
        None,
        "Pictures painted at once, by each worker with `executor` ray.",
        group="Machines",
        default_from=f"found by measuring; {BATCH_SIZE} for workers",
        ge=1,
    )
    profile: bool = option(
        False, "Say where the time went; not with `executor` ray.", group="Machines"
    )

    def check(self, executor: str = "local") -> None:
        """Raises `InputError` for what would do nothing with an executor, local or ray."""
        if self.profile and executor != "local":
            raise InputError(
                "`profile` times this process, but with `executor` ray the workers paint: choose "
                "one"
            )
