"""Larger denoisers around trained ones, and training on a GPU that is borrowed for minutes."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import torch

from tests.drawings import TRAINING, dataset, recogniser, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "recogniser", "training"]
AUTOENCODER = TRAINING.parent / "src" / "digressions" / "weights" / "vae"


def inputs(side: int):
    g = torch.Generator().manual_seed(0)
    states = torch.randn(2, 24, 256, generator=g)
    return torch.randn(2, 16, side, side, generator=g), torch.tensor([3, 700]), states


@pytest.mark.parametrize(("widths", "width"), [((64, 128), 64), ((128, 128), 64), ((64, 64), 32)])
def test_the_inner_levels_of_a_grown_network_are_the_old_ones(training, widths, width):
    old = training.pipeline.make_unet(widths)
    new = training.grow.grown(old, width)
    assert new.config.block_out_channels == (width, *widths)
    assert new.config.sample_size == 2 * old.config.sample_size
    kept = ("mid_block.", "time_embedding.linear_2.", "add_embedding.")
    before, after = old.state_dict(), new.state_dict()
    for name, value in before.items():
        if name.startswith("down_blocks.1."):
            assert torch.equal(value, after[name.replace("down_blocks.1.", "down_blocks.2.")])
        if name.startswith((*kept, "up_blocks.0.")):
            assert torch.equal(value, after[name])
    assert new(*inputs(16)).sample.shape == (2, 16, 16, 16)


def test_a_grown_network_tells_the_time_as_before(training):
    """Sinusoids of neighbouring frequencies are nearly alike, so one stands for both."""
    old = training.pipeline.make_unet((128, 128))
    new = training.grow.grown(old, 64)
    times = torch.tensor([0, 20, 300, 999])
    before, after = (net.time_embedding.linear_1(net.time_proj(times)) for net in (old, new))
    alike = torch.nn.functional.cosine_similarity(before, after)
    assert alike.amin() > 0.65


def test_a_width_that_does_not_divide_is_refused(training):
    with pytest.raises(ValueError, match="width 48 does not divide 64"):
        training.grow.grown(training.pipeline.make_unet((64, 128)), 48)


def test_a_deepened_network_says_the_same(training):
    old = training.grow.grown(training.pipeline.make_unet((64, 128)), 64).eval()
    new = training.grow.deepened(old, (2, 3, 1)).eval()
    assert sum(p.numel() for p in new.parameters()) > sum(p.numel() for p in old.parameters())
    with torch.no_grad():
        torch.testing.assert_close(new(*inputs(16)).sample, old(*inputs(16)).sample)
    new(*inputs(16)).sample.square().mean().backward()
    assert new.down_blocks[1].resnets[2].conv2.weight.grad.abs().sum() > 0  # and can learn


@pytest.mark.parametrize("layers", [(1, 1, 2), (0, 1, 1)])
def test_levels_that_cannot_be_deepened_are_refused(training, layers):
    old = training.grow.grown(training.pipeline.make_unet((64, 64)), 64)
    with pytest.raises(ValueError, match="cannot get"):
        training.grow.deepened(old, layers)


def test_weights_in_eight_bits_are_nearly_the_same(training):
    g = torch.Generator().manual_seed(0)
    state = {"w": torch.randn(8, 4, 3, 3, generator=g), "b": torch.randn(8, generator=g)}
    packed = training.gpu.rounded(state)
    assert packed["w"].dtype == torch.int8
    back = training.gpu.restored(packed)
    assert set(back) == set(state)
    assert (back["w"] - state["w"]).abs().amax() < 0.02
    torch.testing.assert_close(back["b"], state["b"], atol=2e-3, rtol=0)


def test_shards_hold_everything_once(training, monkeypatch):
    monkeypatch.setattr(training.gpu, "SHARD", 100)
    state = {f"w{i}": torch.full((7, i + 1), float(i)) for i in range(9)}
    parts = list(training.gpu.shards(state))
    assert len(parts) > 1
    assert [name for part in parts for name in part] == list(state)


def test_everything_that_a_borrowed_gpu_is_asked_for(
    training, dataset, recogniser, tmp_path, monkeypatch
):
    """Packed, trained, distilled, practised, brought back, exported: tiny, on this machine."""
    import digressions

    def call(script: str, words: str) -> None:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *words.split()])
        getattr(training, script).main()

    _, records, vocabulary = training.dataset.load(dataset)
    args = (
        f"--data {dataset} --vae {AUTOENCODER} --out {tmp_path} --widths 64 64 --size 64 --no-bf16"
    )
    known = training.diffusion.parser("").parse_args(args.split())
    trainer = training.diffusion.Trainer(None, records, vocabulary, known)
    start, packed, back = tmp_path / "start", tmp_path / "pack.zip", tmp_path / "back"
    training.gpu.write_model(start, trainer.tokenizer, trainer.models)
    monkeypatch.setattr(training.gpu, "SIZE", 64)
    known = f"--data {dataset} --recogniser {recogniser}"
    call("gpu", f"pack --start {start} {known} --out {packed}")
    tiny = f"{packed} --work {tmp_path / 'work'} --out {back} --minutes 0.01 --no-bf16"
    tiny += " --device cpu --batch 4 --cache 64 --renew 4 --threads 1"
    call("gpu", f"train {tiny}")
    call("gpu", f"distil {tiny}")
    call("gpu", f"practise {tiny}")
    for name, guidance in (("guided", None), ("distilled", 3.0), ("practised", 3.0)):
        assert (back / f"{name}.webp").exists()
        checkpoint = tmp_path / f"{name}.pt"
        call("gpu", f"unpack {back} --name {name} --start {start} --out {checkpoint}")
        came = torch.load(checkpoint, weights_only=True)
        assert came["guidance"] == guidance
        assert came["clean_surroundings"]
    trained = torch.load(tmp_path / "work" / "practised" / "checkpoint.pt", weights_only=True)
    came = torch.load(tmp_path / "practised.pt", weights_only=True)["average"]
    for name, value in trained["average"].items():
        torch.testing.assert_close(came[name], value, atol=1e-3, rtol=1e-3)
    words = f"--data {dataset} --vae {AUTOENCODER} --start {start} --out {tmp_path / 'model'}"
    call("export", f"{words} --checkpoint {tmp_path / 'practised.pt'}")
    assert digressions.load(str(tmp_path / "model")).size == 64


# --- what captions say -------------------------------------------------------------------------

OWL = {"names": ["owl"], "tags": [], "categories": ["animal"], "style": "photo"}
FOX = {"names": ["fox"], "tags": [], "categories": ["animal"], "style": "cartoon"}


def said(training, scene, other=None) -> set[str]:
    rng = random.Random(0)
    return {training.captions.caption(OWL, rng, scene, other) for _ in range(600)}


def test_captions_tell_coats_framings_and_pairs(training):
    scene = training.captions.Scene
    assert "photo of a red owl" in said(training, scene(coat=(0.9, 0.1, 0.1)))
    assert "photo of a small owl" in said(training, scene(framing="small"))
    assert "photo of an owl close up" in said(training, scene(framing="close"))
    assert "photo of an owl and a fox" in said(training, scene(count=2, paired=True), FOX)
    assert "photo of an owl facing right" in said(training, scene(mirrored=True))
    assert "photo of an owl facing left" in said(training, scene())
    assert "photo of an owl facing right" not in said(training, scene())
    assert {"photo of owls", "photo of three owls"} <= said(training, scene(count=3))
    assert not any("fox" in text for text in said(training, scene(), FOX))


def test_pairs_need_something_to_pair_with(training):
    drawings = torch.from_numpy(np.full((400, 96, 96, 4), 255, np.uint8))
    g = torch.Generator().manual_seed(0)
    _, alone = training.compose.compose(drawings, g)
    _, paired = training.compose.compose(drawings, g, others=drawings)
    assert not any(scene.paired for scene in alone)
    assert 5 < sum(scene.paired for scene in paired) < 50
    assert all(scene.count == 2 and not scene.framing for scene in paired if scene.paired)


@pytest.mark.parametrize(
    "text",
    [
        "photo of\na turtle",
        "photo\u00a0of a\tturtle",
        '"photo of a turtle"',
        "photo, of a turtle!",
        "photo of a\u200b turtle",
        "photo-of-a-turtle",
        "PHOTO OF A TURTLE",
        " photo of  a turtle.",
        "\ufeffphoto of a turtle",
        "\u201cphoto of a turtle\u201d",
    ],
)
def test_what_looks_alike_is_the_same_text(training, text):
    tokenizer = training.pipeline.load_tokenizer([OWL], ["turtle", "photo of a turtle"])
    plain = training.latents.tokenize(tokenizer, ["photo of a turtle"])
    assert torch.equal(training.latents.tokenize(tokenizer, [text]), plain)
    assert not torch.equal(training.latents.tokenize(tokenizer, ["photo of an owl"]), plain)
