"""Files for a printer, read again by other tools: sizes, boxes, colours, texts, pixels."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from PIL import Image, ImageCms

from digressions.errors import ImageError, InputError, OutputError
from digressions.events import Note, Progress, Saved
from digressions.generate.metadata import Record
from digressions.generate.params import ResolvedParams
from digressions.generate.record_reading import record_of
from digressions.generate.replay import ReplayRequest
from digressions.geometry import Size
from digressions.images.image_files import read_image, read_text, write_image
from digressions.images.xmp import texts_of_xmp
from digressions.prints.print_file import read_pdf_text
from digressions.prints.print_spec import PrintSpec
from digressions.prints.printing import print_picture, replay_print

from .conftest import Ran, tree
from .profiles import cmyk, lab, saved

PAINTED = Record(
    kind="picture",
    params=ResolvedParams(
        prompt="turtle ü",
        seed=7,
        steps=12,
        sampler="ddim",
        guidance=4.0,
        size=Size(64, 48),
        strength=1.0,
    ),
    model="bundled",
    model_hash="0123456789abcdef",
)
PLAIN = ["--upscaler", "lanczos"]
PIXELS = (".png", ".tif", ".jpg")
Digress = Callable[..., Ran]


@pytest.fixture
def picture(tmp_path: Path, photo: np.ndarray) -> Path:
    return write_image(tmp_path / "picture.png", photo, PAINTED.to_text())


@pytest.fixture
def printer(tmp_path: Path) -> Path:
    return saved(tmp_path, cmyk())


def exif_of(tool: Callable[..., str], path: Path) -> dict[str, object]:
    return dict(json.loads(tool("exiftool", "-json", "-n", path))[0])


# --- pixels ----------------------------------------------------------------------------------


def test_a_sheet_that_lies_the_wrong_way_is_said_to(
    digress: Digress, picture: Path, tmp_path: Path
) -> None:
    """The picture is wider than high."""
    ran = digress("print", picture, "--size", "3x4cm", "-o", tmp_path / "print.png", *PLAIN)
    assert ran.code == 0, ran.err
    assert "40 x 30 mm would cut off" in " ".join(ran.out.split())
    ran = digress("print", picture, "--size", "4x3cm", "-o", tmp_path / "print.png", *PLAIN)
    assert "would cut off" not in ran.out


@pytest.mark.parametrize("suffix", PIXELS)
def test_size_dpi_profile_and_texts_are_read_again(
    digress: Digress, picture: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"print{suffix}"
    ran = digress("print", picture, "--size", "5x4cm", "--bleed", "3mm", "-o", path, *PLAIN)
    assert ran.code == 0, ran.err
    with Image.open(path) as image:
        assert image.size == (529, 435)  # 56 x 46 mm at 240 DPI
        assert image.info["dpi"] == pytest.approx((240, 240), abs=0.01)
        profile = ImageCms.getProfileName(io.BytesIO(image.info["icc_profile"]))
    assert profile.startswith("sRGB")
    texts = read_text(path)
    assert record_of(texts) == PAINTED
    record = json.loads(texts["print"])
    assert record["trim_mm"] == [50, 40]
    assert record["bleed_mm"] == 3
    assert record["image"]["path"] == str(picture)


@pytest.mark.parametrize("suffix", PIXELS)
def test_exiftool_reads_the_same(
    digress: Digress, tool: Callable[..., str], picture: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"print{suffix}"
    digress("print", picture, "--size", "2x1in", "--dpi", "300", "-o", path, *PLAIN)
    found = exif_of(tool, path)
    assert (found["ImageWidth"], found["ImageHeight"]) == (600, 300)
    assert str(found["ProfileDescription"]).startswith("sRGB")
    if suffix == ".png":  # whole pixels a metre, by the format
        assert found["PixelsPerUnitX"] == round(300 / 0.0254)
    else:
        assert found["XResolution"] == found["YResolution"] == 300
        assert found["ResolutionUnit"] == (2 if suffix == ".tif" else 1)  # inches
    assert "turtle" in json.dumps(found)


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_colours_are_those_of_the_profile(
    digress: Digress, picture: Path, printer: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"print{suffix}"
    ran = digress("print", picture, "--size", "2x1in", "--icc", printer, "-o", path, *PLAIN)
    assert ran.code == 0, ran.err
    assert "Chemical proof cannot print" in ran.err + ran.out
    with Image.open(path) as image:
        assert image.mode == "CMYK"
        assert image.info["icc_profile"] == cmyk()
    digress("print", picture, "--size", "2x1in", "-o", tmp_path / "screen.png", *PLAIN)
    printed, screen = read_image(path).astype(int), read_image(tmp_path / "screen.png")
    assert np.median(np.abs(printed - screen)) <= 12  # what can be printed looks the same


def test_enough_pixels_are_not_touched(digress: Digress, picture: Path, tmp_path: Path) -> None:
    size = "64x48px"
    ran = digress("print", picture, "--size", size, "-o", tmp_path / "same.png")
    assert "are 240 DPI\n" in ran.out
    assert ran.err == ""
    assert np.array_equal(read_image(tmp_path / "same.png"), read_image(picture))
    assert json.loads(read_text(tmp_path / "same.png")["print"])["upscaler"] is None


def test_what_is_missing_is_enlarged_and_said(digress: Digress, picture: Path) -> None:
    ran = digress("print", picture, "--size", "2x1.5in", "-o", "a.png")
    assert ran.code == 0, ran.err
    assert "64 x 48 px are 32 DPI: enlarged 7.50 times with realesrgan-animevideo" in ran.out
    assert "32 DPI is less than 200" in ran.err
    line = digress("print", picture, "--size", "32x24px", "--dpi", "150", "-o", "b.png").err
    assert "--dpi 150 is less than 200" in line


def test_a_few_pixels_are_missing_and_no_network_runs(digress: Digress, picture: Path) -> None:
    ran = digress("print", picture, "--size", "72x54px", "-o", "a.png")
    assert "enlarged 1.12 times with lanczos" in ran.out


def test_a_named_paper_lies_as_the_picture(digress: Digress, picture: Path) -> None:
    ran = digress("print", picture, "--size", "A6", "--dpi", "72", "-o", "a.png", *PLAIN)
    assert "148 x 105 mm as cut (A6)" in ran.out
    assert read_image("a.png").shape == (298, 420, 3)


def test_whole_leaves_paper_free_and_the_safe_area_too(digress: Digress, picture: Path) -> None:
    options = ["--size", "2x2in", "--dpi", "100", "--fit", "contain", "--safe", "0.2in", *PLAIN]
    digress("print", picture, *options, "-o", "a.png")
    page = read_image("a.png")
    inked = (page != 255).any(-1)
    assert np.flatnonzero(inked.any(0))[[0, -1]].tolist() == [20, 179]
    assert np.flatnonzero(inked.any(1))[[0, -1]].tolist() == [40, 159]


# --- PDF -------------------------------------------------------------------------------------

PAGE = ["--size", "A6", "--dpi", "100", "--bleed", "3mm", "--marks", *PLAIN]


@pytest.mark.parametrize("icc", [False, True], ids=["srgb", "cmyk"])
def test_the_boxes_of_a_pdf(
    digress: Digress, tool: Callable[..., str], picture: Path, printer: Path, icc: bool
) -> None:
    ran = digress("print", picture, *PAGE, "-o", "a.pdf", *(["--icc", printer] if icc else []))
    assert ran.code == 0, ran.err
    assert "No syntax or stream encoding errors" in tool("qpdf", "--check", "a.pdf")
    lines = tool("pdfinfo", "-box", "a.pdf").splitlines()
    found = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    mm = {box: [float(v) * 25.4 / 72 for v in found[box]] for box in found if box.endswith("Box")}
    tenth = 0.05
    assert mm["MediaBox"] == pytest.approx([0, 0, 164, 121], abs=tenth)
    assert mm["BleedBox"] == pytest.approx([5, 5, 159, 116], abs=tenth)
    assert mm["TrimBox"] == pytest.approx([8, 8, 156, 113], abs=tenth)
    assert found["Pages"] == ["1"]


@pytest.mark.parametrize("icc", [False, True], ids=["srgb", "cmyk"])
def test_a_pdf_has_the_pixels_of_a_tiff(
    digress: Digress, picture: Path, printer: Path, icc: bool
) -> None:
    options = ["--size", "A6", "--bleed", "2mm", *PLAIN, *(["--icc", printer] if icc else [])]
    for name in ("a.pdf", "a.tif"):
        assert digress("print", picture, *options, "-o", name).code == 0
    with pikepdf.open("a.pdf") as pdf, Image.open("a.tif") as image:
        drawn = pdf.pages[0].images["/Picture"]
        colours = drawn.ColorSpace[1]
        assert colours.read_bytes() == image.info["icc_profile"]
        assert ("/OutputIntents" in pdf.Root) == icc
        expected, content = np.asarray(image), drawn.read_bytes()
        assert int(colours.N) == len(expected[0, 0])
    width, channels = expected.shape[1:]
    stored = np.frombuffer(content, np.uint8).reshape(-1, width, channels)
    assert np.array_equal(stored, expected)


def test_a_pdf_looks_like_the_picture(
    digress: Digress, tool: Callable[..., str], picture: Path
) -> None:
    digress("print", picture, *PAGE, "-o", "a.pdf")
    digress("print", picture, *PAGE, "-o", "a.png")
    tool("pdftoppm", "-r", "100", "-png", "-singlefile", "a.pdf", "seen")
    seen, expected = read_image("seen.png").astype(int), read_image("a.png")
    assert np.abs(np.subtract(seen.shape, expected.shape)).max() <= 1
    height, width = np.minimum(seen.shape, expected.shape)[:2]
    difference = np.abs(seen[:height, :width] - expected[:height, :width])
    assert np.percentile(difference, 95) <= 8  # a page is rasterised half a pixel off


def test_a_pdf_has_the_texts(digress: Digress, picture: Path) -> None:
    digress("print", picture, *PAGE, "-o", "a.pdf")
    with pikepdf.open("a.pdf") as pdf:
        texts = texts_of_xmp(pdf.Root.Metadata.read_bytes())
    assert record_of(texts) == PAINTED
    assert json.loads(texts["print"])["marks"] is True


@pytest.mark.parametrize("suffix", [*PIXELS, ".pdf"])
def test_the_same_print_is_the_same_file(
    digress: Digress, picture: Path, tmp_path: Path, suffix: str
) -> None:
    for folder in ("a", "b"):
        digress("print", picture, "--size", "A6", "-o", Path(folder) / f"print{suffix}", *PLAIN)
    assert Path("a", f"print{suffix}").read_bytes() == Path("b", f"print{suffix}").read_bytes()


# --- proof -----------------------------------------------------------------------------------


def test_a_proof_shows_the_cut_and_what_cannot_be_printed(
    digress: Digress, picture: Path, printer: Path
) -> None:
    options = ["--size", "A6", "--bleed", "3mm", "--mat", "5mm", "--proof", *PLAIN]
    digress("print", picture, *options, "-o", "plain.pdf")
    plain = read_image("plain-proof.png")
    assert (plain == (255, 0, 90)).all(-1).any()
    assert (plain == (255, 170, 0)).all(-1).any()
    ran = digress("print", picture, *options, "--icc", printer, "-o", "inks.pdf")
    assert "cannot print: --proof shows where" in ran.err
    both = read_image("inks-proof.png")
    assert both.shape[1] > 2 * plain.shape[1]
    flagged = (both[:, -plain.shape[1] :] == (0, 255, 0)).all(-1)
    assert 0.05 < flagged.mean() < 0.95


# --- bad input -------------------------------------------------------------------------------

BAD = [
    (["--size", "A9"], "--size 'A9' is not known: did you mean A"),
    (["--size", "20x30"], "no unit"),
    (["--size", "0x1cm"], "is nothing"),
    (["--size", "9x9m"], "too large"),
    (["--size", "A0", "--dpi", "600"], "megapixels"),
    (["--size", "A4", "--dpi", "0"], "--dpi 0"),
    (["--size", "A4", "--bleed", "3"], "--bleed '3' has no unit"),
    (["--size", "A4", "--mat", "11cm"], "--mat 110mm"),
    (["--size", "A4", "--fit", "some"], "--fit 'some' is not known: choose one of cover, contain"),
    (["--size", "A4", "--edge", "some"], "--edge 'some'"),
    (["--size", "A4", "--intent", "best"], "--intent 'best'"),
    (["--size", "A4", "--icc", "none.icc"], "none.icc: there is no such file"),
    (["--size", "A4", "--icc", "picture.png"], "picture.png is not an ICC profile"),
    (["--size", "A4", "--icc", "lab.icc"], "lab.icc is an ICC profile of Lab"),
    (["--size", "A4", "--icc", "printer.icc", "-o", "a.png"], "a PNG has no CMYK"),
    (["--size", "A4", "-o", "a.webp"], "printers do not take .webp"),
    (["--size", "A4", "-o", "a.doc"], "cannot print to '.doc': use .pdf"),
    (["--size", "A4", "-o", "a"], "cannot print to 'no suffix'"),
    (["--size", "A4", "-o", "picture.png"], "written over"),
    (["--size", "A4", "--upscaler", "magic"], "'magic'"),
    (["--size", "A4", "--upscaler", "x.pth"], "x.pth is a pickle"),
    ([], "--size"),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=lambda value: "".join(value))
def test_a_bad_value(
    refused: Callable[..., str],
    picture: Path,
    printer: Path,
    tmp_path: Path,
    options: list[str],
    words: str,
) -> None:
    saved(tmp_path, lab(), "lab.icc")
    assert words in refused("print", picture.name, *options)


def test_a_picture_that_is_none(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    assert "a.png is not a picture" in refused("print", "a.png", "--size", "A4")
    assert "no such file" in refused("print", "b.png", "--size", "A4")


@pytest.mark.parametrize("suffix", [*PIXELS, ".pdf"])
def test_a_write_that_fails_leaves_what_was_there(
    digress: Digress,
    picture: Path,
    tmp_path: Path,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / f"a{suffix}").write_text("before")
    before = tree(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    paper = ("--size", "A6", "--proof", "--overwrite", *PLAIN)
    ran = digress("print", picture, *paper, "-o", f"a{suffix}")
    assert ran.code == 2
    assert "No space left on device" in ran.err
    assert tree(tmp_path) == before


# --- from Python -----------------------------------------------------------------------------

A6 = PrintSpec(size="A6", dpi=100, bleed="3mm", upscaler="lanczos")


def test_a_print_says_what_it_does_and_where_it_is(picture: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.pdf"
    events = list(print_picture(picture, A6.but(proof=True), output))
    texts = [event.text for event in events if isinstance(event, Note) and event.level == "info"]
    assert texts[0] == "148 x 105 mm as cut (A6), 3 mm bleed, 606 x 437 px at 100 DPI"
    assert "`fit` contain keeps it" in texts[1]
    assert [e for e in events if isinstance(e, Progress)][-1].done == 413
    saved = [event for event in events if isinstance(event, Saved)]
    assert [event.path for event in saved] == [output, tmp_path / "a-proof.png"]
    assert saved[0].details["bleed_mm"] == 3


def test_a_print_is_the_same_of_every_form_of_a_picture(photo: np.ndarray, tmp_path: Path) -> None:
    pages = []
    for number, form in enumerate((photo, Image.fromarray(photo), photo / 255)):
        output = tmp_path / f"{number}.png"
        list(print_picture(form, A6, output, text=PAINTED.to_text()))
        assert record_of(read_text(output)) == PAINTED
        pages.append(read_image(output))
    assert all(np.array_equal(page, pages[0]) for page in pages)
    with pytest.raises(InputError, match="a picture in memory"):
        list(
            replay_print(
                ReplayRequest(tmp_path, read_text(tmp_path / "0.png"), tmp_path / "again.png")
            )
        )


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_a_replayed_print_is_the_same_file(
    picture: Path, printer: Path, tmp_path: Path, suffix: str
) -> None:
    spec = A6 if suffix == ".png" else A6.but(icc=printer, fit="contain", mat="1cm", marks=True)
    first, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    list(print_picture(picture, spec, first))
    texts = read_text(first) if suffix == ".png" else read_pdf_text(first)
    events = list(replay_print(ReplayRequest(Path("a.png"), texts, again)))
    assert events[-1] == Saved(again, details=events[-1].details)
    assert again.read_bytes() == first.read_bytes()


def test_a_print_of_another_picture_or_profile_is_not_replayed(
    picture: Path, printer: Path, tmp_path: Path, photo: np.ndarray
) -> None:
    list(print_picture(picture, A6.but(icc=printer), tmp_path / "a.jpg"))
    texts = read_text(tmp_path / "a.jpg")
    for damaged in ("{", "[]", '{"image": {}}', json.dumps({"image": 3})):
        with pytest.raises(InputError, match=r"is not there|damaged"):
            list(replay_print(ReplayRequest(Path("a.png"), {"print": damaged}, tmp_path / "b.jpg")))
    write_image(picture, photo[::-1])
    with pytest.raises(InputError, match="is not the picture it was"):
        list(replay_print(ReplayRequest(Path("a.png"), texts, tmp_path / "b.jpg")))
    saved(tmp_path, lab(), printer.name)
    with pytest.raises(InputError, match="nothing is printed by"):
        list(replay_print(ReplayRequest(Path("a.png"), texts, tmp_path / "b.jpg")))
    assert not (tmp_path / "b.jpg").exists()


def test_a_spec_survives_json_and_checks_what_it_is_given(printer: Path) -> None:
    spec = A6.but(icc=printer, safe="0.25in", mat="40px", fit="contain")
    assert PrintSpec.from_json_object(json.loads(spec.json_line())) == spec
    for changes, words in (
        ({"bleed": 3}, "bleed 3 has no unit: write '3mm'"),
        ({"bleed": "3"}, "bleed '3' has no unit"),
        ({"dpi": 0}, "dpi 0 is out of range: 1 to 2400"),
        ({"dpi": "240"}, "dpi is '240': it must be a whole number"),
        ({"fit": "some"}, "fit 'some' is not known: choose one of cover, contain"),
        ({"mat": "11cm"}, "mat 110mm on both sides leaves nothing"),
        ({"size": "A9"}, "size 'A9' is not known: did you mean"),
        ({"paper": "A4"}, "paper is not a parameter"),
    ):
        with pytest.raises(InputError) as refused:
            PrintSpec(**{"size": "A6"} | changes)
        assert str(refused.value).startswith(words)


def test_a_typed_size_is_turned_only_where_that_is_wanted() -> None:
    spec = PrintSpec(size="20x30cm")
    assert spec.sheet(1.5).trim == (200, 300)
    assert spec.sheet(1.5, turned=True).trim == (300, 200)
    assert PrintSpec(size="A4").sheet(1.5).trim == (297, 210)
    assert PrintSpec(size="A4 portrait").sheet(1.5, turned=True).trim == (210, 297)


@pytest.mark.parametrize(
    ("form", "spec", "name", "error"),
    [
        ("none.png", A6, "a.pdf", ImageError),
        (np.zeros((4, 4)), A6, "a.pdf", ImageError),
        ("picture.png", A6, "a.doc", OutputError),
        ("picture.png", A6, "picture.png", InputError),
        ("a-proof.png", A6.but(proof=True), "a.pdf", InputError),
        ("picture.png", A6.but(icc="none.icc"), "a.pdf", InputError),
        ("picture.png", A6.but(upscaler="magic"), "a.pdf", InputError),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(
    picture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: object,
    spec: PrintSpec,
    name: str,
    error: type[Exception],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(picture, "a-proof.png")
    before = tree(tmp_path)
    with pytest.raises(error):
        next(iter(print_picture(form, spec, Path(name))))  # type: ignore[arg-type]
    assert tree(tmp_path) == before


# --- memory ----------------------------------------------------------------------------------

PEAK = """
import sys
from digressions.cli.app import main
try:
    main()
except SystemExit as leave:
    assert not leave.code, leave.code
status = open("/proc/self/status").read()
print("PEAK", int(status.split("VmHWM:")[1].split()[0]))  # ru_maxrss is handed down
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_a2_at_300_dpi_takes_less_than_two_gigabytes(
    tmp_path: Path, photo: np.ndarray, printer: Path
) -> None:
    large = np.tile(photo, (40, 40, 1))  # 2560 x 1920
    write_image(tmp_path / "a.jpg", large)
    options = ["--size", "A2", "--dpi", "300", "--bleed", "3mm", "--icc", str(printer), *PLAIN]
    command = ["print", str(tmp_path / "a.jpg"), *options, "--proof", "--marks"]
    command += ["-o", str(tmp_path / "a.pdf")]
    ran = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.split("PEAK")[1]) * 1024 < 2e9
