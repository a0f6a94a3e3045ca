"""Captions for composed drawings: a style, a name, and now and then what is around it."""

import colorsys
import random
from dataclasses import dataclass

TEMPLATES = {
    "photo": ("photo of {}", "photo of {}", "photograph of {}", "3d render of {}"),
    "painting": ("painting of {}", "painting of {}", "illustration of {}"),
    "drawing": ("drawing of {}", "drawing of {}", "icon of {}"),
    "cartoon": ("cartoon of {}", "cartoon of {}", "drawing of {}"),
    "ink": ("ink drawing of {}", "ink drawing of {}", "black and white drawing of {}"),
}
STYLELESS = ("{}", "picture of {}", "image of {}")
LEADING = ("photo", "photograph", "painting", "drawing", "cartoon", "picture")
NUMBERS = {2: "two", 3: "three"}
HUES = ((15, "red"), (42, "orange"), (70, "yellow"), (165, "green"), (200, "turquoise"),
        (255, "blue"), (290, "purple"), (335, "pink"), (360, "red"))  # fmt: skip
UNCOUNTED = {"food", "weather", "sky", "music", "art", "clothing", "sport", "tableware"}
PLURALS = {"mouse": "mice", "goose": "geese", "wolf": "wolves", "leaf": "leaves", "fish": "fish",
           "sheep": "sheep", "deer": "deer", "knife": "knives", "child": "children",
           "ox": "oxen", "tooth": "teeth", "foot": "feet"}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What stands around a drawing.

    Attributes:
        ground: The ground's colour where it is even, sRGB 0..1, else None.
        night: Whether it is dark and bluish.
        count: How many things there are, 1 to 3.
        framing: "small", "close", or "" as a rule.
        coat: The colour that the thing itself has been given, sRGB 0..1, or None.
        paired: Whether the second of two things is another one.
        mirrored: Whether a single thing is drawn mirrored: it looks right, if anywhere.
    """

    ground: tuple[float, float, float] | None = None
    night: bool = False
    count: int = 1
    framing: str = ""
    coat: tuple[float, float, float] | None = None
    paired: bool = False
    mirrored: bool = False


def colour_name(rgb: tuple[float, float, float]) -> str:
    """What people call a colour: ``(0, 0, 0.3)`` -> ``"dark blue"``."""
    hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
    if value < 0.16:
        return "black"
    if saturation < 0.16:
        return "white" if value > 0.88 else "grey"
    name = next(name for limit, name in HUES if hue * 360 <= limit)
    if name == "orange" and value < 0.6:
        return "brown"
    if value < 0.5:
        return f"dark {name}"
    return f"light {name}" if saturation < 0.45 else name


COLOURS = sorted(
    {colour_name(colorsys.hsv_to_rgb(h / 72, s, v))
     for h in range(72) for s in (0, 0.3, 0.8) for v in (0.1, 0.4, 0.8, 1)}
)  # fmt: skip


def with_article(name: str) -> str:
    """``"owl"`` -> ``"an owl"``."""
    if name in UNCOUNTED:
        return name
    return ("an " if name[0].lower() in "aeiou" else "a ") + name


def plural(name: str) -> str:
    """``"red fox"`` -> ``"red foxes"``; ``"cup of tea"`` -> ``"cups of tea"``."""
    for word in (" of ", " with "):
        if word in name:
            head, _, rest = name.partition(word)
            return plural(head) + word + rest
    *before, last = name.split(" ")
    if last in PLURALS:
        last = PLURALS[last]
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    elif last.endswith(("s", "x", "ch", "sh")):
        last = f"{last}es"
    else:
        last = f"{last}s"
    return " ".join([*before, last])


def pick_name(record: dict, rng: random.Random) -> str:
    """Mostly the thing's own name, else a synonym, what kind of thing it is, or a tag."""
    u = rng.random()
    if u < 0.05:
        return rng.choice(record["categories"])
    if u < 0.09 and record["tags"]:
        return rng.choice(record["tags"])
    if u < 0.30 and len(record["names"]) > 1:
        return rng.choice(record["names"][1:])
    return record["names"][0]


def caption(
    record: dict, rng: random.Random, scene: Scene = Scene(), other: dict | None = None
) -> str:
    """A random caption of a record of `data.py` in a scene; `other` is what stands beside it."""
    name, u = pick_name(record, rng), rng.random()
    plain = scene.count == 1 and not scene.framing
    adjectives = [colour_name(scene.coat)] if scene.coat and rng.random() < 0.9 else []
    if scene.framing == "small" and rng.random() < 0.5:
        adjectives.append("small")
    name = " ".join([*adjectives, name])
    if u < 0.10 and plain:
        return name
    choice = STYLELESS if u < 0.22 else TEMPLATES[record["style"]]
    text = rng.choice(choice).format(things(name, rng, scene, other))
    if scene.framing == "close" and rng.random() < 0.5:
        text += " close up"
    if plain and rng.random() < (0.7 if scene.mirrored else 0.05):
        text += " facing right" if scene.mirrored else " facing left"
    text = f"a {text}" if text.split()[0] in LEADING and rng.random() < 0.1 else text
    return text + around(scene, rng)


def things(name: str, rng: random.Random, scene: Scene, other: dict | None) -> str:
    """What a picture shows: ``"a fox"``, ``"two foxes"``, ``"foxes"``, ``"a fox and an owl"``."""
    if scene.paired and other is not None:
        return f"{with_article(name)} and {with_article(pick_name(other, rng))}"
    if scene.count > 1:
        several = name if name in UNCOUNTED else plural(name)
        return several if rng.random() < 0.3 else f"{NUMBERS[scene.count]} {several}"
    return name if rng.random() < 0.05 else with_article(name)


def around(scene: Scene, rng: random.Random) -> str:
    """What a caption says of the surroundings, if anything."""
    if scene.night:
        return " at night" if rng.random() < 0.7 else ""
    if scene.ground is None:
        return ""
    colour = colour_name(scene.ground)
    # Black and white are rare and hardest to reach: a ground of noise is grey on average.
    told = 0.8 if colour in ("black", "white") else 0.25
    return f" on {with_article(colour)} ground" if rng.random() < told else ""


def every_caption(record: dict) -> list[str]:
    """Captions with every name and template that a record can have, for the tokenizer."""
    templates = (*TEMPLATES[record["style"]], *STYLELESS)
    names = (*record["names"], *record["categories"], *record["tags"])
    return [template.format(with_article(name)) for name in names for template in templates]


def surroundings() -> list[str]:
    """Every word that captions use of what is around a thing."""
    grounds = [f"on {with_article(colour)} ground" for colour in COLOURS]
    return [
        *grounds,
        "at night",
        "small",
        "close up",
        "and",
        "facing left",
        "facing right",
        *NUMBERS.values(),
    ]
