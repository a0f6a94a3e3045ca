"""Captions for drawings: a style, a name, and now and then only one of the two."""

import random

TEMPLATES = {
    "photo": ("photo of {}", "photo of {}", "photo of {}", "3d render of {}"),
    "painting": ("painting of {}", "painting of {}", "illustration of {}"),
    "drawing": ("drawing of {}", "drawing of {}", "icon of {}"),
    "cartoon": ("cartoon of {}", "cartoon of {}", "drawing of {}"),
    "ink": ("ink drawing of {}", "ink drawing of {}", "black and white drawing of {}"),
}
STYLELESS = ("{}", "picture of {}", "image of {}")


def with_article(name: str) -> str:
    """``"owl"`` -> ``"an owl"``."""
    return ("an " if name[0].lower() in "aeiou" else "a ") + name


def pick_name(names: list[str], rng: random.Random) -> str:
    """The concept's own name two times in three, else one of its synonyms."""
    if len(names) > 1 and rng.random() < 0.35:
        return rng.choice(names[1:])
    return names[0]


def caption(record: dict, rng: random.Random, dropout: float = 0.1) -> str:
    """A random caption of a record of `data.py`; empty with probability `dropout`.

    The empty caption teaches the unconditional model that classifier-free guidance needs.
    """
    if rng.random() < dropout:
        return ""
    name, u = pick_name(record["names"], rng), rng.random()
    if u < 0.10:
        return name
    if u < 0.22:
        return rng.choice(STYLELESS).format(with_article(name))
    return rng.choice(TEMPLATES[record["style"]]).format(with_article(name))


def every_caption(record: dict) -> list[str]:
    """Every caption a record can have, for the tokenizer's training text."""
    templates = (*TEMPLATES[record["style"]], *STYLELESS)
    return [t.format(with_article(name)) for name in record["names"] for t in templates]
