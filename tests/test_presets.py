"""Presets set several parameters at once, say which, and give way to what is given."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.errors import InputError
from digressions.events import Note
from digressions.generate.declare import Params
from digressions.generate.params import PaintSpec
from digressions.generate.presets import PRESETS, notes_on_preset, value_of, with_preset
from digressions.models.base import Model
from digressions.mosaics.build import build
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.worlds.photo_world_spec import (
    PhotoFilmSpec,
    PhotoScreensaverSpec,
    PhotoServeSpec,
    PhotoSiteSpec,
)
from digressions.worlds.world_spec import FilmSpec, ScreensaverSpec, ServeSpec, SiteSpec

SPECS = (
    *(MosaicSpec, FilmSpec, ServeSpec, ScreensaverSpec, SiteSpec, PaintSpec, EnsembleSpec),
    BuildParams,
    *(PhotoMosaicSpec, PhotoFilmSpec, PhotoServeSpec, PhotoScreensaverSpec, PhotoSiteSpec),
)


def made(spec: type[Params], **given: Any) -> Params:
    if spec.__name__.startswith("Photo"):
        return spec.of(tiles=["photos"], **given)
    prompts: dict[str, Any] = {"prompts": ["a cat", "a dog"]} if spec is EnsembleSpec else {}
    return spec.of(**prompts or {"prompt": "a cat"}, **given)


def test_presets_are_of_specs_and_parameters_that_are_there() -> None:
    specs = {spec.__name__: spec for spec in SPECS}
    for name in itertools.chain.from_iterable(PRESETS.values()):
        assert name in specs
    for preset, groups in PRESETS.items():
        for name, values in groups.items():
            assert values.keys() <= specs[name].flat_fields().keys(), (preset, name)


@pytest.mark.parametrize(
    ("preset", "spec"),
    [(preset, spec) for preset in PRESETS for spec in SPECS if spec.__name__ in PRESETS[preset]],
)
def test_what_a_preset_sets_is_said_and_what_is_given_counts_more(
    preset: Any, spec: type[Params]
) -> None:
    if spec is BuildParams:
        assert with_preset(BuildParams(), preset).single == "jpg"
        assert with_preset(BuildParams(single="tif"), preset).single == "tif"
        return
    values = PRESETS[preset][spec.__name__]
    found = made(spec, preset=preset)
    (note,) = notes_on_preset(found, preset=preset)
    for name, value in values.items():
        assert str(value_of(found, name)) == str(value)
        assert f"`{name}` {value}" in note.text
    first = next(iter(values))
    own = {"grid": "17", "enlarge": 3, "n": 2, "reuse": 17, "frame_size": "99x99"}[first]
    found = made(spec, preset=preset, **{first: own})
    assert str(value_of(found, first)) == str(own)
    (note,) = notes_on_preset(found, preset=preset)
    assert f"`{first}`" not in note.text


def test_a_preset_that_sets_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="poster is not for this: choose one of screensaver"):
        FilmSpec.of(prompt="a cat", preset="poster")
    with pytest.raises(InputError, match="'loud' is not known"):
        FilmSpec.of(prompt="a cat", preset="loud")


def test_a_mosaic_says_its_preset_first(bundled: Model, tmp_path: Any) -> None:
    spec = MosaicSpec.of(prompt="a cat", preset="gift", grid=2)
    first = next(iter(build(bundled, spec, tmp_path / "m")))
    assert first == Note("preset gift: `single` jpg")
