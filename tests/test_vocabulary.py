from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

import digressions as dg
from digressions.models.base import Model
from digressions.prompts.vocabulary import Unknown, Vocabulary, listed, words_of

KNOWN = Vocabulary(["photo of a turtle", "cartoon of a T-Rex", "ink drawing of a butterfly", "bus"])


def test_what_was_taught_is_known_in_any_case_and_number():
    assert KNOWN.unknown("Photo of the TURTLES, with two... butterflies' and buses; a t-rex") == [
        Unknown("two", None)
    ]


@pytest.mark.parametrize(
    "gap", [" ", "\n", "\t", "\u00a0", "\u3000", "\u200b", ", ", "-", "/", '"', " «"]
)
def test_whatever_stands_before_a_word_the_word_is_judged(gap: str) -> None:
    assert words_of(f"photo{gap}turtle") == ["photo", "turtle"]
    assert KNOWN.unknown(f"photo of a{gap}submarine") == [Unknown("submarine", None)]
    assert KNOWN.unknown(f"photo of a{gap}turtle{gap}") == []


def test_letters_that_look_alike_by_width_are_the_same() -> None:
    assert KNOWN.unknown("\uff54urtle \ufb01sh") == [Unknown("fish", None)]


def test_a_word_is_suggested_only_where_it_is_spelled_nearly_so() -> None:
    nearest = {
        each.word: each.nearest for each in KNOWN.unknown("turtels castle butler busy phone")
    }
    assert nearest == {"turtels": "turtle"} | dict.fromkeys(("castle", "butler", "phone")) | {
        "busy": "bus"
    }


def test_many_unknown_words_are_counted_and_not_all_named() -> None:
    words = listed(KNOWN.unknown(" ".join(f"w{i}x" for i in range(500))))
    assert words.endswith("'w7x' and 492 more words")


def test_each_unknown_word_is_named_once_in_order_with_the_nearest_spelling():
    found = KNOWN.unknown("photo of a submarine and a turtel beside a submarine")
    assert found == [
        Unknown("submarine", None),
        Unknown("turtel", "turtle"),
        Unknown("beside", None),
    ]
    assert [str(word) for word in found[:2]] == ["'submarine'", "'turtel' (did you mean 'turtle'?)"]


def test_an_empty_prompt_misses_nothing():
    assert KNOWN.unknown("") == []


def test_numbers_and_emoji_are_words_and_punctuation_is_none():
    assert words_of("2 + 2, snow-capped (🐢)!") == ["2", "2", "snow", "capped", "🐢"]


def test_words_are_those_that_the_bundled_tokenizer_reads() -> None:
    weights = Path(dg.__file__).parent / "weights"
    normalizer = Tokenizer.from_file(str(weights / "tokenizer" / "tokenizer.json")).normalizer
    assert normalizer is not None
    for mark in [*map(chr, range(0x20, 0x250)), *"–—“„…«»−×÷√≤€₿™°´`^~①½ﬁ🐢🏽♥→\u200d\ufe0f"]:
        text = f"turtle{mark}fox"
        assert words_of(text) == normalizer.normalize_str(text).split(), hex(ord(mark))


@pytest.mark.parametrize(
    "text",
    [
        "photo of\na turtle",
        "photo\u00a0of a\tturtle",
        '"photo of a turtle"',
        "Photo, of a turtle!",
        "photo of a\u200b turtle",
        " photo of  a turtle.",
        "\u201cphoto of a turtle\u201d",
    ],
)
def test_what_looks_alike_paints_the_same(bundled: Model, text: str) -> None:
    plain = dg.paint(bundled, "photo of a turtle", seed=3, steps=1)
    assert np.array_equal(dg.paint(bundled, text, seed=3, steps=1).array, plain.array)


def test_a_comma_is_no_word_and_what_stands_after_it_is(bundled: Model) -> None:
    with_comma, without, other = (
        dg.paint(bundled, f"photo of a turtle{rest}", seed=2, steps=1).array
        for rest in (", blue", " blue", "")
    )
    assert np.array_equal(with_comma, without)
    assert not np.array_equal(without, other)


def test_what_was_taught_is_looked_up_as_the_model_reads() -> None:
    taught = Vocabulary(["a polar bear", "drawing of a T-shirt"], [])
    for part in ("polar\u00a0bear", "\u201cPolar  bear\u201d,", "POLAR"):
        assert taught.containing(part) == ["a polar bear"]
    assert taught.containing("t shirt") == ["drawing of a T-shirt"]
    assert len(taught.containing(" ")) == 2
    assert not taught.containing("grizzly")
