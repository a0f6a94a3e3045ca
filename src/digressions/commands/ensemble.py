"""``digress ensemble``: several prompts in one picture, and ways to see what became of each."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..geometry import Size
from .chosen import drawn, load_model, settings_for, slug, start_settings
from .groups import ModelOptions, spread
from .options import Guidance, How, Negative, SamplerName, Seed, Steps, Strength
from .side_by_side import Shared, show_pictures, show_table

if TYPE_CHECKING:
    from ..terms import Ensemble


@spread
def ensemble(
    prompts: Annotated[
        list[str], typer.Argument(help="Two or more prompts, or concepts for --both-ways.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; out/PROMPTS.png if not said.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="One a prompt, like 1,0.7; negative for 'away from'.")
    ] = None,
    both_ways: Annotated[
        str | None,
        typer.Option(help="Like 'photo of a {A} that looks like a {B}', filled in both ways."),
    ] = None,
    how: How = "mean",
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a prompt counts, one a prompt: a file, white where it does, or all, left, "
            "right, top, bottom, middle."
        ),
    ] = None,
    soft: Annotated[
        float, typer.Option(help="Width of the regions' edges, in shorter sides: 0 to 0.5.")
    ] = 0.1,
    n: Annotated[int, typer.Option("-n", help="How many, with seeds one after the other.")] = 1,
    best: Annotated[
        int | None, typer.Option(help="Keep only so many of the -n, the best by --by.")
    ] = None,
    by: Annotated[str, typer.Option(help="What --best goes by: balance.")] = "balance",
    balance: Annotated[
        bool, typer.Option("--balance", help="Say how much of each prompt is in each picture.")
    ] = False,
    judge: Annotated[
        list[str] | None, typer.Option(help="What --balance looks for, if not the prompts.")
    ] = None,
    show_map: Annotated[
        bool, typer.Option("--map", help="Also show where in the picture the prompts disagree.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="A sheet of every way, and of each prompt alone.")
    ] = False,
    sweep: Annotated[
        int | None, typer.Option(help="From the first prompt to the second in so many pictures.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Paint over this picture.")] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Paint only where this is white; needs --image.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT; the model's own if not said.")
    ] = None,
    strength: Strength = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = "",
    sampler: SamplerName = None,
    seed: Seed = None,
    model: ModelOptions,
) -> None:
    """Paint several prompts as one picture: a giraffe AND a frog."""
    from ..ensembles.comparison import compared, concepts_in, swept
    from ..ensembles.regions import region_masks, remembered
    from ..ensembles.several import both_ways as filled
    from ..ensembles.several import combine, require_several
    from ..pictures.images import check_suffix, cover
    from ..pictures.original import read_original
    from ..timing import retimed

    _check_numbers(n, best, by)
    if (compare, sweep is not None, best is not None).count(True) > 1:
        raise InputError("--compare, --sweep and --best each want the run for themselves")
    if (compare or sweep is not None) and (show_map or balance or judge):
        raise InputError("--map, --balance and --judge are for pictures, not for a table of ways")
    if mask is not None and image is None:
        raise InputError("--mask needs --image, the picture to keep the rest of")
    texts = prompts if both_ways is None else filled(both_ways, prompts)
    found = require_several(combine(texts, None if weights is None else _numbers(weights)))
    if region and len(region) != len(found.terms):
        raise InputError(f"prompts: {len(found.terms)}, regions: {len(region)}; give one for each")
    target = output or Path("out") / f"{slug(' '.join(prompts))}.png"
    check_suffix(target)
    start = None if image is None else read_original(image)
    hole = None if mask is None else read_original(mask, mask=True)
    places = [remembered(place) for place in region] if region else None
    loaded = load_model(model)
    wanted = Size.parse(size) if size else Size(loaded.size, loaded.size)
    starts = start_settings(loaded, start, hole, strength=strength, sampler=sampler)
    shared = Shared(
        retimed(loaded, starts["timing"]),
        None if start is None else cover(start.pixels, *wanted),
        None if hole is None else cover(hole.pixels, *wanted),
        region_masks(places, wanted, soft) if places else None,
    )
    settings = settings_for(
        loaded,
        str(found),
        drawn(seed),
        wanted,
        negative=negative,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        image=start,
        mask=hole,
        how=how,
        regions=places,
        soft=soft if places else None,
        **starts,
    )
    seeds = [dataclasses.replace(settings, seed=settings.seed + i) for i in range(n)]
    if compare:
        columns = compared(found, shared.job(settings).run, places is not None)
        show_table(shared, columns, seeds, target.with_stem(f"{target.stem}-compare"), film=False)
    elif sweep is not None:
        columns = swept(found, how, sweep)
        show_table(shared, columns, seeds, target.with_stem(f"{target.stem}-sweep"), film=True)
    else:
        concepts = [] if both_ways is None else concepts_in(both_ways, prompts)
        wants = balance or best is not None or judge is not None
        judged = (judge or concepts or _positive(found)) if wants else []
        show_pictures(shared, seeds, target, best=best, judged=judged, maps=show_map)


def _check_numbers(n: int, best: int | None, by: str) -> None:
    if n < 1:
        raise InputError(f"-n {n} must be at least 1")
    if by != "balance":
        raise InputError(f"--by {by!r} is not known: choose balance")
    if best is not None and not 1 <= best <= n:
        raise InputError(f"--best {best} is out of range: 1 to the {n} of -n")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--weights {text!r}: give numbers like 1,0.7") from None


def _positive(ensemble: Ensemble) -> list[str]:
    """The texts that an ensemble goes towards, without syntax."""
    towards = dataclasses.replace(
        ensemble, terms=tuple(term for term in ensemble.terms if term.weight > 0)
    )
    return ["".join(part.text for part in text) for text in towards.texts(1000)]
