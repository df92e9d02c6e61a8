from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from vidstyle.core.frames import Frame
from vidstyle.settings import seconds
from vidstyle.temporal.shots import Cuts, follows, shots

from ..conftest import scene


def begins(pictures: list[np.ndarray], cuts: Cuts = "auto") -> list[int]:
    frames = (Frame(p, Fraction(i, 25), Fraction(1, 25)) for i, p in enumerate(pictures))
    return [i for i, frame in enumerate(shots(frames, cuts)) if frame.starts_shot]


def other(step: int) -> np.ndarray:
    """A place that looks unlike ``scene``."""
    return np.ascontiguousarray(255 - scene(step)[::-1])


def test_motion_is_no_cut() -> None:
    assert begins([scene(i) for i in range(12)]) == [0]


def test_a_cut_begins_a_shot() -> None:
    other = [255 - scene(i)[::-1] for i in range(6)]
    assert begins([scene(i) for i in range(6)] + other) == [0, 6]


def test_a_flash_of_noise_everywhere_is_no_cut() -> None:
    random = np.random.default_rng(0)
    assert begins([random.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(8)]) == [0]


def test_clips_shorter_than_the_look_ahead() -> None:
    assert begins([]) == []
    assert begins([scene(0)]) == [0]
    assert begins([scene(0), 255 - scene(0)]) == [0, 1]


def test_a_shot_begins_where_it_is_told_to() -> None:
    pictures = [scene(i) for i in range(6)] + [other(i) for i in range(6)]
    assert begins(pictures, "none") == [0]
    assert begins(pictures, (0.12, 0.3)) == [0, 3, 8]


def test_a_shot_begins_out_of_the_dark() -> None:
    out = [(scene(i) * (1 - i / 8)).astype(np.uint8) for i in range(9)]
    into = [(other(i) * (i / 8)).astype(np.uint8) for i in range(1, 9)]
    found = begins([scene(0)] * 4 + out + into + [other(8)] * 4)
    assert len(found) == 2 and 12 <= found[1] <= 14


@pytest.mark.parametrize("length", [8, 12, 20])
def test_a_shot_begins_when_a_dissolve_is_over(length: int) -> None:
    mixed = [
        ((1 - t) * scene(0).astype(float) + t * other(0)).astype(np.uint8)
        for t in np.linspace(0, 1, length)
    ]
    found = begins([scene(0)] * 12 + mixed + [other(0)] * 12)
    assert len(found) == 2 and abs(found[1] - (12 + length)) <= 2


def test_a_light_that_is_turned_up_begins_no_shot() -> None:
    assert begins([(scene(0) * (0.4 + 0.05 * i)).astype(np.uint8) for i in range(13)]) == [0]


def test_what_may_follow_without_a_cut() -> None:
    assert follows(scene(0), scene(4)) and not follows(scene(0), other(0))


def test_it_streams() -> None:
    """Memory must not grow with the clip: no more than three frames are ever held."""
    taken = 0

    def source() -> Iterator[Frame]:
        nonlocal taken
        for i in range(50):
            taken += 1
            yield Frame(scene(0), Fraction(i, 25), Fraction(1, 25))

    for given, _ in enumerate(shots(source()), 1):
        assert taken - given <= 2


@pytest.mark.parametrize("number", range(1, 120, 7))
def test_a_cut_at_a_time_as_people_write_it_is_at_that_frame(number: int) -> None:
    """3.2 as a float is a little more than 16/5, and a frame begins at 16/5."""
    frames = (Frame(scene(0), Fraction(i, 25), Fraction(1, 25)) for i in range(130))
    written = float(f"{number / 25:.2f}")
    found = [i for i, frame in enumerate(shots(frames, (seconds(written),))) if frame.starts_shot]
    assert found == [0, number]
