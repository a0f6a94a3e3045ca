"""The tab Mosaic: a picture made of pictures, painted ones or photos, and ways into it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import DigressionsError, InputError
from ...events import Event, duration
from ...generate.declare import Params
from ...generate.params import GenerationParams
from ...mosaics.build_params import BuildParams
from ...mosaics.mosaic_spec import MosaicSpec
from ...mosaics.photos.photo_spec import PhotoMosaicSpec, PhotoParams, spec_of_photos
from ..endpoints import PRIVATE, PROGRAM, endpoint, over
from ..forms import Form, Forms
from ..live import Live, Shared
from ..sending import PRINTED, Beside, Offer, TabParts, send_menu, takes_picture
from ..studio import Studio
from ..studio_job import Job, Settings
from .mosaic_ways import Ways

_COST = "mosaic_cost"


class MosaicForm(Params):
    """Everything that a mosaic can be asked for, of painted pictures or of photos."""

    mosaic: MosaicSpec
    photos: PhotoParams
    making: BuildParams


_ABOUT_MACHINES = ("preset", "batch_size", "profile", "index")
_COSTS = (  # what a mosaic's cost depends on
    *(
        "prompt",
        "grid",
        "size",
        "steps",
        "sampler",
        "guidance",
        "strength",
        "image",
        "fit",
        "tiles",
    ),
    *("reuse", "enlarge", "upscaler"),
    *("cell_aspect", "crop", "repeat", "paint"),
)

_FEWER = "16"
"""Cells across, to begin with, where a job has little time."""


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("mosaic", lambda settings: _mosaic(studio, settings), resumes=True)
    studio.jobs.learn(_COST, lambda settings: _costing(studio, settings), kept=False)
    form = Form(MosaicForm, "mosaic", without=_ABOUT_MACHINES)
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=5, min_width=320, elem_classes=["asks"]):
            form.add("prompt", lines=3)
            form.add("negative", lines=1)
            with gr.Row(elem_classes=["pair"]):
                # What a page of strangers begins with must be done in the time that a job has.
                fewer = {"value": _FEWER} if studio.jobs.strangers else {}
                form.add("grid", min_width=120, **fewer)
                form.add("seed", min_width=120)
            form.add("cell_prompt", lines=2)
            with gr.Accordion("Make it of a picture", open=False, elem_classes=["fold"]):
                form.add("image", height=240)
                form.add("fit", "tone")
            with gr.Accordion("Of your own photos", open=False, elem_classes=["fold"]):
                photos = gr.File(
                    label="Photos for the cells",
                    file_count="multiple",
                    file_types=["image"],
                    height=140,
                    elem_id="mosaic-photos",
                )
                form.add("tiles")
                form.add(*_of_photos(form))
            form.add_groups(
                Cells="How cells keep to the picture",
                Picture="Steps, sampler, guidance of the cells",
                Sampling="Noise levels",
                Output="Result",
            )
        with gr.Column(scale=7, min_width=320, elem_classes=["shows"]):
            cost = gr.HTML("", elem_id="mosaic-cost", container=False)
            ways = Ways(studio)
            forms = Forms(form, ways.fall, ways.fly)
            live = Live(studio, "mosaic", forms, "Make the mosaic", pauses=True)
            with gr.Row(elem_classes=["after"]):
                menu = send_menu("mosaic")
                poster = gr.Button("Poster: all its pixels", size="sm", elem_id="mosaic-poster")
            ways.show()

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        return _settings(studio, form.given(values))

    def settings_with_photos(values: Sequence[Any]) -> dict[str, Any]:
        *rest, given = values
        asked = form.given(rest)
        if given:
            asked["tiles"] = [*asked.get("tiles", []), *map(str, given)]
        return _settings(studio, asked)

    costs = Costs(studio)

    async def quick_cost(*values: Any) -> Any:
        return _said(await costs.quick(lambda: settings_with_photos(values)))

    async def whole_cost(*values: Any) -> AsyncIterator[Any]:
        yield _said(await costs.quick(lambda: settings_with_photos(values)))
        if (text := await costs.timed(lambda: settings_with_photos(values))) is not None:
            yield _said(text)

    inputs = [*form.inputs, photos]
    live.begins(shared, settings_with_photos, _title, inputs)
    ways.begins(shared, live)
    live.follows(shared)
    ways.endpoints()
    form.fields["prompt"].submit(None, js="() => document.getElementById('mosaic-go').click()")
    shared.loaded.then(quick_cost, inputs, cost, **PRIVATE)
    changes = [field.change for name in _COSTS if (field := form.fields.get(name)) is not None]
    gr.on(
        [*changes, photos.change], whole_cost, inputs, cost, trigger_mode="always_last", **PRIVATE
    )
    endpoint(
        *(studio, "mosaic", form, settings_of, _title),
        does="Make a picture of pictures: painted over a picture that is painted from the prompt, "
        "or over yours; or of photos, where tiles are given. Waits until it is finished. Asked "
        "again after it was stopped, it goes on.",
        answer=lambda job: [str(job.saved[-1].path)],
        returns="The path of the page to zoom into, in a list.",
    )
    endpoint(
        *(studio, _COST, form, settings_of, _title),
        does="Say what a mosaic takes before it is made: pictures or photos, pixels, disk and "
        "time. A few pictures are painted, or photos placed, to tell the time.",
        answer=lambda job: [] if job.estimate is None else [job.estimate.text],
        returns="What it takes, in a list of one line.",
    )
    return TabParts(
        "mosaic",
        form,
        besides=[Beside(photos, lambda given: None)],
        accepts=[takes_picture("Mosaic: the picture it is made of", form.fields["image"])],
        offers=[Offer(live.chosen, menu, {PRINTED: poster})],
        shown=(whole_cost, inputs, [cost]),
    )


def _of_photos(form: Form) -> list[str]:
    names = PhotoParams.flat_fields()
    return [name for name in names if name in form.declared and name not in form.fields]


def _title(settings: Mapping[str, Any]) -> str:
    asked = settings["spec"]
    return str(asked.get("prompt") or Path(asked["image"]).stem)


# --- making it -------------------------------------------------------------------------------


def _settings(studio: Studio, asked: dict[str, Any]) -> dict[str, Any]:
    """The settings of a job, validated."""
    studio.jobs.check(asked)
    making = {name: asked.pop(name) for name in BuildParams.flat_fields() if name in asked}
    settings = {"spec": asked, "making": making, "model": studio.chosen()}
    spec = _spec(studio, settings)
    if isinstance(spec, MosaicSpec):
        from ...mosaics.planning import read_start

        read_start(spec)
    else:
        spec.check()
    BuildParams.of(**making)
    return settings


def _spec(studio: Studio, settings: Settings) -> MosaicSpec | PhotoMosaicSpec:
    asked = dict(settings["spec"])
    if not asked.get("tiles"):
        for name in PhotoParams.flat_fields():
            if name in asked:
                raise InputError(f"`{name}` is about photos: say which, or leave it as it was")
        return MosaicSpec.of(**asked)
    prompt = asked.pop("prompt", None)
    index = {"index": studio.out / "photos.sqlite"}
    return spec_of_photos(PhotoMosaicSpec, prompt, asked | index)


def _mosaic(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...mosaics.build import build as build_mosaic
    from ...mosaics.photos.photo_build import build_photos
    from ...mosaics.planning import read_start

    spec, making = _spec(studio, settings), BuildParams.of(**settings["making"])
    if isinstance(spec, PhotoMosaicSpec):
        model = None
        if spec.photos.paint is not None:
            yield from studio.model(settings["model"])
            model = studio.now
        yield from build_photos(
            *(spec, None, making), model=model, folder=studio.out, previews=studio.preview_pace()
        )
        return
    start = read_start(spec)
    yield from studio.model(settings["model"])
    yield from build_mosaic(
        *(studio.now, spec, None, making),
        start=start,
        folder=studio.out,
        previews=studio.previews(),
    )


# --- what it costs ---------------------------------------------------------------------------


def _costing(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...mosaics.cost import costing
    from ...mosaics.photos.photo_cost import photo_costing

    spec = _spec(studio, settings)
    if isinstance(spec, PhotoMosaicSpec):
        model = None
        if spec.photos.paint is not None:
            yield from studio.model(settings["model"])
            model = studio.now
        yield from photo_costing(spec, model)
        return
    yield from studio.model(settings["model"])
    yield from costing(studio.now, spec)


class Costs:
    """What a mosaic takes, in words, before it is begun. How long a picture takes is measured once
    for settings that change it, and how long one of photos takes for all of its settings, by a job
    of its own."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._paces: dict[str, float] = {}  # seconds a picture
        self._of_photos: dict[str, str] = {}  # in words

    async def quick(self, settings_of: Any) -> str:
        """What shows at once; nothing where something is wrong yet, which the button says."""
        try:
            settings = await asyncio.to_thread(settings_of)
            return await asyncio.to_thread(self._quick, settings)
        except DigressionsError:
            return ""

    async def timed(self, settings_of: Any) -> str | None:
        """It with the time, where that is to be measured first; else ``None``."""
        try:
            settings = await asyncio.to_thread(settings_of)
        except DigressionsError:
            return None
        key = self._key(settings)
        if key in self._paces or key in self._of_photos:
            return None
        job = self._studio.jobs.submit(PROGRAM, _COST, settings, "what a mosaic takes")
        await over(job)
        return self._take(key, job)

    def _take(self, key: str, job: Job) -> str | None:
        cost = job.estimate
        if cost is None or cost.seconds is None:
            return None
        if "tiles" in job.settings["spec"]:
            self._of_photos[key] = cost.text
            return cost.text
        self._paces[key] = cost.seconds / cost.pictures
        return cost.text

    def _quick(self, settings: Settings) -> str:
        from ...mosaics.cost import costing
        from ...mosaics.photos.photo_cost import photo_costing

        spec, key = _spec(self._studio, settings), self._key(settings)
        model = self._studio.in_memory
        if isinstance(spec, PhotoMosaicSpec):
            if spec.photos.paint is None:
                model = None
            elif model is None:
                return ""
            return self._of_photos.get(key) or next(photo_costing(spec, model)).text
        if model is None:
            return ""
        cost = next(costing(model, spec))
        pace = self._paces.get(key)
        return cost.text if pace is None else f"{cost.text}, about {duration(cost.pictures * pace)}"

    def _key(self, settings: Settings) -> str:
        """Of settings that change how long a picture takes, or a mosaic of photos."""
        if "tiles" in settings["spec"]:
            return json.dumps([settings["spec"], settings["model"]], sort_keys=True, default=str)
        names = {*GenerationParams.flat_fields(), "enlarge", "upscaler"}
        names -= {"prompt", "negative", "seed"}
        asked = {name: value for name, value in settings["spec"].items() if name in names}
        return json.dumps([asked, settings["model"]], sort_keys=True, default=str)


def _said(text: str) -> str:
    return f'<p class="said" role="status">{escape(text)}</p>' if text else ""
