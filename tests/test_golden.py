"""Golden results: when two recordings agree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import golden

LATENTS, PIXELS, CELLS = "m/one/a/latents", "m/one/a/pixels", "m/two/b/cells/pixels"


@pytest.fixture
def recording() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    return {
        LATENTS: chance.normal(0, 1, (4, 3, 2)).astype(np.float32),
        PIXELS: chance.uniform(0.2, 0.8, (3, 6, 4)).astype(np.float32),
        CELLS: chance.integers(20, 200, (2, 4, 4, 3)).astype(np.uint8),
        "m/two/b/fidelity/figures": np.array([2.0, np.inf, np.nan]),
        golden.ABOUT: np.array(json.dumps({"cpu": "one"})),
    }


def compare(folder: Path, a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> int:
    np.savez(folder / "a.npz", **a)
    np.savez(folder / "b.npz", **b)
    return golden.main(["compare", str(folder / "a.npz"), str(folder / "b.npz")])


def test_equal_recordings_are_equal_to_the_last_bit(
    recording: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path, recording, recording) == 0
    assert "| m/one | 1 | 1 | 0 | 0 |  |\n| m/two | 1 | 1 |  | 0 | 0 |" in capsys.readouterr().out


@pytest.mark.parametrize(("levels", "code"), [(1e-4, 0), (1.9, 0), (2.1, 1)])
def test_pixels_may_differ_by_two_grey_levels(
    recording: dict[str, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    levels: float,
    code: int,
) -> None:
    other = recording[PIXELS].copy()
    other[1, 2, 3] += levels / 255
    assert compare(tmp_path, recording, recording | {PIXELS: other}) == code
    printed = capsys.readouterr().out
    assert "| m/one | 1 | 0 | 0 |" in printed
    assert (f"{PIXELS} differs" in printed) == bool(code)
    found = golden.compared(recording, recording | {PIXELS: other})
    assert found.rows[0].grey == pytest.approx(levels, rel=0.05)


def test_so_may_whole_grey_levels(recording: dict[str, np.ndarray], tmp_path: Path) -> None:
    def changed(by: int) -> dict[str, np.ndarray]:
        other = recording[CELLS].copy()
        other[0, 0, 0, 0] -= by
        return recording | {CELLS: other}

    assert compare(tmp_path, recording, changed(2)) == 0
    assert compare(tmp_path, recording, changed(3)) == 1


def test_latents_may_differ_by_as_much_of_their_range(
    recording: dict[str, np.ndarray], tmp_path: Path
) -> None:
    level = np.ptp(recording[LATENTS]) / 255
    assert compare(tmp_path, recording, recording | {LATENTS: recording[LATENTS] + level}) == 0
    assert compare(tmp_path, recording, recording | {LATENTS: recording[LATENTS] + 3 * level}) == 1


def test_what_is_on_one_side_only_counts(
    recording: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = {name: array for name, array in recording.items() if name != CELLS}
    assert compare(tmp_path, recording, fewer) == 1
    assert f"{CELLS} is missing in B" in capsys.readouterr().out
    assert compare(tmp_path, fewer, recording) == 1
    assert f"{CELLS} is missing in A" in capsys.readouterr().out


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_far_from_numbers(
    recording: dict[str, np.ndarray], tmp_path: Path, value: float
) -> None:
    for name in (PIXELS, LATENTS):
        other = recording[name].copy()
        other[0, 0, 0] = value
        broken = recording | {name: other}
        assert compare(tmp_path, recording, broken) == 1
        assert compare(tmp_path, broken, recording) == 1
        assert compare(tmp_path, broken, broken) == 0


def test_another_size_is_another_picture(recording: dict[str, np.ndarray], tmp_path: Path) -> None:
    assert compare(tmp_path, recording, recording | {PIXELS: recording[PIXELS][:, :-1]}) == 1


def test_what_was_different_besides_is_named(
    recording: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = recording | {golden.ABOUT: np.array(json.dumps({"cpu": "two"}))}
    assert compare(tmp_path, recording, other) == 0
    assert "another cpu: one, two" in capsys.readouterr().out
