"""The plan for whole levels: its arithmetic, and that it says what is measured and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import gpus, plan
from benchmarks.gpus import Rate, computed_rates, tera
from benchmarks.plan import bytes_of, text_of
from benchmarks.throughput import Measured, remembered

FOUND = Measured(
    machine={"cpu": "a processor", "cores": 2, "versions": {"torch": "2"}},
    side=64,
    painted=10.0,
    png=8192.0,
    committed=(4e7, 1e8),
    brought=(1.6e7, 3e8),
    remembered=200.0,
    canvas=0.5,
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gpus, plan):
        monkeypatch.setattr(module, "picture_tera", lambda: {"a network, 512 px": (512, 0.5, 2.0)})


def cells(text: str, row: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_hours_and_money() -> None:
    rate = Rate("mine", 64, 100, 2.0, "measured")
    assert rate.hours(360_000) == 1.0
    assert rate.cost(360_000) == 2.0
    # Twice the GPUs take half the time for the same money: neither depends on their number.
    assert Rate("two", 64, 200, 4.0, "measured").cost(360_000) == 2.0


def test_the_arithmetic_of_a_matrix_product() -> None:
    with torch.device("meta"):
        layer, rows = torch.nn.Linear(3000, 5000, bias=False), torch.empty(1000, 3000)
    assert tera(layer, rows) == pytest.approx(2 * 1000 * 3000 * 5000 / 1e12)


def test_a_computed_rate_is_the_peak_over_the_arithmetic() -> None:
    found = {rate.name: rate for rate in computed_rates()}
    assert len(found) == len(gpus.GPUS)
    (gpu,) = (gpu for gpu in gpus.GPUS if gpu.name == "A100")
    rate = found["A100, a network, 512 px"]
    assert rate.pictures == pytest.approx(gpus.UTILISATION * gpu.peak / (gpus.STEPS * 0.5 + 2.0))
    assert rate.source == "arithmetic"


def test_the_levels_are_what_they_are_said_to_be() -> None:
    text = text_of(FOUND, [Rate("mine", 64, 100, 2.0, "measured")])
    level = cells(text, "2, 64 px")
    assert level[1:4] == ["16,777,216", "137 GB", "4,096 of 33.6 MB"]
    assert cells(text, "2, 512 px")[2] == "8.8 TB"
    assert cells(text, "mine")[3:] == ["0.683 min", "0.02", "47", "93"]
    assert "3.36 GB" in cells(text, "driver's memory, if level 2 were one job")[2]
    small = cells(text, "driver's core: from workers into the store, 64 px")
    assert small[1:] == ["16 MB/s, 1,953 pictures/s", "level 2 takes 2.4 h"]
    # A disk of 100 MB/s, and a GPU that brings 100 pictures of 8,192 bytes a second.
    assert "122.1 of mine" in cells(text, "GPUs that one driver feeds")[2]


def test_what_was_not_measured_is_said_to_be_so() -> None:
    words = "nothing in this table was measured"
    assert words in text_of(FOUND, computed_rates())
    assert words not in text_of(FOUND, [Rate("mine", 64, 100, 2.0, "measured")])


@pytest.mark.parametrize(
    ("count", "text"), [(12, "12 B"), (8192, "8.19 KB"), (1.37e11, "137 GB"), (5.63e14, "563 TB")]
)
def test_bytes_in_words(count: float, text: str) -> None:
    assert bytes_of(count) == text


def test_what_a_driver_remembers_is_counted_whole() -> None:
    assert 100 < remembered(10_000) < 1000


def test_the_page_has_a_place_for_the_figures() -> None:
    page = (Path(__file__).parents[1] / "docs" / "scale.md").read_text("utf-8")
    for heading in ("### Storage", "### Painting", "### What breaks first"):
        assert heading in page
