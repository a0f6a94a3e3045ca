"""The user's model folders: ComfyUI's, A1111's, Forge's, StabilityMatrix's, or any.

What a file is stands in its header, so it does not matter which folder it is in; only where to look
does. A ComfyUI folder may name others in its ``extra_model_paths.yaml``. Needs no torch.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InputError, ModelError, verbatim
from ..files import at_home
from .header import read_header
from .recognise import BELONGS, Contents, Kind, recognise

ENVIRONMENT = "DIGRESSIONS_MODELS"
CHECKPOINTS: tuple[Kind, ...] = ("checkpoint",)
VAES: tuple[Kind, ...] = ("vae", "checkpoint")
LORAS: tuple[Kind, ...] = ("lora",)
EMBEDDINGS: tuple[Kind, ...] = ("embedding",)
UPSCALERS: tuple[Kind, ...] = ("upscaler",)
TEXT_ENCODERS: tuple[Kind, ...] = ("text encoder", "checkpoint")
_EXTRA = "extra_model_paths.yaml"
# Of a program's folder; the rest is not models. ComfyUI has embeddings among its models, A1111
# beside them.
_INSIDE = ("models", "Models", "Data/Models")
_BESIDE = "embeddings"
_NOT_PATHS = ("base_path", "is_default")
_SUFFIX = ".safetensors"
PICKLES = (".ckpt", ".pth", ".pt", ".bin")
_CALLED: dict[Kind, str] = {"checkpoint": "model", "lora": "LoRA", "vae": "autoencoder (VAE)"}
_CLOSE = 0.5  # by difflib's ratio
_FOLDERS_SHOWN = 3


NamedFiles: TypeAlias = Mapping[tuple[Kind, str], Path]
"""What names in prompts stand for, by kind and name, whatever there is in model folders."""


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
        if inside and (root / _BESIDE).is_dir():
            inside.append(root / _BESIDE)
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
        return [path for folder in self.folders for path in _walk(folder, seen, (_SUFFIX,))]

    def pickles(self) -> list[Path]:
        """Every pickle, which is not read."""
        seen: set[Path] = set()
        return [path for folder in self.folders for path in _walk(folder, seen, PICKLES)]

    def pickle(self, name: str) -> Path | None:
        """The first pickle of a name."""
        wanted = _plain(name)
        return next((path for path in self.pickles() if path.stem.lower() == wanted), None)

    def find(self, name: str, kinds: Collection[Kind], *, whole: bool = False) -> Path | None:
        """The file of a name: with or without its suffix and folder, or its unique beginning.

        Args:
            name: In any case.
            kinds: That it may be of.
            whole: Whether a beginning is not enough.

        Raises:
            InputError: There are several.
            ModelError: The only one of the name is damaged.
        """
        for candidates in self._candidates(name)[: 1 if whole else 2]:
            found = [path for path in candidates if _is(path, kinds)]
            if len(found) > 1:
                names = ", ".join(str(path) for path in found[:3])
                such = ":" if len(found) <= 3 else ", such as"
                raise InputError(
                    f"{verbatim(repr(name))} may be {len(found)} files{such} {verbatim(names)}. "
                    "Give more of the name"
                )
            if found:
                return found[0]
            for path in candidates:
                read_header(path)  # raises what is wrong with a file that nobody can tell
        return None

    def other(self, name: str) -> tuple[Path, Contents] | None:
        """The first file of a name, whatever it is. Raises `ModelError` where it is damaged."""
        for path in self._candidates(name)[0]:
            return path, recognise(read_header(path))
        return None

    def _candidates(self, name: str) -> tuple[list[Path], list[Path]]:
        """The files of a name, and those whose names begin so."""
        wanted = _plain(name)
        files = {path: path.with_suffix("").as_posix().lower() for path in self.files()}
        named = [path for path, at in files.items() if f"/{at}".endswith(f"/{wanted}")]
        begun = [path for path, at in files.items() if at.rpartition("/")[2].startswith(wanted)]
        return named, begun

    def meant(self, name: str, kinds: Collection[Kind] | None = None) -> str:
        """Up to three names of files of some kinds, or of any, that are spelled nearly like one or
        have it in them, as the end of a message; empty where there are none."""
        files = {path.stem.lower(): path for path in self.files()}
        wanted = _plain(name).rpartition("/")[2]
        close = difflib.get_close_matches(wanted, files, n=9, cutoff=_CLOSE)
        close += [stem for stem in files if wanted in stem and stem not in close]
        names = [files[s].stem for s in close if kinds is None or _is(files[s], kinds)][:3]
        return f": did you mean {verbatim(' or '.join(map(repr, names)))}?" if names else ""

    def __str__(self) -> str:
        """Its folders, for a message."""
        shown = ", ".join(str(folder) for folder in self.folders[:_FOLDERS_SHOWN])
        more = len(self.folders) - _FOLDERS_SHOWN
        return verbatim(shown if more <= 0 else f"{shown} and {more} more")


def why_not_found(name: str, kinds: Collection[Kind], library: Library | None) -> str:
    """A name of which there is no file of some kinds, for "there is no LoRA ...": in quotes, with
    what it is instead, or where it was looked for and what may have been meant."""
    shown = verbatim(repr(name))
    if library is None:
        return f"{shown}: name the folder that it is in with `models`"
    if instead := _instead(name, kinds, library):
        return f"{shown}: {instead}"
    return f"{shown} in {library}{library.meant(name, kinds)}"


def check_found(field: str, name: str, kinds: Collection[Kind], library: Library | None) -> None:
    """Raises `ModelError` where what `located` gave back for a parameter is no file or folder."""
    if at_home(name).exists():
        return
    if at_home(name).is_absolute():
        raise ModelError(f"`{field}` {verbatim(name)}: there is no such file or folder")
    instead = "" if library is None else _instead(name, kinds, library)
    called = _CALLED.get(next(iter(kinds)), next(iter(kinds)))
    why = f"there is no such file, and no {called} {why_not_found(name, kinds, library)}"
    raise ModelError(f"`{field}` {verbatim(name)}: {instead or why}")


def _instead(name: str, kinds: Collection[Kind], library: Library) -> str:
    """What a file of a name is that is of other kinds, or a pickle; empty where there is none."""
    try:
        found = library.other(name)
    except ModelError as error:
        return error.message
    if found is not None and found[1].kind not in kinds:
        path, contents = found
        place = f": {BELONGS[contents.kind]}" if contents.kind in BELONGS else ""
        return f"{verbatim(path)} is {contents.what}{place}"
    if (pickle := library.pickle(name)) is not None:
        return (
            f"{verbatim(pickle)} is a pickle, which can run code when it is opened: get the same "
            "as .safetensors"
        )
    return ""


def located(name: str, kinds: Collection[Kind], library: Library | None) -> str:
    """The path of a file that is looked for by name; the name itself where it is a path already, or
    nothing is found.

    Raises:
        InputError, ModelError: As `Library.find`.
    """
    if library is None or at_home(name).exists():
        return name
    found = library.find(name, kinds) or library.find(Path(name).name, kinds)  # or it has moved
    return name if found is None else str(found)


def files_of_kind(named: NamedFiles | None, kind: Kind) -> dict[str, Path]:
    """The files of a kind, by name."""
    return {name: path for (each, name), path in (named or {}).items() if each == kind}


def _plain(name: str) -> str:
    """A name as it is compared."""
    plain = name.lower().replace("\\", "/").lstrip("./")
    for suffix in (_SUFFIX, *PICKLES):
        plain = plain.removesuffix(suffix)
    return plain


def _is(path: Path, kinds: Collection[Kind]) -> bool:
    try:
        return recognise(read_header(path)).kind in kinds
    except ModelError:
        return False


def _walk(folder: Path, seen: set[Path], suffixes: Collection[str]) -> Iterator[Path]:
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
            yield from _walk(entry, seen, suffixes)
        elif entry.suffix.lower() in suffixes:
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
            for place in filter(None, map(str.strip, places.splitlines())):
                yield Path(os.path.normpath(base / place))
