"""Whatever removes or replaces a path: only what is ours, and only when asked."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidstyle import UsageError, VidstyleError, media
from vidstyle.core import files

PICTURE = np.full((4, 4, 3), 90, np.uint8)


def painted(folder: Path, count: int = 2) -> Path:
    """A folder as vidstyle writes one."""
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        media.save_image(folder / files.frame_name(number), PICTURE)
    return folder


def test_only_folders_of_numbered_frames_by_vidstyle_are_own(tmp_path: Path) -> None:
    folder = painted(tmp_path / "out")
    assert files.is_own_folder(folder)
    assert not files.is_own_folder(tmp_path)  # it holds a folder
    (tmp_path / "link").symlink_to(folder)
    assert not files.is_own_folder(tmp_path / "link")
    (tmp_path / "empty").mkdir()
    assert not files.is_own_folder(tmp_path / "empty")
    Image.fromarray(PICTURE).save(folder / "000003.png")  # by another program
    assert not files.is_own_folder(folder)
    media.save_image(folder / "000003.png", PICTURE)
    assert files.is_own_folder(folder)
    (folder / "notes.txt").write_text("precious")
    assert not files.is_own_folder(folder)


def test_what_may_be_written_over(tmp_path: Path) -> None:
    clip, other = tmp_path / "clip.mp4", tmp_path / "other.mp4"
    clip.write_text("clip")
    other.hardlink_to(clip)
    for path in (clip, other):
        with pytest.raises(UsageError, match="read by this very run"):
            files.check_writable(path, True, [clip])
    with pytest.raises(UsageError, match="exists already"):
        files.check_writable(clip, False)
    files.check_writable(clip, True)
    with pytest.raises(UsageError, match="no such folder"):
        files.check_writable(tmp_path / "gone" / "x.mp4", True)
    with pytest.raises(UsageError, match="never replaced"):
        files.check_writable(tmp_path, True)
    folder = painted(tmp_path / "out")
    with pytest.raises(UsageError, match="read by this very run"):
        files.check_writable(folder, True, [folder / "000001.png"])
    files.check_writable(folder, True, [clip])
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="broken link"):
        files.check_writable(tmp_path / "dangling", True)
    if Path("/dev/null").exists():
        with pytest.raises(UsageError, match="not a regular file"):
            files.check_writable(Path("/dev/null"), True)


def test_a_folder_takes_the_place_of_its_own_kind_only(tmp_path: Path) -> None:
    old, new = painted(tmp_path / "out", 3), painted(tmp_path / "part", 1)
    with pytest.raises(VidstyleError, match="appeared"):
        files.put_in_place(new, old, overwrite=False)
    (old / "notes.txt").write_text("precious")
    with pytest.raises(VidstyleError, match="appeared"):
        files.put_in_place(new, old, overwrite=True)
    (old / "notes.txt").unlink()
    files.put_in_place(new, old, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in old.iterdir()] == ["000001.png"]


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.toml"
    path.write_text("old")
    (tmp_path / "x.toml.new").write_text("a file of the user's")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    files.write_whole(path, b"new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "x.toml": "new",
        "x.toml.new": "a file of the user's",
    }


def test_leftovers_of_killed_runs_go_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    left = files.temporary_file(path)
    folder = files.temporary_folder(path)
    media.save_image(folder / "000001.png", PICTURE)
    kept = [".out.mp4.mine.part", "out.mp4.part", ".other.mp4.abcdefgh.part", ".out.mp4.part"]
    for name in kept:
        (tmp_path / name).write_text("precious")
    files.remove_stale(path)
    assert not left.exists() and not folder.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


def test_a_folder_that_was_made_for_nothing_goes_away(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.made(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
        raise ZeroDivisionError
    assert not [*tmp_path.iterdir()]
    with files.made(tmp_path / "a" / "b"):
        pass
    assert (tmp_path / "a" / "b").is_dir()


def _hold(folder: Path, seconds: float) -> None:
    with files.locked(folder, folder):
        (folder / "held").write_text("")
        time.sleep(seconds)
        (folder / "held").unlink()


def test_a_lock_keeps_others_out_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / ".out.vidstyle"
    with files.locked(folder, tmp_path / "out"):
        with (
            pytest.raises(UsageError, match="another run is painting this"),
            files.locked(folder, tmp_path / "out"),
        ):
            pass
        assert folder.exists()
    assert not folder.exists()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_hold, args=(folder, 60))
    process.start()
    while not (folder / "held").exists():
        time.sleep(0.01)
    with pytest.raises(UsageError, match="another run"), files.locked(folder, tmp_path / "out"):
        pass
    process.kill()
    process.join()
    with files.locked(folder, tmp_path / "out"):  # a killed process holds nothing
        pass
    assert [path.name for path in folder.iterdir()] == ["held"]


def test_what_was_set_aside_comes_back_after_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "sheet.jpg"
    for before in (None, "old"):
        if before:
            path.write_text(before)
        with pytest.raises(ZeroDivisionError), files.set_aside(path):
            path.write_text("half")
            raise ZeroDivisionError
        assert (path.read_text() if path.exists() else None) == before
    with files.set_aside(path):
        path.write_text("new")
    assert path.read_text() == "new" and [*tmp_path.iterdir()] == [path]
