"""Texts and pictures to what a network works on, and latents back to pictures.

Stable Diffusion's autoencoders have activations beyond float16's 65,504 for some pictures, and for
nearly all of them in SDXL's: these come out as NaN, black in the file. Here they are noticed and
decoded again in float32, and an SDXL autoencoder that says so in its config (``force_upcast``) runs
in float32 from the start, as in diffusers.

Attention weights follow A1111's web UI (``EmphasisOriginal`` in its ``sd_emphasis.py``): each
token's embedding is multiplied with its word's weight, and then all of them with one number, so
that their mean is what it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..diffusion.condition import Text
from ..errors import ModelError, PromptError, verbatim
from ..prompts.slips import check_characters
from ..prompts.terms import Plain, Segment
from .runtime import Stopwatch


class Autoencoder:
    """An autoencoder of diffusers on one device.

    Attributes:
        vae: The network.
        channels: Of its latents.
        scale_factor: Pixels per latent, along a side.
    """

    def __init__(self, vae: Any, device: torch.device, clock: Stopwatch) -> None:
        """Takes a loaded `AutoencoderKL` or `AutoencoderTiny`; counts its time to ``clock``."""
        self.vae, self._device, self._clock = vae, device, clock
        self._exact: Any = None
        self.channels = int(vae.config.latent_channels)
        self.scale_factor = 2 ** (len(_block_channels(vae)) - 1)

    def compile(self) -> None:
        """Has torch.compile work on both halves; takes effect with the first picture."""
        for half in (self.vae.encoder, self.vae.decoder):
            half.compile()

    def encode(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in 0..1 to float32 latents ``(B, C, H/f, W/f)`` of about unit size.

        The mode of the distribution, not a sample: a start picture has no noise of its own.

        Raises:
            ModelError: What comes out is no number, in float32 either.
        """

        def run(vae: Any, values: Tensor) -> Tensor:
            encoded = vae.encode(values.to(vae.dtype) * 2 - 1)
            tiny = hasattr(encoded, "latents")
            return (encoded.latents if tiny else encoded.latent_dist.mode()).float()

        latents = self._soundly("encode", run, images.to(self._device))
        return (latents - self._shift) * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures ``(B, 3, H, W)`` float32 in 0..1.

        Raises:
            ModelError: The latents, or the pictures, are no numbers, in float32 either.
        """
        if not bool(latents.isfinite().all()):
            raise ModelError(
                "the network's latents are not numbers: it overflows in its dtype; "
                "set `dtype` to bfloat16 or float32"
            )

        def run(vae: Any, values: Tensor) -> Tensor:
            return vae.decode(values.to(vae.dtype), return_dict=False)[0].float()

        latents = latents / self.vae.config.scaling_factor + self._shift
        return (self._soundly("decode", run, latents) / 2 + 0.5).clamp(0, 1)

    def _soundly(self, stage: str, run: Callable[[Any, Tensor], Tensor], values: Tensor) -> Tensor:
        """Runs a batch; the rows that do not come out as numbers are run again in float32."""
        with self._clock.timing(stage):
            found = run(self.vae, values)
            broken = ~found.isfinite().flatten(1).all(1)  # waits for a GPU, too
            if not bool(broken.any()):
                return found
            if self.vae.dtype != torch.float32:
                found = found.clone()
                found[broken] = run(self._in_float32(), values[broken])
        if not bool(found.isfinite().all()):
            raise ModelError(f"the autoencoder cannot {stage} a picture: its weights are damaged")
        return found

    def _in_float32(self) -> Any:
        if self._exact is None:
            # Not the vae's own `float`, which warns of layers not cast, of which there are none.
            self._exact = torch.nn.Module.float(copy.deepcopy(self.vae))
        return self._exact

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in, as a rule."""
        return self.vae.dtype

    @property
    def _shift(self) -> float:
        return getattr(self.vae.config, "shift_factor", None) or 0.0


def _block_channels(vae: Any) -> Sequence[int]:
    config = vae.config
    return getattr(config, "encoder_block_out_channels", None) or config.block_out_channels


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
            encoded = encoded.map(torch.zeros_like)
        return encoded

    @staticmethod
    def _check_length(tokenizer: Any, prompt: str, limit: int) -> None:
        # The text again without the limit: the tokens past it, as words.
        ids = tokenizer(prompt, truncation=False, verbose=False).input_ids
        if len(ids) > limit:
            cut = tokenizer.decode(ids[limit - 1 : -1], skip_special_tokens=True).strip()
            shown = repr(cut if len(cut) <= 100 else f"{cut[:60]} ... {cut[-30:]}")
            raise PromptError(
                f"the prompt is {len(ids):,} tokens long and the text encoder takes {limit}: "
                f"shorten it by {verbatim(shown)}, which would be cut"
            )


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
