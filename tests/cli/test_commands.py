"""Commands drawn from the options: each makes what it planned, or is refused and changes nothing.

A few hundred in every run of the tests, ten thousand by ``pytest -m slow -n 0 -s``.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vidstyle import media
from vidstyle.cli import main
from vidstyle.core.frames import Frame

from ..conftest import FakeEngine, contents, write_video

SIDE = (32, 24)
VIDEO = ("mp4", "mov", "mkv", "webm")
WITH_ALPHA = ("gif", "webp", "apng", "png", "folder")
LATE = Fraction(12, 100)
"""Seconds: a container may know no better how long a last frame of 1 ms lasts."""
CLOSE = 0.03
"""Of the share that is clear: a GIF knows only clear and opaque, and a codec rounds."""


def picture(step: int) -> np.ndarray:
    rows, columns = np.mgrid[: SIDE[1], : SIDE[0]]
    return np.dstack([rows * 8 + step * 9, columns * 6, rows * 3 + columns]).astype(np.uint8)


def holed(step: int) -> np.ndarray:
    """Opaque first, then with a growing hole."""
    alpha = np.full(SIDE[::-1], 255, np.uint8)
    alpha[: 4 * step, : 5 * step] = 0
    return np.dstack([picture(step), alpha])


def animation(path: Path, frames: list[np.ndarray], delays: list[int], **more: object) -> None:
    made = [Image.fromarray(frame) for frame in frames]
    made[0].save(path, save_all=True, append_images=made[1:], duration=delays, **more)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small clips of every kind, two styles, and files that have nothing to do with it."""
    folder = tmp_path_factory.mktemp("sources")
    pictures = [picture(i) for i in range(6)]
    write_video(folder / "sound.mp4", pictures, sound="aac")
    write_video(folder / "uneven.mkv", pictures, [0, 13, 40, 300, 310, 500], base=Fraction(1, 1000))
    write_video(folder / "ten.avi", pictures, [*range(6)], base=Fraction(1, 10))
    write_video(
        folder / "clear.webm",
        [holed(i) for i in range(4)],
        codec="libvpx-vp9",
        pixels="yuva420p",
        options={"auto-alt-ref": "0"},
    )
    with media.open_writer(
        folder / "iris.gif", media.open_clip(folder / "clear.webm").info, media.FORMATS["gif"], SIDE
    ) as out:
        for i, delay in enumerate((5, 10, 7, 20)):
            out.write(Frame(picture(i), Fraction(i, 7), Fraction(delay, 100), holed(i)[..., 3]))
    animation(folder / "loop.png", pictures[:4], [40, 90, 33, 500], loop=0)
    animation(
        folder / "once.webp", [holed(i) for i in range(1, 5)], [80, 40, 60, 70], lossless=True
    )
    Image.fromarray(pictures[0]).save(folder / "photo.jpg")
    (folder / "stills").mkdir()
    for number, frame in enumerate(pictures[:4]):
        Image.fromarray(frame).save(folder / "stills" / f"s{number}.png")
    (folder / "broken.gif").write_bytes(b"GIF89a nothing")
    Image.fromarray(picture(3)[::-1]).save(folder / "style.png")
    (folder / "there").mkdir()
    (folder / "there" / "notes.txt").write_text("precious")
    for name in ("taken.mp4", "taken.gif", "taken.png"):
        (folder / name).write_text("precious")
    return folder


CLIPS = (
    *("sound.mp4", "uneven.mkv", "ten.avi", "clear.webm", "iris.gif", "loop.png", "once.webp"),
    *("photo.jpg", "stills", "stills/s*.png"),
)
ABSENT = ("broken.gif", "none.gif")
"""Named among several clips, these are told and the rest is painted."""
OUTPUTS = (
    *(None, "x.mp4", "x.mov", "x.mkv", "x.webm", "x.gif", "x.webp", "x.apng", "x.png", "x.jpg"),
    *("frames", "new/", "new/deep/", "there", "there/", ".", "stills", "taken.mp4", "taken.gif"),
    *("taken.png", "taken.png/", "gone/x.mp4", "x.doc", "style.png", "iris.gif"),
)


@dataclass
class Command:
    clips: list[str]
    output: str | None
    options: dict[str, object]
    flags: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        words = [*self.clips, "--style", "style.png", "--size", "32", "--json"]
        words += [] if self.output is None else ["-o", self.output]
        for name, value in self.options.items():
            words += [f"--{name}", str(value)]
        return words + self.flags


optional = st.fixed_dictionaries(
    {},
    optional={
        "start": st.sampled_from([0, 0.02, 0.055, 0.35, 0.1, 9]),
        "end": st.sampled_from([0.05, 0.16, 0.201, 0.5, 60]),
        "max-frames": st.sampled_from([1, 2, 3, 100]),
        "fps": st.sampled_from([0.5, 7, 24, 29.97, 120]),
        "loop": st.sampled_from([0, 1, 3, 65535, 70000]),
        "codec": st.sampled_from(["h264", "h265", "vp9", "av1", "prores", "ffv1", "nonsense"]),
        "crf": st.sampled_from([0, 30, 52, 64]),
        "audio": st.sampled_from(["copy", "encode", "none"]),
        "format": st.sampled_from(["mp4", "gif", "webm", "webp", "apng", "png", "folder"]),
        "cuts": st.sampled_from(["auto", "none", "0.1"]),
        "mask": st.sampled_from(["photo.jpg", "iris.gif"]),
    },
)
commands = st.builds(
    Command,
    st.lists(st.sampled_from(CLIPS), min_size=1, max_size=1)
    | st.lists(st.sampled_from([*CLIPS, *ABSENT]), min_size=1, max_size=3),
    st.sampled_from(OUTPUTS),
    # Few options at a time: most of many are refused for one of them.
    optional.map(lambda d: dict(list(d.items())[:4])),
    st.lists(
        st.sampled_from(["-y", "--keep-partial", "--keep-frames", "--restart", "--preview"]),
        max_size=2,
        unique=True,
    ),
    # A still that is painted into a folder becomes part of that clip.
).filter(lambda command: command.output != "stills" or len(command.clips) == 1)


def run(command: Command) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(command.words)
    return code, out.getvalue(), err.getvalue()


def shown(command: Command, clip: str) -> list[Frame]:
    """The frames that are to come out, at the size they have."""
    options = command.options
    start = Fraction(str(options.get("start", 0)))
    end = Fraction(str(options["end"])) if "end" in options else None
    most = int(str(options["max-frames"])) if "max-frames" in options else None
    if "--preview" in command.flags:
        most = 3
    if "fps" not in options:
        return [*media.trim(media.open_clip(clip), start, end, most)]
    rate = Fraction(float(str(options["fps"]))).limit_denominator(1001)
    return [*islice(media.resample(media.trim(media.open_clip(clip), start, end), rate), most)]


def spaced(frames: list[Frame], least: Fraction, tick: int) -> list[Frame]:
    """What a format shows that cannot show frames for less than ``least`` seconds."""
    kept: list[Frame] = []
    for frame in frames:
        if not kept or round(frame.time * tick) - round(kept[-1].time * tick) >= least * tick:
            kept.append(frame)
    return kept


def check_painting(command: Command, wanted: list[Frame], output: Path) -> None:
    found = [*media.open_clip(output)]
    asked = command.options.get("format")
    kind = str(asked or ("folder" if output.is_dir() else media.format_of(output).name))
    clock = Fraction(1, 1000)
    loop_count = kind in ("gif", "webp", "apng") or output.suffix in (".webp", ".apng")
    loop_count = loop_count or media.open_clip(output).info.kind == "animation"
    if loop_count:  # there is no waiting for the first frame
        wanted = [replace(frame, time=frame.time - wanted[0].time) for frame in wanted]
    end = wanted[-1].time + wanted[-1].duration
    if kind == "gif":
        wanted, clock = spaced(wanted, Fraction(2, 100), 100), Fraction(1, 100)
    elif loop_count:
        wanted = spaced(wanted, Fraction(11, 1000), 1000)
    if kind not in ("gif", "folder", *VIDEO):  # Pillow joins frames that are the same
        assert 1 <= len(found) <= len(wanted)
    else:
        assert len(found) == len(wanted), f"{len(found)} frames, not {len(wanted)}"
        if loop_count or kind in VIDEO:
            for one, other in zip(found, wanted, strict=True):
                assert abs(one.time - other.time) <= 2 * clock, (one.time, other.time)
    if kind in ("gif", *VIDEO) or (loop_count and len(found) > 1):
        assert abs(found[-1].time + found[-1].duration - end) <= LATE, end
    holds = kind in WITH_ALPHA or (kind == "webm" and command.options.get("codec", "vp9") == "vp9")
    if holds and len(found) == len(wanted):
        for one, other in zip(found, wanted, strict=True):
            shares = [0 if f.alpha is None else float((f.alpha < 128).mean()) for f in (one, other)]
            assert abs(shares[0] - shares[1]) <= CLOSE, shares


def check(command: Command, sources: Path, ends: Counter[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        shutil.copytree(sources, folder)
        before = contents(folder)
        there = Path.cwd()
        os.chdir(folder)
        try:
            # Before it is painted: the painting may come to lie in a clip that is a folder.
            wanted = {c: shown(command, c) for c in command.clips if c not in ABSENT}
            painted = FakeEngine.painted
            code, out, err = run(command)
            after = contents(folder)
            lines = [line for line in err.splitlines() if line.startswith("vidstyle: ")]
            assert "unexpected" not in err and "Traceback" not in err, err
            assert not [name for name in after if name.endswith(".part")], [*after]
            if code == 2:
                assert after == before and FakeEngine.painted == painted, err
                assert [*folder.rglob("*")].__len__() == [*sources.rglob("*")].__len__()
                assert err == f"{lines[-1]}\n" and out == "", err
                ends["refused"] += 1
                return
            report = json.loads(out)
            made = [report] if len(command.clips) == 1 else report["clips"]
            assert code == (1 if len(command.clips) > 1 and report["failed"] else 0), err
            results = [r[key] for r in made for key in ("output", "sheet") if r[key]]
            written = {str(Path(name).resolve().relative_to(folder.resolve())) for name in results}
            for name, data in before.items():  # what was there stays, but for what was asked for
                replaced = name in written or any(name.startswith(f"{w}/") for w in written)
                assert after.get(name) == data or (replaced and "-y" in command.flags), name
            failed = [f["clip"] for f in report.get("failed", ())]
            done = [clip for clip in dict.fromkeys(command.clips) if clip not in failed]
            for clip, row in zip(done, made, strict=True):
                check_painting(command, wanted[clip], Path(row["output"]))
            ends["several, some refused" if code else "painted"] += 1
        finally:
            os.chdir(there)


@pytest.mark.parametrize(
    "examples", [250, pytest.param(10_000, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_a_command_makes_what_it_planned_or_changes_nothing(
    examples: int, sources: Path, unpainted: None
) -> None:
    ends: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=examples < 1000,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(commands)
    def drawn(command: Command) -> None:
        check(command, sources, ends)

    drawn()
    print(f"\n{examples} commands: {dict(ends)}")
    assert ends["painted"] > examples / 10 and ends["refused"] > examples / 10
