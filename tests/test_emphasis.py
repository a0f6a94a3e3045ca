"""Attention weights: the right tokens get them, and plain prompts stay what they are."""

from __future__ import annotations

import pytest
import torch

from digressions.models.base import Model
from digressions.models.chunks import token_attention
from digressions.models.encoders import emphasized
from digressions.models.stable_diffusion import StableDiffusion
from digressions.prompts.parse import parse
from digressions.prompts.terms import Plain, Segment


def plain(prompt: str) -> Plain:
    return parse(prompt).at(0, 1)[0].text


def words(model: Model, prompt: str) -> dict[str, float]:
    """Attention by token, without the marks."""
    assert isinstance(model, StableDiffusion)
    tokenizer, text = model.text_encoder.tokenizers[0], "".join(s.text for s in plain(prompt))
    found = tokenizer(text, return_offsets_mapping=True)
    attention = token_attention(plain(prompt), found.offset_mapping)
    pieces = tokenizer.convert_ids_to_tokens(found.input_ids)
    return {
        piece.strip("\u0120"): weight
        for piece, weight, span in zip(pieces, attention, found.offset_mapping, strict=True)
        if span[0] < span[1]
    }


def test_every_token_gets_the_weight_of_its_word(bundled: Model) -> None:
    found = words(bundled, "photo of (a frog:1.5), photo")
    assert found == {
        "photo": 1,
        "of": 1,
        "a": 1.5,
        "frog": 1.5,
    }  # the bundled tokenizer drops commas


def test_a_word_with_two_weights_has_that_of_its_start() -> None:
    prompt = (Segment("a fr", 2.0), Segment("og", 1.0))
    assert token_attention(prompt, [(0, 0), (0, 1), (1, 6), (6, 6)]) == [1, 2, 2, 1]


def test_the_rule_of_a1111() -> None:
    tokens = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(1)) + 0.5
    attention = [1, 1.3, 0.5, 1, 1]
    found = emphasized(tokens, attention)
    for row, old in zip(found, tokens, strict=True):
        scaled = torch.stack([old[i] * w for i, w in enumerate(attention)])
        torch.testing.assert_close(row, scaled * old.mean() / scaled.mean())
        torch.testing.assert_close(row.mean(), old.mean())


def test_no_attention_at_all_is_no_division_by_zero() -> None:
    found = emphasized(torch.ones(1, 2, 3), [0, 0])
    assert torch.equal(found, torch.zeros(1, 2, 3))


@pytest.mark.parametrize("prompt", ["(photo of a frog:1.0)", "photo of a frog"])
def test_an_attention_of_one_is_the_plain_prompt_bit_for_bit(bundled: Model, prompt: str) -> None:
    found = bundled.encode_text([plain(prompt), "photo of a frog"], 64, 64).tokens
    assert torch.equal(found[0], found[1])


def test_attention_changes_what_is_encoded_and_a_plain_text_is_not_parsed(bundled: Model) -> None:
    prompts = [plain("photo of a (frog:1.4)"), "photo of a frog", "photo of a (frog:1.4)"]
    found = bundled.encode_text(prompts, 64, 64).tokens
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])
