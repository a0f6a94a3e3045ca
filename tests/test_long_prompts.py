"""Prompts of any length, ``BREAK`` and clip skip: as A1111's web UI and diffusers encode them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from digressions.diffusion.condition import Text
from digressions.errors import InputError
from digressions.generate.paint import sample_batch
from digressions.models.encoders import TextEncoder
from digressions.models.placement import Placement
from digressions.models.single_file import CONFIGS
from digressions.prompts.parse import parse
from tests import jobs
from tests.original_layout import parts, save_folder, small_configs

CPU = torch.device("cpu")
WORDS = ["frog", "turtle", "house", "tree", "river", "stone", "cloud"]


def config(width: int, activation: str = "quick_gelu") -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=width,
        intermediate_size=32,
        num_attention_heads=4,
        num_hidden_layers=4,
        projection_dim=width,
        hidden_act=activation,
        bos_token_id=49406,
        eos_token_id=49407,
    )


@pytest.fixture(scope="module")
def one() -> TextEncoder:
    torch.manual_seed(1)
    tokenizer = CLIPTokenizer.from_pretrained(CONFIGS / "tokenizer")
    encoder = CLIPTextModel(config(16)).eval()
    return TextEncoder([tokenizer], [encoder], Placement(CPU), sdxl=False, zero_empty=False)


@pytest.fixture(scope="module")
def two(one: TextEncoder) -> TextEncoder:
    torch.manual_seed(2)
    second = CLIPTokenizer.from_pretrained(CONFIGS / "tokenizer", pad_token="!")
    encoder = CLIPTextModelWithProjection(config(24, "gelu")).eval()
    pair = [one.encoders[0], encoder]
    return TextEncoder(
        [one.tokenizers[0], second], pair, Placement(CPU), sdxl=True, zero_empty=True
    )


def words(count: int) -> str:
    """Words of one token each."""
    return " ".join(WORDS[i % len(WORDS)] for i in range(count))


@pytest.mark.parametrize("which", ["one", "two"])
def test_a_long_prompt_is_its_chunks_one_after_the_other(
    which: str, request: pytest.FixtureRequest
) -> None:
    encoder = request.getfixturevalue(which)
    text = words(180).split()
    chunks = [encoder.encode([" ".join(text[at : at + 75])]) for at in (0, 75, 150)]
    whole = encoder.encode([" ".join(text)])
    assert whole.tokens.shape[1] == 3 * 77
    assert torch.equal(whole.tokens, torch.cat([chunk.tokens for chunk in chunks], 1))
    assert whole.mask is None
    if which == "two":
        assert torch.equal(whole.pooled, chunks[0].pooled)


def test_a_short_prompt_is_encoded_as_the_tokenizer_fills_it(two: TextEncoder) -> None:
    options = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
    wanted = []
    for tokenizer, encoder in zip(two.tokenizers, two.encoders, strict=True):
        output = encoder(tokenizer("a frog", **options).input_ids, output_hidden_states=True)
        wanted.append(output.hidden_states[-2])
    found = two.encode(["a frog"])
    assert torch.equal(found.tokens, torch.cat(wanted, -1))
    assert torch.equal(found.pooled, output.text_embeds)


def test_break_starts_a_chunk(one: TextEncoder) -> None:
    found = one.encode(["a frog BREAK a turtle"]).tokens
    each = [one.encode([text]).tokens for text in ("a frog", "a turtle")]
    assert torch.equal(found, torch.cat(each, 1))
    assert one.encode(["a frog breaks"]).tokens.shape[1] == 77
    twice = one.encode(["a frog BREAK BREAK a turtle"]).tokens
    assert torch.equal(twice, torch.cat([each[0], one.encode([""]).tokens, each[1]], 1))


def test_attention_crosses_chunks(one: TextEncoder) -> None:
    found = one.encode([parse("a frog BREAK (a turtle:1.4)").at(0, 1)[0].text]).tokens
    weighted = one.encode([parse("(a turtle:1.4)").at(0, 1)[0].text]).tokens
    assert torch.equal(found, torch.cat([one.encode(["a frog"]).tokens, weighted], 1))


@pytest.mark.parametrize("space", ["\n", "\t", "\u00a0", "\r\n", "  \n "])
def test_white_space_of_any_kind_is_one_space(one: TextEncoder, space: str) -> None:
    found = one.encode([f"a frog{space}in a pond"])
    assert torch.equal(found.tokens, one.encode(["a frog in a pond"]).tokens)


def test_prompts_of_several_lengths_share_a_batch() -> None:
    short, long = torch.randn(1, 2, 3), torch.randn(1, 4, 3)
    both = Text.cat([Text(short), Text(long)])
    assert both.mask.tolist() == [[True, True, False, False], [True] * 4]
    assert torch.equal(both.tokens[:1, :2], short)
    three = Text.cat([both, Text(long)])
    assert three.mask.sum(1).tolist() == [2, 4, 4]


def test_a_picture_does_not_depend_on_how_long_the_others_prompts_are(tmp_path: Path) -> None:
    from digressions.models.loading import load

    folder = save_folder(tmp_path / "sd", parts(small_configs(tmp_path / "configs"), "sd1"))
    model = load(folder, "cpu", "float32")
    usual = {"size": 64, "steps": 3, "guidance": 4.0, "negative": "a turtle"}
    short = jobs.job("a frog", seed=1, **usual)
    long = jobs.job(words(100), seed=2, **usual)
    *_, alone = sample_batch(model, [short])
    *_, together = sample_batch(model, [short, long])
    *_, other = sample_batch(model, [long])
    assert torch.allclose(together.x[:1], alone.x, atol=1e-3)
    assert torch.allclose(together.x[1:], other.x, atol=1e-3)


def skipping(encoder: TextEncoder, clip_skip: int) -> TextEncoder:
    return TextEncoder(
        encoder.tokenizers,
        encoder.encoders,
        Placement(CPU),
        sdxl=encoder.sdxl,
        zero_empty=encoder.zero_empty,
        clip_skip=clip_skip,
    )


def test_clip_skip_counts_as_a1111_does(one: TextEncoder, two: TextEncoder) -> None:
    """1 is the last layer; in diffusers' ``clip_skip`` one less."""
    ids = one.tokenizers[0]("a frog", padding="max_length", return_tensors="pt").input_ids
    encoder = one.encoders[0]
    norm = getattr(encoder, "text_model", encoder).final_layer_norm
    states = encoder(ids, output_hidden_states=True).hidden_states
    for skip in (1, 2, 3):
        found = skipping(one, skip).encode(["a frog"]).tokens
        assert torch.allclose(found, norm(states[-skip]), atol=1e-6)
    assert torch.equal(skipping(two, 2).encode(["a frog"]).tokens, two.encode(["a frog"]).tokens)
    found = skipping(two, 3).encode(["a frog"]).tokens
    assert torch.equal(found[..., :16], states[-3])
    with pytest.raises(InputError, match="clip_skip 5 is out of range: 1 to 4"):
        skipping(one, 5)


def test_clip_skip_is_remembered(
    digress: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image, ImageChops

    configs = small_configs(tmp_path / "configs")
    save_folder(tmp_path / "sd", parts(configs, "sd1"))
    common = ("paint", "a frog", "--model", "sd", "--steps", 2, "--size", 64, "--seed", 1)
    assert digress(*common, "-o", "1.png").code == 0
    assert digress(*common, "-o", "2.png", "--clip-skip", 2).code == 0
    assert digress("replay", "2.png", "-o", "again.png").code == 0
    first, second, again = (Image.open(f"{name}.png") for name in ("1", "2", "again"))
    assert ImageChops.difference(first, second).getbbox()
    assert not ImageChops.difference(second, again).getbbox()
    assert "Clip skip: 2" in second.text["parameters"]
