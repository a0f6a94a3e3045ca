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
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..diffusion.condition import Text
from ..errors import InputError, ModelError
from ..prompts.slips import check_characters
from ..prompts.terms import Plain, Segment
from .autoencoder_tiles import in_tiles, side_for
from .chunks import chunks_of, empty_chunk
from .embeddings import Embeddings
from .placement import Placement
from .runtime import Stopwatch


class Autoencoder:
    """An autoencoder of diffusers.

    Attributes:
        vae: The network.
        channels: Of its latents.
        scale_factor: Pixels per latent, along a side.
    """

    def __init__(
        self, vae: Any, placement: Placement, clock: Stopwatch, *, tiles: str | None = None
    ) -> None:
        """Takes a loaded `AutoencoderKL` or `AutoencoderTiny`.

        Args:
            placement: Where it is.
            clock: Its time is counted there.
            tiles: Whether pictures go through it in tiles; see `autoencoder_tiles.side_for`.
        """
        self.vae, self._placement, self._clock, self._tiles = vae, placement, clock, tiles
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

        factor = self.scale_factor
        latents = self._soundly("encode", run, images.to(self._placement.device), factor, 1)
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
        found = self._soundly("decode", run, latents, 1, self.scale_factor)
        return (found / 2 + 0.5).clamp(0, 1)

    def _soundly(
        self,
        stage: str,
        run: Callable[[Any, Tensor], Tensor],
        values: Tensor,
        before: int,
        after: int,
    ) -> Tensor:
        """Runs a batch; the rows that do not come out as numbers are run again in float32.

        Args:
            before, after: See `in_tiles`.
        """
        height, width = (side * self.scale_factor // before for side in values.shape[-2:])
        side = side_for(height, width, self._tiles)

        def whole(vae: Any, values: Tensor) -> Tensor:
            with self._placement.using(vae):
                if side is None:
                    return run(vae, values)
                one = functools.partial(run, vae)
                return in_tiles(one, values, before, after, side // self.scale_factor)

        with self._clock.timing(stage):
            found = whole(self.vae, values)
            broken = ~found.isfinite().flatten(1).all(1)  # waits for a GPU, too
            if not bool(broken.any()):
                return found
            if self.vae.dtype != torch.float32:
                found = found.clone()
                found[broken] = whole(self._in_float32(), values[broken])
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
    """Tokenizers and text encoders of a checkpoint.

    Prompts of any length are encoded in chunks of 75 tokens, as in A1111's web UI, and ``BREAK``
    starts a new one; only those of a text encoder with another window than CLIP's have to fit.

    Attributes:
        embeddings: Those that prompts may name.
        sdxl: Whether the penultimate layers count, and the second encoder's projection.
        zero_empty: Whether the empty text is all zeros.
        clip_skip: Which layer counts, 1 for the last (A1111's counting).
    """

    def __init__(
        self,
        tokenizers: list[Any],
        encoders: list[Any],
        placement: Placement,
        *,
        sdxl: bool,
        zero_empty: bool,
        clip_skip: int | None = None,
        embeddings: Embeddings | None = None,
    ) -> None:
        """Takes a tokenizer for each encoder, where the encoders are, and the embeddings that
        prompts may name.

        Raises:
            InputError: There is no such layer.
        """
        self.tokenizers, self.encoders, self.placement = tokenizers, encoders, placement
        self.sdxl, self.zero_empty = sdxl, zero_empty
        self.embeddings = embeddings or Embeddings([_width(each) for each in encoders], None)
        # OpenCLIP's last layer is not even published with Stable Diffusion 2.
        self._last = 2 if not sdxl and encoders[0].config.hidden_act == "gelu" else 1
        self.clip_skip = clip_skip or (2 if sdxl else self._last)
        most = min(each.config.num_hidden_layers for each in encoders) + self._last - 1
        if not self._last <= self.clip_skip <= most:
            raise InputError(
                f"`clip_skip` {self.clip_skip} is out of range: {self._last} to {most} here"
            )
        self._encoded: dict[Plain, Text] = {}

    def encode(self, prompts: Sequence[str | Plain]) -> Text:
        """Encodes prompts; each is encoded once.

        Args:
            prompts: Plain texts, which mean themselves (no syntax is read), or texts in segments
                that get more or less attention (`terms.Plain`).

        Raises:
            PromptError: A prompt is longer than the text encoder takes; says what would be cut. Or
                it holds bytes that are no characters, or names an embedding that is not there.
        """
        wanted = [(Segment(p, 1.0),) if isinstance(p, str) else p for p in prompts]
        if new := set(wanted) - self._encoded.keys():
            with self.placement.using(*self.encoders):
                for prompt in new:
                    self._encoded[prompt] = self._encode(prompt)
        return Text.cat([self._encoded[prompt] for prompt in wanted])

    def forget(self) -> None:
        """Encodes anew from now on: the encoders' weights have changed."""
        self._encoded.clear()

    @torch.inference_mode()
    def _encode(self, prompt: Plain) -> Text:
        prompt = tuple(Segment(re.sub(r"\s+", " ", text), weight) for text, weight in prompt)
        text = "".join(segment.text for segment in prompt)
        check_characters(text)
        chunks = [
            chunks_of(tokenizer, prompt, self.embeddings.finder(place))
            for place, tokenizer in enumerate(self.tokenizers)
        ]
        count = max(map(len, chunks))
        tokens, pooled = [], None
        for tokenizer, encoder, own in zip(self.tokenizers, self.encoders, chunks, strict=True):
            own += [empty_chunk(tokenizer)] * (count - len(own))
            rows = []
            for ids, attention, vectors in own:
                with standing_in(encoder, vectors):
                    output = encoder(
                        torch.tensor([ids], device=self.placement.device), output_hidden_states=True
                    )
                row = self._layer(encoder, output)
                rows.append(emphasized(row, attention) if set(attention) != {1.0} else row)
                if len(rows) == 1 and self.sdxl:
                    pooled = output[0]
            tokens.append(torch.cat(rows, dim=1))
        encoded = Text(torch.cat(tokens, dim=-1), pooled)
        if text == "" and self.zero_empty:
            encoded = encoded.map(torch.zeros_like)
        return encoded

    def _layer(self, encoder: Any, output: Any) -> Tensor:
        """What the network looks at, ``(1, L, D)``: with SDXL a layer as it is, else normalised."""
        if self.sdxl:
            return output.hidden_states[-self.clip_skip]
        if self.clip_skip == self._last:
            return output.last_hidden_state
        inner = getattr(encoder, "text_model", encoder)
        return inner.final_layer_norm(output.hidden_states[self._last - self.clip_skip - 1])


def _width(encoder: Any) -> int:
    return int(encoder.config.hidden_size)


@contextmanager
def standing_in(encoder: Any, vectors: Mapping[int, Tensor]) -> Iterator[None]:
    """While the block runs, vectors take the place of some tokens' own.

    Args:
        encoder: Of `transformers`; is asked for one row at a time.
        vectors: ``(D,)``, by place.
    """

    def put(_module: Any, _inputs: Any, found: Tensor) -> Tensor:
        found = found.clone()
        for place, vector in vectors.items():
            found[:, place] = vector.to(found)
        return found

    hook = encoder.get_input_embeddings().register_forward_hook(put) if vectors else None
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()


def emphasized(tokens: Tensor, attention: Sequence[float]) -> Tensor:
    """Token embeddings ``(B, L, D)``, each times its attention, with their old mean.

    Where the new mean is 0, as with attention 0 throughout, nothing can restore the old one, and
    the tokens stay as they are weighted.
    """
    scaled = tokens * torch.tensor(attention).to(tokens).view(1, -1, 1)
    mean = scaled.mean((1, 2), keepdim=True)
    factor = torch.where(mean == 0, torch.ones_like(mean), tokens.mean((1, 2), keepdim=True) / mean)
    return scaled * factor
