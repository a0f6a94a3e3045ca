"""One animal of two prompts, and how much of each is in it."""

from pathlib import Path

import digressions as dg


def main(folder: Path = Path("out/examples"), pictures: int = 4) -> None:
    model = dg.load("bundled")
    events = dg.ensemble(
        model,
        ["photo of a frog", "photo of a fox"],
        combine="superpose",
        n=pictures,
        best=1,
        seed=1,
        output=folder / "frog-and-fox.png",
    )
    for event in events:
        match event:
            case dg.Note(text):
                print(text)
            case dg.Saved(path):
                print("saved", path)


if __name__ == "__main__":
    main()
