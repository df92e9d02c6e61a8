"""Black bars of letterboxed and pillarboxed clips."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import QUICK
from vidstyle import Settings, media, stylize
from vidstyle.plan.bars import find_bars

Pictures = list[NDArray[np.uint8]]
WIDE, HIGH = 96, 80


def pictures(count: int = 6) -> Pictures:
    generator = np.random.default_rng(4)
    ground = generator.integers(60, 250, (10, 12, 3), np.uint8)
    big = np.kron(ground, np.ones((8, 8, 1), np.uint8))
    return [np.roll(big, 2 * number, 1) for number in range(count)]


def boxed(frames: Pictures, above: int, below: int, left: int = 0, right: int = 0) -> Pictures:
    """Black out the sides of frames, as noisily as compression does."""
    generator = np.random.default_rng(5)
    found = []
    for frame in frames:
        dark = generator.integers(0, 6, frame.shape, np.uint8)
        height, width = frame.shape[:2]
        inside = slice(above, height - below), slice(left, width - right)
        dark[inside] = frame[inside]
        found.append(dark)
    return found


def written(path: Path, frames: Pictures) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


def sides(path: Path, **options: object) -> tuple[int, int, int, int] | None:
    bars = find_bars(media.open_clip(path), replace(Settings(), **options))  # type: ignore[arg-type]
    return None if bars is None else (bars.above, bars.below, bars.left, bars.right)


def on_black(frames: Pictures) -> Pictures:
    """A thing on a black ground, as far from all sides."""
    rows, columns = np.mgrid[:HIGH, :WIDE]
    disc = np.hypot(rows - HIGH / 2, columns - WIDE / 2) < 25
    return [frame * disc[..., None] for frame in frames]


def fading(frames: Pictures) -> Pictures:
    dark = [np.zeros_like(frame) for frame in frames[:2]]
    return [*dark, *boxed(frames, 11, 11)]


def changing(frames: Pictures) -> Pictures:
    return [*boxed(frames[:3], 11, 11), *frames[3:]]


CASES: dict[str, tuple[Callable[[Pictures], Pictures], tuple[int, int, int, int] | None]] = {
    "letterbox": (lambda frames: boxed(frames, 11, 11), (11, 11, 0, 0)),
    "one more line below": (lambda frames: boxed(frames, 10, 11), (10, 11, 0, 0)),
    "pillarbox": (lambda frames: boxed(frames, 0, 0, 13, 12), (0, 0, 13, 12)),
    "both": (lambda frames: boxed(frames, 9, 9, 13, 12), (9, 9, 13, 12)),
    "fades in": (fading, (11, 11, 0, 0)),
    "none": (lambda frames: frames, None),
    "not all of the clip": (changing, None),
    "on one side alone": (lambda frames: boxed(frames, 15, 0), None),
    "a thing on black": (on_black, None),
    "black all the time": (lambda frames: [frame * 0 for frame in frames], None),
}


@pytest.mark.parametrize("name", CASES)
def test_bars_are_found_to_the_pixel(tmp_path: Path, name: str) -> None:
    make, expected = CASES[name]
    assert sides(written(tmp_path / "clip.mkv", make(pictures()))) == expected


def test_only_the_wanted_part_is_examined(tmp_path: Path) -> None:
    clip = written(tmp_path / "clip.mkv", changing(pictures()))
    assert sides(clip, end=0.3) == (11, 11, 0, 0)


@pytest.mark.parametrize("last", [True, False])
def test_all_frames_of_an_animation_are_examined(tmp_path: Path, last: bool) -> None:
    frames = boxed(pictures(12), 11, 11)
    if not last:
        frames[-1] = pictures(12)[-1]
    stills = [Image.fromarray(frame) for frame in frames]
    stills[0].save(tmp_path / "clip.gif", save_all=True, append_images=stills[1:])
    assert sides(tmp_path / "clip.gif") == ((11, 11, 0, 0) if last else None)


def test_a_strip_between_wide_bars_is_painted(tmp_path: Path, style: Path) -> None:
    clip = written(tmp_path / "clip.mkv", boxed(pictures(2), 32, 32))
    made = stylize(clip, style, tmp_path / "out.mkv", codec="ffv1", **QUICK | {"size": 32})
    assert (made.width, made.height) == (32, 26)
    assert frames_of(made.output)[0][12:14].max() > 60


def test_a_transparent_animation_has_none(tmp_path: Path) -> None:
    frame = boxed(pictures(1), 11, 11)[0]
    alpha = np.full((HIGH, WIDE, 1), 255, np.uint8)
    alpha[:5] = 0
    media.save_image(tmp_path / "clip.png", np.concatenate([frame, alpha], 2))
    assert sides(tmp_path / "clip.png") is None


def frames_of(path: Path) -> Pictures:
    return [frame.rgb for frame in media.open_clip(path)]


@pytest.mark.parametrize("engine", ["gatys", "keyframes"])
def test_what_is_in_the_bars_stays_as_it_is(tmp_path: Path, style: Path, engine: str) -> None:
    frames = boxed(pictures(12), 11, 11)
    frames[2][-8:-4, 20:60] = 255  # a subtitle, between two of the frames that are examined
    clip = written(tmp_path / "clip.mkv", frames)
    options = QUICK | {"engine": engine, "size": "full", "codec": "ffv1"}
    made = stylize(clip, style, tmp_path / "out.mkv", **options)
    assert any("11 and 11 pixels above and below" in note for note in made.notes)
    assert (made.width, made.height) == (WIDE, HIGH)
    for source, painted in zip(frames_of(clip), frames_of(made.output), strict=True):
        assert painted.shape == source.shape
        assert np.array_equal(painted[:11], source[:11])
        assert np.array_equal(painted[-11:], source[-11:])
        inside = slice(11, HIGH - 11)
        assert np.abs(painted[inside].astype(int) - source[inside]).mean() > 3


def test_bars_are_painted_if_that_is_wanted(tmp_path: Path, style: Path) -> None:
    clip = written(tmp_path / "clip.mkv", boxed(pictures(2), 11, 11))
    made = stylize(clip, style, tmp_path / "out.mkv", bars="paint", codec="ffv1", **QUICK)
    assert not any("black bars" in note for note in made.notes)
    assert frames_of(made.output)[0][:6].max() > 20


def test_a_smaller_painting_keeps_them_in_proportion(tmp_path: Path, style: Path) -> None:
    clip = written(tmp_path / "clip.mkv", boxed(pictures(2), 20, 20))
    made = stylize(clip, style, tmp_path / "out.mkv", codec="ffv1", **QUICK | {"size": 48})
    first = frames_of(made.output)[0]
    assert first.shape == (40, 48, 3)
    assert first[:9].max() < 20
    assert first[11:29].mean() > 60
