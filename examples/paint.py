"""Pictures that remember how they were made."""

from pathlib import Path

import digressions as dg

SIZE = {"steps": 4}  # fewer steps than usual: this is an example


def main(folder: Path = Path("out/examples")) -> None:
    model = dg.load("bundled")

    picture = dg.paint(model, "photo of a frog", seed=1, **SIZE)
    print(picture.params.seed, picture.params.sampler, picture.array.shape)
    path = picture.save(folder / "frog.png")

    for each in dg.paint(model, "cartoon of a fox", n=3, seed=7, **SIZE):
        each.save(folder / f"fox-{each.params.seed}.png")

    # Paint over one picture with another prompt: image-to-image keeps its colours.
    over = dg.paint(model, "photo of a turtle", image=picture, strength=0.8, seed=2, **SIZE)
    over.save(folder / "turtle-over-frog.png")

    # The file alone is enough to make it again.
    print(dg.finish(dg.replay(path)))


if __name__ == "__main__":
    main()
