"""What people type as prompts: every form, what it means at each step, and every mistake."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digressions.errors import PromptError
from digressions.prompts.parse import DEEPEST, parse
from digressions.prompts.templates import both_ways, combine_prompts, require_several
from digressions.prompts.terms import (
    Active,
    Alternate,
    Choice,
    Ensemble,
    Option,
    Piece,
    Segment,
    Switch,
    Term,
    Weighted,
    joined_texts,
    stripped,
)


def run(prompt: str, steps: int) -> list[str]:
    """The text of a single prompt at every step, without its attention."""
    return ["".join(s.text for s in parse(prompt).at(i, steps)[0].text) for i in range(steps)]


def attention(prompt: str) -> list[tuple[str, float]]:
    return [(text, round(value, 6)) for text, value in parse(prompt).at(0, 1)[0].text]


# Structures as `parse` leaves them, with every awkward character in their texts.
awkward = st.sampled_from([*"ab 1.-,:|@()[]\\\n{}$_é", "AND", " AND "])
texts = st.lists(awkward, min_size=1, max_size=6).map("".join)
attentions = st.floats(-9, 9) | st.sampled_from([1.1, 1 / 1.1, 1.0])
fractions = st.floats(0, 1)


def nested(inner: st.SearchStrategy[Piece]) -> st.SearchStrategy[Piece]:
    many = st.lists(inner, max_size=3).map(joined_texts)
    chances = st.sampled_from([1.0, 0.5, 3.0])
    options = st.lists(st.builds(Option, chances, many), min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Weighted, many, attentions),
        st.builds(Switch, many, many, fractions),
        st.builds(Switch, many, many, st.integers(0, 99), st.just(True)),
        st.builds(Alternate, st.lists(many, min_size=2, max_size=3).map(tuple)),
        st.builds(Choice, options),
        st.builds(Choice, options, st.just(1), st.just(2)),
        st.builds(Choice, options, st.just(2), st.just(2), st.sampled_from([" and ", "", "-"])),
    )


pieces = st.recursive(texts, nested, max_leaves=8)
some = st.lists(pieces, min_size=1, max_size=4).map(joined_texts).map(stripped)
spans = st.tuples(fractions, fractions).filter(lambda s: s[0] != s[1]).map(sorted)
terms = st.builds(
    lambda words, weight, span: Term(words, weight, *span),
    some,
    st.just(1.0) | st.floats(-1e3, 1e3),
    st.just([0.0, 1.0]) | spans,
)
single = st.builds(lambda term: Ensemble((term,)), terms)
several = st.lists(terms.filter(lambda term: term.pieces), min_size=2, max_size=3)


@given(single | several.map(tuple).map(Ensemble))
def test_what_is_written_parses_back(ensemble: Ensemble) -> None:
    assert parse(str(ensemble)) == ensemble


def mistake(prompt: str) -> PromptError | None:
    try:
        parse(prompt)
    except PromptError as error:
        return error
    return None


@given(st.lists(awkward | st.sampled_from([":0.5", "@0-1"]), max_size=12).map("".join))
def test_any_text_is_read_or_refused_at_a_character(prompt: str) -> None:
    error = mistake(prompt)
    if error is None:
        assert parse(str(parse(prompt))) == parse(prompt)
    else:
        assert error.position in range(len(prompt))
        assert "\n" not in str(error)


@given(st.text().map(str.strip).filter(lambda t: not set(t) & set(r"\()[]{}:@") and "AND" not in t))
@example("portrait: a man, 1/2 | oil")
@example("ANDROID in the bANDstand and Andy")
@example(r"C:\pictures")
@example("mail me@home")
@example("")
def test_a_plain_prompt_is_one_term_with_the_same_text(prompt: str) -> None:
    found = parse(prompt)
    assert found.terms == (Term((prompt,) if prompt else ()),)
    assert found.texts(3) == (((prompt, 1.0),) if prompt else (),)
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    "prompt", ["a giraffe", "portrait: a man", "a | b", "me@home", "a (b:1.3) AND c :-0.5 @0.2-0.8"]
)
def test_usual_prompts_are_written_as_they_were_typed(prompt: str) -> None:
    assert str(parse(prompt)) == prompt


def test_and_weights_and_ranges() -> None:
    found = parse(" a giraffe AND a frog:0.7 AND sky @.5 - 1 : -2 AND b :1 @0-0.25")
    assert found == Ensemble(
        (
            Term(("a giraffe",)),
            Term(("a frog",), 0.7),
            Term(("sky",), -2.0, 0.5, 1.0),
            Term(("b",), 1.0, 0.0, 0.25),
        )
    )
    assert found.at(0, 4) == (
        Active(1.0, (Segment("a giraffe", 1.0),)),
        Active(0.7, (Segment("a frog", 1.0),)),
        Active(1.0, (Segment("b", 1.0),)),
    )
    assert [active.weight for active in found.at(3, 4)] == [1.0, 0.7, -2.0]


@given(st.floats(0.001, 0.999), st.integers(1, 200))
@example(0.29, 100)
def test_ranges_that_meet_share_no_step_and_leave_none_out(middle: float, steps: int) -> None:
    found = Ensemble((Term(("a",), end=middle), Term(("b",), start=middle)))
    assert all(len(found.at(step, steps)) == 1 for step in range(steps))


def test_an_idle_step_and_a_weight_of_zero_give_nothing() -> None:
    found = parse("a @0-0.5 AND b :0")
    assert [len(found.at(step, 2)) for step in range(2)] == [1, 0]
    assert found.texts(2) == ((("a", 1.0),),)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("(a)", [("a", 1.1)]),
        ("((a))", [("a", 1.21)]),
        ("[a]", [("a", 0.909091)]),
        ("(a:1.3)", [("a", 1.3)]),
        ("x (a:1.3), y", [("x ", 1), ("a", 1.3), (", y", 1)]),
        ("(a (b:0.5) c:2)", [("a ", 2), ("b", 1), (" c", 2)]),
        ("a car (1999)", [("a car ", 1), ("1999", 1.1)]),
        (r"a car \(1999\)", [("a car (1999)", 1)]),
        ("(ratio 3:2:1.5)", [("ratio 3:2", 1.5)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("[a:b]", [("a:b", 0.909091)]),
        ("(Tom AND Jerry)", [("Tom AND Jerry", 1.1)]),
        (r"Tom \AND Jerry", [("Tom AND Jerry", 1)]),
        (r"at 10\:30", [("at 10:30", 1)]),
        (r"\[a\|b\] \\ \@", [("[a|b] \\ @", 1)]),
    ],
)
def test_attention(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert attention(prompt) == expected


# Until which step, of ten, each text holds; counted as A1111 counts.
@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("frog", [(10, "frog")]),
        ("red [hat:3]", [(3, "red "), (10, "red hat")]),
        ("red [hat: 3]", [(3, "red "), (10, "red hat")]),
        ("x [y:.5] z", [(5, "x  z"), (10, "x y z")]),
        ("x [y::.5] z", [(5, "x y z"), (10, "x  z")]),
        ("x [ y : z : 1] w", [(1, "x  y  w"), (10, "x  z  w")]),
        ("x[y:[z:w:4]:2]v", [(2, "xyv"), (4, "xzv"), (10, "xwv")]),
        ("[|mer]maid", [(i, "maid" if i % 2 else "mermaid") for i in range(1, 11)]),
        ("[a|b|c]", [(i + 1, "abc"[i % 3]) for i in range(10)]),
        ("[[a|b]:c:0.2]", [(1, "a"), (2, "b"), (10, "c")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:1.0]", [(10, "a")]),
        ("[a:b:1]", [(1, "a"), (10, "b")]),
    ],
)
def test_switches_and_turns(prompt: str, expected: list[tuple[int, str]]) -> None:
    texts = [next(text for until, text in expected if step < until) for step in range(10)]
    assert run(prompt, 10) == texts


def test_a_switch_counts_hundredths_as_they_are_written() -> None:
    assert run("[a:b:0.29]", 100).count("a") == 29


def test_texts_are_all_that_a_run_needs_term_by_term() -> None:
    found = parse("[a:b:0.5] AND c AND a")
    assert found.texts(4) == tuple(((text, 1.0),) for text in "abc")
    assert found.texts(1) == tuple(((text, 1.0),) for text in "bca")


@pytest.mark.parametrize(
    ("prompt", "position", "message"),
    [
        ("a (b", 2, r'"\(" is never closed'),
        ("a [b (c)", 2, r'"\[" is never closed'),
        ("a) b", 1, r'"\)" closes nothing'),
        ("(a]", 2, r'"\(" is closed by "\]"'),
        ("(a:0,7)", 2, '"0,7" is not a number'),
        ("a AND b :1.2.3", 8, '"1.2.3" is not a number'),
        ("a :" + "9" * 400, 2, "is not a number"),
        ("a @0.8-0.2", 2, '"@0.8-0.2" is not a range'),
        ("a @2-5", 2, "is not a range"),
        ("a @0.5", 2, "is not a range"),
        ("[a:b:40%]", 4, '"40%" is not a number such as 0.4 for 40 %'),
        ("a @20%-80%", 2, '"@20%-80%" is not a range'),
        ("[a:b:1.5]", 5, "fraction of them 0.0-1.0"),
        ("[a:b:-1]", 5, "a switch happens after"),
        ("[a:b:c:0.5]", 4, r"\[before:after:when\]"),
        ("[a|b:0.5]", 4, "takes no number"),
        ("a AND", 2, "beside AND is empty"),
        ("AND a", 0, "beside AND is empty"),
        ("a AND  AND b", 2, "beside AND is empty"),
        ("(" * (DEEPEST + 1), DEEPEST, "brackets in one another"),
        ("[" * 100_000, DEEPEST, "brackets in one another"),
    ],
)
def test_mistakes_point_at_the_character(prompt: str, position: int, message: str) -> None:
    with pytest.raises(PromptError, match=message) as caught:
        parse(prompt)
    assert caught.value.position == position
    assert f"(character {position + 1}: " in str(caught.value)
    pointed = str(caught.value).split("-->")[1].strip()
    assert pointed.startswith(prompt[position:].strip()[:1])
    assert "\n" not in str(caught.value)


def test_prompts_of_a_command_line() -> None:
    found = combine_prompts(["a :2", "b AND c @0.5-1"], [0.5, -1], [(0, 0.5), (0.25, 0.75)])
    assert found == Ensemble(
        (
            Term(("a",), 1.0, 0.0, 0.5),
            Term(("b",), -1.0, 0.25, 0.75),
            Term(("c",), -1.0, 0.5, 0.75),
        )
    )
    assert combine_prompts(["a", "b"]) == parse("a AND b")


@pytest.mark.parametrize(
    ("prompts", "weights", "ranges", "message"),
    [
        ([], None, None, "there is no prompt"),
        (["a", "b"], [1], None, "prompts: 2, weights: 1"),
        (["a"], None, [(0, 1), (0, 1)], "prompts: 1, ranges: 2"),
        (["a", "b"], [1, float("nan")], None, "prompt 2: nan cannot be its weight"),
        (["a", "b"], [1, 1e308], None, "prompt 2: 1e\\+308 cannot be its weight: -1000 to 1000"),
        (["a", "(b"], None, None, r'prompt 2: "\(" is never closed.*\(character 1: --> \(b\)'),
        (["a", " "], None, None, "prompt 2: it is empty"),
        (["a"], None, [(0.5, 0.5)], "prompt 1: 0.5-0.5 is not a range"),
        (["a @0-0.5"], None, [(0.5, 1)], "nothing in common"),
    ],
)
def test_mistakes_of_a_command_line(prompts, weights, ranges, message) -> None:
    with pytest.raises(PromptError, match=message):
        combine_prompts(prompts, weights, ranges)


@pytest.mark.parametrize("prompt", ["a AND b", "[a|b]", "x ([a:b:0.4]:1.2)", "a :1 AND a"])
def test_several_prompts_are_let_through(prompt: str) -> None:
    assert require_several(parse(prompt)) == parse(prompt)


@pytest.mark.parametrize("prompt", ["a", "", "(a:1.3) [b]", r"a \AND b"])
def test_a_single_prompt_is_refused_where_several_are_needed(prompt: str) -> None:
    with pytest.raises(PromptError, match="needs several prompts"):
        require_several(parse(prompt))


def test_both_ways_gives_every_ordered_pair() -> None:
    template = "photo of a {A} that looks like a {B}"
    assert both_ways(template, ["giraffe", "frog"]) == (
        "photo of a giraffe that looks like a frog",
        "photo of a frog that looks like a giraffe",
    )
    assert both_ways("{A}{B}", "abc") == ("ab", "ac", "ba", "bc", "ca", "cb")
    assert both_ways("{A} {B} {A} {C}", ["{B}", r"\1"])[0] == r"{B} \1 {B} {C}"


@pytest.mark.parametrize(
    ("template", "concepts", "message"),
    [
        ("a {A}", ["x", "y"], r"no \{B\}"),
        ("a {B}", ["x", "y"], r"no \{A\}"),
        ("{A} {B}", ["x"], "two or more concepts, not 1"),
        ("{A} {B}", ["x", " "], "a concept is empty"),
        ("{A} {B}", ["x", "y", "x "], "two concepts are the same"),
    ],
)
def test_both_ways_needs_places_and_concepts(template, concepts, message) -> None:
    with pytest.raises(PromptError, match=message):
        both_ways(template, concepts)
