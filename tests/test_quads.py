"""What the finder of frames measures of many quads at once is what it would of each."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.frames import corners as corners_of_lines
from digressions.frames import lines
from digressions.frames.corners import line_quads
from digressions.frames.find import find_frames
from digressions.frames.lines import Lines, straight_lines
from digressions.frames.quads import candidate_quads, interiors, smoothed
from digressions.frames.scoring import non_maximum_suppression
from digressions.frames.sides import colours_at, masked_median, measure_sides, median, side_contrast
from digressions.homography import Quad, homography, project

QUADS = np.array(
    [
        [[40, 30], [160, 36], [156, 130], [42, 124]],
        [[200, 40], [280, 40], [280, 100], [200, 100]],
        [[60, 160], [260, 150], [270, 220], [55, 215]],
        [[100, 60], [118, 60], [118, 75], [100, 75]],
    ],
    float,
)


def drawn() -> np.ndarray:
    """Four dark quads on a light wall, the last in the first, and some noise."""
    image = np.full((240, 320, 3), 210.0)
    colours = ((60, 40, 30), (20, 90, 30), (120, 110, 200), (240, 230, 90))
    for quad, colour in zip(QUADS, colours, strict=True):
        cv2.fillConvexPoly(image, quad.astype(np.int32), colour, cv2.LINE_AA)
    return smoothed((image + np.random.default_rng(0).normal(0, 2, image.shape)).astype(np.uint8))


@pytest.mark.parametrize("count", [1, 2, 7, 24, 33])
def test_medians_are_numpys(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, (5, count, 3))
    assert np.allclose(median(values, 1), np.median(values, 1))
    rows = values[..., 0]
    which = np.random.default_rng(count).random(rows.shape) < 0.6
    which[0] = False
    wanted = [np.median(row[w]) if w.any() else 0.0 for row, w in zip(rows, which, strict=True)]
    assert np.allclose(masked_median(rows, which), wanted)


def test_colours_between_pixels_are_linear_and_those_outside_are_the_edges() -> None:
    y, x = np.mgrid[:30, :40].astype(np.float32)
    image = np.dstack([x, y, x + y])
    places = np.random.default_rng(0).uniform(1, 28, (40_000, 1, 2))  # more rows than OpenCV takes
    found = colours_at(image, places)
    assert found.shape == (40_000, 1, 3)
    assert np.abs(found[..., :2] - places).max() < 0.05  # OpenCV has 32 places in a pixel
    outside = colours_at(image, np.array([[[-7.0, 3.0], [60.0, 90.0]]]))
    assert outside.tolist() == [[[0, 3, 3], [39, 29, 68]]]


def test_many_homographies_are_those_of_each() -> None:
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    many = homography(square, QUADS)
    for matrix, quad in zip(many, QUADS, strict=True):
        assert np.allclose(matrix, homography(square, quad))
        assert np.allclose(project(matrix, square), quad)


def test_sides_of_many_quads_are_measured_as_those_of_each() -> None:
    image = drawn()
    off = QUADS + np.random.default_rng(1).uniform(-1, 1, QUADS.shape)
    reach = np.array([4.0, 2.17, 3.9, 1.83])
    many = measure_sides(image, off, reach)
    for index, each in enumerate(many):
        (alone,) = measure_sides(image, off[index : index + 1], float(reach[index]))
        assert np.abs(each.corners - alone.corners).max() < 0.01
        assert np.allclose(each.support, alone.support, atol=0.01)
        assert np.abs(each.corners - QUADS[index]).max() < 0.8  # a pixel that is filled is whole
    assert measure_sides(image, np.zeros((0, 4, 2)), 4.0) == []


def test_a_side_that_cannot_be_seen_stays_where_it_was() -> None:
    image = drawn()
    image[:, :110] = 90.0  # the left side of the first, and half of two others
    (found,) = measure_sides(image, QUADS[:1] + 0.5, 3.0)
    assert found.support[3] < 0.4
    assert np.abs(found.corners[[1, 2]] - QUADS[0, [1, 2]]).max() < 0.6
    assert np.abs(found.corners[[0, 3], 0] - QUADS[0, [0, 3], 0] - 0.5).max() < 0.6


def test_what_is_in_many_quads_is_what_is_in_each() -> None:
    image = drawn()
    many = interiors(image, QUADS)
    assert [each.emptiness for each in many[1:]] == [1, 1, 1]
    assert many[0].emptiness < 0.9  # the small one is in it
    for index, each in enumerate(many):
        alone = interiors(image, QUADS[index : index + 1])[0]
        assert each.emptiness == alone.emptiness
        assert (each.colour == alone.colour).all()
    assert interiors(image, np.zeros((0, 4, 2))) == []


def test_the_moulding_is_reported_to_its_outside() -> None:
    """Something stands before one corner, so a step of it is plainer than its outside."""
    wall = np.full((400, 500, 3), 205.0)
    for grown, level in ((40, 150), (22, 60), (0, 235)):
        wall[120 - grown : 280 + grown, 150 - grown : 350 + grown] = level
    wall[76:90, 100:180] = 205
    wall += np.random.default_rng(0).normal(0, 2, wall.shape)
    found = find_frames(cv2.GaussianBlur(wall, (0, 0), 0.8).clip(0, 255).astype(np.uint8))[0]
    assert found.opening.overlap(Quad((150, 120), (349, 120), (349, 279), (150, 279))) > 0.95
    assert found.outer.overlap(Quad((110, 80), (389, 80), (389, 319), (110, 319))) > 0.95


# --- quads of lines ------------------------------------------------------------------------------


def some_lines(seed: int, count: int) -> Lines:
    rng = np.random.default_rng(seed)
    stretches = [np.sort(rng.uniform(0, 300, 6)).reshape(-1, 2) for _ in range(count)]
    return Lines(
        rng.uniform(-0.05, 0.05, count),
        rng.uniform(10, 290, count),
        tuple(stretches),
    )


def crossing(across: Lines, down: Lines, one: int, other: int) -> tuple[float, float]:
    a, b = across.slope[one], across.offset[one]
    c, d = down.slope[other], down.offset[other]
    y = (a * d + b) / (1 - a * c)
    return c * y + d, y


def quads_one_by_one(across: Lines, down: Lines) -> set[tuple[int, int, int, int]]:
    """All that `corners.py` promises of a quad, tried on all fours of lines."""
    a, b, c, d = across.slope[:, None], across.offset[:, None], down.slope, down.offset
    y = (a * d + b) / (1 - a * c)
    x = c * y + d
    inside = (x > -2) & (x < 302) & (y > -2) & (y < 302)
    begins_x, seen_x = corners_of_lines._edge_begins(across, x)
    begins_y, seen_y = (part.T for part in corners_of_lines._edge_begins(down, y.T))

    along = (x, seen_x, begins_x, inside), (y.T, seen_y.T, begins_y.T, inside.T)

    def share(which: int, line: int, first: int, last: int) -> float:
        at, seen, begins, there = (part[line, [first, last]] for part in along[which])
        length = at[1] - at[0]
        part = (seen[1] - seen[0]) / max(length - 10, 1.0)
        good = there.all() and begins[0] - begins[1] >= 0.7 and length >= 24 and part >= 0.15
        return min(float(part), 1.0) if good else 0.0

    found = set()
    for top, bottom in itertools.permutations(range(len(across)), 2):
        for left, right in itertools.permutations(range(len(down)), 2):
            shares = [share(0, line, left, right) for line in (top, bottom)]
            if min(shares) > 0:
                shares += [share(1, line, top, bottom) for line in (left, right)]
            if min(shares) > 0 and sorted(shares)[1] >= 0.4:
                found.add((top, right, bottom, left))
    return found


@pytest.mark.parametrize("pairs", [1_000_000, 7])
def test_quads_are_all_that_four_lines_make(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    monkeypatch.setattr(corners_of_lines, "_CHUNK_PAIRS", pairs)
    kept: list[np.ndarray] = []

    def all_of_them(corners: np.ndarray, limit: int) -> np.ndarray:
        kept.append(corners)
        return np.arange(len(corners))

    monkeypatch.setattr(corners_of_lines, "_distinct", all_of_them)
    seen = 0
    for seed in range(20):
        across, down = some_lines(2 * seed, 9), some_lines(2 * seed + 1, 9)
        wanted = quads_one_by_one(across, down)
        found = line_quads(across, down, 300, 300, 100)
        assert len(found.corners) == len(wanted)
        for top, right, bottom, left in wanted:
            corner = crossing(across, down, top, left)
            opposite = crossing(across, down, bottom, right)
            off = np.abs(found.corners[:, [0, 2]] - [corner, opposite]).max((1, 2))
            assert off.min() < 1e-6
        seen += len(wanted)
    assert seen > 10


def test_a_wall_without_an_edge_has_no_quads() -> None:
    plain = np.full((300, 400, 3), 128, np.uint8)
    across, down = straight_lines(plain)
    assert len(line_quads(across, down, 400, 300, 100).corners) == 0
    assert find_frames(plain) == []


@given(st.integers(0, 10_000))
def test_openings_that_are_kept_do_not_overlap_and_the_best_is_among_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = np.array([[0, 0], [50, 0], [50, 40], [0, 40]])
    openings = [
        Quad.trusted(base * rng.uniform(0.5, 1.5) + rng.uniform(0, 150, 2)) for _ in range(12)
    ]
    worth = rng.normal(0, 1, 12)
    kept = non_maximum_suppression(openings, openings, worth)
    assert kept[0] == worth.argmax()
    for one, other in itertools.combinations(kept, 2):
        assert openings[one].overlap(openings[other]) <= 0.0011
    for index in set(range(12)) - set(kept):
        beaten = [k for k in kept if worth[k] > worth[index]]
        assert any(openings[k].overlap(openings[index]) > 0.0009 for k in beaten)


# --- what is kept, met and beside ----------------------------------------------------------------


def kept_one_by_one(corners: np.ndarray, most: int) -> list[int]:
    kept: list[int] = []
    for index, quad in enumerate(corners):
        low, high = quad.min(0), quad.max(0)
        crowd = 0
        for other in corners[kept]:
            shared = np.minimum(high, other.max(0)) - np.maximum(low, other.min(0))
            both = shared.clip(0).prod()
            either = np.ptp(quad, 0).prod() + np.ptp(other, 0).prod() - both
            crowd += 6 if np.abs(quad - other).max() <= 3 else both > 0.6 * either
        if crowd < 6 and len(kept) < most:
            kept.append(index)
    return kept


@pytest.mark.parametrize("most", [5, 100])
def test_of_one_place_some_are_kept_and_of_one_quad_one(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(corners_of_lines, "_CHUNK_QUADS", 7)
    rng = np.random.default_rng(0)
    base = np.array([[0.0, 0], [90, 0], [90, 70], [0, 70]])
    places = rng.integers(0, 3, (80, 1, 1)) * np.array([150.0, 0])
    corners = base + places + rng.uniform(-5, 5, (80, 4, 2))
    corners[40:60] = corners[:20] + rng.uniform(-1, 1, (20, 4, 2))
    wanted = kept_one_by_one(corners, most)
    assert corners_of_lines._distinct(corners, most).tolist() == wanted
    if most == 100:
        assert 3 < len(wanted) <= 18  # of each of three places six


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30)), min_size=1, max_size=9))
def test_stretches_that_nearly_touch_become_one(pieces: list[tuple[int, int]]) -> None:
    stretches = np.array([[begin, begin + length] for begin, length in pieces], float)
    merged = lines._union(stretches)
    assert (np.diff(merged.ravel()) > 0).all()
    assert (merged[1:, 0] - merged[:-1, 1] > 7).all()
    at = np.arange(0, 125, 0.25)[:, None]
    inside = ((at >= stretches[:, 0]) & (at <= stretches[:, 1])).any(1)
    covered = ((at >= merged[:, 0]) & (at <= merged[:, 1])).any(1)
    assert covered[inside].all()
    for begin, end in merged:  # what is between pieces is no gap
        gaps = ~inside & (at[:, 0] > begin) & (at[:, 0] < end)
        runs = np.split(np.flatnonzero(gaps), np.flatnonzero(np.diff(np.flatnonzero(gaps)) > 1) + 1)
        assert max(len(run) for run in runs) <= 7 / 0.25 + 1


def test_colours_beside_each_side_are_told_apart() -> None:
    """Top, right, bottom and left of a grey square are other colours."""
    colours = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]], float)
    y, x = np.mgrid[:200, :200] - 99.5
    side = np.where(np.abs(y) > np.abs(x), np.where(y < 0, 0, 2), np.where(x > 0, 1, 3))
    image = colours[side].astype(np.float32)
    image[60:140, 60:140] = 100
    quad = np.array([[59.5, 59.5], [139.5, 59.5], [139.5, 139.5], [59.5, 139.5]])
    found = side_contrast(image, np.stack([quad, quad + 20, quad]))
    assert (
        np.abs(found.profile[0, :, :12] - colours[:, None]).max() < 1
    )  # 2 pixels outside and more
    assert np.abs(found.profile[0, :, -12:] - 100).max() < 1
    assert np.abs(found.wide_profile[0, :, :6] - colours[:, None]).max() < 1
    assert np.abs(found.wide_profile[0, :, -8:] - 100).max() < 1
    assert (
        np.abs(found.wide_roughness[0, :, :6]).max() < 30
    )  # but for the corners, where colours meet
    for part in found:
        assert np.allclose(part[0], part[2])
    alone = side_contrast(image, quad[None] + 20)
    for part, one in zip(found, alone, strict=True):
        assert np.allclose(part[1], one[0], atol=1e-4)


def test_a_quad_that_is_met_again_is_counted_and_knows_what_it_is_in() -> None:
    wall = np.full((400, 500, 3), 205, np.uint8)
    wall[80:320, 110:390] = 60
    wall[120:280, 150:350] = 235
    seen = candidate_quads(cv2.GaussianBlur(wall, (0, 0), 0.8)).quads
    opening = Quad((149.5, 119.5), (349.5, 119.5), (349.5, 279.5), (149.5, 279.5))
    outer = Quad((109.5, 79.5), (389.5, 79.5), (389.5, 319.5), (109.5, 319.5))
    inner = next(each for each in seen if each.quad.overlap(opening) > 0.98)
    around = next(each for each in seen if each.quad.overlap(outer) > 0.98)
    assert inner.hits >= 2  # by its lines, and as a ring of the outer one
    assert all(each.hits >= 1 for each in seen)
    nest = next(nest for nest in inner.outer if seen[nest.quad] is around)
    assert nest.evenness > 0.8
    assert nest.depth == pytest.approx(40 / 240, abs=0.01)
    assert nest._replace(quad=seen.index(inner)) in around.inner
