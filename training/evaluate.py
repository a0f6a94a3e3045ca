"""Measure an exported model: every figure it is promised to reach, and sheets to look at.

Figures go to ``figures.json`` in `--out` section by section, so a run that was stopped goes on
where it was. ``export.py --card`` puts them into the model card. Everything is painted by the
package itself, at few steps and without guidance, as the cells of a mosaic are.
"""

import argparse
import json
from pathlib import Path

import figures
import figures_with_starts
import torch
from bench import Bench
from card import table
from dataset import load
from judge import load_judge

import digressions

SECTIONS = {
    "recognised": figures.recognised,
    "synonyms": figures.synonyms,
    "styles": figures.styles,
    "categories": figures.categories,
    "colour": figures_with_starts.colour,
    "variety": figures.variety,
    "ensembles": figures_with_starts.ensembles,
    "inpainting": figures_with_starts.inpainting,
    "cost": figures.cost,
}


def measure(bench: Bench, path: Path, sections: list[str]) -> dict:
    """Measure the sections that `path` lacks, writing each into it as it is done; all figures.

    Raises:
        SystemExit: `path` holds figures of another model, judge or settings.
    """
    about = {
        "model": bench.model.hash,
        "judge": bench.judge.names,
        "steps": bench.steps,
        "sampler": bench.sampler,
        "pictures": bench.pictures,
        "per_concept": bench.per_concept,
    }
    found = json.loads(path.read_text()) if path.exists() else {"about": about}
    if found["about"] != about:
        raise SystemExit(f"{path} has figures of another model, judge or settings: move it away")
    for name in sections:
        if name in found:
            continue
        found[name] = SECTIONS[name](bench)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found, indent=1) + "\n")
        part.replace(path)
        print(name, json.dumps(found[name]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of export.py, or bundled")
    parser.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    parser.add_argument("--judge", type=Path, required=True, help="folder of judge.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for figures and sheets")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sampler", default="ddim", choices=("ddim", "lcm"))
    parser.add_argument("--pictures", type=int, default=64, help="pictures a figure, as a rule")
    parser.add_argument("--per-concept", type=int, default=4, help="pictures of each concept")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    judge = load_judge(args.judge)
    pictures, records, _ = load(args.data, held_out=True)
    judged = [i for i, record in enumerate(records) if record["concept"] in set(judge.names)]
    bench = Bench(
        digressions.load(args.model),
        judge,
        torch.from_numpy(pictures[judged]),
        [records[i] for i in judged],
        args.out,
        args.steps,
        args.pictures,
        args.per_concept,
        sampler=args.sampler,
    )
    print(table(measure(bench, args.out / "figures.json", args.only)))


if __name__ == "__main__":
    main()
