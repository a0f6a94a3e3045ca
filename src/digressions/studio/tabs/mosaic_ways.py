"""Ways into a finished mosaic, in the tab Mosaic: a film that falls into it, a page that flies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from ...errors import DigressionsError
from ...events import Event
from ...worlds.into_mosaic_spec import FallSpec, FlySpec
from ..endpoints import PRIVATE, endpoint
from ..forms import Form
from ..live import Live, Shared
from ..studio import Studio
from ..studio_job import Settings

_CACHE = ("cache", "cache_size", "batch_size")
_NAME = "The mosaic's folder, by its name in the folder of everything that is made."
_GAP = 12  # pixels between two pictures of the way


class Ways:
    """The forms and buttons; made where Gradio's context is, and wired by `begins`.

    Attributes:
        fall, fly: The forms, whose errors the panel of the tab shows.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        studio.jobs.learn("fall", lambda settings: _fall(studio, settings))
        studio.jobs.learn("fly", lambda settings: _fly(studio, settings))
        self.fall = Form(FallSpec, "fall", without=_CACHE)
        self.fly = Form(FlySpec, "fly", without=_CACHE)

    def show(self) -> None:
        """Puts them where Gradio's context is."""
        with gr.Accordion("Fall in: a film", open=False, elem_classes=["fold"]):
            self._way = gr.Image(
                label="The way in: click into the last picture to choose the next cell",
                interactive=False,
                height=300,
                buttons=[],
                elem_id="fall-way",
            )
            self.fall.add("into")
            with gr.Row(elem_classes=["pair"]):
                self.fall.add("levels", "seconds", min_width=120)
            with gr.Row(elem_classes=["pair"]):
                self.fall.add("frame_size", "fps", min_width=120)
            self.fall.add("reuse", "max_mb")
            self._fall_go = gr.Button("Fall in", elem_id="fall-go", elem_classes=["stop"])
        with gr.Accordion("Fly: a page without end", open=False, elem_classes=["fold"]):
            self.fly.add(*self.fly.declared)
            self._fly_go = gr.Button("Fly", elem_id="fly-go", elem_classes=["stop"])

    def begins(self, shared: Shared, live: Live) -> None:
        """Has the buttons ask for jobs, and the picture for cells."""
        into = self.fall.fields["into"]
        live.begins(
            *(shared, lambda values: self._settings(self.fall, values), _fall_title),
            *([live.chosen, *self.fall.inputs], self._fall_go, "fall"),
        )
        live.begins(
            *(shared, lambda values: self._settings(self.fly, values), _fly_title),
            *([live.chosen, *self.fly.inputs], self._fly_go, "fly"),
        )
        self._way.select(self._choose, [live.chosen, into], into, queue=False, **PRIVATE)
        gr.on(
            [into.change, live.chosen.change],
            self._look,
            [live.chosen, into],
            self._way,
            **PRIVATE,
        )

    def endpoints(self) -> None:
        """Both, for programs."""
        for kind, form, title, does in (
            ("fall", self.fall, _fall_title, "Make a film that falls into a finished mosaic."),
            ("fly", self.fly, _fly_title, "Make a page that flies into a finished mosaic."),
        ):
            endpoint(
                *(self._studio, kind, form, self._named(form), title),
                does=f"{does} Waits until it is finished.",
                before={"name": (gr.Textbox(visible=False), _NAME)},
                answer=lambda job: [str(job.saved[-1].path)],
                returns="The path of what was made, in a list.",
            )

    def _named(self, form: Form) -> Any:
        def settings_of(values: Sequence[Any]) -> dict[str, Any]:
            afar = self._studio.out / str(values[0]) / "preview.jpg"
            return self._settings(form, [str(afar), *values[1:]])

        return settings_of

    def _settings(self, form: Form, values: Sequence[Any]) -> dict[str, Any]:
        from ...generate.made_files import check_made
        from ...worlds.into_mosaic import world_of_mosaic

        chosen, *rest = values
        given = form.given(rest)
        form.spec.of(**given)
        folder = _mosaic_of(chosen)
        check_made(folder, self._studio.out)
        world_of_mosaic(folder)
        return {"mosaic": str(folder), "spec": given, "model": self._studio.chosen()}

    # --- the way -----------------------------------------------------------------------------

    def _look(self, chosen: str, into: str) -> Any:
        """The pictures on the way side by side; nothing where there is none."""
        try:
            views = self._views(chosen, into)
        except (DigressionsError, ValueError):  # what is typed is not whole yet
            return None
        gap = np.full((views[0].shape[0], _GAP, 3), 128, np.uint8)
        parts = [part for view in views for part in (view, gap)][:-1]
        return np.concatenate(parts, axis=1)

    def _choose(self, chosen: str, into: str, event: gr.SelectData) -> str:
        """The way with the cell that was clicked: of the first picture it begins anew."""
        from ...mosaics.stored import StoredMosaic
        from ...worlds.into_mosaic import cell_at

        views = self._views(chosen, into)
        high, wide = views[0].shape[:2]
        x, y = event.index[0], event.index[1]
        number, left = divmod(x, wide + _GAP)
        with StoredMosaic(_mosaic_of(chosen)) as stored:
            cell = cell_at(stored.grid, left / wide, y / high)
        return "/".join(map(str, [*_cells(into)[: int(number)], cell]))

    def _views(self, chosen: str, into: str) -> list[np.ndarray]:
        from ...worlds.into_mosaic import way_into

        return way_into(_mosaic_of(chosen), _cells(into))


def _cells(into: str) -> tuple[int, ...]:
    return FallSpec.of(into=into or "").first_cells


def _mosaic_of(chosen: str) -> Path:
    """The folder of the mosaic that is looked at."""
    folder = Path(chosen).parent
    if not chosen or Path(chosen).name != "preview.jpg":
        raise DigressionsError("there is no mosaic yet to go into: make one first")
    return folder


def _fall_title(settings: Mapping[str, Any]) -> str:
    return f"Fall into {Path(settings['mosaic']).name}"


def _fly_title(settings: Mapping[str, Any]) -> str:
    return f"Fly into {Path(settings['mosaic']).name}"


def _fall(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...worlds.into_mosaic import fall_into

    spec = FallSpec.of(**settings["spec"], cache=studio.out / "worlds.sqlite")
    yield from studio.model(settings["model"])
    yield from fall_into(studio.now, settings["mosaic"], spec, folder=studio.out)


def _fly(studio: Studio, settings: Settings) -> Iterator[Event]:
    from ...worlds.into_mosaic import fly_into

    spec = FlySpec.of(**settings["spec"], cache=studio.out / "worlds.sqlite")
    yield from studio.model(settings["model"])
    yield from fly_into(studio.now, settings["mosaic"], spec, folder=studio.out)
