"""`FallSpec` and `FlySpec`: how one gets into a finished mosaic. Nothing here needs torch."""

from __future__ import annotations

from ..generate.declare import option
from .flight_params import FlightParams
from .world_spec import BankParams, BankSize, BatchParams, CacheParams


class FallSpec(FlightParams):
    """How a film falls into a mosaic."""

    bank: BankParams
    cache: CacheParams
    batch: BatchParams


class FlySpec(BatchParams):
    """A page that flies into a mosaic's world, made of a number of pictures."""

    cache: CacheParams
    pictures: BankSize = option(
        64, "Pictures that the whole world is made of, again and again.", group="Cells"
    )
    folder_mb: float = option(
        20.0, "Size limit of the page's folder in megabytes.", group="Output", gt=0
    )
