"""The text that A1111's web UI writes into its pictures, and much else writes like it.

    a turtle, (green:1.2)
    Negative prompt: blur
    Steps: 20, Sampler: Euler a, CFG scale: 6.5, Seed: 1234, Size: 512x768, Model: v1-5

Whole in one line, with lines after the last, or with its values quoted: it is read all the same.
"""

from __future__ import annotations

import json
import re

from ..files import parsed
from ..prompts.foreign_syntax import from_a1111
from .foreign import ForeignSettings

NEGATIVE = "Negative prompt:"
_START = re.compile(r"Steps: *\d+ *(,|$)", re.MULTILINE)
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')  # as the web UI itself
_AUTOMATIC = {"DPM++ 2M": "Karras", "DPM++ SDE": "Karras", "DPM++ 2M SDE": "Exponential"}
MOST_SKIPPED = 12  # layers: more has no text encoder of that program
_HASHES = {"lora": "Lora hashes", "embedding": "TI hashes"}
_HASH = re.compile(r"[0-9a-fA-F]{8,64}")
_USED = (
    "Clip skip",
    "Steps",
    "Sampler",
    "CFG scale",
    "Seed",
    "Size",
    "Schedule type",
    "Negative prompt",
)
_NAMES = {"steps": "Steps", "sampler": "Sampler", "guidance": "CFG scale", "seed": "Seed"}


def settings_of(text: str) -> tuple[ForeignSettings, dict[str, str]] | None:
    """What a text says, and its pairs; ``None`` where it has no parameters in it."""
    text = text.replace("\r\n", "\n").rstrip()
    start = _parameters(text)
    if start is None:
        return None
    words, (line, _, after) = text[:start], text[start:].partition("\n")
    pairs = {key: _unquoted(value) for key, value in _PAIR.findall(line)}
    prompt, negative = _split(words)
    others = {key: value for key, value in pairs.items() if key not in _USED}
    if after.strip():
        others["Lines after"] = after.strip()
    found = ForeignSettings(
        _program(pairs.get("Version", "")),
        prompt,
        negative,
        reads=from_a1111,
        values={ours: pairs[theirs] for ours, theirs in _NAMES.items() if theirs in pairs},
        schedule=_schedule(pairs),
        start="Denoising strength" in pairs and "Hires upscale" not in pairs,
        others=others,
    )
    if "Size" in pairs:
        width, _, height = pairs["Size"].partition("x")
        found.values |= {"width": width, "height": height}
    if "Hires upscale" in pairs:
        found.notes.append("it was enlarged while it was painted (hires fix), which is left out")
    for kind, key in _HASHES.items():
        for each in pairs.get(key, "").split(","):
            name, _, hashed = each.rpartition(":")
            if name.strip() and _HASH.fullmatch(hashed.strip()):
                found.hashes[kind, name.strip()] = hashed.strip().lower()
                others.pop(key, None)
    skipped = pairs.get("Clip skip", "")
    if skipped.isdecimal() and 1 < int(skipped) <= MOST_SKIPPED:
        found.clip_skip = int(skipped)
    return found, pairs


def pairs_line(pairs: dict[str, object]) -> str:
    """Pairs as they stand in the last line; those that are ``None`` are left out."""
    return ", ".join(f"{key}: {value}" for key, value in pairs.items() if value is not None)


def quoted(value: str) -> str:
    """A value as it stands among pairs."""
    return json.dumps(value) if any(mark in value for mark in ',:\n"') else value


def _program(version: str) -> str:
    """Who wrote pairs: the web UI and Forge write numbers, others their names."""
    if re.match(r"f\d", version):
        return f"Forge {version[1:]}"
    return f"A1111 {version}" if re.match(r"v?\d", version) else version or "another program"


def _parameters(text: str) -> int | None:
    """Where the parameters begin: the last line that does, or, in one line, the last place."""
    places = [found.start() for found in _START.finditer(text)]
    at_line = [place for place in places if place == 0 or text[place - 1] == "\n"]
    if at_line:
        return at_line[-1]
    inside = [place for place in places if text[place - 1].isspace()]
    return inside[-1] if inside and "\n" not in text[: inside[-1]] else None


def _split(words: str) -> tuple[str, str]:
    """Prompt and negative prompt: on lines of their own, or in one line."""
    lines = words.removesuffix("\n").split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith(NEGATIVE)), None)
    if start is not None:
        negative = "\n".join(lines[start:]).removeprefix(NEGATIVE).removeprefix(" ")
        return "\n".join(lines[:start]), negative
    if words.endswith("\n") or not words:
        return "\n".join(lines), ""
    prompt, _, negative = words.strip().partition(f" {NEGATIVE}")  # all in one line
    return prompt, negative.strip()


def _schedule(pairs: dict[str, str]) -> str:
    """How the noise levels were spread, where a pair says so."""
    schedule = pairs.get("Schedule type", "")
    if schedule == "Automatic":  # the web UI's choice, by sampler
        return _AUTOMATIC.get(pairs.get("Sampler", ""), "")
    return schedule


def _unquoted(value: str) -> str:
    try:
        return str(parsed(value)) if value.startswith('"') else value.strip()
    except ValueError:
        return value
