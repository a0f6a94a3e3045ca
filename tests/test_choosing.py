"""Which frames get what: everything that can be found wrong without a model, and writes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digressions.errors import DigressionsError, InputError, PromptError
from digressions.frames.aspect import Aspect
from digressions.frames.choosing import check_likely, choose, numbered, read_frames
from digressions.frames.find import Frame, draw_frames, find_frames
from digressions.frames.frame_spec import FrameSpec
from digressions.frames.inserting import save_found, save_inserted
from digressions.homography import Quad

from .conftest import tree
from .walls import OPENING, POSTER, framed, painted, stripes, two_framed

WHITE = (225, 224, 218)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of walls in a folder."""
    folder = tmp_path_factory.mktemp("rendered")
    pictures = {
        "wall": framed(),
        "two": painted([(OPENING, WHITE), (POSTER, (60, 90, 140))]),
        "pair": two_framed(),
        "bare": painted([]),
        "picture": stripes(),
        "small": np.full((100, 200), 255, np.uint8),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def walls(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the photos in it."""
    shutil.copytree(rendered, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("photo", "given", "words"),
    [
        ("wall", {}, "say what to do"),
        ("none", {"find": True}, "no such file"),
        ("bare", {"find": True}, "`corners`"),
        ("bare", {"prompts": "a fox"}, "`corners`"),
        ("wall", {"prompts": ["a fox", "a frog", "a cat"]}, "3 pictures"),
        ("wall", {"insert": ["wall.png"] * 9}, "9 pictures"),
        ("wall", {"insert": ["wall.png"] * 2, "frame": 1}, "1 times `frame`"),
        ("wall", {"insert": "none.png"}, "no such file"),
        ("wall", {"prompts": "a fox", "frame": 9}, "`frame` 9"),
        ("wall", {"find": True, "frame": 7}, "`frame` 7"),
        ("two", {"prompts": ["a fox", "a frog"], "frame": 1}, "`frame` for 2"),
        ("two", {"prompts": "a fox", "frame": [1, 1]}, "twice"),
        ("wall", {"prompts": "a fox", "insert": "picture.png"}, "`insert`"),
        ("wall", {"prompts": "a fox", "n": 0}, "`n` 0"),
        ("wall", {"prompts": "a fox", "n": 2, "pick": 3}, "`pick` 3"),
        ("two", {"prompts": ["a fox", "a frog"], "pick": [1, 1, 1]}, "3 times `pick`"),
        ("two", {"prompts": ["a fox", "a frog"], "n": [4, 2], "pick": [3, 3]}, "`pick` 3"),
        ("two", {"prompts": ["a fox", "a frog"], "n": [1, 2, 3]}, "3 times `n`"),
        ("two", {"prompts": ["a fox", "a frog"], "room": [0.1] * 3}, "3 times `room`"),
        ("wall", {"prompts": "a fox", "n": [3, 3], "explain": True}, "takes one `n`"),
        ("wall", {"prompts": "a fox", "room": 2.0}, "`room` 2.0"),
        ("wall", {"prompts": "a fox", "size": "A99"}, "`size` 'A99' is not known"),
        ("wall", {"prompts": "a fox", "size": "9x12"}, "no unit"),
        ("wall", {"prompts": "a fox", "size": "A4", "dpi": 0}, "`dpi` 0"),
        ("wall", {"prompts": "a fox", "size": "A4", "print_as": "doc"}, "`print_as`"),
        ("wall", {"prompts": "a fox", "size": "A4", "icc": "small.png"}, "ICC profile"),
        ("wall", {"prompts": "a fox", "bleed": "3mm"}, "`bleed` is about the print"),
        ("wall", {"prompts": "a fox", "print_as": "tif"}, "`print_as` is about the print"),
        ("wall", {"prompts": "a fox", "refine": "x", "refine_scale": 9.0}, "`refine_scale` 9"),
        ("wall", {"prompts": "a fox", "refine": "x", "refine_strength": 2.0}, "refine_strength` 2"),
        ("wall", {"prompts": "a fox", "refine_scale": 3.0}, "are about `refine`"),
        ("wall", {"prompts": "a (fox"}, "never closed"),
        ("wall", {"prompts": "a fox", "refine": "a (fox"}, "never closed"),
        ("wall", {"prompts": "a fox", "negative": "a AND b"}, "must be one text"),
        ("wall", {"prompts": "  "}, "a prompt is empty"),
        ("wall", {"prompts": "a fox", "mask": "small.png"}, "200 x 100"),
        ("wall", {"find": True, "corners": ["0,0", "9,0", "2,1", "0,9"]}, "convex"),
        ("wall", {"find": True, "corners": "0,0 9,0 9,9"}, "a frame has four"),
        ("wall", {"find": True, "corners": [1, 2, 3, 4]}, "give four"),
        ("wall", {"find": True, "corners": [[9e3, 0], [9100, 0], [9100, 90], [9e3, 90]]}, "0 pix"),
        ("wall", {"find": True, "corners": [(50, 50), (51, 50), (51, 51), (50, 51)]}, "1 pixels"),
        ("wall", {"find": True, "corners": OPENING, "mask": "small.png"}, "give one of them"),
        (
            "wall",
            {"insert": "picture.png", "dpi": 99},
            "`dpi` is about the print, and needs `size`",
        ),
        ("wall", {"insert": "picture.png", "steps": 3}, "`steps` is about painted"),
        ("wall", {"find": True, "refine": "a fox"}, "`refine` is about painted"),
        ("wall", {"find": True, "n": 3}, "`n` is about painted"),
        ("wall", {"find": True, "explain": True}, "needs one prompt"),
        ("wall", {"prompts": "a fox", "explain": True, "size": "A4"}, "`size` does nothing with"),
        ("wall", {"prompts": "a fox", "explain": True, "strength": 0.8}, "`strength` does nothing"),
        ("wall", {"prompts": "a fox", "explain": True, "n": 2}, "at least 3"),
        ("wall", {"prompts": "a fox", "upscaler": "no"}, "`upscaler` 'no' is not known"),
        ("wall", {"prompts": "a fox", "palette": "redd"}, "colours such as"),
        (
            "wall",
            {"prompts": "a fox", "palette": "red", "masked_content": "noise"},
            "would forget the `palette`",
        ),
        ("wall", {"prompts": "a fox", "timestep_spacing": "soon"}, "`timestep_spacing` 'soon'"),
        ("wall", {"prompts": "a fox", "guidance_rescale": 2.0}, "0 to 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_is_said_in_one_line_before_anything_is_written(
    walls: Path, photo: str, given: dict[str, Any], words: str
) -> None:
    before = tree(walls)
    with pytest.raises(DigressionsError) as refused:
        read_frames(f"{photo}.png", FrameSpec.of(**given), Path("o"))
    assert words in refused.value.message
    assert "\n" not in refused.value.message
    assert tree(walls) == before


def test_every_option_of_a_negative_is_one_text(walls: Path) -> None:
    """They are drawn for each candidate, by its seed."""
    given = {"prompts": "a {fox|cat}", "refine": "{fur|feathers}"}
    assert read_frames("wall.png", FrameSpec.of(**given, negative="{blur|text}"), Path("o")).found
    with pytest.raises(PromptError, match="must be one text"):
        read_frames("wall.png", FrameSpec.of(**given, negative="{blur|[a:b:0.5]}"), Path("o"))


@pytest.mark.parametrize("name", ["room.png", "picture.png", "print-2-proof.png"])
def test_the_photo_is_never_written_over(walls: Path, name: str) -> None:
    Image.fromarray(framed()).save(name)
    (walls / "here").symlink_to(walls)
    for given in ({"photo": name}, {"photo": "wall.png", "palette": name}):
        photo = given.pop("photo")
        for folder in (walls, Path("here")):
            with pytest.raises(InputError, match="written over"):
                read_frames(photo, FrameSpec.of(prompts="a fox", **given), folder)
    if name != "room.png":  # nothing of that name is written where none are painted
        assert read_frames(name, FrameSpec.of(find=True, corners=OPENING), walls).found


def test_a_folder_that_cannot_be_written_to_is_refused(walls: Path) -> None:
    with pytest.raises(InputError, match=r"wall\.png is not a folder: choose another output"):
        read_frames("wall.png", FrameSpec.of(prompts="a cat"), Path("wall.png/o"))


def test_what_is_hardly_a_frame_is_not_taken_unasked() -> None:
    (frame,) = find_frames(framed())
    check_likely([frame], [0], "wall.png")
    found = [replace(frame, score=0.1), replace(frame, score=0.05), frame]
    check_likely(found, [2], "wall.png")
    with pytest.raises(
        InputError, match=r"wall\.png: .* after 1 has score 0\.10, and is more often none: fr"
    ):
        check_likely(found, [0, 2], "wall.png")


def at(x: float, y: float, width: float = 100.0, height: float = 80.0, score: float = 0.9) -> Frame:
    """A frame with its opening's middle at a place."""
    (left, top), (right, bottom) = (x - width / 2, y - height / 2), (x + width / 2, y + height / 2)
    quad = Quad((left, top), (right, top), (right, bottom), (left, bottom))
    return Frame(quad, quad, score, {}, Aspect(1.25, 0.0))


ROW = [at(100, 100), at(300, 118), at(500, 90)]
BELOW = [at(90, 290, height=200), at(320, 240), at(330, 360)]  # two beside a tall one
VAGUE = [at(400, 20, score=0.1), at(20, 420, score=0.49)]


def test_frames_are_numbered_as_one_reads() -> None:
    everything = [*ROW, *BELOW, *VAGUE]
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(everything))
        assert numbered([everything[i] for i in order]) == everything
    assert numbered([]) == []


@pytest.mark.parametrize("scores", [(0.6, 0.9, 0.7), (0.9, 0.55, 0.6)])
def test_numbers_do_not_depend_on_scores(scores: tuple[float, ...]) -> None:
    frames = [replace(frame, score=score) for frame, score in zip(ROW, scores, strict=True)]
    surest_first = sorted(frames, key=lambda frame: -frame.score)
    assert numbered(surest_first) == frames
    best = max(range(3), key=scores.__getitem__)
    assert choose(frames, None, 1, one_for_all=True) == [best]
    two = choose(frames, None, 2, one_for_all=False)
    assert two == sorted(two)
    assert best in two


def test_the_numbers_of_a_photo_and_of_the_filled_room_agree(walls: Path) -> None:
    given = FrameSpec.of(insert="picture.png", frame=2)
    empty = read_frames("pair.png", given, Path("o"))
    list(save_inserted(empty, given.paper, Path("o")))
    filled = read_frames("o/room.png", given, Path("o2"))
    assert len(empty.found) == 2
    for one, other in zip(empty.found, filled.found[:2], strict=True):
        assert one.opening.overlap(other.opening) > 0.9


def test_numbers_are_large_and_inside_the_photo(walls: Path) -> None:
    photo = np.full((600, 800, 3), 128, np.uint8)
    frames = [at(400, 300, 300, 200), at(790, 590, 60, 60)]
    drawn = draw_frames(photo, frames)
    ink = (drawn > 200).all(-1)
    rows = np.nonzero(ink[220:380, 300:500])[0]
    assert np.ptp(rows) > 60  # pixels of a photo of 800
    assert (drawn[500:, 700:] < 30).all(-1).sum() > 800  # the whole disc is in the photo
    assert (drawn[100:180] == 128).all()  # nothing but lines and numbers


def test_frames_are_chosen_in_the_order_of_the_prompts() -> None:
    (frame,) = find_frames(framed())
    three = [frame] * 3
    assert choose(three, None, 2, one_for_all=False) == [0, 1]
    assert choose(three, [3, 1], 2, one_for_all=False) == [2, 0]
    assert choose(three, [3, 1], 1, one_for_all=True) == [2, 0]
    assert choose(three, [], 0, one_for_all=False) == []


def test_a_spec_is_the_same_from_json(walls: Path) -> None:
    spec = FrameSpec.of(
        prompts=["a fox", "a frog"], corners=OPENING, size="A4", bleed="3mm", refine="x", steps=3
    )
    assert FrameSpec.from_json_object(spec.json_object()) == spec
    assert spec.corners is not None
    assert [Quad.parse(each) for each in spec.corners] == [OPENING]


def test_openings_that_are_given_are_numbered_as_they_are_given(walls: Path) -> None:
    spec = FrameSpec.of(prompts=["a fox", "a frog"], corners=[str(OPENING), POSTER], frame=[2, 1])
    found = read_frames("wall.png", spec, None, within=walls / "o")
    assert np.allclose([frame.opening for frame in found.found], [OPENING, POSTER], atol=0.05)
    assert found.chosen == [1, 0]
    assert found.usual_folder == walls / "o" / "wall-frame"


@pytest.mark.parametrize("corners", [OPENING, str(OPENING), [str(OPENING)], str(OPENING).split()])
def test_one_opening_is_given_as_four_points_or_one_text(corners: Any) -> None:
    (read,) = FrameSpec.of(find=True, corners=corners).corners or []
    assert np.allclose(Quad.parse(read), OPENING, atol=0.05)


def test_a_palette_is_for_all_frames_or_for_each(walls: Path) -> None:
    given = {"prompts": ["a fox", "a frog"], "corners": [OPENING, POSTER], "frame": [1, 2]}

    def palettes(*texts: str) -> list[Any]:
        found = read_frames("wall.png", FrameSpec.of(palette=texts, **given), walls / "o").palettes
        return [None if each is None else each[1]["colours"] for each in found]

    assert palettes("navy,teal") == [["navy", "teal"]] * 2
    assert palettes("none", "red") == [None, ["red"]]
    with pytest.raises(InputError, match="3 times palette for 2 frames"):
        palettes("red", "green", "navy")


def test_frames_are_found_and_pictures_hung_without_torch(walls: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from digressions.frames.choosing import read_frames;"
        "from digressions.frames.frame_spec import FrameSpec;"
        "from digressions.frames.inserting import save_found, save_inserted;"
        "spec = FrameSpec.of(find=True, insert='picture.png'); folder = Path('o');"
        "inputs = read_frames('wall.png', spec, folder);"
        "list(save_found(inputs, folder)); list(save_inserted(inputs, spec.paper, folder));"
        "assert 'torch' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    made = {path.name for path in Path("o").iterdir()}
    assert made == {"found.jpg", "frames.json", "room.png", "before-after.jpg"}


def test_pictures_in_memory_are_hung_as_files_are(walls: Path) -> None:
    for name, photo, picture in (
        ("o", "wall.png", "picture.png"),
        ("p", framed(), Image.fromarray(stripes())),
    ):
        folder = Path(name)
        inputs = read_frames(photo, FrameSpec.of(find=True, insert=[picture]), folder)
        list(save_found(inputs, folder))
        list(save_inserted(inputs, FrameSpec.of().paper, folder))
    one, other = (np.asarray(Image.open(f"{name}/room.png")) for name in "op")
    assert (one == other).all()
