"""The tab Ensemble: several prompts in one picture, compared, swept through and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from ...ensembles.ensemble_spec import EnsembleSpec, SuggestSpec
from ...errors import InputError
from ...events import Event
from ...prompts.scheduling import COMBINE_HELP
from ..endpoints import endpoint
from ..forms import Form
from ..live import Live, Shared
from ..sending import Beside, Offer, TabParts, send_menu, takes_picture, takes_settings
from ..studio import Studio
from ..studio_job import Settings
from .ensemble_results import shown_ensemble
from .ensemble_rows import (
    EnsemblePage,
    add_rows,
    at_its_row,
    blank_canvas,
    keep_proportions,
    painted_areas,
    rows_of_settings,
    rows_used,
    spec_of_rows,
)

_SWEPT = 9  # pictures of a sweep that is asked for by its button
_TRIED, _KEPT = 16, 4
_NO_FIELDS = ("prompt", "prompts", "weights", "region", "preset")
_ALONE: dict[str, dict[str, Any]] = {
    "compare": {"compare": True},
    "sweep": {"sweep": _SWEPT},
    "best": {"n": _TRIED, "best": _KEPT},
}
"""What the buttons that show what became of each prompt ask for."""
_RUNS = ("compare", "sweep", "best", "map", "balance", "judge")


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("ensemble", lambda settings: _paint(studio, settings))
    studio.jobs.learn("suggest", lambda settings: _suggest(studio, settings))
    form = Form(EnsemblePage, "ensemble", without=_NO_FIELDS)
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=5, min_width=320, elem_classes=["asks"]):
            brush = add_rows(form)
            ways = [(f"{way}: {told}", way) for way, told in COMBINE_HELP.items()]
            form.add("combine", choices=ways)
            with gr.Row(elem_classes=["pair"]):
                form.add("n", "seed", min_width=120)
            form.add("negative", lines=1)
            form.add("size")
            form.add_groups(
                Start="Start from a picture",
                Picture="Steps, sampler, guidance",
                Sampling="Noise levels",
                Output="Result: maps, balance, enlarging",
            )
        with gr.Column(scale=7, min_width=320, elem_classes=["shows"]):
            live = Live(
                *(studio, "ensemble", form, "Paint as one"),
                shows=lambda path, name: shown_ensemble(studio.jobs, path, name),
            )
            with gr.Row(elem_classes=["after"]):
                buttons = {
                    "compare": gr.Button("Compare every way", size="sm", elem_id="ensemble-ways"),
                    "sweep": gr.Button("Sweep from 1 to 2", size="sm", elem_id="ensemble-sweeps"),
                    "best": gr.Button(
                        f"Keep the best {_KEPT} of {_TRIED}", size="sm", elem_id="ensemble-bests"
                    ),
                    "suggest": gr.Button(
                        "What goes with prompt 1?", size="sm", elem_id="ensemble-suggest"
                    ),
                }
            menu = send_menu("ensemble")

    def settings_with(run: Mapping[str, Any]) -> Callable[[Sequence[Any]], dict[str, Any]]:
        def settings_of(values: Sequence[Any]) -> dict[str, Any]:
            *fields, painted = values
            given = form.given(fields)
            if run:
                given = {name: each for name, each in given.items() if name not in _RUNS}
                given |= run
            if "compare" in run:
                given.pop("combine", None)
            spec = spec_of_rows(given)
            used = rows_used(given)
            layers = painted["layers"] if painted else []
            if areas := painted_areas(spec, used, layers, studio.uploads):
                spec["region"] = areas
            return {"spec": spec, "rows": used, "model": studio.chosen()}

        return settings_of

    inputs = [*form.inputs, brush]
    live.begins(shared, settings_with({}), _title, inputs)
    for run, asked in _ALONE.items():
        live.begins(shared, settings_with(asked), _title, inputs, buttons[run])

    def suggesting(values: Sequence[Any]) -> dict[str, Any]:
        (thing,) = values
        if not (thing or "").strip():
            raise InputError("`prompt_1` is empty: say what shall be matched", field="prompt_1")
        return {"spec": {"thing": thing}, "model": studio.chosen()}

    live.begins(
        *(shared, suggesting, _suggest_title, [form.fields["prompt_1"]]),
        *(buttons["suggest"], "suggest"),
    )
    live.follows(shared)
    keep_proportions(form, brush)
    _endpoints(studio)
    return TabParts(
        "ensemble",
        form,
        besides=[Beside(brush, blank_canvas)],
        accepts=[
            takes_picture("Ensemble: start picture", form.fields["image"]),
            takes_settings("Ensemble: its settings", form, rows_of_settings),
        ],
        offers=[Offer(live.chosen, menu)],
    )


def _title(settings: Mapping[str, Any]) -> str:
    return " AND ".join(settings["spec"]["prompts"])


def _suggest_title(settings: Mapping[str, Any]) -> str:
    return f"what goes with {settings['spec']['thing']}"


def _paint(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...ensembles.ensemble import check_spec, paint_ensemble
    from ...generate.start import read_inputs

    spec = EnsembleSpec.of(**settings["spec"])
    try:
        inputs = read_inputs(spec.start)
        check_spec(spec, inputs)
        yield from studio.model(settings["model"])
        yield from paint_ensemble(
            studio.now, spec, None, inputs, folder=studio.out, previews=studio.previews()
        )
    except InputError as error:
        raise at_its_row(error, settings.get("rows", [])) from None


def _suggest(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...ensembles.suggestions import suggest_things

    spec = SuggestSpec.of(**settings["spec"])
    yield from studio.model(settings["model"])
    yield from suggest_things(studio.now, spec)


# --- for programs ----------------------------------------------------------------------------


def _endpoints(studio: Studio) -> None:
    form = Form(EnsembleSpec, "ensemble-programs", without=("prompt", "prompts", "preset"))
    suggests = Form(SuggestSpec, "suggest-programs")
    with gr.Group(visible=False):
        prompts = gr.Textbox(label="prompts")
        form.add(*form.declared)
        suggests.add(*suggests.declared)

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        text, *rest = values
        spec = form.given(rest) | {"prompts": [*filter(None, map(str.strip, text.splitlines()))]}
        EnsembleSpec.of(**spec)
        return {"spec": spec, "model": studio.chosen()}

    def suggesting(values: Sequence[Any]) -> dict[str, Any]:
        spec = suggests.given(values)
        SuggestSpec.of(**spec)
        return {"spec": spec, "model": studio.chosen()}

    endpoint(
        *(studio, "ensemble", form, settings_of, _title),
        does="Paint several prompts as one picture, such as an animal that is both a frog and a "
        "fox; or compare every way of combining them, sweep from one to the other, or keep the "
        "pictures with the best balance. Waits until it is finished and gives back the files.",
        before={"prompts": (prompts, "Two or more prompts, one on each line.")},
    )
    endpoint(
        *(studio, "suggest", suggests, suggesting, _suggest_title),
        does="Say which things go well with a thing in an ensemble, by the likeness of their "
        "outlines as the model sees them. Paints nothing, and gives back lines such as '72% owl'.",
        answer=lambda job: [note.text for note in job.notes],
        returns="A line for each thing, the most alike first.",
    )
