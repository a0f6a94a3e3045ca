"""What of text and JSON `fuzz.py` feeds: settings, notes, manifests, prompts, checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from digressions.errors import DigressionsError, OutputError, StoppedError

from .fuzz_damage import Reader, damaged_json, damaged_text
from .jobs import plain_mosaic

if TYPE_CHECKING:
    from digressions.generate.metadata import Record
    from digressions.models.base import Model

PROMPTS = {"p.txt": b"(a frog:1.2) AND [a fox:a [red|blue] hat:0.4] :0.7 @0.3-1 AND x"}
LARGEST = 1_000_000  # pixels of a picture whose start is made: more takes long, and is no mistake


def record(**changes: object) -> Record:
    from digressions.generate.metadata import Record
    from digressions.generate.params import ResolvedParams

    params = ResolvedParams(
        prompt="photo of a (frog:1.2)",
        seed=7,
        size=64,
        steps=4,
        sampler="ddim",
        guidance=1.5,
        strength=0.5,
        guidance_rescale=0.2,
    )
    return Record(**{"kind": "picture", "params": params, "model": "bundled"} | changes)


def _photo(folder: Path) -> dict[str, str]:
    """A small photo in a folder, as what is made of it remembers it."""
    from digressions.images.source_image import source_image

    y, x = np.mgrid[0:48, 0:64]
    path = folder / "photo.png"
    Image.fromarray(np.stack([x * 3, y * 4, x + y], -1).astype(np.uint8)).save(path)
    return source_image(path).origin


def _remembered(folder: Path) -> dict[str, bytes]:
    """The settings of every kind of painted file."""
    from digressions.frames.frame_records import Opening, PictureDetails, RoomDetails, with_details
    from digressions.mosaics.mosaic_spec import SharingParams
    from digressions.worlds.film import FilmDetails

    photo, plain = _photo(folder), record()
    regions = record(
        params=plain.params.but(prompt="a frog AND a fox", size=(64, 48)),
        regions=[{"name": "left"}, photo],
        region_softness=0.1,
    )
    cells = plain_mosaic(plain.params.but(steps=1), (8, 8))
    mosaic = {"mosaic": cells.json_object(), "sharing": SharingParams(reuse=3).json_object()}
    flight = {"loop": (1, 2), "size": (64, 64), "fps": 8, "count": 8, "max_mb": 0.5}
    film = FilmDetails(cells=cells, deeper=("a rose",), reuse=16, **flight)
    corners = [[8, 8], [40, 9], [39, 30], [9, 29]]
    opening = Opening(corners=corners, aspect=1.4, lit=True, room=0.5)
    masked = plain.but(image=photo, palette={"colours": ["navy", "#fff"]})
    painted = PictureDetails(
        made="picture", opening=opening, size=(64, 48), refine=plain.params.but(strength=0.3)
    )
    candidate = PictureDetails(made="candidate", opening=opening)
    framed = with_details(masked, painted, enlarge=2, upscaler="lanczos")
    every = {
        "picture": masked.but(mask=photo),
        "regions": regions,
        "mosaic": plain.but(kind="mosaic", upscaler="lanczos", details=mosaic),
        "base-image": plain.but(kind="base image", details={"enlarged": [96, 64]}),
        "film": plain.but(kind="film", upscaler="lanczos", details=film.json_object()),
        "candidate": with_details(masked, candidate),
        "framed": framed,
        "room": with_details(masked, RoomDetails(pictures=[framed])),
    }
    return {f"{name}.json": each.to_text()["digressions"].encode() for name, each in every.items()}


def unpainting(model: Model) -> Model:
    """The same model, which stops as soon as it is to paint: everything is read by then."""
    from digressions.models.stable_diffusion import StableDiffusion

    class Unpainting(StableDiffusion):
        def network(self, *_: object) -> Any:
            raise StoppedError("the reading is over")

        def encode(self, _: object) -> Any:
            raise StoppedError("the reading is over")

    fields = dataclasses.fields(model)
    return Unpainting(**{field.name: getattr(model, field.name) for field in fields})


def _replay(place: Path, text: dict[str, str], model: Model | None) -> None:
    """Shows what a file with these texts remembers, and makes it again up to where something is
    painted."""
    from digressions.images.image_files import write_image
    from digressions.replaying import remembered, replay

    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    file = write_image(place / "file.png", np.zeros((8, 8, 3), np.uint8), text)
    with contextlib.suppress(DigressionsError):
        list(remembered(file))
    with contextlib.chdir(place), contextlib.suppress(StoppedError):
        for _ in replay(file, lambda *_, **__: model):
            pass


def _settings_reader(folder: Path) -> Callable[[Path], None]:
    from digressions.generate.metadata import KEY
    from digressions.generate.record_reading import record_of
    from digressions.models.loading import load

    model = unpainting(load("bundled", "cpu", "float32"))

    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "replace")
        found = record_of({KEY: text}, str(path))
        with contextlib.suppress(DigressionsError):
            record_of({"parameters": found.to_text()["parameters"]}, str(path))
        if found.params.size.pixels <= LARGEST:
            _replay(folder / "replay", {KEY: text}, model)

    return read


def _notes_reader(folder: Path) -> Callable[[Path], None]:
    """Reads the notes of what was made of files, without a model."""
    from digressions.prints.print_job import PrintJob

    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "replace")
        if path.stem == "print":  # the picture is missing: the rest is read by itself
            with contextlib.suppress(ValueError, RecursionError):
                PrintJob.from_remembered(json.loads(text))
        _replay(folder / "replay", {path.stem: text}, None)

    return read


def _notes(folder: Path) -> dict[str, bytes]:
    photo, nowhere = _photo(folder), {"path": "/nowhere.png", "sha256": "0" * 64}
    sheet = {"trim_mm": [100, 150], "dpi": 300, "bleed_mm": 3, "safe_mm": 3, "mat_mm": 0}
    how = {"marks": True, "icc": None, "upscaler": "lanczos", "intent": None, "fit": "cover"}
    opening = [[8, 8], [40, 9], [39, 30], [9, 29]]
    hung = [{"opening": opening, "picture": photo, "lit": True, "aspect": 1.4}]
    found = {"score": 1.0, "reasons": {"empty": 1.0}, "aspect": 1.4, "aspect_error": 0.1}
    found |= {"opening": opening, "outer": opening, "standard": None}
    notes = {
        "print": {"image": nowhere} | sheet | how | {"edge": "mirror"},
        "upscale": {"image": nowhere, "size": [80, 60], "upscaler": "lanczos"},
        "found": {"photo": photo, "frames": [found]},
        "frame": {"photo": photo, "mask": None, "hung": hung},
    }
    return {f"{name}.json": json.dumps(note).encode() for name, note in notes.items()}


def _folder_reader(folder: Path, kind: str) -> Callable[[Path], None]:
    """Reads a file as the manifest of a folder of some kind."""
    from digressions.mosaics.store import check_same_job, read_manifest

    def read(path: Path) -> None:
        here = folder / kind.replace(" ", "-")
        here.mkdir(exist_ok=True)
        shutil.copyfile(path, here / "manifest.json")
        found = read_manifest(here, kind)
        if found is not None:
            with contextlib.suppress(OutputError):  # it is of another job
                check_same_job(here, found, {"grid": "8x8", "world": {"cells": 3}})

    return read


def _read_prompt(path: Path) -> None:
    from digressions.prompts.parse import parse
    from digressions.prompts.scheduling import COMBINE_HELP, sub_prompts

    ensemble = parse(path.read_bytes().decode("utf-8", "surrogatepass"))
    parse(str(ensemble))
    for combine in COMBINE_HELP:
        with contextlib.suppress(DigressionsError):
            sub_prompts(ensemble, combine, 7)


def _checkpoint_reader(folder: Path) -> tuple[dict[str, bytes], Callable[[Path], None]]:
    """The files of a small checkpoint, each in turn the damaged one."""
    from digressions.models.loading import load

    from .checkpoints import build

    whole = build(folder / "checkpoint", "sd")
    (whole / "digressions.json").write_text(json.dumps({"sampler": "ddim", "steps": 4}))
    names = [path for path in sorted(whole.rglob("*.json")) if path.stat().st_size < 20_000]
    seeds = {str(p.relative_to(whole)).replace("/", "+"): p.read_bytes() for p in names}

    def read(path: Path) -> None:
        here = whole / path.name.replace("+", "/")
        with _put_back(here):
            here.write_bytes(path.read_bytes())
            load(str(whole), "cpu", "float32")

    return seeds, read


@contextlib.contextmanager
def _put_back(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(before)


def _manifest(kind: str) -> Callable[[Path], Reader]:
    note = {"format": 1, "kind": f"digressions {kind}", "job": {"grid": "8x8", "world": {}}}
    seeds = {"manifest.json": json.dumps(note).encode()}
    return lambda folder: Reader(seeds, _folder_reader(folder, kind), damaged_json)


TEXTS: dict[str, Callable[[Path], Reader]] = {
    "settings": lambda folder: Reader(_remembered(folder), _settings_reader(folder), damaged_json),
    "notes": lambda folder: Reader(_notes(folder), _notes_reader(folder), damaged_json),
    "mosaic": _manifest("mosaic"),
    "site": _manifest("finite world"),
    "prompt": lambda _: Reader(PROMPTS, _read_prompt, damaged_text),
    "checkpoint": lambda folder: Reader(*_checkpoint_reader(folder), damaged_json),
}
"""Readers by name; made in a folder of their own."""
