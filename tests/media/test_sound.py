"""Sound and subtitles that a container or an encoder cannot take as they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidstyle import UsageError, media
from vidstyle.core.frames import Frame
from vidstyle.media.formats import FORMATS
from vidstyle.media.sound import Sound

from ..conftest import HEIGHT, WIDTH, scene, write_video

LAYOUTS = {"mono": 1, "stereo": 2, "2.1": 3, "4.0": 4, "5.0(side)": 5, "5.1(side)": 6, "7.1": 8}


def film(path: Path, codec: str, layout: str, rate: int, frames: int = 8) -> Path:
    """A video in Matroska, which takes any sound."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        voice = out.add_stream(codec, rate=rate)
        voice.codec_context.layout = layout
        out.start_encoding()
        planar = voice.codec_context.format.name
        count = LAYOUTS[layout]
        size = voice.codec_context.frame_size or 1024
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(scene(number), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        for begin in range(0, rate * frames // 25, size):
            shape = (count, size) if planar.endswith("p") else (1, count * size)
            kind = np.float32 if "flt" in planar else np.dtype(f"int{planar[1:].rstrip('p')}")
            part = av.AudioFrame.from_ndarray(np.ones(shape, kind), format=planar, layout=layout)
            part.rate, part.pts, part.time_base = rate, begin, Fraction(1, rate)
            out.mux(voice.encode(part))
        out.mux(voice.encode(None))
    return path


def copied(clip: Path, output: Path, mode: str = "copy", start: int = 0) -> Sound:
    opened = media.open_clip(clip)
    name = media.format_of(output).name
    sound = Sound(clip, FORMATS[name], mode, Fraction(start))  # type: ignore[arg-type]
    size = (WIDTH, HEIGHT)
    with media.open_writer(
        output, opened.info, media.format_of(output), size, sound=sound
    ) as writer:
        for frame in media.trim(opened, Fraction(start)):
            writer.write(frame)
    return sound


@pytest.mark.parametrize("name", ["mp4", "webm", "mkv"])
@pytest.mark.parametrize(
    ("codec", "layout", "rate"),
    [
        ("ac3", "5.1(side)", 48000),
        ("pcm_s16le", "stereo", 192000),
        ("pcm_s16le", "2.1", 44100),
        ("pcm_s16le", "7.1", 11025),
        ("pcm_s16le", "mono", 5000),
        ("ac3", "5.0(side)", 32000),
        ("flac", "4.0", 96000),
    ],
)
@pytest.mark.parametrize("mode", ["copy", "encode"])
def test_sound_of_every_kind_arrives(
    codec: str, layout: str, rate: int, name: str, mode: str, tmp_path: Path
) -> None:
    clip = film(tmp_path / "film.mkv", codec, layout, rate)
    output = tmp_path / f"out.{name}"
    sound = copied(clip, output, mode)
    with av.open(str(output)) as container:
        (stream,) = container.streams.audio
        heard = sum(frame.samples for frame in container.decode(stream)) / stream.rate
    # A codec works on blocks, of which the first and the last hold silence, too.
    assert heard == pytest.approx(8 / 25, abs=0.1 + 2 * 1024 / stream.rate)
    assert len([*media.open_clip(output)]) == 8
    assert not any("left out" in note or "ends early" in note for note in sound.notes)


def test_sound_that_fails_in_the_middle_does_not_cost_the_painting(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    real = Sound.until

    def fails(self: Sound, time: Fraction | None) -> object:
        nonlocal taken
        for packet in real(self, time):
            taken += 1
            if taken > 3:
                raise av.error.ArgumentError(22, "Invalid argument")
            yield packet

    monkeypatch.setattr(Sound, "until", fails)
    sound = copied(video, tmp_path / "out.mp4")
    assert any("ends early" in note for note in sound.notes)
    assert len([*media.open_clip(tmp_path / "out.mp4")]) == 5


SUBTITLES = """1
00:00:00,000 --> 00:00:01,500
First line

2
00:00:01,600 --> 00:00:02,000
Second line
"""


@pytest.fixture
def subtitled(tmp_path: Path) -> Path:
    (tmp_path / "x.srt").write_text(SUBTITLES)
    path = tmp_path / "film.mkv"
    with av.open(str(tmp_path / "x.srt")) as text, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        target = out.add_stream_from_template(text.streams[0])
        for number in range(60):
            picture = av.VideoFrame.from_ndarray(scene(0), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        for packet in text.demux():
            if packet.dts is not None:
                packet.stream = target
                out.mux(packet)
    return path


def lines(path: Path) -> list[tuple[float, float, str]]:
    with av.open(str(path)) as container:
        return [
            (float(p.pts * p.time_base), float(p.duration * p.time_base), bytes(p).decode())
            for p in container.demux(container.streams.subtitles[0])
            if p.size
        ]


def test_subtitles_go_along_or_are_told(subtitled: Path, tmp_path: Path) -> None:
    (codec,) = media.open_clip(subtitled).info.subtitles
    copied(subtitled, tmp_path / "out.mkv")
    assert lines(tmp_path / "out.mkv") == [(0, 1.5, "First line"), (1.6, 0.4, "Second line")]
    copied(subtitled, tmp_path / "part.mkv", start=1)
    part = lines(tmp_path / "part.mkv")
    assert [(round(a, 3), round(b, 3), c) for a, b, c in part] == [
        (0, 0.5, "First line"),
        (0.6, 0.4, "Second line"),
    ]
    sound = copied(subtitled, tmp_path / "out.mp4")
    assert sound.notes == [f"mp4 cannot hold {codec} subtitles: left out"]


def test_two_frames_within_a_tick_are_both_written(tmp_path: Path) -> None:
    """A clock of 1/10 s, and frames at 0 and 0.05 s."""
    info = media.open_clip(write_video(tmp_path / "x.avi", [scene(0)], base=Fraction(1, 10))).info
    times = [Fraction(0), Fraction(1, 20), Fraction(3, 20)]
    for suffix in ("mp4", "mkv", "webm"):
        path = tmp_path / f"out.{suffix}"
        with media.open_writer(path, info, media.format_of(path), (WIDTH, HEIGHT)) as out:
            for time in times:
                out.write(Frame(scene(0), time, Fraction(1, 10)))
        assert len([*media.open_clip(path)]) == 3


def test_an_encoder_that_refuses_is_told_before_anything_is_painted(tmp_path: Path) -> None:
    info = media.open_clip(write_video(tmp_path / "x.mp4", [scene(0)])).info
    for codec, size in (("vp9", (70000, 2)), ("av1", (20000, 20000))):
        with pytest.raises(UsageError, match="cannot be encoded as asked"):
            media.open_writer(tmp_path / "o.mkv", info, media.FORMATS["mkv"], size, codec=codec)
        assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]
