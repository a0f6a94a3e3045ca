"""A checkpoint in a single safetensors file, as most are passed on: the layout of Stability AI's
own programs, with everything in it.

diffusers converts the names; its configs, which the file lacks, come with this package
(``configs/``), so nothing is fetched. A part is built without memory of its own, takes the file's
tensors, and must find every one that it needs: what is missing is never made up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError, verbatim
from ..files import reading_foreign
from ..prompts.vocabulary import Vocabulary
from .base import Defaults
from .fingerprint import FileFingerprint
from .header import read_header
from .recognise import UNET, VAE, Contents, Prediction, recognise

CONFIGS = Path(__file__).parent / "configs"
_SCALE = ".scale_weight"  # of a weight in float8, as ComfyUI stores it
_V_SPREAD = 0.09


class SingleFile:
    """A single file, opened: the same as `Checkpoint`, for whoever loads a model from it.

    Attributes:
        folder: The file.
        family: The pipeline that it is made for.
        fingerprint: Of the file.
        contents: What is in it.
    """

    def __init__(self, path: Path) -> None:
        """Reads the header.

        Raises:
            ModelError: It is damaged, or no checkpoint; says what it is.
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
        self._configs = json.loads((CONFIGS / f"{self.contents.family}.json").read_text("utf-8"))
        unet = self._configs["unet"]
        unet["in_channels"] = self.contents.channels
        if self.contents.family == "sd2" and self.prediction == "v_prediction":
            unet["sample_size"] = unet["sample_size"] * 3 // 2  # 768 px, where the other has 512

    def network(self, name: str, dtype: torch.dtype) -> Any:
        """``"unet"`` or ``"vae"``. Raises `ModelError`."""
        import diffusers
        from diffusers.loaders import single_file_utils as converters

        config = self._configs[name]
        if name == "unet":
            kind, convert = diffusers.UNet2DConditionModel, converters.convert_ldm_unet_checkpoint
        else:
            kind, convert = diffusers.AutoencoderKL, converters.convert_ldm_vae_checkpoint
            if "vae" not in self.contents.parts:
                raise ModelError(
                    f"{self._shown} holds no autoencoder (VAE): name the file of one with `vae`"
                )
        start = VAE
        if name == "unet":
            start = UNET if self._header.has(UNET) else ""

        def build() -> Any:
            return kind.from_config(config)

        def renamed(network: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            prefix = "" if start else UNET  # a network alone goes without
            return convert({prefix + key: value for key, value in tensors.items()}, config=config)

        return self._part(name, start, dtype, build, renamed)

    def text_encoders(self, dtype: torch.dtype) -> list[Any]:
        """One, or the two of SDXL. Raises `ModelError`."""
        import transformers

        kinds = [transformers.CLIPTextModel, transformers.CLIPTextModelWithProjection]
        names = [name for name in ("text_encoder", "text_encoder_2") if name in self._configs]
        return [
            self._text_encoder(name, kind, dtype) for name, kind in zip(names, kinds, strict=False)
        ]

    def _text_encoder(self, name: str, kind: Any, dtype: torch.dtype) -> Any:
        from diffusers.loaders import single_file_utils as converters
        from transformers import CLIPTextConfig

        start = self._text_start(name)
        config = CLIPTextConfig(**self._configs[name])

        def renamed(network: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            if start.endswith("model."):
                found = converters.convert_open_clip_checkpoint(network, tensors, prefix=start)
            else:
                found = converters.convert_ldm_clip_checkpoint(tensors, start)
            if hasattr(network, "text_model"):
                return found
            return {n.removeprefix("text_model."): t for n, t in found.items()}

        return self._part(name, start, dtype, lambda: kind(config), renamed)

    def _text_start(self, name: str) -> str:
        if name == "text_encoder_2":
            return "conditioner.embedders.1.model."
        rooms = ("cond_stage_model.", "conditioner.embedders.0.")
        places = [f"{room}{layout}" for room in rooms for layout in ("transformer.", "model.")]
        found = [place for place in places if self._header.has(place)]
        if not found:
            raise ModelError(f"the text encoder of {self._shown} is of a kind that is not known")
        return found[0]

    def _part(
        self,
        name: str,
        start: str,
        dtype: torch.dtype,
        build: Callable[[], Any],
        renamed: Callable[[Any, dict[str, Tensor]], dict[str, Tensor]],
    ) -> Any:
        with reading_foreign(lambda why: ModelError(f"the {name} of {self._shown}: {why}")):
            with torch.device("meta"):
                network = build()
            found = renamed(network, self._tensors(start, dtype))
            wanted = network.state_dict()
            found = {key: value for key, value in found.items() if key in wanted}
            self._check(name, wanted, found)
            network.load_state_dict(found, assign=True)
            _place_buffers(network)
        return network.eval().requires_grad_(False)

    def _check(self, name: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
        missing = sorted(wanted.keys() - found.keys())
        if missing:
            more = f" and {len(missing) - 1:,} others" if len(missing) > 1 else ""
            raise ModelError(
                f"the {name} of {self._shown} lacks {missing[0]}{more}: it is not whole"
            )
        for key, value in found.items():
            if value.shape != wanted[key].shape:
                raise ModelError(
                    f"the {name} of {self._shown} is of another build: {key} is "
                    f"{_times(value)}, not {_times(wanted[key])}"
                )

    def _tensors(self, start: str, dtype: torch.dtype) -> dict[str, Tensor]:
        """Those whose names start so, in a dtype, those in float8 times their scale."""
        from safetensors import safe_open

        found = {}
        with safe_open(self.folder, "pt") as file:
            for name in self._header.tensors:
                if not name.startswith(start) or name.endswith((_SCALE, ".scale_input")):
                    continue
                tensor = file.get_tensor(name)
                scale = name.removesuffix(".weight") + _SCALE
                if tensor.dtype.itemsize == 1 and tensor.is_floating_point():
                    tensor = tensor.float()
                    if scale in self._header:
                        tensor = tensor * file.get_tensor(scale).float()
                found[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        return found

    def config(self, name: str, file: str = "config.json") -> dict[str, Any]:
        """The config of a part. Raises `ModelError`."""
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
        spread = float(self._tensors(name, torch.float32)[name].std(correction=0))
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
    """Raises `ModelError` for a file that is something else, and says where that belongs; and for
    a network without a text encoder."""
    if contents.kind == "checkpoint":
        if "text encoder" not in contents.parts:
            raise ModelError(
                f"{verbatim(str(path))} holds a network without a text encoder: give a whole "
                "checkpoint"
            )
        return
    places = {"vae": "give it to `vae`", "upscaler": "give it to `upscaler`"}
    place = places.get(contents.kind, "give a Stable Diffusion 1, 2 or SDXL checkpoint")
    raise ModelError(f"`model` {verbatim(str(path))} is {contents.what}: {place}")


def _place_buffers(network: Any) -> None:
    """Positions, which no file holds, are counted anew where they were built without memory."""
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                if name != "position_ids":
                    raise ModelError(f"{name} of a text encoder is in no file")
                setattr(module, name, torch.arange(buffer.shape[-1]).expand(buffer.shape))


def _times(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
