"""True motion is read from files, composed from frame to frame, and told where it is not known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vidstyle import UsageError, measure, media
from vidstyle.temporal.truth import TrueMotion

WIDE, HIGH = 96, 64


def flow(right: float, down: float = 0.0) -> np.ndarray:
    return np.full((HIGH, WIDE, 2), (right, down), np.float32)


def test_names_say_which_frames_a_flow_is_of(tmp_path: Path) -> None:
    cv2.writeOpticalFlow(str(tmp_path / "frame_0001.flo"), flow(2))
    seen = np.ones((HIGH, WIDE), bool)
    seen[:8] = False
    np.savez(tmp_path / "flow_2_to_3.npz", flow=flow(3).astype(np.float16), seen=seen)
    (tmp_path / "notes.txt").write_text("7")
    found = TrueMotion.of(tmp_path)
    assert found.files.keys() == {(1, 2), (2, 3)}
    motion, there = found.between(1, 2) or (None, None)
    assert (motion == (2, 0)).all()
    assert there[:, : WIDE - 2].all() and not there[:, WIDE - 2 :].any()  # it leaves the frame
    assert found.between(3, 4) is None and found.between(2, 2) is None
    both, there = found.between(1, 3) or (None, None)
    assert (both[:, :80, 0] == 5).all()
    assert there[8:, : WIDE - 5].all() and not there[:8].any() and not there[:, WIDE - 5 :].any()


def test_a_composed_flow_follows_the_pixel_and_what_hides_it(tmp_path: Path) -> None:
    cv2.writeOpticalFlow(str(tmp_path / "a1.flo"), flow(10))
    second = flow(0)
    second[:, 40:] = (0, 4)  # what has arrived there moves down
    cv2.writeOpticalFlow(str(tmp_path / "a2.flo"), second)
    hidden = np.zeros((HIGH, WIDE), np.uint8)
    hidden[:, 60:] = 255
    cv2.imwrite(str(tmp_path / "a2.png"), hidden)
    unknown = flow(1)
    unknown[5, 5] = 1e10
    cv2.writeOpticalFlow(str(tmp_path / "a3.flo"), unknown)
    found = TrueMotion.of(tmp_path)
    motion, there = found.between(1, 3) or (None, None)
    assert motion[10, 20].tolist() == [10, 0] and motion[10, 35].tolist() == [10, 4]
    assert there[10, 20] and there[10, 45] and not there[10, 55]
    _, known = found.between(3, 4) or (None, None)
    assert not known[5, 5] and known[5, 6]


def test_what_is_no_flow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        TrueMotion.of(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no flow"):
        TrueMotion.of(tmp_path)
    (tmp_path / "forward.flo").write_bytes(b"PIEH")
    with pytest.raises(UsageError, match="has no number"):
        TrueMotion.of(tmp_path)
    (tmp_path / "forward.flo").rename(tmp_path / "f1.flo")
    np.savez(tmp_path / "f2.npz", flow=flow(1)[..., 0], seen=np.ones((HIGH, WIDE), bool))
    np.savez(tmp_path / "f3.npz", flow=np.array([{}], object), seen=1)
    for number in (1, 2, 3):
        with pytest.raises(UsageError, match=f"f{number}.*cannot be read as flow"):
            TrueMotion.of(tmp_path).between(number, number + 1)
    cv2.writeOpticalFlow(str(tmp_path / "f1.flo"), flow(1))
    cv2.writeOpticalFlow(str(tmp_path / "g2.flo"), flow(1)[:20])
    (tmp_path / "f2.npz").unlink()
    with pytest.raises(UsageError, match="another size"):
        TrueMotion.of(tmp_path).between(1, 3)


def pan(folder: Path, count: int, speed: int, side: int = 1) -> Path:
    """Frames of a texture that moves to the left, ``side`` times as large."""
    folder.mkdir()
    noise = np.random.default_rng(5).integers(0, 255, (16, 64, 3), np.uint8)
    wide = cv2.resize(noise, (256, HIGH), interpolation=cv2.INTER_CUBIC)
    for number in range(count):
        part = wide[:, speed * number : speed * number + WIDE]
        large = cv2.resize(part, None, fx=side, fy=side, interpolation=cv2.INTER_CUBIC)
        media.save_image(folder / f"{number:03}.png", large)
    return folder


def test_paint_is_judged_by_the_true_motion(style: Path, tmp_path: Path) -> None:
    source = pan(tmp_path / "source", 12, 3)
    truth = tmp_path / "truth"
    truth.mkdir()
    for number in range(1, 12):
        cv2.writeOpticalFlow(str(truth / f"{number:04}.flo"), flow(-3))
    along = measure(source, source, style, flow_truth=truth)
    assert along.rmse == along.rmse_source < 1e-6 and along.rmse_far == along.rmse_far_source < 1e-6
    frozen = tmp_path / "frozen"
    frozen.mkdir()
    for number in range(12):
        media.save_image(frozen / f"{number:03}.png", media.read_image(source / "000.png")[0])
    still = measure(source, frozen, style, flow_truth=truth)
    first = media.read_image(source / "000.png")[0].astype(float) / 255
    # By hand: where the frame shows 3 pixels on what it showed before, it shows the old texture.
    expected = np.sqrt(np.square(first[:, 3:] - first[:, :-3]).mean())
    assert still.rmse == pytest.approx(expected, rel=1e-3)
    assert still.rmse_source == along.rmse_source
    assert still.rmse_far > still.rmse > 0.05
    larger = measure(source, pan(tmp_path / "larger", 3, 3, 2), style, flow_truth=truth)
    assert larger.rmse < 0.02  # the flow is enlarged, too
    # Frames whose motion is not known are not counted.
    for number in range(2, 12):
        (truth / f"{number:04}.flo").unlink()
    once = measure(source, frozen, style, flow_truth=truth, max_frames=3)
    assert once.rmse == pytest.approx(expected, rel=1e-3) and once.rmse_far is None
    (truth / "0001.flo").rename(truth / "0007.flo")
    assert measure(source, frozen, style, flow_truth=truth, max_frames=2).rmse is None


def test_without_the_truth_another_flow_judges_than_the_one_that_carries_paint(
    style: Path, tmp_path: Path
) -> None:
    source = pan(tmp_path / "source", 12, 3)
    found = measure(source, source, style)
    assert found.rmse == found.rmse_source < 0.02 and found.rmse_far is not None
    by = [measure(source, source, style, flow=name, max_frames=2) for name in ("farneback", "dis")]
    assert measure(source, source, style, max_frames=2).rmse == by[0].rmse != by[1].rmse
    with pytest.raises(UsageError, match="flow"):
        measure(source, source, style, flow="none")
