"""What people type, through tokenizer, vocabulary, prompt language and metadata, for `fuzz.py`."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from digressions.errors import DigressionsError

from .fuzz_damage import Reader, damaged_text
from .fuzz_texts import record

SEEDS = {
    "plain.txt": "photo of a turtle",
    "several.txt": "a (frog:1.2) AND [a fox:a [red|blue] hat:0.4] :0.7 @0.3-1",
    "lines.txt": "\u201cphoto of a turtle,\n\ton a beach\u201d \u2013 close-up, 12:00",
    "tags.txt": "8k, <lora:ink:0.8>, ((turtle)), `size`",
    "choices.txt": "a {red|2::blue} {2$$ and $$cat|dog|{a|} fox} :0.5 AND [{x|y}:z:0.5]",
    "others.txt": "cafe\u0301 \u6d77 \uff54urtle",
    "infotext.txt": "a frog\nNegative prompt: blur\nSteps: 2, Seed: 5",
}
_SPACES = " \t\n\r\x0b\x0c\x85\u00a0\u2003\u2028\u202f\u3000"
_HIDDEN = "\x00\x07\u00ad\u200b\u200d\u200e\u2060\ufeff\ufe0f\u0301\ud800\udce9\U000e0041"
_MARKS = "\"'`\u00b4\u2019\u201c\u00ab,;-\u2014/|:()[]{}<>\\@#%&*_.!?"
_WORDS = ("`seed`", "`prompt`", "AND", "BREAK", ":00", "turtle", "Steps: 3", "Negative prompt:")


def damaged_prompt(content: bytes, chance: random.Random) -> bytes:
    """A prompt with white space, marks and what cannot be seen strewn in; or a damaged one."""
    if chance.random() < 0.3:
        return damaged_text(content, chance)
    text = content.decode("utf-8", "surrogatepass")
    for _ in range(chance.choice((1, 2, 5, 20))):
        at = chance.randrange(len(text) + 1)
        new = chance.choice(
            (
                *(chance.choice(_SPACES), chance.choice(_HIDDEN), chance.choice(_MARKS)),
                *(chance.choice(_WORDS), chr(chance.randrange(0x110000))),
            )
        )
        text = text[:at] + new + text[at + chance.choice((0, 0, 0, 1)) :]
    return text.encode("utf-8", "surrogatepass")


def _prompt_reader(folder: Path) -> Callable[[Path], None]:
    from digressions.models.loading import load

    model = load("bundled", "cpu", "float32")

    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
        _check_words(text)
        _check_foreign(text)
        _check_file(text, folder)
        _check_spec(text)
        for each in _texts(text):
            model.encode_text([each], 64, 64)
            assert model.vocabulary is not None
            model.vocabulary.unknown(each)

    return read


def _check_words(text: str) -> None:
    """White space of any kind is one space, and words do not depend on what stands around."""
    from digressions.prompts.vocabulary import words_of

    words = words_of(text)
    assert words_of(re.sub(f"[{_SPACES}]", "\u00a0 \t", text)) == words
    assert words_of(" ".join(words)) == words
    assert words_of(f"\u201c{text}\u201d,") == words


def _check_foreign(text: str) -> None:
    """Whatever another program's prompt is, ours can say it."""
    from digressions.prompts.foreign_syntax import (
        from_a1111,
        from_comfyui,
        from_novelai,
        from_plain,
    )
    from digressions.prompts.parse import parse

    for reads in (from_a1111, from_comfyui, from_novelai, from_plain):
        found = reads(text)
        parse(found.text)
        from_a1111(found.text)


def _check_file(text: str, folder: Path) -> None:
    """A file gives back what it was given, or says that it cannot hold it."""
    from digressions.generate.metadata import KEY
    from digressions.generate.record_reading import record_and_notes
    from digressions.images.image_files import read_text, write_image

    made = record(params=record().params.but(prompt=text))
    if any("\ud800" <= mark <= "\udfff" for mark in text):  # refused before there is a record
        return
    assert record_and_notes(made.to_text())[0] == made
    black = np.zeros((8, 8, 3), np.uint8)
    for suffix in ("png", "jpg", "webp"):
        with contextlib.suppress(DigressionsError):
            path = write_image(folder / f"a.{suffix}", black, made.to_text())
            assert json.loads(read_text(path)[KEY])["params"]["prompt"] == text
    with contextlib.suppress(DigressionsError):
        record_and_notes({"parameters": text})


def _check_spec(text: str) -> None:
    """What is refused is refused in one line, in which nothing of the user's becomes an option."""
    from digressions.generate.params import GenerationParams

    said, worded = "", set[str]()

    def noted(name: str) -> str:
        worded.add(name)
        return name

    try:
        GenerationParams(prompt=text)
    except DigressionsError as error:
        said = error.worded(noted)
    assert "\n" not in said
    assert worded <= {"prompt", "image", "lora"}


def _texts(text: str) -> list[str]:
    from digressions.prompts.choices import drawn, variants
    from digressions.prompts.scheduling import parsed

    settled = drawn(text, 5)
    assert drawn(settled, 6) == settled, "what is drawn is still to be drawn"
    ensembles = [parsed(settled), *variants(parsed(text))]
    return ["".join(part.text for part in each) for one in ensembles for each in one.texts(4)]


def _prompts(folder: Path) -> Reader:
    seeds = {name: text.encode() for name, text in SEEDS.items()}
    return Reader(seeds, _prompt_reader(folder), damaged_prompt)


PROMPTS: dict[str, Callable[[Path], Reader]] = {"typed": _prompts}
