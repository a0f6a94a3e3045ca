"""The tab Gallery: everything that was made, newest first, and what to do with it next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import DigressionsError
from ...events import Event
from ...generate.declare import Params, option
from ...generate.made_files import (
    MadeFile,
    check_made,
    made_in,
    out_of_trash,
    settings_of,
    to_trash,
)
from ...generate.params import PaintSpec
from ..endpoints import PRIVATE, describe, endpoint
from ..forms import Form, picture_field
from ..live import Live, Shared, file_url, picture
from ..sending import Offer, TabParts, send_menu
from ..showing import refusal
from ..studio import Studio
from ..studio_job import Settings
from ..thumbs import thumb

_PAGE = 60  # pictures that are shown at once


class GallerySpec(Params):
    """What of all that was made is shown."""

    filter: str = option("", "Words in the name or in what the file remembers.", group="Picture")


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("replay", lambda settings: _replay(studio, settings))
    studio.jobs.learn("vary", lambda settings: _vary(studio, settings))
    form = Form(GallerySpec, "gallery")
    names = gr.State([])
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=7, min_width=320, elem_classes=["wall"]):
            with gr.Row(elem_classes=["finds"]):
                form.add("filter", max_lines=1, scale=4, placeholder="fox ddim")
                more = gr.Button("Older", size="sm", elem_id="gallery-more", scale=1)
            wall = gr.Gallery(
                label="Everything that was made, newest first",
                columns=4,
                height="auto",
                allow_preview=False,
                show_label=False,
                object_fit="cover",
                buttons=[],
                elem_id="gallery-wall",
                elem_classes=["thumbs"],
            )
            with gr.Accordion("Read the settings of a picture", open=False, elem_classes=["fold"]):
                dropped = picture_field(
                    label="A PNG of this program, A1111, ComfyUI or InvokeAI",
                    height=180,
                    elem_id="gallery-dropped",
                )
                told = gr.HTML(elem_id="gallery-told", container=False)
        with gr.Column(scale=5, min_width=320, elem_classes=["shows"]):
            live = Live(studio, "replay", form, "Make it again", name="gallery")
            with gr.Row(elem_classes=["after"]):
                vary = gr.Button("Vary: a new seed", size="sm", elem_id="gallery-vary")
                delete = gr.Button("Delete", size="sm", elem_id="gallery-delete")
                undo = gr.Button("Undo", size="sm", elem_id="gallery-undo", visible=False)
            menu = send_menu("gallery")
    trashed = gr.State("")
    count = gr.State(_PAGE)

    def look(part: str, most: int) -> tuple[Any, list[str], Any]:
        found = made_in(studio.out, part or "")
        shown = found[:most]
        rows = [(str(thumb(studio, each)), each.path.name) for each in shown]
        left = gr.update(interactive=len(found) > most)
        return gr.update(value=rows, selected_index=None), [str(e.path) for e in shown], left

    def choose(paths: list[str], event: gr.SelectData) -> tuple[str, str]:
        path = paths[int(event.index)]
        return _about(MadeFile(Path(path), Path(path).stat().st_mtime)), path

    def throw_away(path: str) -> tuple[Any, ...]:
        try:
            if not path:
                raise DigressionsError("choose a picture first")
            gone = to_trash(Path(path), studio.out)
        except DigressionsError as error:
            return refusal(error), *(gr.skip() for _ in range(3))
        said = f'<p class="said" role="status">{escape(gone.name)} is in the trash</p>'
        return said, "", str(gone), gr.update(visible=True)

    def put_back(path: str) -> tuple[Any, ...]:
        try:
            back = out_of_trash(Path(path), studio.out)
        except DigressionsError as error:
            return refusal(error), *(gr.skip() for _ in range(3))
        made = MadeFile(back, back.stat().st_mtime)
        return _about(made), str(back), "", gr.update(visible=False)

    views = [wall, names, more]
    shared.loaded.then(look, [form.fields["filter"], count], views, queue=False, **PRIVATE)
    form.fields["filter"].change(look, [form.fields["filter"], count], views, **PRIVATE)
    more.click(lambda n: n + _PAGE, count, count, **PRIVATE).then(
        look, [form.fields["filter"], count], views, **PRIVATE
    )
    wall.select(choose, [names], [live.stage, live.chosen], queue=False, **PRIVATE)
    gone = delete.click(
        throw_away, live.chosen, [live.stage, live.chosen, trashed, undo], **PRIVATE
    )
    back = undo.click(put_back, trashed, [live.stage, live.chosen, trashed, undo], **PRIVATE)
    for event in (gone, back):
        event.then(look, [form.fields["filter"], count], views, **PRIVATE)
    dropped.change(_told, dropped, [told, live.chosen], **PRIVATE)
    live.begins(shared, _of_file, _replay_title, [live.chosen])
    live.begins(shared, _of_file, _vary_title, [live.chosen], vary, "vary")
    live.follows(shared)
    _endpoints(studio)
    return TabParts(
        "gallery",
        form,
        offers=[Offer(live.chosen, menu)],
        shown=(look, [form.fields["filter"], count], views),
    )


def _about(made: MadeFile) -> str:
    """A file, large, and what it remembers."""
    picture_of = made.picture
    if picture_of is not None:
        large = picture(str(picture_of), made.path.name)
    elif made.path.suffix.lower() == ".pdf":
        large = f'<p class="said"><a href="{file_url(made.path)}">{escape(made.path.name)}</a></p>'
    else:
        link = file_url(made.path)
        large = f'<video class="picture" src="{link}" controls loop muted></video>'
    rows = "".join(_row(line) for line in made.remembers())
    known = f'<dl class="remembers">{rows}</dl>' if rows else _NOTHING
    return f"{large}{known}"


_NOTHING = '<p class="said">This file does not say how it was made.</p>'


def _row(line: str) -> str:
    name, colon, value = line.partition(": ")
    return f"<dt>{escape(name)}</dt><dd>{escape(value if colon else '')}</dd>"


def _told(path: str | None) -> tuple[str, Any]:
    if path is None:
        return "", gr.skip()
    made = MadeFile(Path(path), Path(path).stat().st_mtime)
    rows = "".join(_row(line) for line in made.remembers())
    hint = '<p class="said">"Send to" brings these settings to a form.</p>'
    return (f'<dl class="remembers">{rows}</dl>{hint}' if rows else _NOTHING), path


# --- making it again -------------------------------------------------------------------------


def _of_file(values: Sequence[Any]) -> dict[str, Any]:
    (path,) = values
    if not path:
        raise DigressionsError("choose a picture first")
    return {"file": path}


def _replay_title(settings: Mapping[str, Any]) -> str:
    return f"{Path(settings['file']).name} again"


def _vary_title(settings: Mapping[str, Any]) -> str:
    return f"{Path(settings['file']).name} with a new seed"


def _replay(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...replaying import replay

    source = Path(settings["file"])
    place = studio.place(f"{source.stem} again", source.suffix)
    yield from replay(source, studio.loader, models=studio.model_params.models, output=place)


def _vary(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...generate.pictures import paint_to_files
    from ...generate.start import read_inputs

    asked, _ = settings_of(Path(settings["file"]))
    asked.pop("seed", None)
    spec = PaintSpec.of(**asked)
    inputs = read_inputs(spec.start)
    yield from studio.model(settings.get("model", studio.chosen()))
    yield from paint_to_files(
        studio.now, spec, None, inputs, folder=studio.out, previews=studio.previews()
    )


# --- for programs ----------------------------------------------------------------------------


def _endpoints(studio: Studio) -> None:
    """Everything that the tab does, for programs, files by their names in the folder."""

    def named(values: Sequence[Any]) -> dict[str, Any]:
        return {"file": str(_among(studio, str(values[0])))}

    nothing = Form(GallerySpec, "programs")
    for kind, title, does in (
        ("replay", _replay_title, "Make a file again from what it remembers."),
        ("vary", _vary_title, "Paint a picture like one that was made, from a new seed."),
    ):
        endpoint(
            *(studio, kind, nothing, named, title),
            does=f"{does} Waits until it is finished and gives back the file.",
            before={"name": (gr.Textbox(visible=False), _NAME)},
        )

    def gallery(filter: str = "") -> list[dict[str, Any]]:
        return [
            {"name": str(each.path.relative_to(studio.out)), "remembers": each.remembers()}
            for each in made_in(studio.out, filter)[:_PAGE]
        ]

    def settings(picture: str) -> dict[str, Any]:
        try:
            return settings_of(Path(picture))[0]
        except DigressionsError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def delete(name: str) -> str:
        try:
            return to_trash(_among(studio, name), studio.out).name
        except DigressionsError as error:
            raise gr.Error(str(error), print_exception=False) from None

    described = (
        (gallery, [gr.Textbox(visible=False)], gr.JSON(visible=False), _LISTS, {"filter": _FILTER}),
        (
            *(settings, [picture_field(visible=False)], gr.JSON(visible=False), _READS),
            {"picture": "The picture, of this program, A1111, ComfyUI or InvokeAI."},
        ),
        (delete, [gr.Textbox(visible=False)], gr.Textbox(visible=False), _DELETES, {"name": _NAME}),
    )
    for function, fields, answer, does, parameters in described:
        needed = set(parameters) - {"filter"}
        describe(function, function.__name__, does, parameters, "See above.", needed)
        gr.Button(visible=False).click(function, fields, answer, api_name=function.__name__)


_NAME = (
    "The file's name in the folder of everything that is made, as the endpoint gallery gives it."
)
_FILTER = "Only what has these words in its name or in what it remembers. Default: all."
_LISTS = (
    f"List what was made, the newest first, at most {_PAGE}: the name of each file and what it "
    "remembers of how it was made."
)
_READS = "Read how a picture was painted: its settings by the parameters of the endpoint paint."
_DELETES = "Move a file that was made to the trash of its folder. Gives back its name there."


def _among(studio: Studio, name: str) -> Path:
    path = studio.out / name
    check_made(path, studio.out)
    return path
