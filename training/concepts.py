"""Which things the model is taught, what they are called, and how often each is shown.

The things are Emojibase's: every emoji of the subgroups below that is not one of a pair by gender.
`concepts.json` says more of some of them: synonyms, the drawing to prefer, art sets whose drawing
is not wanted, and a weight. Those are shown most of the time (`FAVOURITES`), since a network this
small learns a hundred things well or a thousand badly.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

FAVOURITES = 0.42  # share of the training pictures that shows the things in concepts.json
GENDERED = ("man", "woman", "men", "women", "Mrs", "Mx")

# Emojibase's subgroups by number, and the words that a caption may use instead of the name.
CATEGORIES = {
    **dict.fromkeys(range(12), ("face", "smiley")),
    **dict.fromkeys((12, 13), ("animal", "animal face")),
    14: ("heart",),
    15: ("sign",),
    **dict.fromkeys(range(16, 22), ("hand",)),
    22: ("body part",),
    **dict.fromkeys((23, 24, 25, 27, 29, 31), ("person",)),
    26: ("fantasy figure", "person"),
    28: ("sport", "person"),
    34: ("animal", "mammal"),
    35: ("animal", "bird"),
    36: ("animal", "amphibian"),
    37: ("animal", "reptile"),
    38: ("animal", "sea animal"),
    39: ("animal", "insect"),
    40: ("plant", "flower"),
    41: ("plant",),
    42: ("food", "fruit"),
    43: ("food", "vegetable"),
    **dict.fromkeys((44, 45), ("food", "meal")),
    46: ("food", "sweet"),
    47: ("drink",),
    48: ("dish",),
    **dict.fromkeys((49, 50, 53), ("place", "landscape")),
    **dict.fromkeys((51, 52), ("building",)),
    54: ("vehicle",),
    55: ("vehicle", "boat"),
    56: ("vehicle", "aircraft"),
    57: ("object",),
    58: ("clock",),
    59: ("weather", "sky"),
    60: ("celebration",),
    61: ("medal",),
    62: ("sport",),
    63: ("game", "toy"),
    64: ("art",),
    65: ("clothing",),
    **dict.fromkeys((66, 67), ("music",)),
    68: ("musical instrument", "music"),
    **dict.fromkeys((69, 70, 71), ("device",)),
    **dict.fromkeys((72, 73, 74, 75, 76, 77, 80, 81, 82), ("object",)),
    **dict.fromkeys((78, 79), ("tool",)),
}


@dataclass(frozen=True)
class Concept:
    """A thing to draw.

    Attributes:
        label: Emojibase's, and the first of its names.
        drawings: Labels of the drawings that show it, the best first.
        names: What captions call it.
        tags: What it has to do with; rarely in a caption.
        categories: What kind of thing it is; rarely in a caption.
        skip: Art sets whose drawing of it is not wanted.
        photo: Art sets whose drawing of it stands in for a photo.
        weight: How often it is shown, beside others.
    """

    label: str
    drawings: tuple[str, ...]
    names: tuple[str, ...]
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    skip: tuple[str, ...] = field(default=())
    photo: tuple[str, ...] = field(default=())
    weight: float = 1.0

    @property
    def is_animal(self) -> bool:
        """Whether it is an animal."""
        return "animal" in self.categories


def _wanted(emoji: dict) -> bool:
    """Whether an entry of Emojibase is a thing of its own."""
    gendered = emoji["label"].split()[0].rstrip(".") in GENDERED and " " in emoji["label"]
    return emoji.get("subgroup") in CATEGORIES and not gendered


def choose(emojis: list[dict], told: dict[str, dict]) -> list[Concept]:
    """The concepts: every wanted entry of Emojibase, with what `concepts.json` tells of them."""
    by_label = {emoji["label"]: emoji for emoji in emojis}
    # A face that stands for an animal is that animal, not a concept beside it.
    faces = {spec["drawing"] for spec in told.values() if "drawing" in spec}
    faces |= {f"{label} face" for label in told if f"{label} face" in by_label}
    labels = [e["label"] for e in emojis if _wanted(e) and e["label"] not in faces]
    concepts = []
    for label in dict.fromkeys([*told, *labels]):
        spec = told.get(label, {})
        emoji = by_label.get(label) or by_label[f"{label} face"]
        name = label.lower()
        names = dict.fromkeys([name, name.removesuffix(" face"), *spec.get("names", ())])
        tags = [tag for tag in emoji.get("tags", ()) if tag not in names]
        drawings = dict.fromkeys((spec.get("drawing", label), label, f"{label} face"))
        concepts.append(
            Concept(
                label,
                tuple(drawings),
                tuple(names),
                tuple(tags),
                CATEGORIES[emoji["subgroup"]],
                tuple(spec.get("skip", ())),
                tuple(spec.get("photo", ())),
                spec.get("weight", 1.0),
            )
        )
    return concepts


def read(path: Path) -> dict[str, dict]:
    """What `concepts.json` tells."""
    told: dict[str, dict] = json.loads(path.read_text())
    return told
