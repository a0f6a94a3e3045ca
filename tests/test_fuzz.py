"""The fuzzer's own files: each is right before it is damaged, or it would test nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from digressions.errors import DigressionsError, ImageError

from .fuzz import READERS, case_file


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_is_damaged_was_right_before(name: str, tmp_path: Path) -> None:
    reader = READERS[name](tmp_path)
    (tmp_path / "cases").mkdir()
    for file, content in reader.seeds.items():
        path = tmp_path / "cases" / file
        path.write_bytes(content)
        refusals = contextlib.nullcontext()
        if name == "notes" and file in ("print.json", "upscale.json"):
            refusals = pytest.raises(DigressionsError, match=r"nowhere\.png.* is not there")
        elif name == "picture" and not file.startswith("own"):
            refusals = pytest.raises(ImageError, match="does not say how it was made")
        with refusals:
            reader.read(path)


def test_settings_of_every_kind_are_refused_in_one_line_or_read(tmp_path: Path) -> None:
    reader = READERS["settings"](tmp_path)
    (tmp_path / "cases").mkdir()
    refused = 0
    for case in range(40):
        path = case_file(reader, "settings", 7, case, tmp_path / "cases")
        try:
            reader.read(path)
        except DigressionsError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - some raise nothing
    assert 10 < refused < 40


def test_damaged_headers_are_refused_in_one_line_or_read(tmp_path: Path) -> None:
    reader = READERS["header"](tmp_path)
    (tmp_path / "cases").mkdir()
    refused = 0
    for case in range(300):
        path = case_file(reader, "header", 7, case, tmp_path / "cases")
        try:
            reader.read(path)
        except DigressionsError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - some raise nothing
    assert 100 < refused < 300
