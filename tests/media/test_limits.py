"""What lies beyond a format's limits is written in parts, or told, before anything is painted."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import vidstyle
from vidstyle import media
from vidstyle.core.frames import Frame
from vidstyle.plan import plan

from ..conftest import QUICK, scene, write_video

SIDE = 8
SAYS = {
    "gif": Fraction(65535, 100),
    "apng": Fraction(65535, 1000),
    "webp": Fraction(2**24 - 1, 1000),
}
"""Seconds that a frame can last in each format."""
ANIMATIONS = [f for f in media.FORMATS.values() if f.longest_delay is not None]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
@pytest.mark.parametrize("file_format", ANIMATIONS, ids=lambda found: found.name)
def test_loops_and_delays_beyond_the_limits(
    file_format: media.Format, still: Path, data: st.DataObject
) -> None:
    plays, longest = file_format.most_plays, file_format.longest_delay
    assert plays is not None and longest is not None
    loop = data.draw(st.sampled_from([0, 1, 2, plays - 1, plays, plays + 1, 2**31 + 5]))
    near = [longest + Fraction(more, 1000) for more in (-20, 0, 1, 5, 15)]
    usual = st.sampled_from([Fraction(2, 100), Fraction(1), *near])
    beyond = st.integers(1, 3 * int(longest)).map(lambda more: longest + Fraction(more, 2))
    delays = data.draw(st.lists(usual | beyond, min_size=2, max_size=4))
    info = replace(media.open_clip(still).info, loop=loop, kind="animation")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{file_format.suffix}"
        time = Fraction(0)
        with media.open_writer(path, info, file_format, (SIDE, SIDE)) as out:
            for number, delay in enumerate(delays):
                picture = np.full((SIDE, SIDE, 3), 40 + 60 * number, np.uint8)
                out.write(Frame(picture, time, delay))
                time += delay
        clip = media.open_clip(path)
        assert clip.info.loop == (min(loop, plays) if loop else 0)
        frames = [*clip]
        lasted = [Fraction(0)] * len(delays)
        for frame in frames:
            lasted[round((int(frame.rgb.mean()) - 40) / 60)] += frame.duration
            assert frame.duration <= SAYS[file_format.name]
        for found, wanted in zip(lasted, delays, strict=True):
            assert abs(found - wanted) <= Fraction(1, 100), (found, wanted)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("limits") / "still.png"
    media.save_image(path, np.zeros((SIDE, SIDE, 3), np.uint8))
    return path


def test_more_plays_than_a_format_has_are_told_before_the_painting(
    workdir: Path, unpainted: None
) -> None:
    pictures = [Image.fromarray(scene(i)) for i in range(3)]
    pictures[0].save(
        "often.gif", save_all=True, append_images=pictures[1:], duration=100, loop=65535
    )
    assert media.open_clip("often.gif").info.loop == 65536
    told = [note for note in plan("often.gif", ["stripes.png"], "x.webp").notes if "plays" in note]
    assert told == ["webp plays 65535 times at most, not 65536"]
    made = vidstyle.stylize("often.gif", "stripes.png", "x.webp", **QUICK)
    assert media.open_clip(made.output).info.loop == 65535
    assert not any("plays" in note for note in plan("often.gif", ["stripes.png"], "x.gif").notes)


def film(path: Path) -> Path:
    """Four seconds with two tracks of sound, of which the second is the default, and chapters."""
    with av.open(str(path), "w") as out:
        chapters = ((0, 2000, "One"), (2000, 4000, "Two"))
        out.set_chapters(
            [
                {"id": i, "start": begin, "end": end, "time_base": Fraction(1, 1000),
                 "metadata": {"title": title}}
                for i, (begin, end, title) in enumerate(chapters)
            ]
        )  # fmt: skip
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        voices = []
        for language, title in (("jpn", "Original"), ("eng", "Commentary")):
            voice = out.add_stream("aac", rate=48000)
            voice.codec_context.layout = "mono"
            voice.metadata.update({"language": language, "title": title})
            voice.disposition = 1 if language == "eng" else 0
            voices.append(voice)
        for i in range(40):
            frame = av.VideoFrame.from_ndarray(scene(i % 8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for voice in voices:
            for begin in range(0, 4 * 48000 - 1024, 1024):
                part = np.zeros((1, 1024), np.float32)
                sound = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                sound.rate, sound.pts, sound.time_base = 48000, begin, Fraction(1, 48000)
                out.mux(voice.encode(sound))
            out.mux(voice.encode(None))
    return path


@pytest.mark.parametrize("mode", ["copy", "encode"])
def test_tracks_keep_their_names_and_chapters_go_along(
    mode: str, workdir: Path, unpainted: None
) -> None:
    film(workdir / "film.mkv")
    options = {"start": 1.0, "end": 3.5, "audio": mode}
    made = vidstyle.stylize("film.mkv", "stripes.png", "x.mkv", **QUICK, **options)  # type: ignore[arg-type]
    with av.open(str(made.output)) as found:
        tracks = [(s.language, s.metadata.get("title")) for s in found.streams.audio]
        assert tracks == [("jpn", "Original"), ("eng", "Commentary")]
        assert [bool(s.disposition & 1) for s in found.streams.audio] == [False, True]
        chapters = [
            (
                float(c["start"] * c["time_base"]),
                float(c["end"] * c["time_base"]),
                c["metadata"]["title"],
            )
            for c in found.chapters()
        ]
    assert chapters == [(0, 1, "One"), (1, 2.5, "Two")]
    few = vidstyle.stylize("film.mkv", "stripes.png", "y.mkv", max_frames=5, **QUICK)
    with av.open(str(few.output)) as found:
        (only,) = found.chapters()
    assert float(only["end"] * only["time_base"]) == 0.5


def test_a_count_that_is_not_sure_is_said_so(workdir: Path, unpainted: None) -> None:
    """Uneven times: of a part of them, an average says little."""
    ticks = [0, 1, *range(75, 100)]
    pictures = [scene(i % 10) for i in range(len(ticks))]
    write_video(workdir / "uneven.mp4", pictures, ticks, base=Fraction(1, 25))
    whole = plan("uneven.mp4", ["stripes.png"], "x.mp4").footage
    assert whole.is_counted and whole.frames == 27
    later = vidstyle.Settings(start=2.0)
    assert not plan("uneven.mp4", ["stripes.png"], settings=later).footage.is_counted
    for even in ("walk.mp4", "walk.gif"):
        part = plan(even, ["stripes.png"], settings=vidstyle.Settings(start=0.1))
        assert part.footage.is_counted
    made = vidstyle.stylize("uneven.mp4", "stripes.png", "y.mp4", **QUICK | {"start": 2.0})
    assert made.frames == 26
