"""The LoRAs that prompts name, brought into the weights of a loaded model and out of them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import InputError, PromptError, errors_about
from ..files import at_home
from ..prompts.terms import LoraTag
from .fingerprint import FileFingerprint, Source
from .library import LORAS, Library, located, why_not_found
from .lora import Fused, Lora, Networks
from .recognise import Family


def named_loras(
    tags: Sequence[LoraTag], library: Library | None, named: Mapping[str, Path]
) -> tuple[Lora, ...]:
    """The files of LoRAs that a prompt names.

    Args:
        named: Files by name that count before those of the library.

    Raises:
        PromptError: There is none of a name.
        InputError: There are several.
        ModelError: It is damaged.
    """
    found = []
    for name, strength in tags:
        with errors_about("prompt"):
            path = named.get(name) or Path(located(str(at_home(name)), LORAS, library)).absolute()
        if not path.is_file():
            raise PromptError(f"there is no LoRA {why_not_found(name, LORAS, library)}")
        found.append(Lora(path, strength))
    return tuple(found)


class Adapters:
    """The LoRAs of a loaded model: those that it was loaded with, and those that the prompts of the
    pictures being painted ask for.

    Attributes:
        active: Those of the prompts.
    """

    def __init__(
        self,
        networks: Networks,
        family: Family | None,
        library: Library | None,
        *,
        named: Mapping[str, Path] | None = None,
        fixed_by: str | None = None,
    ) -> None:
        """Of networks that have theirs already.

        Args:
            library: Where names are looked for.
            named: Files by name that count before those of the library.
            fixed_by: The parameter that has made something else of the weights by now, if any.
        """
        self._networks, self._family, self._library = networks, family, library
        self._named, self._fixed_by = named or {}, fixed_by
        self._fused: Fused | None = None
        self._fingerprints: dict[Path, FileFingerprint] = {}
        self._paths: dict[str, Path] = {}
        self.active: tuple[Lora, ...] = ()

    def use(self, tags: Sequence[LoraTag]) -> bool:
        """Has the networks work with these and no others; says whether anything changed.

        Raises:
            PromptError, InputError: As `named_loras`; or the networks take none any more.
            ModelError: As `Fused`.
        """
        loras = self.found(tags)
        if loras == self.active:
            return False
        if self._fixed_by is not None:
            raise InputError(f"a LoRA in a prompt does not go with `{self._fixed_by}`: use `lora`")
        if self._fused is not None:
            self._fused.remove()
        self._fused, self.active = None, ()
        if loras:
            for lora in loras:
                self._fingerprint(lora.path)
            self._fused = Fused(self._networks, loras, self._family)
            self.active = loras
        return True

    def found(self, tags: Sequence[LoraTag]) -> tuple[Lora, ...]:
        """The files that these name, each looked for once. Raises as `named_loras`."""
        new = [tag for tag in tags if tag.name not in self._paths]
        for tag, lora in zip(new, named_loras(new, self._library, self._named), strict=True):
            self._paths[tag.name] = lora.path
        return tuple(Lora(self._paths[name], strength) for name, strength in tags)

    def sources(self, tags: Sequence[LoraTag]) -> list[Source]:
        """The files that these name, each once. Raises as `named_loras`."""
        loras = self.found(tags)
        pairs = zip(tags, loras, strict=True)
        found = {
            lora.path: Source("lora", tag.name, self._fingerprint(lora.path)) for tag, lora in pairs
        }
        return list(found.values())

    def check_unchanged(self) -> None:
        """Raises `ModelError` where a file that was used is not what it was."""
        for each in self._fingerprints.values():
            each.check()

    def _fingerprint(self, path: Path) -> FileFingerprint:
        return self._fingerprints.setdefault(path, FileFingerprint(path))
