"""The content of faces counts more, above all at eyes, nose and mouth."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import QUICK
from tests.subjects.drawn import scene
from vidstyle import Settings, media, stylize
from vidstyle.core.faces import SURELY_A_FACE
from vidstyle.core.frames import Frame
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.metrics import measure
from vidstyle.objective.faces import beside_features, importance
from vidstyle.objective.styles import StyleSchedule
from vidstyle.plan import describe, plan
from vidstyle.subjects.faces import FaceDetector

SIZE = 128, 96
PLACE = (30, 10, 80)


def engine(**options: Any) -> OptimizingEngine:
    settings = replace(Settings(), **QUICK | options)
    return OptimizingEngine(settings, StyleSchedule.of(scene(64, 64)), SIZE)


def frame() -> Frame:
    rgb = scene(SIZE[1], SIZE[0], PLACE)
    return Frame(rgb, Fraction(0), Fraction(1), faces=tuple(FaceDetector()(rgb)))


def test_eyes_count_most_then_cheeks_then_what_is_around() -> None:
    shown = frame()
    found = engine().emphasis(shown, SIZE)
    assert found is not None and found.shape == (1, 1, SIZE[1], SIZE[0])
    x, y = shown.faces[0].points[0].round().astype(int)
    cheek_x, cheek_y = x, y + 16
    eye, cheek, corner = (float(found[0, 0, b, a]) for a, b in ((x, y), (cheek_x, cheek_y), (1, 1)))
    assert eye > cheek > corner == 1
    more = engine(faces="more").emphasis(shown, SIZE)
    assert more is not None and float(more.max()) > float(found.max()) > 2


def test_eyes_that_are_six_pixels_apart_have_room_and_two_have_not() -> None:
    (shown,) = frame().faces
    for apart, has_room in ((6, True), (2, False)):
        one = shown.moved(0, 0, apart / shown.eyes_apart)
        assert (importance([one], 96, 128) is not None) == has_room


def test_what_only_may_be_a_face_of_a_style_is_style() -> None:
    (shown,) = frame().faces
    assert shown.is_sure and beside_features([shown], 96, 128) is not None
    doubtful = replace(shown, score=SURELY_A_FACE - 0.01)
    assert beside_features([doubtful], 96, 128) is None


def test_a_part_and_a_smaller_picture_have_that_of_the_whole() -> None:
    whole = engine().emphasis(frame(), SIZE)
    part = engine().emphasis(frame(), SIZE, (slice(16, 64), slice(32, 96)))
    small = engine().emphasis(frame(), (64, 48))
    assert whole is not None and part is not None and small is not None
    assert np.array_equal(part, whole[..., 16:64, 32:96])
    assert small.shape == (1, 1, 48, 64)
    assert float(small.mean()) == pytest.approx(float(whole.mean()), rel=0.02)


@pytest.mark.parametrize("faces", ["off", "on"])
def test_none_without_a_face_or_if_it_is_not_wanted(faces: str) -> None:
    shown = frame() if faces == "off" else replace(frame(), faces=())
    assert engine(faces=faces).emphasis(shown, SIZE) is None


@pytest.mark.parametrize(
    ("options", "told"),
    [({}, "1 in the first frame"), ({"faces": "off"}, "not"), ({"engine": "feedforward"}, "not")],
)
def test_a_plan_tells_the_faces_if_anything_is_made_of_them(
    tmp_path: Path, style: Path, options: dict[str, Any], told: str
) -> None:
    media.save_image(tmp_path / "one.png", frame().rgb)
    settings = replace(Settings(), **options)
    made = plan(tmp_path / "one.png", [style], tmp_path / "out.png", settings=settings)
    assert describe(made).faces.startswith(told)


def test_where_no_face_is_none_is_lost(tmp_path: Path, style: Path) -> None:
    (tmp_path / "plain").mkdir()
    for number in range(2):
        media.save_image(tmp_path / "plain" / f"{number}.png", scene(48, 64, seed=number))
    found = measure(tmp_path / "plain", tmp_path / "plain", style, faces=True)
    assert (found.faces, found.faces_found, found.faces_moved) == (0, None, None)


def test_an_engine_that_goes_on_knows_the_faces_of_the_first_frame() -> None:
    one, other = engine(), engine()
    one.paint(frame())
    other.restore(one.state())
    assert other.first_frame is not None
    (face,) = other.first_frame.faces
    assert np.array_equal(face.points, frame().faces[0].points)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("faces")
    source = folder / "source"
    source.mkdir()
    for number in range(2):
        media.save_image(source / f"{number}.png", scene(144, 192, (40 + number, 16, 112)))
    look = folder / "look.png"
    media.save_image(look, np.kron(scene(48, 48), np.ones((4, 4, 1), np.uint8)))

    def paint(faces: str) -> dict[str, Any]:
        options: dict[str, Any] = {"engine": "gatys", "first_iterations": 15, "iterations": 5}
        made = stylize(source, look, folder / faces, size="full", faces=faces, **options)
        found = measure(source, made.output, look, faces=True)
        return {"made": made, "measures": found}

    return paint


def test_faces_are_nearer_to_what_they_were(
    painted: Callable[[str], dict[str, Any]], style: Path
) -> None:
    off, more = painted("off"), painted("more")
    assert (off["made"].faces, more["made"].faces) == (0, 1)
    assert off["measures"].faces == more["measures"].faces == 1
    assert more["measures"].faces_found == 1
    assert more["measures"].faces_moved < 0.1
    assert more["measures"].content < off["measures"].content


def test_the_features_of_a_style_do_not_count() -> None:
    """Its eyes, nose and mouth would be painted onto walls; its skin and all else is its style."""
    look = scene(160, 200, (40, 20, 128))
    x, y = FaceDetector()(look)[0].points[0].round().astype(int)
    share = engine().style_share(look)
    assert share is not None and share.shape == (160, 200)
    assert share[y, x] < 0.1 and share[2, 2] == share[y - 24, x] == 1
    assert engine(faces="off").style_share(look) is None
    assert engine().style_share(scene(160, 200)) is None


def test_a_style_is_matched_without_its_features() -> None:
    look = scene(160, 200, (40, 20, 128))
    changed = look.copy()
    changed[77:87, 84:124] = 0  # a bar over the eyes, as wide as both
    found = []
    for faces in ("on", "off"):
        settings = replace(Settings(), **QUICK | {"faces": faces, "trim": False})
        grams = []
        for picture in (look, changed):
            made = OptimizingEngine(settings, StyleSchedule.of(picture), (200, 160))
            made.find_faces = lambda picture: FaceDetector()(look)  # type: ignore[assignment]
            grams.append(made.styles((200, 160))[0]["relu1_1"])
        found.append(float((grams[0] - grams[1]).norm() / grams[0].norm()))
    assert found[0] < 0.6 * found[1]
