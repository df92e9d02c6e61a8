"""Runs: kept in folders, painted in turn, paused, stopped, and gone on with."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidstyle import Settings, UsageError, media, stylize
from vidstyle.core.files import LOCK_FILE
from vidstyle.settings.text import arguments_of
from vidstyle.studio import PREFIX, runs
from vidstyle.studio import _is_told as is_told
from vidstyle.studio import _sweep as sweep
from vidstyle.studio.queue import Queue
from vidstyle.studio.runs import Order, Run
from vidstyle.studio.tuning import Stage, Tuner
from vidstyle.studio.words import labels_of

from ..conftest import QUICK

SLOW = QUICK | {"first_iterations": 40, "iterations": 20, "tolerance": 0.0}


@pytest.fixture
def order(gif: Path, style: Path) -> Order:
    return Order(gif, ((style, 1.0),), Settings(**QUICK, seamless=False))


def wait(queue: Queue, true: Callable[[], bool]) -> None:
    with queue.changed:
        assert queue.changed.wait_for(true, 120)


def pictures(path: Path | None) -> list[np.ndarray]:
    assert path is not None
    return [frame.rgb for frame in media.open_clip(path)]


def test_runs_are_painted_in_turn_and_leave_all_there_is_to_see(queue: Queue, order: Order) -> None:
    first, second = queue.add(order), queue.add(order)
    wait(queue, lambda: first.state == second.state == "done")
    assert first.folder != second.folder
    names = {path.name for path in first.folder.iterdir()}
    left = {"run.json", "recipe.toml", "sheet.jpg", "beside.mp4", "walk.stripes.gif"}
    assert names == left | {".walk.stripes.gif.vidstyle"}
    assert first.done == first.total == 4 and first.size == (64, 48) and first.seconds > 0
    beside = media.open_clip(first.folder / "beside.mp4")
    assert (beside.info.width, beside.info.height) == (128, 48)
    again = Run.load(first.folder)
    assert again.order == first.order and again.output == first.output and again.state == "done"


def test_uploads_are_kept_with_the_run(
    queue: Queue, order: Order, gif: Path, style: Path, tmp_path: Path
) -> None:
    uploads = tmp_path / "uploads"
    clip = Path(shutil.copy2(gif, uploads / "mine.gif"))
    (uploads / "a").mkdir()
    styles = (
        Path(shutil.copy2(style, uploads / "s.png")),
        Path(shutil.copy2(style, uploads / "a" / "s.png")),
    )
    run = queue.add(Order(clip, tuple((path, 1.0) for path in styles), order.settings))
    shutil.rmtree(uploads)
    wait(queue, lambda: run.state == "done")
    assert run.order.clip == run.folder / "clip" / "mine.gif"
    assert len({path for path, _ in run.order.styles}) == 2
    moved = Path(shutil.copytree(run.folder, tmp_path / "moved"))
    assert Run.load(moved).order.clip == moved / "clip" / "mine.gif"


def test_a_run_waits_while_paused_and_keeps_what_is_there_when_stopped(
    queue: Queue, gif: Path, style: Path, tmp_path: Path
) -> None:
    order = Order(gif, ((style, 1.0),), Settings(**SLOW, seamless=False))
    run, behind = queue.add(order), queue.add(order)
    wait(queue, lambda: run.done == 1)
    queue.pause(run.name)
    wait(queue, lambda: run.state == "paused")
    time.sleep(0.5)
    assert run.done in (1, 2) and behind.state == "waiting" and queue.at_work is run
    queue.stop(behind.name)
    assert behind.state == "stopped"
    queue.go_on(run.name)
    wait(queue, lambda: run.state == "painting")
    queue.stop(run.name)
    wait(queue, lambda: run.state == "stopped")
    assert "kept: the same command" in run.message
    assert 1 <= len(pictures(run.output)) < 4 and "partial" in str(run.output)
    assert (run.folder / "sheet.jpg").is_file()
    queue.go_on(run.name)
    wait(queue, lambda: run.state == "done")
    whole = stylize(gif, style, tmp_path / "whole.gif", settings=order.settings)
    assert all(map(np.array_equal, pictures(run.output), pictures(whole.output)))


def test_what_was_at_work_when_the_studio_ended_can_go_on(
    order: Order, gif: Path, style: Path, tmp_path: Path
) -> None:
    slow = Order(gif, ((style, 1.0),), Settings(**SLOW))
    queue = Queue(tmp_path / "runs", tmp_path / "uploads")
    run = queue.add(slow)
    wait(queue, lambda: run.done == 1)
    with pytest.raises(UsageError, match="another studio"):
        Queue(tmp_path / "runs", tmp_path / "uploads")
    queue.close()
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "run.json").write_text("{}")  # of something else
    after = Queue(tmp_path / "runs", tmp_path / "uploads")
    (left,) = after.runs.values()
    assert left.state == "left" and left.name == run.name
    after.go_on(left.name)
    wait(after, lambda: left.state == "done")
    assert any("of an earlier run" in note for note in left.notes)
    after.close()


def test_a_run_that_fails_says_why_and_the_next_one_is_painted(
    queue: Queue, order: Order, tmp_path: Path
) -> None:
    bad = queue.add(Order(tmp_path / "no.gif", order.styles, order.settings))
    good = queue.add(order)
    wait(queue, lambda: good.state == "done")
    assert bad.state == "failed" and "no such file" in bad.message


def test_the_command_does_the_same(order: Order) -> None:
    from vidstyle.cli import build_parser
    from vidstyle.cli.parser import settings_given

    settings = Settings(**SLOW, seamless=False, cuts=(1.0, 2.5), trim=False, end=3.0)
    given = build_parser().parse_args(["clip.gif", *arguments_of(settings)])
    assert Settings(**settings_given(given)) == settings
    assert order.command.startswith("vidstyle ") and "--no-seamless" in order.command


def test_a_detail_is_painted_at_the_size_of_the_painting_and_where_it_is_wanted(
    style: Path, tmp_path: Path
) -> None:
    still = tmp_path / "still.png"
    picture = np.full((400, 640, 3), 90, np.uint8)
    picture[300:390, 10:200] = np.random.default_rng(0).integers(0, 255, (90, 190, 1), np.uint8)
    media.save_image(still, picture)
    tuner = Tuner(tmp_path)
    order = Order(still, ((style, 1.0),), Settings(**QUICK | {"size": 640}))
    for middle, place in (
        ((0.5, 0.5), np.s_[72:328, 192:448]),
        ((1.0, 0.0), np.s_[:256, 384:]),
    ):
        *_, last = tuner.paint_detail(order, middle, lambda: True)
        assert last.done == 1 and last.picture.shape == last.source.shape == (256, 256, 3)
        assert np.array_equal(last.source, picture[place])
        assert np.abs(last.picture.astype(int) - last.source).mean() > 2
    *_, last = tuner.paint_detail(order, None, lambda: True)
    assert (last.source != 90).any(2).sum() > 0.9 * 90 * 190
    tuner.close()


def test_a_tuned_frame_becomes_sharper_and_gives_way(
    order: Order, style: Path, tmp_path: Path
) -> None:
    still = tmp_path / "still.png"
    media.save_image(still, np.tile(np.arange(96, dtype=np.uint8)[:, None, None], (1, 128, 3)))
    tuner = Tuner(tmp_path)
    wanted = Order(still, ((style, 1.0),), Settings(**QUICK | {"size": 128}, strength=0.5))
    stages = list(tuner.paint(wanted, lambda: True))
    assert stages[-1].done == 1 and all(one.picture.shape == (96, 128, 3) for one in stages)
    alone = stylize(still, style, tmp_path / "alone.png", settings=wanted.settings)
    assert np.array_equal(stages[-1].picture, pictures(alone.output)[0])
    seen: list[Stage] = []
    for stage in tuner.paint(wanted, lambda: not seen):
        seen.append(stage)
    tuner.close()
    assert len(seen) == 1 and not tuner.threads
    assert not list(tmp_path.glob("still.*.png"))


def test_private_folders_of_studios_that_are_no_more_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, mine = tmp_path / f"{PREFIX}abcdefgh", tmp_path / f"{PREFIX}notes"
    for folder in (dead, mine):
        (folder / "uploads").mkdir(parents=True)
        (folder / LOCK_FILE).touch()
    unlocked = tmp_path / f"{PREFIX}hgfedcba"  # never one of ours: they have a lock
    unlocked.mkdir()
    sweep()
    assert not dead.exists() and mine.exists() and unlocked.exists()


def test_the_log_says_nothing_of_pages_that_were_closed() -> None:
    class ClientDisconnect(Exception):  # noqa: N818  Starlette's
        pass

    class HTTPError(Exception):
        status_code = 404

    def told(error: BaseException | None) -> bool:
        found = None if error is None else (type(error), error, None)
        return is_told(logging.LogRecord("uvicorn", 40, "", 1, "", (), found))

    later = RuntimeError("the response has begun")
    later.__cause__ = HTTPError()
    assert not told(ClientDisconnect()) and not told(later)
    assert told(None) and told(RuntimeError("something else"))


def test_a_run_is_given_a_name_and_keeps_it(queue: Queue, order: Order) -> None:
    run = queue.add(order)
    wait(queue, lambda: run.state == "done")
    version = queue.version
    queue.rename(run.name, " the first try ")
    assert labels_of(queue)[0][0].startswith("the first try, ") and queue.version > version
    queue.rename(run.name, "the first try")
    queue.rename("no such run", "x")
    assert queue.version == version + 1
    again = Run.load(run.folder)
    assert again.title == "the first try" and again.state == "done"
    record = run.folder / runs.RECORD
    record.write_text(record.read_text().replace('"title"', '"other"'))
    assert Run.load(run.folder).title == ""


def test_a_folder_that_cannot_be_one_is_refused_and_an_empty_one_goes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        Queue(tmp_path / "file", tmp_path)
    Queue(tmp_path / "none", tmp_path).close()
    assert not (tmp_path / "none").exists()


def test_nothing_is_left_of_a_run_whose_uploads_cannot_be_kept(
    order: Order, tmp_path: Path
) -> None:
    gone = Order(tmp_path / "uploads" / "gone.gif", order.styles, order.settings)
    (tmp_path / "runs").mkdir()
    with pytest.raises(FileNotFoundError):
        runs.begin(tmp_path / "runs", gone, tmp_path / "uploads")
    assert not [*(tmp_path / "runs").iterdir()]


def test_a_record_of_another_version_is_passed_over(tmp_path: Path, order: Order) -> None:
    run = runs.begin(tmp_path, order, tmp_path / "uploads")
    record = run.folder / runs.RECORD
    record.write_text(record.read_text().replace('"seamless"', '"no_such_option"'))
    assert runs.found(tmp_path) == []
