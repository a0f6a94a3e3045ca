"""A model by name, brought from its files to a device."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from ..device import device_for
from ..errors import InputError, errors_about, verbatim
from ..files import at_home
from .base import Model
from .checkpoint import BUNDLED, Checkpoint, may_be_hub_id
from .library import CHECKPOINTS, TEXT_ENCODERS, VAES, Library, NamedFiles, check_found, located
from .lora import Lora
from .openvino_networks import check_openvino
from .quantize import check_quantize, import_networks
from .recognise import Kind
from .runtime import check_compiler, dtype_for
from .single_file import SingleFile
from .stable_diffusion import load_stable_diffusion


class Loader(Protocol):
    """What a family has to bring an opened checkpoint to a device; see `load`."""

    def __call__(
        self,
        checkpoint: Checkpoint | SingleFile,
        name: str,
        device: torch.device,
        dtype: torch.dtype,
        *,
        compile: bool,
        vae: Path | None,
        clip_skip: int | None,
        loras: Sequence[Lora],
        text_encoders: Sequence[Path],
        library: Library | None,
        named: NamedFiles | None,
        openvino: bool,
        offload: bool,
        quantize: str | None,
        vae_tiles: str | None,
    ) -> Model: ...


FAMILIES: dict[str, Loader] = dict.fromkeys(
    (
        "StableDiffusionPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusionXLInpaintPipeline",
        "LatentConsistencyModelPipeline",
    ),
    load_stable_diffusion,
)
"""The loader of each pipeline that an index may name (``_class_name`` of ``model_index.json``)."""


def open_checkpoint(name: str, text_encoders: Sequence[Path] = ()) -> Checkpoint | SingleFile:
    """The bundled model, a folder, a hub id (which is fetched), or a .safetensors file, opened.

    Args:
        text_encoders: Files of text encoders, for a .safetensors file.

    Raises:
        ModelError: There is no such checkpoint, or a text encoder is missing.
        InputError: It is no single file, and text encoders are given.
    """
    path = at_home(name)
    if name != BUNDLED and path.suffix.lower() == ".safetensors" and path.is_file():
        return SingleFile(path, text_encoders)
    if text_encoders:
        raise InputError(
            f"`text_encoder` is for a .safetensors model without one, and {verbatim(repr(name))} "
            "is none: leave it out"
        )
    return Checkpoint(name)


def located_model(name: str, library: Library | None) -> str:
    """The path of a model that is looked for by name; see `library.located`.

    Raises:
        InputError: There are several of the name.
        ModelError: A model folder has no model of the name, and it can be nothing else.
    """
    if name == BUNDLED:
        return name
    with errors_about("model"):
        found = located(name, CHECKPOINTS, library)
    if library is not None and not may_be_hub_id(found):
        check_found("model", found, CHECKPOINTS, library)
    return found


def load(
    name: str | Path = BUNDLED,
    device: str | None = None,
    dtype: str | None = None,
    *,
    compile: bool = False,
    vae: str | Path | None = None,
    clip_skip: int | None = None,
    lora: Sequence[str] | None = None,
    text_encoder: Sequence[str | Path] | None = None,
    models: str | Path | None = None,
    named: NamedFiles | None = None,
    openvino: bool = False,
    offload: bool = False,
    quantize: str | None = None,
    vae_tiles: str | None = None,
) -> Model:
    """Loads a model.

    Args:
        name: ``"bundled"``, a .safetensors file in the original layout (Stable Diffusion 1 and 2,
            SDXL), a folder in diffusers layout, or a hub id such as ``"owner/model"`` (fetched once
            into the hub's cache; the only case that may use the network).
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; ``None`` takes the first there is.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``; ``None`` as `runtime.dtype_for`.
        compile: Has torch.compile work on the networks: minutes at the start, then faster.
        vae: File or folder of an autoencoder to use in place of the model's own, of full size or
            tiny (TAESD).
        clip_skip: Which layer of the text encoder counts, 1 for the last (A1111's counting);
            ``None`` for the one that the family was trained with.
        lora: LoRA files, each ``"FILE"`` or ``"FILE:STRENGTH"``, added up.
        text_encoder: Files of text encoders for a single file that lacks them, or in place of its
            own: one, or the two of SDXL.
        models: A folder in which names are looked for that are no paths (see `library`); ``None``
            for the one in the environment's ``DIGRESSIONS_MODELS``, if any.
        named: What names in prompts stand for, whatever there is in that folder.
        openvino: Has OpenVINO run those networks that it is faster with, on a CPU.
        offload: Keeps a network on the device only while it works, and the others in main memory;
            pictures are the same. On a CPU, whose memory is the main one, it changes nothing.
        quantize: ``"int8"``, ``"fp8"`` or ``"nf4"`` for how the weights of the denoising network's
            attention blocks are stored; ``None`` for the dtype.
        vae_tiles: ``"on"`` has the autoencoder take pictures of more than 512 px in tiles of 512
            px, ``"off"`` takes all as a whole; ``None`` takes tiles of 1024 px for pictures of more
            than 1536 x 1536 px.

    Raises:
        ModelError: No such model, a part of the checkpoint is missing or of an unknown kind, its
            weights are pickles, or it cannot be fetched.
        InputError: No such device, dtype or way to quantize or none that works there, no compiler,
            or no CPU for OpenVINO.
        MissingExtraError: OpenVINO, or the library that quantizes, is not installed.
    """
    library = Library.of(models)
    name = located_model(str(name), library)
    loras = [Lora.parse(each).located(library) for each in lora or ()]
    vae = None if vae is None else _found("vae", vae, VAES, library)
    text_encoders = [
        _found("text_encoder", each, TEXT_ENCODERS, library) for each in text_encoder or ()
    ]
    checkpoint = open_checkpoint(name, text_encoders)
    where = device_for(device)
    kind = dtype_for(dtype, where)
    if compile and openvino:
        raise InputError("`compile` and `openvino` both run the networks: choose one")
    if quantize is not None and openvino:
        raise InputError("`quantize` and `openvino` both change the network: choose one")
    if vae_tiles not in (None, "on", "off"):
        raise InputError(f"`vae_tiles` {vae_tiles!r:.40} is not known: choose one of on, off")
    import_networks()
    if compile:
        check_compiler(where)
    if openvino:
        check_openvino(where)
    if quantize is not None:
        check_quantize(quantize, where, kind)
    # Any other pipeline may still be one with a unet; its loader says what it lacks.
    model = FAMILIES.get(checkpoint.family, load_stable_diffusion)(
        checkpoint,
        name,
        where,
        kind,
        compile=compile,
        vae=vae,
        clip_skip=clip_skip,
        loras=loras,
        text_encoders=text_encoders,
        library=library,
        named=named,
        openvino=openvino,
        offload=offload,
        quantize=quantize,
        vae_tiles=vae_tiles,
    )
    added: dict[str, Any] = {
        "vae": None if vae is None else str(vae),
        "clip_skip": clip_skip,
        "lora": [str(each) for each in loras] or None,
        "text_encoder": [str(each) for each in text_encoders] or None,
        "quantize": quantize,
        "vae_tiles": vae_tiles,
    }
    model.additions = {name: value for name, value in added.items() if value is not None}
    return model


def _found(field: str, name: str | Path, kinds: Collection[Kind], library: Library | None) -> Path:
    """The whole path of what is given for a parameter. Raises as `check_found` and `located`."""
    with errors_about(field):
        found = located(str(name), kinds, library)
    check_found(field, found, kinds, library)
    return at_home(found).absolute()
