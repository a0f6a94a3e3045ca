"""What stands beside an ensemble, where prompts count, and the sheets and films that show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.ensembles.comparison import compared, concepts_in, mixture, swept
from digressions.errors import InputError
from digressions.geometry import Size
from digressions.images.contact_sheet import comparison_sheet
from digressions.images.masks import read_region, region_masks
from digressions.prompts.parse import parse
from digressions.prompts.scheduling import COMBINE_HELP, REGIONAL


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (["photo of a giraffe", "photo of a frog"], "photo of a mixture of a giraffe and a frog"),
        (["a giraffe", "a frog", "an owl"], "a mixture of a giraffe, a frog and an owl"),
        (["giraffe", "frog"], "a mixture of giraffe and frog"),
        (["a frog", "a frog on a tree"], "a mixture of a frog and a frog on a tree"),
    ],
)
def test_a_mixture_in_words(prompts: list[str], expected: str) -> None:
    assert mixture(prompts) == expected


def test_every_prompt_alone_their_mixture_and_every_way() -> None:
    columns = compared(parse("a (b:1.2) AND c :0.7"), 4)
    assert [c.prompt for c in columns[:3]] == ["a (b:1.2)", "c", "a mixture of a (b:1.2) and c"]
    assert [c.combine for c in columns[3:]] == list(COMBINE_HELP)
    assert all(parse(c.prompt) == parse("a (b:1.2) AND c :0.7") for c in columns[3:])


def test_ways_that_cannot_be_are_left_out() -> None:
    away = {c.combine for c in compared(parse("a AND b :-1"), 4) if c.whole}
    assert away == {"sum", "perp", "max", "superpose"}
    assert {c.combine for c in compared(parse("a AND b"), 4, regions=True) if c.whole} == {
        *REGIONAL
    }


def test_a_sweep_goes_from_the_first_prompt_to_the_second() -> None:
    columns = swept(parse("a AND b :0.3"), "mean", 3)
    assert [c.prompt for c in columns] == ["a AND b :0", "a :0.5 AND b :0.5", "a :0 AND b"]
    with pytest.raises(InputError, match="at least 2"):
        swept(parse("a AND b"), "mean", 1)
    with pytest.raises(InputError, match="here are 3"):
        swept(parse("a AND b AND c"), "mean", 3)


def test_concepts_are_looked_for_as_the_template_has_them() -> None:
    template = "photo of a {A} that looks like a {B}"
    assert concepts_in(template, ["frog ", "fox"]) == ["photo of a frog", "photo of a fox"]


def test_named_regions_share_the_picture_and_edges_are_as_soft_as_asked() -> None:
    size = Size(40, 20)
    left, right = region_masks([read_region("left"), read_region("right")], size, 0.0)
    assert (left[:, :20] == 255).all()
    assert (left + right == 255).all()
    soft = region_masks([{"name": "left"}, {"name": "right"}], size, 0.2)
    assert abs(soft.astype(int).sum(0) - 255).max() <= 1
    edge = (soft[0, 10] > 5) & (soft[0, 10] < 250)
    assert 4 <= edge.sum() <= 9


def test_a_file_is_a_region_where_it_is_white(tmp_path: Path) -> None:
    mask = np.zeros((40, 80), np.uint8)
    mask[:, 60:] = 255
    path = tmp_path / "where.png"
    Image.fromarray(mask).save(path)
    (found,) = region_masks([read_region(str(path))], Size(40, 20), 0.0)
    assert found.shape == (20, 40)
    assert found[:, 32:].min() > 250
    assert found[:, :28].max() < 5
    with pytest.raises(InputError, match=r"is 80 x 40 and the picture 40 ?x ?40"):
        region_masks([read_region(str(path))], Size(40, 40), 0.0)
    with pytest.raises(InputError, match=r"region_softness 0.7 is out of range"):
        region_masks([read_region(str(path))], Size(40, 20), 0.7)


def test_a_comparison_shows_every_picture_in_its_place() -> None:
    colours = [[(250, 0, 0), (0, 250, 0), (0, 0, 250)], [(9, 0, 90), (90, 90, 0), (0, 90, 90)]]
    rows = [[np.full((50, 120, 3), colour, np.uint8) for colour in row] for row in colours]
    sheet = comparison_sheet(rows, ["a", "a long heading " * 9, ""], ["seed 1", "seed 22"])
    rest = sheet.reshape(-1, 3)
    for row in colours:
        for colour in row:
            assert (rest == colour).all(1).sum() == 50 * 120
    places = [np.argwhere((sheet == colour).all(2)).mean(0) for row in colours for colour in row]
    assert places[0][0] == places[1][0] == places[2][0] < places[3][0]
    assert places[0][1] == places[3][1] < places[1][1] < places[2][1]


def test_small_pictures_are_enlarged_for_their_headings() -> None:
    sheet = comparison_sheet([[np.full((8, 8, 3), 250, np.uint8)]], ["mean"], ["seed 1"])
    assert ((sheet == 250).all(2)).sum() == 112 * 112
