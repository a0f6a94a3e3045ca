"""How the autoencoder is made slimmer: at a tiny size, on drawings made up here."""

from __future__ import annotations

import sys

import pytest
import torch

from tests.drawings import dataset, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "training"]


def slimmed(training, dataset, out, monkeypatch, minutes: float):
    """`slim.py` from the command line; the slim autoencoder, and the old one."""
    if not (out / "start").exists():
        torch.manual_seed(0)
        training.autoencoder.make_autoencoder(16).save_pretrained(out / "start")
    words = f"slim.py --data {dataset} --start {out / 'start'} --out {out / 'slim'} --size 64"
    words += f" --minutes {minutes} --channels 8 --batch 4 --threads 1 --no-bf16"
    monkeypatch.setattr(training.slim, "report", lambda *_: None)
    monkeypatch.setattr(sys, "argv", words.split())
    training.slim.main()
    autoencoder = training.slim.AutoencoderTiny
    return [autoencoder.from_pretrained(out / name) for name in ("slim", "start")]


def test_a_slim_autoencoder_learns_the_old_ones_latents(training, dataset, tmp_path, monkeypatch):
    slim, old = slimmed(training, dataset, tmp_path, monkeypatch, 0.15)
    assert slim.config.latent_channels == old.config.latent_channels
    assert slim.config.scaling_factor == old.config.scaling_factor
    pictures, _, _ = training.dataset.load(dataset)
    g, weights = torch.Generator().manual_seed(5), torch.ones(len(pictures))
    x = training.autoencoder.training_pictures(torch.from_numpy(pictures), weights, 8, g, 64)
    untaught = training.slim.make_slim(old, 8)
    before = training.slim.latent_error(untaught, old, x)
    assert training.slim.latent_error(slim, old, x) < 0.7 * before


def test_a_stopped_slimming_goes_on(training, dataset, tmp_path, monkeypatch):
    slimmed(training, dataset, tmp_path, monkeypatch, 0.02)
    before = torch.load(tmp_path / "slim" / "checkpoint.pt", weights_only=True)
    slimmed(training, dataset, tmp_path, monkeypatch, 0.04)
    after = torch.load(tmp_path / "slim" / "checkpoint.pt", weights_only=True)
    assert after["step"] > before["step"]
    assert after["minutes"] >= 0.04 > before["minutes"] >= 0.02


def test_it_needs_a_third_of_the_arithmetic(training):
    old = training.autoencoder.make_autoencoder(64)
    slim = training.slim.make_slim(old, 32)
    needed = [sum(training.slim.arithmetic(vae, 128)) for vae in (slim, old)]
    assert needed[0] < needed[1] / 3
