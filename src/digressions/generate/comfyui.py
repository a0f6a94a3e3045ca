"""What a ComfyUI graph says of a picture: from the sampler along its links to texts and numbers.

A graph is a mapping of node numbers to ``{"class_type": ..., "inputs": {...}}``; an input is a
value or a link, ``[node, output]``. A saved workflow, in the form of the editor, is brought to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from ..prompts.foreign_syntax import from_comfyui, lora_named
from ..prompts.terms import LoraTag
from .foreign import ForeignSettings, text_of

Node: TypeAlias = dict[str, Any]
Graph: TypeAlias = dict[str, Node]

_WIDGETS = {
    "KSampler": "seed - steps cfg sampler_name scheduler denoise",
    "KSamplerAdvanced": "add_noise noise_seed - steps cfg sampler_name scheduler",
    "CLIPTextEncode": "text",
    "EmptyLatentImage": "width height batch_size",
    "EmptySD3LatentImage": "width height batch_size",
    "LoraLoader": "lora_name strength_model strength_clip",
    "LoraLoaderModelOnly": "lora_name strength_model",
    "CheckpointLoaderSimple": "ckpt_name",
    "RandomNoise": "noise_seed -",
    "KSamplerSelect": "sampler_name",
    "BasicScheduler": "scheduler steps denoise",
    "CFGGuider": "cfg",
    "FluxGuidance": "guidance",
}
"""The values of a node of the editor, in their order; ``-`` is one that a graph does not have."""

_TEXTS = ("text", "text_g", "t5xxl", "clip_l", "text_l", "prompt", "string", "value", "text1")
_CONDITIONS = (
    *("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from"),
    *("conditioning1", "conditioning2"),
)
_LATENTS = ("latent_image", "latent", "samples", "latents", "pixels", "image", "images")
_NUMBERS = {
    "seed": ("seed", "noise_seed"),
    "steps": ("steps",),
    "guidance": ("cfg",),
    "sampler": ("sampler_name",),
    "schedule": ("scheduler",),
    "denoise": ("denoise",),
}
_HELD = ("noise", "sampler", "sigmas", "guider", "basic_pipe", "pipe", "sdxl_tuple", "context")
"""Inputs behind which a sampler keeps its settings."""


def graph_of(prompt: dict[str, Any] | None, workflow: dict[str, Any] | None) -> Graph | None:
    """The graph that was run, or, if only the editor's form is there, that."""
    if prompt is not None:
        nodes = {key: node for key, node in prompt.items() if _is_node(node)}
        return nodes or None
    return _from_editor(workflow) if workflow else None


def settings_of_graph(graph: Graph) -> ForeignSettings | None:
    """What is read of a graph; ``None`` where nothing in it samples."""
    samplers = [key for key, node in graph.items() if _samples(graph, node)]
    if not samplers:
        return None
    first = min(samplers, key=lambda key: len(_behind(graph, key, samplers)))
    reading = _Reading(graph)
    values = {name: reading.value(first, keys) for name, keys in _NUMBERS.items()}
    width, height = reading.size(first)
    values |= {"width": width, "height": height}
    denoise = values.pop("denoise")
    if values["guidance"] is None:  # a guider of one condition has no scale
        values["guidance"] = 1.0
    notes = []
    if len(samplers) > 1:
        notes.append(f"ComfyUI sampled it {len(samplers)} times: the first is read")
    texts = {role: reading.texts(first, role) for role in ("positive", "negative")}
    if any(len(each) > 1 for each in texts.values()):
        notes.append("ComfyUI combined several texts: they are read as one")
    started = isinstance(denoise, (int, float)) and denoise < 1 and reading.loads(first)
    schedule = text_of(values.pop("schedule"))
    classes = sorted({str(node["class_type"]) for node in graph.values()})
    return ForeignSettings(
        "ComfyUI",
        ", ".join(texts["positive"]),
        ", ".join(texts["negative"]),
        reads=from_comfyui,
        values={name: value for name, value in values.items() if value is not None},
        schedule=schedule,
        start=started,
        loras=_loras(graph),
        others={
            "model": ", ".join(
                text_of(n["inputs"]["ckpt_name"]) for n in _with(graph, "ckpt_name")
            ),
            "nodes": ", ".join(classes),
        },
        notes=notes,
    )


class _Reading:
    """Walks along the links of one graph; each node is visited once on a walk, so it ends."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def target(self, link: Any) -> str | None:
        """The node that an input leads to, or ``None`` where it is a value."""
        linked = isinstance(link, list) and len(link) == 2
        key = str(link[0]) if linked else ""
        return key if key in self.graph else None

    def inputs(self, key: str) -> dict[str, Any]:
        inputs: dict[str, Any] = self.graph[key]["inputs"]
        return inputs

    def walk(self, key: str, names: tuple[str, ...]) -> Iterator[str]:
        """A node and those behind some of its inputs, the nearest first."""
        left, seen = [key], set()
        while left:
            here = left.pop(0)
            if here in seen:
                continue
            seen.add(here)
            yield here
            inputs = self.inputs(here)
            found = (self.target(inputs[name]) for name in names if name in inputs)
            left += [each for each in found if each is not None]

    def plain(self, value: Any) -> Any:
        """A value, or that of the node that a link leads to."""
        seen: set[str] = set()
        while (key := self.target(value)) is not None and key not in seen:
            seen.add(key)
            inputs = self.inputs(key)
            wanted = [*_TEXTS, *_NUMBERS["seed"], "number", "int", "float"]
            value = next((inputs[name] for name in wanted if name in inputs), None)
        return None if isinstance(value, (list, dict)) else value

    def value(self, sampler: str, names: tuple[str, ...]) -> Any:
        """One of a sampler's settings, its own or behind what it is given."""
        for key in self.walk(sampler, _HELD):
            for name in names:
                if (found := self.plain(self.inputs(key).get(name))) is not None:
                    return found
        return None

    def texts(self, sampler: str, role: str) -> list[str]:
        """The texts of a sampler's positive or negative condition."""
        found: list[str] = []
        roots = [key for key in self.walk(sampler, _HELD) if role in self.inputs(key)]
        if not roots and role == "positive":  # a guider of one condition
            roots = [k for k in self.walk(sampler, _HELD) if "conditioning" in self.inputs(k)]
        ways = (role, *_CONDITIONS)
        for root in roots[:1]:
            for key in self.walk(root, ways):
                text = self.own_text(key) if key != root else None
                if text and text not in found:
                    found.append(text)
        return found

    def own_text(self, key: str) -> str | None:
        inputs = self.inputs(key)
        texts = (self.plain(inputs[name]) for name in _TEXTS if name in inputs)
        return next((text for text in texts if isinstance(text, str) and text.strip()), None)

    def size(self, sampler: str) -> tuple[Any, Any]:
        """Width and height of the latents that a sampler starts from."""
        for key in self.walk(sampler, _LATENTS):
            inputs = self.inputs(key)
            if "width" in inputs and "height" in inputs:
                return self.plain(inputs["width"]), self.plain(inputs["height"])
        return None, None

    def loads(self, sampler: str) -> bool:
        """Whether a sampler's latents come of a picture that was loaded."""
        keys = self.walk(sampler, _LATENTS)
        return any("LoadImage" in str(self.graph[key]["class_type"]) for key in keys)


def _behind(graph: Graph, key: str, samplers: list[str]) -> list[str]:
    """The samplers whose latents one goes on from."""
    return [k for k in _Reading(graph).walk(key, _LATENTS) if k in samplers and k != key]


def _samples(graph: Graph, node: Node) -> bool:
    inputs = node["inputs"]
    whole = {"positive", "steps"} <= inputs.keys() and inputs.keys() & {"seed", "noise_seed"}
    return bool(whole) or {"guider", "sigmas"} <= inputs.keys()


def _loras(graph: Graph) -> list[LoraTag]:
    """The LoRAs of a graph: one a node, or several where each is a group of its own (as in
    rgthree's loader)."""
    found = []
    for node in graph.values():
        inputs = node["inputs"]
        rows = [each for each in inputs.values() if isinstance(each, dict)]
        named = [(row.get("lora"), row.get("strength")) for row in rows if row.get("on", True)]
        named.append((inputs.get("lora_name"), inputs.get("strength_model")))
        found += [
            lora_named(name, strength)
            for name, strength in named
            if isinstance(name, str) and name not in ("", "None")
        ]
    return found


def _with(graph: Graph, name: str) -> list[Node]:
    return [node for node in graph.values() if isinstance(node["inputs"].get(name), str)]


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and "class_type" in node and isinstance(node.get("inputs"), dict)


def _from_editor(workflow: Mapping[str, Any]) -> Graph | None:
    """The graph of the editor's form: nodes with values in their order, and a list of links."""
    nodes, links = workflow.get("nodes"), workflow.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list):
        return None
    sources = {
        link[0]: [str(link[1]), link[2]]
        for link in links
        if isinstance(link, list) and len(link) >= 5 and isinstance(link[0], int)
    }
    graph: Graph = {}
    for node in nodes:
        if not isinstance(node, dict) or node.get("mode") in (2, 4):  # muted, bypassed
            continue
        kind, values = str(node.get("type")), node.get("widgets_values")
        names = _WIDGETS.get(kind, "").split()
        listed = values if isinstance(values, list) else []
        inputs: dict[str, Any] = dict(zip(names, listed, strict=False))
        inputs |= values if isinstance(values, dict) else {}
        slots = node.get("inputs")
        for slot in slots if isinstance(slots, list) else []:
            if isinstance(slot, dict) and isinstance(slot.get("link"), int):
                inputs[str(slot.get("name"))] = sources.get(slot["link"])
        graph[str(node.get("id"))] = {"class_type": kind, "inputs": inputs}
    return graph or None
