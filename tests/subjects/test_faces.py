"""Faces are found where they are."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from tests.subjects.drawn import EYES, MOUTH, NOSE, face, scene
from vidstyle import media
from vidstyle.subjects.faces import FaceDetector


@pytest.fixture(scope="module")
def find() -> FaceDetector:
    return FaceDetector()


@pytest.mark.parametrize("size", [64, 128, 300])
def test_eyes_nose_and_mouth_are_where_they_were_drawn(find: FaceDetector, size: int) -> None:
    (found,) = find(face(size))
    expected = np.array([*EYES, NOSE, MOUTH]) * size / 128
    apart = np.hypot(*(found.points[:4] - expected).T)
    assert found.is_sure
    assert (apart < 0.2 * found.eyes_apart).all()
    assert all(found.has(point) for point in found.points[:4])


@pytest.mark.parametrize(("height", "width"), [(240, 426), (426, 240), (200, 640)])
def test_pictures_of_any_shape_are_seen_to_their_sides(
    find: FaceDetector, height: int, width: int
) -> None:
    corners = [(0, 0), (width - 110, 0), (width - 110, height - 110)]
    picture = scene(height, width, *((left, top, 110) for left, top in corners[::2]))
    sure = [one for one in find(picture) if one.is_sure]
    centers = sorted(tuple(one.center.round().tolist()) for one in sure)
    assert len(centers) == 2
    for (left, top), center in zip(sorted(corners[::2]), centers, strict=True):
        assert np.hypot(center[0] - left - 64 * 110 / 128, center[1] - top - 67 * 110 / 128) < 12


def test_faces_that_are_small_in_a_large_picture(find: FaceDetector) -> None:
    places = [(40, 60, 70), (330, 200, 70), (560, 30, 70)]
    sure = [one for one in find(scene(360, 640, *places)) if one.is_sure]
    assert len(sure) == 3


def test_a_photograph_of_a_person(find: FaceDetector) -> None:
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    picture, _ = media.read_image(path)
    sure = [one for one in find(picture) if one.is_sure]
    assert len(sure) == 1
    assert sure[0].has(np.array([230, 200], np.float32))


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 300, 3), (300, 500, 3)])
def test_where_nobody_is(find: FaceDetector, shape: tuple[int, ...]) -> None:
    assert not find(np.full(shape, 127, np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert not [one for one in find(noise) if one.is_sure]
