"""A run's frames are edited one by one, collected, and the run is painted again."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest

from vidstyle import Settings, media, stylize
from vidstyle.studio.corrections import Corrections, Corrector
from vidstyle.studio.queue import Queue, Stopped
from vidstyle.studio.runs import Order, Run
from vidstyle.studio.tuning import Tuner

from ..conftest import QUICK

BAND = slice(38, 46)
"""Rows that the square never covers."""


@pytest.fixture
def corrector(queue: Queue, tmp_path: Path) -> Corrector:
    for name in ("files", "tuned"):
        (tmp_path / name).mkdir()
    return Corrector(queue, tmp_path / "files", Tuner(tmp_path / "tuned"))


@pytest.fixture
def run(queue: Queue, gif: Path, style: Path) -> Run:
    settings = Settings(**QUICK, seamless=False, strength=0.5)
    return done(queue, queue.add(Order(gif, ((style, 1.0),), settings)))


def done(queue: Queue, run: Run) -> Run:
    with queue.changed:
        assert queue.changed.wait_for(lambda: run.is_over, 120)
    assert run.state == "done", run.message
    return run


def kept(run: Run, number: int) -> np.ndarray:
    assert run.output is not None
    folder = run.output.with_name(f".{run.output.name}.vidstyle")
    return media.read_image(folder / f"{number:06}.png")[0]


def drawn(run: Run, number: int) -> dict[str, Any]:
    """What the editor holds after a band was drawn on a frame: pictures with alpha."""
    picture = kept(run, number).copy()
    picture[BAND] = (20, 240, 60)
    opaque = np.full((*picture.shape[:2], 1), 255, np.uint8)
    return {"composite": np.concatenate([picture, opaque], 2)}


def test_a_run_is_corrected_and_the_corrected_one_again(
    corrector: Corrector, queue: Queue, run: Run
) -> None:
    made, part, strip, slider, _, collected, told = corrector.open(run.name, Corrections())
    assert part["visible"] and [label for _, label in strip] == ["1", "2", "3", "4"]
    assert slider.maximum == 4 and (collected, told) == ([], "")
    made, shown, told = corrector.show(run.name, 2, made)
    assert np.array_equal(shown["composite"], kept(run, 2)) and told == ""
    same, _, told = corrector.keep(run.name, shown, made)
    assert same == made and "as it was painted" in told
    made, collected, told = corrector.keep(run.name, drawn(run, 2), made)
    assert [label for _, label in collected] == ["2"] and "is kept" in told
    _, shown, _ = corrector.show(run.name, 2, made)
    assert (shown["composite"][BAND] == (20, 240, 60)).all()
    empty, menu, told = corrector.again(run.name, made)
    assert empty == Corrections() and told == ""
    again = done(queue, queue.runs[menu.value])
    for number in range(1, 5):
        assert np.abs(kept(again, number)[BAND].astype(int) - (20, 240, 60)).mean() < 30
        assert np.array_equal(kept(again, number)[:30], kept(run, number)[:30])
    assert "vidstyle correct" in again.order.command and Run.load(again.folder).order == again.order
    assert corrector.open(again.name, empty)[1]["visible"]


def test_a_correction_is_taken_back_and_what_does_not_fit_is_refused(
    corrector: Corrector, run: Run, tmp_path: Path
) -> None:
    made = corrector.open(run.name, Corrections())[0]
    made = corrector.keep(run.name, drawn(run, 1), made)[0]
    others = {"another": {"run": "another", "folder": made.folder, "numbers": [1], "shown": 1}}
    remembered = json.loads(json.dumps(corrector.remember(made, others)))
    assert remembered.keys() == {"another", run.name}
    again, _, strip, _, _, collected, _ = corrector.open(run.name, Corrections(), remembered)
    assert again == made and len(strip) == 4 and [label for _, label in collected] == ["1"]
    other = corrector.open(run.name, Corrections(), others)[0]
    assert other.folder != made.folder and other.numbers == ()
    assert corrector.remember(other, remembered).keys() == {"another"}
    collected, made, shown, _ = corrector.drop(run.name, made)
    assert corrector.open(run.name, Corrections(), remembered)[0].numbers == ()
    assert collected == [] and made.numbers == ()
    assert not made.picture(1).exists()  # or it would be copied into the corrected run
    assert np.array_equal(shown["composite"], kept(run, 1))
    assert "nothing is corrected yet" in corrector.again(run.name, made)[2]
    for size, said in (((30, 90), "another shape"), ((96, 128), "press Keep")):
        media.save_image(tmp_path / "given.png", np.full((*size, 3), 90, np.uint8))
        value, told, emptied = corrector.put(run.name, made, str(tmp_path / "given.png"))
        assert said in told and emptied is None
    assert value["composite"].shape == (48, 64, 3)
    assert "frame yet" in corrector.keep("no such run", drawn(run, 1), made)[2]
    chosen = cast("gr.SelectData", SimpleNamespace(value={"caption": "3"}))
    assert corrector.chosen(chosen) == 3


def test_a_frame_is_painted_anew_as_it_would_be_by_itself(
    corrector: Corrector, run: Run, gif: Path, style: Path, tmp_path: Path
) -> None:
    made = corrector.show(run.name, 3, corrector.open(run.name, Corrections())[0])[0]
    settings = Settings(**QUICK | {"first_iterations": 6, "size": 32})
    *stages, last = corrector.anew(run.name, made, settings, lambda: True)
    assert "press Keep" in last[1] and "frame 3" in stages[-1][1]
    alone = stylize(
        gif,
        style,
        tmp_path / "alone.png",
        start=0.2,
        **QUICK | {"first_iterations": 6},
        max_frames=1,
    )
    painted = media.read_image(alone.output)[0]
    assert np.array_equal(stages[-1][0]["composite"], painted)


def test_a_run_that_is_not_done_or_kept_cannot_be_corrected(corrector: Corrector, run: Run) -> None:
    assert run.output is not None
    run.output.unlink()
    made, part, *rest = corrector.open(run.name, Corrections())
    assert made == Corrections() and not part["visible"] and len(rest) == 5
    collected = Corrections("another", "folder", (1,))
    assert corrector.open(run.name, collected)[0] == collected
    assert not corrector.open(None, Corrections())[1]["visible"]


def test_a_corrected_run_that_was_stopped_goes_on(
    corrector: Corrector, queue: Queue, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = corrector.open(run.name, Corrections())[0]
    made = corrector.keep(run.name, drawn(run, 1), made)[0]
    with monkeypatch.context() as patched:
        patched.setattr("vidstyle.render.corrections.edited", stop)
        again = queue.runs[corrector.again(run.name, made)[1].value]
        with queue.changed:
            assert queue.changed.wait_for(lambda: again.state == "stopped", 120)
    queue.go_on(again.name)
    done(queue, again)
    assert np.abs(kept(again, 4)[BAND].astype(int) - (20, 240, 60)).mean() < 30


def stop(*given: object) -> None:
    raise Stopped
