"""Choices in prompts, {cat|dog}, and lists of words: drawn from the seed, the same everywhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.errors import DigressionsError, PromptError
from digressions.frames.frame_spec import FrameSpec
from digressions.generate.notes import notes_on
from digressions.generate.params import GenerationParams, PaintSpec
from digressions.generate.pictures import Picture, paint_pictures
from digressions.generate.record_reading import record_of
from digressions.models.base import Model
from digressions.prompts.choices import drawn, variants
from digressions.prompts.foreign_syntax import from_a1111, from_comfyui, from_plain
from digressions.prompts.parse import parse

from .jobs import job, resolved


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("a {cat|dog}", {"a cat", "a dog"}),
        ("{red|blue} {cat|dog}", {f"{a} {b}" for a in ("red", "blue") for b in ("cat", "dog")}),
        ("a {cat|{red|blue} fox}", {"a cat", "a red fox", "a blue fox"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{1-2$$ and $$a|b}", {"a", "b", "a and b", "b and a"}),
        ("({a|b}:1.2) AND [{x|y}:z:0.5] :0.7", None),
        (r"a \{cat|dog\} {x}", {r"a \{cat|dog\} x"}),
        ("a {|big }cat", {"a cat", "a big cat"}),
        ("{cat}", {"cat"}),
    ],
)
def test_a_choice_is_drawn_from_the_seed(text: str, possible: set[str] | None) -> None:
    found = {drawn(text, seed) for seed in range(200)}
    assert found == {drawn(text, seed) for seed in range(200)}
    if possible is not None:
        assert found == possible
    for each in found:
        assert drawn(each, 3) == each
        assert parse(str(parse(each))) == parse(each)
    shown = {str(each) for each in variants(parse(text))}
    assert shown <= found


def test_draws_are_what_they_have_always_been() -> None:
    # Written down: another draw would paint another picture from the same file.
    assert [drawn("{a|b|c|d}", seed) for seed in range(8)] == [
        "b",
        "c",
        "d",
        "c",
        "b",
        "b",
        "d",
        "d",
    ]


def test_shares_are_kept() -> None:
    found = Counter(drawn("{3::cat|dog|0.5::fox}", seed) for seed in range(4500))
    assert found["cat"] / found["dog"] == pytest.approx(3, rel=0.15)
    assert found["dog"] / found["fox"] == pytest.approx(2, rel=0.25)


def test_prompt_and_negative_draw_by_themselves() -> None:
    pairs = {(drawn("{a|b}", n), drawn("{a|b}", n, "negative")) for n in range(50)}
    assert len(pairs) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a {cat|dog", "never closed"),
        ("a cat}", "closes nothing"),
        ("{cat AND dog|fox}", "AND does not count inside"),
        ("{3$$a|b}", "1 to all of its options"),
        ("{0$$a|b}", "1 to all of its options"),
        ("{0::a|b}", "more than 0"),
        ("{cat|}", "leaves nothing to paint"),
        ("{cat|} AND dog", "leaves nothing to paint"),
        ("__nowhere__", "no wildcards/nowhere.txt"),
    ],
)
def test_slips_are_refused_in_one_line(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DigressionsError) as error:
        GenerationParams(prompt=text)
    assert words in error.value.message
    assert "\n" not in error.value.message


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with lists of words."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wildcards" / "of").mkdir(parents=True)
    animals = "# animals\ncat\n\n3::dog\n__of/birds__\n"
    (tmp_path / "wildcards" / "animals.txt").write_text(animals)
    (tmp_path / "wildcards" / "of" / "birds.txt").write_text("an owl\n(swan:1.2)\n")
    (tmp_path / "loop.txt").write_text("__loop__\n")
    (tmp_path / "bad.txt").write_text("fine\na (bad line\n")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    return tmp_path


def test_a_list_is_put_in_its_place_everywhere(lists: Path) -> None:
    wanted = "a {cat|3::dog|{an owl|(swan:1.2)}}"
    assert GenerationParams(prompt="a __animals__").prompt == wanted
    assert GenerationParams(prompt="x", negative="a __animals__").negative == wanted
    spec = EnsembleSpec.of(prompts=["a __animals__", "a fox"])
    assert spec.params.prompt == f"{wanted} AND a fox"
    spec = EnsembleSpec.of(prompts=["__animals__", "fox"], both_ways="a {A} like a {B}")
    assert spec.params.prompt.startswith(f"{wanted} like a fox AND a fox like")
    assert FrameSpec.of(prompts=["a __animals__"]).prompts == [wanted]
    assert GenerationParams(prompt="{2$$__of/birds__}").prompt == "{2$$an owl|(swan:1.2)}"
    assert GenerationParams(prompt=r"snake \__animals__").prompt == r"snake \__animals__"
    assert parse(r"snake \__animals__").terms[0].pieces == ("snake __animals__",)
    assert resolved("a __animals__").prompt == "a __animals__"  # what a file says is not read again


@pytest.mark.parametrize(
    ("text", "words"),
    [("__loop__", "without end"), ("__bad__", "'a (bad line'"), ("__empty__", "is empty")],
)
def test_a_list_that_cannot_be_is_refused(lists: Path, text: str, words: str) -> None:
    with pytest.raises(PromptError) as error:
        GenerationParams(prompt=text)
    assert words in error.value.message


def test_a_job_is_painted_by_what_its_seed_draws() -> None:
    for seed in range(5):
        found = job("a {cat|dog}", seed=seed, negative="{red|blue}")
        assert str(found.ensemble) == drawn("a {cat|dog}", seed)
        assert found.negative[0].text == drawn("{red|blue}", seed, "negative")


def test_every_picture_remembers_what_it_drew(bundled: Model) -> None:
    spec = PaintSpec.of(prompt="a {cat|dog}", negative="{red|blue}", seed=3, n=4, steps=1)
    found = [each for each in paint_pictures(bundled, spec) if isinstance(each, Picture)]
    for picture in found:
        params = record_of(picture.text).params
        assert params.prompt == drawn("a {cat|dog}", params.seed)
        assert params.negative == drawn("{red|blue}", params.seed, "negative")
    assert len({picture.params.prompt for picture in found}) == 2


def test_words_that_only_an_option_has_are_noted(bundled: Model) -> None:
    notes = notes_on(bundled, resolved("a {cat|{dog|zyzzyva}}"))
    assert any("zyzzyva" in note.text for note in notes)
    assert not notes_on(bundled, resolved("a {cat|{dog|owl}}"))


def test_braces_of_other_programs_are_text() -> None:
    for reads in (from_a1111, from_comfyui, from_plain):
        text = reads("a {cat|dog} __x__").text
        assert drawn(text, 1) == text
        assert parse(text).terms[0].pieces == ("a {cat|dog} __x__",)


def test_what_differs_from_picture_to_picture_needs_a_judge() -> None:
    spec = EnsembleSpec.of(prompts=["a {cat|dog}", "a fox"], balance=True)
    with pytest.raises(PromptError, match="with judge"):
        _ = spec.judged
    assert EnsembleSpec.of(prompts=["a {cat|dog}", "a fox"], judge=["a fox"]).judged == ["a fox"]
