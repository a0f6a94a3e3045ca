"""The user's photos: found, read upright and in sRGB, indexed once, each kept once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from digressions.errors import InputError, OutputError
from digressions.events import completed
from digressions.geometry import Box, Size
from digressions.images.image_files import read_image
from digressions.mosaics.photos.album import Album, album_of, distinct
from digressions.mosaics.photos.cropping import coarse, crop_box, scaled, turned, turns_for
from digressions.mosaics.photos.photo_files import photo_paths, read_small
from digressions.mosaics.photos.photo_index import PhotoIndex

from .albums import album, encoded, photo


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PhotoIndex]:
    with PhotoIndex(tmp_path / "i.sqlite", "1:1", "attention") as index:
        yield index


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def indexed(index: PhotoIndex, folder: Path, *, keep_similar: bool = False) -> Album:
    paths = photo_paths([str(folder)])
    completed(index.take(paths))
    return album_of(*index.photos(paths), keep_similar=keep_similar)


# --- which files -----------------------------------------------------------------------------


def test_folders_are_searched_and_what_is_no_photo_or_hidden_is_left(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.webp", "sub/.hidden.jpg", ".dir/d.jpg", "e.mov", "f.xmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(photo_paths([str(tmp_path)])) == ["a.png", "b.JPG", "c.webp"]
    assert names(photo_paths([str(tmp_path / "sub"), str(tmp_path / "sub/c.webp")])) == ["c.webp"]


def test_a_text_file_has_a_path_a_line_seen_from_its_own_folder(tmp_path: Path) -> None:
    album(tmp_path / "photos [1]", 2)
    listing = tmp_path / "list.txt"
    listing.write_text("photos [1]/0001.jpg\n\nphotos [1]/0000.jpg\n", "utf-8")
    assert names(photo_paths([str(listing)])) == ["0001.jpg", "0000.jpg"]
    listing.write_text("photos [1]/none.jpg\n", "utf-8")
    with pytest.raises(InputError, match=r"there is no photo or folder .*none\.jpg"):
        photo_paths([str(listing)])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_may_be_windows_own_and_name_folders(tmp_path: Path, encoding: str) -> None:
    album(tmp_path / "été", 2)
    album(tmp_path / "a", 3)
    listing = tmp_path / "list.txt"
    listing.write_bytes("été/0001.jpg\r\na\r\n".encode(encoding))
    found = photo_paths([str(listing)])
    assert names(found) == ["0001.jpg", "0000.jpg", "0001.jpg", "0002.jpg"]


def test_mosaics_of_this_program_are_no_photos(tmp_path: Path) -> None:
    album(tmp_path, 1)
    album(tmp_path / "out" / "mosaic_files" / "9", 1)
    (tmp_path / "out" / "manifest.json").write_text('{"kind": "digressions mosaic"}', "utf-8")
    assert names(photo_paths([str(tmp_path)])) == ["0000.jpg"]


@pytest.mark.parametrize("wrong", ["nothing-there", "empty"])
def test_no_photos_are_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="tiles"):
        photo_paths([str(tmp_path / wrong)])


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_and_small_and_knows_its_size(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(photo(3, 1600, 1200))
    path = tmp_path / "a.jpg"
    image.save(path, quality=95, exif=exif)
    found, whole = read_small(path, 160), read_image(path)
    assert (found.height, found.width) == whole.shape[:2]
    assert 160 <= min(found.pixels.shape[:2]) <= 320  # an eighth to a quarter
    small = Image.fromarray(whole).resize(found.pixels.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(found.pixels.astype(int) - np.asarray(small)).mean() < 2


def test_every_kind_of_photo_comes_out_in_srgb(tmp_path: Path) -> None:
    image = Image.fromarray(photo(5, 200, 150))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = Image.fromarray((photo(5, 200, 150)[..., 0].astype(np.uint16)) * 257)
    contents = {
        "a.jpg": encoded(image, "JPEG", quality=95, icc_profile=lab),
        "a.png": encoded(image, "PNG"),
        "a.webp": encoded(image, "WEBP", lossless=True),
        "a.tif": encoded(image, "TIFF"),
        "a.avif": encoded(image, "AVIF", quality=95),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG", quality=95),
        "deep.png": encoded(deep, "PNG"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        pixels = read_small(tmp_path / name, 160).pixels.astype(int)
        wanted = np.asarray(image).astype(int)
        if name == "deep.png":
            wanted = np.repeat(wanted[..., :1], 3, -1)
        assert np.abs(pixels - wanted).mean() < 6, name


# --- indexing --------------------------------------------------------------------------------


def test_what_is_damaged_tiny_or_a_copy_is_left_out_and_counted(
    index: PhotoIndex, tmp_path: Path
) -> None:
    folder = album(tmp_path / "Ferien [été] 夏", 4)
    content = (folder / "0000.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no picture", "utf-8")
    (folder / "copy.jpg").write_bytes(content)
    Image.fromarray(photo(9, 20, 20)).save(folder / "icon.png")
    Image.fromarray(photo(1)).resize((192, 144)).save(folder / "0001-large.jpg", quality=60)
    found = indexed(index, folder)
    assert [photo.path.name for photo in found.photos] == [
        *("0000.jpg", "0001-large.jpg", "0002.jpg", "0003.jpg")
    ]
    assert (len(found.unreadable), found.tiny, found.copies, found.similar) == (3, 1, 1, 1)
    assert "3 files cannot be read (such as empty.png: is empty" in found.skipped()
    assert "1 photo of less than 32 pixels a side; 1 copy; 1 that" in found.skipped()
    assert len(indexed(index, folder, keep_similar=True).photos) == 5


def test_a_heic_is_read_once_what_reads_it_is_installed(
    index: PhotoIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heif = pytest.importorskip("pillow_heif")
    folder = album(tmp_path / "p", 1)
    heif.from_pillow(Image.fromarray(photo(7))).save(folder / "phone.heic")
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda name: None)
        found = indexed(index, folder)
    assert "(phone.heic: is HEIC: pillow-heif is not installed: pip install" in found.skipped()
    assert len(indexed(index, folder).photos) == 2


def test_a_photo_that_could_not_be_read_is_read_once_it_can(
    index: PhotoIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = album(tmp_path / "p", 2)
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "0001.jpg":
            raise PermissionError(13, "Permission denied")
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", denied)
        assert "(0001.jpg: cannot be read: permission" in indexed(index, folder).skipped()
    assert len(indexed(index, folder).photos) == 2


def test_a_name_that_is_no_text_is_a_name(index: PhotoIndex, tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    Image.fromarray(photo(1)).save(tmp_path / "a.jpg")
    os.rename(tmp_path / "a.jpg", place)  # noqa: PTH104
    (found,) = indexed(index, tmp_path).photos
    assert os.fsencode(found.path) == place


@pytest.mark.parametrize("way", ["a link to nothing", "gone since it was listed"])
def test_a_photo_that_is_not_there_is_left_out_and_counted(
    index: PhotoIndex, tmp_path: Path, way: str
) -> None:
    folder = album(tmp_path / "p", 2)
    (folder / "z.jpg").symlink_to(tmp_path / ("p/0000.jpg" if "since" in way else "none.jpg"))
    paths = photo_paths([str(folder)])
    if "since" in way:
        (folder / "z.jpg").unlink()
    for _ in range(2):  # the second time nothing else is read
        completed(index.take(paths))
        found = album_of(*index.photos(paths), keep_similar=False)
        assert len(found.photos) == 2
        assert found.skipped().startswith("1 file that cannot be read (z.jpg: ")


def test_only_broken_photos_are_refused(index: PhotoIndex, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture", "utf-8")
    with pytest.raises(InputError, match="none of the photos can be used: 1 file that cannot be"):
        indexed(index, tmp_path)


def test_the_second_time_nothing_is_read(
    index: PhotoIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = album(tmp_path / "p", 5)
    first = indexed(index, folder)
    monkeypatch.setattr("digressions.mosaics.photos.photo_index.read_small", None)
    again = indexed(index, folder)
    assert [photo.sha256 for photo in again.photos] == [photo.sha256 for photo in first.photos]
    assert again.digest == first.digest


def test_a_photo_that_changed_is_read_again_and_one_that_went_is_gone(
    index: PhotoIndex, tmp_path: Path
) -> None:
    folder = album(tmp_path / "p", 3)
    before = indexed(index, folder)
    Image.fromarray(photo(50)).save(folder / "0001.jpg")
    (folder / "0002.jpg").unlink()
    after = indexed(index, folder)
    assert len(after.photos) == 2
    assert after.photos[0].sha256 == before.photos[0].sha256
    assert after.photos[1].sha256 != before.photos[1].sha256
    assert index.preview(before.photos[2].sha256) is not None  # for a mosaic that shows it


def test_another_crop_is_made_of_what_is_there(tmp_path: Path) -> None:
    folder = album(tmp_path / "p", 3)
    with PhotoIndex(tmp_path / "i.sqlite", "1:1", "attention") as index:
        indexed(index, folder)
    with PhotoIndex(tmp_path / "i.sqlite", "3:2", "centre") as index:
        (first, *_) = indexed(index, folder).photos
        preview = index.preview(first.sha256)
    assert preview is not None
    assert preview.box == Box(0, 4, 96, 68)


def test_what_is_no_index_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("text.sqlite", "other.sqlite", "folder"):
        place = tmp_path / name
        if name == "folder":
            place.mkdir()
        elif name == "text.sqlite":
            place.write_text("no index " * 200, "utf-8")
        else:
            db = sqlite3.connect(place)
            db.execute("create table mine (a)")
            db.close()
        before = place.read_bytes() if place.is_file() else b""
        with pytest.raises(OutputError):
            PhotoIndex(place, "1:1", "centre")
        assert not place.is_file() or place.read_bytes() == before


def test_photos_are_found_without_looking_through_all_files(
    index: PhotoIndex, tmp_path: Path
) -> None:
    """10,000 files, looked through for each cell, took longer than the cells themselves."""
    asked: list[str] = []
    index._db.set_trace_callback(asked.append)
    index.preview("0" * 64)
    assert len(asked) == 2
    for query in asked:
        plan = index._db.execute(f"explain query plan {query}").fetchall()
        assert not any("SCAN" in step for *_, step in plan)


def test_a_killed_run_has_kept_what_it_had_read(tmp_path: Path) -> None:
    folder = album(tmp_path / "p", 200)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from digressions.events import completed\n"
        "from digressions.mosaics.photos.photo_files import photo_paths\n"
        "from digressions.mosaics.photos.photo_index import PhotoIndex\n"
        "index = PhotoIndex(Path(sys.argv[1]), '1:1', 'attention')\n"
        "for event in index.take(photo_paths([sys.argv[2]])):\n"
        "    print(event.done, flush=True)\n"
    )
    place = tmp_path / "i.sqlite"
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(place), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    time.sleep(0.1)
    with PhotoIndex(place, "1:1", "attention") as index:
        (kept,) = index._db.execute("select count(*) from files").fetchone()
        assert 0 < kept < 200
        assert len(indexed(index, folder).photos) == 200


# --- cropping --------------------------------------------------------------------------------


@pytest.mark.parametrize("aspect", ["1:1", "3:2", "2:3", "4:1"])
def test_a_crop_is_as_large_as_can_be(aspect: str) -> None:
    wide, high = map(int, aspect.split(":"))
    box = crop_box(photo(1), aspect, "attention")
    assert box.left >= 0
    assert box.top >= 0
    assert box.right <= 96
    assert box.bottom <= 72
    assert box.size.width == 96 or box.size.height == 72
    assert abs(box.size.width * high - box.size.height * wide) < max(wide, high)


def test_attention_finds_what_stands_out() -> None:
    plain = np.full((60, 180, 3), 128, np.uint8)
    plain[20:40, 150:170] = (230, 40, 30)
    assert crop_box(plain, "1:1", "attention").left > 90
    assert crop_box(plain, "1:1", "centre") == Box(60, 0, 120, 60)


def test_a_box_is_the_same_part_at_any_size() -> None:
    box = Box(40, 0, 200, 160)
    assert scaled(box, Size(240, 160), Size(240, 160)) == box
    assert scaled(box, Size(240, 160), Size(480, 320)) == Box(80, 0, 400, 320)
    assert scaled(Box(0, 0, 1, 1), Size(240, 160), Size(24, 16)) == Box(0, 0, 1, 1)


def test_turns_of_photos() -> None:
    square, wide = Size(64, 64), Size(96, 64)
    assert turns_for(square, mirrored=False, rotated=False) == [0]
    assert turns_for(square, mirrored=True, rotated=True) == list(range(8))
    assert turns_for(wide, mirrored=True, rotated=True) == [0, 2, 4, 6]
    picture = photo(2, 64, 64)
    different = {turned(picture, turn).tobytes() for turn in range(8)}
    assert len(different) == 8
    assert np.array_equal(turned(picture, 4), picture[:, ::-1])
    for turn in range(8):  # what is compared is what is shown
        small = coarse(picture, Box(0, 0, 64, 64))
        shown = coarse(np.ascontiguousarray(turned(picture, turn)), Box(0, 0, 64, 64))
        assert np.abs(turned(small, turn).astype(int) - shown).max() <= 1


def test_of_photos_that_look_alike_the_largest_stays(index: PhotoIndex, tmp_path: Path) -> None:
    for number in (1, 2):
        image = Image.fromarray(photo(number, 300, 300))
        image.resize((100, 100)).save(tmp_path / f"{number}-small.jpg", quality=70)
        image.save(tmp_path / f"{number}-whole.png")
    paths = photo_paths([str(tmp_path)])
    completed(index.take(paths))
    good, _ = index.photos(paths)
    assert [each.path.name for each in distinct(good)] == ["1-whole.png", "2-whole.png"]
