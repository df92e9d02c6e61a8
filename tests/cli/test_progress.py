"""What a person is told while the work goes on, without a terminal."""

from __future__ import annotations

import pytest

from vidstyle.cli.progress import Reporter
from vidstyle.core.events import Event, LookedAt, Notice, Painted, Started


@pytest.mark.parametrize(
    ("frames", "again", "announced", "last"),
    [
        (2, 0, "a.gif: 2 frames, 64x48 on cpu in fp32", "2 of 2 frames, 3.0 s each, 0:00 left"),
        (
            *(5, 3, "a.gif: 2 frames (5 paintings: some are painted again), 64x48 on cpu in fp32"),
            "5 of 5 paintings, 3.0 s each, 0:00 left",
        ),
        (None, 0, "a.gif: ? frames, 64x48 on cpu in fp32", None),
    ],
)
def test_frames_that_are_painted_again_are_told_apart(
    frames: int | None,
    again: int,
    announced: str,
    last: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Reporter("a.gif") as reporter:
        reporter(Started(frames, 64, 48, "cpu", "fp32", again))
        for number in range(1, (frames or 0) + 1):
            reporter(Painted(number, 3.0, number == 1, None))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [announced, *filter(None, [last])]


@pytest.mark.parametrize(
    "event",
    [
        Started(2, 64, 48, "cpu", "fp32"),
        LookedAt(1, 2),
        LookedAt(1, None),
        Painted(1, 3.0, True, None),
        Notice("something"),
    ],
)
def test_a_terminal_has_bars_whatever_comes_first(
    event: Event, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what a terminal is to the library that draws
    with Reporter("a.gif") as reporter:
        assert reporter.drawn
        reporter(event)
        for number in (1, 2):
            reporter(LookedAt(number, 2))
    assert "looked at 2 of 2 frames" in capsys.readouterr().err


def test_what_only_looks_at_frames_tells_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = iter(range(0, 100, 3))
    monkeypatch.setattr("time.monotonic", lambda: float(next(passed)))
    with Reporter("a.mp4") as reporter:
        for number in range(1, 5):
            reporter(LookedAt(number, 4))
    told = capsys.readouterr().err.splitlines()
    assert told == ["looked at 2 of 4 frames", "looked at 4 of 4 frames"]
