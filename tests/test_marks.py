"""Marks: every file says that AI made its picture, and nothing says so of a photo."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import digressions as dg
from digressions.events import completed
from digressions.generate.marks import kept_mark, made_by
from digressions.generate.record_reading import record_of
from digressions.images.image_files import read_text, write_image
from digressions.images.video import FrameList, read_video_text, write_video
from digressions.images.xmp import XMP, SourceType, marked, source_type, texts_of_xmp, xmp_packet
from digressions.models.base import Model
from digressions.prints.print_file import read_pdf_text

from .conftest import Ran
from .jobs import PROMPT
from .walls import framed

Digress = Callable[..., Ran]
TRAINED, COMPOSITE = SourceType.TRAINED, SourceType.COMPOSITE
QUICK = ("--steps", "1", "--guidance", "1", "--seed", "1")
LANCZOS = ("--upscaler", "lanczos")
PAPER = ("--size", "3x3cm", "--dpi", "72", *LANCZOS)
NS = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
OURS = "https://digressions.dev/ns/"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def foreign(more: str = "") -> str:
    """A packet as a camera or an editor leaves it: names of its own, comments, both spellings."""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<r:RDF {NS.replace(":rdf", ":r")}><r:Description r:about="uuid:7" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" dc:format="two&#10;lines">'
        "<!-- hers --><dc:creator><r:Seq><r:li>Ada</r:li></r:Seq></dc:creator>"
        f'{more}</r:Description></r:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
    )


# --- files -----------------------------------------------------------------------------------


def test_exiftool_finds_the_mark_in_every_file(
    digress: Digress, tool: Callable[..., str], photo: np.ndarray, tmp_path: Path
) -> None:
    """Whatever a command leaves behind is marked, but what was there, and photos made larger."""
    write_image("wall.png", framed())
    write_image("photo.jpg", photo)
    mask = np.zeros_like(photo)
    mask[10:30, 10:30] = 255
    write_image("mask.png", mask)
    tiny = (*QUICK, "--grid", "4", "--size", "16", "--image", "photo.jpg", *LANCZOS)
    film = ("zoom", PROMPT, *tiny, "--levels", "1", "--seconds", "0.5", "--fps", "4")
    film += ("--frame-size", "32", "--cache", "c.db")
    for line in (
        ("paint", PROMPT, *QUICK, "-n", "2", "-o", "painted.png"),
        ("paint", PROMPT, *QUICK, "--image", "photo.jpg", "--strength", "1", "-o", "over.webp"),
        ("ensemble", PROMPT, "a fox", *QUICK, "--map", "-o", "both.jpg"),
        ("ensemble", PROMPT, "a fox", *QUICK, "--sweep", "2", "-o", "sweep.png"),
        ("mosaic", PROMPT, *tiny, "--single", "tif", "-o", "mosaic"),
        (*film, "-o", "film.mp4"),
        (*film, "-o", "film.gif"),
        (*film, "-o", "film.webp"),
        (*film, "-o", "frames"),
        ("export-site", PROMPT, *tiny, "--reuse", "16", "--cache", "c.db", "-o", "site"),
        ("frame", "wall.png", "a frog", *QUICK, *PAPER, "--proof", "-o", "filled"),
        ("frame", "wall.png", "a frog", *QUICK, "-n", "2", *LANCZOS, "-o", "several"),
        ("frame", "wall.png", "--find", "-o", "found"),
        ("frame", "wall.png", "--insert", "photo.jpg", "-o", "hung-photo"),
        ("frame", "wall.png", "--insert", "painted-1.png", "-o", "hung-painting"),
        ("print", "painted-1.png", *PAPER, "--proof", "-o", "print.pdf"),
        ("print", "painted-1.png", *PAPER, "-o", "print.tif"),
        ("print", "photo.jpg", *PAPER, "-o", "photo.pdf"),
        ("upscale", "painted-1.png", "--times", "2", *LANCZOS, "-o", "large.tif"),
        ("upscale", "photo.jpg", "--times", "2", *LANCZOS, "-o", "photo-large.jpg"),
        ("replay", "painted-1.png", "-o", "again.jpg"),
        ("replay", "print.pdf", "-o", "again.pdf"),
    ):
        ran = digress(*line)
        assert ran.code == 0, f"{line}: {ran.err}"
    kinds = [("-ext", kind) for kind in ("png", "jpg", "webp", "tif", "gif", "mp4", "pdf")]
    marks = (*itertools.chain(*kinds), "-XMP-iptcExt:DigitalSourceType")
    found = {
        each["SourceFile"].removeprefix("./"): each.get("DigitalSourceType", "")
        for each in json.loads(tool("exiftool", "-json", "-r", "-n", *marks, "."))
    }
    photos = {"wall.png", "photo.jpg", "mask.png", "found/found.jpg", "photo.pdf"}
    photos |= {"photo-large.jpg", "hung-photo/room.png", "hung-photo/before-after.jpg"}
    assert {name for name, mark in found.items() if not mark} == photos
    trained = {name for name, mark in found.items() if mark == TRAINED}
    of_them = {
        "painted-1.png",
        "both.jpg",
        "both-map.jpg",
        "sweep.png",
        "print.pdf",
        "print.tif",
    }
    of_them |= {"print-proof.png", "large.tif", "filled/picture.png", "filled/print.pdf"}
    of_them |= {"filled/print-proof.png", "again.jpg", "again.pdf", "painted-sheet.png"}
    assert of_them <= trained
    assert len([name for name in found if name.startswith("mosaic/mosaic_files/")]) > 5
    composite = {name for name in found if found[name] == COMPOSITE}
    over = {name for name in found if name.startswith(("film.", "frames/", "mosaic/", "site/"))}
    over |= {"over.webp", "hung-painting/room.png", "filled/room.png", "several/candidates.jpg"}
    assert over <= composite


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".webp"])
def test_a_film_gives_the_packet_back(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    text = marked({"parameters": "a frög"}, TRAINED)
    path = tmp_path / f"film{suffix}"
    completed(write_video(path, FrameList([photo, photo // 2], 5), text=text))
    found = read_text(path) if suffix == ".webp" else read_video_text(path)
    assert text.items() <= found.items()


def test_python_marks_what_it_hangs(bundled: Model, tmp_path: Path, photo: np.ndarray) -> None:
    (frame,) = dg.find_frames(framed())
    painting = dg.paint(bundled, PROMPT, steps=1, seed=1)
    assert source_type(painting.text) == TRAINED
    assert source_type(dg.hang(framed(), frame, painting).text) == COMPOSITE
    assert source_type(dg.hang(framed(), frame, photo).text) == ""
    path = dg.upscale(painting, tmp_path / "large.png", times=2, upscaler="lanczos")
    assert source_type(read_text(path)) == TRAINED


# --- other programs' packets -----------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".pdf"])
def test_the_packet_of_a_photo_is_kept(
    digress: Digress, tool: Callable[..., str], photo: np.ndarray, suffix: str
) -> None:
    more = f"<ext:DigitalSourceType>{CAPTURED}</ext:DigitalSourceType>"
    write_image("photo.png", photo, {XMP: foreign(more), "Creation Time": "noon"})
    path = f"copy{suffix}"
    if suffix == ".webp":
        assert digress("upscale", "photo.png", "--times", "2", *LANCZOS, "-o", path).code == 0
    else:
        assert digress("print", "photo.png", *PAPER, "-o", path).code == 0
    (found,) = json.loads(tool("exiftool", "-json", "-n", "-XMP:all", path))
    assert found["Creator"] == "Ada"
    assert found["DigitalSourceType"] == CAPTURED
    text = read_pdf_text(Path(path)) if suffix == ".pdf" else read_text(path)
    assert 'dc:format="two&#10;lines"' in text[XMP]
    assert text["Creation Time"] == "noon"


def test_a_packet_too_long_for_a_jpeg_leaves_the_mark(tmp_path: Path, photo: np.ndarray) -> None:
    text = marked({XMP: foreign(f"<dc:rights>{'x' * 70_000}</dc:rights>")}, TRAINED)
    write_image(tmp_path / "a.jpg", photo, text)
    found = read_text(tmp_path / "a.jpg")
    assert source_type(found) == TRAINED
    assert "Ada" not in found[XMP]


def test_a_command_says_that_a_packet_is_left_out(
    digress: Digress, tmp_path: Path, photo: np.ndarray
) -> None:
    text = marked({XMP: foreign(f"<dc:rights>{'x' * 70_000}</dc:rights>")}, TRAINED)
    write_image(tmp_path / "a.png", photo, text)
    ran = digress("upscale", "a.png", "--times", "2", *LANCZOS, "-o", "a.jpg")
    assert ran.code == 0
    assert f"no room for what another program left in the picture ({XMP})" in ran.err
    assert source_type(read_text(tmp_path / "a.jpg")) == TRAINED
    ran = digress("upscale", "a.png", "--times", "2", *LANCZOS, "-o", "b.png")
    assert (ran.code, "no room" in ran.err) == (0, False)


@pytest.mark.parametrize("more", ["", f"<ext:DigitalSourceType>{CAPTURED}</ext:DigitalSourceType>"])
def test_a_mark_takes_the_place_of_another(more: str) -> None:
    before = {XMP: foreign(more), "a": "b"}
    for kind in (TRAINED, COMPOSITE, TRAINED):
        before = marked(before, kind)
        assert source_type(before) == kind
        assert before[XMP].count("DigitalSourceType") == 1
        assert "Ada" in before[XMP]
        assert "<!-- hers -->" in before[XMP]
    assert texts_of_xmp(xmp_packet(before)) == before


@pytest.mark.parametrize(
    "packet",
    [
        *("", "no XML", "<a/>", "<x:xmpmeta", "<a>" * 100_000, "\x00\x01"),
        f'<!DOCTYPE a [<!ENTITY b "c">]><rdf:RDF {NS}>&b;</rdf:RDF>',
        f'<rdf:RDF {NS} xmlns:d="{OURS}"><rdf:Description d:texts="["/></rdf:RDF>',
    ],
)
def test_a_packet_that_is_none_gives_way(packet: str) -> None:
    assert texts_of_xmp(packet.encode()) == {}
    assert source_type({XMP: packet}) == ""
    assert source_type(marked({XMP: packet}, TRAINED)) == TRAINED


# --- whose picture it is ---------------------------------------------------------------------


A1111 = "a frog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ({}, None),
        ({"parameters": "taken with care"}, None),
        ({XMP: foreign()}, None),
        (marked({}, COMPOSITE), COMPOSITE),
        ({"parameters": A1111}, TRAINED),
        ({"parameters": f"{A1111}, Denoising strength: 0.5"}, COMPOSITE),
        ({"parameters": A1111.replace("Euler a", "a sampler of theirs")}, TRAINED),
        ({"invokeai_metadata": '{"positive_prompt": "a frog"}'}, TRAINED),
        ({"invokeai_metadata": '{"generation_mode": "img2img"}'}, COMPOSITE),
        ({"invokeai_metadata": "{"}, COMPOSITE),
    ],
)
def test_pictures_of_other_programs(text: dict[str, str], kind: SourceType | None) -> None:
    assert made_by(text) == kind
    assert source_type(kept_mark(text)) == (kind or "")


# --- texts that other tools read -------------------------------------------------------------


def chunks(png: bytes) -> dict[str, str]:
    """The kind of chunk that each text of a PNG is in."""
    found, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8].decode(), png[at + 8 : at + 8 + length]
        if kind in ("tEXt", "iTXt", "zTXt"):
            found[body.split(b"\x00")[0].decode()] = kind
        at += 12 + length
    return found


@pytest.mark.parametrize(("prompt", "kind"), [("a crème brûlée", "tEXt"), ("海亀", "iTXt")])
def test_latin_texts_are_where_most_tools_look(
    bundled: Model, tmp_path: Path, prompt: str, kind: str
) -> None:
    picture = dg.paint(bundled, prompt, steps=1, seed=1)
    path = picture.save(tmp_path / "a.png")
    assert chunks(path.read_bytes()) == {"parameters": kind, "digressions": "tEXt", XMP: "iTXt"}
    with Image.open(path) as image:
        assert image.text["parameters"].startswith(prompt)  # type: ignore[attr-defined]
    assert record_of(read_text(path)) == picture.record
