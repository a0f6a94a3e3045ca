"""LoRAs and embeddings that pictures name, ours and other programs': by name, by hash, or said."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageChops, PngImagePlugin
from safetensors.torch import load_file, save_file

from digressions.distributed.remote_model import NamedHashes
from digressions.errors import ModelError
from digressions.events import Note
from digressions.generate.record_reading import record_of
from digressions.models import single_file
from digressions.models.base import Model
from digressions.models.fingerprint import blake3_hash, content_hash
from digressions.models.loading import load
from digressions.mosaics.build import build
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.prompts.foreign_syntax import from_a1111, with_loras
from digressions.worlds.cache import Cache
from digressions.worlds.opening import open_world, resolve_world
from digressions.worlds.world_spec import WorldSpec
from tests.original_layout import SIDE, configs, parts, save_single
from tests.test_foreign import GRAPH, INVOKE, LINE

__all__ = ["configs"]

Digress = Callable[..., Any]
LAYER = "lora_unet_conv_out"  # whose change shows in every picture


@pytest.fixture(scope="module")
def checkpoint(configs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "dream.safetensors"
    return save_single(path, parts(configs, "sd1"))


@pytest.fixture
def root(configs: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder with a checkpoint, two LoRAs and an embedding."""
    monkeypatch.setattr(single_file, "CONFIGS", configs)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DIGRESSIONS_MODELS", str(tmp_path / "m"))
    for name in ("checkpoints", "loras", "embeddings"):
        (tmp_path / "m/models" / name).mkdir(parents=True)
    (tmp_path / "m/models/checkpoints/dream.safetensors").symlink_to(checkpoint)
    lora(tmp_path / "m/models/loras/ink.safetensors", 1)
    lora(tmp_path / "m/models/loras/grain.safetensors", 2)
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(4))
    save_file({"emb_params": vectors}, tmp_path / "m/models/embeddings/bad.safetensors")
    return tmp_path / "m/models"


def lora(path: Path, seed: int) -> Path:
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(2, 32, 3, 3, generator=generator) * 0.2
    up = torch.randn(4, 2, 1, 1, generator=generator) * 0.2
    save_file({f"{LAYER}.lora_down.weight": down, f"{LAYER}.lora_up.weight": up}, path)
    return path


COMMON = ("--model", "dream", "--steps", 2, "--size", SIDE, "--seed", 1, "--guidance", 2)


def same(first: str, second: str) -> bool:
    return not ImageChops.difference(Image.open(first), Image.open(second)).getbbox()


def test_a_picture_remembers_the_hashes_of_its_loras(digress: Digress, root: Path) -> None:
    ran = digress("paint", "a frog <lora:ink:0.8>", *COMMON, "--lora", "grain", "-o", "a.png")
    assert ran.code == 0, ran.err
    text = Image.open("a.png").text
    files = {each["name"]: each for each in json.loads(text["digressions"])["files"]}
    ink, grain = root / "loras/ink.safetensors", root / "loras/grain.safetensors"
    assert files["ink"]["sha256"] == hashlib.sha256(ink.read_bytes()).hexdigest()
    assert files["ink"]["content_sha256"] == content_hash(ink)
    assert files[str(grain)]["content_sha256"] == content_hash(grain)
    model = root / "checkpoints/dream.safetensors"
    named = f"grain: {content_hash(grain)[:12]}, ink: {content_hash(ink)[:12]}"
    assert f'Lora hashes: "{named}"' in text["parameters"]
    short = hashlib.sha256(model.read_bytes()).hexdigest()[:10]
    assert f"Model hash: {short}" in text["parameters"]  # of its file, whatever is added to it


def test_the_content_of_a_lora_has_one_hash_whatever_its_description(tmp_path: Path) -> None:
    path = lora(tmp_path / "x.safetensors", 3)
    before, whole = content_hash(path), path.read_bytes()
    save_file(load_file(path), path, {"ss_output_name": "another"})
    assert path.read_bytes() != whole
    assert content_hash(path) == before
    start = 8 + int.from_bytes(whole[:8], "little")
    assert before == hashlib.sha256(whole[start:]).hexdigest()


@pytest.mark.parametrize(("way", "left"), [("prompt", "another file"), ("option", "nothing")])
def test_replay_finds_a_lora_by_its_hash(digress: Digress, root: Path, way: str, left: str) -> None:
    given = ("a frog <lora:ink:0.8>",) if way == "prompt" else ("a frog", "--lora", "ink:0.8")
    assert digress("paint", *given, *COMMON, "-o", "a.png").code == 0
    path = root / "loras/ink.safetensors"
    (root / "old").mkdir()
    path.rename(root / "old/renamed.safetensors")
    alike = root / "loras/a.safetensors"  # found first, and described otherwise
    save_file(load_file(root / "old/renamed.safetensors"), alike, {"ss_output_name": "a"})
    if left != "nothing":
        lora(path, 9)
    ran = digress("replay", "a.png", "-o", "b.png")
    assert ran.code == 0, ran.err
    assert same("a.png", "b.png")
    assert "other weights" not in ran.err
    assert "a.safetensors" not in ran.err
    (root / "old/renamed.safetensors").unlink()
    ran = digress("replay", "a.png", "-o", "d.png")
    assert ran.code == 0, ran.err
    assert same("a.png", "d.png")  # by its content
    alike.rename(root / "old/renamed.safetensors")
    again = digress("replay", "b.png", "-o", "c.png")
    assert again.code == 0, again.err
    assert same("a.png", "c.png")


def test_another_file_under_a_loras_name_is_said(digress: Digress, root: Path) -> None:
    assert digress("paint", "a frog <lora:ink:0.8>", *COMMON, "-o", "a.png").code == 0
    lora(root / "loras/ink.safetensors", 9)
    ran = digress("replay", "a.png", "-o", "b.png")
    assert ran.code == 0
    assert "the LoRA 'ink' is another file by now" in ran.err
    assert not same("a.png", "b.png")
    (root / "loras/ink.safetensors").unlink()
    ran = digress("replay", "a.png", "-o", "c.png")
    assert ran.code == 2
    assert "there is no LoRA 'ink' in" in ran.err
    assert len(ran.err.splitlines()) == 1


def foreign(path: str, **texts: str) -> str:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (SIDE, SIDE)).save(path, pnginfo=info)
    return path


SMALL = LINE.replace("512x768", f"{SIDE}x{SIDE}").replace("Steps: 20", "Steps: 2")


def test_the_loras_of_another_programs_picture_are_looked_for(digress: Digress, root: Path) -> None:
    """By name where no hash is said, by hash under any name, and left out in one line."""
    ink = content_hash(root / "loras/ink.safetensors")[:12]
    bad = hashlib.sha256((root / "embeddings/bad.safetensors").read_bytes()).hexdigest()[:12]
    hashes = f'Lora hashes: "their ink: {ink}, gone: 0123456789ab", TI hashes: "worse: {bad}"'
    prompt = "a frog <lora:their ink:0.8> <lora:grain:0.3> <lora:gone:1>\nNegative prompt: worse"
    foreign("theirs.png", parameters=f"{prompt}\n{SMALL}, {hashes}")
    ran = digress("replay", "theirs.png", "--model", "dream", "-o", "a.png")
    assert ran.code == 0, ran.err
    notes = " ".join(ran.err.split())
    assert "its LoRA 'their ink' is " in notes
    assert "its LoRA 'grain' is " in notes
    assert "the LoRA 'gone' (0123456789ab), which is not in" in notes
    assert "its embedding 'worse' is " in notes
    found = Image.open("a.png").text
    assert "gone" not in json.loads(found["digressions"])["params"]["prompt"]
    own = ("a frog <lora:ink:0.8> <lora:grain:0.3>", "--negative", "bad", "--model", "dream")
    own += ("--steps", 2, "--size", SIDE, "--seed", 1234, "--guidance", 6.5)
    ran = digress("paint", *own, "--sampler", "euler_ancestral", "-o", "ours.png")
    assert ran.code == 0, ran.err
    assert same("a.png", "ours.png")


def test_other_programs_name_loras_in_their_own_ways() -> None:
    graph = json.loads(json.dumps(GRAPH))
    inputs = {"lora_name": "style\\ink.safetensors", "strength_model": 0.7, "strength_clip": 1}
    graph["20"] = {"class_type": "LoraLoader", "inputs": inputs | {"model": ["4", 0]}}
    row = {"on": True, "lora": "grain.safetensors", "strength": 0.5}
    several = {"lora_1": row, "lora_2": row | {"on": False, "lora": "off.safetensors"}}
    graph["21"] = {"class_type": "Power Lora Loader (rgthree)", "inputs": several}
    graph["22"] = {"class_type": "LoraLoader", "inputs": {"lora_name": "None"}}
    graph["7"]["inputs"]["text"] = "blur, (embedding:bad.pt:1.2)"
    found = record_of({"prompt": json.dumps(graph)})
    assert found.params.prompt.endswith(" <lora:style/ink:0.7> <lora:grain:0.5>")
    assert [(each.kind, each.name) for each in found.files] == [
        ("lora", "style/ink"),
        ("lora", "grain"),
        ("embedding", "bad"),
    ]
    about = {"name": "ink", "hash": f"sha256:{'ab' * 32}", "type": "lora"}
    loras = [{"model": about, "weight": 0.6}, {"lora": {"model_name": "old"}, "weight": 1}]
    metadata = INVOKE | {"loras": loras, "negative_prompt": "<bad>, blur"}
    found = record_of({"invokeai_metadata": json.dumps(metadata)})
    assert found.params.prompt.endswith("<lora:ink:0.6> <lora:old:1>")
    assert found.files[0].sha256 == "ab" * 32
    assert found.params.negative == "embedding:bad, blur"


@pytest.mark.parametrize(
    ("typed", "strength"),
    [("0.5", 0.5), ("0.9:0.4", 0.4), ("te=0.9:unet=0.4", 0.4), ("", 1.0), ("x", 1.0), ("99", 10.0)],
)
def test_the_strength_of_the_network_counts(typed: str, strength: float) -> None:
    ((name, found),) = from_a1111(f"a frog <lora:ink:{typed}>").loras
    assert (name, found) == ("ink", strength)


def test_every_prompt_of_a_picture_names_its_loras() -> None:
    loras = from_a1111("<lyco:ink:0.5>").loras
    assert with_loras("a AND b :0.7", loras) == "a <lora:ink:0.5> AND b <lora:ink:0.5> :0.7"


def test_an_embedding_that_nobody_has_is_left_out_or_stays_a_word(
    digress: Digress, root: Path
) -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["3"]["inputs"]["steps"] = 1
    graph["5"]["inputs"] |= {"width": SIDE, "height": SIDE}
    graph["7"]["inputs"]["text"] = "blur, embedding:nowhere, grey"
    foreign("theirs.png", prompt=json.dumps(graph))
    ran = digress("replay", "theirs.png", "--model", "dream", "-o", "a.png")
    assert ran.code == 0, ran.err
    assert "embedding 'nowhere', which is not in" in ran.err
    assert json.loads(Image.open("a.png").text["digressions"])["params"]["negative"] == "blur, grey"
    foreign("b.png", parameters=f'a worse frog\n{SMALL}, TI hashes: "worse: 0123456789"')
    ran = digress("replay", "b.png", "--model", "dream", "-o", "c.png")
    assert "its name stays a word" in ran.err


def invoke(root: Path, path: str, algorithm: str = "blake3") -> str:
    """A picture of InvokeAI's that names its files as somebody has called them there."""
    of_lora, of_model = (
        f"{algorithm}:{blake3_hash(root / name)}"
        for name in ("loras/ink.safetensors", "checkpoints/dream.safetensors")
    )
    about = {"name": "my ink", "hash": of_lora, "type": "lora"}
    found = INVOKE | {"loras": [{"model": about, "weight": 0.8}], "width": SIDE, "height": SIDE}
    found |= {"model": {"name": "my dream", "hash": of_model}, "steps": 2}
    return foreign(path, invokeai_metadata=json.dumps(found))


def test_invokeais_files_are_found_by_their_hashes(digress: Digress, root: Path) -> None:
    source = invoke(root, "theirs.png")
    ran = digress("replay", source, "-o", "a.png")
    assert ran.code == 0, ran.err
    ink = root / "loras/ink.safetensors"
    assert f"its LoRA 'my ink' is {ink}" in ran.err
    written = json.loads(Image.open("a.png").text["digressions"])
    sha256 = hashlib.sha256(ink.read_bytes()).hexdigest()
    assert [each["sha256"] for each in written["files"] if each["kind"] == "lora"] == [sha256]
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    lora(ink, 9)
    ran = digress("replay", source, "-o", "c.png")
    assert ran.code == 0, ran.err
    hashed = json.loads(Image.open(source).text["invokeai_metadata"])["loras"][0]["model"]["hash"]
    shown = hashed.removeprefix("blake3:")[:12]
    assert f"the LoRA 'my ink' ({shown}), which is not in" in ran.err
    assert not same("a.png", "c.png")


def test_without_blake3_it_is_said_what_is_missing(
    digress: Digress, refused: Callable[..., str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = invoke(root, "theirs.png")
    (root / "loras/ink.safetensors").rename(root / "loras/my ink.safetensors")
    monkeypatch.setitem(sys.modules, "blake3", None)
    said = refused("replay", source, "-o", "a.png")
    assert "pip install 'digressions[invokeai]'" in said
    assert "or say which it is with --model" in said
    ran = digress("replay", source, "--model", "dream", "-o", "a.png")
    assert ran.code == 0, ran.err
    assert "looked for by name alone, not by hash: blake3 is not installed" in ran.err
    assert "its LoRA 'my ink' is " in ran.err


def test_hashes_of_other_kinds_find_nothing(
    digress: Digress, refused: Callable[..., str], root: Path
) -> None:
    said = refused("replay", invoke(root, "theirs.png", "md5"), "-o", "a.png")
    assert "names no model that is known here" in said


def test_a_damaged_file_of_another_programs_picture_is_said_to_be_damaged(
    digress: Digress, root: Path
) -> None:
    ink = root / "loras/ink.safetensors"
    ink.write_bytes(ink.read_bytes()[:-5])
    foreign("theirs.png", parameters=f"a frog <lora:ink:0.8>\n{SMALL}")
    ran = digress("replay", "theirs.png", "--model", "dream", "-o", "a.png")
    assert ran.code == 0, ran.err
    assert f"the LoRA 'ink', and {ink} is cut off: " in ran.err
    assert "it is left out" in ran.err


def test_a_mosaic_goes_on_only_with_the_same_lora(digress: Digress, root: Path) -> None:
    given = ("mosaic", "a frog <lora:ink:0.8>", "--model", "dream", "--grid", 2, "--steps", 1)
    given += ("--size", SIDE, "--seed", 1, "-o", "mo")
    assert digress(*given).code == 0
    job = json.loads(Path("mo/manifest.json").read_text())["job"]
    ink = root / "loras/ink.safetensors"
    assert job["lora ink"] == hashlib.sha256(ink.read_bytes()).hexdigest()
    lora(ink, 9)
    ran = digress(*given)
    assert ran.code == 2
    assert "its lora ink is" in ran.err


class Elsewhere:
    """An executor whose worker has files of its own."""

    workers = wanted = 1

    def __init__(self, model: Model) -> None:
        self._model = model

    def begin(self, setup: Any) -> None:
        setup(self._model)

    def map(self, setup: Any, batches: Any) -> Iterator[Any]:
        work = setup(self._model)
        yield from (work(batch) for batch in batches)

    def notes(self) -> list[Note]:
        return []


def test_workers_need_the_files_that_prompts_name(root: Path, tmp_path: Path) -> None:
    """The same model with another LoRA of the name, or a word that is an embedding on one machine
    alone, paints other pictures there."""
    shutil.copytree(root, tmp_path / "there", symlinks=True)
    here = load("dream", "cpu", models=root)
    asked = {"prompt": "a bad frog <lora:ink:0.8>", "negative": "worse", "grid": 2, "size": SIDE}
    asked |= {"steps": 1, "guidance": 1.0}
    world = resolve_world(here, WorldSpec.of(**asked))

    def refusals() -> set[str]:
        far, said = Elsewhere(load("dream", "cpu", models=tmp_path / "there")), set()
        with pytest.raises(ModelError) as caught:
            list(build(here, MosaicSpec.of(**asked), tmp_path / "o", executor=far))
        said.add(caught.value.message)
        with pytest.raises(ModelError) as caught, Cache(tmp_path / "w.sqlite") as cache:
            open_world(here, world, cache, executor=far)
        return said | {caught.value.message}

    same, bad = (
        "; put the same files on every machine",
        tmp_path / "there/embeddings/bad.safetensors",
    )
    bad.rename(bad.with_name("worse.safetensors"))
    missing = "the job needs the embedding bad, which is not on this machine"
    assert refusals() == {missing + same}
    shutil.copy(bad.with_name("worse.safetensors"), bad)
    unknown = "this machine has the embedding worse, which is not where the job began"
    assert refusals() == {unknown + same}
    bad.with_name("worse.safetensors").unlink()
    ink = lora(tmp_path / "there/loras/ink.safetensors", 9)
    theirs, ours = (
        hashlib.sha256(each.read_bytes()).hexdigest()[:12]
        for each in (ink, root / "loras/ink.safetensors")
    )
    differs = "the lora ink is different on this machine: its hash is "
    assert refusals() == {f"{differs}{theirs}, the job needs {ours}{same}"}
    lora(ink, 1)
    NamedHashes.of(here, *world.prompts).check(load("dream", "cpu", models=tmp_path / "there"))
