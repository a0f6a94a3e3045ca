"""What `golden.py` asks for, made by the package: the one file of the two that knows its names.

Every function takes what is wanted in words of `golden.py` and returns arrays by their names there.
Whoever renames or moves something in the package ports this file; what it returns stays the same.
"""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

import digressions
from digressions.frames import filling
from digressions.frames.refine import Refinement
from digressions.frames.scene import paint_in
from digressions.geometry import Grid, Quad
from digressions.job import Job
from digressions.models import Model
from digressions.mosaics.hypermosaic import Hypermosaic
from digressions.mosaics.mosaic import Mosaic
from digressions.mosaics.primary import Primary
from digressions.mosaics.sharing import Sharing
from digressions.paint import batches, paint, sample
from digressions.pictures.metadata import Settings
from digressions.timing import retimed
from digressions.upscale import enlarge, load_upscaler
from digressions.worlds.cache import Cache
from digressions.worlds.genesis import WorldSettings, manifest_of, open_world
from tests.checkpoints import build

if TYPE_CHECKING:
    from benchmarks.golden import Arrays, Cells, Hung, Picture, Wall

SIDE = 64
BATCH = 6
FAMILIES = {
    "stable-diffusion": "sd",
    "v-prediction": "sd-v",
    "v-prediction, short of noise": "sd-v",
    "pooled-text": "sd-pooled",
    "kl-autoencoder": "sd-kl",
    "inpainting-network": "inpainting",
    "sdxl": "sdxl",
    "lcm": "lcm",
    "turbo": "turbo",
}
"""Names of `golden.py` to those of `tests.checkpoints.build`."""


def package() -> Path:
    """Where the package that paints here is."""
    return Path(digressions.__file__).parent


def checkpoint(name: str, folder: Path) -> Path:
    """The folder of a model in ``folder``; makes it unless it is there."""
    path = folder / name
    if not path.exists():
        if name == "bundled":
            shutil.copytree(package() / "weights", path)
        else:
            build(path, FAMILIES[name])
        if "short" in name:
            config = path / "scheduler" / "scheduler_config.json"
            changed = json.loads(config.read_text("utf-8")) | {"rescale_betas_zero_snr": False}
            config.write_text(json.dumps(changed), "utf-8")
    return path


def load(path: Path) -> Model:
    """On one core of the CPU."""
    return digressions.load(str(path), "cpu", "float32")


def paint_case(model: Model, pictures: Sequence[Picture]) -> Arrays:
    """Pictures of one list, in as few batches as the package makes of it."""
    model = retimed(model, pictures[0].timing)
    jobs = [job(picture) for picture in pictures]
    names = [f"picture {number}/" for number in range(1, len(jobs) + 1)]
    if len(jobs) == 1:
        names = [""]
    found: Arrays = {}
    for batch in batches(jobs, BATCH):
        *_, last = sample(model, [jobs[index] for index in batch])
        for row, index in enumerate(batch):
            found[f"{names[index]}latents"] = last.x[row].numpy()
    for painted in paint(model, jobs, batch_size=BATCH):
        found[f"{names[painted.job]}pixels"] = painted.image.numpy()
    return found


def job(picture: Picture) -> Job:
    """One picture as the package wants to be asked for it."""
    return Job(
        picture.prompt,
        seed=picture.seed,
        width=picture.width,
        height=picture.height,
        steps=picture.steps,
        guidance=picture.guidance,
        sampler=picture.sampler,
        negative=picture.negative,
        image=None if picture.image is None else _planes(picture.image),
        strength=picture.strength,
        mask=None if picture.mask is None else _planes(picture.mask[..., None]),
        anchor=picture.pull,
        band=picture.boxes,
        how=picture.way,
        regions=None if picture.regions is None else _planes(picture.regions),
        hole=picture.hole,
        rescale=picture.rescale,
        tiles=picture.windows,
    )


def _planes(image: np.ndarray) -> torch.Tensor:
    """``(H, W, C)`` uint8 to ``(C, H, W)`` in 0..1."""
    return torch.from_numpy(image / np.float32(255)).permute(2, 0, 1).contiguous()


def mosaic_case(model: Model, cells: Cells) -> Arrays:
    """The pictures of all cells in reading order, the picture of the whole, and the fidelity."""
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty) / "mosaic"
        sharing = Sharing(cells.few, cells.alike)
        made = Hypermosaic(model, _mosaic(cells), _primary(model, cells), folder, sharing)
        made.start()
        made.paint(batch_size=BATCH)
        fidelity = made.assemble()
        with closing(sqlite3.connect(folder / "pictures.sqlite")) as store:
            rows = store.execute("select png from pictures order by cell").fetchall()
        return {
            "primary/pixels": _pixels(folder / "primary.png"),
            "cells/pixels": np.stack([_pixels(io.BytesIO(png)) for (png,) in rows]),
            "fidelity/figures": np.array(fidelity, np.float64),
        }


def _pixels(file: Path | io.BytesIO) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def world_case(
    model: Model,
    cells: Cells,
    paths: Sequence[tuple[int, ...]],
    loop: tuple[int, ...] = (),
    deeper: tuple[str, ...] = (),
) -> Arrays:
    """Pictures and canvases of an endless world by the cells that lead to them."""
    grown = WorldSettings(_primary(model, cells), _mosaic(cells), deeper)
    found: Arrays = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder) / "worlds.sqlite")
        manifest = manifest_of(model, grown)
        world = open_world(manifest, model, grown.primary, cache, batch_size=BATCH)
        if loop:
            world = world.looped(loop)
        pictures, canvases = world.pictures(paths), world.canvases(paths)
        for path in paths:
            name = "in " + "-".join(map(str, path)) if path else "root"
            found[f"{name}, picture/pixels"] = pictures[path]
            found[f"{name}, canvas/pixels"] = canvases[path]
            if path:
                found[f"{name}, error in the band/figures"] = np.array([world.residual(path)])
        cache.close()
    return found


def _mosaic(cells: Cells) -> Mosaic:
    return Mosaic(
        cells.prompt,
        grid=Grid(cells.columns, cells.rows),
        side=SIDE,
        strength=cells.strength,
        steps=cells.steps,
        guidance=cells.guidance,
        sampler=cells.sampler,
        seed=14,
        band=cells.band,
        anchor=cells.pull,
        enlarge=cells.enlarged,
        how=cells.way,
    )


def _primary(model: Model, cells: Cells) -> Primary:
    given = None if cells.image is None else {"path": "photo.png", "sha256": str(cells.start)}
    return Primary(_settings(model, cells.prompt, image=given), cells.image, "lanczos")


def frame_case(model: Model, wall: Wall, hung: Hung) -> Arrays:
    """A frame filled: what the model sees, what it paints, that finished, and on the wall."""
    place = filling.Place(Quad.of(wall.corners), wall.aspect, lit=hung.blank, room=hung.around)
    wish = filling.candidate_settings(
        _settings(
            model,
            hung.prompt,
            strength=hung.strength,
            hole=hung.hole,
            timing=hung.timing,
            palette={"colours": list(hung.colours)} if hung.colours else None,
        ),
        model,
        place,
    )
    seen = filling.scene_of(model, wall.pixels, wish)
    painted = paint_in(retimed(model, hung.timing), seen, filling.job_of_scene(seen, wish))
    plan = None if hung.again is None else Refinement(hung.again, strength=0.6, scale=1.5)
    size = filling.finished_size(place, None)
    last = filling.picture_settings(wish, size, "lanczos", plan)
    own = filling.repainted(model, painted, last)
    whole = enlarge(own, *size, load_upscaler("lanczos"))
    mask = wall.free if hung.covered else None
    return {
        "seen/pixels": seen.pixels,
        "painted/pixels": painted,
        "repainted/pixels": own,
        "finished/pixels": whole,
        "room/pixels": filling.hung(wall.pixels, mask, [filling.Filled(whole, last)]),
    }


def _settings(model: Model, prompt: str, **more: Any) -> Settings:
    usual = {"seed": 21, "steps": 6, "sampler": "ddim", "guidance": 1.5}
    size = {"width": SIDE, "height": SIDE}
    return Settings("paint", prompt, model.name, model.hash, **usual, **size, **more)
