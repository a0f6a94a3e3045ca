"""The use case: a picture and a folder of photos become a mosaic of the photos, in a folder.

    index   what the photos look like, remembered for the next time
    choose  which photo goes where, all at once
    place   each is cut and bent until the mosaic is exact
    write   pyramid, page, preview, fidelity

Nothing is painted and no model is needed, unless photos are painted over where they are placed.
Whenever it is stopped, the same call continues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ...errors import ImageError, InputError
from ...events import Event, Note, Preview, Progress, Saved, counted
from ...files import output_path, parsed, slug
from ...generate.kinds import check_model
from ...generate.notes import notes_on, notes_on_cells
from ...generate.outputs import FOLDER
from ...generate.presets import notes_on_preset, with_preset
from ...generate.preview_pace import PreviewPace
from ...generate.record_reading import record_of
from ...generate.replay import ReplayRequest, replays_text
from ...generate.signatures import takes
from ...geometry import Size
from ...images.fitting import cut_note
from ...images.image_files import read_image
from ...images.source_image import PictureLike, SourceImage, remembered_image, source_image
from ...models.base import Model
from ..assembly import single_path
from ..build_params import BuildParams
from ..cells import check_cells
from ..filling_in import FillingIn
from ..folder import KIND
from ..store import free_folder
from .album import Album, album_of
from .assignment import assigned
from .cropping import turns_for
from .photo_cost import cost_of_photos, for_model
from .photo_files import photo_paths
from .photo_folder import TEXT, PhotoFolder, job_of
from .photo_index import PhotoIndex
from .photo_spec import AUTO, PhotoMosaic, PhotoMosaicSpec, photo_mosaic_of
from .placing import Choice, PhotoStore, place_photos
from .pricing import Prices
from .repainting import Repainter, repainting_of
from .spreading import spread


@takes(PhotoMosaicSpec)
def photo_mosaic(
    image: PictureLike,
    tiles: str | Path | Iterable[str | Path],
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    making: BuildParams | Mapping[str, Any] | None = None,
    model: Model | None = None,
    **parameters: Any,
) -> Iterator[Event]:
    """Makes a picture of photos, in a folder, or continues one that was begun. Needs no model but
    to ``paint`` them over.

    Args:
        image: The picture that the mosaic shows.
        tiles: Folders, photos, or text files with a path a line.
        output: The folder; ``out/IMAGE`` if not given, with a number where that is another's.
        overwrite: Whether what is in ``output`` may go, whatever made it.
        making: Extra files: a `BuildParams`, or its parameters by name.
        model: Paints over the photos where ``paint`` says how far.
        parameters: Those of `PhotoMosaicSpec`: ``grid``, ``repeat``, ``apart``, ``bend``, ...; with
            ``paint`` also ``prompt``, ``steps``, ``seed``, ...
    """
    check_model(model)
    places = [tiles] if isinstance(tiles, (str, Path)) else list(tiles)
    spec = PhotoMosaicSpec.of(image=image, tiles=[str(place) for place in places], **parameters)
    how = BuildParams.of(**making) if isinstance(making, Mapping) else making
    place = None if output is None else output_path(output)
    return build_photos(spec, place, how, model=model, overwrite=overwrite)


def build_photos(
    spec: PhotoMosaicSpec,
    target: str | Path | None = None,
    options: BuildParams | None = None,
    *,
    model: Model | None = None,
    overwrite: bool = False,
    folder: Path = FOLDER,
    previews: PreviewPace | None = None,
) -> Iterator[Event]:
    """Makes a mosaic of photos in a folder, or continues one that an earlier call has begun.

    Closing it cancels; what is indexed and placed by then is kept.

    Args:
        spec: What it is.
        target: Where to: a new or empty folder, or one that holds this very mosaic. The first such
            folder after ``out/IMAGE``, if not given.
        options: Extra files; and the batch size where photos are painted over.
        model: Paints over them, where ``spec`` says so.
        overwrite: Whether what is in ``target`` may go, whatever made it.
        folder: Where a folder named after the picture goes.
        previews: When the mosaic is shown as it fills in; not at all if not given.

    Yields:
        `Progress`, notes on the photos that are left out, the cost (`Estimate`), how good it
        became; `Saved` with the page.

    Raises:
        InputError, ImageError: Something cannot be, before anything is written but the index.
        OutputError: The folder belongs to something else, or cannot be written.
    """
    spec = for_model(spec, model)
    start = source_image(spec.image, "image")
    name = Path(start.origin["path"]).stem if start.origin["path"] else "photos"
    usual = folder / slug(name)
    path = folder_for(spec, start, usual, model) if target is None else Path(target)
    showing: Any = {"overwrite": overwrite, "previews": previews}
    yield from _built(spec, start, path, options, model, **showing)


def folder_for(
    spec: PhotoMosaicSpec, start: SourceImage, usual: Path, model: Model | None = None
) -> Path:
    """Where a mosaic goes if nobody says: where it was begun, or the first place that is free."""
    return free_folder(usual, KIND, job_of(spec, start, model))


def _built(
    spec: PhotoMosaicSpec,
    start: SourceImage,
    path: Path,
    options: BuildParams | None,
    model: Model | None,
    *,
    overwrite: bool,
    previews: PreviewPace | None = None,
) -> Generator[Event, None, str]:
    """Makes it; gives what tells the photos that there were from others."""
    options = with_preset(options or BuildParams(), spec.preset)
    yield from notes_on_preset(spec, options, preset=spec.preset)
    if options.profile:
        raise InputError("`profile` is about painting from nothing but cells, not with `tiles`")
    if options.batch_size and model is None:
        raise InputError("`batch_size` is about painting, and nothing is painted with `tiles`")
    paths = photo_paths(spec.photos.tiles)
    folder = PhotoFolder(spec, start, path, model, overwrite=overwrite)
    size = Size(start.pixels.shape[1], start.pixels.shape[0])
    before = folder.chosen()
    if spec.grid != AUTO and before is None:
        spec.grid_for(size, len(paths))  # before they are read: there can only be fewer
    with PhotoIndex(spec.photos.index, spec.photos.cell_aspect, spec.photos.crop) as index:
        yield from index.take(paths)
        album = album_of(*index.photos(paths), keep_similar=spec.photos.keep_similar)
        count = len(album.photos)
        begun = folder.grid if before is not None else None
        grid = begun or spec.grid_for(size, count)
        mosaic = photo_mosaic_of(spec, grid, count)
        aspect = mosaic.size.width / mosaic.size.height
        yield from start.notes()
        if spec.fit == "cover":
            mend = "`fit` contain or pad keeps all of it"
            yield from cut_note(start.name, size, aspect, f"a grid of {grid}", mend)
        painting = None if model is None else repainting_of(model, spec, mosaic)
        if model is not None and painting is not None:
            check_cells(model, painting)
            yield from notes_on(model, painting.params)
            yield from notes_on_cells(model, painting.params.size)
        yield from _said(album, mosaic, spec.photos.paint, before)
        folder.start(mosaic, options.single, painting)
        picture, filling = read_image(path / "base.png"), None
        yield Preview(picture, "the picture")
        if previews is not None:
            filling = FillingIn(picture, mosaic.grid, mosaic.cell, previews)
        with folder.store() as store:
            yield from _chosen(folder, store, album)
            repainter = None
            if model is not None and painting is not None:
                repainter = Repainter(model, painting, options.batch_size)
            placing = place_photos(store, index, mosaic, folder.base, repainter, filling)
            with closing(placing):
                lost = yield from placing
        if lost:
            yield Note(
                f"{counted(lost, 'photo')} had changed or gone since they were chosen: enlarged "
                "from the index",
                "note",
            )
        yield from _assembled(folder, index, album, options.single)
    return album.digest


def _said(
    album: Album, mosaic: PhotoMosaic, paint: float | None, before: Choice | None
) -> Iterator[Event]:
    """What there is to choose from, unless an earlier run has chosen, and the cost."""
    photos = f"{counted(len(album.photos), 'photo')} used at most {counted(mosaic.repeat, 'time')}"
    if before is not None:
        chosen = {*before.photos}
        album = album._replace(photos=[each for each in album.photos if each.sha256 in chosen])
        photos = f"{counted(len(chosen), 'photo')} chosen when it was begun"
    elif skipped := album.skipped():
        yield Note(f"left out: {skipped}", "note")
    if enlarged := album.enlarged(mosaic.cell):
        yield Note(
            f"{counted(enlarged, 'photo')} of fewer pixels than a cell of {mosaic.cell}: enlarged "
            f"where {'it is' if enlarged == 1 else 'they are'} used",
            "note",
        )
    yield cost_of_photos(mosaic, photos, paint)


def _chosen(folder: PhotoFolder, store: PhotoStore, album: Album) -> Generator[Event, None, None]:
    """Chooses, unless an earlier run has; says what of."""
    mosaic, before = folder.mosaic, store.digest()
    if before is None:
        yield Progress("choosing photos", 0, mosaic.grid.cells)
        turns = turns_for(mosaic.cell, mirrored=mosaic.mirrored, rotated=mosaic.rotated)
        prices = Prices(mosaic, folder.cells, album.coarse, turns)
        chosen = yield from assigned(prices, mosaic.repeat)
        found = spread(prices, chosen, mosaic.grid, mosaic.repeat, mosaic.apart)
        if found.near:
            yield Note(
                f"{counted(found.near, 'cell')} could not but show a photo that is also shown "
                f"within {mosaic.apart} cells: `repeat` and `apart` leave no other",
                "note",
            )
        photos = [album.photos[number].sha256 for number in found.photos.tolist()]
        choice = Choice(photos, prices.best_turns(found.photos).tolist())
        store.choose(album.digest, choice)
    elif before != album.digest:
        yield Note(
            "there are other photos than when this mosaic was begun: it stays with those chosen "
            "then; choose another `output` for the new ones",
            "note",
        )
    used = Counter(store.choice().photos)
    most = used.most_common(1)[0][1]
    yield Note(f"{counted(len(used), 'photo')} shown, none more than {counted(most, 'time')}")


def _assembled(
    folder: PhotoFolder, index: PhotoIndex, album: Album, single: str | None
) -> Iterator[Event]:
    fidelity, unbent, bending = yield from folder.assemble(index, album, single)
    yield Note(f"fidelity {fidelity}")
    painted = folder.spec.photos.paint is not None
    if painted or (folder.mosaic.band and folder.mosaic.bend):
        yield Note(f"as the photos were{'' if painted else ', unbent'}: {unbent}")
        yield Note(bending.in_words("repainted and bent" if painted else "bent"))
    yield Preview(read_image(folder.preview_path), "the mosaic from afar")
    if single is not None:
        yield Saved(single_path(folder.path, single))
    yield Saved(
        folder.page_path,
        f"open it in a browser and zoom in; {folder.preview_path} shows it from afar",
        {
            "fidelity": fidelity._asdict(),
            "unbent": unbent._asdict(),
            "bending": bending._asdict(),
        },
    )


@replays_text(TEXT)
def replay_photos(request: ReplayRequest) -> Iterator[Event]:
    """A mosaic of photos again, in another folder."""
    spec, image, digest = remembered_photos(request.text)
    model = None
    if spec.photos.paint is not None:
        assert request.load is not None  # as of every request for a file
        model = yield from request.load(record_of(request.text, str(request.source)))
    place = request.output or folder_for(spec, image, request.usual_folder, model)
    found = yield from _built(spec, image, place, None, model, overwrite=request.overwrite)
    if digest not in ("", found):
        yield Note(
            f"there are other photos in {', '.join(spec.photos.tiles)} than when {request.source} "
            "was made: the mosaic may be another",
            "note",
        )


def remembered_photos(text: Any) -> tuple[PhotoMosaicSpec, SourceImage, str]:
    """What a file of a mosaic of photos remembers: the spec, the picture, what tells its photos.

    Raises:
        ImageError: It is damaged.
        InputError: It was to forget where the photos are, or the picture is another by now.
    """
    try:
        found = parsed(text[TEXT])
        photos = dict(found["photos"])
        values = dict(found.get("painting", {}))
        values |= {name: found[name] for name in ("grid", "size", "band")}
        values |= {"fit": found["fit"]} if "fit" in found else {}
        origin = {str(name): str(value) for name, value in found["image"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImageError(f"the settings of the mosaic are damaged: {error!s:.80}") from error
    if photos.get("forget_paths"):
        raise InputError("this was made with `forget_paths`: it does not say of which photos")
    image = remembered_image(origin)
    try:
        spec = PhotoMosaicSpec.of(image=origin["path"], **values, **photos)
        spec.check()
    except (InputError, TypeError) as error:
        raise ImageError(f"the settings of the mosaic are damaged: {error!s:.80}") from error
    return spec, image, str(found.get("digest", ""))
