"""The tab Paint: text to image, image to image, painting over a part, and enlarging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import DigressionsError
from ...events import Event
from ...generate.params import PaintSpec, UpscaleSpec
from ..brushing import brush, for_brush, mask_over
from ..endpoints import PRIVATE, endpoint
from ..forms import Form, picture_field
from ..live import Live, Shared
from ..sending import Offer, TabParts, send_menu, takes_picture, takes_settings
from ..studio import Studio
from ..studio_job import Settings

_BRUSH = "Brush: what you paint over is painted anew"


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("paint", lambda settings: _paint(studio, settings))
    studio.jobs.learn("upscale", lambda settings: _upscale(studio, settings))
    form = Form(PaintSpec, "paint", without=("preset",))
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=5, min_width=320, elem_classes=["asks"]):
            form.add("prompt", lines=3, autofocus=True)
            form.add("negative", lines=1)
            with gr.Row(elem_classes=["pair"]):
                form.add("n", "seed", min_width=120)
            form.add("size")
            with gr.Accordion("Start from a picture", open=False, elem_classes=["fold"]):
                form.add("image", height=240)
                form.add("strength", "fit")
                with gr.Accordion("Paint only a part of it", open=False, elem_classes=["fold"]):
                    painting = brush(_BRUSH, "paint-brush")
                    form.add("masked_content", "palette")
                    form.add("mask", "mask_alpha", visible=False)
            with gr.Accordion("Where each prompt counts", open=False, elem_classes=["fold"]):
                form.add("region", "region_softness")
            form.add_groups(
                Picture="Steps, sampler, guidance", Sampling="Noise levels", Output="Result"
            )
        with gr.Column(scale=7, min_width=320, elem_classes=["shows"]):
            live = Live(studio, "paint", form, "Paint")
            with gr.Row(elem_classes=["after"]):
                menu = send_menu("paint")
                enlarge = gr.Button("Enlarge 4 times", size="sm", elem_id="paint-enlarge")

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        given = form.given(values)
        PaintSpec.of(**given)
        return {"spec": given, "model": studio.chosen()}

    def settings_with_brush(values: Sequence[Any]) -> dict[str, Any]:
        *rest, painted = values
        settings = settings_of(rest)
        image = settings["spec"].get("image")
        if image and painted and (mask := mask_over(studio, image, painted["layers"])):
            settings["spec"]["mask"] = mask
        return settings

    live.begins(shared, settings_with_brush, _title, [*form.inputs, painting])
    form.fields["prompt"].submit(None, js="() => document.getElementById('paint-go').click()")
    form.fields["image"].change(
        for_brush,
        form.fields["image"],
        painting,
        **PRIVATE,
    )
    live.begins(
        *(shared, _enlarging, lambda settings: f"Enlarge {Path(settings['picture']).name}"),
        *([live.chosen], enlarge, "upscale"),
    )
    live.follows(shared)
    endpoint(
        *(studio, "paint", form, settings_of, _title),
        does="Paint pictures with a diffusion model: from a prompt, from a start picture, or into "
        "the white part of a mask. Waits until they are finished and gives back the files.",
    )
    _upscale_endpoint(studio)
    return TabParts(
        "paint",
        form,
        accepts=[
            takes_picture("Paint: start picture", form.fields["image"]),
            takes_settings("Paint: its settings", form),
        ],
        offers=[Offer(live.chosen, menu)],
    )


def _title(settings: Mapping[str, Any]) -> str:
    return str(settings["spec"]["prompt"])


def _paint(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...generate.pictures import check_spec, paint_to_files
    from ...generate.start import read_inputs

    spec = PaintSpec.of(**settings["spec"])
    inputs = read_inputs(spec.start)
    check_spec(spec, inputs)
    yield from studio.model(settings["model"])
    yield from paint_to_files(
        studio.now, spec, None, inputs, folder=studio.out, previews=studio.previews()
    )


# --- enlarging -------------------------------------------------------------------------------


def _enlarging(values: Sequence[Any]) -> dict[str, Any]:
    (path,) = values
    if not path:
        raise DigressionsError("there is no picture yet to enlarge: paint one first")
    return {"picture": path, "spec": {}}


def _upscale(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...generate.upscaling import upscale_picture

    source = Path(settings["picture"])
    place = studio.place(f"{source.stem} upscaled", ".png")
    yield from upscale_picture(source, UpscaleSpec.of(**settings["spec"]), place)


def _upscale_endpoint(studio: Studio) -> None:
    form = Form(UpscaleSpec, "upscale")
    with gr.Group(visible=False):
        picture = picture_field(label="picture")
        form.add(*form.declared)

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        path, *rest = values
        if path is None:
            raise DigressionsError("there is no picture: say which is to be enlarged")
        given = form.given(rest)
        UpscaleSpec.of(**given)
        return {"picture": path, "spec": given}

    endpoint(
        *(studio, "upscale", form, settings_of, lambda settings: f"Enlarge {settings['picture']}"),
        does="Enlarge a picture, by default four times. Waits until it is finished and gives back "
        "the file.",
        before={"picture": (picture, "The picture to enlarge.")},
    )
