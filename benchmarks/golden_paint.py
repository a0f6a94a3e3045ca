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
from digressions.events import completed
from digressions.frames.candidates import hung as hung_pictures
from digressions.frames.finishing import finished_size, refined_size
from digressions.frames.frame_records import Opening, PictureDetails, with_details
from digressions.frames.scene import layout, scene_of
from digressions.generate.job import Job
from digressions.generate.metadata import Record
from digressions.generate.paint import Painted, batches, paint_jobs, sample_batch
from digressions.generate.params import ResolvedParams, SourceFile
from digressions.generate.pictures import Picture as PaintedPicture
from digressions.generate.windows import painted_alone, repainted
from digressions.geometry import Grid
from digressions.homography import Quad
from digressions.images.colour import palette_of_colours
from digressions.images.source_image import source_image
from digressions.images.upscale import enlarge, load_upscaler
from digressions.models.base import Model
from digressions.mosaics.base_image import BaseImage
from digressions.mosaics.build import make_mosaic
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.folder import MosaicPlan
from digressions.mosaics.mosaic_spec import Mosaic, SharingParams
from digressions.worlds.cache import Cache
from digressions.worlds.opening import ResolvedWorld, open_world
from tests.checkpoints import build

if TYPE_CHECKING:
    from benchmarks.golden import Arrays, Cells, Hung, Picture, Wall

SIDE = 64
BATCH = 6
TIMESTEPS: dict[str, dict[str, Any]] = {
    "published": {"timestep_spacing": None, "zero_snr": False},
    "trailing": {"timestep_spacing": "trailing", "zero_snr": False},
    "zero-snr": {"timestep_spacing": None, "zero_snr": True},
}
"""Timings of `golden.py` as parameters."""
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
    jobs = [job(picture) for picture in pictures]
    names = [f"picture {number}/" for number in range(1, len(jobs) + 1)]
    if len(jobs) == 1:
        names = [""]
    found: Arrays = {}
    for batch in batches(jobs, BATCH):
        *_, last = sample_batch(model, [jobs[index] for index in batch])
        for row, index in enumerate(batch):
            found[f"{names[index]}latents"] = last.x[row].numpy()
    for painted in paint_jobs(model, jobs, batch_size=BATCH):
        if isinstance(painted, Painted):
            found[f"{names[painted.job]}pixels"] = painted.image.numpy()
    return found


def job(picture: Picture) -> Job:
    """One picture as the package wants to be asked for it."""
    params = ResolvedParams(
        prompt=picture.prompt,
        seed=picture.seed,
        size=(picture.width, picture.height),
        steps=picture.steps,
        guidance=picture.guidance,
        sampler=picture.sampler,
        negative=picture.negative,
        strength=picture.strength,
        combine=picture.way,
        masked_content="original" if picture.hole == "picture" else picture.hole,
        guidance_rescale=picture.rescale,
        **TIMESTEPS[picture.timing],
    )
    return Job(
        params,
        image=None if picture.image is None else _planes(picture.image),
        mask=None if picture.mask is None else _planes(picture.mask[..., None]),
        anchor=picture.pull,
        band=picture.boxes,
        regions=None if picture.regions is None else _planes(picture.regions),
        tiles=picture.windows,
    )


def _planes(image: np.ndarray) -> torch.Tensor:
    """``(H, W, C)`` uint8 to ``(C, H, W)`` in 0..1."""
    return torch.from_numpy(image / np.float32(255)).permute(2, 0, 1).contiguous()


def mosaic_case(model: Model, cells: Cells) -> Arrays:
    """The pictures of all cells in reading order, the picture of the whole, and the fidelity."""
    sharing = SharingParams(reuse=cells.few, merge_similar=cells.alike)
    plan = MosaicPlan(_mosaic(cells), _base(model, cells), sharing)
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty) / "mosaic"
        *_, last = make_mosaic(model, plan, folder, BuildParams(batch_size=BATCH))
        with closing(sqlite3.connect(folder / "pictures.sqlite")) as store:
            rows = store.execute("select png from pictures order by cell").fetchall()
        return {
            "primary/pixels": _pixels(folder / "base.png"),
            "cells/pixels": np.stack([_pixels(io.BytesIO(png)) for (png,) in rows]),
            "fidelity/figures": np.array([*last.details["fidelity"].values()], np.float64),
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
    grown = ResolvedWorld(_base(model, cells), _mosaic(cells), deeper)
    found: Arrays = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder) / "worlds.sqlite")
        world = open_world(model, grown, cache, batch_size=BATCH)
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
    params = ResolvedParams(
        prompt=cells.prompt,
        size=SIDE,
        strength=cells.strength,
        steps=cells.steps,
        guidance=cells.guidance,
        sampler=cells.sampler,
        seed=14,
        combine=cells.way,
    )
    return Mosaic(
        params=params,
        grid=Grid(cells.columns, cells.rows),
        band=cells.band,
        anchor=cells.pull,
        mirror=0.0,
        enlarge=cells.enlarged,
        upscaler="lanczos",
    )


def _base(model: Model, cells: Cells) -> BaseImage:
    params = ResolvedParams(
        prompt=cells.prompt,
        seed=21,
        steps=6,
        sampler="ddim",
        guidance=1.5,
        size=SIDE,
        strength=1.0,
    )
    image = None
    if cells.image is not None:
        image = SourceFile(path="photo.png", sha256=str(cells.start))
    record = Record(
        kind="picture", params=params, model=model.name, model_hash=model.hash, image=image
    )
    start = None if cells.image is None else source_image(cells.image)
    return BaseImage(record, start, "lanczos")


def frame_case(model: Model, wall: Wall, hung: Hung) -> Arrays:
    """A frame filled: what the model sees, what it paints, that finished, and on the wall."""
    opening = Opening(
        corners=Quad.of(wall.corners), aspect=wall.aspect, lit=hung.blank, room=hung.around
    )
    where = layout(opening.aspect, opening.room, model.size, model.vae_scale_factor)
    params = ResolvedParams(
        prompt=hung.prompt,
        seed=21,
        steps=6,
        sampler="ddim",
        guidance=1.5,
        size=where.canvas,
        strength=hung.strength,
        masked_content="original" if hung.hole == "picture" else hung.hole,
        **TIMESTEPS[hung.timing],
    )
    refine = None
    if hung.again is not None:
        published = params.but(**TIMESTEPS["published"])  # as it was when these were recorded
        width, height = where.opening.size
        size = refined_size(width / height, 1.5, model.size)
        refine = published.but(prompt=hung.again, strength=0.6, masked_content=None, size=size)
    palette = palette_of_colours(hung.colours) if hung.colours else None
    seen = scene_of(model, wall.pixels, opening, params, palette)
    painted = seen.cut(completed(painted_alone(model, seen.job(params)))).pixels
    size, lanczos = finished_size(opening, None), load_upscaler("lanczos")
    own = painted if refine is None else completed(repainted(model, painted, refine, lanczos))
    whole = enlarge(own, *size, lanczos)
    details = PictureDetails(made="picture", opening=opening, size=size, refine=refine)
    record = with_details(Record(kind="frame", params=params), details)
    mask = wall.free if hung.covered else None
    return {
        "seen/pixels": seen.pixels,
        "painted/pixels": painted,
        "repainted/pixels": own,
        "finished/pixels": whole,
        "room/pixels": hung_pictures(wall.pixels, mask, [PaintedPicture(whole, record)]),
    }
