"""How a picture looks while it is painted, from its latents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from digressions.events import Preview, Progress
from digressions.generate.params import PaintSpec
from digressions.generate.pictures import Picture, paint_records, records_of
from digressions.generate.preview_pace import PreviewPace
from digressions.generate.previews import LatentColours, PaintPreviews
from digressions.generate.start import read_inputs
from digressions.images.image_files import to_tensor


def painted(model: Any, previews: PaintPreviews | None, **asked: Any) -> list[Any]:
    spec = PaintSpec.of(prompt="photo of a frog", seed=1, steps=4, enlarge=1, **asked)
    inputs = read_inputs(spec.start)
    records = records_of(model, spec, inputs)
    return list(paint_records(model, records, inputs, previews=previews))


def test_colours_from_latents_are_close_to_the_decoded_ones(bundled: Any) -> None:
    colours = LatentColours.of(bundled)
    found = next(e for e in painted(bundled, None) if isinstance(e, Picture))
    image = to_tensor(found.array)[None]
    with torch.inference_mode():
        latents = bundled.encode(image)
    wanted = avg_pool2d(image, bundled.vae_scale_factor)[0].movedim(0, -1).numpy() * 255
    assert np.abs(colours(latents)[0] - wanted).mean() < 16


def test_every_step_is_shown_if_there_is_time_and_pictures_stay_the_same(bundled: Any) -> None:
    ticks = iter(range(1000))
    previews = PaintPreviews(LatentColours.of(bundled), every=1, clock=lambda: next(ticks))
    events = painted(bundled, previews, n=2)
    shown = [event.image for event in events if isinstance(event, Preview)]
    side = bundled.size // bundled.vae_scale_factor
    assert [image.shape for image in shown] == [(side, 2 * side, 3)] * 4
    alone = [e.array for e in painted(bundled, None, n=2) if isinstance(e, Picture)]
    seen = [e.array for e in events if isinstance(e, Picture)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, seen, strict=True))


def test_previews_are_no_more_frequent_than_is_asked(bundled: Any) -> None:
    previews = PaintPreviews(LatentColours.of(bundled), every=10, clock=lambda: 0.0)
    events = painted(bundled, previews)
    assert sum(isinstance(event, Preview) for event in events) == 1
    assert sum(isinstance(event, Progress) for event in events) > 1


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.4, 3.0])
def test_previews_keep_within_their_share_of_the_time(cost: float) -> None:
    now, made = 0.0, 0
    pace = PreviewPace(0.5, share=0.05, clock=lambda: now)
    for _ in range(20_000):  # steps of 10 ms
        now += 0.01
        if pace.is_due():
            with pace.making():
                now += cost
            made += 1
            assert pace.spent <= 0.05 * now or made == 1  # what the first takes, nobody knows
    assert pace.spent == pytest.approx(made * cost)
    could = 0.05 * now / cost  # that many have room
    assert made >= min(0.8 * could, 0.9 * now / 0.5)


def test_an_expensive_preview_has_the_next_wait_and_a_model_paints_on(bundled: Any) -> None:
    now = 0.0

    def slow(latents: Any) -> Any:
        nonlocal now
        now += 1.0
        return colours(latents)

    def clock() -> float:
        nonlocal now
        now += 0.01
        return now

    colours = LatentColours.of(bundled)
    previews = PaintPreviews(slow, every=0, share=0.05, clock=clock)  # type: ignore[arg-type]
    events = painted(bundled, previews)
    assert sum(isinstance(event, Preview) for event in events) == 1
    assert any(isinstance(event, Picture) for event in events)


def test_nothing_is_shown_unless_it_is_asked_for(bundled: Any) -> None:
    assert not any(isinstance(event, Preview) for event in painted(bundled, None))
