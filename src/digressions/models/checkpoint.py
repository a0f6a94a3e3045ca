"""Reading a checkpoint folder in diffusers layout: the only file that knows diffusers and
transformers.

A folder is taken as it is: the configs of its networks are checked before anything is built of
them, and its parts are loaded from safetensors. Pickles are refused, because a pickle can run code.
What the parts mean is up to the family of the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError, verbatim
from ..files import at_home, parsed, reading_foreign
from ..prompts.vocabulary import Vocabulary
from .base import Defaults
from .fingerprint import NETWORKS, TWINS, Fingerprint

MOST_LAYERS = 1000
_MOST = 2**31  # of any whole number


def check_network(config: dict[str, Any], path: Path) -> None:
    """Refuses sizes so large that building the network would use up the memory.

    Raises:
        ModelError: More than `MOST_LAYERS` layers or blocks, or a number past all sizes.
    """
    for name, value in config.items():
        layers = "layers" in name or name.endswith("_blocks")
        for number in _whole_numbers(value):
            if abs(number) > (MOST_LAYERS if layers else _MOST):
                raise ModelError(f"{verbatim(path)}: {name} is larger than any network's")


def _whole_numbers(value: Any) -> list[int]:
    if isinstance(value, list):
        return [number for each in value for number in _whole_numbers(each)]
    return [value] if isinstance(value, int) else []


BUNDLED = "bundled"
_WEIGHTS = Path(__file__).parents[1] / "weights"
_PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")


class Checkpoint:
    """A folder in diffusers layout, opened.

    Attributes:
        folder: Where its files are.
        family: The pipeline that its index names, such as ``"StableDiffusionPipeline"``.
        fingerprint: Of its weights.
    """

    def __init__(self, name: str) -> None:
        """Opens the bundled model, a folder, or a hub id, which is fetched (see `find`).

        Raises:
            ModelError: No such checkpoint, or one without an index.
        """
        self.folder = find(name)
        self._index = _read_json(self.folder, "model_index.json")
        self.family = str(self._index.get("_class_name"))
        weights = tuple(f"{name}/*.safetensors" for name in NETWORKS)
        self.fingerprint = Fingerprint(self.folder, weights)

    def network(self, name: str, dtype: torch.dtype) -> Any:
        """A part with weights: ``"unet"``, ``"vae"``. Raises `ModelError`."""
        return _component(self.folder, self._index, name, dtype)

    def config(self, name: str, file: str = "config.json") -> dict[str, Any]:
        """What the config of a part says. Raises `ModelError`."""
        return _read_json(self.folder, f"{name}/{file}")

    def tokenizers(self) -> list[Any]:
        """One, or several such as the two of SDXL."""
        return [_component(self.folder, self._index, name, None) for name in self._texts()]

    def text_encoders(self, dtype: torch.dtype) -> list[Any]:
        """As many as tokenizers, in the same order."""
        names = [name.replace("tokenizer", "text_encoder") for name in self._texts()]
        return [_component(self.folder, self._index, name, dtype) for name in names]

    def _texts(self) -> list[str]:
        absent = (None, [None, None])
        names = ("tokenizer", "tokenizer_2", "tokenizer_3")
        return [n for n in names if self._index.get(n) not in absent]

    @property
    def zero_empty(self) -> bool:
        """Whether an empty prompt is all zeros, as SDXL wants it."""
        return bool(self._index.get("force_zeros_for_empty_prompt", False))

    def defaults(self) -> Defaults | None:
        """What its own ``digressions.json`` says, if it has one. Raises `ModelError`."""
        path = self.folder / "digressions.json"
        if not path.is_file():
            return None
        try:
            return Defaults(**_read_json(self.folder, path.name))
        except TypeError as error:
            raise ModelError(
                f"{verbatim(path)} has a setting that is not known here: {error}"
            ) from error

    def vocabulary(self) -> Vocabulary | None:
        """The words of its ``vocabulary.txt`` and, where it has one, the things of its
        ``things.txt``; ``None`` where it has no vocabulary, and may know any word."""
        captions, things = self._lines("vocabulary.txt"), self._lines("things.txt")
        return None if captions is None else Vocabulary(captions, things or ())

    def _lines(self, name: str) -> list[str] | None:
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            return path.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise ModelError(f"{verbatim(path)} cannot be read: {error}") from error


def autoencoder_folder(folder: Path, dtype: torch.dtype) -> Any:
    """An autoencoder of its own folder in diffusers layout, of full size or tiny (TAESD,
    https://github.com/madebyollin/taesd).

    Raises:
        ModelError: There is none in it.
    """
    if not folder.is_dir():
        raise ModelError(f"`vae` {verbatim(folder)}: there is no such file or folder")
    kind = _read_json(folder, "config.json").get("_class_name")
    if kind not in ("AutoencoderKL", "AutoencoderTiny"):
        raise ModelError(
            f"`vae` {verbatim(folder)} holds a {kind}: give the folder of an autoencoder"
        )
    return _component(folder.parent, {folder.name: ["diffusers", kind]}, folder.name, dtype)


def find(name: str) -> Path:
    """The folder that holds a model's files; fetches a hub id.

    Raises:
        ModelError: There is none, or the hub cannot be reached.
    """
    if name == BUNDLED:
        return _WEIGHTS
    path = at_home(name)
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            _refuse_pickles(path)
            raise ModelError(
                f"{verbatim(name)} has no model_index.json: give a folder in diffusers layout"
            )
        return path
    if path.is_file():
        raise ModelError(
            f"{verbatim(name)} is a single file, but no .safetensors: give one, or a folder in "
            "diffusers layout (diffusers' from_single_file(...).save_pretrained makes one)"
        )
    if not may_be_hub_id(name):
        raise ModelError(
            f"unknown model {verbatim(repr(name))}: give {BUNDLED!r}, a .safetensors file, a "
            "folder in diffusers layout, a hub id like owner/model, or a name in the folder of "
            "`models`",
            field="model",
        )
    return _fetch(name)


def may_be_hub_id(name: str) -> bool:
    """Whether a name looks like ``owner/model``."""
    return name.count("/") == 1 and not name.startswith(("/", ".", "~"))


def _fetch(name: str) -> Path:
    """Only what is read here is fetched: a repository often holds the same weights many times."""
    from huggingface_hub import snapshot_download

    wanted = ["model_index.json", "digressions.json", "vocabulary.txt", "things.txt"]
    wanted += ["scheduler/*.json", "tokenizer*/*.json", "tokenizer*/*.txt"]
    wanted += [f"{part}/*.{kind}" for part in NETWORKS for kind in ("json", "safetensors")]
    try:
        folder = Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=list(TWINS)))
    except Exception as error:  # the hub's client raises its own, its transport's and the system's
        raise ModelError(
            f"model {verbatim(repr(name))} cannot be fetched: {_why_not(error)}"
        ) from error
    if not (folder / "model_index.json").is_file():
        raise ModelError(
            f"model {verbatim(repr(name))} has no model_index.json: it is not in diffusers layout"
        )
    if not any(folder.glob("*/*.safetensors")):
        raise ModelError(
            f"model {verbatim(repr(name))} has no safetensors weights in full precision on the "
            "hub; pickles are not read, because a pickle can run code"
        )
    return folder


def _why_not(error: Exception) -> str:
    """What kept a model from being fetched, in one line."""
    from huggingface_hub import errors

    match error:
        case errors.HFValidationError():
            return "that is no hub id: give owner/model"
        case errors.GatedRepoError():
            return "its terms must be accepted on the hub first, and a token given in HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return "the hub has no such model, or it is private"
        case errors.LocalEntryNotFoundError():
            return "the hub cannot be reached, and its cache does not hold the whole model"
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"the download broke off ({reason}): run it again to go on"


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise ModelError(
            f"the checkpoint {verbatim(folder)} has no {name}: a part of it is missing"
        )
    try:
        value = parsed(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{verbatim(path)} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{verbatim(path)} is not a JSON object")
    return value


def _component(folder: Path, index: dict[str, Any], name: str, dtype: torch.dtype | None) -> Any:
    import diffusers
    import transformers

    entry = index.get(name)
    libraries = {"diffusers": diffusers, "transformers": transformers}
    if not isinstance(entry, list) or len(entry) != 2 or str(entry[0]) not in libraries:
        raise ModelError(
            f"the checkpoint {verbatim(folder)} has no usable {name} in its model_index.json"
        )
    part = folder / name
    if not part.is_dir():
        raise ModelError(
            f"the checkpoint {verbatim(folder)} has no folder {name}: a part of it is missing"
        )
    kind = getattr(libraries[entry[0]], str(entry[1]), None)
    if kind is None:
        raise ModelError(
            f"the {name} of {verbatim(folder)} is a {entry[1]}, which is not known here"
        )
    options: dict[str, Any] = {"local_files_only": True}
    if dtype is not None:
        check_network(_read_json(folder, f"{name}/config.json"), part / "config.json")
        if not any(part.glob("*.safetensors")):
            _refuse_pickles(part)
            raise ModelError(f"{part} holds no weights (*.safetensors): a part of it is missing")
        options |= {"use_safetensors": True}
        options |= {"torch_dtype" if entry[0] == "diffusers" else "dtype": dtype}
    refused = f"the {name} of {verbatim(folder)} cannot be loaded"
    with reading_foreign(lambda why: ModelError(f"{refused}: {why}")), _quiet():
        loaded = kind.from_pretrained(part, **options)
    return loaded.eval().requires_grad_(False) if dtype is not None else loaded


def _refuse_pickles(folder: Path) -> None:
    for pattern in _PICKLES:
        for path in folder.glob(pattern):
            raise ModelError(
                f"{verbatim(path)} is a pickle, which can run code when it is opened: "
                "only safetensors weights are read; convert it first"
            )


class _quiet:  # noqa: N801 - used like a function
    """Silences the libraries while they load: their advice is meant for their own callers."""

    def __enter__(self) -> None:
        import diffusers.utils.logging
        import transformers.utils.logging

        self._loggers = [diffusers.utils.logging, transformers.utils.logging]
        self._before = [(v.get_verbosity(), v.is_progress_bar_enabled()) for v in self._loggers]
        for logger in self._loggers:
            logger.set_verbosity_error()
            logger.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        for logger, (level, bar) in zip(self._loggers, self._before, strict=True):
            logger.set_verbosity(level)
            if bar:
                logger.enable_progress_bar()
