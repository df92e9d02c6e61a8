"""What there is to see of a painting on its way."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidstyle import media
from vidstyle.core.events import Learned, Painted, Started, Step, Stepped
from vidstyle.render.logger import RunLogger

from ..conftest import QUICK_OPTIONS, Run, scene

PICTURE = scene(0)


def test_pictures_and_losses_on_the_way(
    video: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    out = tmp_path / "out.gif"
    fast = (*QUICK_OPTIONS, "--first-iterations", 4, "--max-frames", 2, "-o", out, "--quiet")
    done = vidstyle(video, "--style", style, *fast, "--snapshots", 2, "--plot")
    assert done.returncode == 0, done.stderr
    kept = sorted(path.name for path in (tmp_path / "out.snapshots").iterdir())
    assert {"0001-00002.png", "0001-00004.png", "0002-00002.png"} <= set(kept)
    last, _ = media.read_image(tmp_path / "out.snapshots" / "0001-00004.png")
    assert last.shape == (48, 64, 3)
    plot, _ = media.read_image(tmp_path / "out.plot.png")
    assert plot.shape[1] > 800 and len(np.unique(plot.reshape(-1, 3), axis=0)) > 50
    out.unlink()
    done = vidstyle(video, "--style", style, *fast, "--plot")
    assert done.returncode == 2 and "out.plot.png: exists already" in done.stderr


def step(frame: int, loss: float) -> Stepped:
    return Stepped(frame, Step(0.5, loss, {"style": loss}, lambda: scene(frame)))


def test_snapshots_are_named_by_frame_and_step_and_those_of_a_run_before_go(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    media.save_image(folder / "0009-00002.png", scene(0))  # of a painting before
    (folder / "0009-00004.png").write_bytes(b"mine")
    (folder / "notes.txt").write_text("mine")
    logger = RunLogger(None, folder, every=2)
    logger(Started(2, 64, 48, "cpu", "fp32"))
    for frame in (1, 2):
        for loss in (3.0, 2.0, 1.0):
            logger(step(frame, loss))
        logger(Painted(frame, 0.1, frame == 1, PICTURE))
    found = {path.name for path in folder.iterdir()}
    assert found == {"0001-00002.png", "0002-00002.png", "0009-00004.png", "notes.txt"}
    assert np.array_equal(media.read_image(folder / "0002-00002.png")[0], scene(2))


def test_steps_are_counted_apart_for_learning_and_for_each_frame(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path / "p.png", None, None)
    for number in (1, 2):
        logger(Learned(number, number / 2, 5.0, {"style": 5.0}, lambda: scene(0)))
    logger(step(1, 2.0))
    logger(Painted(1, 0.1, True, PICTURE))
    logger(Painted(2, 0.0, False, PICTURE))  # as the one before it: no step
    assert (logger.learned, logger.ends, len(logger.steps)) == (2, [3, 3], 3)
    logger.finish()
    assert media.read_image(tmp_path / "p.png")[0].shape[1] > 800
