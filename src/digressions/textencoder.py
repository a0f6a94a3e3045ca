"""From plain texts to what a network reads: one text encoder, or SDXL's two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .condition import Text
from .emphasis import emphasized, token_attention
from .errors import PromptError
from .terms import Plain, Segment


class TextEncoder:
    """Tokenizers and text encoders of a checkpoint on one device.

    Attributes:
        sdxl: Whether the penultimate layers count, and the second encoder's projection.
        zero_empty: Whether the empty text is all zeros.
    """

    def __init__(
        self,
        tokenizers: list[Any],
        encoders: list[Any],
        device: torch.device,
        *,
        sdxl: bool,
        zero_empty: bool,
    ) -> None:
        """Takes a tokenizer for each encoder."""
        self.tokenizers, self.encoders, self.device = tokenizers, encoders, device
        self.sdxl, self.zero_empty = sdxl, zero_empty
        self._encoded: dict[Plain, Text] = {}

    def encode(self, prompts: Sequence[str | Plain]) -> Text:
        """Encodes prompts; each is encoded once.

        Args:
            prompts: Plain texts, which mean themselves (no syntax is read), or texts in segments
                that get more or less attention (`terms.Plain`).

        Raises:
            PromptError: A prompt is longer than the text encoder takes; says what would be cut. Or
                it holds bytes that are no characters.
        """
        wanted = [(Segment(p, 1.0),) if isinstance(p, str) else p for p in prompts]
        for prompt in set(wanted) - self._encoded.keys():
            self._encoded[prompt] = self._encode(prompt)
        return Text.cat([self._encoded[prompt] for prompt in wanted])

    @torch.inference_mode()
    def _encode(self, prompt: Plain) -> Text:
        text = "".join(segment.text for segment in prompt)
        check_characters(text)
        weighted = any(segment.attention != 1 for segment in prompt)
        tokens, pooled = [], None
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            found = tokenizer(
                text,
                padding="max_length",
                max_length=tokenizer.model_max_length,
                truncation=True,
                return_offsets_mapping=weighted,
                return_tensors="pt",
            )
            ids = found.input_ids
            self._check_length(tokenizer, text, ids.shape[1])
            output = encoder(ids.to(self.device), output_hidden_states=self.sdxl)
            if self.sdxl:  # the penultimate layer of both, and the second one's projection
                tokens.append(output.hidden_states[-2])
                pooled = output[0]
            else:
                tokens.append(output[0])
            if weighted:
                attention = token_attention(prompt, found.offset_mapping[0].tolist())
                tokens[-1] = emphasized(tokens[-1], attention)
        encoded = Text(torch.cat(tokens, dim=-1), pooled)
        if text == "" and self.zero_empty:
            encoded = encoded._map(torch.zeros_like)
        return encoded

    @staticmethod
    def _check_length(tokenizer: Any, prompt: str, limit: int) -> None:
        # The text again without the limit: the tokens past it, as words.
        ids = tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(ids) > limit:
            cut = tokenizer.decode(ids[limit - 1 : -1], skip_special_tokens=True).strip()
            raise PromptError(
                f"the prompt is {len(ids)} tokens long and the text encoder takes {limit}: "
                f"shorten it by {cut!r}, which would be cut"
            )


def check_characters(text: str) -> None:
    """Raises `PromptError` where a text holds what came of bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptError(
            f"the prompt {text!a:.80} holds bytes that are no characters, from place "
            f"{error.start + 1} on: type it anew"
        ) from None
