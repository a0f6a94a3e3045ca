"""Presets: several options set at once, by what the result is for; what is given counts more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self, TypeVar

from ..errors import InputError
from ..events import Note
from .declare import Params, option

PresetName = Literal["poster", "screensaver", "gift", "draft"]


_FILM = {"frame_size": "1280x720", "levels": 4, "seconds": 40.0, "fps": 30}
_SMALL_FILM = {"frame_size": "320", "levels": 2, "seconds": 8.0, "fps": 20}
_DRAFT_FILM = {"grid": "24", "frame_size": "240", "levels": 1, "fps": 12}
_FLYING = {"reuse": 256}  # once these are painted, nothing waits for the model

PRESETS: dict[PresetName, dict[str, dict[str, Any]]] = {
    "poster": {
        "MosaicSpec": {"grid": "96"},
        "PhotoMosaicSpec": {"grid": "96"},
        "BuildParams": {"single": "jpg"},
        "PaintSpec": {"enlarge": 16},
        "EnsembleSpec": {"enlarge": 16},
    },
    "screensaver": {
        "FilmSpec": _FILM,
        "PhotoFilmSpec": _FILM,
        "ServeSpec": _FLYING,
        "ScreensaverSpec": _FLYING,
        "SiteSpec": {"reuse": 512, "max_mb": 40.0},
        "PhotoSiteSpec": {"reuse": 512, "max_mb": 40.0},
    },
    "gift": {
        "MosaicSpec": {"grid": "48"},
        "PhotoMosaicSpec": {"grid": "48"},
        "BuildParams": {"single": "jpg"},
        "FilmSpec": _SMALL_FILM,
        "PhotoFilmSpec": _SMALL_FILM,
        "SiteSpec": {"reuse": 256, "max_mb": 8.0},
        "PhotoSiteSpec": {"reuse": 256, "max_mb": 8.0},
        "PaintSpec": {"n": 4},
        "EnsembleSpec": {"n": 4},
    },
    "draft": {
        "MosaicSpec": {"grid": "24"},
        "PhotoMosaicSpec": {"grid": "24"},
        "FilmSpec": _DRAFT_FILM,
        "PhotoFilmSpec": _DRAFT_FILM,
        "PhotoServeSpec": {"grid": "24"},
        "PhotoScreensaverSpec": {"grid": "24"},
        "PhotoSiteSpec": {"grid": "24", "reuse": 48},
        "ServeSpec": {"grid": "24", "reuse": 48},
        "ScreensaverSpec": {"grid": "24", "reuse": 48},
        "SiteSpec": {"grid": "24", "reuse": 48},
        "PaintSpec": {"enlarge": 1},
        "EnsembleSpec": {"enlarge": 1},
    },
}
"""What each sets, in the spec of each command."""


def preset_option() -> Any:
    """The parameter ``preset`` of a spec; see `PresetParams`."""
    return option(
        None,
        "Set several options for what it is to be: poster (large), screensaver (long and calm), "
        "gift (to give away), draft (quick); those that you give yourself count more.",
        group="Output",
        default_from="none of them",
    )


class PresetParams(Params):
    """A spec with a `preset_option`, whose values fill in what is not given."""

    @classmethod
    def of(cls, /, **flat: Any) -> Self:
        """As `Params.of`, with what the preset sets and nobody gives.

        Raises:
            InputError: The preset sets nothing here.
        """
        name = flat.get("preset")
        given = {each: value for each, value in flat.items() if value is not None}
        return super().of(**cls._set_by(name) | given)

    @classmethod
    def _set_by(cls, name: Any) -> dict[str, Any]:
        if name not in PRESETS:  # none, or what validation refuses
            return {}
        known = [each for each, specs in PRESETS.items() if cls.__name__ in specs]
        if name not in known:
            raise InputError(f"`preset` {name} is not for this: choose one of {', '.join(known)}")
        return PRESETS[name][cls.__name__]


_P = TypeVar("_P", bound=Params)


def with_preset(group: _P, preset: PresetName | None) -> _P:
    """A group beside the spec that the preset was given to, with what it sets and nobody gave."""
    values = {} if preset is None else PRESETS[preset].get(type(group).__name__, {})
    left = {name: value for name, value in values.items() if name not in group.model_fields_set}
    return group.but(**left) if left else group


def notes_on_preset(*groups: Params, preset: PresetName | None) -> Iterator[Note]:
    """What a preset has set, in one line.

    Args:
        groups: The specs that it may have set something in.
    """
    if preset is None:
        return
    found = [
        f"`{name}` {shown}"
        for group in groups
        for name, value in PRESETS[preset].get(type(group).__name__, {}).items()
        if (shown := str(value_of(group, name))) == str(value)
    ]
    yield Note(f"preset {preset}: {', '.join(found) or 'changes nothing, as you set all of it'}")


def value_of(group: Params, name: str) -> Any:
    """A parameter of a spec, or of a group that is embedded in it."""
    for own in type(group).model_fields:
        value = getattr(group, own)
        if own == name:
            return value
        if isinstance(value, Params) and name in type(value).flat_fields():
            return value_of(value, name)
    raise KeyError(name)
