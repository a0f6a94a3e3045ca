"""The tab Print: a picture as a file for a printer, with a proof of how it will look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import DigressionsError, InputError, in_words, verbatim
from ...events import Event
from ...frames.frame_spec import FramePrintSpec, PrintedAs
from ...generate.declare import declared
from ...generate.made_files import check_made
from ...prints.print_spec import PrintSpec
from ..endpoints import PRIVATE, endpoint
from ..forms import Form, Forms, label_of, picture_field
from ..givens import Givens
from ..live import Live, Shared, file_url
from ..sending import PRINTED, Accept, Beside, TabParts, mosaic_of, shown_of
from ..studio import Studio
from ..studio_job import Job, Settings
from .frame_views import links

_MEANINGS = {
    "bleed": "Red: the cut.",
    "mat": "Orange: what the mat covers.",
    "safe": "Blue: the safe margin.",
    "icc": "Green, beside it: colours that cannot be printed.",
}
"""What a colour in the proof says, by the parameter that has it drawn."""
_LAYING = ("size", "dpi", "bleed", "safe", "mat", "marks", "fit")
"""The parameters that decide how large a picture comes out."""


class PrinterFileSpec(PrintSpec):
    """A printer's file, and of which kind."""

    print_as: PrintedAs = declared(FramePrintSpec, "print_as")


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("print", lambda settings: _print(studio, settings))
    studio.jobs.learn("poster", lambda settings: _print(studio, settings))
    form = Form(PrinterFileSpec, "print", without=("proof",))
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=5, min_width=320, elem_classes=["asks"]):
            picture = picture_field(label="Picture", height=200, elem_id="print-picture")
            mosaic = gr.Textbox("", visible="hidden", elem_id="print-mosaic")
            says = gr.HTML("", elem_id="print-says", container=False)
            form.add("size")
            with gr.Row(elem_classes=["pair"]):
                form.add("bleed", "mat", min_width=120)
            with gr.Row(elem_classes=["pair"]):
                form.add("print_as", "dpi", min_width=120)
            form.add_groups(Paper="Margins, marks, colours, enlarging")
        with gr.Column(scale=7, min_width=320, elem_classes=["shows"]):
            forms = Forms(Givens(picture=picture), form)
            live = Live(studio, "print", forms, "Make the file", shows_job=_proof)

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        path, *rest = values
        if not path:
            raise InputError("there is no picture yet: give one, or send one here", field="picture")
        given = form.given(rest)
        spec = PrinterFileSpec.of(**given)
        spec.job(1.0)  # reads the profile
        given.pop("print_as", None)
        return {"picture": path, "spec": given | {"proof": True}, "as": spec.print_as}

    def settings_of_either(values: Sequence[Any]) -> dict[str, Any]:
        path, name, *rest = values
        return settings_of([str(_mosaic(studio, name)) if name else path, *rest])

    def settings_of_mosaic(values: Sequence[Any]) -> dict[str, Any]:
        name, *rest = values
        return settings_of([str(_mosaic(studio, name)), *rest])

    def take(path: str) -> list[Any]:
        folder = mosaic_of(Path(path))
        name = "" if folder is None else folder.relative_to(studio.out).as_posix()
        return [gr.update(value=str(shown_of(Path(path)))), name]

    def say(name: str, *values: Any) -> str:
        return _says(studio, name, form, values) if name else ""

    live.begins(shared, settings_of_either, _title, [picture, mosaic, *form.inputs])
    live.follows(shared)
    gr.on([picture.upload, picture.clear], lambda: "", None, mosaic, **PRIVATE)
    laid = [mosaic.change, *(form.fields[name].change for name in _LAYING)]
    gr.on(laid, say, [mosaic, *form.inputs], says, trigger_mode="always_last", **PRIVATE)
    icc = form.fields["icc"]
    icc.change(
        *(lambda path: _profile(form, path), icc, icc),
        **PRIVATE,
    )
    endpoint(
        *(studio, "print", form, settings_of, _title),
        does="Make a printer's file of a picture, exact in size and colours, and a proof of how it "
        "will look. Waits until they are finished and gives back both files.",
        before={"picture": (picture_field(visible=False), "The picture to print.")},
    )
    endpoint(
        *(studio, "poster", form, settings_of_mosaic, _title),
        does="Make a printer's file of a finished mosaic with all its pixels, and a proof of how "
        "it will look. Waits until they are finished and gives back both files.",
        before={"name": (gr.Textbox(visible=False), _NAME)},
    )
    return TabParts(
        "print",
        form,
        besides=[Beside(picture, lambda given: given.get("picture"))],
        accepts=[Accept(PRINTED, [picture, mosaic], take)],
    )


_NAME = "The mosaic's folder, by its name in the folder of everything that is made."


def _mosaic(studio: Studio, name: str) -> Path:
    """The folder of a mosaic among what was made."""
    folder = studio.out / name
    check_made(folder, studio.out)
    if mosaic_of(folder) is None:
        raise DigressionsError(f"{folder.name} is no finished mosaic")
    return folder


def _says(studio: Studio, name: str, form: Form, values: Sequence[Any]) -> str:
    """What the print of a mosaic comes to; only its name while something is not right yet, which
    the button says."""
    from ...prints.poster import foretold

    notes = []
    try:
        given = form.given(values)
        given.pop("print_as", None)
        notes = foretold(_mosaic(studio, name), PrintSpec.of(**given))
    except DigressionsError:
        pass
    items = "".join(f"<li>{escape(in_words(each.text, label_of))}</li>" for each in notes)
    return (
        f'<div class="poster" role="status"><p>The mosaic <b>{escape(name)}</b>, from its folder: '
        f'every pixel of it is printed.</p><ul class="notes">{items}</ul></div>'
    )


def _profile(form: Form, path: str | None) -> Any:
    """Says at its field which profile was given, or what is wrong with it."""
    from ...prints.icc import read_profile

    if path is None:
        return form.plain("icc")
    try:
        profile = read_profile(Path(path))
    except DigressionsError as error:
        return form.mark("icc", error)
    return form.plain("icc", f"{verbatim(profile.name)}, {profile.mode}")


def _title(settings: Mapping[str, Any]) -> str:
    return f"{Path(settings['picture']).name} on {settings['spec']['size']}"


def _print(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...prints.printing import print_picture

    source = Path(settings["picture"])
    spec = PrintSpec.of(**settings["spec"])
    place = studio.place(f"{source.stem} {spec.size}", f".{settings['as']}")
    yield from print_picture(source, spec, place)


def _proof(job: Job) -> str:
    """The proof, and a link to the file."""
    proof = next((each for each in job.saved if each.path.stem.endswith("-proof")), None)
    shown = "" if proof is None else f'<img src="{file_url(proof.path)}" alt="How it will look">'
    said = " ".join(_MEANINGS[name] for name in _drawn(job.settings["spec"]))
    return (
        f'<figure class="picture proof">{shown}<figcaption>{said}</figcaption></figure>'
        f"{links(job.saved)}"
    )


def _drawn(spec: Mapping[str, Any]) -> list[str]:
    """Of `_MEANINGS`, those that a proof of these settings shows."""
    plain = {name: value for name, value in spec.items() if name not in ("icc", "intent")}
    sheet = PrintSpec.of(**plain).job(1.0).sheet
    is_drawn = {"bleed": sheet.bleed, "mat": sheet.mat, "safe": sheet.safe, "icc": "icc" in spec}
    return [name for name in _MEANINGS if is_drawn[name]]
