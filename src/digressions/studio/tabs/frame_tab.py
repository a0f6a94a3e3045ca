"""The tab Frame: pictures painted into the frames of a photo of a room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from ...errors import DigressionsError, InputError
from ...events import Event
from ...frames.frame_spec import FramePrintSpec, FrameSpec, RefineParams
from ...images.mask_files import read_mask
from ...images.source_image import source_image
from ..brushing import brush, for_brush, mask_over
from ..endpoints import PRIVATE, describe, endpoint
from ..forms import Form, Forms, picture_field, words
from ..givens import Givens
from ..live import Live, Shared
from ..sending import Beside, Offer, TabParts, send_menu, takes_picture
from ..studio import Studio
from ..studio_job import Settings
from .frame_views import LOOKING, NO_PHOTO, room, shown, with_views

_CANDIDATES = "4"  # for each opening, as the page begins
_REFINES = (*RefineParams.model_fields, "upscaler")
_BRUSH = "Brush: paint over the opening"
_ELSEWHERE = ("frame", "find", "insert", "explain", "pick")
_PRINTED = {*FramePrintSpec.flat_fields()} - {"upscaler"}  # which the tab Print does


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("frame", lambda settings: _fill(studio, settings))
    studio.jobs.learn("explain", lambda settings: _explain(studio, settings))
    form = Form(FrameSpec, "frame", without=(*_ELSEWHERE, *_PRINTED))
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=6, min_width=320, elem_classes=["asks"]):
            photo = picture_field(label="Photo of a room", height=130, elem_id="frame-photo")
            view = gr.HTML(NO_PHOTO, elem_id="frame-openings", container=False)
            form.add("prompts", "corners", lines=1)  # which the room fills in
            with gr.Row(elem_classes=["pair"]):
                form.add("n", value=_CANDIDATES, lines=1, min_width=120)
                form.add("room", lines=1, min_width=120)
            form.add("palette", lines=1)
            form.add("seed")
            with gr.Accordion("An opening by a mask", open=False, elem_classes=["fold"]):
                form.add("mask", height=140)
                form.add("mask_alpha")
                painting = brush(_BRUSH, "frame-brush")
                take = gr.Button("Take what is painted", size="sm", elem_id="frame-take")
            form.add_groups(
                Frame="Shape",
                Start="How it starts",
                Picture="Steps, sampler, guidance",
                Sampling="Noise levels",
                Output="Result",
            )
        with gr.Column(scale=6, min_width=320, elem_classes=["shows"]):
            forms = Forms(Givens(photo=photo), form)
            live = Live(studio, "frame", forms, "Paint", shows_job=lambda job: shown(studio, job))
            picks = gr.Textbox("", visible="hidden", elem_id="frame-picks")
            hang = gr.Button("Hang the chosen", visible="hidden", elem_id="frame-hang")
            with gr.Accordion("Refine what is hung", open=False, elem_classes=["fold"]):
                form.add(*_REFINES)
            with gr.Row(elem_classes=["after"]):
                why = gr.Button("Why are the colours so?", size="sm", elem_id="frame-why")
                menu = send_menu("frame")

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        path, *rest = values
        return _settings(studio, path, form.given(rest))

    def explaining(values: Sequence[Any]) -> dict[str, Any]:
        path, *rest = values
        return _settings(studio, path, form.given(rest) | {"explain": True})

    def hanging(values: Sequence[Any]) -> dict[str, Any]:
        picked, *rest = values
        refining = {name: each for name, each in form.given(rest).items() if name in _REFINES}
        return _with_picks(studio, picked, refining)

    asked = [photo, *form.inputs]
    live.begins(shared, settings_of, _title, asked)
    to_hang = [picks, *form.inputs]
    live.begins(shared, hanging, lambda settings: f"{_title(settings)}, hung", to_hang, hang)
    live.begins(shared, explaining, _why, asked, why, "explain")
    live.follows(shared)
    _shows_openings(form, photo, view)
    _paints_mask(studio, form, photo, painting, take)
    photo_of = {"photo": (picture_field(visible=False), "The photo of a room.")}
    endpoint(
        *(studio, "frame", form, settings_of, _title),
        does="Paint pictures into the frames of a photo of a room: with several candidates a "
        "contact sheet of them, else the picture and the room with it. Waits until they are "
        "finished and gives back the files.",
        before=photo_of,
    )
    endpoint(
        *(studio, "explain", form, explaining, _why),
        does="Find out by an experiment what pulls the colours of pictures in a frame: what was "
        "found in words and as a chart. Waits until it is finished and gives back the files.",
        before={"photo": (picture_field(visible=False), "The photo of a room.")},
    )
    _openings_endpoint()
    return TabParts(
        "frame",
        form,
        besides=[Beside(photo, lambda given: given.get("photo"))],
        accepts=[takes_picture("Frame: photo of a room", photo)],
        offers=[Offer(live.chosen, menu)],
    )


def _settings(studio: Studio, photo: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a job shall paint; checked as far as it can be without looking at the photo."""
    if not photo:
        raise InputError(
            "there is no photo yet: give one of a room with a frame in it", field="photo"
        )
    wall = source_image(photo, "photo")
    if given.get("mask"):
        read_mask(given["mask"], wall, given.get("mask_alpha"))
    if not given.get("prompts"):
        raise InputError("write into an opening what to paint there", field="prompts")
    spec = dict(given)
    if "corners" in spec:
        spec["frame"] = list(range(1, len(spec["corners"]) + 1))
    FrameSpec.of(**spec).check()
    return {"photo": photo, "spec": spec, "model": studio.chosen()}


def _with_picks(studio: Studio, text: str, refining: Mapping[str, Any]) -> dict[str, Any]:
    """What a job shall finish: the candidates that were chosen on the page, refined as it says by
    now."""
    try:
        found = json.loads(text or "{}")
        job = studio.jobs.get(int(found.get("job", 0)))
        picks = [int(each) for each in found.get("picks", [])]
    except (ValueError, TypeError, AttributeError) as error:
        raise DigressionsError(f"{text!r:.80} names no candidates") from error
    if job is None:
        raise DigressionsError("there are no candidates yet: paint some, and choose one")
    if not all(picks):
        which = f" for opening {picks.index(0) + 1}" if len(picks) > 1 else ""
        raise DigressionsError(f"choose a candidate{which} first")
    painted = {n: each for n, each in job.settings["spec"].items() if n not in _REFINES}
    spec = painted | dict(refining) | {"pick": picks}
    FrameSpec.of(**spec).check()
    return {**job.settings, "spec": spec, "chosen_from": job.number}


def _title(settings: Mapping[str, Any]) -> str:
    return ", ".join(settings["spec"]["prompts"])


def _why(settings: Mapping[str, Any]) -> str:
    return f"Why the colours of {_title(settings)} are so"


def _fill(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...frames.choosing import read_frames
    from ...frames.filling import fill_frames

    spec = FrameSpec.of(**settings["spec"])
    inputs = read_frames(settings["photo"], spec, None, within=studio.out)
    yield from studio.model(settings["model"])
    painting = fill_frames(
        *(studio.now, settings["photo"], spec, None, inputs), previews=studio.previews()
    )
    yield from with_views(studio, inputs, painting)


def _explain(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...frames.choosing import read_frames
    from ...frames.explain import explain_frame

    spec = FrameSpec.of(**settings["spec"])
    inputs = read_frames(settings["photo"], spec, None, within=studio.out)
    yield from studio.model(settings["model"])
    yield from explain_frame(studio.now, settings["photo"], spec, None, inputs)


# --- openings --------------------------------------------------------------------------------


def _shows_openings(form: Form, photo: Any, view: Any) -> None:
    """Has a photo that is given be looked through for openings, or a mask for the one that it
    shows, which the room then shows."""
    mask, alpha = form.fields["mask"], form.fields["mask_alpha"]
    marked = Forms(Givens(photo=photo), form)
    place = [view, *marked.inputs]

    async def find(path: str | None, mask: str | None, alpha: Any) -> Any:
        clean = [gr.skip() for _ in marked.inputs]
        if path is None:
            yield [NO_PHOTO, *clean]
            return
        yield [LOOKING, *clean]
        shown, error = await asyncio.to_thread(room, path, mask, alpha or None)
        yield [shown, *marked.marks(error)]

    given = [photo.change, mask.change, alpha.change]
    gr.on(given, find, [photo, mask, alpha], place, concurrency_limit=None, **PRIVATE)


def _paints_mask(studio: Studio, form: Form, photo: Any, painting: Any, take: Any) -> None:
    """Has the brush paint over the photo, and what is painted become the mask."""

    def taken(path: str | None, painted: Any) -> Any:
        mask = mask_over(studio, path, painted["layers"]) if path and painted else None
        if mask is None:
            return form.mark("mask", InputError("paint over the opening first"))
        return gr.update(value=mask)

    photo.change(for_brush, photo, painting, **PRIVATE)
    take.click(taken, [photo, painting], form.fields["mask"], **PRIVATE)


def _openings_endpoint() -> None:
    def find_openings(photo: str) -> list[dict[str, Any]]:
        from ...api import find_frames
        from ...frames.choosing import numbered

        try:
            found = numbered(find_frames(photo))
        except DigressionsError as error:
            raise gr.Error(words(error), print_exception=False) from None
        told = [{"number": number} | each.json_object() for number, each in enumerate(found, 1)]
        return list(json.loads(json.dumps(told)))  # which knows tuples

    describe(
        *(find_openings, "find_openings"),
        "Find the picture frames, screens and posters in a photo of a room: the corners of each "
        "opening in pixels of the photo, how sure it is, and its true width / height.",
        {"photo": "The photo of a room."},
        "The openings, numbered as `frame` counts them.",
        {"photo"},
    )
    answer = gr.JSON(visible=False)
    gr.Button(visible=False).click(
        find_openings, picture_field(visible=False), answer, api_name="find_openings"
    )
