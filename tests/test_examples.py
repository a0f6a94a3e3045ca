"""The examples run, and are as short as they promise."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
TINY = {
    "several_prompts": {"pictures": 2},
    "mosaic": {"grid": 2},
    "fall_in": {"grid": 4, "seconds": 0.2},
    "print_it": {"dpi": 30},
}
MADE = {
    "paint": "frog-replay.png",
    "several_prompts": "frog-and-fox.png",
    "mosaic": "turtle/index.html",
    "fall_in": "turtle.mp4",
    "frame": "room-filled.png",
    "print_it": "parrot.pdf",
}


def test_there_are_six_and_the_readme_lists_them() -> None:
    listed = (EXAMPLES[0].parent / "README.md").read_text("utf-8")
    assert [path.stem for path in EXAMPLES] == sorted(MADE)
    assert all(f"`{path.name}`" in listed for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 40
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # low DPI, at this size
        module.main(tmp_path, **TINY.get(path.stem, {}))
    assert (tmp_path / MADE[path.stem]).is_file()
