"""The rows of prompts of the tab Ensemble: each with its weight, range of the steps and area."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import gradio as gr
import numpy as np
from pydantic import create_model

from ...ensembles.ensemble_spec import EnsembleSpec
from ...errors import DigressionsError, InputError, PromptError
from ...generate.declare import Params, option
from ...generate.params import GenerationParams
from ...geometry import Size
from ...images.brush import brushed_apart, kept_mask
from ...prompts.parse import parse
from ...prompts.templates import combine_prompts
from ..brushing import CANVAS, brush
from ..endpoints import PRIVATE
from ..forms import Form

ROWS = 6
_SHOWN = 2  # at first
COLOURS = ("#12a594", "#e5484d", "#6e56cf", "#d98a00", "#0b84d8", "#4d7c0f")
"""Of the prompts, wherever one is shown."""
_PAPER = 236  # grey level of what it paints on
_SHAPING = ("size", "image", "fit", "mask")
"""The parameters that the proportions of a picture come from."""
_Area = Literal["all", "left", "right", "top", "bottom", "middle"]


def _row(number: int) -> dict[str, Any]:
    return {
        f"prompt_{number}": (str, option("", "")),
        f"weight_{number}": (float, option(1.0, "")),
        f"from_{number}": (float, option(0.0, "")),
        f"until_{number}": (float, option(1.0, "")),
        f"area_{number}": (_Area, option("all", "")),
    }


_fields: dict[str, Any] = {
    name: field for n in range(1, ROWS + 1) for name, field in _row(n).items()
}
RowsSpec: type[Params] = create_model("RowsSpec", __base__=Params, **_fields)
"""What stands in the rows; what its fields mean is said once, above them."""
EnsemblePage: type[EnsembleSpec] = create_model(
    "EnsemblePage", __base__=EnsembleSpec, rows=(RowsSpec, RowsSpec())
)
"""The fields of the page: the rows, and what an `EnsembleSpec` has besides prompts."""

_HELP = """<p class="help">Every prompt is in the whole picture, unless it has an <b>area</b>.
<b>Weight</b> is how strongly it counts; below 0 leads away from it. <b>From</b> and <b>until</b>
are shares of the steps, 0 to 1: the first decide the shape, the last the surface.</p>"""


def add_rows(form: Form) -> Any:
    """Puts the rows on the page, and the brush of their areas, which is given back."""
    gr.HTML(_HELP, container=False, elem_id="ensemble-help")
    groups = [_add_row(form, number) for number in range(1, ROWS + 1)]
    more = gr.Button("Add a prompt", size="sm", elem_id="ensemble-more")
    count = gr.State(_SHOWN)
    later = groups[_SHOWN:]

    def add(shown: int) -> list[Any]:
        shown += 1
        return [shown, gr.update(interactive=shown < ROWS), *_shown(later, shown)]

    more.click(add, count, [count, more, *later], queue=False, **PRIVATE)
    for number, group in enumerate(later, _SHOWN + 1):  # where an address has it, or a tab sends it
        form.fields[f"prompt_{number}"].change(
            lambda text, shown, number=number: (
                [gr.update(visible=True), max(shown, number)] if text else [gr.skip(), gr.skip()]
            ),
            [form.fields[f"prompt_{number}"], count],
            [group, count],
            queue=False,
            **PRIVATE,
        )
    with gr.Accordion("Paint the areas by hand", open=False, elem_classes=["fold"]):
        gr.HTML(_legend(), container=False)
        areas = brush(
            *("Areas", "ensemble-brush"), value=blank_canvas({}), colours=COLOURS, width=60
        )
        form.add("region_softness")
    return areas


def blank_canvas(given: Mapping[str, Any]) -> np.ndarray:
    """What areas are painted on, in the proportions of the picture that is asked for: plain grey,
    as without a picture the brush would not paint."""
    width, height = _proportions(given)
    scale = CANVAS / max(width, height)
    shape = (max(1, round(height * scale)), max(1, round(width * scale)), 3)
    return np.full(shape, _PAPER, np.uint8)


def _as_painted(size: Size) -> Size:
    """A size in its proportions, at least as large as what is painted on."""
    scale = max(1, math.ceil(CANVAS / max(size)))
    return Size(size.width * scale, size.height * scale)


def keep_proportions(form: Form, areas: Any) -> None:
    """Has the brush take the proportions of the picture, and what is painted with it."""
    fields = [form.fields[name] for name in _SHAPING]

    def fit(*values: Any) -> Any:
        *shown, painted = values
        return fitted(dict(zip(_SHAPING, shown, strict=True)), painted)

    def fit_blank(*values: Any) -> Any:
        painted = values[-1]
        return gr.skip() if painted and _is_painted(painted) else fit(*values)

    size, *others = fields
    settled = [size.blur, size.submit, *(each.change for each in others)]
    gr.on(settled, fit, [*fields, areas], areas, **PRIVATE)
    # A size that is half typed would squeeze what is painted.
    size.change(fit_blank, [*fields, areas], areas, trigger_mode="always_last", **PRIVATE)


def fitted(given: Mapping[str, Any], painted: Mapping[str, Any] | None) -> Any:
    """An update of the brush to the proportions of a picture; none where it has them, or where
    they cannot be read, which the job says at their field."""
    try:
        blank = blank_canvas({name: each for name, each in given.items() if each})
    except DigressionsError:
        return gr.skip()
    before = None if not painted else painted.get("background")
    if before is not None and before.shape[:2] == blank.shape[:2]:
        return gr.skip()
    if not painted or not _is_painted(painted):
        return gr.update(value=blank)
    layers = [_stretched(layer, *blank.shape[:2]) for layer in painted["layers"]]
    return gr.update(value={"background": blank, "layers": layers, "composite": None})


def _stretched(layer: np.ndarray, height: int, width: int) -> np.ndarray:
    """A layer in another size, its colours as they are."""
    rows = np.arange(height) * layer.shape[0] // height
    return layer[rows][:, np.arange(width) * layer.shape[1] // width]


def _is_painted(painted: Mapping[str, Any]) -> bool:
    return any(layer[..., 3].any() for layer in painted["layers"])


def _shown(later: Sequence[Any], shown: int) -> list[Any]:
    return [gr.update(visible=number < shown) for number in range(_SHOWN, _SHOWN + len(later))]


def _add_row(form: Form, number: int) -> Any:
    look = ["prompt-row", f"colour-{number}"]
    with gr.Column(
        elem_classes=look, visible=number <= _SHOWN, elem_id=f"ensemble-row-{number}"
    ) as it:
        examples = ("photo of a frog", "photo of a fox")
        hint = examples[number - 1] if number <= len(examples) else ""
        form.add(f"prompt_{number}", lines=1, placeholder=hint)
        with gr.Row(elem_classes=["numbers"]):
            form.add(f"weight_{number}", step=0.1, min_width=64)
            form.add(f"from_{number}", f"until_{number}", step=0.05, min_width=64)
            form.add(f"area_{number}", min_width=96, filterable=False)
    return it


def _legend() -> str:
    names = "".join(
        f'<li class="colour-{number}">Prompt {number}</li>' for number in range(1, ROWS + 1)
    )
    return f'{_PAINTING}<ul class="legend">{names}</ul>'


_PAINTING = """<p class="help">Paint where each prompt counts, in its colour: the palette beside the
canvas has them. The canvas is the whole picture. A prompt without a painted area counts where its
row says.</p>"""


def spec_of_rows(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an `EnsembleSpec` out of those of an `EnsemblePage`.

    Raises:
        InputError: What a row has cannot be used; it names the row's field.
    """
    rows = RowsSpec.of(**{name: each for name, each in given.items() if name in _fields})
    spec = {name: each for name, each in given.items() if name not in _fields}
    used = rows_used(given)
    prompts, weights, areas = [], [], []
    for number in used:
        own = [getattr(rows, f"{name}_{number}") for name in ("prompt", "weight", "from", "until")]
        prompts.append(_checked(number, *own))
        weights.append(own[1])
        areas.append(str(getattr(rows, f"area_{number}")))
    spec["prompts"] = prompts
    if any(weight != 1 for weight in weights):
        spec["weights"] = weights
    if any(area != "all" for area in areas):
        spec["region"] = areas
    if not used:
        raise InputError("`prompt_1` is empty: say what to paint", field="prompt_1")
    try:
        EnsembleSpec.of(**spec)
    except InputError as error:
        raise at_its_row(error, used) from None
    return spec


def rows_of_settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an `EnsemblePage` out of the parameters of a painted picture. An area that was
    painted by hand is not among them.

    Raises:
        InputError: It has more prompts than there are rows.
    """
    terms = parse(asked["prompt"]).terms
    if len(terms) > ROWS:
        raise InputError(f"it has {len(terms)} prompts, and here is room for {ROWS}")
    found = {name: each for name, each in asked.items() if name not in ("prompt", "region")}
    regions = asked.get("region") or ["all"] * len(terms)
    for number, (term, region) in enumerate(zip(terms, regions, strict=True), 1):
        found[f"prompt_{number}"] = str(dataclasses.replace(term, weight=1.0, start=0.0, end=1.0))
        found[f"weight_{number}"] = term.weight
        found[f"from_{number}"], found[f"until_{number}"] = term.start, term.end
        found[f"area_{number}"] = region if region in get_args(_Area) else "all"
    return found


def rows_used(given: Mapping[str, Any]) -> list[int]:
    """The numbers of the rows that have a prompt."""
    return [number for number in range(1, ROWS + 1) if given.get(f"prompt_{number}")]


def at_its_row(error: InputError, used: Sequence[int]) -> InputError:
    """An error about all prompts at the field of the row that it is about, as far as that is
    known."""
    first = used[0] if used else 1
    free = next((number for number in range(1, ROWS + 1) if number not in used), ROWS)
    prompt = f"prompt_{first if len(used) > 1 else free}"
    place = {
        "prompt": prompt,
        "prompts": prompt,
        "weights": f"weight_{first}",
        "region": f"area_{first}",
    }.get(error.field or "")
    return error if place is None else InputError(error.message, field=place)


def _checked(number: int, prompt: str, weight: float, start: float, until: float) -> str:
    """A prompt as the spec takes it, its range of the steps in it."""
    for field, more in (
        ("prompt", {}),
        ("weight", {"weights": [weight]}),
        ("from", {"ranges": [(start, until)]}),
    ):
        try:
            found = combine_prompts([prompt], **more)
        except PromptError as error:
            told = error.message.removeprefix("prompt 1: ")
            raise InputError(told, field=f"{field}_{number}") from None
    return prompt if (start, until) == (0, 1) else str(found)


def painted_areas(
    spec: Mapping[str, Any], used: Sequence[int], layers: Sequence[np.ndarray], folder: Path
) -> list[str] | None:
    """The regions of a spec with those that were painted by hand, as files in a folder; ``None``
    where nothing was painted in the colour of a prompt.

    Args:
        used: The rows of its prompts.
        layers: Of the brush.
    """
    colours = [_rgb(COLOURS[number - 1]) for number in range(1, ROWS + 1)]
    masks = brushed_apart(layers, colours, _as_painted(_proportions(spec)))
    painted = [masks[number - 1] for number in used]
    if all(mask is None for mask in painted):
        return None
    named = spec.get("region") or ["all"] * len(used)
    return [
        area if mask is None else str(kept_mask(mask, folder))
        for area, mask in zip(named, painted, strict=True)
    ]


def _proportions(spec: Mapping[str, Any]) -> Size:
    """A size of the picture's proportions."""
    image = spec.get("image")
    if image and (spec.get("mask") or spec.get("fit") == "contain"):
        from ...images.source_image import source_image

        return source_image(image).size
    if spec.get("size") is None:
        return Size(1, 1)
    return GenerationParams.of(prompt="any", size=spec["size"]).size or Size(1, 1)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
