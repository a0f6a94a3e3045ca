"""Attention weights of a prompt's words, on its encoded tokens.

The rule is that of A1111's web UI (``EmphasisOriginal`` in its ``sd_emphasis.py``): each token's
embedding is multiplied with its word's weight, and then all of them with one number, so that their
mean is what it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .terms import Plain


def token_attention(prompt: Plain, spans: Sequence[Sequence[int]]) -> list[float]:
    """The attention of each token: that of its first character that is not a space.

    Args:
        prompt: Segments of the text.
        spans: Where each token starts and ends in the text; empty for marks of start, end and
            filling, which get 1.
    """
    text = "".join(segment.text for segment in prompt)
    weights = [segment.attention for segment in prompt for _ in segment.text]
    found = []
    for start, end in spans:
        inked = (i for i in range(start, end) if not text[i].isspace())
        place = next(inked, start)
        found.append(weights[place] if start < end else 1.0)
    return found


def emphasized(tokens: Tensor, attention: Sequence[float]) -> Tensor:
    """Token embeddings ``(B, L, D)``, each times its attention, with their old mean.

    Where the new mean is 0, as with attention 0 throughout, nothing can restore the old one, and
    the tokens stay as they are weighted.
    """
    scaled = tokens * torch.tensor(attention).to(tokens).view(1, -1, 1)
    mean = scaled.mean((1, 2), keepdim=True)
    factor = torch.where(mean == 0, torch.ones_like(mean), tokens.mean((1, 2), keepdim=True) / mean)
    return scaled * factor
