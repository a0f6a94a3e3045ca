"""A picture made of pictures, with progress. Stop it and run it again: it goes on."""

from pathlib import Path

import digressions as dg


def main(folder: Path = Path("out/examples"), grid: int = 16) -> None:
    model = dg.load("bundled")
    for event in dg.mosaic(
        model, "photo of a turtle", seed=14, grid=grid, output=folder / "turtle"
    ):
        match event:
            case dg.Estimate(text) | dg.Note(text):
                print(text)
            case dg.Progress(task, done, total):
                print(f"{task}: {done} of {total}", end="\r")
            case dg.Saved(path):
                print("open", path)


if __name__ == "__main__":
    main()
