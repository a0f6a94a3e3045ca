"""Painting as a user sees it: what is refused, what is noted, what a file keeps and gives again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from digressions.errors import DigressionsError, ImageError, InputError, OutputError, PromptError
from digressions.events import Event, Note, Progress, Saved
from digressions.generate.file_words import shown
from digressions.generate.notes import notes_on
from digressions.generate.params import (
    EnlargeParams,
    GenerationParams,
    PaintSpec,
    ResolvedParams,
    StartParams,
)
from digressions.generate.pictures import Picture, paint_pictures, paint_to_files, sheet_labels
from digressions.generate.record_reading import record_of
from digressions.generate.replay import replay_file
from digressions.generate.resolving import resolve
from digressions.generate.start import read_inputs, start_job
from digressions.geometry import Size
from digressions.images.contact_sheet import side_on_sheet
from digressions.images.image_files import read_image, read_text, write_image
from digressions.models.base import Model
from digressions.models.loading import load

from .checkpoints import build
from .conftest import tree
from .jobs import resolved

SIDE = 64
FEW: dict[str, Any] = {"steps": 2, "seed": 3, "enlarge": 1}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    built: dict[str, Model] = {}

    def model(family: str) -> Model:
        if family not in built:
            folder = build(tmp_path_factory.mktemp(family), family)
            built[family] = load(str(folder), "cpu", "float32")
        return built[family]

    return model


@pytest.fixture
def files(tmp_path: Path, photo: np.ndarray) -> dict[str, str]:
    """A photo and a mask of its middle, as files."""
    mask = np.zeros((*photo.shape[:2], 3), np.uint8)
    mask[8:40, 12:52] = 255
    return {
        "image": str(write_image(tmp_path / "photo.png", photo)),
        "mask": str(write_image(tmp_path / "mask.png", mask)),
    }


def events(model: Model, prompt: str = "photo of a frog", **parameters: Any) -> list[Any]:
    return list(paint_pictures(model, PaintSpec.of(prompt=prompt, **FEW | parameters)))


def pictures(model: Model, prompt: str = "photo of a frog", **parameters: Any) -> list[Picture]:
    return [e for e in events(model, prompt, **parameters) if isinstance(e, Picture)]


def notes(found: list[Event]) -> list[str]:
    return [event.text for event in found if isinstance(event, Note)]


# --- what is noted ---------------------------------------------------------------------------


def test_words_that_a_model_was_not_taught_are_noted_once(bundled: Model) -> None:
    assert notes(events(bundled)) == []
    (note,) = notes(events(bundled, "photo of a zyzzyva and a turtel"))
    assert note == (
        "bundled was not taught 'zyzzyva', 'turtel' (did you mean 'turtle'?): it paints what it "
        "makes of the rest"
    )
    found = notes_on(bundled, resolved("photo of a frog"), "a zyzzyva")
    assert ["zyzzyva" in note.text for note in found] == [True]
    assert [note.level for note in found] == ["note"]


def test_a_model_that_does_not_say_what_it_was_taught_notes_nothing(models: Any) -> None:
    assert notes(events(models("sd"), "a zyzzyva")) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"negative": "blur"}, ["at a guidance of 1 `negative` does nothing: set `guidance`"]),
        ({"guidance_rescale": 0.5}, ["at a guidance of 1 `guidance_rescale` does nothing"]),
        (
            {"negative": "blur", "guidance_rescale": 0.5, "guidance": 0.5},
            ["at a guidance of 0.5 `negative` and `guidance_rescale` do nothing"],
        ),
        ({"negative": "blur", "guidance": 2.0}, []),
        ({"combine": "sum"}, ["`combine` sum does nothing for a single prompt"]),
        ({"prompt": "a frog AND a fox", "combine": "sum"}, []),
        # The sum of directions is counted from the unconditional guess at any guidance.
        ({"prompt": "a frog AND a fox", "combine": "sum", "negative": "blur"}, []),
        ({"prompt": "a frog AND a fox", "negative": "blur"}, ["`negative` does nothing"]),
        ({"sampler": "lcm", "timestep_spacing": "leading"}, ["`timestep_spacing` does nothing"]),
        ({"timestep_spacing": "leading"}, []),
    ],
)
def test_a_parameter_that_does_nothing_is_noted(
    models: Any, changes: dict[str, Any], words: list[str]
) -> None:
    params = resolved(**{"prompt": "a frog"} | changes)
    found = [note.text for note in notes_on(models("sd"), params)]
    assert len(found) == len(words)
    assert all(word in note for word, note in zip(words, found, strict=True))


def test_a_model_with_its_guidance_inside_has_no_use_for_a_negative_prompt(models: Any) -> None:
    params = resolved("a frog", sampler="lcm", guidance=8.0, negative="blur")
    (note,) = notes_on(models("lcm"), params)
    assert "`negative` does nothing" in note.text
    assert "guidance inside" in note.text


def test_what_is_noted_as_idle_is_idle(models: Any) -> None:
    model = models("sd")
    for idle in ({"negative": "blur"}, {"guidance_rescale": 0.5}, {"combine": "sum"}):
        plain, other = (pictures(model, guidance=1.0, **each)[0] for each in ({}, idle))
        assert np.array_equal(plain.array, other.array)
    spaced, plain = (
        pictures(model, sampler="lcm", timestep_spacing=each)[0] for each in ("leading", None)
    )
    assert np.array_equal(spaced.array, plain.array)


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"strength": 0.5}, "`strength` is about a start picture, and needs an `image`"),
        ({"masked_content": "noise"}, "`masked_content` is about the masked area"),
        ({"mask": "mask"}, "`mask` needs an `image`"),
        ({"image": "image", "palette": "navy"}, "`palette` needs a `mask`"),
        ({"image": "image", "masked_content": "noise"}, "needs an `image` and a `mask`"),
        ({"enlarge": 1, "upscaler": "lanczos"}, "`upscaler` does nothing with `enlarge` 1"),
        ({"enlarge": 2, "upscaler": "nonsense"}, "`upscaler`"),
        (
            {"image": "image", "mask": "mask", "palette": "navy", "masked_content": "noise"},
            "`masked_content` noise would forget the `palette`",
        ),
        ({"image": "image", "mask": "mask", "palette": "blurple"}, "`palette`"),
        ({"zero_snr": True, "timestep_spacing": "leading"}, "`timestep_spacing`"),
        ({"size": 60}, "not a positive multiple of 8"),
        ({"seed": 2**63 - 2, "n": 3}, "`seed` 9223372036854775806 leaves no room for 3 pictures"),
        ({"prompt": "a AND b", "region": ["left"]}, "prompts: 2, regions: 1; give one"),
        ({"region": ["left"]}, "there is one prompt"),
        ({"negative": "a AND b", "guidance": 3.0}, "`negative`"),
        ({"image": "nowhere.png"}, "nowhere.png"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_would_do_nothing_or_cannot_be_is_refused_before_anything_is_painted(
    bundled: Model, files: dict[str, str], tmp_path: Path, parameters: dict[str, Any], words: str
) -> None:
    parameters = {n: files.get(v, v) if isinstance(v, str) else v for n, v in parameters.items()}
    before = tree(tmp_path)
    spec = PaintSpec.of(**{"prompt": "a frog"} | FEW | parameters)
    with pytest.raises(DigressionsError) as caught:
        list(paint_to_files(bundled, spec, tmp_path / "out" / "a.png"))
    assert words in caught.value.message
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before


def test_an_error_knows_its_field(bundled: Model, files: dict[str, str]) -> None:
    for parameters, field in (
        ({"strength": 0.5}, "strength"),
        ({"mask": files["mask"]}, "mask"),
        ({"upscaler": "lanczos"}, "upscaler"),
        ({"seed": 2**63 - 1, "n": 2}, "seed"),
        ({"size": 12}, "size"),
    ):
        with pytest.raises(InputError) as caught:
            events(bundled, **parameters)
        assert caught.value.field == field
    with pytest.raises(PromptError) as caught:
        events(bundled, "a (b")
    assert (caught.value.field, caught.value.position) == ("prompt", 2)
    with pytest.raises(ImageError):
        events(bundled, image="nowhere.png")


# --- defaults --------------------------------------------------------------------------------


def test_defaults_are_the_models(bundled: Model) -> None:
    found = resolve(bundled, GenerationParams(prompt="a", seed=1))
    assert found == ResolvedParams(
        prompt="a", seed=1, size=(bundled.size, bundled.size), **bundled.defaults.values()
    )
    cells = resolve(bundled, GenerationParams(prompt="a", seed=1), cells=True)
    assert cells.steps == bundled.defaults.cell_steps
    assert resolve(bundled, GenerationParams(prompt="a"), size=Size(8, 16)).size == (8, 16)


@pytest.mark.parametrize(
    ("family", "given", "palette", "wanted"),
    [
        ("sd", {}, False, (1.0, "noise", "trailing")),
        ("sd", {"strength": 0.6}, False, (0.6, "original", None)),
        ("sd", {"strength": 0.6, "masked_content": "noise"}, False, (0.6, "noise", "trailing")),
        ("sd", {"masked_content": "original"}, False, (1.0, "original", None)),
        ("sd", {"timestep_spacing": "leading"}, False, (1.0, "noise", "leading")),
        ("sd", {"sampler": "lcm"}, False, (1.0, "noise", None)),
        ("sd", {}, True, (0.9, "original", None)),
        ("sd", {"strength": 1.0}, True, (1.0, "original", None)),
        ("turbo", {}, False, (1.0, "noise", None)),  # its own spacing is trailing
    ],
)
def test_a_masked_area_starts_from_noise_unless_somebody_says_otherwise(
    models: Any, family: str, given: dict[str, Any], palette: bool, wanted: tuple[Any, ...]
) -> None:
    params = GenerationParams(prompt="a", seed=1, **given)
    found = resolve(models(family), params, mask=True, palette=palette)
    assert (found.strength, found.masked_content, found.timestep_spacing) == wanted


def test_zero_snr_says_its_spacing_itself(models: Any) -> None:
    params = GenerationParams(prompt="a", zero_snr=True)
    assert resolve(models("sd-v"), params, mask=True).timestep_spacing is None
    with pytest.raises(InputError, match="predicts the noise"):
        resolve(models("sd"), params)


# --- masked areas ----------------------------------------------------------------------------


def test_a_masked_area_is_filled_from_around_before_it_is_encoded(
    bundled: Model, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    encode = bundled.encode

    def watched(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return encode(images)

    monkeypatch.setattr(bundled, "encode", watched)
    start = StartParams(**files)
    inputs = read_inputs(start)
    events(bundled, **files)
    (image,) = seen
    size = bundled.size
    original = start_job(resolved(size=size, masked_content="original"), inputs).image
    mask = start_job(resolved(size=size), inputs).mask
    assert original is not None
    assert mask is not None
    outside, inside = (mask == 0).expand_as(original), (mask == 1).expand_as(original)
    # Lanczos reaches over the edge by a few pixels: there the fill shows in what is beside it.
    assert (image[0] - original)[outside].abs().median() < 1 / 255
    assert (image[0] - original)[inside].abs().mean() > 0.05


def test_what_is_in_a_masked_area_pulls_nothing(bundled: Model, files: dict[str, str]) -> None:
    photo, mask = read_image(files["image"]), read_image(files["mask"])
    other = np.where(mask > 0, 255 - photo, photo)
    found = [pictures(bundled, image=each, mask=mask)[0].array for each in (photo, other)]
    assert np.array_equal(*found)
    kept = [
        pictures(bundled, image=each, mask=mask, strength=0.5)[0].array for each in (photo, other)
    ]
    assert not np.array_equal(*kept)


def test_what_is_outside_a_mask_stays_and_a_palette_shows(
    bundled: Model, files: dict[str, str]
) -> None:
    sized = np.asarray(Image.open(files["image"]).resize((SIDE, SIDE)))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[16:48, 16:48] = 255
    blue, red = (
        pictures(bundled, image=sized, mask=mask, palette=each)[0].array for each in ("navy", "red")
    )
    assert np.array_equal(blue[mask == 0], sized[mask == 0])
    middle = (slice(24, 40), slice(24, 40))
    assert red[middle][..., 0].mean() > blue[middle][..., 0].mean() + 30


# --- several ---------------------------------------------------------------------------------


def test_n_pictures_have_seeds_one_after_the_other_and_are_what_each_is_alone(
    bundled: Model,
) -> None:
    several = pictures(bundled, n=3, seed=7)
    by_seed = {picture.params.seed: picture for picture in several}
    assert sorted(by_seed) == [7, 8, 9]
    (alone,) = pictures(bundled, seed=8)
    assert np.abs(by_seed[8].array.astype(int) - alone.array).max() <= 1
    assert by_seed[8].record == alone.record


def test_the_last_seeds_can_be_used(bundled: Model) -> None:
    found = pictures(bundled, n=2, seed=2**63 - 2)
    assert sorted(picture.params.seed for picture in found) == [2**63 - 2, 2**63 - 1]


def test_progress_grows_to_its_end(bundled: Model) -> None:
    found = [e for e in events(bundled, n=2) if isinstance(e, Progress)]
    assert {event.task for event in found} == {"painting"}
    assert {event.total for event in found} == {4}
    done = [event.done for event in found]
    assert done == sorted(done)
    assert done[-1] == 4


def test_closing_the_generator_stops_the_work(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    network = bundled.network

    def counted(*arguments: Any) -> torch.Tensor:
        steps.append(1)
        return network(*arguments)

    monkeypatch.setattr(bundled, "network", counted)
    work = paint_pictures(bundled, PaintSpec.of(prompt="a frog", seed=1, steps=9))
    for event in work:
        if isinstance(event, Progress):
            break
    work.close()  # type: ignore[attr-defined]
    assert len(steps) == 1


# --- files -----------------------------------------------------------------------------------


def written(model: Model, target: Path, **parameters: Any) -> list[Path]:
    spec = PaintSpec.of(**{"prompt": "photo of a frog"} | FEW | parameters)
    found = list(paint_to_files(model, spec, target))
    return [event.path for event in found if isinstance(event, Saved)]


def replayed(source: Path, loaded: Model, **options: Any) -> tuple[Path, list[str]]:
    target = source.with_name(f"again{source.suffix}")
    found = list(replay_file(source, lambda *_: loaded, output=target, overwrite=True, **options))
    assert [event.path for event in found if isinstance(event, Saved)] == [target]
    said = [event for event in found if isinstance(event, Note) and event.level != "info"]
    return target, notes(said)


CASES = {
    "text": {},
    "negative": {"negative": "blur", "guidance": 3.0, "guidance_rescale": 0.4},
    "image": {"image": "image", "strength": 0.6},
    "masked": {"image": "image", "mask": "mask"},
    "original": {"image": "image", "mask": "mask", "masked_content": "original"},
    "palette": {"image": "image", "mask": "mask", "palette": "navy,#e0c080"},
    "palette of a picture": {"image": "image", "mask": "mask", "palette": "image"},
    "regions": {
        "prompt": "photo of a frog AND cartoon of a fox",
        "region": ["left", "right"],
        "combine": "sum",
        "guidance": 2.0,
    },
    "enlarged": {"enlarge": 2, "upscaler": "lanczos"},
    "size": {"size": "96x64", "sampler": "dpmpp_2m", "zero_snr": True},
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_enough_to_paint_the_same_pixels_again(
    bundled: Model, files: dict[str, str], tmp_path: Path, name: str
) -> None:
    given = {n: files.get(v, v) if isinstance(v, str) else v for n, v in CASES[name].items()}
    (path,) = written(bundled, tmp_path / "first.png", **given)
    again, said = replayed(path, bundled)
    assert said == []
    assert np.array_equal(read_image(again), read_image(path))
    assert read_text(again) == read_text(path)


def test_a_file_keeps_everything_that_it_was_made_by(
    bundled: Model, files: dict[str, str], tmp_path: Path
) -> None:
    (path,) = written(bundled, tmp_path / "a.png", **files, palette="navy", enlarge=2)
    record = record_of(read_text(path))
    assert record.kind == "picture"
    assert (record.model, record.model_hash) == ("bundled", bundled.hash)
    assert record.image is not None
    assert record.mask is not None
    assert (record.image.path, record.mask.path) == (files["image"], files["mask"])
    assert record.palette == {"colours": ["navy"]}
    assert (record.enlarge, record.upscaler) == (2, "realesrgan-animevideo")
    assert read_image(path).shape == (2 * 48, 2 * 64, 3)
    assert record.params.seed == FEW["seed"]


def test_several_pictures_come_with_a_sheet(bundled: Model, tmp_path: Path) -> None:
    paths = written(bundled, tmp_path / "frog.png", n=2)
    assert sorted(path.name for path in paths) == ["frog-3.png", "frog-4.png", "frog-sheet.png"]
    with pytest.raises(InputError, match=r"frog-sheet.png is a contact sheet: replay .*frog-3.png"):
        replayed(tmp_path / "frog-sheet.png", bundled)
    again, _ = replayed(tmp_path / "frog-4.png", bundled)
    difference = np.abs(read_image(again).astype(int) - read_image(tmp_path / "frog-4.png"))
    assert difference.max() <= 1  # painted in another batch


def test_a_start_picture_that_is_another_by_now_is_refused(
    bundled: Model, files: dict[str, str], tmp_path: Path
) -> None:
    (path,) = written(bundled, tmp_path / "a.png", image=files["image"])
    write_image(files["image"], 255 - read_image(files["image"]))
    with pytest.raises(InputError, match="is not the picture it was"):
        replayed(path, bundled)
    Path(files["image"]).unlink()
    with pytest.raises(InputError, match="is not there"):
        replayed(path, bundled)


def test_a_start_picture_in_memory_is_said_to_be_no_file(
    bundled: Model, photo: np.ndarray, tmp_path: Path
) -> None:
    (path,) = written(bundled, tmp_path / "a.png", image=photo)
    with pytest.raises(InputError, match="only Python can make it again"):
        replayed(path, bundled)


def test_other_weights_and_other_programs_are_noted(
    bundled: Model, models: Any, tmp_path: Path
) -> None:
    (path,) = written(bundled, tmp_path / "a.png")
    _, said = replayed(path, models("sd"))
    assert ["was made by other weights" in note for note in said] == [True]
    text = record_of(read_text(path)).but(model="", model_hash="", version="v1.10").to_text()
    foreign = text["parameters"].replace("Version: digressions v1.10", "Version: v1.10")
    other = write_image(tmp_path / "foreign.png", read_image(path), {"parameters": foreign})
    with pytest.raises(InputError, match="names no model that is known here: say which with model"):
        replayed(other, bundled)
    again, said = replayed(other, bundled, model="bundled")
    assert ["another program" in note for note in said] == [True]
    assert np.array_equal(read_image(again), read_image(path))
    karras = {
        "parameters": re.sub(
            "Sampler: [^,]+", "Sampler: DPM++ 2M, Schedule type: KL Optimal", foreign
        )
    }
    write_image(other, read_image(path), karras)
    _, said = replayed(other, bundled, model="bundled")
    assert ["noise schedule KL Optimal" in note for note in said] == [False, True]


def test_a_picture_too_large_for_its_file_is_refused_before_it_is_painted(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "size", 1024)  # WebP ends at 16,383
    with pytest.raises(OutputError, match=r"16,384 x 16,384 pixels do not fit a \.webp"):
        written(bundled, tmp_path / "a.webp", enlarge=16)


def test_a_picture_is_not_written_over_what_it_starts_from(bundled: Model, tmp_path: Path) -> None:
    (path,) = written(bundled, tmp_path / "a.png")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"a\.png would be written over"):
        written(bundled, path, image=str(path))
    assert path.read_bytes() == before
    several = written(bundled, path, image=str(path), n=2)  # their names have their seeds
    assert path not in several
    assert path.read_bytes() == before


def test_nothing_is_painted_for_a_folder_that_is_a_file(bundled: Model, tmp_path: Path) -> None:
    (path,) = written(bundled, tmp_path / "a.png")
    with pytest.raises(OutputError, match=r"a\.png is not a folder"):
        written(bundled, path / "b.png", image=str(path))


def test_a_file_of_a_kind_that_is_not_known_is_one_line(bundled: Model, tmp_path: Path) -> None:
    (path,) = written(bundled, tmp_path / "a.png")
    record = record_of(read_text(path)).but(kind="sculpture")
    other = write_image(tmp_path / "b.png", read_image(path), record.to_text())
    with pytest.raises(InputError, match="of a kind that is not known here: 'sculpture'"):
        replayed(other, bundled)


def test_a_picture_in_memory_is_its_file(bundled: Model, tmp_path: Path) -> None:
    (picture,) = pictures(bundled)
    path = picture.save(tmp_path / "a.png")
    assert np.array_equal(read_image(path), picture.array)
    assert np.array_equal(np.asarray(picture.image), picture.array)
    assert np.array_equal(np.asarray(picture), picture.array)
    assert record_of(read_text(path)) == picture.record
    over = pictures(bundled, image=picture, strength=0.5)[0]
    assert not np.array_equal(over.array, picture.array)


def test_no_regions_are_none(bundled: Model, tmp_path: Path) -> None:
    """A damaged file may have an empty list of them."""
    (path,) = written(bundled, tmp_path / "a.png")
    record = record_of(read_text(path)).but(regions=[])
    other = write_image(tmp_path / "b.png", read_image(path), record.to_text())
    again, _ = replayed(other, bundled)
    assert np.array_equal(read_image(again), read_image(path))


# --- size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "given", "asked", "times"),
    [
        (64, False, None, 8),
        (128, False, None, 4),
        (100, False, None, 6),
        (512, False, None, 1),
        (1024, False, None, 1),
        (8, False, None, 16),
        (64, True, None, 1),
        (64, False, 1, 1),
        (64, True, 3, 3),
    ],
)
def test_small_pictures_are_enlarged_unless_somebody_says_otherwise(
    side: int, given: bool, asked: int | None, times: int
) -> None:
    assert EnlargeParams(enlarge=asked).times(Size(side, side // 2), given=given) == times


def test_what_is_enlarged_unasked_is_said_and_remembered(bundled: Model, tmp_path: Path) -> None:
    spec = PaintSpec.of(prompt="a frog", upscaler="lanczos", steps=1, seed=2)
    (note, *saved) = [
        each for each in paint_to_files(bundled, spec, tmp_path / "a.png")
        if isinstance(each, (Note, Saved))
    ]  # fmt: skip
    large = max(512, bundled.size)
    assert isinstance(note, Note)
    assert (f"enlarged to {large}x{large}" in note.text) == (bundled.size < 512)
    assert read_image(tmp_path / "a.png").shape == (large, large, 3)
    record = record_of(read_text(tmp_path / "a.png"))
    assert record.params.size == (bundled.size, bundled.size)
    assert (record.enlarge, record.upscaler) == (large // bundled.size, "lanczos")
    told = [note.text for note in shown(tmp_path / "a.png") if isinstance(note, Note)]
    assert f"enlarged: {record.enlarge} times" in told
    list(replay_file(tmp_path / "a.png", lambda *_: bundled, output=tmp_path / "b.png"))
    assert np.array_equal(read_image(tmp_path / "a.png"), read_image(tmp_path / "b.png"))
    assert len(saved) == 1


def test_a_sheet_stays_small_and_says_what_was_drawn(bundled: Model, tmp_path: Path) -> None:
    assert [side_on_sheet(count) for count in (2, 25, 1000, 9999)] == [1024, 819, 128, 64]
    first, other = (record_of(each.text) for each in pictures(bundled, "a {cat|dog}", n=2, seed=0))
    assert sheet_labels([first, first]) == ["seed 0", "seed 0"]
    assert sheet_labels([first, other]) == [
        f"seed 0: {first.params.prompt}",
        f"seed 1: {other.params.prompt}",
    ]
