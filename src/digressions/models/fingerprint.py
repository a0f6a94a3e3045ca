"""Which weights a folder holds: their hash, and whether they are still the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from ..errors import MissingExtraError, ModelError

NETWORKS = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")
TWINS = ("*.fp16.*", "*.fp16-*", "*.non_ema.*", "*.non_ema-*")  # other copies of the same weights


class Fingerprint:
    """The weights in some folders, as they were when this was made."""

    def __init__(self, root: Path, patterns: tuple[str, ...]) -> None:
        """Notes size and time of every file of weights.

        Args:
            root: What paths are counted from.
            patterns: Of the files in it.
        """
        self._root = root
        found = {path for pattern in patterns for path in root.glob(pattern)}
        self._files = sorted(p for p in found if not any(p.match(twin) for twin in TWINS))
        self._seen = self._look()
        self._hash: str | None = None

    def hash(self) -> str:
        """SHA-256 over the weights, file by file in order of their paths: 64 hex digits.

        Only what a picture depends on counts, so that a folder and the hub id that it was copied
        from have one hash.

        Raises:
            ModelError: They have changed since this was made.
        """
        if self._hash is None:
            digest = self._digest()
            self.check()
            self._hash = digest
        return self._hash

    def check(self) -> None:
        """Raises `ModelError` where the weights are not what they were.

        Costs a look at the folder; files are read again only where their time has changed.
        """
        now = self._look()
        if now == self._seen:
            return
        if self._hash is None or None in now or self._digest() != self._hash:
            raise ModelError(
                f"the weights in {self._root} have changed since they were loaded: what is "
                "finished is kept, but other weights paint other pictures; put the old ones back, "
                "or begin again with another `output`"
            )
        self._seen = now

    def _look(self) -> list[tuple[int, int] | None]:
        return [_stamp(path) for path in self._files]

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path in self._files:
            digest.update(path.relative_to(self._root).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


class FileFingerprint(Fingerprint):
    """Of single files, as they were when this was made: the hash of one is its SHA-256, whose first
    ten digits other programs show."""

    def __init__(self, path: Path, *others: Path) -> None:
        """Notes the files' sizes and times."""
        super().__init__(path.parent, ())
        self._files = [path, *others]
        self._seen = self._look()
        self._content: str | None = None

    def _digest(self) -> str:
        found = []
        for path in self._files:
            with path.open("rb") as file:
                found.append(hashlib.file_digest(file, "sha256").hexdigest())
        return found[0] if len(found) == 1 else hashlib.sha256(":".join(found).encode()).hexdigest()

    def content_hash(self) -> str:
        """SHA-256 of the first file without its header: what kohya's scripts and A1111 call the
        hash of a LoRA, which stays when somebody edits its description.

        Raises:
            ModelError: As `hash`.
        """
        if self._content is None:
            self._content = content_hash(self._files[0])
            self.check()
        return self._content


def content_hash(path: Path) -> str:
    """SHA-256 of a safetensors file without its header: 64 hex digits."""
    with path.open("rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        return hashlib.file_digest(file, "sha256").hexdigest()


def blake3_hash(path: Path) -> str:
    """BLAKE3 of a file, by which InvokeAI knows models: 64 hex digits.

    Raises:
        MissingExtraError: blake3 is not installed.
    """
    try:
        from blake3 import blake3
    except ModuleNotFoundError as error:
        raise MissingExtraError("blake3", "invokeai") from error
    return blake3().update_mmap(path).hexdigest()


class UsedFile(NamedTuple):
    """A file that pictures are painted with.

    Attributes:
        kind: As `recognise.Kind`.
        name: As it was asked for: a path, or the name in a prompt.
        sha256: Of the file, 64 hex digits.
        content_sha256: Of a LoRA, see `content_hash`; else empty.
    """

    kind: str
    name: str
    sha256: str
    content_sha256: str = ""


class Source(NamedTuple):
    """A file that a model works with: what it is, what it was asked for by, and its fingerprint."""

    kind: str
    name: str
    fingerprint: FileFingerprint

    def used(self) -> UsedFile:
        """As pictures remember it. Raises `ModelError` where it has changed."""
        content = self.fingerprint.content_hash() if self.kind == "lora" else ""
        return UsedFile(self.kind, self.name, self.fingerprint.hash(), content)


class SettingFingerprint(Fingerprint):
    """Of what is no file and shapes pictures all the same, such as how much of a LoRA counts."""

    def __init__(self, setting: str) -> None:
        super().__init__(Path(), ())
        self._setting = setting

    def _digest(self) -> str:
        return hashlib.sha256(self._setting.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
