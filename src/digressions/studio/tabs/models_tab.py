"""The tab Models: what is in the model folders, and which model is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import gradio as gr

from ...errors import InputError, errors_about
from ...events import Event, Note, in_bytes
from ...generate.model_params import ModelParams
from ..endpoints import PRIVATE, describe, endpoint
from ..forms import Form
from ..live import Live, Shared
from ..sending import TabParts
from ..studio import Studio
from ..studio_job import Job, Settings

if TYPE_CHECKING:
    from ...models.listing import Listed

_GOES = {"checkpoint": "model", "vae": "vae", "lora": "lora", "text encoder": "text_encoder"}
"""The field that a file of a kind goes into."""
_KINDS = {"lora": "LoRA", "vae": "VAE"}
_PICK = "Choose a file …"
_MOST = 500  # files that are shown at once


def build(studio: Studio, shared: Shared) -> TabParts:
    """The tab, within Gradio's context."""
    studio.jobs.learn("load", lambda settings: _load(studio, settings), kept=False)
    form = Form(ModelParams, "models")
    with gr.Row(elem_classes=["bench"]):
        with gr.Column(scale=5, min_width=320, elem_classes=["asks"]):
            form.add("model", lines=1)
            with gr.Row(elem_classes=["pair"]):
                pick = gr.Dropdown(
                    [_PICK],
                    label="From the model folders",
                    info="A LoRA is added to the list below, with its strength.",
                    value=_PICK,
                    elem_id="models-pick",
                    scale=3,
                )
                strength = gr.Number(
                    1.0,
                    label="Strength",
                    info="Of the next LoRA.",
                    step=0.1,
                    min_width=90,
                    elem_id="models-strength",
                )
            form.add("lora", lines=2, placeholder="ink:0.8")
            form.add("models", lines=1)
            form.add_groups(Model="Parts, precision, device")
        with gr.Column(scale=7, min_width=320, elem_classes=["shows"]):
            loaded = gr.HTML(_loaded(studio), elem_id="models-loaded", container=False)
            live = Live(studio, "load", form, "Load it", name="models")
            found = gr.HTML(elem_id="models-found", container=False)

    def look(folder: str) -> list[Any]:
        try:
            rows = _rows(studio, folder)
        except InputError as error:
            none = gr.update(choices=[_PICK], value=_PICK)
            return [_loaded(studio), none, "", form.mark("models", error)]
        choices = [
            (_PICK, _PICK),
            *((_told(row), f"{row.kind}|{row.path}") for row in rows or () if row.kind in _GOES),
        ]
        picks = gr.update(choices=choices, value=_PICK)
        return [_loaded(studio), picks, _table(rows), form.plain("models")]

    for field, update in zip(form.inputs, form.filled(studio.chosen()), strict=True):
        field.value = _value(update)

    fields = {kind: form.fields[name] for kind, name in _GOES.items()}

    def take(picked: str, strength: float | None, loras: str) -> list[Any]:
        kind, _, path = picked.partition("|")
        if kind not in fields:
            return [gr.skip() for _ in range(1 + len(fields))]
        value = path
        if kind == "lora":
            line = f"{path}:{1.0 if strength is None else strength:g}"
            value = "\n".join([*filter(None, (loras or "").splitlines()), line])
        return [_PICK, *(gr.update(value=value) if each == kind else gr.skip() for each in fields)]

    def settings_of(values: Sequence[Any]) -> dict[str, Any]:
        params = ModelParams.of(**form.given(values))
        _check(params)
        before, chosen = studio.chosen(), params.given()
        studio.choose(chosen)
        return {"model": chosen, "before": before}

    def chosen(query: str) -> list[Any]:
        """What jobs are asked with by now, unless the address of the page says otherwise."""
        if "models" in parse_qs(query.removeprefix("?")).get("tab", []):
            return [gr.skip() for _ in form.inputs]
        now = zip(form.inputs, form.filled(studio.chosen()), strict=True)
        return [gr.skip() if _same(field, update) else update for field, update in now]

    views = [loaded, pick, found, form.fields["models"]]
    pick.input(take, [pick, strength, form.fields["lora"]], [pick, *fields.values()], **PRIVATE)
    query = gr.Textbox("", visible="hidden")
    filled = shared.loaded.then(
        *(chosen, query, form.inputs), js="() => [location.search]", queue=False, **PRIVATE
    )
    filled.then(look, form.fields["models"], views, **PRIVATE)
    form.fields["models"].blur(look, form.fields["models"], views, **PRIVATE)
    live.begins(shared, settings_of, _title, form.inputs)
    live.follows(shared)
    live.stage.change(lambda: _loaded(studio), None, loaded, **PRIVATE)
    _endpoints(studio, form, settings_of)
    return TabParts("models", form, shown=(look, [form.fields["models"]], views))


def _value(update: Any) -> Any:
    return update["value"] if isinstance(update, dict) else update


def _same(field: Any, update: Any) -> bool:
    """Whether a field says so as the page opens."""
    return bool(_value(update) == field.value)


def _rows(studio: Studio, folder: str = "", part: str = "") -> list[Listed] | None:
    """The files of a folder of models, or of that which the studio was opened with; ``None``
    where none is named."""
    from ...models.library import Library
    from ...models.listing import listing

    library = Library.of((folder or "").strip() or studio.model_params.models)
    return None if library is None else list(listing(library, part))


def _check(params: ModelParams) -> None:
    """Refuses a name for which there is no file, before anything is loaded."""
    from ...models.library import Library
    from ...models.loading import located_model

    located_model(params.model, Library.of(params.models))


def _title(settings: Mapping[str, Any]) -> str:
    return f"Load {settings['model']['model']}"


def _load(studio: Studio, settings: Settings) -> Iterator[Event]:
    with errors_about("model"):
        yield from studio.switch(settings["model"], settings["before"])
    yield Note(_in_memory(studio))


def _in_memory(studio: Studio) -> str:
    """The model in memory, in one line."""
    model = studio.in_memory
    if model is None:
        return "no model is in memory"
    parts = [
        model.name,
        str(model.device),
        str(model.dtype).removeprefix("torch."),
        f"{in_bytes(model.weight_bytes)} of memory",
        *(f"LoRA {each}" for each in model.additions.get("lora") or ()),
    ]
    return ", ".join(parts)


def _loaded(studio: Studio) -> str:
    """The same for the page, with how much memory is left there."""
    model, free = studio.in_memory, None
    if model is not None:
        from ...models.runtime import free_memory

        free = free_memory(model.device)
    left = "" if free is None else f"; {in_bytes(free)} are free"
    told = escape(_in_memory(studio) + left)
    return f'<p class="loaded" role="status"><span>In memory</span> {told}</p>'


def _told(row: Listed) -> str:
    told = filter(None, (_kind(row), row.family, in_bytes(row.size)))
    return f"{row.name} ({', '.join(told)})"


def _kind(row: Listed) -> str:
    return _KINDS.get(row.kind, row.kind)


_NONE = """<p class="said">No model folder is named. Name the folder of ComfyUI, A1111, Forge or
StabilityMatrix, or any other, in the field Model folder, and its files are listed here. The bundled
model needs none.</p>"""


def _table(rows: Sequence[Listed] | None) -> str:
    """Files as a table."""
    if rows is None:
        return _NONE
    if not rows:
        return '<p class="said">There is no .safetensors file in that folder.</p>'
    cells = "".join(
        f'<tr><th scope="row" title="{escape(row.path)}">{escape(row.name)}</th>'
        f"<td>{escape(_kind(row))}</td><td>{escape(row.family or row.what)}</td>"
        f"<td>{in_bytes(row.size)}</td><td>{escape(row.words)}</td></tr>"
        for row in rows[:_MOST]
    )
    more = (
        f'<p class="said">{len(rows) - _MOST} more are not shown.</p>' if len(rows) > _MOST else ""
    )
    return (
        '<div class="listed"><table><thead><tr><th scope="col">Name</th><th scope="col">Kind</th>'
        '<th scope="col">Family</th><th scope="col">Size</th><th scope="col">Words</th></tr>'
        f"</thead><tbody>{cells}</tbody></table></div>{more}"
    )


# --- for programs ----------------------------------------------------------------------------


def _endpoints(studio: Studio, form: Form, settings_of: Any) -> None:
    def models(folder: str = "", part: str = "") -> list[dict[str, Any]]:
        try:
            rows = [asdict(row) for row in _rows(studio, folder or "", part or "") or ()]
            # Gradio's client would fetch what a "path" names.
            return [{"file": row.pop("path")} | row for row in rows]
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def loaded() -> list[str]:
        return [_in_memory(studio)]

    told = {
        "folder": "Folder of models. Default: the one that the studio was opened with.",
        "part": "Only files with this in their names. Default: all.",
    }
    describe(
        *(models, "models", "List the files in the model folders, told from their headers."),
        *(told, "Each file with its path, name, kind, family and size.", ()),
    )
    describe(
        *(loaded, "loaded", "Say which model is in memory, where, and how much it takes."),
        *({}, "One line.", ()),
    )
    for function, inputs in ((models, [gr.Textbox(visible=False) for _ in told]), (loaded, [])):
        gr.Button(visible=False).click(
            function, inputs, gr.JSON(visible=False), api_name=function.__name__
        )

    def answer(job: Job) -> list[str]:
        return [note.text for note in job.notes]

    endpoint(
        *(studio, "load", form, settings_of, _title),
        does="Load another model, or the same with LoRAs, another autoencoder or precision; the "
        "one before leaves memory first. Later jobs are painted with it.",
        answer=answer,
        returns="What is in memory now.",
    )
