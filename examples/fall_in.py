"""An endless world: any picture of it by its path, and a film that loops."""

from pathlib import Path

from PIL import Image

import digressions as dg


def main(folder: Path = Path("out/examples"), grid: int = 16, seconds: float = 4.0) -> None:
    model = dg.load("bundled")
    cache = folder / "world.sqlite"

    with dg.World.open(model, "photo of a turtle", seed=5, grid=grid, cache=cache) as world:
        deep = world.picture((3, grid + 1, 2))  # (H, W, 3) uint8
    Image.fromarray(deep).save(folder / "deep.png")

    film = dg.film(
        model,
        "photo of a turtle",
        seed=5,
        grid=grid,
        seconds=seconds,
        cache=cache,
        output=folder / "turtle.mp4",
    )
    print(dg.finish(film))


if __name__ == "__main__":
    main()
