"""Networks that leave the device, large pictures in tiles, weights of fewer bits: what they save,
and what they do to pictures."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from digressions.diffusion.condition import Condition
from digressions.distributed import remote_model
from digressions.distributed.cluster import ClusterParams
from digressions.errors import InputError, MissingExtraError
from digressions.generate.paint import painter_of
from digressions.generate.record_reading import record_of
from digressions.images.image_files import read_image, read_text
from digressions.models import placement, quantize
from digressions.models.autoencoder_tiles import LARGE, SIDE, SMALL_SIDE, in_tiles, side_for, starts
from digressions.models.loading import load
from digressions.models.placement import Placement
from digressions.models.quantize import KINDS
from digressions.models.stable_diffusion import StableDiffusion

from .checkpoints import build
from .conftest import Ran
from .jobs import job

DOCS = Path(__file__).parents[1] / "docs"
CPU = torch.device("cpu")
KIND_NAMES = sorted(KINDS)
LIBRARIES = {"int8": "torchao", "fp8": "torchao", "nf4": "bitsandbytes"}

# --- offload ---------------------------------------------------------------------------------

NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")


class Yard:
    """Takes note of which networks of a model are on the device, as they are sent there or home,
    and of those that are there while each of them works."""

    def __init__(self, model: Any) -> None:
        texts = model.text_encoder.encoders
        found = [model.unet, model.autoencoder.vae, *texts]
        self.names = dict(zip(map(id, found), NETWORKS, strict=False))
        self.there: set[str] = set()
        self.seen: list[tuple[str, frozenset[str]]] = []
        unet = model.unet
        self._watch(unet, "forward", "unet")
        for half in (model.autoencoder.vae.encoder, model.autoencoder.vae.decoder):
            self._watch(half, "forward", "vae")
        for encoder in texts:
            self._watch(encoder, "forward", self.names[id(encoder)])

    def _watch(self, network: Any, method: str, name: str) -> None:
        work = getattr(network, method)

        def watched(*given: Any, **named: Any) -> Any:
            self.seen.append((name, frozenset(self.there)))
            return work(*given, **named)

        setattr(network, method, watched)

    def move(self, network: Any, device: torch.device) -> None:
        (self.there.discard if device == "home" else self.there.add)(self.names[id(network)])


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Yard]:
    """Watches a model's networks where the device and main memory are the same: nothing moves."""

    def watching(model: Any) -> Yard:
        made = Yard(model)
        monkeypatch.setattr(placement, "HOME", "home")
        monkeypatch.setattr(placement, "_move", made.move)
        return made

    return watching


def jobs(count: int = 2, **changes: Any) -> list[Any]:
    start = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(2))
    usual = {"size": 64, "steps": 3, "guidance": 3.0, "image": start, "strength": 0.8}
    return [job("photo of a frog", seed=seed, **usual | changes) for seed in range(count)]


@pytest.mark.parametrize("family", ["sd-kl", "sdxl", "inpainting"])
def test_only_the_network_at_work_is_on_the_device(
    tmp_path: Path, yard: Callable[[Any], Yard], family: str
) -> None:
    model = load(str(build(tmp_path, family)), "cpu", "float32", offload=True)
    seen = yard(model)
    mask = {"mask": torch.ones(1, 64, 64)} if family == "inpainting" else {}
    painter_of(model)(jobs(**mask))
    texts = {"text_encoder", "text_encoder_2"} if family == "sdxl" else {"text_encoder"}
    rooms = {"unet": {"unet"}, "vae": {"vae"}} | dict.fromkeys(texts, texts)
    assert {name for name, _ in seen.seen} == rooms.keys()
    assert [there for name, there in seen.seen] == [rooms[name] for name, _ in seen.seen]


def test_the_denoising_network_stays_from_step_to_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(str(build(tmp_path, "sd")), "cpu", "float32", offload=True)
    moves: list[Any] = []
    monkeypatch.setattr(placement, "_move", lambda network, _: moves.append(network))
    painter_of(model)(jobs())
    assert sum(network is model.unet for network in moves) == 2


def test_without_offload_nothing_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(str(build(tmp_path, "sd")), "cpu", "float32")
    monkeypatch.setattr(placement, "_move", lambda *_: pytest.fail("moved"))
    painter_of(model)(jobs())


@pytest.mark.parametrize("family", ["sd", "sdxl", "inpainting"])
def test_offloading_changes_no_bit(tmp_path: Path, family: str) -> None:
    folder = str(build(tmp_path, family))
    mask = {"mask": torch.ones(1, 64, 64)} if family == "inpainting" else {}
    plain, small = (load(folder, "cpu", "float32", offload=each) for each in (False, True))
    assert torch.equal(painter_of(plain)(jobs(**mask)), painter_of(small)(jobs(**mask)))
    assert plain.hash == small.hash


def test_the_networks_of_a_model_are_loaded_where_they_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device without memory nothing could be loaded: with offloading all of it can."""
    monkeypatch.setattr("digressions.models.loading.device_for", lambda _: torch.device("meta"))
    model: Any = load(str(build(tmp_path, "sd")), "meta", "float32", offload=True)
    parts = [model.unet, model.autoencoder.vae, *model.text_encoder.encoders]
    assert {p.device for part in parts for p in part.parameters()} == {CPU}


def test_weights_really_move_and_come_home_again_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In float64 on one device, since there is no other here: what moves is told by its dtype."""

    class Network(torch.nn.Linear):
        def to(self, where: Any) -> Any:
            if where == "full":
                super().to(torch.float64)
                raise RuntimeError("out of memory")
            return super().to(torch.float64 if where == "card" else torch.float32)

    monkeypatch.setattr(placement, "HOME", "home")
    monkeypatch.setattr(placement, "release_memory", lambda _: None)
    here: Any = Placement("card", offload=True)  # type: ignore[arg-type]
    one, other = Network(2, 2), Network(2, 2)
    with torch.inference_mode(), here.using(one):
        assert one.weight.dtype == torch.float64
    with here.using(other):
        assert (one.weight.dtype, other.weight.dtype) == (torch.float32, torch.float64)
    here.device = "full"
    with pytest.raises(RuntimeError), here.using(one):
        pass
    here.device = "card"
    with here.using(other):
        assert (one.weight.dtype, other.weight.dtype) == (torch.float32, torch.float64)


def test_two_threads_take_turns_on_the_device() -> None:
    here, log = Placement(CPU, offload=True), list[str]()
    networks = {name: torch.nn.Linear(2, 2) for name in "ab"}
    entered = threading.Event()

    def work(name: str) -> None:
        with here.using(networks[name]):
            log.append(name)
            entered.set()
            threading.Event().wait(0.05)
            log.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "".join(log) in ("aabb", "bbaa")


def test_on_a_cpu_a_note_says_that_it_does_nothing(digress: Callable[..., Ran]) -> None:
    ran = digress("paint", "photo of a frog", "--steps", "1", "--seed", "1", "--offload")
    assert ran.code == 0
    assert "--offload does nothing on a CPU" in ran.err


def test_a_replay_may_offload_too(digress: Callable[..., Ran]) -> None:
    quick = ("--steps", "1", "--seed", "1", "--size", "64", "--enlarge", "1")
    assert digress("paint", "photo of a frog", *quick, "-o", "a.png").code == 0
    assert digress("replay", "a.png", "--offload", "-o", "b.png").code == 0
    assert (read_image("a.png") == read_image("b.png")).all()


def test_workers_offload_as_this_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(str(build(tmp_path, "sd")), "cpu", "float32", offload=True)
    sources = []

    @contextmanager
    def started(source: Any, **_: Any) -> Iterator[None]:
        sources.append(source)
        yield None

    monkeypatch.setattr(remote_model, "RayExecutor", started)
    with remote_model.open_executor(ClusterParams(executor="ray"), model):
        assert sources[0].params.offload


# --- tiles -----------------------------------------------------------------------------------


def test_which_pictures_go_in_tiles() -> None:
    side, ways = int(LARGE**0.5), (None, "on", "off")
    assert [side_for(side, side, each) for each in ways] == [None, SMALL_SIDE, None]
    assert [side_for(side + 8, side, each) for each in ways] == [SIDE, SMALL_SIDE, None]
    assert side_for(SMALL_SIDE, SMALL_SIDE, "on") is None


@pytest.mark.parametrize("length", [1, 63, 64, 65, 100, 112, 113, 1000])
def test_tiles_cover_a_length_and_overlap(length: int) -> None:
    found = starts(length, 64, 16)
    assert found[0] == 0
    assert found[-1] == max(0, length - 64)
    assert all(0 < b - a <= 48 for a, b in itertools.pairwise(found))


def test_what_sees_no_neighbours_is_the_same_in_tiles() -> None:
    """So nothing is lost, doubled or shifted, at any size, up and down."""
    values = torch.rand(2, 3, 150, 70, generator=torch.Generator().manual_seed(1)).double()
    seen: list[int] = []

    def enlarged(part: torch.Tensor) -> torch.Tensor:
        seen.append(max(part.shape[-2:]))
        return part.repeat_interleave(8, -1).repeat_interleave(8, -2)

    large = in_tiles(enlarged, values, 1, 8, 64)
    assert torch.allclose(large, values.repeat_interleave(8, -1).repeat_interleave(8, -2))
    assert max(seen) == 64
    pooled = in_tiles(lambda part: torch.nn.functional.avg_pool2d(part, 8), large, 8, 1, 64)
    assert torch.allclose(pooled, values)


def test_tiles_fade_over() -> None:
    """Where every tile has a level of its own, no step between neighbours is left."""
    levels = iter([0.0, 1.0, 2.0])
    latents = torch.zeros(1, 1, 64, 160)
    flat = in_tiles(lambda part: torch.full_like(part, next(levels)), latents, 1, 1, 64)
    steps = flat[0, 0].diff(dim=-1).abs()
    assert float(flat.max()) == pytest.approx(2, abs=0.01)
    assert float(steps.max()) < 0.13  # of 1: over 8 of the 16 latents that they have in common


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """704 x 256 px of the page's picture of an astronaut: ``(1, 3, H, W)``."""
    pixels = read_image(DOCS / "images" / "portrait.jpg")[:, :512]
    small = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
    return torch.nn.functional.interpolate(small, (704, 256), mode="bilinear")


def test_the_bundled_autoencoder_is_the_same_in_tiles_to_a_fifth_of_a_grey_level(
    bundled: Any, portrait: torch.Tensor
) -> None:
    tiled: Any = load("bundled", "cpu", "float32", vae_tiles="on")
    latents = bundled.encode(portrait)
    error = (tiled.encode(portrait) - latents).abs().max() / latents.std()
    assert 0 < float(error) < 0.01
    error = (tiled.decode(latents) - bundled.decode(latents)).abs().max() * 255
    assert 0 < float(error) < 0.2


def test_an_autoencoder_with_norms_is_nearer_to_the_whole_than_in_diffusers_tiles(
    tmp_path: Path, portrait: torch.Tensor
) -> None:
    """Its norms and attention look at a tile, not at the picture: with random weights that is much
    of what there is to see, and a third more in diffusers' tiles of the same size."""
    folder = str(build(tmp_path, "sd-kl"))
    plain, tiled = (load(folder, "cpu", "float32", vae_tiles=each) for each in ("off", "on"))
    assert isinstance(plain, StableDiffusion)
    vae = plain.autoencoder.vae
    vae.tile_sample_min_size, vae.tile_latent_min_size = SMALL_SIDE, SMALL_SIDE // 8
    latents = plain.encode(portrait)
    picture = plain.decode(latents)
    theirs = (vae.tiled_decode(latents / 0.18215).sample / 2 + 0.5).clamp(0, 1)
    errors = [(each - picture).std() / picture.std() for each in (tiled.decode(latents), theirs)]
    assert errors[0] < 0.8 * errors[1]


def test_tiles_are_remembered_and_change_the_hash(digress: Callable[..., Ran]) -> None:
    quick = ("--steps", "1", "--seed", "1", "--size", "64", "--enlarge", "1")
    assert digress("paint", "photo of a frog", *quick, "-o", "a.png").code == 0
    ran = digress("paint", "photo of a frog", *quick, "--vae-tiles", "on", "-o", "b.png")
    assert ran.code == 0
    assert "--vae-tiles does nothing for pictures of at most 512 px" in ran.err
    plain, tiled = (record_of(read_text(name)) for name in ("a.png", "b.png"))
    assert (plain.additions.vae_tiles, tiled.additions.vae_tiles) == (None, "on")
    assert plain.model_hash != tiled.model_hash
    assert digress("replay", "b.png", "-o", "c.png").code == 0
    assert record_of(read_text("c.png")) == tiled


def test_a_word_that_is_no_choice_is_refused_in_python_too() -> None:
    with pytest.raises(InputError, match="vae_tiles 'yes' is not known: choose one of on, off"):
        load("bundled", "cpu", "float32", vae_tiles="yes")


# --- quantize --------------------------------------------------------------------------------


@pytest.fixture(params=KIND_NAMES)
def kind(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(LIBRARIES[request.param])
    return request.param


def test_pictures_of_quantized_networks_are_near_and_those_of_offloaded_ones_the_same(
    tmp_path: Path, kind: str
) -> None:
    folder = str(build(tmp_path, "sdxl"))
    plain, small, away = (
        painter_of(load(folder, "cpu", "float32", **given))(jobs())
        for given in ({}, {"quantize": kind}, {"quantize": kind, "offload": True})
    )
    assert torch.equal(small, away)
    assert 0 < float((small - plain).abs().max()) < 0.2


def test_attention_blocks_take_half_or_a_quarter_and_convolutions_stay(kind: str) -> None:
    plain, small = (load("bundled", "cpu", "float32", **q) for q in ({}, {"quantize": kind}))
    before, after = (held(model.unet) for model in (plain, small))
    layers = [
        module.weight.numel()
        for name, module in plain.unet.named_modules()
        if isinstance(module, torch.nn.Linear) and "attentions." in name
    ]
    saved = (before - after) / (4 * sum(layers))  # of float32
    wanted = {"int8": 3 / 4, "fp8": 3 / 4, "nf4": 7 / 8}[kind]
    assert saved == pytest.approx(wanted, abs=0.02)


def held(network: torch.nn.Module) -> int:
    """Bytes of a network's weights, however they are stored."""
    total = 0
    for value in (*network.parameters(), *network.buffers()):
        inner = getattr(value, "__tensor_flatten__", None)
        parts = [value] if inner is None else [getattr(value, name) for name in inner()[0]]
        if (state := getattr(value, "quant_state", None)) is not None:
            parts += [state.absmax, state.state2.absmax]
        total += sum(part.nbytes for part in parts)
    return total


def test_what_is_quantized_is_remembered_and_replayed(
    digress: Callable[..., Ran], kind: str
) -> None:
    quick = ("--steps", "2", "--seed", "1", "--size", "64", "--enlarge", "1")
    assert digress("paint", "photo of a frog", *quick, "-o", "a.png").code == 0
    given = ("--quantize", kind, "--offload", "-o", "b.png")
    assert digress("paint", "photo of a frog", *quick, *given).code == 0
    plain, small = (record_of(read_text(name)) for name in ("a.png", "b.png"))
    assert small.additions.given() == {"quantize": kind}
    assert plain.model_hash != small.model_hash
    assert digress("replay", "b.png", "-o", "c.png").code == 0
    assert record_of(read_text("c.png")) == small
    assert (read_image("b.png") == read_image("c.png")).all()
    assert (read_image("b.png") != read_image("a.png")).any()


def test_a_lora_is_fused_before_and_refused_in_a_prompt(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    folder = str(build(tmp_path / "model", "sd"))
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    generator = torch.Generator().manual_seed(1)
    change = torch.randn(64, 64, generator=generator)
    path = tmp_path / "much.safetensors"
    save_file({f"{layer}.lora_up.weight": change, f"{layer}.lora_down.weight": torch.eye(64)}, path)
    small = load(folder, "cpu", "float32", quantize=kind)
    changed: Any = load(folder, "cpu", "float32", quantize=kind, lora=[str(path)])
    one, other = (painter_of(model)(jobs()) for model in (small, changed))
    assert not torch.equal(one, other)
    with pytest.raises(InputError, match="a LoRA in a prompt does not go with quantize: use lora"):
        painter_of(small)([job(f"a frog <lora:{path}:1>", size=64)])


@pytest.mark.parametrize("name", KIND_NAMES)
def test_without_its_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module in [each for each in sys.modules if each.startswith(LIBRARIES[name])]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)
    monkeypatch.setattr("digressions.models.loading.FAMILIES", {})
    monkeypatch.setattr(
        "digressions.models.loading.load_stable_diffusion", lambda *_, **__: pytest.fail("too late")
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'digressions\[quantize\]'"):
        load("bundled", "cpu", "float32", quantize=name)


@pytest.mark.parametrize("name", KIND_NAMES)
def test_what_a_device_cannot_do_is_one_line_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def unable() -> Any:
        def quantized(*_: Any) -> Any:
            raise TypeError("Trying to convert Float8_e4m3fn to the MPS backend\nbut it has none")

        return quantized

    monkeypatch.setitem(quantize.KINDS, name, unable)
    monkeypatch.setattr(
        "digressions.models.loading.load_stable_diffusion", lambda *_, **__: pytest.fail("too late")
    )
    wanted = rf"quantize {name} does not work on cpu \(Trying .* none\): choose another"
    with pytest.raises(InputError, match=wanted):
        load("bundled", "cpu", "float32", quantize=name)


def test_other_words_and_openvino_beside_it_are_refused(refused: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="'int4' is not known: choose one of int8, fp8, nf4"):
        load("bundled", "cpu", "float32", quantize="int4")
    assert "int8, fp8, nf4" in refused("paint", "a frog", "--quantize", "int4")
    both = refused("paint", "a frog", "--quantize", "int8", "--openvino")
    assert both == "digress: --quantize and --openvino both change the network: choose one"


def test_a_start_without_it_imports_none_of_its_libraries_and_says_nothing() -> None:
    """diffusers and transformers would: seconds, and lines on the terminal."""
    program = (
        "import sys\nfrom digressions.models.quantize import import_networks\n"
        "import_networks()\nfrom diffusers import UNet2DConditionModel\n"
        "print([n for n in ('torchao', 'bitsandbytes') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


# --- attention -------------------------------------------------------------------------------


class Largest(TorchDispatchMode):
    """The largest tensor that any operation gives, in values."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for each in found if isinstance(found, (tuple, list)) else [found]:
            if isinstance(each, torch.Tensor):
                self.values = max(self.values, each.numel())
        return found


@pytest.mark.parametrize("family", ["sd-kl", "sdxl"])
def test_attention_never_holds_the_matrix_of_all_pairs(tmp_path: Path, family: str) -> None:
    """So there is nothing to slice: torch's `scaled_dot_product_attention` does it in blocks."""
    model: Any = load(str(build(tmp_path, family)), "cpu", "float32")
    text = model.encode_text(["a frog"], 512, 512)
    x = torch.zeros(1, 4, 64, 64)
    condition = Condition(text, torch.ones(1))
    with torch.inference_mode(), Largest() as seen:
        model.network(x, torch.tensor([500.0]), condition)
    pairs = (32 * 32) ** 2  # of the latents that attention looks at, at half the side
    assert 0 < seen.values < pairs
