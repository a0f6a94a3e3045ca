"""``digress ensemble``, and ensembles in the other commands: what is written can be replayed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.generate.metadata import Record
from digressions.generate.record_reading import record_of
from digressions.images.image_files import read_image, read_text
from digressions.models.base import Defaults, Model

from .conftest import Ran

Digress = Callable[..., Ran]
TWO = ("photo of a frog", "a turtle")
QUICK = ("--size", "32", "--seed", "7")


@pytest.fixture(autouse=True)
def _quick_defaults(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=2.0))


def record(path: str | Path) -> Record:
    return record_of(read_text(path))


def test_and_means_the_same_in_every_command(digress: Digress) -> None:
    assert digress("ensemble", *TWO, "--weights", "1,0.7", *QUICK, "-o", "a.png").code == 0
    prompt = f"{TWO[0]} AND {TWO[1]} :0.7"
    assert record("a.png").params.prompt == prompt
    assert digress("paint", prompt, *QUICK, "-o", "b.png").code == 0
    assert np.array_equal(read_image("a.png"), read_image("b.png"))
    assert digress("paint", TWO[0], *QUICK, "-o", "c.png").code == 0
    assert not np.array_equal(read_image("a.png"), read_image("c.png"))


@pytest.mark.parametrize("combine", ["sum", "latents", "superpose-or"])
def test_replay_combines_in_the_same_way(digress: Digress, combine: str) -> None:
    options = ("--combine", combine, "--sampler", "euler_ancestral", *QUICK)
    assert digress("ensemble", *TWO, *options, "-o", "a.png").code == 0
    assert record("a.png").params.combine == combine
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    assert np.array_equal(read_image("a.png"), read_image("b.png"))


def test_regions_are_replayed(digress: Digress, tmp_path: Path) -> None:
    where = np.zeros((64, 64), np.uint8)
    where[:, :32] = 255
    Image.fromarray(where).save(tmp_path / "where.png")
    options = ("--region", "where.png", "--region", "all", "--region-softness", "0.2", *QUICK)
    assert digress("ensemble", *TWO, *options, "-o", "a.png").code == 0
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    assert np.array_equal(read_image("a.png"), read_image("b.png"))
    Image.fromarray(255 - where).save(tmp_path / "where.png")
    ran = digress("replay", "a.png", "-o", "b.png")
    assert ran.code == 2
    assert "not the picture it was" in ran.err


def test_an_ensemble_is_painted_over_a_picture_and_into_a_mosaic(
    digress: Digress, photo: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(photo).save(tmp_path / "photo.png")
    over = ("--image", "photo.png", "--strength", "1")
    assert digress("ensemble", *TWO, *over, *QUICK, "-o", "a.png").code == 0
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    assert np.array_equal(read_image("a.png"), read_image("b.png"))
    mosaic = ("--grid", "2", "--size", "32", "--combine", "sum", "--upscaler", "lanczos")
    assert digress("mosaic", " AND ".join(TWO), *mosaic, "-o", "m").code == 0
    assert digress("replay", "m/preview.jpg", "-o", "again").code == 0
    assert np.array_equal(read_image("m/preview.jpg"), read_image("again/preview.jpg"))


def test_any_picture_of_a_comparison_can_be_replayed(digress: Digress, tmp_path: Path) -> None:
    ran = digress("ensemble", *TWO, "--compare", "-n", "2", *QUICK, "-o", "a.png")
    assert ran.code == 0
    assert "28 pictures" in ran.out
    painted = sorted((tmp_path / "a").iterdir())
    assert len(painted) == 28
    assert {record(path).params.seed for path in painted} == {7, 8}
    assert (tmp_path / "a.png").exists()
    for name in ("03-one-prompt-a-mixture-of-photo-of-a-frog-and-a-turtle-8", "05-sum-7"):
        path = tmp_path / "a" / f"{name}.png"
        assert digress("replay", path, "-o", "b.png", "--overwrite").code == 0
        difference = abs(read_image(path).astype(int) - read_image("b.png").astype(int))
        assert difference.max() <= 1  # another batch: the kernels' last bits


def test_a_sweep_begins_and_ends_with_one_prompt_alone(digress: Digress, tmp_path: Path) -> None:
    assert digress("ensemble", *TWO, "--sweep", "3", *QUICK, "-o", "a.png").code == 0
    painted = sorted((tmp_path / "a").iterdir())
    assert len(painted) == 3
    for path, prompt in ((painted[0], TWO[0]), (painted[-1], TWO[1])):
        assert digress("paint", prompt, *QUICK, "-o", "b.png", "--overwrite").code == 0
        difference = abs(read_image(path).astype(int) - read_image("b.png").astype(int))
        assert difference.max() <= 1
    with Image.open(tmp_path / "a.webp") as film:
        assert film.n_frames == 4


def test_the_best_are_those_with_the_highest_balance(digress: Digress, tmp_path: Path) -> None:
    ran = digress("ensemble", *TWO, "-n", "4", "--best", "2", *QUICK, "-o", "a.png")
    assert ran.code == 0
    assert "for judging, the network is asked 192 times" in ran.out
    said = [line for line in ran.out.splitlines() if ": balance" in line]
    balance = {int(line.split()[1][:-1]): float(line.split()[3][:-1]) for line in said}
    kept = [int(p.stem.split("-")[1]) for p in tmp_path.glob("a-*.png") if "sheet" not in p.stem]
    assert len(balance) == 4
    assert len(kept) == 2
    assert min(balance[seed] for seed in kept) >= sorted(balance.values())[1]
    told = record(f"a-{kept[0]}.png").details["balance"]
    assert set(told) == set(TWO)


def test_a_map_stands_beside_its_picture(digress: Digress, tmp_path: Path) -> None:
    ran = digress("ensemble", *TWO, "--map", *QUICK, "-o", "a.png")
    assert ran.code == 0
    assert "the prompts differ by" in ran.out
    assert read_image("a-map.png").shape == read_image("a.png").shape
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a-map.png"}


def test_both_ways_are_two_prompts_and_are_judged_by_the_concepts(digress: Digress) -> None:
    template = "photo of a {A} that looks like a {B}"
    options = ("--both-ways", template, "--balance", *QUICK)
    ran = digress("ensemble", "frog", "fox", *options, "-o", "a.png")
    assert ran.code == 0
    assert record("a.png").params.prompt == (
        "photo of a frog that looks like a fox AND photo of a fox that looks like a frog"
    )
    assert "photo of a frog," in ran.out
    assert set(record("a.png").details["balance"]) == {"photo of a frog", "photo of a fox"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a frog",), "needs several prompts and there is one"),
        ((*TWO, "--weights", "1"), "prompts: 2, weights: 1; give one for each"),
        ((*TWO, "--weights", "1;2"), "--weights '1;2': give numbers like 1,0.7"),
        ((*TWO, "--weights", "1,-1"), "the weights add up to 0 at step 1 of 2: --combine mean"),
        ((*TWO, "--combine", "both"), "--combine 'both' is not known: choose one of mean, sum"),
        (("a (frog", "a fox"), 'prompt 1: "(" is never closed'),
        ((*TWO, "--region", "left"), "prompts: 2, regions: 1; give one --region for each"),
        ((*TWO, "--region", "left", "--region", "nowhere"), "--region 'nowhere' is neither a file"),
        ((*TWO, "--region", "left", "--region", "all", "--combine", "lerp"), "knows no regions"),
        ((*TWO, "--region", "left", "--region", "wide.png"), "is 20 x 10 and the picture 32"),
        ((*TWO, "--map", "--combine", "switch"), "asks one prompt at a time"),
        ((*TWO, "--best", "3"), "--best 3 is out of range: 1 to the 1 of -n"),
        ((*TWO, "--sweep", "1"), "--sweep 1 is out of range: at least 2"),
        ((*TWO, "--sweep", "3", "--compare"), "each need the run for themselves"),
        ((*TWO, "--compare", "--map"), "are for pictures, not for a table"),
        ((*TWO, "a fox", "--sweep", "3"), "from one prompt to another, and here are 3"),
        ((*TWO, "--both-ways", "a {A}"), "the template has no {B}"),
        ((*TWO, "--negative", "a AND b"), "--negative 'a AND b' must be one text"),
        ((*TWO, "--judge", "very " * 60), "tokens long"),
        ((*TWO, "-n", "0"), "-n 0 is out of range: 1 to 9999"),
        ((*TWO, "-o", "a.gif"), "cannot write '.gif'"),
        ((*TWO, "--mask", "wide.png"), "--mask needs an --image"),
    ],
)
def test_a_bad_value_is_one_line(
    digress: Digress, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    Image.new("L", (20, 10), 255).save(tmp_path / "wide.png")
    ran = digress("ensemble", *arguments, "--size", "32")
    assert ran.code == 2
    assert words in ran.err
    assert len(ran.err.splitlines()) == 1, ran.err
    assert ran.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["wide.png"]


def test_a_prompt_that_cannot_be_read_is_one_line_wherever_prompts_are(digress: Digress) -> None:
    for command in (("paint",), ("mosaic", "--grid", "2")):
        ran = digress(*command, "a car (1999", "--size", "32")
        assert ran.code == 2
        assert "(character 7: a car --> (1999)" in ran.err
        assert len(ran.err.splitlines()) == 1
