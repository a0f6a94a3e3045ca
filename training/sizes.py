"""Set a model beside a smaller one enlarged: recognised, how sharp, and both on one sheet.

The smaller model's pictures are enlarged by the network that the package ships and brought to the
larger one's size. The judge sees 64 px, so it tells shapes, not sharpness: that is measured by
itself, beside real drawings and what the autoencoder leaves of them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bench import Bench
from dataset import load
from few_steps import painted
from figures import by_animals
from judge import load_judge
from measures import gradient_energy
from torch import Tensor

import digressions
from digressions.images.upscale import Upscaler, load_upscaler


def enlarged(pictures: Tensor, side: int, upscaler: Upscaler) -> Tensor:
    """Pictures (B, 3, h, h), 0..1, enlarged by a network and averaged down to `side`."""
    pixels = (pictures.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    large = np.stack([upscaler(picture) for picture in pixels])
    x = torch.from_numpy(large).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(x, (side, side), mode="area")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("large", help="folder of export.py")
    parser.add_argument("small", help="folder of export.py, or bundled")
    parser.add_argument("--data", type=Path, required=True, help="data.py's, for the larger size")
    parser.add_argument("--judge", type=Path, required=True, help="folder of judge.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheet")
    parser.add_argument("--upscaler", default="realesrgan-animevideo")
    parser.add_argument("--per-concept", type=int, default=1, help="pictures of each concept")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    judge = load_judge(args.judge)
    drawings, records, _ = load(args.data, held_out=True)
    benches = [
        Bench(digressions.load(name), judge, torch.from_numpy(drawings), records, args.out)
        for name in (args.large, args.small)
    ]
    side, known = benches[0].model.size, benches[0].known
    concepts = [c for c in benches[0].place if c in known] * args.per_concept
    large, small = (painted(bench, concepts) for bench in benches)
    small = enlarged(small, side, load_upscaler(args.upscaler))
    for name, pictures in (("larger", large), ("smaller, enlarged", small)):
        found = by_animals(benches[0], judge.judged(pictures).concepts, concepts)
        print(name, found, f"gradient energy {gradient_energy(pictures):.5f}", flush=True)
    real, _ = benches[0].real("generator", 64, benches[0].seed(6))
    print(f"drawings: gradient energy {gradient_energy(real):.5f}")
    rebuilt = benches[0].through_autoencoder(real)
    print(f"through the autoencoder: gradient energy {gradient_energy(rebuilt):.5f}")
    rows = [x[k : k + 8] for k in range(0, 24, 8) for x in (large, small)]
    benches[0].sheet("sizes", torch.cat(rows), columns=8)


if __name__ == "__main__":
    main()
