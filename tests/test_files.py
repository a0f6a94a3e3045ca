"""Files are written whole or not at all, whatever happens in between."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from digressions.errors import InputError, OutputError
from digressions.files import (
    check_folder,
    parsed,
    refuse_overwrite,
    slug,
    whole_file,
    workshop,
    write_json,
    writing,
)

from .conftest import tree


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(28, "No space")])
def test_after_an_exception_nothing_has_changed(
    tmp_path: Path, there: bool, error: BaseException
) -> None:
    path = tmp_path / "new" / "deep" / "a.txt"
    if there:
        path.parent.mkdir(parents=True)
        path.write_text("old")
    before = tree(tmp_path)

    def write() -> None:
        with whole_file(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
        write()
    assert tree(tmp_path) == before


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
        assert part.parent == path.parent  # or it could not be moved in one go
        assert part.name.startswith(".")
    assert tree(tmp_path) == {path: b"new"}


def test_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    with whole_file(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"


def test_nothing_written_is_an_error_and_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"), whole_file(tmp_path / "a.txt"):
        pass
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("place", ["file/a.txt", "file/more/a.txt", "folder"])
def test_a_place_that_cannot_be_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    before = tree(tmp_path)
    with pytest.raises(OutputError) as caught:
        write_json(tmp_path / place, [1])
    assert str(tmp_path / place) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before


def test_json_is_written_as_people_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, "é"]})
    assert json.loads(path.read_text("utf-8")) == {"a": [1, "é"]}
    assert path.read_text("utf-8").endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}, {1, 2}, {"a": object()}])
def test_what_json_does_not_know_is_not_written(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "new" / "a.json"
    with pytest.raises((ValueError, TypeError)):
        write_json(path, value)
    assert tree(tmp_path) == {}


# --- reading JSON ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["NaN", "[1, Infinity]", "-Infinity", "1e999", "[-1e400]", "{"])
def test_what_is_no_json_or_no_number_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parsed(text)
    assert "\n" not in str(caught.value)


def test_nesting_without_end_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parsed("[" * 200_000)


def test_numbers_are_read_as_json_has_them() -> None:
    assert parsed('{"a": [1, 2.5, -1e300, 1e-400]}') == {"a": [1, 2.5, -1e300, 0.0]}
    assert isinstance(parsed("3"), int)


# --- folders ---------------------------------------------------------------------------------


def test_a_workshop_is_gone_afterwards_and_takes_what_a_killed_run_left(tmp_path: Path) -> None:
    left = tmp_path / ".target.writing"
    left.mkdir()
    (left / "half").write_text("x")
    with workshop(tmp_path, tmp_path / "target") as work:
        assert list(work.iterdir()) == []
        (work / "a").write_text("x")
    assert tree(tmp_path) == {}


def test_a_workshop_that_fails_leaves_no_folder_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    before = tree(tmp_path)

    def build(folder: Path) -> None:
        with workshop(folder, folder / "target") as work:
            (work / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "here" / "a" / "b")
    assert tree(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "deep")
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(OutputError, match="is not a folder: choose another output"):
            check_folder(place)
    assert not (tmp_path / "new").exists()
    if os.geteuid():  # root may write anywhere
        (tmp_path / "shut").mkdir(mode=0o500)
        with pytest.raises(OutputError, match="is not writable"):
            check_folder(tmp_path / "shut")


def test_the_systems_refusal_names_the_target(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"a\.png cannot be written: No space left") as caught,
        writing(tmp_path / "a.png"),
    ):
        raise OSError(28, "No space left on device")
    assert caught.value.field == "output"


def test_a_source_is_not_written_over(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_text("x")
    (tmp_path / "link.png").symlink_to(source)
    refuse_overwrite(source, tmp_path / "b.png")
    for target in (source, tmp_path / "link.png", tmp_path / "x" / ".." / "a.png"):
        with pytest.raises(InputError, match="would be written over"):
            refuse_overwrite(source, target)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Photo of a Turtle!", "photo-of-a-turtle"),
        ("../../etc/passwd", "etc-passwd"),
        ("é", "é"),
        ("海亀の写真", "海亀の写真"),
        ("क्षत्रिय!", "क्षत्रिय"),
        ("🐢", "picture"),
        ("", "picture"),
        ("a" * 500, "a" * 60),
    ],
)
def test_a_prompt_becomes_a_file_name(prompt: str, name: str) -> None:
    assert slug(prompt) == name
