"""The ensemble benchmark: it runs small, goes on after a stop, and its measures mean something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import ensemble
from benchmarks.page import marked
from digressions.models.base import Defaults
from digressions.prompts.scheduling import COMBINE_HELP

DOCS = Path(__file__).parents[1] / "docs"


def test_overlap_is_one_in_the_same_place_and_zero_apart():
    here, there = torch.zeros(4, 4), torch.zeros(4, 4)
    here[:2], there[2:] = 0.5, 0.2
    assert ensemble.overlap(torch.stack([here, 2 * here])) == pytest.approx(1)
    assert ensemble.overlap(torch.stack([here, there])) == 0
    assert ensemble.overlap(torch.stack([here, here + there])) == pytest.approx(1)
    assert ensemble.overlap(torch.stack([here, -there])) == 0


def test_both_are_there_if_each_explains_more_than_what_nobody_asked_for():
    assert ensemble.Found((0.03, 0.02), 0.01, 1.0).both
    assert not ensemble.Found((0.03, 0.02), 0.025, 1.0).both
    assert not ensemble.Found((0.03, -0.01), -0.02, 1.0).both


def test_pairs_are_twenty_and_ways_are_all():
    animals = [animal for pair in ensemble.PAIRS for animal in pair]
    assert len(ensemble.PAIRS) == 20
    assert len(set(animals)) == 40
    assert {way.combine for way in ensemble.WAYS} == set(COMBINE_HELP)
    prompts = {way.name: way.prompt("frog", "fox") for way in ensemble.WAYS}
    assert prompts["pair"] == "photo of a frog and a fox"
    assert prompts["looks"] == "photo of a frog that looks like a fox"
    assert prompts["both-ways"] == (
        "photo of a frog that looks like a fox AND photo of a fox that looks like a frog"
    )


def test_it_runs_updates_its_page_and_goes_on(bundled, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=2.0))
    monkeypatch.setattr(bundled, "size", 32)
    monkeypatch.setattr(ensemble, "load", lambda *_: bundled)
    few = ("alone", "both-ways", "mean", "latents")
    monkeypatch.setattr(ensemble, "WAYS", [way for way in ensemble.WAYS if way.name in few])
    page = tmp_path / "docs" / "ensembling.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- generated -->\nold\n<!-- /generated -->\nafter\n", "utf-8")
    options = ["--pairs", "2", "--seeds", "1", "--trials", "1", "--out", str(tmp_path / "study")]
    report = ensemble.main([*options, "--update", str(page)])
    assert json.loads((tmp_path / "study" / "ensemble.json").read_text("utf-8")) == report
    ways = {way["name"]: way for way in report["ways"]}
    assert set(ways) == set(few)
    assert (ways["alone"]["rows"], ways["mean"]["rows"], ways["latents"]["rows"]) == (4, 6, 8)
    assert all(way["balance"] <= way["stronger"] for way in ways.values())
    assert all(0 <= way["both"] <= 1 and way["seconds"] > 0 for way in ways.values())
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert (page.parent / "images" / "ensemble-ways.jpg").stat().st_size > 1000
    lost = tmp_path / "study" / "giraffe-frog-mean.json"
    lost.unlink()
    capsys.readouterr()
    ensemble.main(options)
    assert capsys.readouterr().out.count("s a picture\n") == 1
    with pytest.raises(SystemExit, match="another study"):
        ensemble.main([*options, "--seeds", "2"])


def test_the_page_has_a_place_for_the_figures():
    assert len(marked().findall((DOCS / "ensembling.md").read_text("utf-8"))) == 1
