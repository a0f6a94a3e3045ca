"""A checkpoint in a single safetensors file, as most are passed on: the layout of Stability AI's
own programs, with everything in it.

diffusers converts the names; its configs, which the file lacks, come with this package
(``configs/``), so nothing is fetched. A part is built without memory of its own, takes the file's
tensors, and must find every one that it needs: what is missing is never made up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError, verbatim
from ..prompts.vocabulary import Vocabulary
from .autoencoder_file import autoencoder_in
from .base import Defaults
from .fingerprint import FileFingerprint
from .header import read_header
from .recognise import BELONGS, UNET, Contents, Family, Prediction, recognise
from .tensors import Build, filled, read_tensors
from .text_encoder_file import chosen_encoders, load_encoder

CONFIGS = Path(__file__).parent / "configs"
_V_SPREAD = 0.09
Renamed = Callable[[Any, dict[str, Tensor]], dict[str, Tensor]]
"""From a network and a file's tensors to these under the network's own names."""


def shipped_configs(family: Family | None) -> dict[str, Any]:
    """The configs of a family's parts, by name."""
    return json.loads((CONFIGS / f"{family}.json").read_text("utf-8"))


class SingleFile:
    """A single file, opened: the same as `Checkpoint`, for whoever loads a model from it.

    Attributes:
        folder: The file.
        family: The pipeline that it is made for.
        fingerprint: Of the file.
        contents: What is in it.
    """

    def __init__(self, path: Path, text_encoders: Sequence[Path] = ()) -> None:
        """Reads the header.

        Args:
            text_encoders: Files of text encoders, in place of its own or where it has none.

        Raises:
            ModelError: It is damaged, or no checkpoint; says what it is. Or a text encoder is
                missing.
        """
        self.folder = path
        self._header = read_header(path)
        self.contents = recognise(self._header)
        check_is_checkpoint(path, self.contents)
        self.fingerprint = FileFingerprint(path)
        xl = "XL" if self.contents.family == "sdxl" else ""
        self.family = (
            f"StableDiffusion{xl}{'Inpaint' if self.contents.channels == 9 else ''}Pipeline"
        )
        self._configs = shipped_configs(self.contents.family)
        unet = self._configs["unet"]
        unet["in_channels"] = self.contents.channels
        if self.contents.family == "sd2" and self.prediction == "v_prediction":
            unet["sample_size"] = unet["sample_size"] * 3 // 2  # 768 px, where the other has 512
        widths = {
            name: int(config["hidden_size"])
            for name, config in self._configs.items()
            if name.startswith("text_encoder")
        }
        family = self.contents.family
        self._encoders = chosen_encoders(self._header, family, widths, text_encoders)

    def network(self, name: str, dtype: torch.dtype) -> Any:
        """``"unet"`` or ``"vae"``. Raises `ModelError`."""
        from diffusers import UNet2DConditionModel
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

        config = self._configs[name]
        if name == "vae":
            return autoencoder_in(self._header, config, dtype)
        start = UNET if self._header.has(UNET) else ""

        def renamed(network: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            prefix = "" if start else UNET  # a network alone goes without
            named = {prefix + key: value for key, value in tensors.items()}
            return convert_ldm_unet_checkpoint(named, config=config)

        return self._part(
            name, start, dtype, lambda: UNet2DConditionModel.from_config(config), renamed
        )

    def text_encoders(self, dtype: torch.dtype) -> list[Any]:
        """One, or the two of SDXL. Raises `ModelError`."""
        import transformers

        kinds = {
            "text_encoder": transformers.CLIPTextModel,
            "text_encoder_2": transformers.CLIPTextModelWithProjection,
        }
        found = []
        for name, kind in kinds.items():
            if name in self._configs:
                config = transformers.CLIPTextConfig(**self._configs[name])
                stored = self._encoders[name]
                what = f"the {name} of {verbatim(str(stored.header.path))}"
                found.append(load_encoder(what, stored, kind, config, dtype))
        return found

    def _part(
        self, name: str, start: str, dtype: torch.dtype, build: Build, renamed: Renamed
    ) -> Any:
        what = f"the {name} of {self._shown}"
        return filled(what, build, lambda n: renamed(n, read_tensors(self._header, start, dtype)))

    def config(self, name: str, file: str = "config.json") -> dict[str, Any]:
        """The config of a part. Raises `ModelError`."""
        if name == "vae" and "vae" not in self.contents.parts:
            raise ModelError(
                f"{self._shown} holds no autoencoder (VAE): name the file of one with `vae`"
            )
        if name != "scheduler":
            return dict(self._configs[name])
        found = dict(self._configs[name])
        found["prediction_type"] = self.prediction
        if self.contents.zero_snr:
            found |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
            found |= {"set_alpha_to_one": True}
        return found

    @property
    def prediction(self) -> Prediction:
        """What the network was taught to give.

        No header tells the two kinds of Stable Diffusion 2 apart, but one small tensor does, as in
        ComfyUI: where v was learned, a bias near the end spreads further.
        """
        if self.contents.prediction is not None:
            return self.contents.prediction
        name = f"{UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
        if self.contents.family != "sd2" or self.contents.channels != 4 or name not in self._header:
            return "epsilon"
        spread = float(read_tensors(self._header, name, torch.float32)[name].std(correction=0))
        return "v_prediction" if spread > _V_SPREAD else "epsilon"

    def tokenizers(self) -> list[Any]:
        """One, or the two of SDXL, which fill up differently."""
        from transformers import CLIPTokenizer

        first = "!" if self.contents.family == "sd2" else "<|endoftext|>"
        fillings = [first, "!"] if self.contents.family == "sdxl" else [first]
        return [
            CLIPTokenizer.from_pretrained(CONFIGS / "tokenizer", pad_token=filling)
            for filling in fillings
        ]

    @property
    def zero_empty(self) -> bool:
        """Whether an empty prompt is all zeros, as SDXL wants it."""
        return self.contents.family == "sdxl"

    def defaults(self) -> Defaults | None:
        """None of its own."""
        return None

    def vocabulary(self) -> Vocabulary | None:
        """None: it may know any word."""
        return None

    @property
    def _shown(self) -> str:
        return verbatim(str(self.folder))


def check_is_checkpoint(path: Path, contents: Contents) -> None:
    """Raises `ModelError` for a file that is something else, and says where that belongs."""
    if contents.kind == "checkpoint":
        return
    place = BELONGS.get(contents.kind, "give a Stable Diffusion 1, 2 or SDXL checkpoint")
    raise ModelError(f"`model` {verbatim(str(path))} is {contents.what}: {place}")
