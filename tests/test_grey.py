"""What a hole is painted from, and what an experiment says about the colours."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from benchmarks.wrongways import first_public_indices
from digressions.condition import Condition, Text
from digressions.denoise import Schedule, guided
from digressions.errors import InputError
from digressions.frames.experiment import Experiment, Measured
from digressions.frames.explain import words
from digressions.frames.findings import findings
from digressions.frames.pulls import estimate, moved, share_of, slope, t95
from digressions.frames.scene import Scene, scene
from digressions.frames.trials import PHOTO, Subject, plan, prepared
from digressions.geometry import Quad
from digressions.job import Job
from digressions.paint import paint_batch, sample, watched
from digressions.pictures.colour import from_oklab, oklab
from digressions.pictures.images import read_image, write_image
from digressions.pictures.palette import closed, filled, of_colours, read_palette
from digressions.timing import retimed

from .conftest import tree

RNG = np.random.default_rng(3)


def room_photo(inside: tuple[int, int, int] = (200, 190, 230)) -> np.ndarray:
    photo = np.full((200, 240, 3), (150, 120, 90), np.uint8)
    photo[40:160, 60:180] = inside
    return photo


OPENING = Quad.trusted(np.array([[60, 40], [180, 40], [180, 160], [60, 160]]) - 0.5)


def seen(much: float) -> Scene:
    return scene(room_photo(), OPENING, 1.0, side=64, factor=8, room=much)


def job(**changes: object) -> Job:
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 64, 64)
    mask[:, 16:48, 16:48] = 1
    own = Job("photo of a frog", 5, 64, 64, 6, 1.5, "ddim", image=image, mask=mask)
    return dataclasses.replace(own, **changes)


# What a hole starts from.


def start_of(model, monkeypatch, **changes) -> torch.Tensor:
    """What the network is shown first."""
    shown: list[torch.Tensor] = []
    network = type(model)._network

    def watching(self, x_t, t, condition):
        shown.append(x_t.clone())
        return network(self, x_t, t, condition)

    monkeypatch.setattr(type(model), "_network", watching)
    next(iter(sample(model, [job(**changes)])))
    monkeypatch.undo()
    return shown[0][:1]


HOLE = (..., slice(2, 6), slice(2, 6))


def test_a_hole_from_noise_is_the_same_noise_whatever_is_in_it(bundled, monkeypatch) -> None:
    other = job().image.flip(0) * 0.5
    for strength in (0.6, 1.0):
        first = start_of(bundled, monkeypatch, strength=strength, hole="noise")
        second = start_of(bundled, monkeypatch, strength=strength, hole="noise", image=other)
        assert torch.equal(first[HOLE], second[HOLE])
    first = start_of(bundled, monkeypatch, strength=0.6, hole="picture")
    second = start_of(bundled, monkeypatch, strength=0.6, hole="picture", image=other)
    assert not torch.allclose(first[HOLE], second[HOLE], atol=0.05)


@pytest.mark.parametrize(("strength", "same"), [(1.0, "noise"), (0.6, "picture")])
def test_what_is_not_said_is_as_in_diffusers(bundled, strength, same) -> None:
    jobs = [job(strength=strength), job(strength=strength, hole=same)]
    plainly, said = (paint_batch(bundled, [each]) for each in jobs)
    assert torch.equal(plainly, said)


@pytest.mark.parametrize("steps", [1, 7, 12, 30, 50, 80, 333, 1000])
@pytest.mark.parametrize("strength", [0.3, 0.8, 0.95, 1.0])
def test_noise_is_added_for_the_step_that_is_visited_first(bundled, steps, strength) -> None:
    """At any number of steps; the first public inpainting code added it for another one."""
    asked = job(steps=steps, strength=strength, hole="picture")
    noised: list[float] = []

    @dataclasses.dataclass(frozen=True)
    class Watching(Schedule):
        def noised(self, x_0, noise, t):
            noised.append(float(t[0]))
            return super().noised(x_0, noise, t)

    own = bundled.schedule
    watching = Watching(own.alphas_cumprod, own.prediction)
    visited: list[float] = []
    model = dataclasses.replace(bundled, schedule=watching)

    def network(x_t, t, condition):
        visited.append(float(t[0]))
        return torch.zeros_like(x_t)

    model._network = network
    next(iter(watched(model, [asked])))
    assert noised[0] == visited[0]


def test_the_first_public_code_counted_otherwise() -> None:
    """The mismatch that the benchmark paints with: noise for one step, and another one visited."""
    noised, visited = first_public_indices(60, 0.8)
    assert (noised, visited[0]) == (769, 801)
    noised, visited = first_public_indices(20, 0.8)
    assert (noised, visited[0]) == (801, 751)


def test_a_hole_needs_a_mask_and_a_known_name(bundled) -> None:
    from digressions.job import check

    with pytest.raises(InputError, match="needs a mask"):
        check(bundled, job(hole="noise", mask=None))
    with pytest.raises(InputError, match="choose noise or picture"):
        check(bundled, job(hole="grey"))
    with pytest.raises(InputError, match="--rescale"):
        check(bundled, job(rescale=1.5))


# Timing.


def test_a_retimed_model_begins_at_noise_alone(bundled) -> None:
    table = torch.linspace(0.99, 0.1, 1000)
    short = dataclasses.replace(bundled, schedule=Schedule(table, "v_prediction"))
    short = dataclasses.replace(short, spacing="leading", offset=1)
    for steps in (7, 12, 80):
        assert float(short.times("ddim", steps)[0]) < 999
        assert float(retimed(short, "trailing").times("ddim", steps)[0]) == 999
    ended = retimed(short, "zero-snr")
    assert float(ended.schedule.alphas_cumprod[-1]) == 0
    torch.testing.assert_close(ended.schedule.alphas_cumprod[0], table[0])
    assert short.spacing == "leading"  # nothing of the model itself is changed


def test_noise_prediction_cannot_begin_at_noise_alone(bundled) -> None:
    short = dataclasses.replace(bundled, schedule=Schedule(bundled.schedule.alphas_cumprod))
    with pytest.raises(InputError, match="v prediction"):
        retimed(short, "zero-snr")
    with pytest.raises(InputError, match="choose one of"):
        retimed(bundled, "later")


# Rescaled guidance.


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_rescaled_guidance_has_the_contrast_of_the_prompt_alone(prediction) -> None:
    """Lin et al. 2023, equations 15 and 16, on the network's output, written again."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 4, 5, 5, generator=generator)
    x = torch.randn(1, 4, 5, 5, generator=generator)
    schedule = Schedule(torch.linspace(0.99, 0.01, 10), prediction)
    t = torch.tensor([6.0])

    def inner(x_t, times, condition):
        return schedule.clean(x_t, outputs, times)

    def answer(rescale):
        text = Text(torch.zeros(1, 1, 1))
        by = None if rescale is None else torch.tensor([rescale])
        condition = Condition(text, torch.tensor([7.5]), negative=text, rescale=by)
        return schedule.output(x, guided(inner, schedule)(x, t, condition), t)

    c, u = outputs[:1], outputs[1:]
    plainly = u + 7.5 * (c - u)
    calm = plainly * c.std() / plainly.std()
    torch.testing.assert_close(answer(0.7), 0.7 * calm + 0.3 * plainly, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer(1.0).std(), c.std(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer(0.0), answer(None), rtol=0, atol=0)


# Palettes.


def test_a_palette_fills_the_hole_and_nothing_else(photo) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:30, 20:50] = 255
    full = filled(photo, mask, of_colours(["navy", "#e0c080"]))
    assert (full[mask == 0] == photo[mask == 0]).all()
    top, bottom = full[12, 20:50].astype(int), full[27, 20:50].astype(int)
    assert np.abs(top - (0, 0, 128)).max() < 40
    assert np.abs(bottom - (224, 192, 128)).max() < 40


def test_a_closed_hole_holds_nothing_of_what_was_in_it(photo) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:30, 20:50] = 255
    other = photo.copy()
    other[mask > 0] = (255, 0, 255)
    assert (closed(photo, mask) == closed(other, mask)).all()
    assert (closed(photo, mask)[mask == 0] == photo[mask == 0]).all()
    even = np.full_like(photo, 90)
    even[mask > 0] = 200
    assert (closed(even, mask) == 90).all()


def test_a_palette_is_read_from_a_picture_or_from_colours(tmp_path, photo) -> None:
    from digressions.pictures.palette import palette_again

    path = write_image(tmp_path / "sunset.png", photo)
    for text in (str(path), "navy, teal,#e0c080"):
        palette, origin = read_palette(text)
        assert (palette_again(origin) == palette).all()
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
    assert estimate([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.303 / np.sqrt(3)), rel=1e-3)
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
    return Subject(seen, "photo of a frog", 1.5, "ddim", palette=of_colours(["red"]))


def ways(model, **changes):
    return plan(model, **{"steps": 4, "guidance": 1.5, "room": 0.25, "sampler": "ddim"} | changes)


def test_a_trial_changes_the_hole_or_the_wall_and_nothing_else(bundled) -> None:
    ready = seen(0.25)
    for trial in ways(bundled).trials:
        if trial.room != 0.25:
            continue
        changed = np.abs(prepared(ready, trial).pixels - ready.pixels).max(-1) > 1e-6
        if trial.wall == PHOTO:
            assert not changed[ready.hole == 0].any()
        else:
            assert changed[ready.hole == 0].any()
        if trial.fill == PHOTO:
            assert not changed[ready.hole > 0].any()


def test_one_thing_is_changed_at_a_time(bundled) -> None:
    found = ways(bundled, palette=True)
    fields = ("start", "fill", "strength", "steps", "room", "wall", "timing", "rescale")
    for trial in [*found.walls[0.25].values(), *found.rooms, *found.steps, found.noise]:
        differing = [f for f in fields if getattr(trial, f) != getattr(found.base, f)]
        assert len(differing) <= 1
    assert len({trial.name for trial in found.trials}) == len(found.trials)
    assert 1.0 not in found.fills  # at zero SNR a start from a picture is one from noise
    short = dataclasses.replace(
        bundled, schedule=Schedule(torch.linspace(0.99, 0.1, 1000), "v_prediction")
    )
    assert 1.0 in ways(short).fills
    assert "zero-snr timing" in ways(short).cures


def test_an_experiment_goes_on_where_it_was_and_keeps_to_itself(bundled, tmp_path) -> None:
    found = ways(bundled, steps=1)
    trials = found.trials[:4]

    def opened(prompt: str = "a frog") -> Experiment:
        return Experiment(bundled, subject(), trials, [1, 2, 3], tmp_path / "x", {"p": prompt})

    assert opened().run(most=5, on_step=lambda n: None) == 5
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "x" / "pictures").iterdir()}
    again = opened()
    assert len(again.missing) == 7
    assert again.run(on_step=lambda n: None) == 7
    assert not again.missing
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert read_image(again.path(trials[0], 1)).shape == (64, 64, 3)
    with pytest.raises(InputError, match="another experiment \\(another p\\)"):
        opened("a fox")
    with pytest.raises(InputError, match="at least 3"):
        Experiment(bundled, subject(), trials, [1, 2], tmp_path / "y", {})


def synthetic(found, hole: float, wall: float, free: float, seeds: int = 5):
    """Measurements of pictures with a known pull of hole and wall, and a known chroma."""
    own = subject()
    measured = {}
    for trial in found.trials:
        inside, around = own.colours(trial)
        chroma = free
        colour = np.array([0.6, free, 0.0])
        if trial.start == "picture":
            colour = colour + hole * (inside - colour)
            chroma = free * (1 - hole)
        if trial.room:
            colour = colour + wall * (around - colour)
            chroma *= 1 - wall
        noise = RNG.normal(0, 0.002, (seeds, 3))
        measured[trial] = Measured(
            colour + noise, chroma + noise[:, 0] / 10, np.full(seeds, 0.1) + noise[:, 1]
        )
    return measured


def said(model, **pulls: float) -> str:
    found = ways(model)
    return "\n".join(words(findings(found, subject(), synthetic(found, **pulls)), found, 5))


def test_the_words_follow_from_the_figures(bundled) -> None:
    holed = said(bundled, hole=0.6, wall=0.0, free=0.12)
    assert "What is in it pulls strongly" in holed
    assert "Its colour pulls nothing worth speaking of" in holed
    assert "takes most colour away here is starting from what is in the hole" in holed
    walled = said(bundled, hole=0.0, wall=0.5, free=0.12)
    assert "What is in it pulls nothing worth speaking of" in walled
    assert "takes most colour away here is the room around it" in walled
    nothing = said(bundled, hole=0.0, wall=0.0, free=0.12)
    assert "nothing that was tried takes colour away here" in nothing
    assert "the prompt is not to blame" in nothing
    grey = said(bundled, hole=0.0, wall=0.0, free=0.01)
    assert "the prompt is grey by itself" in grey


def test_what_cannot_be_told_from_chance_is_not_told(bundled) -> None:
    found = ways(bundled)
    measured = synthetic(found, hole=0.1, wall=0.0, free=0.1, seeds=3)
    for trial, own in measured.items():
        measured[trial] = own._replace(colour=own.colour + RNG.normal(0, 0.2, (3, 3)))
    text = words(findings(found, subject(), measured), found, 3)
    assert "cannot be told from 3 seeds" in "\n".join(text)


# The command line.


@pytest.fixture
def wall(tmp_path) -> tuple[str, ...]:
    """A photo of a frame in the working folder, and where the frame is."""
    write_image(tmp_path / "wall.png", room_photo())
    return "wall.png", "--corners", "60,40", "180,40", "180,160", "60,160"


def test_explain_says_what_its_files_say_and_goes_on(digress, wall, tmp_path) -> None:
    command = ("frame", *wall, "a frog", "--explain", "-n", 3, "--steps", 1, "-o", "out")
    ran = digress(*command)
    assert ran.code == 0, ran.err
    folder = tmp_path / "out" / "explain"
    text = (folder / "explain.txt").read_text("utf-8")
    for paragraph in text.strip().split("\n\n"):
        assert paragraph in ran.out
    figures = json.loads((folder / "explain.json").read_text("utf-8"))
    value, error = figures["through"]["lightness"]
    assert f"From noise alone {100 * value:.0f} % ± {100 * error:.0f} of its lightness" in text
    assert read_image(folder / "explain.png").shape[1] == 900
    assert read_image(folder / "ways.png").size
    kept = tree(folder / "pictures")
    gone = min(kept)
    gone.unlink()
    (folder / "explain.txt").unlink()
    again = digress(*command)
    assert "done already" in again.out
    after = tree(folder / "pictures")
    assert {path for path in after if after[path] != kept[path]} <= {gone}
    # It was painted in another batch now: the same within the kernels' last bits.
    there = json.loads((folder / "explain.json").read_text("utf-8"))["through"]["lightness"]
    assert there == pytest.approx([value, error], abs=0.02)
    assert (folder / "explain.txt").exists()


def test_explain_refuses_what_cannot_be(refused, wall) -> None:
    assert "needs one prompt" in refused("frame", *wall, "--explain", "--find")
    assert "at least 3" in refused("frame", *wall, "a frog", "--explain", "-n", 2)
    assert "v prediction" not in refused("frame", *wall, "a frog", "--timing", "soon")
    assert "0 to 1" in refused("frame", *wall, "a frog", "--rescale", "2")
    assert "forgets a --palette" in refused(
        "frame", *wall, "a frog", "--hole", "noise", "--palette", "red"
    )
    assert "colours such as" in refused("frame", *wall, "a frog", "--palette", "redd")


@pytest.mark.parametrize("command", ["frame", "paint"])
def test_a_palette_colours_the_hole_and_is_replayed(digress, wall, tmp_path, command) -> None:
    mask = np.zeros((200, 240, 3), np.uint8)
    mask[40:160, 60:180] = 255
    write_image(tmp_path / "mask.png", mask)
    if command == "frame":
        start = ("frame", *wall, "a frog", "--room", 0.25, "--steps", 4)
        path = "{}/candidates/1-a-frog-0.png"
    else:
        start = ("paint", "a frog", "--image", "wall.png", "--mask", "mask.png", "--steps", 4)
        start += ("--seed", 1)
        path = "{}/x.png"
    made = []
    for colour in ("red", "blue"):
        target = colour if command == "frame" else f"{colour}/x.png"
        assert digress(*start, "--palette", colour, "-o", target).code == 0
        made.append(read_image(tmp_path / path.format(colour)).astype(int))
    inside = (made[0] - made[1])[24:40, 24:40].mean((0, 1))
    assert inside[0] > 20 > -20 > inside[2]
    assert digress("replay", path.format("red"), "-o", "again.png").code == 0
    assert (read_image(tmp_path / "again.png") == made[0]).all()


def test_a_mask_by_itself_paints_from_noise(digress, wall, tmp_path) -> None:
    """What is in the hole counts for nothing, not even by way of the autoencoder."""
    mask = np.zeros((200, 240, 3), np.uint8)
    mask[:, 80:160] = 255
    write_image(tmp_path / "mask.png", mask)
    made = []
    for colour in ((0, 0, 0), (255, 0, 255)):
        photo = np.full((200, 240, 3), 140, np.uint8)
        photo[mask > 0] = np.broadcast_to(colour, photo.shape)[mask > 0]
        write_image(tmp_path / "wall.png", photo)
        command = ("paint", "a frog", "--image", "wall.png", "--mask", "mask.png", "--steps", 3)
        assert digress(*command, "--seed", 1, "-o", "x.png").code == 0
        made.append(read_image(tmp_path / "x.png"))
    assert np.abs(made[0].astype(int) - made[1]).max() <= 2  # the mask's soft edge, enlarged
