"""A PDF for the printer: exact trim and bleed, and a proof of how it will look."""

from pathlib import Path

import digressions as dg


def main(folder: Path = Path("out/examples"), dpi: int = 120) -> None:
    model = dg.load("bundled")
    picture = dg.paint(model, "painting of a parrot", seed=4, steps=4)
    path = dg.print_file(
        picture,
        folder / "parrot.pdf",
        size="10x15cm",
        dpi=dpi,
        bleed="3mm",
        marks=True,
        proof=True,
        upscaler="lanczos",
    )
    print(path)


if __name__ == "__main__":
    main()
