"""`Studio`: what every tab works with: the queue, the loaded model, and where files go."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from ..events import Event, Progress
from ..files import slug
from ..generate.model_params import ModelParams
from .jobs import Jobs
from .studio_spec import StudioSpec

if TYPE_CHECKING:
    from ..generate.preview_pace import PreviewPace
    from ..generate.previews import LatentColours, PaintPreviews
    from ..models.base import Model

_PATIENCE = 4.0  # seconds that the page has to come before the model is loaded
PREVIEW_EVERY = 0.5  # seconds between two previews, at least
PREVIEW_SHARE = 0.02
"""Of the time of a job that making previews may take; showing them in a page takes as much more."""


class Reach(NamedTuple):
    """Who reaches a studio, and how far.

    Attributes:
        hosts: Names that it answers to besides this machine's own.
        framed_by: Addresses of sites that may show its page within theirs.
        left_out: Names of tabs that it does not have.
        largest_upload: In bytes.
    """

    hosts: Sequence[str] = ()
    framed_by: Sequence[str] = ()
    left_out: Sequence[str] = ()
    largest_upload: int = 256 * 2**20


class Studio:
    """The state behind the page.

    Attributes:
        reach: Who reaches it; this machine alone, unless a subclass says otherwise.
        spec: How it was opened.
        out: Folder of everything that is made, absolute.
        jobs: The queue.
        model_params: Of the model that jobs are asked with from now on.
        page_seen: Set when somebody has the page in a browser.
    """

    reach = Reach()

    def __init__(self, spec: StudioSpec, model_params: ModelParams) -> None:
        self.spec = spec
        self.out = spec.out.absolute()
        self.own = self.out / ".studio"
        self.model_params = model_params
        self.jobs = Jobs(self.own / "jobs")
        self._loaded: tuple[str, Model, LatentColours] | None = None
        self._loading = threading.Lock()
        self.page_seen = threading.Event()

    @property
    def in_memory(self) -> Model | None:
        """The model that is in memory; while another is loaded, none."""
        return None if self._loaded is None else self._loaded[1]

    @property
    def uploads(self) -> Path:
        """Keeps the pictures that were given to the page: what was made of them replays."""
        return self.own / "uploads"

    def chosen(self) -> dict[str, Any]:
        """The model's parameters, for the settings of a job."""
        return self.model_params.given()

    def open(self) -> None:
        """Begins to work, and loads the model while the page is being read: importing what it needs
        would keep the page from coming, so that has come first, if anybody asks for it. What is
        wrong with the model, its jobs say."""
        from ..errors import DigressionsError

        self.jobs.start()
        self.page_seen.wait(_PATIENCE)
        try:
            self._load(self.chosen())
        except DigressionsError:
            return

    def model(self, params: dict[str, Any]) -> Iterator[Event]:
        """Has the model of a job loaded, as a use case: ``yield from`` it, then use `now`."""
        if self._loaded is None or self._loaded[0] != _key(params):
            yield Progress("loading the model", 0)
        self._load(params)

    def switch(self, params: dict[str, Any], before: dict[str, Any]) -> Iterator[Event]:
        """Has another model in memory, as a use case, once jobs are asked with it (`choose`).

        Args:
            before: What jobs were asked with before it, and are again where it cannot be loaded.
        """
        from ..errors import DigressionsError

        try:
            yield from self.model(params)
        except DigressionsError:
            if self.chosen() == params:
                self.choose(before)
            raise

    def choose(self, params: dict[str, Any]) -> None:
        """Has jobs asked with another model from now on."""
        self.model_params = ModelParams.of(**params)

    def loader(self, name: str, dtype: str | None, **additions: Any) -> Model:
        """Loads the model of a file that is made again, as `api.replay` asks; the one in memory
        stays the one in memory where it serves."""
        given = {key: value for key, value in additions.items() if key != "named"}
        params = self.model_params.but(
            model=name, dtype=self.model_params.dtype or dtype, **given
        ).given()
        if additions.get("named"):
            from ..models.loading import load

            return load(**ModelParams.of(**params).arguments(), named=additions["named"])
        self._load(params)
        return self.now

    @property
    def now(self) -> Model:
        """The model in memory."""
        assert self._loaded is not None  # `model` comes first
        return self._loaded[1]

    def previews(self) -> PaintPreviews:
        """What painting with the model in memory shows after a step, at most twice a second and for
        a small share of the time."""
        from ..generate.previews import PaintPreviews

        assert self._loaded is not None
        return PaintPreviews(self._loaded[2], PREVIEW_EVERY, PREVIEW_SHARE)

    def preview_pace(self) -> PreviewPace:
        """The same pace, for work that no model does."""
        from ..generate.preview_pace import PreviewPace

        return PreviewPace(PREVIEW_EVERY, PREVIEW_SHARE)

    def address(self, path: Path) -> str:
        """Of a page among what is made, as a browser asks for it; it may read what is beside it."""
        return f"/made/{quote(path.relative_to(self.out).as_posix())}"

    def place(self, name: str, suffix: str) -> Path:
        """A free file among what is made, named after a text; nor does anything have its name that
        another kind of file stands beside, such as a proof."""
        from ..files import numbered

        usual = self.out / f"{slug(name)}{suffix}"
        taken = [path.name for path in self.out.iterdir()]

        def is_free(path: Path) -> bool:
            alike = re.compile(rf"{re.escape(path.stem)}(\.|-\D|$)")
            return not any(alike.match(each) for each in taken)

        return next(filter(is_free, numbered(usual)))

    def _load(self, params: dict[str, Any]) -> None:
        with self._loading:
            if self._loaded is not None and self._loaded[0] == _key(params):
                return
            from ..generate.previews import LatentColours
            from ..models.loading import load
            from ..models.runtime import release_memory

            if self._loaded is not None:  # the old one's memory goes before the new one comes
                device, self._loaded = self._loaded[1].device, None
                release_memory(device)
            model = load(**ModelParams.of(**params).arguments())
            self._loaded = (_key(params), model, LatentColours.of(model))

    def has(self, model: Model, colours: LatentColours) -> None:
        """Takes a model that is loaded already, as the one that jobs are asked with."""
        self._loaded = (_key(self.chosen()), model, colours)


def _key(params: dict[str, Any]) -> str:
    return ModelParams.of(**params).json_line()
