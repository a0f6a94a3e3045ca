"""What tests of `training/` share: its scripts, and drawings made up here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

TRAINING = Path(__file__).parents[1] / "training"
AUTOENCODER = TRAINING.parent / "src" / "digressions" / "weights" / "vae"
MODULES = ("judge", "measures", "bench", "card", "evaluate", "distil", "diffusion")
MODULES += ("figures_with_starts", "compose", "data", "autoencoder", "export", "captions")
MODULES += ("artsets", "pipeline", "concepts", "recogniser", "sharpen", "latents", "checkpoints")
MODULES += ("subset", "grow", "gpu", "dataset", "blind", "slim", "trials")
MODULES += ("starts_and_masks", "optimizers", "areas")


@pytest.fixture(scope="module")
def training():
    """The scripts of `training/`, which import one another by bare names."""
    sys.path.insert(0, str(TRAINING))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    sys.path.remove(str(TRAINING))


def drawing(concept: str, shade: int) -> np.ndarray:
    """A disc, a bar or a ring, (96, 96, 4) uint8."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    radius = np.hypot(x, y)
    shape = {"turtle": radius < 0.9, "frog": abs(x) < 0.3, "pizza": (radius > 0.6) & (radius < 0.9)}
    rgba = np.zeros((96, 96, 4), np.uint8)
    rgba[shape[concept]] = (shade, 255 - shade, 90, 255)
    return rgba


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three concepts by four artists, as `data.py` writes it."""
    pictures, records = [], []
    kinds = {"turtle": ["animal"], "frog": ["animal"], "pizza": ["food"]}
    artists = {"3d": "photo", "twemoji": "drawing", "ink": "ink", "kept": "cartoon"}
    for concept, categories in kinds.items():
        for i, (art, style) in enumerate(artists.items()):
            pictures.append(drawing(concept, 60 * i))
            record: dict[str, Any] = {"concept": concept, "categories": categories, "art": art}
            record |= {"names": [concept, f"small {concept}"], "tags": [f"{concept}ish"]}
            record |= {"style": style, "favourite": True, "held_out": art == "kept", "weight": 1.0}
            records.append(record)
    path = tmp_path_factory.mktemp("dataset") / "data.npz"
    words = json.dumps([])
    np.savez(path, pictures=np.stack(pictures), records=json.dumps(records), vocabulary=words)
    return path


@pytest.fixture(scope="module")
def recogniser(training, dataset, tmp_path_factory):
    """A folder with a recogniser that has learnt the three shapes."""
    out = tmp_path_factory.mktemp("recogniser")
    words = f"recogniser.py --data {dataset} --vae {AUTOENCODER} --out {out} --size 64 --no-bf16"
    words += " --steps 160 --batch 16 --cache 512 --renew 4 --lr 0.004"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training.recogniser, "WIDTHS", (32, 64))
        training.recogniser.run(training.recogniser.parser().parse_args(words.split()[1:]))
        yield out


def student_of(kind, training, dataset, folder, *more):
    """A distiller of a kind, of an untrained teacher, which is exported first."""
    _, records, vocabulary = training.dataset.load(dataset)
    shared = f"--data {dataset} --vae {AUTOENCODER} --out {folder} --size 64 --no-bf16"
    args = training.diffusion.parser("").parse_args([*shared.split(), "--widths", "64", "64"])
    trainer = training.diffusion.Trainer(None, records, vocabulary, args)
    trainer.save(folder / "checkpoint.pt")
    words = f"export.py --data {dataset} --vae {AUTOENCODER} --out {folder / 'model'}"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(
            sys, "argv", [*words.split(), "--checkpoint", str(folder / "checkpoint.pt")]
        )
        training.export.main()
    chosen = [*shared.split(), "--start", str(folder / "model"), *more]
    vae = training.sharpen.AutoencoderTiny.from_pretrained(AUTOENCODER)
    vae = vae.eval().requires_grad_(False)
    return kind(vae, records, vocabulary, training.distil.arguments().parse_args(chosen))
