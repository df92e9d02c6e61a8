"""What is said to somebody who mistypes, pipes, or stops at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vidstyle.cli.progress import Reporter
from vidstyle.core.events import Started
from vidstyle.settings.times import seconds_of

from ..conftest import QUICK_OPTIONS, Run

VIDSTYLE = (sys.executable, "-m", "vidstyle")


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2 and done.stdout == "", done
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--stile", "stripes.png"), "unknown option '--stile': did you mean '--style'?"),
        (("--style", "stripes.png", "--siz=64"), "did you mean '--size'?"),
        (("--style", "stripes.png", "--threads", "999999"), "at most 1024"),
        (("--style", "stripes.png", "--start", "1:2:3:4"), "'1:2:3:4' is not a number"),
        (("--style", "stripes.png", "--qqqqq"), "unknown option '--qqqqq'"),
    ],
)
def test_a_mistyped_option_gets_the_nearest(
    words: tuple[str, ...], told: str, workdir: Path, vidstyle: Run
) -> None:
    assert told in one_line(vidstyle("walk.mp4", *words))


@pytest.mark.parametrize(
    ("word", "near"), [("inof", "info"), ("trian", "train"), ("Studio", "studio"), ("key", "keys")]
)
def test_a_mistyped_command_gets_the_nearest(
    word: str, near: str, workdir: Path, vidstyle: Run
) -> None:
    assert f"did you mean {near!r}?" in one_line(vidstyle(word, "walk.mp4"))
    Path(word).write_text("a file")
    assert "not a video" in one_line(vidstyle(word, "--style", "stripes.png"))


def test_an_option_that_is_nearly_a_command_may_come_first(workdir: Path, vidstyle: Run) -> None:
    done = vidstyle("--recipe", "sketch", "walk.mp4", "--style", "stripes.png", "--dry-run")
    assert done.returncode == 0, done.stderr


def test_a_mistyped_option_of_a_command(workdir: Path, vidstyle: Run) -> None:
    assert "did you mean '--json'?" in one_line(vidstyle("info", "walk.mp4", "--jsom"))


def test_nothing_shows_how_it_goes(vidstyle: Run) -> None:
    done = vidstyle()
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("usage: vidstyle CLIP --style IMAGE")
    assert sum(line.startswith("  vidstyle ") for line in done.stderr.splitlines()) == 3


@pytest.mark.parametrize("address", ["https://example.com/a.mp4", "rtmp://127.0.0.1/x", "ftp:/x"])
def test_an_address_is_to_be_downloaded_first(address: str, workdir: Path, vidstyle: Run) -> None:
    assert "download it first" in one_line(vidstyle(address, "--style", "stripes.png"))


def test_times_have_at_most_hours() -> None:
    assert seconds_of("1:02:03.5") == 3723.5
    with pytest.raises(ValueError, match="no time"):
        seconds_of("1:2:3:4")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_an_encoding_cannot_hold_is_said_otherwise(encoding: str, workdir: Path) -> None:
    name = "映像 \N{ARTIST PALETTE}.mp4"
    os.link("walk.mp4", name)
    command = (*VIDSTYLE, "info", name)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 0 and b"\\u6620" in done.stdout, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_of_any_bytes_is_painted(workdir: Path, unpainted: None, vidstyle: Run) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    os.link("walk.mp4", name)
    done = vidstyle(name, "--style", "stripes.png", *QUICK_OPTIONS, "--quiet")
    assert done.returncode == 0, done.stderr
    assert Path(os.fsdecode(b"caf\xe9.stripes.mp4")).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="ends otherwise there")
def test_a_reader_that_goes_away_ends_it_quietly(workdir: Path) -> None:
    process = subprocess.Popen(
        (*VIDSTYLE, "--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=60)
    assert error == b"" and process.returncode in (0, 141)


@pytest.mark.skipif(sys.platform == "win32", reason="ends otherwise there")
@pytest.mark.parametrize("module", ["numpy._core", "av.error", "PIL.Image", "torch._C", "torch.nn"])
def test_ctrl_c_while_a_module_is_imported_is_quiet(module: str, workdir: Path) -> None:
    """A module that is imported may make anything of an exception in the middle of it."""
    process = subprocess.Popen(
        (sys.executable, "-X", "importtime", *VIDSTYLE[1:], "walk.mp4", "--style", "stripes.png"),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while not (line := process.stderr.readline()).rstrip().endswith(f" {module}"):
        assert line, "it was never imported"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    said = [line for line in error.splitlines() if " | " not in line]  # it may be half a line
    assert (process.returncode, said) == (130, ["vidstyle: stopped"]), said
    assert not [*workdir.glob("walk.stripes*")]


@pytest.mark.skipif(sys.platform == "win32", reason="no such redirection")
def test_a_closed_stdin_is_told(workdir: Path) -> None:
    words = " ".join((*VIDSTYLE, "-", "--style", "stripes.png", "-o", "x.mp4", "<&-"))
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert "stdin is closed" in one_line(done)


def test_a_dumb_terminal_is_told_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    with Reporter("clip.mp4") as reporter:
        reporter(Started(3, 64, 48, "cpu", "fp32", about=True))
    assert "clip.mp4: about 3 frames" in capsys.readouterr().err


def test_permission_denied_is_not_damaged(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read all: so the refusal is the system's own, without its rights."""
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("takes root's rights away as Linux does")
    Path("locked").mkdir()
    os.link("stripes.png", "locked/1.png")
    for name in ("walk.mp4", "walk.gif", "stripes.png"):
        Path(name).chmod(0)
    Path("locked").chmod(0)
    code = """
import ctypes, os, sys
if os.geteuid() == 0:
    linux = ctypes.CDLL(None)
    for override in (1, 2): linux.prctl(24, override, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
exec(sys.argv[1])
"""
    asked = """
from vidstyle import media, UsageError
for name in ("walk.mp4", "walk.gif", "stripes.png", "locked"):
    try:
        media.open_clip(name)
        print("opened", name)
    except UsageError as error:
        print(error)
"""
    try:
        done = subprocess.run([sys.executable, "-c", code, asked], capture_output=True, text=True)
    finally:
        for name in ("walk.mp4", "walk.gif", "stripes.png"):
            Path(name).chmod(0o644)
        Path("locked").chmod(0o755)
    assert done.stdout.count("permission denied") == 4, done
