"""Feeds damaged files to everything that reads one, for as long as one likes.

    python -m tests.fuzz --minutes 10 --seed 1

Each reader gets files that are right, damaged at random: bytes changed, cut out, repeated; values
of JSON replaced by what nobody expects; tables of SQLite altered. It may read them or raise a
`DigressionsError`. Whatever else it does is a bug: another exception, a crash of the process, or
more than `PATIENCE` seconds of the processor. The file of each bug is kept; seed and number in its
name make it again.

No test by itself: it ends with exit code 1 if it found something, and what it found becomes a test.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import io
import itertools
import json
import multiprocessing
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from digressions.errors import DigressionsError

PATIENCE = 20.0  # seconds of CPU that a reader may take for a file of a few kilobytes
_NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, 1e-320)
_ODD = (
    *_NUMBERS,
    *(float("nan"), float("inf"), None, True, [], {}, [[]], "", "0", "\x00", "../../x", "é\ud800"),
    *("64x64", "0x0", "-1x4", "a" * 5000, {"path": "/dev/null"}, [None], [1, 2, 3], "nan"),
)
_BYTES = (0, 1, 0x7F, 0x80, 0xFF)


class Reader(NamedTuple):
    """Something that reads.

    Attributes:
        seeds: Right files, by name: the suffix counts.
        read: Reads one, as the program does.
        damage: Makes a wrong file of a right one.
    """

    seeds: dict[str, bytes]
    read: Callable[[Path], object]
    damage: Callable[[bytes, random.Random], bytes]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes of which a few are changed, or a part is gone, repeated or foreign."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            return bytes(data)
        start = chance.randrange(len(data))
        if chance.random() < 0.3:  # headers are where formats are decided
            start = chance.randrange(min(len(data), 256))
        length = min(chance.choice((1, 2, 4, 16, 256)), len(data) - start)
        match chance.randrange(7):
            case 0:
                data[start] ^= 1 << chance.randrange(8)
            case 1:
                data[start] = chance.choice(_BYTES)
            case 2:
                data[start : start + length] = bytes([chance.choice(_BYTES)]) * length
            case 3:
                data[start : start + length] = chance.randbytes(length)
            case 4:
                del data[start : start + length]
            case 5:
                data[start:start] = data[start : start + length] * chance.choice((1, 2, 64))
            case 6 if chance.random() < 0.2:
                del data[start:]
    return bytes(data)


def damaged_json(content: bytes, chance: random.Random) -> bytes:
    """JSON with some values replaced, gone or renamed; sometimes no JSON any more."""
    if chance.random() < 0.15:
        return damaged(content, chance)
    if chance.random() < 0.02:
        return b"[" * 100_000
    value = json.loads(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        value = _altered(value, chance)
    return json.dumps(value).encode()


def _altered(value: Any, chance: random.Random) -> Any:
    """A value in which one place, anywhere, is another."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return chance.choice(_ODD)
    inside, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[chance.choice(("", "format", "grid", "later"))] = inside.pop(key)
        case 2:
            other, there = chance.choice(places)
            if there in (other if isinstance(other, dict) else range(len(other))):
                inside[key] = copy.deepcopy(other[there])
        case _:
            inside[key] = copy.deepcopy(chance.choice(_ODD))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = list(value) if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])


def damaged_text(content: bytes, chance: random.Random) -> bytes:
    """A text with marks of the syntax strewn in, cut out and repeated."""
    text = content.decode()
    for _ in range(chance.choice((1, 2, 5, 20))):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                marks = ("(", ")", "[", "]", "|", ":", "\\", " AND ", "@", "-", ":1e999", ":nan")
                text = text[:at] + chance.choice((*marks, ":-1", "٣", "\x00", "🐢")) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.randrange(4) :]
            case 2:
                text = text[:at] + text[at : at + 9] * chance.choice((2, 300)) + text[at:]
            case 3:
                text = text[at:] + text[:at]
    return text.encode("utf-8", "surrogatepass")


def damaged_database(content: bytes, chance: random.Random) -> bytes:
    """A SQLite file whose bytes, tables or values are others."""
    if chance.random() < 0.4:
        return damaged(content, chance)
    base = sqlite3.connect(":memory:")
    base.deserialize(content)
    tables = [name for (name,) in base.execute("select name from sqlite_master where type='table'")]
    table = chance.choice(tables)
    columns = [row[1] for row in base.execute(f"pragma table_info({table})")]
    column, other = chance.choice(columns), chance.choice(tables)
    value = chance.choice(("null", "-1", "'x'", "x'00'", "1e999", "9223372036854775807"))
    with contextlib.suppress(sqlite3.Error):  # what SQLite itself refuses is no damage
        base.executescript(
            chance.choice(
                (
                    f"drop table {table}",
                    f"delete from {table}",
                    f"update {table} set {column} = {value}",
                    f"alter table {table} rename column {column} to other",
                    f"alter table {table} add column other",
                    f"drop table {table}; create view {table} as select * from {other}",
                    f"drop table {table}; create table {table} (key text, other text)",
                    f"pragma application_id = {chance.randrange(2**31)}",
                    f"create trigger t after insert on {table} begin select raise(fail, ''); end",
                )
            )
        )
    changed = base.serialize()
    base.close()
    return bytes(changed)


# --- what is read, and the right files ---------------------------------------------------------


def _picture() -> Image.Image:
    y, x = np.mgrid[0:24, 0:32]
    return Image.fromarray(np.stack([x * 8 % 256, y * 10 % 256, x * y % 256], -1).astype(np.uint8))


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _pictures(folder: Path) -> dict[str, bytes]:
    from digressions.pictures.images import write_image
    from digressions.pictures.metadata import to_text

    image, icc = _picture(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = to_text(_settings())
    found = {}
    for suffix in ("png", "jpg", "webp", "tif"):
        path = write_image(folder / f"own.{suffix}", np.asarray(image), text)
        found[path.name] = path.read_bytes()
    for kind, suffix in (("BMP", "bmp"), ("GIF", "gif"), ("PPM", "ppm"), ("AVIF", "avif")):
        found[f"a.{suffix}"] = _saved(image, kind)
    for kind, suffix in (("JPEG2000", "jp2"), ("ICO", "ico"), ("TGA", "tga")):
        found[f"a.{suffix}"] = _saved(image, kind)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 35
    found["icc.png"] = _saved(image.convert("RGBA"), "PNG", icc_profile=icc)
    found["icc.jpg"] = _saved(image.convert("CMYK"), "JPEG", exif=exif)
    found["exif.jpg"] = _saved(image, "JPEG", exif=exif, icc_profile=icc)
    found["palette.png"] = _saved(image.convert("P"), "PNG", transparency=3)
    found["sixteen.png"] = _saved(Image.fromarray(np.arange(64, dtype=np.uint16)[None]), "PNG")
    found["lzw.tif"] = _saved(image, "TIFF", compression="tiff_lzw", icc_profile=icc)
    found["float.tif"] = _saved(image.convert("F"), "TIFF")
    return found


def _read_picture(path: Path) -> None:
    from digressions.pictures.images import (
        focal_length,
        read_image,
        read_image_and_hash,
        read_mask,
        read_text,
    )
    from digressions.pictures.metadata import from_text
    from digressions.pictures.palette import read_palette

    for read in (read_image, read_image_and_hash, read_mask, focal_length, read_palette):
        with contextlib.suppress(DigressionsError):
            read(str(path))
    from_text(read_text(path), str(path))


def _settings(**changes: object) -> Any:
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
        "paint": _settings(palette={"colours": ["navy", "#fff"]}, strength=0.5),
        "regions": _settings(
            prompt="a frog AND a fox", regions=[{"name": "left"}, origin], soft=0.1, rescale=0.2
        ),
        "zoom": _settings(extra={"zoom": film | {"fps": 8, "count": 8}}),
        "mosaic": _settings(
            extra={"mosaic": cells, "sharing": {"reuse": 3, "merge_similar": None}}
        ),
        "frame": _settings(image=origin, mask=origin, extra={"frame": frame, "enlarge": 2}),
    }
    return {
        f"{name}.json": json.dumps(dataclasses.asdict(settings) | {"command": name}).encode()
        for name, settings in every.items()
    }


def _settings_reader(folder: Path) -> Callable[[Path], None]:
    from digressions.models import load

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
    from digressions.frames.again import hang_again
    from digressions.prints.order import from_note
    from digressions.replay import upscaled_again

    text = path.read_bytes().decode("utf-8", "replace")
    for read in (hang_again, lambda words: upscaled_again(words, lambda image, *_: image)):
        with contextlib.suppress(DigressionsError):
            read(text)
    with contextlib.suppress(ValueError, RecursionError):  # `print_again` reads the JSON itself
        from_note(json.loads(text))


def _notes() -> dict[str, bytes]:
    origin = {"path": "/nowhere.png", "sha256": "0" * 64}
    sheet = {"trim_mm": [100, 150], "dpi": 300, "bleed_mm": 3, "safe_mm": 3, "mat_mm": 0}
    order = {"marks": True, "icc": None, "upscaler": None, "intent": None, "fit": "fill"}
    hung = [{"opening": [0, 0, 9, 0, 9, 9, 0, 9], "picture": origin, "lit": True, "aspect": 1.0}]
    return {
        "print.json": json.dumps(sheet | order | {"edge": "mirror"}).encode(),
        "upscale.json": json.dumps({"image": origin, "size": [8, 8], "upscaler": "x"}).encode(),
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


def _read_store(path: Path) -> None:
    from digressions.mosaics.store import Store
    from digressions.pictures.images import from_png

    with Store(path, "job") as store:
        cells = store.done()
        store.put({3: b"another"})
        for png in store.get(sorted(cells)[:4]):
            from_png(png)


def _read_cache(path: Path) -> None:
    from digressions.pictures.images import from_png
    from digressions.worlds.cache import Cache

    with Cache(path, 2_000) as cache:
        found = cache.get(["a", "b"])
        cache.claim(["a", "b", "c"], 2)
        cache.put({"c": bytes(900), "d": bytes(1200)})
        cache.release(["c"])
        for png in found.values():
            from_png(png)


def _databases(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    from digressions.mosaics.store import Store
    from digressions.worlds.cache import Cache

    png = _saved(_picture(), "PNG")
    with Store(folder / "store.sqlite", "job") as store:
        store.put({0: png, 1: png})
    with Cache(folder / "cache.sqlite") as cache:
        cache.put({"a": png, "b": png})
        cache.claim(["z"], 1)
    made = []
    for name in ("store.sqlite", "cache.sqlite"):
        base = sqlite3.connect(folder / name)
        base.execute("pragma journal_mode = delete")
        base.close()
        made.append({name: (folder / name).read_bytes()})
    return made[0], made[1]


def _films(folder: Path) -> dict[str, bytes]:
    from digressions.pictures.film import write_film

    class Still:
        from digressions.geometry import Size

        count, fps, size = 3, 5, Size(32, 32)

        def frame(self, index: int) -> np.ndarray:
            return np.full((32, 32, 3), 40 * index, np.uint8)

    found = {}
    for suffix in ("mp4", "webm", "gif"):
        path = folder / f"film.{suffix}"
        write_film(path, Still(), text={"parameters": "a frog", "digressions": "{}"})
        found[path.name] = path.read_bytes()
    return found


def _read_film(path: Path) -> None:
    from digressions.pictures.film import VIDEOS, read_film_text
    from digressions.pictures.images import read_text

    (read_film_text if path.suffix in VIDEOS else read_text)(path)


def _pdfs(folder: Path) -> dict[str, bytes]:
    from digressions.geometry import Size
    from digressions.prints.lengths import Extent
    from digressions.prints.order import Order
    from digressions.prints.paper import Sheet

    path, image = folder / "a.pdf", np.asarray(_picture())
    order = Order(Sheet(Extent(8, 6), 72))
    placed = order.placed(image, lambda part, size, _: np.zeros((*size[::-1], 3), np.uint8))
    order.write(path, placed, Size(32, 24), {"print": "{}"})
    return {"a.pdf": path.read_bytes()}


def _read_pdf(path: Path) -> None:
    from digressions.prints.pdf import read_pdf_text

    read_pdf_text(path)


def _profiles() -> dict[str, bytes]:
    from .profiles import cmyk

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"srgb.icc": srgb, "cmyk.icc": cmyk()}


def _read_profile(path: Path) -> None:
    from digressions.prints.inks import read_profile

    read_profile(path)


def _checkpoint_reader(folder: Path) -> tuple[dict[str, bytes], Callable[[Path], None]]:
    """The files of a small checkpoint, each in turn the damaged one."""
    from digressions.models import load

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


def _store(folder: Path) -> Reader:
    return Reader(_databases(folder)[0], _read_store, damaged_database)


def _cache(folder: Path) -> Reader:
    return Reader(_databases(folder)[1], _read_cache, damaged_database)


def _manifest(kind: str) -> Callable[[Path], Reader]:
    note = {"format": 1, "kind": f"digressions {kind}", "job": {"grid": "8x8", "world": {}}}
    seeds = {"manifest.json": json.dumps(note).encode()}
    return lambda folder: Reader(seeds, _folder_reader(folder, kind), damaged_json)


PROMPTS = {"p.txt": b"(a frog:1.2) AND [a fox:a [red|blue] hat:0.4] :0.7 @0.3-1 AND x"}
READERS: dict[str, Callable[[Path], Reader]] = {
    "picture": lambda folder: Reader(_pictures(folder), _read_picture, damaged),
    "settings": lambda folder: Reader(_remembered(), _settings_reader(folder), damaged_json),
    "notes": lambda _: Reader(_notes(), _read_notes, damaged_json),
    "mosaic": _manifest("mosaic"),
    "site": _manifest("finite world"),
    "prompt": lambda _: Reader(PROMPTS, _read_prompt, damaged_text),
    "store": _store,
    "cache": _cache,
    "film": lambda folder: Reader(_films(folder), _read_film, damaged),
    "pdf": lambda folder: Reader(_pdfs(folder), _read_pdf, damaged),
    "profile": lambda _: Reader(_profiles(), _read_profile, damaged),
    "checkpoint": lambda folder: Reader(*_checkpoint_reader(folder), damaged_json),
}
"""Everything that reads files, by name; made in a folder of its own."""


# --- the run -----------------------------------------------------------------------------------


def case_file(reader: Reader, name: str, seed: int, case: int, folder: Path) -> Path:
    """The file of a case: a function of its seed and its number."""
    chance = random.Random(f"{seed}:{name}:{case}")
    file = chance.choice(sorted(reader.seeds))
    path = folder / file
    for left in folder.glob(f"{file}*"):  # also what SQLite leaves beside it
        left.unlink()
    path.write_bytes(reader.damage(reader.seeds[file], chance))
    return path


def _work(pipe: Any, kept: Path, names: list[str], seed: int, first: int) -> None:
    """Runs cases and tells of each before and after; ends with its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Decoders in C print what they think of a file; it is of no use here.
    sys.stderr.flush()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "cases").mkdir()
        every = {}
        for name in names or READERS:
            (folder / name).mkdir()
            every[name] = READERS[name](folder / name)
        for case in itertools.count(first):
            for name in every:
                if name == "checkpoint" and case % 20:  # slow
                    continue
                path = case_file(every[name], name, seed, case, folder / "cases")
                copied = shutil.copyfile(path, kept / f"{name}-{seed}-{case}-{path.name}")
                pipe.send(("begin", name, case, str(copied)))
                outcome, words = "read", ""
                signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # kills, also within C
                try:
                    every[name].read(path)
                except DigressionsError as error:
                    outcome = "refused"
                    if "\n" in str(error):
                        outcome, words = "bug", f"more than one line: {error!s:.300}"
                except Exception:
                    outcome, words = "bug", traceback.format_exc()
                signal.setitimer(signal.ITIMER_PROF, 0)
                if outcome != "bug":
                    copied.unlink()
                pipe.send(("end", name, outcome, words))


def _plain(line: str) -> str:
    """An error's line without what differs from case to case."""
    return re.sub("0x[0-9a-f]+|[0-9]+", "#", line)[:100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", action="append", choices=READERS, help="repeatable")
    parser.add_argument("--kept", type=Path, default=Path("out/fuzz"), help="for the files of bugs")
    given = parser.parse_args()
    given.kept.mkdir(parents=True, exist_ok=True)
    end, first = time.monotonic() + 60 * given.minutes, given.first
    outcomes: Counter[tuple[str, str]] = Counter()
    bugs: dict[str, str] = {}
    spawn = multiprocessing.get_context("spawn")
    while time.monotonic() < end:
        mine, theirs = spawn.Pipe(duplex=False)
        worker = spawn.Process(
            target=_work,
            args=(theirs, given.kept, given.only or [], given.seed, first),
            daemon=True,
        )
        worker.start()
        theirs.close()
        name = file = ""
        try:
            while time.monotonic() < end:
                if not mine.poll(1):
                    continue
                kind, name, what, words = mine.recv()
                if kind == "begin":
                    first, file = what + 1, words
                    continue
                outcomes[name, what] += 1
                last = words.strip().splitlines()[-1] if words else ""
                if what == "bug" and (key := f"{name}: {_plain(last)}") not in bugs:
                    bugs[key] = words
                    print(f"{key}\n  {file}\n{words}", flush=True)
        except EOFError:
            key = f"{name}: the process died or hung"
            outcomes[name, "bug"] += 1
            if name and key not in bugs:
                bugs[key] = file
                print(f"{key}\n  {file}", flush=True)
        worker.kill()
        worker.join()
    for name in sorted({name for name, _ in outcomes}):
        counts = ", ".join(f"{outcomes[name, how]:,} {how}" for how in ("read", "refused", "bug"))
        print(f"{name:12} {counts}")
    sys.exit(bool(bugs))


if __name__ == "__main__":
    main()
