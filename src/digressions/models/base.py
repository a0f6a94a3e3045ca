"""What a family of models implements, so that everything else works with any of them.

A family is one file beside this one, such as `stable_diffusion`: a subclass of `Model` that encodes
text and pictures and calls its network, and a function that loads one. Nothing outside this folder
asks which family a model is of.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from ..diffusion.condition import Condition, Text
from ..diffusion.denoise import Combine, Denoiser, anchored, composed, denoiser, inpainted, tiled
from ..diffusion.names import SpacingName
from ..diffusion.schedule import Schedule
from ..errors import InputError, PromptError, verbatim
from ..geometry import Size
from ..prompts.terms import LoraTag, Plain
from ..prompts.vocabulary import Vocabulary
from .few_steps import MadeFor
from .fingerprint import Fingerprint, Source, UsedFile
from .openvino_networks import Contest
from .runtime import Stopwatch

NETWORK_STAGES = ("encode", "denoise", "decode")
FEW_PIXELS = 256  # of a side: a model of fewer has none to spare for anything but its thing
_LARGER = 1.25  # times its own side, a model still paints one thing


@dataclass(frozen=True)
class Defaults:
    """How a model is best used when the user does not say.

    A checkpoint may carry its own in ``digressions.json``; otherwise its family knows them.

    Attributes:
        sampler, steps, guidance, strength: For whole pictures; see `GenerationParams`.
        cell_steps, cell_guidance, cell_strength: For the cells of mosaics; ``None`` for the same.
        distilled_guidance: The guidance scale that a network has inside for every prompt but the
            empty one, having been distilled from a guided one; 1 for none.
        squares_only: Whether what it paints in another shape than a square falls apart.
        clean_surroundings: Whether it was taught to paint a masked area from surroundings without
            noise; see `denoise.inpainted`.
    """

    sampler: str = "ddim"
    steps: int = 30
    guidance: float = 7.5
    strength: float = 0.75
    cell_steps: int | None = None
    cell_guidance: float | None = None
    cell_strength: float | None = None
    distilled_guidance: float = 1.0
    squares_only: bool = False
    clean_surroundings: bool = False

    def values(self, *, cells: bool = False) -> dict[str, Any]:
        """Sampler, steps, guidance and strength by name, for whole pictures or for cells."""
        found: dict[str, Any] = {
            name: getattr(self, name) for name in ("sampler", "steps", "guidance", "strength")
        }
        if cells:
            for name in ("steps", "guidance", "strength"):
                own = getattr(self, f"cell_{name}")
                found[name] = found[name] if own is None else own
        return found


@dataclass(kw_only=True)
class Model(ABC):
    """A loaded model on one device. Nothing that shapes a picture changes after loading.

    Attributes:
        name: As the user asked for it.
        fingerprints: Of every file of weights that its pictures depend on.
        device, dtype: Where and in which numbers its networks run.
        schedule: Of its noise.
        defaults: How it is best used.
        vocabulary: The words that it was taught, or ``None`` where that is not said.
        size: The side in pixels that it was trained at.
        latent_channels: Of its latents.
        vae_scale_factor: Pixels per latent, along a side.
        inpainting: Whether its network sees a mask and the picture beside the latents.
        guidance_embedded: Whether its network takes the guidance scale as an input, so that there
            is no unconditional guess.
        clock: Seconds in its own networks (stages ``encode``, ``denoise``, ``decode``), and in
            whatever else its user counts there.
        contests: What was measured where OpenVINO was to run its networks.
        spacing: How its grid of times is spread; see `with_timesteps`.
        additions: What it was loaded with beside its own files, by the names of `loading.load`.
        sources: The single files that it was loaded from.
        offload: Whether its networks wait in main memory while they do not work.
    """

    name: str
    fingerprints: Sequence[Fingerprint]
    device: torch.device
    dtype: torch.dtype
    schedule: Schedule
    defaults: Defaults
    vocabulary: Vocabulary | None
    size: int
    latent_channels: int
    vae_scale_factor: int
    inpainting: bool = False
    guidance_embedded: bool = False
    clock: Stopwatch = field(default_factory=Stopwatch)
    contests: list[Contest] = field(default_factory=list)
    spacing: SpacingName = "trailing"
    additions: dict[str, Any] = field(default_factory=dict)
    sources: Sequence[Source] = ()
    offload: bool = False

    @property
    def hash(self) -> str:
        """Of all weights (see `Fingerprint.hash`): 64 hex digits."""
        first, *rest = (each.hash() for each in self.fingerprints)
        for more in rest:
            first = hashlib.sha256(f"{first}:{more}".encode()).hexdigest()
        return first

    def named_sources(self, *prompts: str) -> list[Source]:
        """The files that prompts name: LoRAs and embeddings. None, unless a family takes some.

        Args:
            prompts: In the prompt language, negative ones too.

        Raises:
            InputError, PromptError: As `use_loras`; there is no such embedding, or it does not fit.
        """
        return []

    def files(self, *prompts: str) -> list[UsedFile]:
        """Every single file that pictures of prompts are painted with.

        Raises:
            InputError, PromptError: As `named_sources`.
        """
        return [each.used() for each in (*self.sources, *self.named_sources(*prompts))]

    def identity(self, *prompts: str) -> dict[str, str]:
        """What pictures of prompts depend on, for a manifest: ``model``, its hash, and the SHA-256
        of each file that the prompts name. Raises as `named_sources`."""
        named = [each.used() for each in self.named_sources(*prompts)]
        return {"model": self.hash} | {f"{each.kind} {each.name}": each.sha256 for each in named}

    def hash_for(self, *prompts: str) -> str:
        """`identity` as one hash: that of the model, where the prompts name no files."""
        found = self.identity(*prompts)
        if len(found) == 1:
            return self.hash
        return hashlib.sha256(":".join(map(":".join, found.items())).encode()).hexdigest()

    def notes_on_words(self, *texts: str) -> list[str]:
        """What a user should know of the words of texts: which are no words to this model.

        Raises:
            PromptError: As `named_sources`.
        """
        return []

    def networks(self) -> list[torch.nn.Module]:
        """Those whose weights it holds."""
        return []

    @property
    def weight_bytes(self) -> int:
        """Bytes of memory that the weights of its `networks` take."""
        return sum(
            weight.nbytes
            for network in self.networks()
            for weight in (*network.parameters(), *network.buffers())
        )

    @property
    def shown(self) -> str:
        """What messages call it, see `errors.verbatim`."""
        return verbatim(self.name)

    def check_unchanged(self) -> None:
        """Raises `ModelError` where the files of its weights, or those that prompts named, are not
        what they were."""
        for each in self.fingerprints:
            each.check()

    @property
    def widest_aspect(self) -> float:
        """How many times as wide as high, or as high as wide, a picture may be before its thing is
        painted twice."""
        return 1.15 if self.size < FEW_PIXELS else 1.5

    def paints_whole(self, size: Size) -> bool:
        """Whether a picture of a size shows one thing, painted all at once."""
        return self.holds(size) and max(size) <= self.widest_aspect * min(size)

    def holds(self, size: Size) -> bool:
        """Whether a picture of a size, of any aspect, has no more pixels than are painted at
        once."""
        return size.pixels <= (_LARGER * self.size) ** 2

    @property
    def seconds(self) -> float:
        """Spent inside its own networks so far."""
        return self.clock.seconds(*NETWORK_STAGES)

    def use_loras(self, tags: Sequence[LoraTag]) -> None:
        """Has its networks work with these LoRAs, beside those that it was loaded with, and with no
        others of the kind, until the next call.

        Raises:
            ModelError: A file does not fit.
            InputError, PromptError: There is no such file, or the model takes none.
        """
        if tags:
            raise PromptError(f"{self.shown} takes no LoRA: leave out {verbatim(tags[0])}")

    def made_for(self, prompt: str) -> MadeFor | None:
        """The settings of a LoRA that pictures of a prompt are painted with and that was distilled
        for few steps, if there is one: they count where the user says nothing.

        Raises:
            InputError, PromptError: As `named_sources`.
        """
        return None

    def denoiser(self, combine: Combine, *, tiles: bool = False) -> Denoiser:
        """The network with guidance, inpainting and anchoring around it, as conditions ask.

        Args:
            combine: How several prompts become one direction; see `diffusion.combine`.
            tiles: In windows of the size that it was trained at, where a picture is larger.
        """
        alone = denoiser(self.network, self.schedule)
        if tiles:
            alone = tiled(alone, self.size // self.vae_scale_factor)
        clean = self.defaults.clean_surroundings
        return anchored(inpainted(composed(alone, combine, self.schedule), self.schedule, clean))

    def init_noise_sigma(self, sampler: str, t: Tensor) -> Tensor:
        r"""What pure noise is multiplied with to start from it, ``(B, 1, 1, 1)``.

        1, unless a family knows better.

        Args:
            t: ``(B,)``, the times that the pictures start from.
        """
        return t.new_ones(len(t), 1, 1, 1)

    def spacing_for_noise(self, sampler: str) -> SpacingName:
        """The spacing that suits a start from noise alone, where the user does not say: the model's
        own, unless a family knows better."""
        return self.spacing

    def with_timesteps(self, spacing: SpacingName | None, zero_snr: bool) -> Self:
        """The same model with another spacing of time steps, or ending in noise alone; the weights
        are shared.

        Args:
            spacing: ``None`` or the model's own for the grid that it was published with.
            zero_snr: Shift the schedule so that its noisiest step is noise alone.

        Raises:
            InputError: The network cannot work with it.
        """
        if zero_snr or spacing not in (None, self.spacing):
            raise InputError(f"`timestep_spacing` and `zero_snr` are fixed for {self.shown}")
        return self

    @abstractmethod
    def times(self, sampler: str, steps: int) -> Tensor:
        """The times that a sampler visits in a whole run, ``(steps + 1,)`` float32, falling.

        Args:
            sampler: One of `SAMPLERS`.
            steps: 1 or more.

        Raises:
            InputError: More steps than the sampler or the schedule has.
        """

    @abstractmethod
    def encode_text(self, prompts: Sequence[str | Plain], width: int, height: int) -> Text:
        """Encodes prompts, one row each; see `TextEncoder.encode`.

        Args:
            prompts: Plain texts, or texts in segments with attention.
            width, height: Of the picture in pixels, which some families tell their network.
        """

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Pictures ``(B, 3, H, W)`` in 0..1 to latents ``(B, C, H/f, W/f)`` float32."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures ``(B, 3, H, W)`` float32 in 0..1."""

    @abstractmethod
    def network(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """The network's raw output for noisy latents, shaped as they are."""

    def inpainting_channels(self, images: Tensor, masks: Tensor, small_masks: Tensor) -> Tensor:
        """What an `inpainting` network sees beside the latents: ``(B, K, h, w)``.

        Args:
            images: ``(B, 3, H, W)`` in 0..1.
            masks: ``(B, 1, H, W)``, 1 where to paint.
            small_masks: The masks at the size of the latents.
        """
        raise NotImplementedError  # only families that have `inpainting` models need it
