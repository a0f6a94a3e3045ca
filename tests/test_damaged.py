"""Damaged files: a refusal in one line, whatever is in them. What `fuzz.py` found, and a taste."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from PIL import Image, ImageCms

from digressions.errors import (
    DigressionsError,
    ImageError,
    InputError,
    ModelError,
    OutputError,
    PromptError,
)
from digressions.frames.inserting import replay_found, replay_inserted
from digressions.generate.metadata import Record
from digressions.generate.params import ResolvedParams
from digressions.generate.replay import ReplayRequest
from digressions.generate.upscaling import replay_upscale
from digressions.images.colour import read_palette
from digressions.images.image_files import focal_length, from_png, read_image, read_text, to_png
from digressions.images.source_image import as_array
from digressions.images.video import read_video_text
from digressions.models.base import Model
from digressions.models.checkpoint import check_network
from digressions.models.loading import load
from digressions.models.scheduler_config import check_scheduler, schedule_of
from digressions.mosaics.base_image import replay_base_image
from digressions.mosaics.build import replay_mosaic
from digressions.mosaics.cells import strips
from digressions.mosaics.mosaic_spec import Mosaic
from digressions.mosaics.store import Store, _reason, read_manifest
from digressions.prints.icc import read_profile
from digressions.prints.print_file import read_pdf_text
from digressions.prints.printing import replay_print
from digressions.worlds.cache import Cache

from .checkpoints import build
from .fuzz import READERS, case_file
from .jobs import plain_mosaic
from .test_video import Sweep, written

NESTED = "[" * 100_000
CELLS = ResolvedParams(
    prompt="a frog", seed=0, size=8, steps=4, sampler="ddim", guidance=1.0, strength=0.8
)
MOSAIC = plain_mosaic(CELLS, (2, 2))


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"settings", "checkpoint"}))
def test_a_few_damaged_files_of_every_kind(name: str, tmp_path: Path) -> None:
    reader = READERS[name](tmp_path)
    (tmp_path / "cases").mkdir()
    for case in range(5 if name == "profile" else 25):  # LittleCMS takes its time
        path = case_file(reader, name, 7, case, tmp_path / "cases")
        try:
            reader.read(path)
        except DigressionsError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most cases raise nothing


def test_json_nested_beyond_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(NESTED)
    with pytest.raises(OutputError, match=r"manifest\.json cannot be read: nested too deeply"):
        read_manifest(tmp_path)
    for key, replay in (("found", replay_found), ("frame", replay_inserted)):
        with pytest.raises(InputError, match="damaged"):
            list(replay(ReplayRequest(tmp_path / "a.png", {key: NESTED})))
    for key, replay in (("upscale", replay_upscale), ("print", replay_print)):
        with pytest.raises(InputError, match="damaged"):
            list(replay(ReplayRequest(tmp_path / "a.tif", {key: NESTED})))


@pytest.mark.parametrize("picture", [b"no PNG", 1.5, "text"])
def test_a_damaged_picture_in_a_store_names_the_store(tmp_path: Path, picture: object) -> None:
    path = tmp_path / "pictures.sqlite"
    with Store(path, "job") as store:
        store.put({cell: to_png(np.zeros((8, 8, 3), np.uint8)) for cell in range(4)})
        store.put({2: picture})  # type: ignore[dict-item]
        with pytest.raises(ImageError, match=rf"{path} holds a damaged picture"):
            list(strips(store, MOSAIC))


def test_a_cache_damaged_in_its_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "worlds.sqlite"
    Cache(path).close()
    with sqlite3.connect(path) as base:
        base.execute("pragma journal_mode = delete")
    base.close()
    content = path.read_bytes().replace(b"create", b"\xbfre\xc1te").replace(b"CREATE", b"\xbfREATE")
    path.write_bytes(content)
    with pytest.raises(OutputError, match=rf"{path}: not a store of pictures, or a damaged one"):
        Cache(path)


def test_a_damaged_claim_is_nobodys(tmp_path: Path) -> None:
    with Cache(tmp_path / "c") as cache:
        cache.claim(["a", "b", "c"], 3)
        cache._db.execute("update claims set pid = 'x' where key = 'a'")
        cache._db.execute("update claims set expires = 'x' where key = 'b'")
        cache._db.execute("update claims set pid = 1 << 62 where key = 'c'")
        assert cache.claim(["a", "b", "c"], 3).mine == ["a", "b", "c"]


@pytest.mark.parametrize("size", [b"\x00\xff", "x", float("inf"), 1 << 62])
def test_a_cache_whose_sizes_are_damaged_is_still_bounded(tmp_path: Path, size: object) -> None:
    with Cache(tmp_path / "c", limit=1000) as cache:
        cache.put({"a": bytes(300), "b": bytes(300)})
        cache._db.execute("update pictures set size = ? where key = 'a'", (size,))
        for name in "cdefg":
            cache.put({name: bytes(300)})
            assert cache.size() <= 1000
        assert set(cache.get("abcdefg")) <= set("defg")


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_texts_of_a_film_need_not_be_utf_8(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    written(path, Sweep(2, 5), text={"parameters": "a frog"})
    path.write_bytes(path.read_bytes().replace(b"a frog", b"a \xe7\xe7\xe7g"))
    assert read_video_text(path)["parameters"].startswith("a ")


def test_a_pdf_whose_metadata_is_none_has_no_texts(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.Root["/Metadata"] = 3
        pdf.save(tmp_path / "a.pdf")
    assert read_pdf_text(tmp_path / "a.pdf") == {}


def test_a_pdf_with_a_number_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(path)
    path.write_bytes(path.read_bytes().replace(b"startxref\n", b"startxref\n" + 40 * b"26"))
    with pytest.raises(ImageError, match=r"a\.pdf is not a PDF that can be read \(overflow"):
        read_pdf_text(path)


class OddError(Exception):
    """What no library says that it raises."""


@pytest.mark.parametrize(
    ("target", "read", "error"),
    [
        ("pikepdf.Pdf.open", read_pdf_text, ImageError),
        ("av.open", read_video_text, ImageError),
        ("PIL.Image.open", read_image, ImageError),
        ("PIL.Image.open", as_array, ImageError),
        ("PIL.Image.open", focal_length, ImageError),
        ("PIL.ImageCms.ImageCmsProfile", read_profile, InputError),
        ("PIL.ImageCms.buildTransform", read_profile, InputError),
        ("sqlite3.connect", lambda path: Cache(path.with_name("new")), OutputError),
        ("sqlite3.connect", lambda path: Store(path, "job"), OutputError),
        ("transformers.TokenizersBackend.from_pretrained", lambda _: load("bundled"), ModelError),
        ("diffusers.AutoencoderTiny.from_pretrained", lambda _: load("bundled"), ModelError),
    ],
)
def test_whatever_a_library_raises_is_a_refusal_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    read: Callable[[Path], object],
    error: type[DigressionsError],
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OddError("two\nlines")

    path = tmp_path / "file"
    path.write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    monkeypatch.setattr(target, fails)
    with pytest.raises(error) as found:
        read(path)
    assert "\n" not in str(found.value)
    cause: BaseException | None = found.value
    while not isinstance(cause, OddError):
        assert cause is not None
        cause = cause.__cause__


def test_a_packet_or_profile_that_a_library_stumbles_over_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OddError

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8), "red").save(path, icc_profile=icc, xmp=b"<x:xmpmeta/>")
    monkeypatch.setattr("PIL.ImageCms.profileToProfile", fails)
    monkeypatch.setattr("lxml.etree.fromstring", fails)
    assert read_image(path).shape == (8, 8, 3)
    assert read_text(path) == {}


def test_a_name_that_no_system_takes_is_no_palette() -> None:
    with pytest.raises(InputError, match="palette"):
        read_palette("a" * 5000)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        *(("mosaic", {"grid": grid}) for grid in (1.5, "8y8", [], [0, 4], None)),
        *(("mosaic", change) for change in ({"band": True}, {"anchor": None}, {"later": 1})),
        *(("mosaic", {"params": params}) for params in ({}, 3, None)),
        *(("params", {"guidance": value}) for value in (None, "1", float("inf"))),
        *(("params", change) for change in ({"combine": {}}, {"size": True}, {"later": 1})),
    ],
)
def test_settings_of_a_mosaic_are_of_their_kinds(part: str, change: dict[str, object]) -> None:
    found = MOSAIC.json_object()
    assert Mosaic.from_json_object(json.loads(json.dumps(found))) == MOSAIC
    damaged = found | change if part == "mosaic" else found | {"params": found["params"] | change}
    with pytest.raises(InputError) as error:
        Mosaic.from_json_object(damaged)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("found", [2**31, [1], "64x64", None])
def test_settings_of_a_mosaic_are_a_group(found: object) -> None:
    with pytest.raises(InputError, match="not a group of settings"):
        Mosaic.from_json_object(found)


@pytest.mark.parametrize(
    "damage",
    [
        *({"num_train_timesteps": value} for value in (None, 0, -1, 2**63, "1000", True, 0.5)),
        *({"steps_offset": value} for value in (None, -1, "x", [])),
        *({"beta_end": value} for value in (None, "0.1", -1, 2, float("nan"))),
        *({"trained_betas": value} for value in ([], [None], "0.1", [2])),
        *({"beta_schedule": []}, {"prediction_type": {}}),
    ],
    ids=str,
)
def test_a_scheduler_whose_numbers_cannot_be_is_refused(damage: dict[str, object]) -> None:
    def read(config: dict[str, object]) -> int:
        check_scheduler(config, Path("scheduler_config.json"))
        return len(schedule_of(config))

    config = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012}
    assert read(config) == 1000
    with pytest.raises(ModelError):
        read(config | damage)


@pytest.mark.parametrize(
    "damage",
    [
        {"layers_per_block": 2**63},
        {"num_hidden_layers": 10**400},
        {"num_encoder_blocks": [1, 1, 5000]},
        {"block_out_channels": [32, 2**40]},
    ],
    ids=str,
)
def test_a_network_larger_than_any_is_refused(damage: dict[str, object]) -> None:
    config = {"layers_per_block": 2, "sample_size": 64, "block_out_channels": [32, 64]}
    check_network(config, Path("config.json"))
    with pytest.raises(ModelError, match=f"{next(iter(damage))} is larger than any network's"):
        check_network(config | damage, Path("config.json"))


def test_a_checkpoint_checks_the_config_before_it_builds(tmp_path: Path) -> None:
    folder = build(tmp_path / "sd", "sd")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"layers_per_block": 2**63}))
    with pytest.raises(ModelError, match="layers_per_block is larger"):
        load(str(folder), "cpu", "float32")


@pytest.mark.parametrize("library", [[], [None], {}, None, 7])
def test_an_index_that_names_no_library_is_refused(tmp_path: Path, library: object) -> None:
    folder = build(tmp_path / "sd", "sd")
    index = folder / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"vae": [library, "X"]}))
    with pytest.raises(ModelError, match="no usable vae"):
        load(str(folder), "cpu", "float32")


def test_what_a_damaged_store_says_is_one_line() -> None:
    error = sqlite3.DatabaseError('malformed database schema (pictures) - unrecognized "x\n)\n"')
    assert "\n" not in _reason(error)


@pytest.mark.parametrize("prompt", ["caf\udce9", "\u00e9\ud800"])
def test_a_prompt_of_bytes_that_are_no_characters_is_refused(
    bundled: Model, refused: Callable[..., str], prompt: str
) -> None:
    with pytest.raises(PromptError, match="no characters, from place"):
        bundled.encode_text([prompt], 64, 64)
    assert "no characters" in refused("paint", "a frog", "--negative", prompt)
    assert "no characters" in refused("paint", prompt)


@pytest.mark.parametrize("entry", ["", [], 3])
def test_a_tokenizer_that_an_index_does_not_describe_is_refused(
    tmp_path: Path, entry: object
) -> None:
    index = build(tmp_path / "model", "sd") / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"tokenizer": entry}))
    with pytest.raises(ModelError, match="no usable tokenizer"):
        load(str(tmp_path / "model"), "cpu", "float32")


@pytest.mark.parametrize("side", [0, 5000, 10**30])
def test_a_cell_has_a_size_that_can_be(side: int) -> None:
    with pytest.raises(InputError, match="size"):
        MOSAIC.but(params=CELLS.but(size=side)).check()


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"mosaic": MOSAIC.json_object()},
        *(
            {"mosaic": MOSAIC.json_object(), "sharing": sharing}
            for sharing in (None, {"reuse": "3"}, {"reuse": 1.5}, {"merge_similar": []})
        ),
    ],
    ids=str,
)
def test_what_a_file_remembers_of_a_mosaic_is_checked(
    details: dict[str, object], tmp_path: Path, bundled: Model
) -> None:
    record = Record(kind="mosaic", params=CELLS, details=details)
    request = ReplayRequest(tmp_path / "a.jpg", {}, tmp_path / "none")
    with pytest.raises(InputError, match="the settings of the mosaic are damaged"):
        next(replay_mosaic(request, bundled, record))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [None, [], [8, 9.5], [0, 8], [8, 99_999], "x"])
def test_what_a_file_remembers_of_a_base_image_is_checked(
    size: object, tmp_path: Path, bundled: Model
) -> None:
    record = Record(kind="base image", params=CELLS, details={"enlarged": size})
    with pytest.raises(InputError):
        next(replay_base_image(ReplayRequest(tmp_path / "a.png", {}), bundled, record))


def test_a_picture_from_nowhere_is_refused() -> None:
    with pytest.raises(ImageError, match="a store holds a damaged picture"):
        from_png(b"")
