"""The benchmarks: they run, and their figures would be others if the pictures were."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import blind_defaults, depth, estimates, fidelity, mosaic, scale, serve, sides, zoom
from benchmarks.measure import detail, different, errors, kept
from benchmarks.page import marked, write_jpeg
from benchmarks.peers import PEERS, Peer, Placed
from benchmarks.subject import default_mosaic
from digressions.diffusion.sample import steps_to_run
from digressions.geometry import Grid
from digressions.images.image_files import read_image, write_image
from digressions.models.checkpoint import Checkpoint
from digressions.mosaics.fidelity import Gauge
from digressions.mosaics.mosaic_spec import CELL_SIDE

GRID, SIDE = Grid(3, 2), 16
DOCS = Path(__file__).parents[1] / "docs"


def noise(seed: int, height: int = GRID.rows * SIDE, width: int = GRID.columns * SIDE):
    values = np.random.default_rng(seed).integers(60, 200, (height, width, 3))
    return values.astype(np.uint8)


def test_a_constant_error_has_the_psnr_of_the_textbook():
    base_image = np.full((GRID.rows * CELL_SIDE, GRID.columns * CELL_SIDE, 3), 100, np.uint8)
    found = errors(
        np.full((GRID.rows * SIDE, GRID.columns * SIDE, 3), 110, np.uint8), base_image, GRID, 2
    )
    assert found.psnr == pytest.approx(20 * math.log10(255 / 10))
    assert found.largest == pytest.approx(10)


def test_one_wrong_value_in_one_cell_is_seen():
    base_image = np.full((GRID.rows * CELL_SIDE, GRID.columns * CELL_SIDE, 3), 100, np.uint8)
    picture = np.full((GRID.rows * SIDE, GRID.columns * SIDE, 3), 100, np.uint8)
    assert errors(picture, base_image, GRID, 2) == (math.inf, 0)
    picture[SIDE : SIDE + SIDE // 2, 2 * SIDE : 2 * SIDE + SIDE // 2, 1] = 130
    found = errors(picture, base_image, GRID, 2)
    assert found.largest == pytest.approx(30)
    assert found.psnr == pytest.approx(-10 * math.log10((30 / 255) ** 2 / (GRID.cells * 2 * 2 * 3)))


def test_errors_agree_with_the_gauge_of_the_package(bundled):
    plan = default_mosaic(bundled, GRID)
    plan = plan.but(params=plan.params.but(size=SIDE))
    picture, base_image = noise(1), noise(2, GRID.rows * CELL_SIDE, GRID.columns * CELL_SIDE)
    gauge = Gauge(plan, torch.from_numpy(base_image).permute(2, 0, 1) / 255)
    list(gauge.watch(iter([picture[:SIDE], picture[SIDE:]])))
    wanted = gauge.fidelity()
    coarse, fine = (errors(picture, base_image, GRID, values) for values in (2, CELL_SIDE))
    assert coarse.psnr == pytest.approx(wanted.band_psnr, abs=1e-3)
    assert coarse.largest == pytest.approx(wanted.largest, abs=1e-3)
    assert fine.psnr == pytest.approx(wanted.fine_psnr, abs=1e-3)


def test_kept_asks_for_the_drawing_and_not_for_its_colours():
    source = noise(3)
    recoloured = (source * 0.5 + (10, 40, 20)).astype(np.uint8)
    assert kept(source, source, GRID) == pytest.approx(1)
    assert kept(recoloured, source, GRID) > 0.99
    assert kept(255 - source, source, GRID) == pytest.approx(-1)
    assert abs(kept(noise(4), source, GRID)) < 0.15


def test_kept_is_nothing_where_the_drawing_is_gone_and_unknown_where_there_was_none():
    source, flat = noise(5), np.full_like(noise(5), 90)
    assert kept(flat, source, GRID) == 0
    assert math.isnan(kept(source, flat, GRID))
    half_gone = source.copy()
    half_gone[:SIDE] = 90  # one of two rows of cells
    assert kept(half_gone, source, GRID) == pytest.approx(0.5)


def test_detail_is_what_a_base_image_cannot_hold():
    coarse = noise(6, GRID.rows * CELL_SIDE, GRID.columns * CELL_SIDE)
    enlarged = coarse.repeat(2, 0).repeat(2, 1)
    assert detail(enlarged, GRID) == pytest.approx(0)
    y, x = np.indices(enlarged.shape[:2])
    checkered = enlarged + np.where((x + y) % 2, 7, -7)[..., None]
    assert detail(checkered, GRID) == pytest.approx(7)


def test_different_counts_repeated_pictures_once():
    assert different(noise(7), GRID) == GRID.cells
    repeated = noise(7)
    repeated[:SIDE, SIDE : 2 * SIDE] = repeated[:SIDE, :SIDE]
    assert different(repeated, GRID) == GRID.cells - 1


def timed_side(key: str, seconds: list[float]) -> sides.Side:
    return sides.Side(key, key, {}, "float32", 1, [0], print, float, seconds, [0.5] * len(seconds))


def test_ratios_are_taken_within_a_repeat():
    slow, reference = timed_side("a", [2.0, 9.0, 8.0]), timed_side("d", [1.0, 3.0, 4.0])
    found = mosaic.ratios([slow, reference])
    assert found["a"] == {"median": 2.0, "lowest": 2.0, "highest": 3.0}
    assert found["d"]["median"] == 1
    assert slow.figures()["forecast_minutes"] == pytest.approx(8.0 * 4096 / 60)


def test_a_run_divides_its_time_by_its_cells_and_knows_what_was_inside(monkeypatch):
    clock = {"now": 0.0, "inside": 0.0}

    def paint(batch):
        clock["now"] += 4 * len(batch)
        clock["inside"] += 3 * len(batch)

    monkeypatch.setattr(sides.time, "perf_counter", lambda: clock["now"])
    side = sides.Side(
        *("a", "", {}, "", 2, [0, 1, 2], paint, lambda: clock["inside"]),
        clock=lambda: clock["now"],
    )
    side.run()
    assert (side.seconds, side.inside) == ([4.0], [0.75])


def test_the_pipelines_own_defaults_are_read_off_it():
    assert sides.pipeline_defaults() == {
        "num_inference_steps": 50,
        "strength": 0.8,
        "guidance_scale": 7.5,
    }


def test_the_pipeline_runs_the_steps_that_are_stated(bundled, monkeypatch):
    pipeline, calls = sides.Pipeline(Checkpoint(bundled.name).folder), []
    pipeline.pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    settings = {"num_inference_steps": 4, "strength": 0.8, "guidance_scale": 3.0}
    start = torch.full((3, bundled.size, bundled.size), 0.5)
    side = sides.pipeline_side("b", "", pipeline, settings, {0: start}, [0], 1)
    side.run()
    assert len(calls) == side.settings["steps_run"] == 3
    assert 0.5 < side.inside[0] < 1


def test_the_speed_benchmark_runs(monkeypatch, tmp_path, capsys):
    few = {"num_inference_steps": 5, "strength": 0.8, "guidance_scale": 7.5}
    monkeypatch.setattr(sides, "pipeline_defaults", lambda: few)
    out = tmp_path / "mosaic.json"
    options = ["--cells", "2", "--single", "1", "--batch", "2", "--repeats", "1"]
    report = mosaic.main([*options, "--out", str(out)])
    assert json.loads(out.read_text("utf-8")) == report
    found = {side["key"]: side for side in report["sides"]}
    assert list(found) == ["a", "b", "c", "d", "e"]
    assert [side["batch"] for side in found.values()] == [1, 1, 2, 2, 2]
    assert found["a"]["settings"]["steps_run"] == 4
    assert all(found[key]["dtype"] == "float32" for key in "abce")
    assert all(
        side["median_seconds"] > 0 and 0 < side["network_share"] <= 1 for side in found.values()
    )
    printed = capsys.readouterr().out
    assert report["machine"]["cpu"] in printed
    assert "diffusers, cell by cell" in printed


def test_compiling_has_paid_when_what_it_saves_is_what_it_took():
    def side(key, seconds, warming):
        return {"key": key, "batch": 32, "median_seconds": seconds, "warming": warming}

    assert mosaic.paid([side("d", 2.0, 10.0)]) == ""
    text = mosaic.paid([side("d", 2.0, 10.0), side("f", 1.5, 60.0)])
    assert "took 50 s: that has paid after 100 pictures" in text
    assert "it never pays" in mosaic.paid([side("d", 2.0, 10.0), side("f", 2.5, 60.0)])


def test_the_study_asks_for_each_mosaic_once_and_for_its_source_before_it(bundled):
    plans = fidelity.variants(default_mosaic(bundled, GRID))
    names = [fidelity.name_of(plan) for plan in plans]
    assert len(set(names)) == len(names)
    for index, plan in enumerate(plans):
        assert fidelity.name_of(fidelity.uncorrected(plan)) in names[: index + 1]


def test_the_studys_strengths_differ_in_steps_and_would_not_by_default(bundled):
    def runs(steps: int) -> set[int]:
        return {steps_to_run(steps, strength) for strength in fidelity.STRENGTHS}

    assert len(runs(fidelity.STEPS)) == len(fidelity.STRENGTHS)
    assert len(runs(bundled.defaults.cell_steps)) < len(fidelity.STRENGTHS)


def reverse(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
    """A tool that puts all pictures in the wrong places."""
    pictures = [read_image(path) for path in sorted(tiles.glob("*.png"), reverse=True)]
    return Placed(fidelity.whole(np.stack(pictures), grid))


@pytest.fixture
def small_study(monkeypatch, tmp_path):
    """Runs a study of few mosaics and two tools, of which one is not installed."""
    monkeypatch.setattr(fidelity, "STRENGTHS", (0.8,))
    monkeypatch.setattr(fidelity, "ANCHORS", (0.3,))
    monkeypatch.setattr(fidelity, "OTHER_BANDS", (8,))
    tools = {
        "reverse": Peer("numpy", "numpy", "BSD", "wrong places", reverse),
        "absent": Peer("absent", "no_such_module", "MIT", "", reverse),
    }
    monkeypatch.setattr(fidelity, "PEERS", tools)
    page = tmp_path / "docs" / "fidelity.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- generated -->\nold\n<!-- /generated -->\nafter\n", "utf-8")

    def run(*more: str):
        options = ["--out", str(tmp_path / "study"), "--update", str(page), "--grid", "2"]
        return fidelity.main([*options, *more])

    return run, tmp_path / "study", page


def test_the_study_measures_and_writes_its_page(small_study, capsys):
    run, _, page = small_study
    report = run("--steps", "3")
    rows = {row["name"]: row for row in report["own"] + report["others"]}
    exact = rows["strength-0.8-anchor-0.3-band-2"]
    free = rows["strength-0.8-anchor-0-band-0"]
    assert exact["band_largest"] < 1 < free["coarse_largest"]
    assert exact["coarse_psnr"] > 50 > free["coarse_psnr"]
    assert rows["strength-0.8-anchor-0.3-band-8"]["fine_psnr"] > exact["fine_psnr"]
    assert free["kept"] == pytest.approx(1)
    assert exact["kept"] < 1
    assert rows["enlarged"]["pictures_a_second"] is None
    assert rows["reverse"]["kept"] == pytest.approx(1)
    assert rows["reverse"]["coarse_psnr"] < free["coarse_psnr"]
    assert "absent" not in rows
    assert "absent is left out" in capsys.readouterr().out
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert "\nafter\n" in text  # another network's figures stay
    assert "old" not in text
    linked = re.findall(r"\]\((images/fidelity-[^)]+\.jpg)\)", text)
    assert linked
    assert all((page.parent / name).stat().st_size < 200_000 for name in linked)


def test_a_study_goes_on_where_it_was_and_keeps_to_itself(small_study):
    run, folder, page = small_study
    run("--steps", "3")
    text = page.read_text("utf-8")
    lost = folder / "strength-0.8-anchor-0.3-band-8"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    lost.with_name(f"{lost.name}.json").unlink()
    run("--steps", "3")
    after = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    repainted = {path.name for path in after if after[path] != before[path]}
    assert repainted == {f"{lost.name}.png"}
    assert text.count("\n") == page.read_text("utf-8").count("\n")
    with pytest.raises(SystemExit, match="another study"):
        run("--steps", "2")


@pytest.mark.parametrize("name", list(PEERS))
def test_another_tool_finds_the_place_of_pictures_that_fit(name, tmp_path):
    pytest.importorskip(PEERS[name].module)
    grid, side = Grid(4, 4), 64
    colours = np.random.default_rng(8).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    base_image = write_image(tmp_path / "base.png", colours.repeat(8, 0).repeat(8, 1))
    for cell, colour in enumerate(colours.reshape(-1, 3)):
        tile = np.tile(colour, (side, side, 1))
        write_image(tmp_path / "tiles" / f"{cell:02d}.png", tile)
    placed = PEERS[name].place(base_image, tmp_path / "tiles", grid, side)
    assert placed.mosaic.shape == (256, 256, 3)
    chosen = placed.mosaic if placed.source is None else placed.source()
    assert errors(chosen, read_image(base_image), grid, 1).psnr > 20


def test_the_page_has_a_place_for_the_figures_and_all_its_pictures():
    text = (DOCS / "fidelity.md").read_text("utf-8")
    assert len(marked().findall(text)) == 1
    for name in re.findall(r"\]\((images/[^)]+)\)", text):
        assert (DOCS / name).exists()


@pytest.mark.slow
def test_a_longer_film_takes_longer_but_not_more_memory(tmp_path: Path) -> None:
    page = tmp_path / "zoom.md"
    page.write_text("a\n<!-- generated: zoom -->\nold\n<!-- /generated: zoom -->\nz\n", "utf-8")
    report = zoom.main(
        [
            *("--rehearse", "--grid", "8", "--size", "96", "--seconds", "1", "6"),
            *("--upscaler", "lanczos", "--banks", "2", "8", "--out", str(tmp_path / "z.json")),
            *("--update", str(page)),
        ]
    )
    short, long = report["films"]
    assert long["peak_mib"] < short["peak_mib"] + 40
    assert long["filming"] > short["filming"]
    assert all(0 < count <= 64 for count in short["pictures"].values())
    # Which bank serves better is what the benchmark is for: each is measured over its own cells.
    assert all(0 < bank["error"] < 1 for bank in report["banks"])
    assert json.loads((tmp_path / "z.json").read_text("utf-8"))["asked"]["grid"] == 8
    text = page.read_text("utf-8")
    assert text.startswith("a\n")
    assert text.endswith("z\n")
    assert "old" not in text
    assert "| 8 |" in text


@pytest.mark.parametrize("name", ["zoom", "serve", "depth"])
def test_the_page_of_worlds_has_a_place_for_figures(name: str) -> None:
    assert len(marked(name).findall((DOCS / "zoom.md").read_text("utf-8"))) == 1


def test_the_page_of_serving_says_what_was_measured() -> None:
    crowd = {
        "viewers": 200,
        "seconds": 60,
        "answers": 900,
        "refused": 17,
        "median_s": 2.25,
        "p95_s": 4.0,
        "longest_s": 5.5,
        "fewest_answers": 4,
        "most_answers": 5,
        "peak_mib": 812.4,
        "before_mib": None,
    }
    flight = {"median_ms": 16.7, "p95_ms": 18.2, "longest_ms": 51, "pictures_meanwhile": 1234}
    text = serve.section(
        {
            "arrivals_s": [0.9, 0.5, 1.3],
            "deep_arrivals_s": [1.1],
            "frames": flight,
            "crowd": crowd,
            "machine": {"cpu": "a CPU", "cores": 2},
            "asked": {"size": "1280x800", "grid": 64},
        }
    )
    assert "median, longest of 3 | 0.90, 1.30 |" in text
    assert "| 16.7, 18.2, 51 |" in text
    assert "| 2.2, 4.0, 5.5 |" in text
    assert "| 812 MiB, unknown |" in text


def test_a_quantile_is_the_nearest_rank() -> None:
    assert serve.quantile([1.0, 2.0, 3.0], 0.95) == 3
    assert serve.quantile(list(range(100)), 0.95) == 95


def test_the_links_of_arrivals_lead_to_different_places() -> None:
    near, deep = serve.places(24, 4096)
    assert len(set(near)) == len(set(deep)) == 24
    assert all(0 <= float(part) <= 1 for place in near for part in place.split("/")[:2])


def test_a_network_of_real_shape_is_measured_beside_diffusers_and_its_own_limit(
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- generated: scale sdxl -->\nold\n<!-- /generated: scale sdxl -->\n"
        "<!-- generated: scale sd15 -->\nafter\n<!-- /generated: scale sd15 -->\n",
        "utf-8",
    )
    report = scale.main(
        [
            *("--networks", "sdxl", "--tiny", "--device", "cpu", "--dtype", "float32"),
            *("--cells", "2", "--single", "1", "--repeats", "1", "--update", str(page)),
            *("--batch", "2"),  # the one found may be 1, and then there is no side b
        ]
    )
    rows = {row["side"]: row for row in report["rows"]}
    assert list(rows) == ["a", "b", "c", "d"]
    assert rows["b"]["batch"] == rows["c"]["batch"] == rows["d"]["batch"] == 2
    assert all(row["seconds"] > 0 and row["peak"] > 10**8 for row in rows.values())
    assert 0 < rows["c"]["inside"] <= 1
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert "\nafter\n" in text  # another network's figures stay
    assert "old" not in text
    assert "Stable Diffusion XL" in text


def test_the_page_of_speed_has_a_place_for_every_table() -> None:
    text = (DOCS / "speed.md").read_text("utf-8")
    for name in ("mosaic", "compile", "kernels", "sharing", "scale sd15", "scale sdxl"):
        (section,) = marked(name).findall(text)
        assert section


def test_depths_are_judged_and_exact(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- generated: depth -->\nold\n<!-- /generated: depth -->\n", "utf-8")
    report = depth.main(
        [*("--paths", "2", "--depths", "1", "3"), "--grid", "8", "--update", str(page)]
    )
    assert [row["depth"] for row in report["rows"]] == [1, 3]
    assert all(row["residual"] <= 1 for row in report["rows"])
    assert all(0 < row["lightness"] < 1 and row["contrast"] > 1 for row in report["rows"])
    assert "| 3 |" in page.read_text("utf-8")


def test_only_the_key_tells_which_side_of_a_blind_sheet_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(folder: Path, now: bool) -> np.ndarray:
        return np.full((40, 40, 3), 255 if now else 60, np.uint8)

    monkeypatch.setattr(blind_defaults, "jobs", lambda _: [blind_defaults.Blind("x", make)] * 12)
    blind_defaults.main(["--out", str(tmp_path)], model=object())  # type: ignore[arg-type]
    key = json.loads((tmp_path / "key.json").read_text())["now"]
    assert set(key.values()) == {"A", "B"}
    for number, side in key.items():
        sheet = read_image(tmp_path / f"{number}.png")
        left, right = sheet[300, sheet.shape[1] // 4], sheet[300, 3 * sheet.shape[1] // 4]
        assert (left.mean() > right.mean()) == (side == "A")


def test_the_work_of_frames_is_found_whatever_else_slows_one_film_or_another():
    rng = np.random.default_rng(1)
    wanted = np.array([0.008, 0.02, 0.001, 5e-7, 0.04])
    rows = [
        np.column_stack([rng.integers(0, most, (60, 3)), rng.integers(1, 3, 60) * 1e5, np.ones(60)])
        for most in (8, 30, 90)
    ]
    seconds = [slow * (each @ wanted) for slow, each in zip((0.5, 2.0, 1.0), rows, strict=True)]
    assert estimates.fitted_parts(rows, seconds) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("side", [64, 600])
def test_a_picture_for_a_page_is_as_good_as_it_may_be_large(tmp_path, side) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    path = tmp_path / "images" / "noise.jpg"
    write_jpeg(path, noise, largest=200_000)
    assert path.stat().st_size <= 200_000
    best = io.BytesIO()
    Image.fromarray(noise).save(best, "JPEG", quality=88, optimize=True)
    assert (path.read_bytes() == best.getvalue()) == (side == 64)


def test_a_picture_that_is_too_large_at_any_quality_is_refused(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    with pytest.raises(SystemExit, match="show less"):
        write_jpeg(tmp_path / "noise.jpg", noise, largest=1000)
    assert not (tmp_path / "noise.jpg").exists()
