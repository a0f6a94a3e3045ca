"""Fetch openly licensed drawings from npm, render them and write one dataset file.

Ten packages are fetched by pinned version with ``npm pack``. Each one's licence field is checked
before anything is read from it. The drawings of the concepts in `concepts.json` are rendered to
96 x 96 RGBA pictures and stored, with their captions' raw material, in one ``.npz`` file:

* ``pictures``: (N, 96, 96, 4), uint8, straight (not premultiplied) alpha;
* ``records``: a JSON list of N objects, the fields of `Record`;
* ``vocabulary``: a JSON list of strings, every emoji label and tag, for the tokenizer.

To widen the model, add lines to `concepts.json`: a key is an Emojibase label.
"""

import argparse
import json
import re
import subprocess
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyvips
from categories import CATEGORIES

SIZE = 96
MARGIN = 3
RENDERED = 256  # before trimming
ALLOWED_LICENSES = {
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
}
DIRECTORY = Path(__file__).parent


@dataclass(frozen=True)
class ArtSet:
    """One npm package of drawings: its pinned version and the style its captions speak of."""

    package: str
    version: str
    style: str

    @property
    def name(self) -> str:
        return self.package.split("/")[-1]


ART_SETS = (
    ArtSet("@lobehub/fluent-emoji-3d", "1.1.0", "photo"),
    ArtSet("@iconify-json/fluent-emoji", "1.2.7", "painting"),
    ArtSet("@iconify-json/fluent-emoji-flat", "1.2.6", "drawing"),
    ArtSet("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "ink"),
    ArtSet("@iconify-json/noto", "1.2.9", "cartoon"),
    ArtSet("@iconify-json/noto-v1", "1.2.5", "cartoon"),
    ArtSet("@iconify-json/twemoji", "1.2.5", "drawing"),
    ArtSet("@iconify-json/emojione", "1.2.3", "drawing"),
    ArtSet("@iconify-json/fxemoji", "1.2.2", "drawing"),
)
# Kept from the generator and shown to its judge (`judge.py`): a copy is not recognised for being
# one. It costs least: it alone draws no concept, and `concepts.json` skips it most (14 times of
# 34). noto-v1 is no artist of its own (noto redraws it); fxemoji draws 230 of 1,670 emoji, too few.
HELD_OUT = "emojione"
STYLE_WEIGHTS = {"photo": 3.0, "ink": 0.5}  # prompts ask for photos; ink reads poorly in colour
LABELS = ArtSet("emojibase-data", "17.0.0", "")


@dataclass(frozen=True)
class Record:
    """What is known about one rendered drawing; `categories` may be empty."""

    concept: str
    names: list[str]
    tags: list[str]
    categories: list[str]
    style: str
    art: str
    held_out: bool
    weight: float


def fetch(art_set: ArtSet, cache: Path) -> Path:
    """Return the unpacked folder of a package, fetching it once into `cache`."""
    stem = f"{art_set.package.lstrip('@').replace('/', '-')}-{art_set.version}"
    folder = cache / stem / "package"
    if not folder.exists():
        archive = cache / f"{stem}.tgz"
        if not archive.exists():
            spec = f"{art_set.package}@{art_set.version}"
            subprocess.run(["npm", "pack", "--silent", spec], cwd=cache, check=True)
        with tarfile.open(archive) as tar:
            tar.extractall(cache / stem, filter="data")
    return folder


def check_license(folder: Path) -> dict:
    """Return author, licence and address of a package; raise ValueError if it is not allowed.

    Icon sets state the artwork's own licence in ``info.json``; it must be allowed as well as the
    package's.
    """
    package = json.loads((folder / "package.json").read_text())
    licenses = [package.get("license")]
    notice = {"author": package.get("author") or "", "url": package.get("homepage", "")}
    info_file = folder / "info.json"
    if info_file.exists():
        info = json.loads(info_file.read_text())
        licenses.append(info["license"]["spdx"])
        notice = info["author"]
        notice["license_url"] = info["license"].get("url", "")
    refused = [name for name in licenses if name not in ALLOWED_LICENSES]
    if refused:
        raise ValueError(f"{package['name']}: licence {refused} is not among the allowed ones")
    if isinstance(notice.get("author"), dict):
        notice = {**notice, "name": notice["author"].get("name", "")}
    return {
        "package": package["name"],
        "version": package["version"],
        "author": notice.get("name") or notice.get("author") or "see the package",
        "url": notice.get("url", ""),
        "license": licenses[-1],
        "license_url": notice.get("license_url", ""),
    }


def slug(label: str) -> str:
    """The name iconify gives an emoji label: ``"T-Rex"`` -> ``"t-rex"``."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"[’']", "", label.lower())).strip("-")


def to_rgba(image: pyvips.Image) -> np.ndarray:
    """Trim what is transparent and fit the rest into a (SIZE, SIZE, 4) uint8 canvas.

    Sets differ in their margins; trimmed, every drawing is as large as its picture allows and
    stands in its middle.
    """
    if image.bands < 4:
        image = image.colourspace("srgb").bandjoin(255)
    left, top, width, height = image[3].find_trim(threshold=8, background=[0])
    if width == 0 or height == 0:
        return np.zeros((SIZE, SIZE, 4), np.uint8)
    image = image.crop(left, top, width, height)
    image = image.thumbnail_image(SIZE - 2 * MARGIN, height=SIZE - 2 * MARGIN)
    return image.gravity("centre", SIZE, SIZE).numpy()


class IconifySet:
    """The drawings of one iconify package, found by emoji label."""

    def __init__(self, folder: Path):
        self.icons = json.loads((folder / "icons.json").read_text())

    def render(self, emoji: dict) -> np.ndarray | None:
        """Render the drawing of an Emojibase entry, or return None if the set has none."""
        icon = self.icons["icons"].get(slug(emoji["label"]))
        if icon is None:
            return None
        width = icon.get("width", self.icons.get("width", 16))
        height = icon.get("height", self.icons.get("height", 16))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{box}" width="{RENDERED}" height="{RENDERED}" color="#111">'
            f"{icon['body']}</svg>"
        )
        return to_rgba(pyvips.Image.svgload_buffer(svg.encode()))


class PictureSet:
    """Pictures in ``assets/``, named by the emoji's code points."""

    def __init__(self, folder: Path):
        self.assets = folder / "assets"

    def render(self, emoji: dict) -> np.ndarray | None:
        """Render the picture of an Emojibase entry, or return None if the set has none."""
        code = emoji["hexcode"].lower()
        for name in (code, f"{code}-fe0f", code.removesuffix("-fe0f")):
            path = self.assets / f"{name}.webp"
            if path.exists():
                return to_rgba(pyvips.Image.new_from_file(str(path)))
        return None


def open_art_set(folder: Path) -> IconifySet | PictureSet:
    """Open an unpacked package by what it contains."""
    return IconifySet(folder) if (folder / "icons.json").exists() else PictureSet(folder)


def render_concept(concept: str, spec: dict, emojis: dict, art, art_set: ArtSet):
    """Return (picture, Record) of one concept in one art set, or None if it is not drawn there.

    ``spec["drawing"]`` names the drawing to prefer (a face reads better than some bodies);
    ``spec["skip"]`` lists art sets whose drawing of the concept is not wanted.
    """
    if art_set.name in spec.get("skip", ()):
        return None
    for label in dict.fromkeys((spec.get("drawing", concept), concept, f"{concept} face")):
        picture = art.render(emojis[label]) if label in emojis else None
        if picture is not None and picture[..., 3].mean() > 8:
            names = [concept, *spec.get("names", ())]
            tags = [tag for tag in emojis[label].get("tags", ()) if tag not in names]
            kind = CATEGORIES.get(emojis[label].get("subgroup"))
            weight = spec.get("weight", 1) * STYLE_WEIGHTS.get(art_set.style, 1)
            return picture, Record(
                concept,
                names,
                tags,
                [kind] if kind else [],
                art_set.style,
                art_set.name,
                art_set.name == HELD_OUT,
                weight,
            )
    return None


def emoji_vocabulary(emojis: list[dict]) -> list[str]:
    """Every label and tag, so that concepts added later tokenise into whole words."""
    words = [emoji["label"] for emoji in emojis]
    words += [tag for emoji in emojis for tag in emoji.get("tags", ())]
    return sorted({word.lower() for word in words})


def write_notice(path: Path, notices: list[dict]) -> None:
    """Write the attributions that the licences ask for."""
    lines = [
        "# Where the training pictures come from",
        "",
        "The model was trained on drawings from these packages, composited over generated colour",
        "fields. The drawings are not part of this repository; `training/data.py` fetches them.",
        "Changes made: rendered to 96 x 96 px, recoloured, mirrored, scaled and composited.",
        "",
        "| package | version | author | licence |",
        "| --- | --- | --- | --- |",
    ]
    for n in notices:
        author = f"[{n['author']}]({n['url']})" if n["url"] else n["author"]
        licence = f"[{n['license']}]({n['license_url']})" if n["license_url"] else n["license"]
        lines.append(f"| {n['package']} | {n['version']} | {author} | {licence} |")
    path.write_text("\n".join(lines) + "\n")


def build(cache: Path, concepts: dict) -> tuple[np.ndarray, list[Record], list[str], list[dict]]:
    """Fetch, check and render everything: pictures, records, vocabulary, attributions."""
    folders = {art_set: fetch(art_set, cache) for art_set in (*ART_SETS, LABELS)}
    notices = [check_license(folder) for folder in folders.values()]
    emojis = json.loads((folders[LABELS] / "en" / "data.json").read_text())
    by_label = {emoji["label"]: emoji for emoji in emojis}
    rendered = []
    for art_set in ART_SETS:
        art = open_art_set(folders[art_set])
        found = (render_concept(c, spec, by_label, art, art_set) for c, spec in concepts.items())
        rendered += [item for item in found if item is not None]
    pictures, records = zip(*rendered, strict=True)
    return np.stack(pictures), list(records), emoji_vocabulary(emojis), notices


def load(path: Path, held_out: bool = False) -> tuple[np.ndarray, list[dict], list[str]]:
    """Read a dataset file: pictures (N, 96, 96, 4) uint8, records, vocabulary.

    Without the drawings of `HELD_OUT`, unless `held_out`: the generator must not see them.
    """
    with np.load(path) as file:
        records, vocabulary = json.loads(str(file["records"])), json.loads(str(file["vocabulary"]))
        keep = [i for i, record in enumerate(records) if held_out or not record["held_out"]]
        return file["pictures"][keep], [records[i] for i in keep], vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for the npm packages")
    parser.add_argument("--out", type=Path, required=True, help="the dataset file (.npz)")
    parser.add_argument("--concepts", type=Path, default=DIRECTORY / "concepts.json")
    parser.add_argument("--notice", type=Path, default=DIRECTORY / "NOTICE.md")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    concepts = json.loads(args.concepts.read_text())
    pictures, records, vocabulary, notices = build(args.cache, concepts)
    np.savez_compressed(
        args.out,
        pictures=pictures,
        records=json.dumps([asdict(record) for record in records]),
        vocabulary=json.dumps(vocabulary),
    )
    write_notice(args.notice, notices)
    drawn = {record.concept for record in records}
    missing = sorted(set(concepts) - drawn)
    print(f"{len(records)} pictures of {len(drawn)} concepts; not drawn anywhere: {missing}")


if __name__ == "__main__":
    main()
