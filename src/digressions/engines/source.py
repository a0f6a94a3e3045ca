"""A model by name, loaded on another machine, that must be the very same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoint import BUNDLED
from ..errors import ModelError
from ..loading import load
from ..models import Model


@dataclass(frozen=True)
class Source:
    """How a worker comes by its model: called there, it loads it.

    Attributes:
        name, device, dtype: As in `loading.load`.
        hash: What `Model.hash` must be.
        special: The rest of what `loading.load` takes by name.
    """

    name: str
    device: str
    dtype: str
    hash: str
    special: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        model: Model,
        gpus: float,
        device: str | None = None,
        dtype: str | None = None,
        **special: Any,
    ) -> Source:
        """Of a model that is loaded here, for workers with a share of ``gpus``.

        ``device`` and ``dtype`` are what the user said, if anything. One dtype is settled for all
        workers, since machines that each take what is quickest there paint different pictures:
        this machine's, or if workers have GPUs and it has none (or the other way round) what is
        usual with them. Folders are given by their whole path, since workers stand elsewhere.
        """
        usual = "float16" if gpus else "float32"
        own = str(model.dtype).removeprefix("torch.")
        alike = bool(gpus) == (model.device.type != "cpu")
        folder = Path(model.name)
        whole = {k: v.absolute() if isinstance(v, Path) else v for k, v in special.items()}
        return cls(
            str(folder.absolute()) if model.name != BUNDLED and folder.is_dir() else model.name,
            device or ("cuda" if gpus else "cpu"),
            dtype or (own if alike else usual),
            model.hash,
            tuple(whole.items()),
        )

    def __call__(self) -> Model:
        """Raises `ModelError` where the model cannot be loaded, or is another by its hash."""
        model = load(self.name, self.device, self.dtype, **dict(self.special))
        if model.hash != self.hash:
            raise ModelError(
                f"the model {self.name} is another one there: its hash is {model.hash[:12]} where "
                f"the job wants {self.hash[:12]}; put the same files on every machine"
            )
        return model
