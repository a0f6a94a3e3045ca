"""What of text and JSON `fuzz.py` feeds: settings, notes, manifests, prompts, checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from digressions.errors import DigressionsError

from .fuzz_damage import Reader, damaged_json, damaged_text

PROMPTS = {"p.txt": b"(a frog:1.2) AND [a fox:a [red|blue] hat:0.4] :0.7 @0.3-1 AND x"}


def settings(**changes: object) -> Any:
    from digressions.pictures.metadata import Settings

    fields = {"command": "paint", "prompt": "photo of a (frog:1.2)", "model": "bundled"}
    fields |= {"model_hash": "", "seed": 7, "steps": 4, "sampler": "ddim", "guidance": 1.5}
    return Settings(**(fields | {"width": 64, "height": 64} | changes))


def _cells() -> Any:
    from digressions.geometry import Grid
    from digressions.mosaics.mosaic import Mosaic

    return Mosaic("photo of a frog", Grid(8, 8), 64, 0.8, 4, 1.0, "ddim", 0)


def _remembered() -> dict[str, bytes]:
    """Settings of every command, as files remember them."""
    cells = json.loads(_cells().job())
    film = {"cells": cells, "deeper": ["a rose"], "reuse": 16, "loop": [1, 2], "size": "64x64"}
    frame = {"opening": [0, 0, 9, 0, 9, 9, 0, 9], "aspect": 1.0, "lit": True, "room": 0.5}
    origin = {"path": "a.png", "sha256": "0" * 64}
    every = {
        "paint": settings(palette={"colours": ["navy", "#fff"]}, strength=0.5),
        "regions": settings(
            prompt="a frog AND a fox", regions=[{"name": "left"}, origin], soft=0.1, rescale=0.2
        ),
        "zoom": settings(extra={"zoom": film | {"fps": 8, "count": 8}}),
        "mosaic": settings(extra={"mosaic": cells, "sharing": {"reuse": 3, "merge_similar": None}}),
        "frame": settings(image=origin, mask=origin, extra={"frame": frame, "enlarge": 2}),
    }
    return {
        f"{name}.json": json.dumps(dataclasses.asdict(settings) | {"command": name}).encode()
        for name, settings in every.items()
    }


def _settings_reader(folder: Path) -> Callable[[Path], None]:
    from digressions.loading import load

    model = load("bundled", "cpu", "float32")

    def read(path: Path) -> None:
        from digressions.frames.filling import place_of
        from digressions.job import check, job_of
        from digressions.pictures.metadata import KEY, from_text, to_text
        from digressions.pictures.palette import palette_again
        from digressions.replay import enlarged, mosaic_again, regions_of, started_from
        from digressions.worlds.flight import flight_from
        from digressions.worlds.genesis import manifest_of

        settings = from_text({KEY: path.read_bytes().decode("utf-8", "replace")}, str(path))
        text = to_text(settings)
        with contextlib.suppress(DigressionsError):
            from_text({"parameters": text["parameters"]}, str(path))
        if settings.palette is not None:
            palette_again(settings.palette)
        if "zoom" in settings.extra:
            flight = flight_from(settings, None)
            manifest_of(model, flight.world)
        elif "mosaic" in settings.extra:
            mosaic_again(model, settings, folder / "none")
        elif "frame" in settings.extra:
            place_of(settings)
            enlarged(np.zeros((2, 2, 3), np.uint8), settings)
            started_from(settings)
        else:
            if settings.width * settings.height < 1_000_000:
                regions_of(settings)
            check(model, job_of(settings))

    return read


def _read_notes(path: Path) -> None:
    """The notes of what was made of files."""
    from digressions.frames.again import find_again, hang_again
    from digressions.prints.order import from_note
    from digressions.replay import upscaled_again

    text = path.read_bytes().decode("utf-8", "replace")
    for read in (
        find_again,
        hang_again,
        lambda words: upscaled_again(words, lambda image, *_: image),
    ):
        with contextlib.suppress(DigressionsError):
            read(text)
    with contextlib.suppress(ValueError, RecursionError):  # `print_again` reads the JSON itself
        from_note(json.loads(text))


def _notes() -> dict[str, bytes]:
    origin = {"path": "/nowhere.png", "sha256": "0" * 64}
    sheet = {"trim_mm": [100, 150], "dpi": 300, "bleed_mm": 3, "safe_mm": 3, "mat_mm": 0}
    order = {"marks": True, "icc": None, "upscaler": None, "intent": None, "fit": "fill"}
    hung = [{"opening": [0, 0, 9, 0, 9, 9, 0, 9], "picture": origin, "lit": True, "aspect": 1.0}]
    found = {"score": 1.0, "reasons": {"empty": 1.0}, "aspect": 1.0, "aspect_error": 0.1}
    found |= {"opening": hung[0]["opening"], "outer": hung[0]["opening"], "standard": None}
    return {
        "print.json": json.dumps(sheet | order | {"edge": "mirror"}).encode(),
        "upscale.json": json.dumps({"image": origin, "size": [8, 8], "upscaler": "x"}).encode(),
        "found.json": json.dumps({"photo": origin, "frames": [found]}).encode(),
        "hung.json": json.dumps({"photo": origin, "mask": None, "hung": hung}).encode(),
    }


def _folder_reader(folder: Path, kind: str) -> Callable[[Path], None]:
    """Reads a file as the manifest of a folder of some kind."""
    from digressions.mosaics.manifest import difference, read_manifest

    def read(path: Path) -> None:
        here = folder / kind.replace(" ", "-")
        here.mkdir(exist_ok=True)
        shutil.copyfile(path, here / "manifest.json")
        found = read_manifest(here, kind)
        if found is not None:
            difference(found, {"job": {"grid": "8x8", "world": {"cells": 3}}})

    return read


def _read_prompt(path: Path) -> None:
    from digressions.ensembles.ensemble import HOW, voices
    from digressions.prompts import parse

    ensemble = parse(path.read_bytes().decode("utf-8", "surrogatepass"))
    parse(str(ensemble))
    for how in HOW:
        with contextlib.suppress(DigressionsError):
            voices(ensemble, how, 7)


def _checkpoint_reader(folder: Path) -> tuple[dict[str, bytes], Callable[[Path], None]]:
    """The files of a small checkpoint, each in turn the damaged one."""
    from digressions.loading import load

    from .checkpoints import build

    whole = build(folder / "checkpoint", "sd")
    (whole / "digressions.json").write_text(json.dumps({"sampler": "ddim", "steps": 4}))
    names = [path for path in sorted(whole.rglob("*.json")) if path.stat().st_size < 20_000]
    seeds = {str(p.relative_to(whole)).replace("/", "+"): p.read_bytes() for p in names}

    def read(path: Path) -> None:
        here = whole / path.name.replace("+", "/")
        before = here.read_bytes()
        here.write_bytes(path.read_bytes())
        try:
            load(str(whole), "cpu", "float32")
        finally:
            here.write_bytes(before)

    return seeds, read


def _manifest(kind: str) -> Callable[[Path], Reader]:
    note = {"format": 1, "kind": f"digressions {kind}", "job": {"grid": "8x8", "world": {}}}
    seeds = {"manifest.json": json.dumps(note).encode()}
    return lambda folder: Reader(seeds, _folder_reader(folder, kind), damaged_json)


TEXTS: dict[str, Callable[[Path], Reader]] = {
    "settings": lambda folder: Reader(_remembered(), _settings_reader(folder), damaged_json),
    "notes": lambda _: Reader(_notes(), _read_notes, damaged_json),
    "mosaic": _manifest("mosaic"),
    "site": _manifest("finite world"),
    "prompt": lambda _: Reader(PROMPTS, _read_prompt, damaged_text),
    "checkpoint": lambda folder: Reader(*_checkpoint_reader(folder), damaged_json),
}
"""Readers by name; made in a folder of their own."""
