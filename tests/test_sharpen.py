"""How the decoder is sharpened: at a tiny size, on drawings made up here."""

from __future__ import annotations

import sys

import pytest
import torch

from tests.drawings import dataset, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "training"]


def sharpened(training, dataset, out, monkeypatch, minutes: float) -> None:
    """Runs the script on a small autoencoder, which it makes if there is none."""
    if not (out / "start").exists():
        torch.manual_seed(0)
        training.autoencoder.make_autoencoder(8).save_pretrained(out / "start")
    words = f"sharpen.py --data {dataset} --start {out / 'start'} --out {out / 'vae'} --size 64"
    words += f" --batch 8 --no-bf16 --threads 1 --minutes {minutes}"
    monkeypatch.setattr(sys, "argv", words.split())
    monkeypatch.setattr(training.sharpen, "WAIT", 2)
    monkeypatch.setattr(training.sharpen, "MEASURED", 16)
    monkeypatch.setattr(training.sharpen, "report", lambda *_: None)
    training.sharpen.main()


def test_the_encoder_stays_and_the_decoder_learns(training, dataset, tmp_path, monkeypatch):
    sharpened(training, dataset, tmp_path, monkeypatch, 0.05)
    before, after = (
        training.sharpen.AutoencoderTiny.from_pretrained(tmp_path / name)
        for name in ("start", "vae")
    )
    for old, new in zip(before.encoder.parameters(), after.encoder.parameters(), strict=True):
        assert torch.equal(old, new)  # or a denoiser's latents would mean something else
    decoders = zip(before.decoder.parameters(), after.decoder.parameters(), strict=True)
    assert all(not torch.equal(old, new) for old, new in decoders)


def test_a_stopped_run_goes_on(training, dataset, tmp_path, monkeypatch):
    sharpened(training, dataset, tmp_path, monkeypatch, 0.05)
    first = torch.load(tmp_path / "vae" / "checkpoint.pt", weights_only=True)
    sharpened(training, dataset, tmp_path, monkeypatch, 0.05)  # its time is over: nothing is learnt
    again = torch.load(tmp_path / "vae" / "checkpoint.pt", weights_only=True)
    assert again["step"] == first["step"] > 2
    assert all(
        torch.equal(first["decoder"][name], again["decoder"][name]) for name in again["decoder"]
    )
    sharpened(training, dataset, tmp_path, monkeypatch, 0.08)
    more = torch.load(tmp_path / "vae" / "checkpoint.pt", weights_only=True)
    assert more["step"] > first["step"]


def test_a_critic_learns_to_tell_blurred_pictures(training):
    """What makes a decoder sharp: the critic must see what blur takes away."""
    torch.manual_seed(0)
    critic = training.sharpen.Critic(16)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=2e-3, betas=(0.5, 0.99))
    g = torch.Generator().manual_seed(0)

    def pair(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        real = (torch.rand(n, 3, 32, 32, generator=g) > 0.5).float() * 2 - 1
        return real, torch.nn.functional.avg_pool2d(real, 3, 1, 1)

    for _ in range(30):
        real, blurred = pair(8)
        loss = (1 - critic(real)[0]).relu().mean() + (1 + critic(blurred)[0]).relu().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        real, blurred = pair(32)
        (said, seen_real), (of_blurred, seen) = critic(real), critic(blurred)
    assert said.mean() > of_blurred.mean() + 0.5
    assert training.sharpen.unlikeness(seen_real, seen_real) == 0
    assert training.sharpen.unlikeness(seen, seen_real) > 0.1


def test_two_losses_pull_alike_when_balanced(training):
    last = torch.nn.Parameter(torch.ones(4))
    wanted, other = (last * torch.arange(4.0)).sum(), (7 * last).square().sum()
    weight = training.sharpen.balance(wanted, other, last)
    pulls = [torch.autograd.grad(loss, last)[0].norm() for loss in (wanted, weight * other)]
    torch.testing.assert_close(pulls[0], pulls[1])
