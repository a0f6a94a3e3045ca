"""A model by name, loaded on another machine, that must be the very same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..models import Model, load


@dataclass(frozen=True)
class Source:
    """How a worker comes by its model: called there, it loads it.

    Attributes:
        name, device, dtype, compiled, tiny_vae: As in `models.load`.
        hash: What `Model.hash` must be.
    """

    name: str
    device: str
    dtype: str
    hash: str
    compiled: bool = False
    tiny_vae: Path | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        gpus: float,
        device: str | None = None,
        dtype: str | None = None,
        *,
        compiled: bool = False,
        tiny_vae: Path | None = None,
    ) -> Source:
        """Of a model that is loaded here, for workers with a share of ``gpus``.

        ``device`` and ``dtype`` are what the user said, if anything; a folder's whole path is
        given, since workers stand elsewhere. One dtype is settled for all
        workers, since machines that each take what is quickest there paint different pictures:
        this machine's, or if workers have GPUs and it has none (or the other way round) what is
        usual with them.
        """
        usual = "float16" if gpus else "float32"
        own = str(model.dtype).removeprefix("torch.")
        alike = bool(gpus) == (model.device.type != "cpu")
        folder = Path(model.name)
        return cls(
            str(folder.absolute()) if folder.is_dir() else model.name,
            device or ("cuda" if gpus else "cpu"),
            dtype or (own if alike else usual),
            model.hash,
            compiled,
            None if tiny_vae is None else tiny_vae.absolute(),
        )

    def __call__(self) -> Model:
        """Raises `ModelError` where the model cannot be loaded, or is another by its hash."""
        model = load(
            self.name, self.device, self.dtype, compiled=self.compiled, tiny_vae=self.tiny_vae
        )
        if model.hash != self.hash:
            raise ModelError(
                f"the model {self.name} is another one there: its hash is {model.hash[:12]} where "
                f"the job wants {self.hash[:12]}; put the same files on every machine"
            )
        return model
