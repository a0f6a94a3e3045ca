"""How the bundled model is trained and measured: at tiny sizes, on drawings made up here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.drawings import TRAINING, dataset, drawing, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "training"]


def train_judge(training, dataset: Path, out: Path, monkeypatch, steps: int) -> None:
    settings = (
        f"--size 32 --width 8 --pool 512 --batch 32 --renew 8 --lr 0.01 --no-bf16 --steps {steps}"
    )
    words = ["judge.py", "--data", str(dataset), "--out", str(out), *settings.split()]
    monkeypatch.setattr(sys, "argv", words)
    training.judge.main()


@pytest.fixture(scope="module")
def judged(training, dataset, tmp_path_factory) -> Path:
    """A folder with a judge that has learnt the three shapes."""
    out = tmp_path_factory.mktemp("judge")
    with pytest.MonkeyPatch.context() as monkeypatch:
        train_judge(training, dataset, out, monkeypatch, 300)
    return out


def test_the_judge_recognises_an_artist_that_it_never_saw(training, dataset, judged):
    judge = training.judge.load_judge(judged)
    shapes = torch.from_numpy(np.stack([drawing(name, 60) for name in judge.names] * 16))
    g = torch.Generator().manual_seed(1)
    said = judge.judged(training.bench.plain_composites(shapes, g)).concepts.argmax(1)
    assert (said == torch.arange(3).repeat(16)).float().mean() > 0.66


def test_the_judge_is_not_shown_the_artist_kept_from_it(training, judged):
    assert json.loads((judged / "judge.json").read_text())["drawings"] == 9


def test_a_stopped_judge_goes_on_from_its_checkpoint(training, dataset, judged, monkeypatch):
    before = torch.load(judged / "judge.pt", weights_only=True)
    train_judge(training, dataset, judged, monkeypatch, 300)  # finished: nothing is left to learn
    after = torch.load(judged / "judge.pt", weights_only=True)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_judge_that_was_not_finished_is_refused(training, tmp_path):
    with pytest.raises(SystemExit, match="no finished judge"):
        training.judge.load_judge(tmp_path)


def test_a_seam_shows_at_a_box_and_not_elsewhere(training):
    pictures = torch.full((2, 3, 16, 16), 0.2)
    pictures[..., 4:12, 4:12] = 0.7
    assert training.measures.edge_step(pictures, (4, 4, 12, 12)) == pytest.approx(0.5)
    assert training.measures.edge_step(pictures, (5, 5, 11, 11)) == 0


def test_a_masked_box_covers_its_part_and_leaves_a_ring(training):
    for part in (0.2, 0.5, 0.8, 1.0):
        left, top, right, bottom = training.figures_with_starts.middle_box(64, part, 8)
        assert 0 < left == top
        assert right == bottom < 64
        assert right - left >= min(64 * part, 48)
        assert left % 8 == right % 8 == 0


def test_colours_are_compared_box_by_box(training):
    start = torch.zeros(1, 3, 8, 8)
    picture = start.clone()
    picture[..., :4] = 0.5  # as much light, in another place
    start[..., 4:] = 0.5
    assert training.measures.colour_error(picture, start, 1) == pytest.approx(0)
    assert training.measures.colour_error(picture, start, 2) == pytest.approx(0.5)


def test_the_nearest_picture_of_a_copy_is_its_original(training, judged):
    judge = training.judge.load_judge(judged)
    pool = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    rows = training.measures.embedding(judge, pool)
    assert training.measures.nearest(rows[3:4], rows).item() == pytest.approx(0, abs=1e-5)
    assert training.measures.nearest(rows[3:4], rows[:3]).item() > 1e-3


def test_pairwise_distance_of_pixels_is_the_mean_squared_error(training):
    pictures = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4) / 2])
    rows = training.measures.pixels(pictures)
    assert training.measures.mean_pairwise(rows) == pytest.approx(0.25)


def test_names_with_brackets_and_colons_are_no_syntax(training):
    from digressions.prompts.parse import parse
    from digressions.prompts.scheduling import text_of

    name = "a car (1999) at 10:30 [new|old] \\ @home"
    assert text_of(parse(training.bench.literal(name))) == ((name, 1.0),)


def test_every_section_is_measured_and_lands_in_the_card(
    training, dataset, judged, tmp_path, monkeypatch, bundled
):
    monkeypatch.setattr(training.evaluate.digressions, "load", lambda name: bundled)
    words = f"evaluate.py bundled --data {dataset} --judge {judged} --out {tmp_path}"
    monkeypatch.setattr(sys, "argv", [*words.split(), "--pictures", "2", "--per-concept", "1"])
    training.evaluate.main()
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(training.evaluate.SECTIONS) < set(figures)
    card = training.card.with_figures(f"before\n{training.card.section()}\nafter", figures)
    assert card.startswith("before\n")
    assert card.endswith("\nafter")
    assert "Not measured" not in card
    assert "recognised, animals" in card
    assert training.card.with_figures(card, figures) == card


def test_figures_of_other_settings_are_not_mixed_in(training, tmp_path, judged, bundled):
    path = tmp_path / "figures.json"
    path.write_text(json.dumps({"about": {"steps": 50}}))
    judge = training.judge.load_judge(judged)
    named = [{"concept": name, "categories": [], "names": [name]} for name in judge.names]
    bench = training.bench.Bench(bundled, judge, torch.zeros(3, 96, 96, 4), named, tmp_path)
    with pytest.raises(SystemExit, match="another model, judge or settings"):
        training.evaluate.measure(bench, path, [])


def test_a_card_without_its_section_is_refused(training):
    with pytest.raises(SystemExit, match="no section"):
        training.card.with_figures("# A card", {"about": {"steps": 4, "judge": []}})


def test_a_denoiser_without_pooled_text_goes_on_where_it_was(training):
    told = training.pipeline.make_unet((64, 128)).eval()
    settings = {k: v for k, v in told.config.items() if not k.startswith(("_", "addition_embed"))}
    before = type(told)(**settings).eval()
    after = training.pipeline.with_pooled_text(before).eval()
    inputs = torch.randn(2, 16, 8, 8), torch.tensor([3, 700]), torch.randn(2, 24, 256)
    torch.testing.assert_close(after(*inputs).sample, before(*inputs).sample)


# --- other sizes -------------------------------------------------------------------------------


def shapes() -> torch.Tensor:
    """Sixteen drawings, (16, 96, 96, 4) uint8."""
    names = ("turtle", "frog", "pizza", "turtle") * 4
    return torch.from_numpy(np.stack([drawing(name, 16 * i) for i, name in enumerate(names)]))


def test_a_seed_is_the_same_scene_at_every_size(training):
    small, scenes = training.compose.compose(shapes(), torch.Generator().manual_seed(2), 64)
    large, same = training.compose.compose(shapes(), torch.Generator().manual_seed(2), 128)
    assert [(s.night, s.count) for s in scenes] == [(s.night, s.count) for s in same]
    assert large.shape == (16, 3, 128, 128)
    assert (torch.nn.functional.avg_pool2d(large, 2) - small).abs().mean() < 0.01


def test_what_a_seed_means_does_not_change(training):
    """Figures of the log from its seventh run on stay comparable."""
    pictures = training.compose.composite(shapes(), torch.Generator().manual_seed(2), 64)
    assert pictures[:4].mean((1, 2, 3)).tolist() == pytest.approx(
        [0.53643, 0.49788, 0.52635, 0.60757], abs=1e-4
    )


def test_drawings_too_coarse_for_a_size_are_refused(training):
    coarse = np.zeros((1, 96, 96, 4), np.uint8)
    with pytest.raises(SystemExit, match=r"drawings of 96 px are too coarse.*data.py --size 128"):
        training.dataset.check_size(128, coarse)
    with pytest.raises(SystemExit, match="a multiple of 16"):
        training.dataset.check_size(72, np.zeros((1, 192, 192, 4), np.uint8))
    training.dataset.check_size(64, coarse)


def test_a_model_trained_at_another_size_paints_that_size(training, dataset, tmp_path, monkeypatch):
    import digressions

    _, records, vocabulary = training.dataset.load(dataset)
    training.autoencoder.make_autoencoder(8).save_pretrained(tmp_path / "vae")
    words = f"--data {dataset} --vae {tmp_path / 'vae'} --out {tmp_path} --size 128 --no-bf16"
    args = training.diffusion.parser("").parse_args([*words.split(), "--widths", "64", "64"])
    trainer = training.diffusion.Trainer(None, records, vocabulary, args)
    ids = training.latents.tokenize(trainer.tokenizer, ["photo of a turtle", ""])
    told = torch.tensor([True, False])
    drawn = torch.arange(2)
    batch = training.latents.Batch(torch.randn(2, 16, 16, 16), ids, told, drawn, told)
    trainer.train_step(batch)
    trainer.save(tmp_path / "checkpoint.pt")
    words = f"export.py --data {dataset} --vae {tmp_path / 'vae'} --out {tmp_path / 'model'}"
    monkeypatch.setattr(sys, "argv", [*words.split(), "--checkpoint", f"{tmp_path}/checkpoint.pt"])
    training.export.main()
    assert digressions.load(str(tmp_path / "model")).size == 128
    words = f"--data {dataset} --vae {tmp_path / 'vae'} --out {tmp_path} --no-bf16"
    args = training.diffusion.parser("").parse_args(
        [*words.split(), "--start", str(tmp_path / "model")]
    )
    assert training.diffusion.Trainer(None, records, vocabulary, args).args.size == 128


# --- where drawings come from ------------------------------------------------------------------


def clipart(folder: Path, licence: str) -> Path:
    """An unpacked package with one drawing, named as `openclipart.json` names the turtle's."""
    chosen = json.loads((TRAINING / "openclipart.json").read_text())
    path = folder / "usr/share/openclipart/svg" / chosen["turtle"]
    path.parent.mkdir(parents=True)
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"'
        ' xmlns:cc="http://web.resource.org/cc/" xmlns:rdf="http://www.w3.org/rdf#">'
        f'<metadata><cc:license rdf:resource="{licence}"/></metadata>'
        '<rect x="10" y="5" width="20" height="10" fill="#0a0"/></svg>'
    )
    return folder


def test_a_drawing_from_clip_art_fills_its_picture(training, tmp_path):
    folder = clipart(tmp_path, "http://web.resource.org/cc/PublicDomain")
    art = training.artsets.open_art_set(folder, 96)
    picture = art.render({"label": "turtle"})
    assert picture.shape == (96, 96, 4)
    assert picture[48, 4].tolist() == [0, 170, 0, 255]
    assert art.render({"label": "no such thing"}) is None


def test_clip_art_that_does_not_say_it_is_public_domain_is_refused(training, tmp_path):
    folder = clipart(tmp_path, "http://creativecommons.org/licenses/GPL/2.0/")
    with pytest.raises(ValueError, match="not among the allowed ones"):
        training.artsets.open_art_set(folder, 96).render({"label": "turtle"})


def test_a_debian_package_that_is_not_public_domain_is_refused(training, tmp_path):
    copyright_file = tmp_path / "stamps_1_all/usr/share/doc/stamps/copyright"
    copyright_file.parent.mkdir(parents=True)
    copyright_file.write_text("License: GPL-2\n")
    with pytest.raises(ValueError, match="stamps: its copyright file"):
        training.artsets.check_license(tmp_path / "stamps_1_all")


def test_a_drawing_may_stand_in_for_a_photo(training):
    told = {"turtle": {"skip": ["twemoji"], "photo": ["noto"]}}
    emojis = [{"label": "turtle", "subgroup": 37}]
    (turtle,) = training.concepts.choose(emojis, told)
    art = SimpleNamespace(render=lambda emoji: drawing("turtle", 90))
    styles = {}
    for name, style in (("noto", "cartoon"), ("noto-v1", "cartoon"), ("twemoji", "drawing")):
        art_set = training.artsets.ArtSet(f"@iconify-json/{name}", "1.0.0", style)
        found = training.data.render(turtle, True, {"turtle": {}}, art, art_set)
        styles[name] = found and found[1].style
    assert styles == {"noto": "photo", "noto-v1": "cartoon", "twemoji": None}


@pytest.mark.parametrize("more", ["", "--decoder-only"])
def test_a_stopped_autoencoder_goes_on(training, dataset, tmp_path, monkeypatch, more):
    monkeypatch.setattr(training.autoencoder, "report", lambda *_: None)
    monkeypatch.setattr(training.autoencoder, "set_scaling_factor", lambda *_: None)

    def run(minutes: float) -> dict:
        words = f"autoencoder.py --data {dataset} --out {tmp_path} --size 64 --channels 8"
        words += f" --batch 8 --no-bf16 --threads 1 --minutes {minutes} {more}"
        monkeypatch.setattr(sys, "argv", words.split())
        training.autoencoder.main()
        return torch.load(tmp_path / "checkpoint.pt", weights_only=True)

    first = run(0.02)
    again = run(0.02)  # its time is over: nothing is learnt
    assert again["step"] == first["step"] > 0
    assert all(torch.equal(first["vae"][name], again["vae"][name]) for name in again["vae"])
    more_of_it = run(0.03)
    assert more_of_it["step"] > first["step"]
    assert more_of_it["minutes"] > first["minutes"]


def test_a_step_that_was_put_aside_counts_as_ten_seconds(training, monkeypatch):
    now = iter([0.0, 3.0, 3600.0])
    monkeypatch.setattr(training.checkpoints.time, "monotonic", lambda: next(now))
    clock = training.checkpoints.Minutes(5.0)
    assert clock.tick() == pytest.approx(5 + 3 / 60)
    assert clock.tick() == pytest.approx(5 + 13 / 60)


def test_half_a_checkpoint_is_never_there(training, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    training.checkpoints.write(path, {"step": 1})

    def stopped(state, part):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(training.checkpoints.torch, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        training.checkpoints.write(path, {"step": 2})
    assert torch.load(path, weights_only=True) == {"step": 1}
