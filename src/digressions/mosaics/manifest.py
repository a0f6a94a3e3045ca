"""`manifest.json`: whose a folder is, and what came of it.

It is written before anything else, so that a folder is never claimed twice.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import OutputError
from ..jsontext import parsed
from ..output import writing


def read_manifest(folder: Path, kind: str = "mosaic") -> dict[str, object] | None:
    """The manifest of a folder of a kind, or ``None`` where there is none.

    Raises:
        OutputError: The folder holds something else.
    """
    path = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is no folder: choose another -o")
    if not path.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder} holds other files and no {kind}: choose another -o")
        return None
    try:
        manifest = parsed(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read: {error}") from error
    ours = isinstance(manifest, dict) and "job" in manifest
    if not ours or manifest.get("kind") != f"digressions {kind}":
        raise OutputError(f"{path} is not the manifest of a {kind}: choose another -o")
    return manifest


def write_manifest(folder: Path, manifest: dict[str, object]) -> None:
    """Writes the manifest of a folder, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    path = folder / "manifest.json"
    with writing(path):
        beside = path.with_suffix(".json.part")
        beside.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        beside.replace(path)


def difference(found: dict[str, object], wanted: dict[str, object]) -> str:
    """The first setting in which two manifests' jobs differ, in words."""
    old, new = _flat(found.get("job")), _flat(wanted["job"])
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            return f"its {key.replace('.', ' ')} is {old.get(key)!r}, not {new.get(key)!r}"
    return "it differs"


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
