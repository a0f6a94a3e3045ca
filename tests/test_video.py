"""Films: what is written is what was rendered, whole or not at all, in constant memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from digressions.errors import InputError, OutputError
from digressions.events import completed
from digressions.geometry import Size
from digressions.images.image_files import read_image, read_text
from digressions.images.video import (
    Film,
    FrameList,
    _insert,
    check_video,
    read_video_text,
    write_video,
)

SIZE = Size(64, 48)


@dataclass
class Sweep:
    """A bar that goes over a gradient, all in one loop."""

    count: int = 12
    fps: int = 25
    size: Size = SIZE

    def frame(self, index: int) -> np.ndarray:
        y, x = np.mgrid[0 : self.size.height, 0 : self.size.width]
        frame = np.stack([x * 3, y * 4, 255 - x * 2], -1).clip(0, 255).astype(np.uint8)
        frame[:, index * 4 % self.size.width :][:, :8] = (250, 230, 40)
        return frame


def written(path: Path, film: Film, **options: Any) -> Size:
    """Writes a film to its end; gives the size of its frames."""
    return completed(write_video(path, film, **options))


def read_back(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("suffix", "error"), [(".mp4", 6), (".webm", 7), (".gif", 6)])
def test_a_film_shows_the_frames_that_it_was_given(
    tmp_path: Path, suffix: str, error: float
) -> None:
    film, path = Sweep(), tmp_path / f"film{suffix}"
    writing = write_video(path, film)
    seen = list(writing)
    frames = read_back(path)
    assert len(frames) == film.count
    assert seen == list(range(1, film.count + 1))
    for index, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - film.frame(index)).mean() < error
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_gif_loops_for_ever_at_its_speed(tmp_path: Path) -> None:
    written(tmp_path / "a.gif", Sweep())
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.info["loop"], image.info["duration"], image.n_frames) == (0, 40, 12)


def test_a_gif_fits_where_it_should(tmp_path: Path) -> None:
    written(tmp_path / "a.gif", Sweep())
    whole = (tmp_path / "a.gif").stat().st_size
    seen = list(write_video(tmp_path / "b.gif", Sweep(), most_bytes=whole // 2))
    size = Image.open(tmp_path / "b.gif").size
    assert written(tmp_path / "c.gif", Sweep(), most_bytes=whole // 2) == size
    assert (tmp_path / "b.gif").stat().st_size <= whole // 2
    assert size[0] < 64
    assert seen == seen.count(1) * list(range(1, 13))  # each try begins again


def test_a_gif_that_can_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="12 frames does not fit 100 bytes"):
        written(tmp_path / "a.gif", Sweep(), most_bytes=100)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_holds_every_frame_exactly(tmp_path: Path) -> None:
    film = Sweep()
    written(tmp_path / "frames", film, text={"digressions": "{}"})
    files = sorted((tmp_path / "frames").iterdir())
    assert len(files) == film.count
    assert np.array_equal(read_image(files[5]), film.frame(5))
    assert read_text(files[5])["digressions"] == "{}"


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_video_remembers(tmp_path: Path, suffix: str) -> None:
    text = {"parameters": "frog\nSteps: 3", "digressions": '{"prompt": "\u03b1 \\"frog\\"; =#\\n"}'}
    written(tmp_path / f"a{suffix}", Sweep(), text=text)
    assert text.items() <= read_video_text(tmp_path / f"a{suffix}").items()


def test_a_gif_remembers_and_is_still_a_gif(tmp_path: Path) -> None:
    text = {"parameters": "frog " * 200, "digressions": "\u03b1"}
    written(tmp_path / "a.gif", Sweep(), text=text)
    assert read_text(tmp_path / "a.gif") == text
    assert len(read_back(tmp_path / "a.gif")) == 12
    assert Image.open(tmp_path / "a.gif").n_frames == 12


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_an_odd_size_is_refused_by_video(suffix: str) -> None:
    with pytest.raises(InputError, match=r"^size 65x48: .* even sides only"):
        check_video(Path(f"a{suffix}"), Size(65, 48))
    check_video(Path("a.gif"), Size(65, 47))


def test_an_unknown_suffix_is_refused() -> None:
    with pytest.raises(OutputError, match=r"cannot write '\.avi'"):
        check_video(Path("a.avi"), Size(64, 48))


def test_a_film_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    class Broken(Sweep):
        def frame(self, index: int) -> np.ndarray:
            if index == 7:
                raise KeyboardInterrupt
            return super().frame(index)

    (tmp_path / "a.mp4").write_bytes(b"the film of yesterday")
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a.mp4", Broken())
    assert (tmp_path / "a.mp4").read_bytes() == b"the film of yesterday"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_long_film_takes_no_more_memory_than_a_short_one(tmp_path: Path, suffix: str) -> None:
    peaks = []
    written(tmp_path / f"warm{suffix}", Sweep(2))
    for count in (20, 200):
        tracemalloc.start()
        written(tmp_path / f"a{suffix}", Sweep(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_a_comment_goes_into_a_long_gif_without_reading_it_whole(tmp_path: Path) -> None:
    head = b"GIF89a" + bytes([64, 0, 48, 0, 0x80, 0, 0]) + b"palette"[:6]
    with (tmp_path / "long.gif").open("wb") as gif:
        gif.write(head)
        gif.truncate(200_000_000)  # a hole: takes no disk
    tracemalloc.start()
    _insert(tmp_path / "long.gif", b"<comment>")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert (tmp_path / "long.gif").stat().st_size == 200_000_009
    with (tmp_path / "long.gif").open("rb") as gif:
        assert gif.read(30).startswith(head + b"<comment>\0")


def test_closing_the_writer_leaves_what_was_there(tmp_path: Path) -> None:
    for suffix in (".mp4", ".gif", ".webp"):
        (tmp_path / f"a{suffix}").write_bytes(b"the film of yesterday")
        writing = write_video(tmp_path / f"a{suffix}", Sweep())
        assert [next(writing), next(writing)] == [1, 2]
        writing.close()
        assert (tmp_path / f"a{suffix}").read_bytes() == b"the film of yesterday"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_webp_has_its_frames_its_time_and_remembers(tmp_path: Path) -> None:
    frames = [np.full((16, 24, 3), value, np.uint8) for value in (0, 120, 250)]
    path = tmp_path / "new" / "a.webp"
    assert written(path, FrameList(frames, 1 / 0.12), text={"parameters": "a frog"}) == (24, 16)
    with Image.open(path) as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (3, (24, 16), 0)
        film.seek(1)
        assert abs(np.asarray(film.convert("RGB")).astype(int) - 120).max() < 5
        film.load()
        assert film.info["duration"] == 120
    assert read_text(path) == {"parameters": "a frog"}


def test_a_webp_that_would_take_all_the_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"5\.0 GB of memory: use \.mp4"):
        check_video(tmp_path / "a.webp", Size(1000, 1000), 1667)
    check_video(tmp_path / "a.webp", Size(1000, 1000), 100)
    with pytest.raises(OutputError, match="at most 16,383"):
        check_video(tmp_path / "a.webp", Size(20_000, 10))
