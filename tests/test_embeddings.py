"""Textual inversion embeddings: named in a prompt they are what diffusers makes of them, in the
form of A1111 and of ComfyUI; what names none stays a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image, ImageChops
from safetensors.torch import save_file
from torch import Tensor

from digressions.diffusion.condition import Text
from digressions.errors import ModelError, PromptError
from digressions.models.chunks import chunks_of
from digressions.models.embeddings import Embeddings
from digressions.models.header import read_header
from digressions.models.library import Library
from digressions.models.loading import load
from digressions.models.recognise import recognise
from digressions.prompts.parse import parse
from tests.original_layout import SIDE, configs, parts, save_folder, save_single, small

__all__ = ["configs", "small"]

VECTORS = 3


@pytest.fixture(autouse=True)
def cached_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folders(configs: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A checkpoint of a family in diffusers' layout."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family) / "sd"
            save_folder(made[family], parts(configs, family))
        return made[family]

    return folder


def drawn(*widths: int, count: int = VECTORS, seed: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, width, generator=generator) for width in widths]


def put(path: Path, **tensors: Tensor) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def encoded(model: Any, prompt: str) -> Text:
    return model.encode_text([parse(prompt).at(0, 1)[0].text], SIDE, SIDE)


PROMPTS = ("photo of a bad-hands frog", "bad-hands, a frog", "frog in a Bad-Hands")


def theirs(prompt: str, token: str = "bad-hands") -> str:
    """A prompt as diffusers reads it, which knows added tokens in their very spelling."""
    return prompt.replace("Bad-Hands", token)


def test_a_word_is_its_embedding_as_in_diffusers(
    folders: Callable[[str], Path], plain: Any, tmp_path: Path
) -> None:
    (vectors,) = drawn(32)
    pipe = StableDiffusionPipeline.from_pretrained(folders("sd1"))
    pipe.load_textual_inversion({"bad-hands": vectors}, token="bad-hands")
    wanted = [pipe.encode_prompt(theirs(prompt), "cpu", 1, False)[0] for prompt in PROMPTS]
    path = tmp_path / "models/embeddings/bad-hands.safetensors"
    for name in ("emb_params", "bad-hands", "clip_l"):
        put(path, **{name: vectors})
        plain.text_encoder.embeddings = Embeddings([32], Library(tmp_path))
        plain.text_encoder.forget()
        for prompt, tokens in zip(PROMPTS, wanted, strict=True):
            assert torch.allclose(encoded(plain, prompt).tokens, tokens, atol=1e-5), prompt
    plain.text_encoder.embeddings = Embeddings([32], None)
    plain.text_encoder.forget()
    for prompt, tokens in zip(PROMPTS, wanted, strict=True):
        assert not torch.allclose(encoded(plain, prompt).tokens, tokens, atol=1e-2), prompt


def test_both_text_encoders_of_sdxl_get_theirs(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    first, second = drawn(32, 48)
    put(tmp_path / "embeddings/bad-hands.safetensors", clip_l=first, clip_g=second)
    model = load(folders("sdxl"), "cpu", "float32", models=tmp_path)
    pipe = StableDiffusionXLPipeline.from_pretrained(folders("sdxl"))
    for vectors, tokenizer, encoder in (
        (first, pipe.tokenizer, pipe.text_encoder),
        (second, pipe.tokenizer_2, pipe.text_encoder_2),
    ):
        found = {"bad-hands": vectors}
        pipe.load_textual_inversion(
            found, token="bad-hands", text_encoder=encoder, tokenizer=tokenizer
        )
    for prompt in PROMPTS:
        tokens, _, pooled, _ = pipe.encode_prompt(theirs(prompt), device="cpu")
        found = encoded(model, prompt)
        assert torch.allclose(found.tokens, tokens, atol=1e-5), prompt
        assert torch.allclose(found.pooled, pooled, atol=1e-5), prompt


@pytest.fixture(scope="module")
def plain(folders: Callable[[str], Path]) -> Any:
    return load(folders("sd1"), "cpu", "float32")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some embeddings, and what is none."""
    root = tmp_path_factory.mktemp("named")
    put(root / "bad.safetensors", emb_params=drawn(32)[0])
    put(root / "style/bad_v1.3.safetensors", emb_params=drawn(32, count=70)[0])
    put(root / "wide.safetensors", emb_params=drawn(40)[0])
    put(root / "xl.safetensors", clip_l=drawn(32)[0], clip_g=drawn(48)[0])
    put(root / "frog.safetensors", **{"lora_unet_x.lora_up.weight": torch.zeros(2, 1)})
    return root


@pytest.fixture(scope="module")
def named(folders: Callable[[str], Path], place: Path) -> Any:
    """A model that knows them."""
    return load(folders("sd1"), "cpu", "float32", models=place)


def test_comfyuis_form_is_the_bare_word(named: Any) -> None:
    wanted = encoded(named, "a frog, bad, blur").tokens
    forms = ("embedding:bad", "Embedding:BAD", "embedding:bad.safetensors", "embedding: bad")
    for form in forms:
        assert torch.equal(encoded(named, f"a frog, {form}, blur").tokens, wanted), form
    deep = encoded(named, "embedding:style/bad_v1.3").tokens
    assert torch.equal(encoded(named, r"embedding:style\\bad_v1.3").tokens, deep)
    ends = encoded(named, "a frog. embedding:bad.").tokens
    assert torch.equal(ends, encoded(named, "a frog. bad.").tokens)


def test_only_a_whole_word_names_one(named: Any) -> None:
    places = named.text_encoder.embeddings.places
    assert [each.name for each in places("bad, very bad: (bad)")] == ["bad", "bad", "bad"]
    assert [each.name for each in places("bad_v1.3 and Bad.")] == ["bad_v1.3", "Bad"]
    for text in ("badly", "not-bad", "bad-ish", "bad_v1", "bad.v2", "a frog"):
        assert places(text) == [], text


def test_attention_counts_for_its_vectors(named: Any) -> None:
    embeddings, tokenizer = named.text_encoder.embeddings, named.text_encoder.tokenizers[0]
    prompt = parse("a frog (bad:1.5) blur").at(0, 1)[0].text
    (chunk,) = chunks_of(tokenizer, prompt, embeddings.finder(0))
    assert chunk.attention[:8] == [1, 1, 1, 1.5, 1.5, 1.5, 1, 1]
    assert list(chunk.vectors) == [3, 4, 5]


def test_its_vectors_stay_in_one_chunk(named: Any) -> None:
    embeddings, tokenizer = named.text_encoder.embeddings, named.text_encoder.tokenizers[0]
    before = "frog " * 10
    chunks = chunks_of(
        tokenizer, parse(f"{before} bad_v1.3").at(0, 1)[0].text, embeddings.finder(0)
    )
    assert [len(chunk.vectors) for chunk in chunks] == [0, 70]


def test_what_does_not_fit_is_one_line(named: Any, plain: Any) -> None:
    for word in ("wide", "xl"):
        assert torch.equal(encoded(named, f"a {word}").tokens, encoded(plain, f"a {word}").tokens)
    said = named.notes_on_words("a Wide frog", "blur, bad")
    assert len(said) == 2
    assert "'bad' is the embedding" in said[0]
    assert "'Wide' stays a word" in said[1]
    assert "vectors of 40 numbers, where the model takes 32" in said[1]
    for prompt, words in (
        ("embedding:wide", "vectors of 40 numbers, where the model takes 32"),
        ("embedding:xl", "vectors of 32 and 48 numbers, where the model takes 32"),
        ("embedding:frog", "is a LoRA: give it to lora"),
        ("embedding:bud", "did you mean 'bad'?"),
    ):
        with pytest.raises(PromptError) as caught:
            encoded(named, prompt)
        assert words in str(caught.value)
    with pytest.raises(PromptError, match="name the folder that it is in with models"):
        encoded(plain, "embedding:bad")


def test_a_damaged_one_is_said_to_be_damaged(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    path = put(tmp_path / "worse.safetensors", emb_params=drawn(32)[0])
    path.write_bytes(path.read_bytes()[:-5])
    model = load(folders("sd1"), "cpu", "float32", models=tmp_path)
    (said,) = model.notes_on_words("a frog", "blur, worse")
    assert said.startswith(f"'worse' stays a word: {path} is cut off: ")
    with pytest.raises(PromptError, match=r"the embedding .*worse.safetensors is cut off"):
        encoded(model, "embedding:worse")


def test_the_parameter_that_names_a_missing_one_is_the_one_that_is_wrong(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    import digressions as dg

    model, square = load(folders("sd1"), "cpu", "float32"), tmp_path / "me.png"
    Image.new("RGB", (SIDE, SIDE)).save(square)
    usual: dict[str, Any] = {"steps": 1, "size": SIDE}
    gone = "embedding:nowhere"

    def field(events: Any) -> str | None:
        with pytest.raises(PromptError, match="there is no embedding 'nowhere'") as caught:
            list(events())
        return caught.value.field

    assert field(lambda: dg.paint(model, gone, **usual)) == "prompt"
    assert field(lambda: dg.paint(model, "x", negative=gone, **usual)) == "negative"
    assert field(lambda: dg.ensemble(model, ["x", gone], **usual)) == "prompts"
    assert field(lambda: dg.ensemble(model, ["x", "y"], negative=gone, **usual)) == "negative"
    usual |= {"grid": 2, "output": tmp_path / "m"}
    for image in (None, square):
        own = usual | {"image": image}
        assert field(lambda own=own: dg.mosaic(model, gone, **own)) == "prompt"
        assert field(lambda own=own: dg.mosaic(model, "x", negative=gone, **own)) == "negative"
        for cells in ([gone], ["y", gone]):
            own |= {"cell_prompt": cells}
            assert field(lambda own=own: dg.mosaic(model, "x", **own)) == "cell_prompt"
    film = {"steps": 1, "size": SIDE, "grid": 2, "output": tmp_path / "f.gif"}
    film["cache"] = tmp_path / "cache.sqlite"
    asked = {"cell_prompt": ["y"], "deeper_prompt": [gone]}
    assert field(lambda: dg.film(model, "x", **film, **asked)) == "deeper_prompt"
    assert field(lambda: dg.film(model, "x", **film, cell_prompt=[gone])) == "cell_prompt"
    room = np.full((200, 240, 3), (150, 120, 90), np.uint8)
    room[40:160, 60:180] = 250
    frames = {"steps": 1, "output": tmp_path / "frame"}
    assert field(lambda: dg.fill_frames(model, room, gone, **frames)) == "prompts"
    assert field(lambda: dg.fill_frames(model, room, "x", negative=gone, **frames)) == "negative"
    long = dg.fill_frames(model, room, "x", refine=gone, refine_scale=1, **frames)
    assert field(lambda: long) == "refine"


def test_a_file_that_changes_is_noticed(named: Any, place: Path) -> None:
    before = named.identity("a frog", "blur, bad")
    assert before.keys() == {"model", "embedding bad"}
    assert named.hash_for("a frog") == named.hash != named.hash_for("a frog", "bad")
    named.check_unchanged()
    bad = place / "bad.safetensors"
    before = bad.read_bytes()
    put(bad, emb_params=drawn(32, seed=9)[0])
    with pytest.raises(ModelError, match="have changed"):
        named.check_unchanged()
    bad.write_bytes(before)
    named.check_unchanged()


@pytest.mark.parametrize(
    ("tensors", "what"),
    [
        ({"emb_params": (2, 768)}, "a Stable Diffusion 1 embedding"),
        ({"emb_params": (1024,)}, "a Stable Diffusion 2 embedding"),
        ({"<ink>": (4, 768)}, "a Stable Diffusion 1 embedding"),
        ({"clip_l": (2, 768)}, "a Stable Diffusion 1 embedding"),
        ({"clip_g": (2, 1280), "clip_l": (2, 768)}, "an SDXL embedding"),
        ({"emb_params": (2, 5)}, "an embedding"),
    ],
)
def test_a_header_tells_for_whom_it_is(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], what: str
) -> None:
    path = put(tmp_path / "x.safetensors", **{k: torch.zeros(v) for k, v in tensors.items()})
    found = recognise(read_header(path))
    assert (found.kind, found.what) == ("embedding", f"{what} (textual inversion)")


def test_a_picture_remembers_its_embeddings(
    configs: Path, digress: Callable[..., Any], tmp_path: Path
) -> None:
    import hashlib

    (tmp_path / "m/models/checkpoints").mkdir(parents=True)
    save_single(tmp_path / "m/models/checkpoints/dream.safetensors", parts(configs, "sd1"))
    path = put(tmp_path / "m/models/embeddings/bad.safetensors", emb_params=drawn(32)[0])
    common = ("--models", "m", "--model", "dream", "--steps", 1, "--size", SIDE, "--seed", 1)
    common += ("--guidance", 3)
    ran = digress("paint", "a frog", *common, "--negative", "blur, bad", "-o", "a.png")
    assert ran.code == 0, ran.err
    assert "'bad' is the embedding" in ran.err
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    text = Image.open("a.png").text
    assert f'TI hashes: "bad: {sha256[:12]}"' in text["parameters"]
    (found,) = [f for f in json.loads(text["digressions"])["files"] if f["kind"] == "embedding"]
    assert (found["name"], found["sha256"]) == ("bad", sha256)
    path.rename(tmp_path / "m/models/other.safetensors")
    put(path, emb_params=drawn(32, seed=8)[0])
    ran = digress("replay", "a.png", "-o", "b.png", "--models", "m")
    assert ran.code == 0, ran.err
    assert not ImageChops.difference(Image.open("a.png"), Image.open("b.png")).getbbox()
    path.unlink()
    (tmp_path / "m/models/other.safetensors").unlink()
    ran = digress("replay", "a.png", "-o", "c.png", "--models", "m")
    assert ran.code == 0
    assert "'bad' stays a word" in ran.err
