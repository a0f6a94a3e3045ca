"""Trials of ways to train: each learns, on the same pictures, and says what a step costs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.drawings import TRAINING, dataset, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "training"]
AUTOENCODER = TRAINING.parent / "src" / "digressions" / "weights" / "vae"


@pytest.fixture(scope="module")
def start(training, dataset, tmp_path_factory) -> Path:
    """A folder with an untrained model and a recogniser that has learnt nothing yet."""
    folder = tmp_path_factory.mktemp("start")
    _, records, vocabulary = training.dataset.load(dataset)
    shared = f"--data {dataset} --vae {AUTOENCODER} --out {folder} --size 64 --no-bf16"
    args = training.diffusion.parser("").parse_args([*shared.split(), "--widths", "64", "64"])
    training.diffusion.Trainer(None, records, vocabulary, args).save(folder / "checkpoint.pt")
    words = f"--data {dataset} --vae {AUTOENCODER} --out {folder / 'seer'} --size 64 --no-bf16"
    known = training.recogniser.parser().parse_args(
        [*words.split(), "--steps", "20", "--batch", "8", "--cache", "64"]
    )
    training.recogniser.run(known)
    words = f"export.py --data {dataset} --vae {AUTOENCODER} --out {folder / 'model'}"
    with pytest.MonkeyPatch.context() as monkeypatch:
        checkpoint = ["--checkpoint", str(folder / "checkpoint.pt")]
        monkeypatch.setattr(sys, "argv", [*words.split(), *checkpoint])
        training.export.main()
    return folder


def test_every_way_learns_from_the_same_start(training, dataset, start, monkeypatch, capsys):
    ways = ["adamw", "muon", "min-snr", "align"]
    words = f"--data {dataset} --vae {AUTOENCODER} --out {start / 'out'} --start {start / 'model'}"
    words += " --steps 16 --batch 8 --cache 64 --lr 2e-3 --threads 1 --no-bf16 --size 64"
    monkeypatch.setattr(training.trials, "HELD", 64)
    monkeypatch.setattr(
        sys, "argv", ["trials.py", *ways, *words.split(), "--recogniser", str(start / "seer")]
    )
    training.trials.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    found = {row[0]: [float(value) for value in row[-3:]] for row in rows if row[0] in ways}
    begun = next(float(row[-1]) for row in rows if row[0] == "start")
    assert list(found) == ways
    assert all(losses[0] < 0.97 * begun for losses in found.values())
    assert len({losses[0] for losses in found.values()}) == len(ways)


def test_muon_turns_kernels_and_leaves_what_is_looked_up_to_adamw(training):
    models = nn.ModuleDict({"kernel": nn.Conv2d(4, 8, 3), "token_embedding": nn.Embedding(10, 4)})
    before = models["kernel"].weight.detach().clone()
    optimizer = training.optimizers.Muon(models, 1e-2)
    assert [tuple(matrix.shape) for _, matrix in optimizer.matrices] == [(8, 36)]
    loss = models["kernel"](torch.ones(1, 4, 3, 3)).sum() + models["token_embedding"].weight.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    moved = (models["kernel"].weight - before).flatten(1)
    # The gradient has one direction, which is made of length one or a little less.
    length = moved.detach().norm().item() / (0.2 * 36**0.5 * 1e-2)
    assert 0.6 < length < 1.3
    assert models["kernel"].weight.is_leaf
    assert models["token_embedding"].weight.grad is not None


def test_muon_goes_on_as_if_it_had_not_stopped(training):
    def model() -> nn.ModuleDict:
        return nn.ModuleDict({"kernel": nn.Conv2d(4, 8, 3), "token_embedding": nn.Embedding(10, 4)})

    def move(models: nn.ModuleDict, optimizer, steps: range) -> None:
        for step in steps:
            picture = torch.full((1, 4, 3, 3), step + 1.0).cumsum(1 + step % 3)
            rows = models["token_embedding"].weight.square().sum()
            optimizer.zero_grad()
            (models["kernel"](picture).square().sum() + rows).backward()
            optimizer.step()

    whole, stopped = model(), model()
    stopped.load_state_dict(whole.state_dict())
    move(whole, training.optimizers.make_optimizer("muon", whole, 1e-2), range(4))
    first = training.optimizers.make_optimizer("muon", stopped, 1e-2)
    move(stopped, first, range(2))
    second = training.optimizers.make_optimizer("muon", stopped, 5.0)
    second.load_state_dict(first.state_dict())
    move(stopped, second, range(2, 4))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(stopped.state_dict()[name], value, rtol=0, atol=0)
