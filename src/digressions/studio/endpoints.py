"""What a tab does, for programs: named endpoints and MCP tools, described by the declarations."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import gradio as gr

from ..errors import DigressionsError, in_words
from ..generate.declare import default_in_words
from .forms import Form
from .studio import Studio
from .studio_job import Job

PROGRAM = "program"
"""The page of jobs that no page of a browser has asked for."""
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""How an event of the page is wired that is no endpoint and shows nothing while it is at work."""


def endpoint(
    studio: Studio,
    kind: str,
    form: Form,
    settings_of: Callable[[Sequence[Any]], Mapping[str, Any]],
    title_of: Callable[[Mapping[str, Any]], str],
    *,
    does: str,
    before: Mapping[str, tuple[Any, str]] | None = None,
    answer: Callable[[Job], list[str]] | None = None,
    returns: str = "The paths of the files that were made.",
) -> None:
    """An endpoint that does what the button of a tab does, and answers with the files when the job
    is over.

    Args:
        kind: Of the job, and the endpoint's name.
        form: Whose fields are its parameters.
        settings_of, title_of: As of `live.Live.begins`, of the values of ``before`` and the form.
        does: What it does, in a sentence or two.
        before: Parameters that stand before the form's: a component and a description of each.
        answer: Gives lines instead of files, for a job that makes none.
        returns: What comes back, in words.
    """

    async def run(*values: Any) -> Any:
        try:
            studio.jobs.check(values)
            settings = await asyncio.to_thread(settings_of, values)
            job = studio.jobs.submit(PROGRAM, kind, settings, title_of(settings))
        except DigressionsError as error:
            raise gr.Error(str(error), print_exception=False) from None
        await over(job)
        if job.state != "finished":
            why = "it was cancelled" if job.error is None else str(job.error)
            raise gr.Error(why, print_exception=False)
        return answer(job) if answer else [str(s.path) for s in job.saved if s.path.is_file()]

    others = before or {}
    told = {name: text for name, (_, text) in others.items()}
    told |= {name: _described(form, name) for name in form.fields}
    needed = {*others, *(name for name in form.fields if form.declared[name].is_required())}
    describe(run, kind, does, told, returns, needed)
    if answer is None:
        shown = gr.File(visible=False, file_count="multiple", label="Files")
    else:
        shown = gr.JSON(visible=False, label="Lines")
    gr.Button(visible=False).click(
        run,
        [*(field for field, _ in others.values()), *form.inputs],
        shown,
        api_name=kind,
        concurrency_limit=None,
    )


async def over(job: Job) -> None:
    """Waits until a job is over, through every pause."""
    while not job.is_over:
        await asyncio.sleep(0.1)


def describe(
    function: Any,
    name: str,
    does: str,
    parameters: Mapping[str, str],
    returns: str,
    needed: Collection[str],
) -> None:
    """Gives a function of any values a name, names of parameters and a description.

    Args:
        parameters: A description of each, in order.
        needed: Those that must be given.
    """
    kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    names = [
        inspect.Parameter(name, kind, default=empty if name in needed else None)
        for name in parameters
    ]
    names.sort(key=lambda each: each.default is not empty)
    assert [each.name for each in names] == list(parameters), "what is needed stands first"
    function.__name__ = name  # which MCP calls the tool
    function.__signature__ = inspect.Signature(names, return_annotation=list[str])
    lines = [f"    {name}: {text}" for name, text in parameters.items()]
    function.__doc__ = "\n".join([does, "", "Args:", *lines, "", "Returns:", f"    {returns}"])


def _described(form: Form, name: str) -> str:
    info = form.declared[name]
    default = default_in_words(info)
    text = in_words(" ".join(str(info.description).split()), str)
    return f"{text} Default: {default}." if default else text
