"""The user's model folders: ComfyUI's, A1111's, Forge's, StabilityMatrix's, or any.

What a file is stands in its header, so it does not matter which folder it is in; only where to look
does. A ComfyUI folder may name others in its ``extra_model_paths.yaml``. Needs no torch.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError, ModelError, verbatim
from ..files import at_home
from .header import read_header
from .recognise import Kind, recognise

ENVIRONMENT = "DIGRESSIONS_MODELS"
CHECKPOINTS: tuple[Kind, ...] = ("checkpoint",)
VAES: tuple[Kind, ...] = ("vae", "checkpoint")
LORAS: tuple[Kind, ...] = ("lora",)
EMBEDDINGS: tuple[Kind, ...] = ("embedding",)
_EXTRA = "extra_model_paths.yaml"
_INSIDE = ("models", "Models", "embeddings")  # of a program's folder; the rest is not models
_NOT_PATHS = ("base_path", "is_default")


class Library:
    """Folders in which models are looked for.

    Attributes:
        folders: All of them.
    """

    def __init__(self, root: Path) -> None:
        """Takes the folder of a program, or any other.

        Raises:
            InputError: There is none, or what it says of others cannot be read.
        """
        if not root.is_dir():
            raise InputError(f"`models` {verbatim(str(root))}: there is no such folder")
        inside = [root / name for name in _INSIDE if (root / name).is_dir()]
        self.folders = [*(inside or [root]), *_others(root)]

    @classmethod
    def of(cls, given: str | Path | None) -> Library | None:
        """That of a folder, or of the environment's ``DIGRESSIONS_MODELS``; ``None`` for neither.

        Raises:
            InputError: As for the folder itself.
        """
        name = given or os.environ.get(ENVIRONMENT)
        return cls(at_home(name)) if name else None

    def files(self) -> list[Path]:
        """Every safetensors file, each once, by folder and name."""
        seen: set[Path] = set()
        return [path for folder in self.folders for path in _walk(folder, seen)]

    def find(self, name: str, kinds: Collection[Kind]) -> Path | None:
        """The file of a name: with or without its suffix and folder, or its unique beginning.

        Args:
            name: In any case.
            kinds: That it may be of.

        Raises:
            InputError: There are several.
        """
        wanted = name.lower().removesuffix(".safetensors").replace("\\", "/")
        files = {path: path.with_suffix("").as_posix().lower() for path in self.files()}
        whole = [path for path, at in files.items() if f"/{at}".endswith(f"/{wanted}")]
        begun = [path for path, at in files.items() if at.rpartition("/")[2].startswith(wanted)]
        for candidates in (whole, begun):
            found = [path for path in candidates if _is(path, kinds)]
            if len(found) > 1:
                names = ", ".join(str(path) for path in found[:3])
                raise InputError(
                    f"{verbatim(repr(name))} may be {len(found)} files, such as {verbatim(names)}: "
                    "give more of the name"
                )
            if found:
                return found[0]
        return None


def located(name: str, kinds: Collection[Kind], library: Library | None) -> str:
    """The path of a file that is looked for by name; the name itself where it is a path already, or
    nothing is found.

    Raises:
        InputError: As `Library.find`.
    """
    if library is None or at_home(name).exists():
        return name
    found = library.find(name, kinds) or library.find(Path(name).name, kinds)  # or it has moved
    return name if found is None else str(found)


def _is(path: Path, kinds: Collection[Kind]) -> bool:
    try:
        return recognise(read_header(path)).kind in kinds
    except ModelError:
        return False


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """The files below a folder, through links too, but each folder once."""
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, seen)
        elif entry.suffix.lower() == ".safetensors":
            yield entry


def _others(root: Path) -> list[Path]:
    """The folders that ComfyUI's ``extra_model_paths.yaml`` names, as far as they are there."""
    path = root / _EXTRA
    if not path.is_file():
        return []
    import yaml  # of huggingface-hub

    try:
        sections = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{verbatim(str(path))} cannot be read: {error!s:.200}") from error
    found = []
    for section in sections.values() if isinstance(sections, dict) else ():
        if isinstance(section, dict):
            found += list(_section(root, section))
    return [each for each in found if each.is_dir()]


def _section(root: Path, section: dict[Any, Any]) -> Iterator[Path]:
    base = root / os.path.expandvars(str(section.get("base_path") or "")).strip()
    if str(section.get("base_path") or "").startswith("~"):
        base = at_home(os.path.expandvars(str(section["base_path"])))
    for name, places in section.items():
        if name not in _NOT_PATHS and isinstance(places, str):
            yield from (base / place.strip() for place in places.splitlines() if place.strip())
