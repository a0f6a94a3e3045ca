"""A folder of openly licensed photos, as many as are wanted.

    mkdir -p out/sources && cd out/sources
    apt-get download lomiri-wallpapers-16.04 && dpkg-deb -x lomiri-wallpapers-16.04_*.deb .
    pip download --no-deps scikit-image scikit-learn && for w in *.whl; do unzip -q $w; done
    cd ../.. && python -m benchmarks.photo_set out/sources out/photo-set --count 1000

The packages have some twenty photographs whose licences allow to change and to share them (below).
From these, as many different parts as are wanted are cut, each at a scale of its own. That is not a
photo album: parts of one photograph share its colours. But they are photographs, and the same for
every program.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SOURCES = {
    "aitzgorri_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi, CC BY 4.0",
    "friends_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi, CC BY 4.0",
    "life_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi, CC BY 4.0",
    "picosdeeuropa_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi, CC BY 4.0",
    "sunset_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi, CC BY 4.0",
    "Picture_0B_by_freespace.jpg": 'Trevor "Freespace", CC BY 4.0',
    "Picture_1A_by_freespace.jpg": 'Trevor "Freespace", CC BY 4.0',
    "seeding_by_Clements_Engelhardt.jpg": "Clemens Engelhardt, CC0",
    "umang_by_Abhishek_Mudgal.jpg": "Abhishek Mudgal, CC BY 4.0",
    "Wine_by_Jakkub_Mede.jpg": "Jakub Mede, CC BY 4.0",
    "china.jpg": "danielbuechele on Flickr, CC BY 2.0",
    "flower.jpg": "vultilion on Flickr, CC BY 2.0",
    "astronaut.png": "NASA, public domain",
    "chelsea.png": "Stefan van der Walt, CC0",
    "coffee.png": "Rachel Michetti, CC0",
    "rocket.jpg": "SpaceX, CC0",
    "hubble_deep_field.jpg": "NASA, public domain",
}
"""The photographs, whose they are, and under which licence."""
SIZE = (480, 360)  # of a photo that is cut out


def cut_photos(sources: Path, folder: Path, count: int, *, without: str = "") -> int:
    """Fills a folder with so many photos, all different; those that are there already stay.

    Args:
        sources: Where the photographs are, in any folder within.
        folder: Where to.
        count: How many.
        without: A photograph to leave out, such as the one that a mosaic is to show.

    Returns:
        How many photographs they are cut from.
    """
    found = {path.name: path for path in sorted(sources.rglob("*")) if path.name in SOURCES}
    names = [name for name in SOURCES if name in found and name != without]
    if not names:
        raise SystemExit(f"{sources} has none of the photographs: see benchmarks/photo_set.py")
    folder.mkdir(parents=True, exist_ok=True)
    for start, name in enumerate(names):
        with Image.open(found[name]) as image:
            whole = image.convert("RGB")
        for number in range(start, count, len(names)):
            path = folder / f"{number:05d}-{Path(name).stem.split('_')[0].lower()}.jpg"
            if not path.exists():
                _part(whole, number).save(path, quality=90)
    return len(names)


def _part(whole: Image.Image, number: int) -> Image.Image:
    """A part of a photograph, the same for the same number."""
    chance = np.random.default_rng(number)
    most = min(whole.width / SIZE[0], whole.height / SIZE[1])
    scale = most * float(np.exp(chance.uniform(np.log(0.12), 0)))
    width, height = round(SIZE[0] * scale), round(SIZE[1] * scale)
    left = int(chance.integers(whole.width - width + 1))
    top = int(chance.integers(whole.height - height + 1))
    part = whole.crop((left, top, left + width, top + height))
    return part.resize(SIZE, Image.Resampling.LANCZOS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the folder that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path, help="folder with the unpacked packages")
    parser.add_argument("folder", type=Path, help="where to put the photos")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--without", default="", help="a photograph to leave out")
    asked = parser.parse_args(arguments)
    names = cut_photos(asked.sources, asked.folder, asked.count, without=asked.without)
    print(f"{asked.folder}: {asked.count:,} photos, cut from {names} photographs")


if __name__ == "__main__":
    main()
