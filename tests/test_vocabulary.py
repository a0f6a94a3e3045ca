from digressions.prompts.vocabulary import Unknown, Vocabulary, words_of

KNOWN = Vocabulary(["photo of a turtle", "cartoon of a T-Rex", "ink drawing of a butterfly", "bus"])


def test_what_was_taught_is_known_in_any_case_and_number():
    assert KNOWN.unknown("Photo of the TURTLES, with two... butterflies' and buses; a t-rex") == [
        Unknown("two", None)
    ]


def test_each_unknown_word_is_named_once_in_order_with_the_nearest_spelling():
    found = KNOWN.unknown("photo of a submarine and a turtel beside a submarine")
    assert found == [
        Unknown("submarine", None),
        Unknown("turtel", "turtle"),
        Unknown("beside", None),
    ]
    assert [str(word) for word in found[:2]] == ["'submarine'", "'turtel' (but 'turtle')"]


def test_an_empty_prompt_misses_nothing():
    assert KNOWN.unknown("") == []


def test_digits_and_marks_are_no_words():
    assert words_of("2 + 2, (turtle:1.3) [a|b] snow-capped") == [
        "turtle",
        "a",
        "b",
        "snow-capped",
    ]
