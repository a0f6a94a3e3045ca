"""What the finder takes for frames in real snapshots, whose truth is not known: to be looked at.

    apt-get download kphotoalbum && dpkg -x kphotoalbum_*.deb out/kphotoalbum
    python -m benchmarks.snapshots out/kphotoalbum/usr/share/kphotoalbum/demo --out out/snapshots

Any folder of photos will do. These 24, the demonstration pictures of Debian's package kphotoalbum
(GPL-2 or later), are of people, animals and landscapes; in two of them whole framed pictures hang.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from digressions.frames.choosing import LIKELY
from digressions.frames.find import draw_frames, find_frames
from digressions.images.image_files import focal_length, read_image


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints what has a score from `LIKELY` on, and draws all that is reported."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="folder of JPEGs")
    parser.add_argument("--out", type=Path, default=Path("out/snapshots"))
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    photos = sorted(asked.photos.glob("*.jpg"))
    taken = 0
    for path in photos:
        photo = read_image(path)
        found = find_frames(photo, focal_length(path))
        likely = [frame for frame in found if frame.score >= LIKELY]
        taken += len(likely)
        for frame in likely:
            print(f"{path.name}: {frame.score:.2f} at {frame.opening}")
        if found:
            Image.fromarray(draw_frames(photo, found)).save(asked.out / path.name, quality=90)
    print(f"{len(photos)} photos, {taken} openings from a score of {LIKELY} on")


if __name__ == "__main__":
    main()
