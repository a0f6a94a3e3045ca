"""A dataset file: drawings with names. `data.py` makes it, everything that trains reads it.

One ``.npz`` file holds

* ``pictures``: (N, S, S, 4), uint8, straight (not premultiplied) alpha; S is 192 for 128 px;
* ``records``: a JSON list of N objects, the fields of `Record`;
* ``vocabulary``: a JSON list of strings, every emoji label and tag, for the tokenizer.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Record:
    """What is known about one rendered drawing.

    Attributes:
        concept: The thing, by Emojibase's label.
        names: What captions call it; the first most often.
        tags: What it has to do with.
        categories: What kind of thing it is.
        style: photo, painting, drawing, cartoon or ink.
        art: The art set it is from.
        favourite: Whether `concepts.json` tells of the thing.
        held_out: Whether only the judge may see it.
        weight: How often it is shown; all that are not held out add up to 1.
    """

    concept: str
    names: tuple[str, ...]
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    style: str
    art: str
    favourite: bool
    held_out: bool
    weight: float

    @property
    def is_animal(self) -> bool:
        """Whether it shows an animal."""
        return "animal" in self.categories


def drawing_side(size: int) -> int:
    """How many pixels a side drawings have that pictures of `size` px are composed of."""
    return 3 * size // 2


def load(path: Path, held_out: bool = False) -> tuple[np.ndarray, list[dict], list[str]]:
    """Read a dataset file.

    Returns:
        Pictures (N, S, S, 4) uint8, their records, and the vocabulary; without what is held out
        from the generator unless `held_out`.
    """
    with np.load(path) as file:
        records, vocabulary = json.loads(str(file["records"])), json.loads(str(file["vocabulary"]))
        pictures = file["pictures"]
    if not held_out:
        shown = [i for i, record in enumerate(records) if not record["held_out"]]
        pictures, records = pictures[shown], [records[i] for i in shown]
    return pictures, records, vocabulary


def check_size(size: int, pictures: np.ndarray) -> None:
    """Raise SystemExit if no pictures of `size` px can be made of drawings (N, S, S, 4)."""
    side = pictures.shape[1]
    if size < 16 or size % 16:
        raise SystemExit(f"--size {size}: a multiple of 16, since latents are halved once more")
    if side < drawing_side(size):
        raise SystemExit(
            f"--size {size}: drawings of {side} px are too coarse for it; "
            f"make them with data.py --size {size}"
        )
