"""What InvokeAI, SwarmUI, Fooocus, NovelAI and ComfyUI write into their pictures: JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from ..files import parsed
from ..prompts.foreign_syntax import (
    from_a1111,
    from_comfyui,
    from_invokeai,
    from_novelai,
    lora_named,
)
from .comfyui import graph_of, settings_of_graph
from .foreign import MODEL_HASH, ForeignSettings, text_of


def settings_in(text: Mapping[str, str]) -> ForeignSettings | None:
    """The settings that the JSON of another program holds, or ``None`` where there is none.

    Raises:
        ValueError: There is one, and it is damaged.
    """
    for key, read in _READERS:
        if key in text and (found := read(text)) is not None:
            return found
    return None


def _taken(found: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Values by our names."""
    return {ours: found[theirs] for ours, theirs in names.items() if theirs in found}


def _rest(found: Mapping[str, Any], *used: str) -> dict[str, str]:
    return {str(k): text_of(v) for k, v in found.items() if k not in used and v not in (None, "")}


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, or ``None``."""
    if not text.lstrip().startswith("{"):
        return None
    found = parsed(text)
    return found if isinstance(found, dict) else None


def _in_parameters(text: Mapping[str, str]) -> dict[str, Any] | None:
    """The JSON object where the web UI has its text, which may begin with a brace as well."""
    try:
        return _object(text["parameters"])
    except ValueError:
        return None


def _invokeai(text: Mapping[str, str]) -> ForeignSettings | None:
    found = _object(text["invokeai_metadata"]) or {}
    names = {"steps": "steps", "guidance": "cfg_scale", "seed": "seed"}
    names |= {"width": "width", "height": "height", "sampler": "scheduler"}
    used = ("positive_prompt", "negative_prompt", *names.values(), "loras")
    return ForeignSettings(
        "InvokeAI",
        _triggers(text_of(found.get("positive_prompt"))),
        _triggers(text_of(found.get("negative_prompt"))),
        reads=from_invokeai,
        values=_taken(found, names),
        start="img2img" in str(found.get("generation_mode")) or "init_image" in found,
        loras=[
            lora_named(text_of(_named(each)), each.get("weight"))
            for each in _list(found.get("loras"))
            if isinstance(each, dict)
        ],
        hashes={
            ("lora", lora_named(text_of(_named(each))).name): hashed
            for each in _list(found.get("loras"))
            if isinstance(each, dict)
            if (hashed := _hash_in(each.get("model", each.get("lora"))))
        },
        others=_rest(found, *used) | _rest({MODEL_HASH: _hash_in(found.get("model"))}),
    )


def _old_invokeai(text: Mapping[str, str]) -> ForeignSettings | None:
    found = (_object(text["sd-metadata"]) or {}).get("image")
    if not isinstance(found, dict):
        return None
    prompt = found.get("prompt")
    parts = [each.get("prompt") if isinstance(each, dict) else each for each in _list(prompt)]
    positive, _, negative = text_of(prompt if isinstance(prompt, str) else parts).partition("[")
    names = {"steps": "steps", "guidance": "cfg_scale", "seed": "seed", "sampler": "sampler"}
    names |= {"width": "width", "height": "height"}
    return ForeignSettings(
        "InvokeAI",
        positive.strip(),
        negative.strip().removesuffix("]"),
        reads=from_invokeai,
        values=_taken(found, names),
        start=found.get("type") == "img2img",
        others=_rest(found, "prompt", *names.values()),
    )


def _swarmui(text: Mapping[str, str]) -> ForeignSettings | None:
    found = (_in_parameters(text) or {}).get("sui_image_params")
    if not isinstance(found, dict):
        return None
    names = {"steps": "steps", "guidance": "cfgscale", "seed": "seed"}
    names |= {"width": "width", "height": "height", "sampler": "sampler"}
    used = ("prompt", "negativeprompt", "scheduler", "loras", "loraweights")
    return ForeignSettings(
        "SwarmUI",
        text_of(found.get("prompt")),
        text_of(found.get("negativeprompt")),
        reads=from_comfyui,
        values={"sampler": "euler"} | _taken(found, names),
        schedule=text_of(found.get("scheduler")),
        start="initimage" in found,
        loras=[
            lora_named(text_of(name), strength)
            for name, strength in zip_longest(
                _list(found.get("loras")), _list(found.get("loraweights"))
            )
            if name is not None
        ],
        others=_rest(found, *used, *names.values()),
    )


def _fooocus(text: Mapping[str, str]) -> ForeignSettings | None:
    plain = _in_parameters(text)
    if plain is None:
        return None
    found = {key.lower().replace(" ", "_"): value for key, value in plain.items()}
    names = {"steps": "steps", "guidance": "guidance_scale", "seed": "seed", "sampler": "sampler"}
    if "prompt" not in found or "guidance_scale" not in found:
        return None
    values = _taken(found, names)
    sides = re.findall(r"\d+", str(found.get("resolution")))
    if len(sides) == 2:
        values |= {"width": sides[0], "height": sides[1]}
    used = ("prompt", "negative_prompt", "resolution", "scheduler", "loras", *names.values())
    return ForeignSettings(
        "Fooocus",
        text_of(found["prompt"]),
        text_of(found.get("negative_prompt")),
        reads=from_a1111,
        values=values,
        schedule=text_of(found.get("scheduler")),
        loras=[
            lora_named(text_of(each[0]), each[1])
            for each in _list(found.get("loras"))
            if isinstance(each, list) and len(each) >= 2
        ],
        others=_rest(found, *used),
        notes=["Fooocus adds words of its styles to the prompt, which are kept and not painted"],
    )


def _novelai(text: Mapping[str, str]) -> ForeignSettings | None:
    found = _object(text["Comment"])
    if found is None or not ("uc" in found or text.get("Software") == "NovelAI"):
        return None
    names = {"steps": "steps", "guidance": "scale", "seed": "seed", "sampler": "sampler"}
    names |= {"width": "width", "height": "height"}
    used = ("prompt", "uc", "noise_schedule", *names.values())
    return ForeignSettings(
        "NovelAI",
        text_of(found.get("prompt") or text.get("Description")),
        text_of(found.get("uc")),
        reads=from_novelai,
        values=_taken(found, names),
        schedule=text_of(found.get("noise_schedule")),
        start="Img2Img" in str(found.get("request_type")),
        others=_rest(found, *used),
    )


def _comfyui(text: Mapping[str, str]) -> ForeignSettings | None:
    graph = graph_of(_object(text.get("prompt", "")), _object(text.get("workflow", "")))
    return settings_of_graph(graph) if graph else None


def _triggers(text: str) -> str:
    """InvokeAI's ``<name>`` of an embedding as ComfyUI has it."""
    return re.sub(r"<([^<>:\s]+)>", r"embedding:\1", text)


def _hash_in(about: Any) -> str:
    """The hash in InvokeAI's description of a file: a SHA-256, or a BLAKE3 with ``blake3:`` before
    it; empty for others, by which nothing is looked for here."""
    said = text_of(about.get("hash")) if isinstance(about, dict) else ""
    algorithm, _, hashed = said.partition(":")
    return {"sha256": hashed, "blake3": said}.get(algorithm, "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _named(value: Any) -> Any:
    """What a description of a network calls it."""
    while isinstance(value, dict):
        inner = (value.get(key) for key in ("lora", "model", "name", "model_name", "key"))
        value = next((each for each in inner if each), None)
    return value


_READERS: tuple[tuple[str, Callable[[Mapping[str, str]], ForeignSettings | None]], ...] = (
    ("invokeai_metadata", _invokeai),
    ("sd-metadata", _old_invokeai),
    ("parameters", _swarmui),
    ("parameters", _fooocus),
    ("Comment", _novelai),
    ("prompt", _comfyui),
    ("workflow", _comfyui),
)
