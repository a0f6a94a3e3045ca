"""Find the frame in a photo and hang a painting in it: the photo's light falls on the painting."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import digressions as dg


def wall(width: int = 640, height: int = 480) -> Image.Image:
    """A drawn wall with an empty frame, instead of your photo."""
    light = np.linspace(225, 180, width)[None, :, None].repeat(height, 0).repeat(3, 2)
    image = Image.fromarray(light.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((190, 90, 450, 390), fill=(70, 45, 30))
    draw.rectangle((210, 110, 430, 370), fill=(242, 240, 236))
    return image


def main(folder: Path = Path("out/examples")) -> None:
    model = dg.load("bundled")
    photo = wall()
    frames = dg.find_frames(photo)
    print(f"{len(frames)} found; the surest at {frames[0].opening}, score {frames[0].score:.2f}")

    picture = dg.paint(model, "drawing of a fox", seed=3, steps=4)
    dg.hang(photo, frames[0], picture).save(folder / "room-filled.png")


if __name__ == "__main__":
    main()
