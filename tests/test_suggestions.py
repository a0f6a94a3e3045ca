"""Which things go well together: outlines of what a model sees, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

import digressions as dg
from digressions.ensembles import suggestions
from digressions.ensembles.ensemble_spec import SuggestSpec
from digressions.ensembles.outlines import SIDE, likeness, mean_pictures, outlines, rows_for
from digressions.ensembles.suggestions import Suggestion, suggest_things
from digressions.errors import InputError
from digressions.events import Note, SoFar
from digressions.models.base import Model
from digressions.models.loading import load

from .checkpoints import build
from .conftest import Ran

Digress = Callable[..., Ran]


def said(ran: Ran) -> str:
    """All that a run has said, its lines joined."""
    return " ".join((ran.out + ran.err).split())


def disc(radius: float, colour: tuple[float, float, float], ground: float = 0.5) -> Tensor:
    """A disc on a grey ground, ``(3, 64, 64)``."""
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    inside = (x**2 + y**2).sqrt() < radius
    return torch.where(inside, torch.tensor(colour)[:, None, None], torch.tensor(ground))


def test_an_outline_does_not_ask_for_colours() -> None:
    red, blue, dark = disc(20, (0.9, 0.1, 0.1)), disc(20, (0.1, 0.2, 0.9)), disc(20, (0, 0, 0), 0.9)
    found = outlines(torch.stack([red, blue, dark]))
    assert found.shape == (3, SIDE, SIDE)
    assert likeness(found[0], found).min() > 0.95
    inside = found[0].sum() / SIDE**2
    assert inside == pytest.approx(3.1416 * 20**2 / 64**2, rel=0.05)


def test_things_of_another_size_or_place_are_less_alike() -> None:
    large, small = disc(20, (0.9, 0.1, 0.1)), disc(10, (0.9, 0.1, 0.1))
    aside = large.roll(16, 2)
    same, smaller, moved = likeness(*_first(outlines(torch.stack([large, large, small, aside]))))
    assert same == 1
    assert smaller == pytest.approx(1 / 4, abs=0.05)
    assert moved < 0.6


def _first(found: Tensor) -> tuple[Tensor, Tensor]:
    return found[0], found[1:]


def test_what_is_hardly_there_has_no_outline() -> None:
    faint, plain = disc(20, (0.53, 0.5, 0.5)), disc(20, (0.5, 0.5, 0.5))
    assert outlines(torch.stack([faint, plain])).max() < 0.5


def test_the_bundled_model_finds_round_things_like_a_frog_and_no_giraffe(bundled: Model) -> None:
    found = dg.suggest(bundled, "frog", among=["giraffe", "polar bear", "a green apple"])
    assert [each.thing for each in found[:2]] == ["green apple", "polar bear"]
    assert found[0].prompt == "photo of a green apple"
    assert found[0].likeness > found[2].likeness + 0.1


@pytest.mark.parametrize(
    ("thing", "prompt"),
    [
        ("pea pod", "photo of a pea pod"),
        ("umbrella on ground", "photo of a umbrella on ground"),
        ("map of Japan", "photo of a map of Japan"),
        ("cartoon of a glass of milk", "cartoon of a glass of milk"),
    ],
)
def test_a_name_stays_whole(bundled: Model, thing: str, prompt: str) -> None:
    (found,) = dg.suggest(bundled, "frog", among=[thing])
    assert found.prompt == prompt


def test_what_is_suggested_does_not_depend_on_the_batch(bundled: Model) -> None:
    prompts = ["photo of a frog", "photo of a fox", "photo of a cat"]
    together = torch.cat([*mean_pictures(bundled, prompts)])
    one_by_one = torch.cat([*mean_pictures(bundled, prompts, batch_size=1)])
    torch.testing.assert_close(together, one_by_one, atol=0.02, rtol=0)


def test_the_best_so_far_are_told_before_all_are_looked_at(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = partial(mean_pictures, batch_size=2)
    monkeypatch.setattr(suggestions, "mean_pictures", looked_at)
    among = ["giraffe", "polar bear", "a green apple"]
    events = list(suggest_things(bundled, SuggestSpec.of(thing="frog", among=among, n=2)))
    told = [event.lines for event in events if isinstance(event, SoFar)]
    assert [len(lines) for lines in told] == [1, 2]
    assert told[0][0].endswith("giraffe")
    said = [event.text for event in events if isinstance(event, Note)]
    assert list(told[-1]) == said[: len(told[-1])]


def test_without_names_all_that_the_model_was_taught_is_looked_at(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bundled.vocabulary is not None
    assert {"frog", "polar bear", "T-Rex"} <= set(bundled.vocabulary.things)
    monkeypatch.setattr(bundled.vocabulary, "things", ("fox", "frog", "cat"))
    found = dg.suggest(bundled, "cartoon of a frog", n=9)
    assert {each.prompt for each in found} == {"cartoon of a fox", "cartoon of a cat"}


def test_the_command_says_the_cost_the_order_and_what_to_try(digress: Digress) -> None:
    ran = digress("ensemble", "--suggest", "giraffe", "frog", "deer", "zyzzyva", "-n", "2")
    assert ran.code == 0
    assert "was not taught 'zyzzyva'" in ran.out + ran.err
    assert f"3 things to look at; the network is asked {rows_for(4)} times" in ran.out
    *_, first, second, last = ran.out.strip().splitlines()
    best = first.partition("% ")[2]
    assert best in ("frog", "deer")
    assert int(first.split("%")[0]) >= int(second.split("%")[0])
    assert last.endswith(f'"photo of a giraffe" and "photo of a {best}", with -n 8 and --best 1')
    assert not list(Path().glob("out/*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--compare",), "--suggest paints nothing: leave out --compare"),
        (("-o", "a.png"), "--suggest paints nothing: leave out -o"),
        (("--overwrite",), "--suggest paints nothing: leave out --overwrite"),
        (("frog",), "names nothing but the thing itself"),
    ],
)
def test_what_would_do_nothing_is_refused(
    digress: Digress, options: tuple[str, ...], words: str
) -> None:
    ran = digress("ensemble", "--suggest", "frog", *options)
    assert ran.code == 2
    assert words in ran.err


def test_a_model_that_does_not_say_what_it_was_taught_needs_names(tmp_path: Path) -> None:
    model = load(str(build(tmp_path / "sd", "sd")), "cpu", "float32")
    with pytest.raises(InputError, match="name things to choose from"):
        dg.suggest(model, "frog")
    (found,) = dg.suggest(model, "frog", among=["fox"])
    assert isinstance(found, Suggestion)
    inpainting = load(str(build(tmp_path / "inpainting", "inpainting")), "cpu", "float32")
    with pytest.raises(InputError, match="paints no whole pictures"):
        dg.suggest(inpainting, "frog", among=["fox"])


def test_a_model_that_was_not_taught_to_compare_says_so(digress: Digress) -> None:
    quick = ("--steps", "1", "--enlarge", "1", "-o", "a.png", "--overwrite")
    both = ("ensemble", "frog", "fox", "--both-ways", "photo of a {A} that looks like a {B}")
    assert "was not taught what 'looks like' means" in said(digress(*both, *quick))
    alone = digress("paint", "photo of a frog that looks like a fox", *quick)
    assert "was not taught what 'looks like' means" in said(alone)
    plain = digress("paint", "photo of a frog AND photo of a fox", *quick)
    assert "looks like" not in said(plain)
