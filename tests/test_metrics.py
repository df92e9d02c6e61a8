"""The numbers must show what the eye sees: a frozen clip, a hole, flicker, drift, fog."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vidstyle import UsageError, media
from vidstyle.core import events
from vidstyle.metrics import Metrics, measure, pairs

from .conftest import scene

Pictures = list[np.ndarray]


def walk(count: int = 7) -> Pictures:
    """A patterned block that walks 3 pixels a frame over a ground that stays."""
    pattern = np.random.default_rng(3).integers(0, 255, (8, 8, 3), np.uint8)
    block = cv2.resize(pattern, (32, 32), interpolation=cv2.INTER_CUBIC)
    pictures = []
    for step in range(count):
        picture = np.ascontiguousarray(scene(-40, 128, 96))
        picture[30:62, 20 + 3 * step : 52 + 3 * step] = block
        pictures.append(picture)
    return pictures


def folder(path: Path, pictures: Pictures) -> Path:
    path.mkdir()
    for index, picture in enumerate(pictures):
        media.save_image(path / f"{index:03}.png", picture)
    return path


@pytest.fixture(scope="module")
def judged(style: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Pictures], Metrics]:
    """What the walk measures that is painted so; the same pictures are measured once."""
    here = tmp_path_factory.mktemp("judged")
    source = folder(here / "source", walk())
    known: dict[bytes, Metrics] = {}

    def judge(pictures: Pictures) -> Metrics:
        key = b"".join(picture.tobytes() for picture in pictures)
        if key not in known:
            painted = folder(here / f"painted{len(known)}", pictures)
            known[key] = measure(source, painted, style)
        return known[key]

    return judge


def test_a_clip_measured_against_itself(judged: Callable[[Pictures], Metrics]) -> None:
    found = judged(walk())
    assert found.frames == 7
    assert found.content == 0 and found.motion == 0
    assert found.hole == pytest.approx(1), "nothing is painted"
    assert found.warping == found.warping_source and found.flicker == found.flicker_source == 0
    assert found.drift == found.drift_source and found.contrast == pytest.approx(1)
    assert 0.02 < found.moving < 0.4


def test_a_frozen_clip_does_not_move(judged: Callable[[Pictures], Metrics]) -> None:
    frozen = judged([walk()[0]] * 7)
    assert frozen.motion == pytest.approx(1, abs=0.1)
    assert frozen.smear > 1, "what should be there is not"


def test_flicker_is_seen_where_the_source_is_still(
    judged: Callable[[Pictures], Metrics],
) -> None:
    pictures = [np.roll(p, 10 * (i % 2), axis=2) for i, p in enumerate(walk())]
    noisy = [np.clip(p.astype(int) + 10 * (i % 2), 0, 255).astype(np.uint8)
             for i, p in enumerate(pictures)]  # fmt: skip
    found = judged(noisy)
    assert found.flicker > 5
    assert found.warping > 2 * found.warping_source


def test_drift_and_fog_are_seen(judged: Callable[[Pictures], Metrics]) -> None:
    pictures = [
        np.clip(cv2.GaussianBlur(p, (0, 0), 0.1 + 0.2 * i).astype(int) - 2 * i, 0, 255)
        for i, p in enumerate(walk())
    ]
    found = judged([p.astype(np.uint8) for p in pictures])
    assert found.drift > 10 > 3 > found.drift_source
    assert found.contrast < 0.7


def test_a_painted_hole_is_told_from_an_unpainted_one(
    judged: Callable[[Pictures], Metrics], style: Path
) -> None:
    stripes = cv2.resize(media.read_image(style)[0], (128, 96))
    painted = [cv2.addWeighted(p, 0.3, stripes, 0.7, 0) for p in walk()]
    bare = []
    for step, (picture, source) in enumerate(zip(painted, walk(), strict=True)):
        picture = picture.copy()
        place = np.s_[24:68, 10 + 3 * step : 60 + 3 * step]
        picture[place] = source[place]
        bare.append(picture)
    whole, holed = judged(painted), judged(bare)
    assert holed.hole > 0.8 > whole.hole
    assert holed.style < 3 * whole.style, "which the style of the whole frame hardly shows"


def test_texture_tells_the_style_from_another_one(
    judged: Callable[[Pictures], Metrics], style: Path
) -> None:
    stripes = cv2.resize(media.read_image(style)[0], (128, 96))
    own, half = (
        judged([cv2.addWeighted(p, 1 - share, stripes, share, 0) for p in walk()])
        for share in (1.0, 0.5)
    )
    plain = judged(walk())
    assert own.texture < half.texture < plain.texture
    assert own.texture < 0.3 * plain.texture


def test_a_frame_within_the_frame_is_seen(judged: Callable[[Pictures], Metrics]) -> None:
    pictures = walk()
    for picture in pictures:
        picture[:, -3:] = 255
    lined = judged(pictures)
    assert lined.edge > 1.5 > 0.6 > lined.edge_source
    assert judged(walk()).edge == lined.edge_source


def test_a_fringe_of_color_is_seen(judged: Callable[[Pictures], Metrics]) -> None:
    pictures = walk()
    for picture in pictures:
        picture[:2, ::2], picture[:2, 1::2] = (255, 0, 90), (0, 200, 60)
    fringed = judged(pictures)
    assert fringed.edge_chroma > 1.15 * fringed.edge_chroma_source
    assert judged(walk()).edge_chroma == fringed.edge_chroma_source


def test_one_frame_cannot_be_measured(style: Path, tmp_path: Path) -> None:
    one = folder(tmp_path / "one", walk(1))
    with pytest.raises(UsageError, match="fewer than two"):
        measure(one, one, style)


def lasting(path: Path, pictures: Pictures, seconds: list[int]) -> Path:
    frames = [Image.fromarray(picture) for picture in pictures]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=seconds, lossless=True, exact=True
    )
    return path


def test_frames_are_compared_with_what_the_source_shows_at_their_time(tmp_path: Path) -> None:
    pictures = walk(6)
    source = media.open_clip(lasting(tmp_path / "source.webp", pictures, [40] * 6))
    cases = {
        "a trimmed copy": (pictures[2:], [40] * 4, Fraction(8, 100), [2, 3, 4, 5]),
        "the first frames": (pictures[:3], [40] * 3, Fraction(0), [0, 1, 2]),
        "from inside a frame": (pictures[1:4], [20, 40, 40], Fraction(6, 100), [1, 2, 3]),
        "half as many": (pictures[::2], [80] * 3, Fraction(0), [1, 3, 5]),
    }
    for name, (some, lasts, start, wanted) in cases.items():
        path = lasting(tmp_path / f"{name}.webp", some, lasts)
        found = [before for before, _ in pairs(source, media.open_clip(path), start)]
        assert len(found) == len(wanted), name
        for before, number in zip(found, wanted, strict=True):
            assert np.array_equal(before, pictures[number]), name
    stills = folder(tmp_path / "stills", pictures[1:])  # they have no times: one by one
    both = [*pairs(source, media.open_clip(stills), Fraction(4, 100))]
    assert len(both) == 5 and all(np.array_equal(before, after) for before, after in both)


def test_a_shorter_copy_is_told(style: Path, tmp_path: Path) -> None:
    source = lasting(tmp_path / "source.webp", walk(6), [40] * 6)
    painted = lasting(tmp_path / "painted.webp", walk(6)[2:], [40] * 4)
    told: list[events.Event] = []
    measure(source, painted, style, listener=told.append)
    looked = [events.LookedAt(number, 4) for number in range(1, 5)]
    assert told[:-1] == looked and "is shorter than" in str(told[-1])
    told.clear()
    measure(source, painted, style, start=0.08, listener=told.append)
    assert told == looked
