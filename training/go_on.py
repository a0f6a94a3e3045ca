"""Train the bundled model at 128 px from wherever it was left: one command, safe to stop.

    taskset -c 1 python go_on.py --work ~/digressions-training --start FOLDER

makes the dataset if `--work` has none, starts from the exported folder `--start` if there is no
checkpoint yet, and otherwise goes on from the newest one. Stop it whenever you like and give the
same command again: at most `--save-every` minutes are lost. The learning rate is flat until half of
`--minutes` (all restarts together) have passed and then falls to zero; other arguments go to
`diffusion.py`, which this calls.
"""

import sys
from pathlib import Path

import data
import diffusion
from compose import SIZE
from subset import write_subset

DIRECTORY = Path(__file__).parent
BUNDLED = DIRECTORY.parent / "src" / "digressions" / "weights"


def dataset(work: Path) -> Path:
    """The dataset of the things to learn in `work`, made if it is missing."""
    drawings, subset = work / f"data{SIZE}.npz", work / f"subset{SIZE}.npz"
    if not drawings.exists():
        whole = ["--cache", str(work / "npm"), "--out", str(drawings)]
        sys.argv[1:] = [*whole, "--notice", str(work / "NOTICE.md")]
        data.main()
    if not subset.exists():
        print(write_subset(drawings, subset), "drawings", flush=True)
    return subset


def main() -> None:
    parser = diffusion.parser(__doc__.splitlines()[0])
    for action in parser._actions:
        action.required = False
    parser.add_argument("--work", type=Path, required=True, help="folder for everything made")
    parser.set_defaults(
        vae=BUNDLED / "vae", minutes=900, threads=1, cache=6400, renew=16, sheet_every=20
    )
    args = parser.parse_args()
    args.out = args.out or args.work / f"unet{SIZE}"
    args.work.mkdir(parents=True, exist_ok=True)
    args.data = args.data or dataset(args.work)
    diffusion.run(diffusion.Trainer, args)


if __name__ == "__main__":
    main()
