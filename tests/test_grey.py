"""What a masked area is painted from, and what an experiment says about the colours."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import digressions as dg
from benchmarks.wrongways import first_public_indices
from digressions.diffusion.condition import Condition, Text
from digressions.diffusion.denoise import Guess, guided
from digressions.diffusion.schedule import TableSchedule
from digressions.errors import InputError
from digressions.events import Estimate, Note, completed
from digressions.frames.experiment import Experiment, Measured
from digressions.frames.explain import explain_frame
from digressions.frames.explain_words import words
from digressions.frames.filling import fill_frames
from digressions.frames.findings import findings, interval, moved, share_of, slope, t95
from digressions.frames.frame_spec import FrameSpec
from digressions.frames.scene import Scene, scene
from digressions.frames.trials import PHOTO, Subject, noise_params, plan, prepared
from digressions.generate.job import Job, check
from digressions.generate.paint import painter_of, sample_batch
from digressions.generate.params import GenerationParams, ResolvedParams
from digressions.homography import Quad
from digressions.images.colour import (
    filled_from_around,
    filled_with_palette,
    from_oklab,
    oklab,
    palette_of_colours,
    read_palette,
)
from digressions.images.image_files import read_image, write_image

from .conftest import tree

RNG = np.random.default_rng(3)


def room_photo(inside: tuple[int, int, int] = (200, 190, 230)) -> np.ndarray:
    photo = np.full((200, 240, 3), (150, 120, 90), np.uint8)
    photo[40:160, 60:180] = inside
    return photo


OPENING = Quad.trusted(np.array([[60, 40], [180, 40], [180, 160], [60, 160]]) - 0.5)


def seen(much: float) -> Scene:
    return scene(room_photo(), OPENING, 1.0, side=64, vae_scale_factor=8, room=much)


def job(**changes: Any) -> Job:
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 64, 64)
    mask[:, 16:48, 16:48] = 1
    given = {name: changes.pop(name) for name in ("image", "mask") if name in changes}
    usual = {"seed": 5, "size": 64, "steps": 6, "guidance": 1.5, "sampler": "ddim"}
    usual |= {"prompt": "photo of a frog", "strength": 1.0}
    return Job(ResolvedParams(**usual | changes), **{"image": image, "mask": mask} | given)


# What a masked area starts from.


def start_of(model, monkeypatch, **changes) -> torch.Tensor:
    """What the network is shown first."""
    shown: list[torch.Tensor] = []
    network = type(model).network

    def watching(self, x_t, t, condition):
        shown.append(x_t.clone())
        return network(self, x_t, t, condition)

    monkeypatch.setattr(type(model), "network", watching)
    next(sample_batch(model, [job(**changes)]))
    monkeypatch.undo()
    return shown[0][:1]


MASKED = (..., slice(2, 6), slice(2, 6))


def test_a_masked_area_from_noise_is_the_same_noise_whatever_is_in_it(bundled, monkeypatch) -> None:
    other = job().image.flip(0) * 0.5
    for strength in (0.6, 1.0):
        first = start_of(bundled, monkeypatch, strength=strength, masked_content="noise")
        second = start_of(
            bundled, monkeypatch, strength=strength, masked_content="noise", image=other
        )
        assert torch.equal(first[MASKED], second[MASKED])
    first = start_of(bundled, monkeypatch, strength=0.6, masked_content="original")
    second = start_of(bundled, monkeypatch, strength=0.6, masked_content="original", image=other)
    assert not torch.allclose(first[MASKED], second[MASKED], atol=0.05)


@pytest.mark.parametrize(("strength", "same"), [(1.0, "noise"), (0.6, "original")])
def test_what_is_not_said_is_as_in_diffusers(bundled, strength, same) -> None:
    jobs = [job(strength=strength), job(strength=strength, masked_content=same)]
    plainly, said = (painter_of(bundled)([each]) for each in jobs)
    assert torch.equal(plainly, said)


@pytest.mark.parametrize("steps", [1, 7, 12, 30, 50, 80, 333, 1000])
@pytest.mark.parametrize("strength", [0.3, 0.8, 0.95, 1.0])
def test_noise_is_added_for_the_step_that_is_visited_first(bundled, steps, strength) -> None:
    """At any number of steps; the first public inpainting code added it for another one."""
    asked = job(steps=steps, strength=strength, masked_content="original")
    noised: list[float] = []

    @dataclasses.dataclass(frozen=True)
    class Watching(TableSchedule):
        def noised(self, x_0, noise, t):
            noised.append(float(t[0]))
            return super().noised(x_0, noise, t)

    own = bundled.schedule
    watching = Watching(own.prediction, alphas_cumprod=own.alphas_cumprod)
    visited: list[float] = []
    model = dataclasses.replace(bundled, schedule=watching)

    def network(x_t, t, condition):
        visited.append(float(t[0]))
        return torch.zeros_like(x_t)

    model.network = network
    next(sample_batch(model, [asked]))
    assert noised[0] == visited[0]


def test_the_first_public_code_counted_otherwise() -> None:
    """The mismatch that the benchmark paints with: noise for one step, and another one visited."""
    noised, visited = first_public_indices(60, 0.8)
    assert (noised, visited[0]) == (769, 801)
    noised, visited = first_public_indices(20, 0.8)
    assert (noised, visited[0]) == (801, 751)


def test_masked_content_needs_a_mask_and_a_known_name(bundled) -> None:
    with pytest.raises(InputError, match="needs a mask"):
        check(bundled, job(masked_content="noise", mask=None))
    with pytest.raises(InputError, match="choose one of noise, original"):
        job(masked_content="grey")
    with pytest.raises(InputError, match="guidance_rescale"):
        job(guidance_rescale=1.5)


# Time steps.


def short_of_noise(model: Any, prediction: str = "v_prediction") -> Any:
    """The model with a schedule that ends with a trace of the picture, and leading steps."""
    table = torch.linspace(0.99, 0.1, 1000)
    schedule = TableSchedule(prediction, alphas_cumprod=table)
    return dataclasses.replace(model, schedule=schedule, spacing="leading", steps_offset=1)


def test_a_model_with_other_timesteps_begins_at_noise_alone(bundled) -> None:
    short = short_of_noise(bundled)
    table = short.schedule.alphas_cumprod
    for steps in (7, 12, 80):
        assert float(short.times("ddim", steps)[0]) < 999
        assert float(short.with_timesteps("trailing", False).times("ddim", steps)[0]) == 999
    ended = short.with_timesteps(None, True)
    assert float(ended.schedule.alphas_cumprod[-1]) == 0
    torch.testing.assert_close(ended.schedule.alphas_cumprod[0], table[0])
    assert short.spacing == "leading"  # nothing of the model itself is changed


def test_noise_prediction_cannot_begin_at_noise_alone(bundled) -> None:
    with pytest.raises(InputError, match="v prediction"):
        short_of_noise(bundled, "epsilon").with_timesteps(None, True)
    with pytest.raises(InputError, match="choose one of"):
        job(timestep_spacing="later")


# Rescaled guidance.


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_rescaled_guidance_has_the_contrast_of_the_prompt_alone(prediction) -> None:
    """Lin et al. 2023, equations 15 and 16, on the network's output, written again."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 4, 5, 5, generator=generator)
    x = torch.randn(1, 4, 5, 5, generator=generator)
    schedule = TableSchedule(prediction, alphas_cumprod=torch.linspace(0.99, 0.01, 10))
    t = torch.tensor([6.0])

    def inner(x_t, times, condition):
        return Guess(schedule.clean(x_t, outputs, times))

    def answer(rescale):
        text = Text(torch.zeros(1, 1, 1))
        by = None if rescale is None else torch.tensor([rescale])
        condition = Condition(text, torch.tensor([7.5]), negative=text, guidance_rescale=by)
        return schedule.output(x, guided(inner, schedule)(x, t, condition).x_0, t)

    c, u = outputs[:1], outputs[1:]
    plainly = u + 7.5 * (c - u)
    calm = plainly * c.std() / plainly.std()
    torch.testing.assert_close(answer(0.7), 0.7 * calm + 0.3 * plainly, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer(1.0).std(), c.std(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer(0.0), answer(None), rtol=0, atol=0)


# Palettes.


def test_a_palette_fills_the_masked_area_and_nothing_else(photo) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:30, 20:50] = 255
    full = filled_with_palette(photo, mask, palette_of_colours(["navy", "#e0c080"]))
    assert (full[mask == 0] == photo[mask == 0]).all()
    top, bottom = full[12, 20:50].astype(int), full[27, 20:50].astype(int)
    assert np.abs(top - (0, 0, 128)).max() < 40
    assert np.abs(bottom - (224, 192, 128)).max() < 40


def test_an_area_filled_from_around_holds_nothing_of_what_was_in_it(photo) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:30, 20:50] = 255
    other = photo.copy()
    other[mask > 0] = (255, 0, 255)
    assert (filled_from_around(photo, mask) == filled_from_around(other, mask)).all()
    assert (filled_from_around(photo, mask)[mask == 0] == photo[mask == 0]).all()
    even = np.full_like(photo, 90)
    even[mask > 0] = 200
    assert (filled_from_around(even, mask) == 90).all()


def test_a_palette_is_read_from_a_picture_or_from_colours(tmp_path, photo) -> None:
    from digressions.images.colour import remembered_palette

    path = write_image(tmp_path / "sunset.png", photo)
    for text in (str(path), "navy, teal,#e0c080"):
        palette, origin = read_palette(text)
        assert (remembered_palette(origin) == palette).all()
    with pytest.raises(InputError, match="'navy,#e0c080'"):
        read_palette("no-such-file.png")


def test_colours_go_to_oklab_and_back() -> None:
    colours = RNG.integers(0, 256, (500, 3))
    assert np.abs(from_oklab(oklab(colours)) - colours).max() < 0.5


# Statistics.


def test_a_slope_is_found_within_its_error() -> None:
    """Painted colours with a known pull, an offset a channel and noise a seed."""
    given = RNG.normal(0, 0.2, (5, 3))
    inside = 0
    for _ in range(200):
        noise = RNG.normal(0, 0.02, (5, 8, 3)) + RNG.normal(0, 0.1, (1, 8, 3))
        painted = 0.6 * given[:, None] + np.array([0.3, 0.0, -0.1]) + noise
        found = slope(given, painted)
        inside += found.low <= 0.6 <= found.high
    assert 175 <= inside <= 200  # 95 % intervals
    with pytest.raises(ValueError, match="all the same"):
        slope(np.ones((4, 3)), np.zeros((4, 3, 3)))


def test_intervals_are_students() -> None:
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.303 / np.sqrt(3)), rel=1e-3)
    assert t95(31) == pytest.approx(2.0395, abs=2e-4)
    assert t95(100) == pytest.approx(1.984, abs=2e-4)


def test_the_share_of_a_whole_has_the_error_of_a_ratio() -> None:
    whole = RNG.normal(2, 0.2, 10)
    assert share_of(0.4 * whole, whole) == pytest.approx((0.4, 0), abs=1e-12)


def test_pictures_that_differ_by_chance_alone_are_not_called_apart() -> None:
    before, after = RNG.normal(0, 0.05, (2, 12, 3))
    near = moved(before, after)
    assert near.low <= 0
    far = moved(before, before + np.array([0.3, 0.0, 0.4]))
    assert far == pytest.approx((0.5, 0.0), abs=1e-9)


# The experiment and its words.


def subject() -> Subject:
    return Subject(seen, palette_of_colours(["red"]))


def ways(model, *, palette: bool = False, **changes):
    usual = {"prompt": "photo of a frog", "steps": 4, "guidance": 1.5, "sampler": "ddim"}
    params = noise_params(model, GenerationParams(**usual | {"seed": 1} | changes))
    return plan(model, params, 0.25, palette=palette)


def test_a_trial_changes_the_masked_area_or_the_wall_and_nothing_else(bundled) -> None:
    ready = seen(0.25)
    for trial in ways(bundled).trials:
        if trial.room != 0.25:
            continue
        changed = np.abs(prepared(ready, trial).pixels - ready.pixels).max(-1) > 1e-6
        if trial.wall == PHOTO:
            assert not changed[ready.mask == 0].any()
        else:
            assert changed[ready.mask == 0].any()
        if trial.fill == PHOTO:
            assert not changed[ready.mask > 0].any()


def test_one_thing_is_changed_at_a_time(bundled) -> None:
    found = ways(bundled, palette=True)

    def fields(trial) -> dict[str, Any]:
        own = {"fill": trial.fill, "room": trial.room, "wall": trial.wall}
        return own | trial.params.json_object()

    for trial in [*found.walls[0.25].values(), *found.rooms, *found.steps, found.noise]:
        here, base = fields(trial), fields(found.base)
        assert sum(here[name] != base[name] for name in here) <= 1
    assert len({trial.name for trial in found.trials}) == len(found.trials)
    assert 1.0 not in found.fills  # at zero SNR a start from a picture is one from noise
    assert list(found.cures) == ["palette", "guidance rescale 0.7"]
    short = ways(short_of_noise(bundled), timestep_spacing="leading")
    assert 1.0 in short.fills
    assert {"trailing spacing", "zero terminal SNR"} <= set(short.cures)
    assert "leading spacing" in ways(short_of_noise(bundled)).cures  # trailing suits noise


def test_the_numbers_of_steps_are_those_that_the_sampler_has(bundled) -> None:
    assert [t.params.steps for t in ways(bundled).steps] == [2, 4, 8]
    assert [t.params.steps for t in ways(bundled, steps=600).steps] == [300, 600]


def test_what_the_user_asks_for_is_in_every_trial(bundled) -> None:
    asked = {"negative": "a fox", "guidance": 3.0, "guidance_rescale": 0.4, "combine": "sum"}
    found = ways(bundled, **asked)
    for trial in found.trials:
        assert {name: getattr(trial.params, name) for name in asked} == asked
    assert not found.cures  # the contrast is taken back already


def test_an_experiment_goes_on_where_it_was_and_keeps_to_itself(bundled, tmp_path) -> None:
    found = ways(bundled, steps=1)
    trials = found.trials[:4]

    def opened(prompt: str = "a frog", *, overwrite: bool = False) -> Experiment:
        made = bundled, subject(), trials, [1, 2, 3], tmp_path / "x", {"p": prompt}
        return Experiment(*made, overwrite=overwrite)

    assert completed(opened().run(most=5)) == 5
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "x" / "pictures").iterdir()}
    again = opened()
    assert len(again.missing) == 7
    assert completed(again.run()) == 7
    assert not again.missing
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert read_image(again.path(trials[0], 1)).shape == (64, 64, 3)
    with pytest.raises(InputError, match="another experiment \\(another p\\)"):
        opened("a fox")
    (tmp_path / "x" / "mine.txt").write_text("mine")
    other = opened("a fox", overwrite=True)
    assert len(other.missing) == 12  # those of the frog are another experiment's
    assert completed(other.run(most=1)) == 1
    assert [path.name for path in (tmp_path / "x" / "pictures").iterdir()] == [
        other.path(trials[0], 1).name
    ]
    assert (tmp_path / "x" / "mine.txt").read_text() == "mine"
    with pytest.raises(InputError, match="at least 3"):
        Experiment(bundled, subject(), trials, [1, 2], tmp_path / "y", {})


def synthetic(found, masked: float, wall: float, free: float, seeds: int = 5):
    """Measurements of pictures with a known influence of area and wall, and a known chroma."""
    own = subject()
    measured = {}
    for trial in found.trials:
        inside, around = own.colours(trial)
        chroma = free
        colour = np.array([0.6, free, 0.0])
        if trial.params.masked_content == "original":
            colour = colour + masked * (inside - colour)
            chroma = free * (1 - masked)
        if trial.room:
            colour = colour + wall * (around - colour)
            chroma *= 1 - wall
        noise = RNG.normal(0, 0.002, (seeds, 3))
        measured[trial] = Measured(
            colour + noise, chroma + noise[:, 0] / 10, np.full(seeds, 0.1) + noise[:, 1]
        )
    return measured


def said(model, **influences: float) -> str:
    found = ways(model)
    return "\n".join(words(findings(found, subject(), synthetic(found, **influences)), found, 5))


def test_the_words_follow_from_the_figures(bundled) -> None:
    filled = said(bundled, masked=0.6, wall=0.0, free=0.12)
    assert "What is in it pulls strongly" in filled
    assert "Its colour pulls nothing worth speaking of" in filled
    assert "takes most colour away here is starting from what is in the masked area" in filled
    walled = said(bundled, masked=0.0, wall=0.5, free=0.12)
    assert "What is in it pulls nothing worth speaking of" in walled
    assert "takes most colour away here is the room around it" in walled
    nothing = said(bundled, masked=0.0, wall=0.0, free=0.12)
    assert "nothing that was tried takes colour away here" in nothing
    assert "the prompt is not to blame" in nothing
    grey = said(bundled, masked=0.0, wall=0.0, free=0.01)
    assert "the prompt is grey by itself" in grey


def test_what_cannot_be_told_from_chance_is_not_told(bundled) -> None:
    found = ways(bundled)
    measured = synthetic(found, masked=0.1, wall=0.0, free=0.1, seeds=3)
    for trial, own in measured.items():
        measured[trial] = own._replace(colour=own.colour + RNG.normal(0, 0.2, (3, 3)))
    text = words(findings(found, subject(), measured), found, 3)
    assert "cannot be told from 3 seeds" in "\n".join(text)


# The use cases.

CORNERS = ["60,40", "180,40", "180,160", "60,160"]


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A photo of a frame in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_image("wall.png", room_photo())
    return "wall.png"


def test_an_explanation_says_what_its_files_say_and_goes_on(bundled, wall) -> None:
    spec = FrameSpec.of(prompts="a frog", corners=CORNERS, explain=True, n=3, steps=1)

    def explained() -> list[Any]:
        return list(explain_frame(bundled, wall, spec, Path("out/explain")))

    first = explained()
    folder = Path("out/explain")
    text = (folder / "explain.txt").read_text("utf-8")
    said = [event.text.replace("`", "") for event in first if isinstance(event, Note)]
    assert text.strip().split("\n\n") == said
    figures = json.loads((folder / "explain.json").read_text("utf-8"))
    value, error = figures["through"]["lightness"]
    assert f"From noise alone {100 * value:.0f} % ± {100 * error:.0f} of its lightness" in text
    assert read_image(folder / "explain.png").shape[1] == 900
    assert read_image(folder / "ways.png").size
    kept = tree(folder / "pictures")
    gone = min(kept)
    gone.unlink()
    (folder / "explain.txt").unlink()
    again = next(event for event in explained() if isinstance(event, Estimate))
    assert (again.pictures, again.done) == (1, len(kept) - 1)
    assert "done already" in again.text
    after = tree(folder / "pictures")
    assert {path for path in after if after[path] != kept[path]} <= {gone}
    # It was painted in another batch now: the same within the kernels' last bits.
    there = json.loads((folder / "explain.json").read_text("utf-8"))["through"]["lightness"]
    assert there == pytest.approx([value, error], abs=0.02)
    assert (folder / "explain.txt").exists()


@pytest.mark.parametrize("way", ["frame", "paint"])
def test_a_palette_colours_the_masked_area_and_is_replayed(bundled, wall, way) -> None:
    mask = np.zeros((200, 240, 3), np.uint8)
    mask[40:160, 60:180] = 255
    write_image("mask.png", mask)
    made = []
    for colour in ("red", "blue"):
        target = Path(colour) / "x.png"
        if way == "paint":
            start = {"image": wall, "mask": "mask.png", "steps": 4, "seed": 1}
            dg.paint(bundled, "a frog", palette=colour, **start).save(target)
        else:
            start = {"corners": CORNERS, "room": 0.25, "steps": 4, "upscaler": "lanczos"}
            spec = FrameSpec.of(prompts="a frog", palette=colour, **start)
            list(fill_frames(bundled, wall, spec, Path(colour)))
            target = Path(colour) / "candidates/1-a-frog-0.png"
        made.append(read_image(target).astype(int))
    inside = (made[0] - made[1])[made[0].shape[0] // 2 - 8 :, made[0].shape[1] // 2 - 8 :]
    inside = inside[:16, :16].mean((0, 1))
    assert inside[0] > 20 > -20 > inside[2]
    dg.finish(dg.replay(str(target).replace("blue", "red"), lambda *_: bundled, output="again.png"))
    assert (read_image("again.png") == made[0]).all()


def test_a_mask_by_itself_paints_from_noise(bundled) -> None:
    """What is in the masked area counts for nothing, not even by way of the autoencoder."""
    mask = np.zeros((200, 240), np.uint8)
    mask[:, 80:160] = 255
    made = []
    for colour in ((0, 0, 0), (255, 0, 255)):
        photo = np.full((200, 240, 3), 140, np.uint8)
        photo[mask > 0] = colour
        picture = dg.paint(bundled, "a frog", image=photo, mask=mask, steps=3, seed=1)
        made.append(picture.array)
    assert np.abs(made[0].astype(int) - made[1]).max() <= 2  # the mask's soft edge, enlarged
