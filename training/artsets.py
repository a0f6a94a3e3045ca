"""Openly licensed sets of drawings: fetched by name, their licences checked, rendered to RGBA.

Each set is an npm or Debian package of a pinned version. Its licence is checked before anything
is read from it, and where files state one of their own, theirs is too. A drawing is uint8 with
straight (not premultiplied) alpha, trimmed to what it shows, and half as large again as the
pictures it is meant for: 96 x 96 px for 64.
"""

import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

SIDE = 96
DIRECTORY = Path(__file__).parent
ALLOWED_LICENSES = {
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
}
PUBLIC_DOMAIN = {
    "http://web.resource.org/cc/PublicDomain",
    "http://creativecommons.org/licenses/publicdomain/",
}


@dataclass(frozen=True)
class ArtSet:
    """One package of drawings: its pinned version and the style its captions speak of."""

    package: str
    version: str
    style: str
    debian: bool = False

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
    ArtSet("openclipart-svg", "1:0.18+dfsg-19", "drawing", debian=True),
)
LABELS = ArtSet("emojibase-data", "17.0.0", "")
HELD_OUT = ArtSet("@iconify-json/streamline-emojis", "1.2.4", "drawing")


def fetch(art_set: ArtSet, cache: Path) -> Path:
    """Return the unpacked folder of a package, fetching it once into `cache`."""
    return fetch_debian(art_set, cache) if art_set.debian else fetch_npm(art_set, cache)


def fetch_npm(art_set: ArtSet, cache: Path) -> Path:
    """As `fetch`, from npm."""
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


def fetch_debian(art_set: ArtSet, cache: Path) -> Path:
    """As `fetch`, from Debian; nothing is installed.

    Raises:
        SystemExit: There is no `apt-get` here, and nobody has put the package into `cache`.
    """
    stem = f"{art_set.package}_{art_set.version.replace(':', '%3a')}_all"
    folder, archive = cache / stem, cache / f"{stem}.deb"
    if not folder.exists():
        if not archive.exists():
            if shutil.which("apt-get") is None:
                raise SystemExit(f"{archive} is missing: get it from Debian, or run this there")
            spec = f"{art_set.package}={art_set.version}"
            subprocess.run(["apt-get", "download", spec], cwd=cache, check=True)
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
    return folder


def check_license(folder: Path) -> dict:
    """Return author, licence and address of a package; raise ValueError if it is not allowed."""
    if (folder / "package.json").exists():
        return check_npm_license(folder)
    (copyright_file,) = folder.glob("usr/share/doc/*/copyright")
    package, text = copyright_file.parent.name, copyright_file.read_text("utf-8", "replace")
    if "creative commons Public Domain Dedication" not in text:
        raise ValueError(f"{package}: its copyright file does not say that it is public domain")
    return {
        "package": package,
        "version": folder.name.split("_")[1].replace("%3a", ":"),
        "author": "Open Clip Art Library, the authors named in its files",
        "url": "http://www.openclipart.org",
        "license": "public domain",
        "license_url": "",
    }


def check_npm_license(folder: Path) -> dict:
    """As `check_license`.

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


def to_rgba(image: pyvips.Image, side: int) -> np.ndarray:
    """Trim what is transparent and fit the rest into a (side, side, 4) uint8 canvas.

    Sets differ in their margins; trimmed, every drawing is as large as its picture allows and
    stands in its middle.
    """
    if image.bands < 4:
        image = image.colourspace("srgb").bandjoin(255)
    left, top, width, height = image[3].find_trim(threshold=8, background=[0])
    if width == 0 or height == 0:
        return np.zeros((side, side, 4), np.uint8)
    image = image.crop(left, top, width, height)
    within = side - 2 * (side // 32)
    image = image.thumbnail_image(within, height=within)
    return image.gravity("centre", side, side).numpy()


class IconifySet:
    """The drawings of one iconify package, found by emoji label, `side` pixels large."""

    def __init__(self, folder: Path, side: int):
        self.side = side
        self.icons = json.loads((folder / "icons.json").read_text())

    def render(self, emoji: dict) -> np.ndarray | None:
        """Render the drawing of an Emojibase entry, or return None if the set has none."""
        name = slug(emoji["label"])
        icons = self.icons["icons"]
        icon = icons.get(name) or icons.get(f"{name}-1")  # some sets number their variants
        if icon is None:
            return None
        width = icon.get("width", self.icons.get("width", 16))
        height = icon.get("height", self.icons.get("height", 16))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        rendered = 256 * self.side // SIDE  # before trimming
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{box}" width="{rendered}" height="{rendered}" color="#111">'
            f"{icon['body']}</svg>"
        )
        return to_rgba(pyvips.Image.svgload_buffer(svg.encode()), self.side)


class PictureSet:
    """Pictures in ``assets/``, named by the emoji's code points, brought to `side` pixels."""

    def __init__(self, folder: Path, side: int):
        self.side = side
        self.assets = folder / "assets"

    def render(self, emoji: dict) -> np.ndarray | None:
        """Render the picture of an Emojibase entry, or return None if the set has none."""
        code = emoji["hexcode"].lower()
        for name in (code, f"{code}-fe0f", code.removesuffix("-fe0f")):
            path = self.assets / f"{name}.webp"
            if path.exists():
                return to_rgba(pyvips.Image.new_from_file(str(path)), self.side)
        return None


class ClipartSet:
    """Drawings of many hands, by their places in the package, brought to `side` pixels.

    ``openclipart.json`` names one for a label, each looked at: most of the package is symbols,
    is cut off by its page, or shows something else than its name says.
    """

    def __init__(self, folder: Path, side: int):
        self.side = side
        self.drawings = folder / "usr/share/openclipart/svg"
        self.chosen = json.loads((DIRECTORY / "openclipart.json").read_text())

    def render(self, emoji: dict) -> np.ndarray | None:
        """Render the drawing of an Emojibase entry, or return None if there is none.

        Raises:
            ValueError: The drawing does not say itself that it is in the public domain.
        """
        if emoji["label"] not in self.chosen:
            return None
        path = self.drawings / self.chosen[emoji["label"]]
        svg = path.read_bytes()
        stated = re.findall(rb'<(?:cc:)?license\b[^>]*?rdf:resource="([^"]*)"', svg)
        if not stated or not {url.decode() for url in stated} <= PUBLIC_DOMAIN:
            raise ValueError(f"{path}: its licence {stated} is not among the allowed ones")
        return to_rgba(pyvips.Image.svgload_buffer(svg, unlimited=True), self.side)


def open_art_set(folder: Path, side: int = SIDE) -> IconifySet | PictureSet | ClipartSet:
    """Open an unpacked package by what it contains; its drawings will be `side` pixels large."""
    if (folder / "usr").exists():
        return ClipartSet(folder, side)
    kind = IconifySet if (folder / "icons.json").exists() else PictureSet
    return kind(folder, side)
