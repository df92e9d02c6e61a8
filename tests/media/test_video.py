"""What goes in comes out: frames, times, sound, colors, transparency."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidstyle import UsageError, VidstyleError, media
from vidstyle.core.frames import Frame
from vidstyle.media import ClipInfo
from vidstyle.media.color import EXACT
from vidstyle.media.formats import FORMATS
from vidstyle.media.sound import Sound

from ..conftest import scene, write_video


def copy(source: Path, output: Path, **options: object) -> list[Frame]:
    """Write every frame of ``source`` to ``output`` unpainted; returns what was written."""
    clip = media.open_clip(source)
    file_format = media.format_of(output)
    sound = Sound(source, file_format) if file_format.kind == "video" else None
    size = (clip.info.width, clip.info.height)
    frames = list(clip)
    with media.open_writer(output, clip.info, file_format, size, sound=sound, **options) as out:
        for frame in frames:
            out.write(frame)
    return frames


def sound_of(path: Path) -> str:
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(audio=0) if p.size]
    return hashlib.sha256(b"".join(packets)).hexdigest()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_uneven_times_come_back(suffix: str, tmp_path: Path) -> None:
    times = [0, 24, 48, 60, 120, 132, 300]
    source = write_video(tmp_path / "source.mp4", [scene(i) for i in range(7)], times)
    written = copy(source, tmp_path / f"copy{suffix}")
    read = list(media.open_clip(tmp_path / f"copy{suffix}"))
    tick = Fraction(1, 1000) if suffix in (".mkv", ".webm") else Fraction(1, 600)
    assert [frame.time for frame in written] == [Fraction(t, 600) for t in times]
    assert len(read) == len(written)
    for before, after in zip(written, read, strict=True):
        assert abs(before.time - after.time) < tick
        assert abs(before.duration - after.duration) <= tick
        assert np.abs(before.rgb.astype(int) - after.rgb).mean() < 6


def test_sound_is_copied_bit_for_bit(video: Path, tmp_path: Path) -> None:
    for suffix in (".mp4", ".mov", ".mkv"):
        output = tmp_path / f"copy{suffix}"
        copy(video, output)
        assert sound_of(output) == sound_of(video)


def test_sound_that_does_not_fit_is_encoded_with_a_notice(video: Path, tmp_path: Path) -> None:
    clip = media.open_clip(video)
    sound = Sound(video, FORMATS["webm"])
    output = tmp_path / "copy.webm"
    size = (clip.info.width, clip.info.height)
    webm = media.format_of(output)
    with media.open_writer(output, clip.info, webm, size, sound=sound) as out:
        for frame in clip:
            out.write(frame)
    assert sound.notes == ["webm cannot hold aac sound: encoded as opus"]
    assert media.open_clip(output).info.sound == ("opus",)


def test_trimmed_sound_starts_with_the_picture(video: Path, tmp_path: Path) -> None:
    clip = media.open_clip(video)
    start, end = Fraction(2, 25), Fraction(4, 25)
    sound = Sound(video, FORMATS["mp4"], "copy", start, end)
    output = tmp_path / "part.mp4"
    size = (clip.info.width, clip.info.height)
    with media.open_writer(output, clip.info, media.format_of(output), size, sound=sound) as out:
        for frame in media.trim(clip, start, end):
            out.write(frame)
    with av.open(str(output)) as container:
        times = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert abs(times[0]) < 0.03 and times[-1] < float(end - start)
    assert [f.time for f in media.open_clip(output)] == [0, Fraction(1, 25)]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored_video_is_read_upright(
    degrees: int, mirrored: bool, tmp_path: Path
) -> None:
    """A phone films lying down and notes how the picture must be turned, then mirrored."""
    flat = write_video(tmp_path / "flat.mp4", [scene(0)] * 3)
    turned = tmp_path / "turned.mp4"
    with av.open(str(flat)) as source, av.open(str(turned), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write a rotation")
        stream.set_display_rotation(degrees, hflip=mirrored)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    clip = media.open_clip(turned)
    (lying, *_) = media.open_clip(flat)
    expected = np.rot90(lying.rgb, degrees // 90)
    (first, *_) = clip
    assert np.array_equal(first.rgb, expected[:, ::-1] if mirrored else expected)
    assert (clip.info.height, clip.info.width) == first.rgb.shape[:2]


def test_transparency_of_vp9_survives(tmp_path: Path) -> None:
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, 20:] = 255
    pictures = [np.dstack([scene(i), alpha]) for i in range(3)]
    source = write_video(
        tmp_path / "clear.webm",
        pictures,
        codec="libvpx-vp9",
        pixels="yuva420p",
        options={"auto-alt-ref": "0"},
    )
    (first, *_) = media.open_clip(source)
    assert first.alpha is not None
    copy(source, tmp_path / "copy.webm")
    (again, *_) = media.open_clip(tmp_path / "copy.webm")
    assert again.alpha is not None
    assert again.alpha[:, :18].max() < 30 and again.alpha[:, 22:].min() > 225


def test_colors_survive_and_are_tagged(tmp_path: Path) -> None:
    red = np.full((48, 64, 3), (200, 50, 50), np.uint8)
    frame = Frame(red, Fraction(0), Fraction(1, 25))
    still = tmp_path / "red.png"
    media.save_image(still, red)
    info = media.open_clip(still).info
    output = tmp_path / "red.mp4"
    with media.open_writer(output, info, media.format_of(output), (64, 48)) as out:
        out.write(frame)
    (read,) = media.open_clip(output)
    assert np.abs(read.rgb.astype(int) - red).max() <= 3
    with av.open(str(output)) as container:
        assert int(next(container.decode(video=0)).colorspace) == 1


def test_odd_sizes_are_padded_where_they_must_be(tmp_path: Path) -> None:
    picture = scene(0)[:47, :63]
    still = tmp_path / "odd.png"
    media.save_image(still, picture)
    info = media.open_clip(still).info
    for suffix, size in ((".mp4", (64, 48)), (".webm", (63, 47)), (".gif", (63, 47))):
        output = tmp_path / f"odd{suffix}"
        with media.open_writer(output, info, media.format_of(output), (63, 47)) as out:
            out.write(Frame(picture, Fraction(0), Fraction(1, 25)))
        read = media.open_clip(output).info
        assert (read.width, read.height) == size


def test_a_truncated_video_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(30)]
    whole = write_video(tmp_path / "whole.mp4", pictures, options={"movflags": "faststart"})
    moved = tmp_path / "fast.mp4"
    copy(whole, moved)  # faststart: the index comes first
    part = tmp_path / "part.mp4"
    data = moved.read_bytes()
    part.write_bytes(data[: len(data) * 6 // 10])
    clip = media.open_clip(part)
    assert 5 < len(list(clip)) < 30
    assert any("truncated" in note for note in clip.notes)


def test_a_song_with_a_cover_is_no_video(video: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.m4a"
    with av.open(str(video)) as source, av.open(str(song), "w", format="mp4") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    with pytest.raises(UsageError, match="only sound"):
        media.open_clip(song)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    media.save_image(still, scene(0))
    info = media.open_clip(still).info
    for name in ("out.mp4", "out.gif", "out.webp", "out"):
        output = tmp_path / "results" / name
        output.parent.mkdir(exist_ok=True)
        with (
            pytest.raises(RuntimeError),
            media.open_writer(output, info, media.format_of(output), (64, 48)) as out,
        ):
            out.write(Frame(scene(0), Fraction(0), Fraction(1, 25)))
            raise RuntimeError
        with (
            pytest.raises(VidstyleError, match="no frame"),
            media.open_writer(output, info, media.format_of(output), (64, 48)),
        ):
            pass
        assert list(output.parent.iterdir()) == []


def test_a_constant_rate_shows_each_moment_what_was_shown_then() -> None:
    lengths = [Fraction(4, 100), Fraction(46, 100), Fraction(4, 100)]
    times = [Fraction(0), Fraction(4, 100), Fraction(50, 100)]
    frames = [
        Frame(scene(i), time, length)
        for i, (time, length) in enumerate(zip(times, lengths, strict=True))
    ]
    even = list(media.resample(frames, Fraction(10)))
    assert [f.time for f in even] == [Fraction(i, 10) for i in range(len(even))]
    assert len(even) == 6 and all(f.duration == Fraction(1, 10) for f in even)
    for shown, index in zip(even, [0, 1, 1, 1, 1, 2], strict=True):
        assert np.array_equal(shown.rgb, frames[index].rgb)


def test_alpha_in_prores_and_ffv1(tmp_path: Path) -> None:
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, 20:] = 255
    frame = Frame(scene(0), Fraction(0), Fraction(1, 25), alpha)
    still = tmp_path / "clear.png"
    media.save_image(still, scene(0), alpha)
    info = media.open_clip(still).info
    for name, codec, most in (("a.mov", "prores", 3), ("a.mkv", "ffv1", 0)):
        output = tmp_path / name
        with media.open_writer(output, info, media.format_of(output), (64, 48), codec=codec) as out:
            out.write(frame)
        (read,) = media.open_clip(output)
        assert read.alpha is not None
        assert np.abs(read.alpha.astype(int) - alpha).max() <= most
        assert np.abs(read.rgb.astype(int) - scene(0))[:, 20:].mean() <= most


def test_a_codec_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    media.save_image(still, scene(0))
    info = media.open_clip(still).info
    for codec, message in (
        ("prores", "mp4 cannot hold prores"),
        ("prorez", "did you mean 'prores'"),
    ):
        output = tmp_path / "x.mp4"
        with pytest.raises(UsageError, match=message):
            media.open_writer(output, info, media.format_of(output), (64, 48), codec=codec)
        assert not list(tmp_path.glob(".*")), "nothing half-written"


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5806), (18, 0.75)])
def test_hdr_is_toned_down_not_written_wrong(transfer: int, white: float, tmp_path: Path) -> None:
    """A diffuse white (203 cd/m²) of PQ and HLG, and black, must be light gray and black."""
    path = tmp_path / "hdr.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        stream.codec_context.options = {"x265-params": "log-level=none:lossless=1"}
        stream.codec_context.color_trc = transfer
        stream.codec_context.color_primaries, stream.codec_context.colorspace = 9, 9
        stream.codec_context.color_range = 1
        frame = av.VideoFrame(64, 48, "yuv420p10le")
        for index, plane in enumerate(frame.planes):
            values = np.full(plane.buffer_size // 2, 512, np.uint16)
            if index == 0:
                values[:] = 64 + round(white * 876)
                values[: len(values) // 2] = 64
            plane.update(values.tobytes())
        frame.pts = 0
        frame.color_trc, frame.color_primaries, frame.colorspace = transfer, 9, 9
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    clip = media.open_clip(path)
    assert clip.info.color.startswith("HDR")
    (read,) = clip
    assert read.rgb[4].max() < 12
    assert read.rgb[-4].min() > 170 and read.rgb[-4].max() < 235
    assert np.ptp(read.rgb[-4].astype(int), axis=-1).max() <= 3, "a gray stays gray"


def test_metadata_and_chapters_are_kept(tmp_path: Path) -> None:
    source = write_video(tmp_path / "plain.mp4", [scene(i) for i in range(5)])
    named = tmp_path / "named.mkv"
    with av.open(str(source)) as clip, av.open(str(named), "w") as out:
        out.metadata["title"] = "A walk"
        if hasattr(out, "set_chapters"):
            out.set_chapters(
                [{"id": 1, "start": 0, "end": 80, "time_base": Fraction(1, 1000),
                  "metadata": {"title": "Setting out"}}]
            )  # fmt: skip
        stream = out.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(clip.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    output = tmp_path / "copy.mkv"
    copy(named, output)
    info = media.open_clip(output).info
    assert {k.lower(): v for k, v in info.metadata.items()}["title"] == "A walk"
    if hasattr(av.container.OutputContainer, "set_chapters"):
        assert [c["metadata"]["title"] for c in info.chapters] == ["Setting out"]


def test_colors_that_are_not_named_are_guessed_as_players_do(tmp_path: Path) -> None:
    """BT.709 for HD, BT.601 below it."""
    for size, matrix in (((1280, 720), 1), ((320, 240), 5)):
        path = tmp_path / f"{size[0]}.mkv"
        red = np.full((size[1], size[0], 3), (200, 50, 50), np.uint8)
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            raw = av.VideoFrame.from_ndarray(red, format="rgb24")
            raw = raw.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=1)
            raw.colorspace = 2
            out.mux(stream.encode(raw))
            out.mux(stream.encode(None))
        (read,) = media.open_clip(path)
        assert np.abs(read.rgb.astype(int) - red).max() <= 4


def test_pixels_that_are_not_square_stay_so(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(0), format="rgb24")))
        out.mux(stream.encode(None))
    copy(path, tmp_path / "copy.mkv")
    assert media.open_clip(tmp_path / "copy.mkv").info.sample_aspect == Fraction(4, 3)


def test_interlaced_video_is_deinterlaced_and_says_so(tmp_path: Path) -> None:
    """A block that moves between the two fields of each frame has a comb at its edges."""
    path = tmp_path / "fields.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.options = {"crf": "8", "x264-params": "tff=1"}
        for number in range(8):
            picture = np.full((48, 64, 3), 90, np.uint8)
            for field in (0, 1):
                left = 4 + 5 * number + 2 * field
                picture[10 + field : 40 : 2, left : left + 10] = 230
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
        raw = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    clip = media.open_clip(path)
    frames = list(clip)
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(8)]
    assert clip.notes == ["the video is interlaced: deinterlaced by FFmpeg's bwdif"]

    def comb(picture: np.ndarray) -> float:
        rows = picture[12:38].astype(int)
        return float(np.abs(rows[1:-1:2] - (rows[:-2:2] + rows[2::2]) / 2).mean())

    assert max(comb(frame.rgb) for frame in frames) < 0.2 * min(comb(picture) for picture in raw)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("codec", ["h264", "h265", "vp9", "av1"])
@pytest.mark.parametrize(
    "delays", [[4, 9, 3, 50], [10, 10, 10, 10, 10, 200], [10] * 9, [300], [20, 30]]
)
def test_the_last_frame_lasts_as_long_as_it_is_to(
    delays: list[int], codec: str, suffix: str, tmp_path: Path
) -> None:
    """The frame that is shown last may have been coded before the others."""
    if codec not in FORMATS[suffix].codecs:
        pytest.skip(f"{suffix} holds no {codec}")
    times = [Fraction(sum(delays[:i]), 100) for i in range(len(delays))]
    info = ClipInfo(Path("x"), "animation", "gif", "gif", 64, 48, None, None)
    path = tmp_path / f"x.{suffix}"
    with media.open_writer(path, info, media.FORMATS[suffix], (64, 48), codec=codec) as out:
        for number, (time, delay) in enumerate(zip(times, delays, strict=True)):
            out.write(Frame(scene(number), time, Fraction(delay, 100)))
    frames = [*media.open_clip(path)]
    assert [frame.time for frame in frames] == times
    assert frames[-1].duration == Fraction(delays[-1], 100)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(sum(delays) * 10_000, abs=1000)


def test_an_avi_with_b_frames_begins_at_its_beginning(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "x.avi", [scene(i) for i in range(9)], [*range(9)], base=Fraction(1, 10)
    )
    clip = media.open_clip(path)
    assert [(f.time, f.duration) for f in clip] == [
        (Fraction(i, 10), Fraction(1, 10)) for i in range(9)
    ]
    squares = [int((frame.rgb[16:28, :, 0] > 150).sum(0).argmax()) for frame in clip]
    assert squares == sorted(squares)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *((".mp4", codec) for codec in ("h264", "h265", "av1")),
        *((".webm", codec) for codec in ("vp9", "av1")),
        *((".mkv", codec) for codec in ("ffv1", "h264")),
        (".mov", "prores"),
        *((suffix, None) for suffix in (".gif", ".apng", ".webp")),
    ],
)
def test_the_same_frames_make_the_same_file(
    suffix: str, codec: str | None, video: Path, tmp_path: Path
) -> None:
    """And so a painting that was interrupted ends as the same file."""
    files = [tmp_path / f"{number}{suffix}" for number in range(2)]
    held = []
    for file in files:
        copy(video, file, codec=codec)
        held.append(np.empty(1_000_003, np.uint8))  # the next one lies elsewhere in memory
    assert files[0].read_bytes() == files[1].read_bytes()


def test_colors_are_the_same_wherever_a_frame_lies() -> None:
    """Beside other frames, at any address: an encoder then has the same to encode."""
    high, wide = 90, 106
    picture = np.random.default_rng(0).integers(0, 256, (high, wide, 3), np.uint8)
    seen = set()
    for offset in (0, 1, 8, 16, 32):
        room = np.zeros(picture.nbytes + 128, np.uint8)
        begin = -room.ctypes.data % 64 + offset
        lies = room[begin : begin + picture.nbytes].reshape(picture.shape)
        lies[:] = picture
        frame = av.VideoFrame.from_numpy_buffer(lies, format="rgb24")
        yuv = frame.reformat(format="yuv420p", interpolation=EXACT, threads=1)
        back = yuv.to_ndarray(format="rgb24", interpolation=EXACT)
        seen.add((yuv.to_ndarray().tobytes(), back.tobytes()))
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["long.mp4", "long.avi", "long.mkv", "long.gif", "long.webp"])
def test_a_frame_is_found_by_its_time(name: str, tmp_path: Path) -> None:
    """Also where the decoder begins in the middle."""
    pictures, path = [scene(i) for i in range(30)], tmp_path / name
    if path.suffix == ".avi":
        base = Fraction(1, 25)
        write_video(path, pictures, [*range(30)], base=base, codec="mpeg4")
    else:
        copy(write_video(tmp_path / "source.mp4", pictures), path)
    found = media.open_clip(path)
    frames = list(found)
    for at in (0, 7, 17, len(frames) - 1):
        shown = media.frame_at(found, frames[at].time + frames[at].duration / 2)
        assert np.array_equal(shown.rgb, frames[at].rgb)
    late = media.frame_at(found, frames[-1].time + 100)
    assert np.array_equal(late.rgb, frames[-1].rgb)
