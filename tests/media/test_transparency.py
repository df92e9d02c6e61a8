"""What is clear stays clear, in every order of clear and opaque frames."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from vidstyle import media
from vidstyle.core.frames import Frame
from vidstyle.media import ClipInfo

SIDE = 40
Pictures = list[tuple[np.ndarray, np.ndarray | None]]


def sprite() -> Pictures:
    """A square of one color that walks over clear ground."""
    made: Pictures = []
    for step in range(4):
        picture, alpha = np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
        place = np.s_[5:15, 5 + 5 * step : 15 + 5 * step]
        picture[place], alpha[place] = (200, 30, 30), 255
        made.append((picture, alpha))
    return made


def iris(colors: int, backward: bool = False) -> Pictures:
    """A clear circle that grows (or shrinks) from nothing: the first frame is opaque."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    made: Pictures = []
    for step in range(4):
        values = random.integers(0, 255, (colors, 3), np.uint8)
        picture = values[random.integers(0, colors, (SIDE, SIDE))]
        alpha = np.where(rows**2 + columns**2 < (5 * step) ** 2, 0, 255).astype(np.uint8)
        made.append((picture, None if alpha.min() == 255 else alpha))
    return made[::-1] if backward else made


CLIPS = {
    "sprite": sprite(),
    "iris, few colors": iris(3),
    "iris, many colors": iris(400),
    "iris, closing": iris(400, backward=True),
    "iris, closing, few colors": iris(3, backward=True),
    "all": [*sprite(), *iris(400), *iris(2), *iris(20, backward=True)],
    "wholly clear": [(picture, np.zeros((SIDE, SIDE), np.uint8)) for picture, _ in iris(9)],
    "opaque": [(picture, None) for picture, _ in iris(9)],
}


def clear(alpha: np.ndarray | None) -> np.ndarray:
    return np.zeros((SIDE, SIDE), bool) if alpha is None else alpha < 128


def write(pictures: Pictures, path: Path) -> Path:
    alpha = any(alpha is not None for _, alpha in pictures)
    info = ClipInfo(Path("x"), "animation", "gif", "gif", SIDE, SIDE, None, None, alpha=alpha)
    with media.open_writer(path, info, media.format_of(path), (SIDE, SIDE)) as out:
        for number, (picture, alpha) in enumerate(pictures):
            if number % 4 == 0:
                out.begin_shot()
            out.write(Frame(picture, Fraction(number, 10), Fraction(1, 10), alpha))
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
@pytest.mark.parametrize("name", CLIPS)
def test_clear_stays_clear_and_opaque_stays_opaque(name: str, suffix: str, tmp_path: Path) -> None:
    pictures = CLIPS[name]
    clip = media.open_clip(write(pictures, tmp_path / f"x{suffix}"))
    found = [clear(frame.alpha) for frame in clip]
    wanted = [clear(alpha) for _, alpha in pictures]
    if suffix != ".gif":  # Pillow joins what repeats: frames that are wholly clear
        wanted = [
            w for w, v in zip(wanted, [None, *wanted], strict=False) if not w.all() or v is None
        ]
        found = [f for f, v in zip(found, [None, *found], strict=False) if not f.all() or v is None]
    assert [f.mean() for f in found] == [w.mean() for w in wanted]
    assert all(np.array_equal(f, w) for f, w in zip(found, wanted, strict=True))
    assert clip.info.alpha == any(w.any() for w in wanted)


@pytest.mark.parametrize("name", CLIPS)
def test_another_reader_of_gifs_sees_the_same(name: str, tmp_path: Path) -> None:
    pictures = CLIPS[name]
    with av.open(str(write(pictures, tmp_path / "x.gif"))) as container:
        frames = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    for frame, (picture, alpha) in zip(frames, pictures, strict=True):
        assert np.array_equal(frame[..., 3] < 128, clear(alpha))
        seen = ~clear(alpha)
        assert (
            np.abs(frame[..., :3].astype(int) - picture)[seen].mean() < 12 if seen.any() else True
        )


def test_an_animation_that_begins_opaque_is_known_to_be_transparent(tmp_path: Path) -> None:
    path = write(iris(3), tmp_path / "x.gif")
    clip = media.open_clip(path)
    assert clip.info.alpha and clip.info.times == tuple(Fraction(i, 10) for i in range(4))
    assert clip.info.duration == Fraction(4, 10)
    written = tmp_path / "x.webm"
    with media.open_writer(written, clip.info, media.FORMATS["webm"], (SIDE, SIDE)) as out:
        for frame in clip:
            out.write(frame)
    shares = [clear(frame.alpha).mean() for frame in media.open_clip(written)]
    assert shares[0] == 0 and all(b > a for a, b in pairwise(shares))
