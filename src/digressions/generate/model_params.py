"""`ModelParams`: which model, what it is loaded with, and what it runs on. Needs no torch."""

from __future__ import annotations

from typing import Any, Literal

from .declare import Params, option
from .kinds import DeviceName, Named


class ModelAdditions(Params):
    """What a model is loaded with beside its own files, and its pictures depend on."""

    vae: Named | None = option(
        None,
        "File or folder of another autoencoder (VAE); a tiny one (TAESD) is faster and less fine.",
        group="Model",
        default_from="the model's own",
        form="path",
    )
    clip_skip: int | None = option(
        None,
        "Which layer of the text encoder counts: 1 is the last, as A1111 counts.",
        group="Model",
        default_from="1; 2 for Stable Diffusion 2 and SDXL",
        ge=1,
        le=32,
    )

    lora: list[Named] | None = option(
        None,
        "A LoRA file, as FILE or FILE:STRENGTH; several times for several.",
        group="Model",
        default_from="none",
        form="path",
    )

    text_encoder: list[Named] | None = option(
        None,
        "A file of a text encoder (CLIP), for a .safetensors model without one; twice for the two "
        "of SDXL.",
        group="Model",
        default_from="the model's own",
        form="path",
    )

    quantize: Literal["int8", "fp8", "nf4"] | None = option(
        None,
        "How the weights of the denoising network's attention blocks are stored: in half the "
        "memory (int8, fp8) or a quarter (nf4), for a little of the quality. SDXL gains most. "
        "Needs the extra named quantize.",
        group="Model",
        default_from="as `dtype`",
    )
    vae_tiles: Literal["on", "off"] | None = option(
        None,
        "Take pictures of more than 512 px a side through the autoencoder in tiles, which saves "
        "memory.",
        group="Model",
        default_from="in larger tiles, for pictures of more than 1536 x 1536 px",
    )

    def given(self) -> dict[str, Any]:
        """What is not up to the model, by the names of `models.loading.load`."""
        return {name: value for name, value in self.json_object().items() if value is not None}

    def loras(self) -> list[tuple[str, str]]:
        """File and strength of each LoRA, as text."""
        pairs = [each.rpartition(":") for each in self.lora or ()]
        return [(path, strength) if colon else (strength, "1") for path, colon, strength in pairs]


class RememberedFile(Params):
    """A single file that a picture was painted with, as the picture remembers it.

    Attributes:
        kind: ``"checkpoint"``, ``"lora"`` or ``"embedding"``.
        name: As it was asked for: a path, or the name in a prompt.
        sha256: Of the file, or how it begins; empty where another program does not say.
        content_sha256: Of a LoRA, without its header (see `fingerprint.content_hash`).
        blake3: Of the file, where InvokeAI says it.
    """

    kind: str
    name: str
    sha256: str = ""
    content_sha256: str = ""
    blake3: str = ""


class ModelParams(ModelAdditions):
    """The model, and what it runs on."""

    model: Named = option(
        "bundled",
        "'bundled', a .safetensors file (Stable Diffusion 1, 2 or SDXL), a folder in diffusers "
        "layout, or a hub id.",
        group="Model",
    )
    models: Named | None = option(
        None,
        "Folder of models, of ComfyUI, A1111, Forge, StabilityMatrix or any other: what is given "
        "by name is looked for there.",
        group="Model",
        default_from="DIGRESSIONS_MODELS of the environment, if set",
        form="path",
    )
    device: DeviceName | None = option(
        None, "cuda, mps or cpu.", group="Model", default_from="the best there is"
    )
    dtype: Literal["float32", "float16", "bfloat16"] | None = option(
        None,
        "The precision that the networks compute in.",
        group="Model",
        default_from="float16 on a GPU, bfloat16 on a CPU with units for it, else float32",
    )
    compile: bool = option(
        False,
        "Compile the networks with torch.compile: minutes at first, then a little faster; on a CPU "
        "it pays off after some 17,000 pictures of the bundled model.",
        group="Model",
    )
    openvino: bool = option(
        False,
        "Let OpenVINO run the networks that it is faster at, on a CPU.",
        group="Model",
    )
    offload: bool = option(
        False,
        "Keep only the network that is at work on the device, and the others in main memory: for "
        "small cards. The pictures are the same.",
        group="Model",
    )

    def arguments(self) -> dict[str, Any]:
        """What `models.loading.load` takes."""
        values = self.json_object()
        return {"name": values.pop("model")} | values
