"""Train on a GPU that is borrowed for minutes: one file goes there, small files come back.

    python gpu.py pack --start GROWN --data subset128.npz --out PACK.zip
    python gpu.py train PACK.zip --work FOLDER --out BACK --minutes 8       # there
    python gpu.py distil PACK.zip --work FOLDER --out BACK --minutes 2      # there, afterwards
    python gpu.py practise PACK.zip --work FOLDER --out BACK --minutes 2    # there, in the end
    python gpu.py unpack BACK --name practised --start GROWN --out CHECKPOINT

`pack` writes drawings (WebP) and weights (8 bits a number, scaled by row), less than 60 MiB in all.
`train`, `distil` and `practise` use `diffusion.py`, `distil.py` and `starts_and_masks.py`; they
write what they have into BACK at every checkpoint, in files of less than 15 MiB, and once more in
the end: a teacher in 8 bits a number, students in 16.
"""

import argparse
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import diffusion
import distil
import numpy as np
import starts_and_masks
import torch
from checkpoints import write
from compose import SIZE
from dataset import load
from diffusers import UNet2DConditionModel
from PIL import Image
from pipeline import load_models
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel

QUALITY = 75
SHARD = 14 * 2**20  # bytes
FOLDERS = ("start/", "vae/", "recogniser/")
BUNDLED = Path(__file__).parent.parent / "src" / "digressions" / "weights"


def rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in 8 bits a number with a scale for every row; vectors in 16."""
    packed = {}
    for name, value in state.items():
        if value.dim() < 2:
            packed[name] = value.half() if value.is_floating_point() else value
            continue
        rows = value.flatten(1).float()
        scale = rows.abs().amax(1).clamp(min=1e-8) / 127
        packed[name] = (rows / scale.unsqueeze(1)).round().to(torch.int8).view(value.shape)
        packed[f"{name}/scale"] = scale
    return packed


def restored(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32 of what `rounded` made."""
    state = {}
    for name, value in packed.items():
        if name.endswith("/scale"):
            continue
        if (scale := packed.get(f"{name}/scale")) is not None:
            value = value.float() * scale.view(-1, *[1] * (value.dim() - 1))
        state[name] = value.float() if value.is_floating_point() else value
    return state


def webp(drawing: np.ndarray) -> bytes:
    """A drawing (S, S, 4), uint8, as a WebP file."""
    file = io.BytesIO()
    Image.fromarray(drawing).save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def pack(args: argparse.Namespace) -> None:
    """Write everything that training needs to one file."""
    pictures, records, vocabulary = load(args.data)
    shown = [i for i, record in enumerate(records) if record["weight"]]
    pictures, records = pictures[shown], [records[i] for i in shown]
    tokenizer, models = load_models(args.start)
    tokenizer.save_pretrained(args.out.parent / "tokenizer")
    with zipfile.ZipFile(args.out, "w") as file, ThreadPoolExecutor(args.threads) as pool:
        for i, drawing in enumerate(pool.map(webp, pictures)):
            file.writestr(f"drawings/{i:05d}.webp", drawing)
        about = {"records": records, "vocabulary": vocabulary}
        file.writestr("about.json", json.dumps(about), zipfile.ZIP_DEFLATED)
        for name, part in (("unet", "unet"), ("text", "text_encoder")):
            weights = args.out.with_suffix(".safetensors")
            save_file(rounded(models[name].state_dict()), weights)
            file.write(weights, f"start/{part}/rounded.safetensors", zipfile.ZIP_DEFLATED)
            file.write(args.start / part / "config.json", f"start/{part}/config.json")
            weights.unlink()
        for path in sorted((args.out.parent / "tokenizer").iterdir()):
            file.write(path, f"start/tokenizer/{path.name}", zipfile.ZIP_DEFLATED)
        for path in sorted(args.vae.iterdir()):
            file.write(path, f"vae/{path.name}")
        for name in ("recogniser.json", "recogniser.pt"):
            file.write(args.recogniser / name, f"recogniser/{name}", zipfile.ZIP_DEFLATED)
    print(f"{len(pictures)} drawings, {args.out.stat().st_size / 2**20:.1f} MiB")


def opened(packed: Path, work: Path) -> Path:
    """The dataset and the folders of a pack, laid out in `work` for the other scripts."""
    data = work / "data.npz"
    if data.exists():
        return data
    with zipfile.ZipFile(packed) as file:
        names = sorted(name for name in file.namelist() if name.startswith("drawings/"))
        files = [file.read(name) for name in names]
        about = json.loads(file.read("about.json"))
        file.extractall(work, [n for n in file.namelist() if n.startswith(FOLDERS)])
    for part, kind in (("unet", UNet2DConditionModel), ("text_encoder", CLIPTextModel)):
        folder = work / "start" / part
        config = json.loads((folder / "config.json").read_text())
        model = (
            kind.from_config(config)
            if kind is UNet2DConditionModel
            else kind(kind.config_class.from_dict(config))
        )
        model.load_state_dict(restored(load_file(folder / "rounded.safetensors")), strict=True)
        model.float().save_pretrained(folder)
        (folder / "rounded.safetensors").unlink()
    with ThreadPoolExecutor() as pool:
        drawings = pool.map(lambda b: np.asarray(Image.open(io.BytesIO(b)).convert("RGBA")), files)
        pictures = np.stack(list(drawings))
    np.savez(
        work / "part.npz",
        pictures=pictures,
        records=json.dumps(about["records"]),
        vocabulary=json.dumps(about["vocabulary"]),
    )
    (work / "part.npz").rename(data)
    return data


def shards(state: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Weights in parts of less than `SHARD` bytes."""
    part: dict[str, Tensor] = {}
    size = 0
    for name, value in state.items():
        value = value.cpu().contiguous()
        if part and size + value.nbytes > SHARD:
            yield part
            part, size = {}, 0
        part[name], size = value, size + value.nbytes
    yield part


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in float16."""
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


class HandsBack(diffusion.Trainer):
    """A `Trainer` that hands back what it has at every checkpoint, as ``NAME-0.safetensors`` and so
    on."""

    def save(self, path: Path) -> None:
        super().save(path)
        for i, part in enumerate(shards(self.packed(self.average.state_dict()))):
            save_file(part, self.args.back / f"{self.args.name}-{i}.safetensors")

    packed = staticmethod(rounded)


class DistillerThatHandsBack(HandsBack, distil.Distiller):
    """A `Distiller` that does so."""

    packed = staticmethod(halved)


class PracticeThatHandsBack(HandsBack, starts_and_masks.Practice):
    """A `Practice` that does so."""

    packed = staticmethod(halved)


def arguments_for(known: argparse.ArgumentParser, args: argparse.Namespace, out: str, **chosen):
    """The command line of another script, as this one is called."""
    data = opened(args.pack, args.work)
    words = ["--data", str(data), "--vae", str(args.work / "vae"), "--out", str(args.work / out)]
    told, _ = known.parse_known_args([*words, *args.more])
    told.size, told.minutes = SIZE, args.minutes
    for name, value in chosen.items():
        if f"--{name.replace('_', '-')}" not in args.more:
            setattr(told, name, value)
    told.back = args.out
    return told


LARGE = {"batch": 1024, "cache": 65536, "renew": 512, "save_every": 2.5, "sheet_every": 1e9}


def train(args: argparse.Namespace) -> None:
    """Train the denoiser."""
    known = diffusion.parser("train")
    chosen = {**LARGE, "lr": 1e-3, "optimizer": "muon", "start": args.work / "start"}
    hand_back_from(HandsBack, "guided", args, known, **chosen)


def distilled(args: argparse.Namespace) -> None:
    """Distil guidance into what `train` has made."""
    known = {"start": written(args, "guided"), "recogniser": args.work / "recogniser"}
    chosen = {**LARGE, "batch": 512, **known}
    hand_back_from(DistillerThatHandsBack, "distilled", args, distil.arguments(), **chosen)


def practised(args: argparse.Namespace) -> None:
    """Teach what `distil` has made how to start from flat colours and around masked areas."""
    teacher, student = written(args, "guided"), written(args, "distilled")
    known = {"start": teacher, "before": teacher, "student": student}
    chosen = {**LARGE, "batch": 512, **known, "recogniser": args.work / "recogniser"}
    told = starts_and_masks.parser()
    hand_back_from(PracticeThatHandsBack, "practised", args, told, **chosen)


def hand_back_from(
    trainer: type[HandsBack],
    name: str,
    args: argparse.Namespace,
    known: argparse.ArgumentParser,
    **chosen,
) -> None:
    """Train in the folder `name` and hand back what comes of it under that name."""
    args.out.mkdir(parents=True, exist_ok=True)
    told = arguments_for(known, args, name, **chosen)
    told.name = name
    diffusion.run(trainer, told)
    sheet = Image.open(told.out / "sheet-final.png")
    sheet.save(args.out / f"{name}.webp", quality=90)


def written(args: argparse.Namespace, name: str) -> Path:
    """The folder, as `pipeline.load_models` reads one, of the averaged model of the run `name`."""
    folder = args.work / name / "model"
    tokenizer, models = load_models(args.work / "start")
    state = torch.load(args.work / name / "checkpoint.pt", weights_only=True)
    models.load_state_dict(state["average"])
    write_model(folder, tokenizer, models)
    return folder


def write_model(folder: Path, tokenizer, models: nn.ModuleDict) -> None:
    """What `pipeline.load_models` reads."""
    tokenizer.save_pretrained(folder / "tokenizer")
    models["unet"].save_pretrained(folder / "unet")
    models["text"].save_pretrained(folder / "text_encoder")


def unpack(args: argparse.Namespace) -> None:
    """Put together what came back: a checkpoint that `export.py --start` makes a folder of."""
    _, models = load_models(args.start)
    state: dict[str, Tensor] = {}
    for path in sorted(args.back.glob(f"{args.name}-*.safetensors")):
        state |= load_file(path)
    models.load_state_dict(restored(state))  # all of it is there, and nothing else
    guidance = None if args.name == "guided" else distil.arguments().get_default("guidance")
    about = {"size": SIZE, "guidance": guidance, "consistency": None, "clean_surroundings": True}
    write(args.out, {"average": models.state_dict(), **about})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("pack", help="write everything that training needs to one file")
    one.add_argument("--start", type=Path, required=True, help="exported folder to go on from")
    one.add_argument("--vae", type=Path, default=BUNDLED / "vae", help="folder of autoencoder.py")
    one.add_argument("--data", type=Path, required=True, help="dataset file of subset.py")
    one.add_argument("--recogniser", type=Path, required=True, help="folder of recogniser.py")
    one.add_argument("--out", type=Path, required=True, help="the file to write (.zip)")
    one.add_argument("--threads", type=int, default=1)
    one.set_defaults(run=pack)
    for name, run, about in (
        ("train", train, "train the denoiser"),
        ("distil", distilled, "distil guidance into what was trained"),
        ("practise", practised, "teach what was distilled about starts and masked areas"),
    ):
        one = commands.add_parser(name, help=f"{about}; other arguments go to the script for it")
        one.add_argument("pack", type=Path, help="what pack wrote")
        one.add_argument("--work", type=Path, required=True, help="folder for everything made")
        one.add_argument("--out", type=Path, required=True, help="folder for what comes back")
        one.add_argument("--minutes", type=float, required=True)
        one.set_defaults(run=run)
    one = commands.add_parser("unpack", help="put together what came back")
    one.add_argument("back", type=Path, help="folder of what came back")
    one.add_argument("--name", required=True, help="guided, distilled or practised")
    one.add_argument("--start", type=Path, required=True, help="what was packed")
    one.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    one.set_defaults(run=unpack)
    args, args.more = parser.parse_known_args()
    args.run(args)


if __name__ == "__main__":
    main()
