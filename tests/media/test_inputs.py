"""Files as people have them: odd names, several streams, edit lists, sizes that change."""

from __future__ import annotations

import dataclasses
import http.server
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

import vidstyle
from vidstyle import UsageError, media
from vidstyle.core import files
from vidstyle.core.images import resized
from vidstyle.media.matroska import Crop, crop_of
from vidstyle.media.stills import natural_order
from vidstyle.plan import plan

from ..conftest import QUICK, Run, scene, write_video

NAMES = (
    *("Movie: Part 1.mp4", "12:30 talk.mp4", "concat:walk.mp4", "file:walk.mp4", "pipe:0.mp4"),
    *("50%03d.mp4", "-o.mp4", "what?.mp4", "a|b.mp4", "data:,x.mp4", "subfile,,start,0.mp4"),
)


@pytest.fixture
def requests() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *given: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(sys.platform == "win32", reason="such names are not to be had there")
@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_a_file_whatever_its_name_looks_like(
    name: str, workdir: Path, unpainted: None
) -> None:
    shutil.copy("walk.mp4", Path(name))
    painted = vidstyle.stylize(name, "stripes.png", **QUICK)
    assert painted.frames == 5 and painted.output.parent == workdir
    assert len([*media.open_clip(painted.output)]) == 5
    assert media.open_clip(painted.output).info.sound == ("aac",)


@pytest.mark.parametrize("kind", ["clip", "style", "mask", "key", "weights", "model", "recipe"])
def test_an_address_is_told_and_nothing_is_asked_for(
    kind: str, workdir: Path, requests: tuple[str, list[str]], vidstyle: Run
) -> None:
    address, asked = requests
    given = {"clip": "walk.mp4", "style": "stripes.png"} | {kind: f"{address}/base.mp4"}
    more = {"clip": [], "style": [], "key": ["--key", f"0={given.get('key')}"]}.get(
        kind, [f"--{kind}", given[kind]]
    )
    done = vidstyle(given["clip"], "--style", given["style"], *more, cwd=workdir)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert ("download it first" in done.stderr) == (kind in ("clip", "mask"))
    assert not asked


def test_what_a_file_refers_to_is_a_file_of_its_folder(
    workdir: Path, requests: tuple[str, list[str]]
) -> None:
    address, asked = requests
    pictures = [scene(i) for i in range(4)]
    write_video(
        workdir / "part.ts", pictures, base=Fraction(1, 90000), times=[0, 3600, 7200, 10800]
    )
    (workdir / "deep").mkdir()
    for name, entry in {
        "good.m3u8": "part.ts",
        "remote.m3u8": f"{address}/part.ts",
        "up.m3u8": "../part.ts",
        "absolute.m3u8": str(workdir / "part.ts"),
    }.items():
        folder = workdir / ("deep" if name in ("up.m3u8", "absolute.m3u8") else "")
        (folder / name).write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.16,\n{entry}\n#EXT-X-ENDLIST\n"
        )
    assert len([*media.open_clip(workdir / "good.m3u8")]) == 4
    for path in (workdir / "remote.m3u8", workdir / "deep/up.m3u8", workdir / "deep/absolute.m3u8"):
        with pytest.raises(UsageError) as refused:
            media.open_clip(path)
        assert "\n" not in str(refused.value)
    listed = workdir / "list.ffconcat"
    listed.write_text(f"ffconcat version 1.0\nfile '{address}/part.ts'\n")
    with pytest.raises(UsageError):
        media.open_clip(listed)
    assert not asked


def remuxed(path: Path, *parts: tuple[Path, bool], titles: tuple[dict[str, str], ...] = ()) -> Path:
    """The videos of several files as streams of one, each the default one or not."""
    with av.open(str(path), "w") as out:
        opened = [av.open(str(source)) for source, _ in parts]
        made = []
        for container, (_, default) in zip(opened, parts, strict=True):
            stream = out.add_stream_from_template(container.streams.video[0])
            stream.disposition = 1 if default else 0
            made.append(stream)
        for container, stream in zip(opened, made, strict=True):
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
            container.close()
    return path


def test_the_stream_is_the_one_that_players_show(tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.mkv", [scene(i, 32, 24) for i in range(3)])
    large = write_video(tmp_path / "large.mkv", [scene(i, 96, 64) for i in range(3)])
    long = write_video(tmp_path / "long.mkv", [scene(i, 32, 24) for i in range(9)])
    for name, parts, wanted in (
        ("default", ((large, False), (small, True)), (32, 3)),
        ("largest", ((small, False), (large, False)), (96, 3)),
        ("largest default", ((small, True), (large, True)), (96, 3)),
    ):
        clip = media.open_clip(remuxed(tmp_path / f"{name}.mkv", *parts))
        assert (clip.info.width, len([*clip])) == wanted, name
    mov = media.open_clip(remuxed(tmp_path / "longest.mov", (small, True), (long, True)))
    assert len([*mov]) == 9


def test_frames_whose_size_changes_are_scaled_to_the_first_one(tmp_path: Path) -> None:
    ticks = [3600 * i for i in range(20)]
    one = write_video(
        tmp_path / "1.ts", [scene(i) for i in range(3)], ticks[:3], base=Fraction(1, 90000)
    )
    two = write_video(
        tmp_path / "2.ts", [scene(i, 128, 96) for i in range(8)], ticks[3:11],
        base=Fraction(1, 90000),
    )  # fmt: skip
    (tmp_path / "grow.ts").write_bytes(one.read_bytes() + two.read_bytes())
    clip = media.open_clip(tmp_path / "grow.ts")
    frames = [*clip]
    assert len(frames) == 11 and {f.rgb.shape for f in frames} == {(48, 64, 3)}
    wanted = resized(scene(7, 128, 96), (64, 48)).astype(int)
    assert np.abs(frames[-1].rgb - wanted).mean() < 8
    assert clip.notes == ["8 frames of another size scaled to 64x48"]


@pytest.mark.parametrize(
    ("suffix", "old", "new", "told"),
    [
        ("mov", b"avc1", b"zzzz", "its codec is 'zzzz'"),
        ("mkv", b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC", "its codec is 'V_MPEG9/ISO/AVC'"),
        ("avi", b"H264", b"zzzz", "zzzz"),
    ],
)
def test_a_codec_without_a_decoder_is_named(
    suffix: str, old: bytes, new: bytes, told: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / f"x.{suffix}", [scene(0)] * 3, [0, 1, 2], base=Fraction(1, 25))
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(UsageError, match=re.escape(str(path))) as refused:
        media.open_clip(path)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_side_data_without_a_name_does_no_harm(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    path = tmp_path / "camera.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i in range(5):
            picture = tmp_path / f"{i}.jpg"
            Image.fromarray(scene(i)).save(picture, exif=exif)
            packet = av.Packet(picture.read_bytes())
            packet.stream, packet.pts, packet.dts = stream, i, i
            packet.time_base = Fraction(1, 10)
            out.mux(packet)
    frames = [*media.open_clip(path)]
    assert len(frames) == 5 and frames[0].rgb.shape == (48, 64, 3)


def test_what_an_edit_list_leaves_out_is_neither_counted_nor_missed(tmp_path: Path) -> None:
    """As ffmpeg -ss 0.24 -c copy writes it, and telephones: stored from an intra frame on."""
    whole = write_video(
        tmp_path / "whole.mp4", [scene(i) for i in range(20)], options={"g": "50", "bf": "0"}
    )
    cut = tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                ticks = round(Fraction(24, 100) / packet.time_base)
                packet.pts -= ticks
                packet.dts -= ticks
                packet.stream = stream
                out.mux(packet)
    clip = media.open_clip(cut)
    frames = [*clip]
    assert clip.info.frames == len(frames) == 14 and not clip.notes
    assert frames[0].time == 0 and float(frames[-1].time) == pytest.approx(0.52)


def test_a_clip_that_is_cut_off_ends_with_its_last_frame(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", [scene(i) for i in range(40)], options={"g": "5"})
    with (
        av.open(str(whole)) as source,
        av.open(str(tmp_path / "fast.mp4"), "w", options={"movflags": "+faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / "fast.mp4").read_bytes()
    (tmp_path / "quarter.mp4").write_bytes(data[: len(data) // 2])
    clip = media.open_clip(tmp_path / "quarter.mp4")
    frames = [*clip]
    assert 5 < len(frames) < 35 and "truncated" in clip.notes[-1]
    assert frames[-1].duration == Fraction(1, 25)


def test_a_rate_that_no_clip_has_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "tape.dv"
    pictures = [np.full((576, 720, 3), 40 * i, np.uint8) for i in range(4)]
    write_video(path, pictures, [0, 1, 2, 3], base=Fraction(1, 25), codec="dvvideo", options={})
    clip = media.open_clip(path)
    assert clip.info.rate == 25 and len([*clip]) == 4
    assert clip.info.duration is not None and clip.info.duration * clip.info.rate == 4


def element(number: str, content: bytes) -> bytes:
    """An element of a Matroska file, whose length takes eight bytes."""
    return bytes.fromhex(number) + b"\x01" + len(content).to_bytes(7) + content


def test_a_matroska_file_says_what_is_not_to_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {"54aa": 8, "54bb": 4, "54cc": 16, "54dd": 2}  # below, above, left, right
    video = element("e0", b"".join(element(n, bytes([v])) for n, v in sides.items()))
    tracks = element("1654ae6b", element("ae", b"\xd7\x81\x01") + element("ae", video))
    rest = element("ec", bytes(30)) + tracks + element("1f43b675", bytes(50))
    path = tmp_path / "made.mkv"
    for segment in (element("18538067", rest), bytes.fromhex("1853806701ffffffffffffff") + rest):
        path.write_bytes(element("1a45dfa3", bytes(12)) + segment)
        found = [crop_of(path, number) for number in range(3)]
        assert found == [Crop(), Crop(4, 8, 16, 2), Crop()]
        for length in range(0, len(path.read_bytes()), 7):  # cut off anywhere, it is no worse
            (tmp_path / "cut.mkv").write_bytes(path.read_bytes()[:length])
            assert crop_of(tmp_path / "cut.mkv", 1) in (Crop(), Crop(4, 8, 16, 2))
    path.write_bytes(b"\xec" + bytes(1) + b"\x7f" + b"\xff" * 7 + bytes(20))  # no length is so long
    assert crop_of(path, 0) == Crop()
    clip = write_video(tmp_path / "clip.mkv", [scene(i) for i in range(3)])
    whole = [frame.rgb for frame in media.open_clip(clip)]
    monkeypatch.setattr(media.video, "crop_of", lambda path, index: Crop(4, 8, 16, 2))
    opened = media.open_clip(clip)
    assert (opened.info.width, opened.info.height) == (46, 36)
    for frame, picture in zip(opened, whole, strict=True):
        assert np.array_equal(frame.rgb, picture[4:-8, 16:-2])
    assert np.array_equal(media.frame_at(opened, Fraction(1)).rgb, whole[-1][4:-8, 16:-2])


def test_names_sort_and_companions_are_left_out(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "2²3.png", "2.png"):
        Image.fromarray(scene(0)).save(tmp_path / name)
    for name in ("._9.png", ".hidden.png"):
        (tmp_path / name).write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    (tmp_path / "3.png").mkdir()
    clip = media.open_clip(tmp_path)
    assert clip.info.frames == len([*clip]) == 4
    assert [path.name for path in natural_order(tmp_path.glob("[0-9]*.png"))][-2:] == [
        "9.png",
        "10.png",
    ]


def test_a_folder_whose_name_has_brackets_has_a_glob(tmp_path: Path) -> None:
    folder = tmp_path / "clip [1080p]"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(scene(number)).save(folder / f"{number}.png")
    assert media.open_clip(folder / "*.png").info.frames == 2


def test_a_long_name_is_painted_under_a_shorter_one(workdir: Path, unpainted: None) -> None:
    clip = Path("映像作品" * 20 + ".mp4")
    shutil.copy("walk.mp4", clip)
    made = vidstyle.stylize(clip, "stripes.png", plot=False, snapshots=1, **QUICK)
    assert made.output.suffix == ".mp4" and made.output.name.startswith("映像作品")
    assert len(os.fsencode(made.output.name)) <= 255 and made.frames == 5
    assert not [*workdir.glob(".*")]
    for name in ("a" * 300, "ü" * 200 + ".png", "x." + "y" * 300):
        short = files.fitting(name, 20)
        assert len(os.fsencode(short)) <= 235 and short != files.fitting(f"{name}z", 20)
    assert files.fitting("short.png", 20) == "short.png"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_a_named_pipe_is_read_like_stdin(workdir: Path, vidstyle: Run, unpainted: None) -> None:
    os.mkfifo("pipe")
    data = Path("walk.mp4").read_bytes()
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(data))
    writer.start()
    done = vidstyle("pipe", "--style", "stripes.png", "-o", "o.mp4", cwd=workdir)
    writer.join()
    assert done.returncode == 0, done.stderr
    assert len([*media.open_clip("o.mp4")]) == 5
    with pytest.raises(UsageError, match="a pipe"):
        media.open_clip("pipe")


def test_raw_mjpeg_is_video_and_a_cameras_file_of_two_pictures_is_not(tmp_path: Path) -> None:
    jpegs = []
    for i in range(4):
        Image.fromarray(scene(i)).save(tmp_path / "one.jpg", quality=95)
        jpegs.append((tmp_path / "one.jpg").read_bytes())
    (tmp_path / "raw.mjpeg").write_bytes(b"".join(jpegs))
    clip = media.open_clip(tmp_path / "raw.mjpeg")
    assert clip.info.kind == "video" and len([*clip]) == 4
    first = Image.fromarray(scene(0))
    first.save(
        tmp_path / "two.jpg", "MPO", save_all=True, append_images=[Image.fromarray(scene(1))]
    )
    assert media.open_clip(tmp_path / "two.jpg").info.kind == "stills"
    assert media.open_clip(tmp_path / "one.jpg").info.kind == "stills"


def test_what_is_not_kept_is_told(workdir: Path, unpainted: None) -> None:
    picture = Path("stripes.png").read_bytes()
    with av.open("cover.mkv", "w") as out, av.open("walk.mp4") as source:
        video = out.add_stream_from_template(source.streams.video[0])
        out.add_attachment("font.ttf", "application/x-truetype-font", b"a font")
        out.add_attachment("cover.png", "image/png", picture)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
    notes = plan("cover.mkv", ["stripes.png"]).notes
    (told,) = (note for note in notes if note.startswith("not kept"))
    assert "cover picture" in told and "fonts" in told
    assert not any(note.startswith("not kept") for note in plan("walk.mp4", ["stripes.png"]).notes)


def test_transparency_that_mp4_has_no_place_for_is_told(
    workdir: Path, gif: Path, unpainted: None
) -> None:
    made = vidstyle.stylize("walk.gif", "stripes.png", "x.mp4", codec="vp9", **QUICK)
    assert "mp4 cannot hold transparency" in " ".join(made.notes)
    assert next(iter(media.open_clip(made.output))).alpha is None


def test_a_part_beyond_what_the_header_claims_is_painted(
    workdir: Path, unpainted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that was never closed says that it is shorter than it is."""
    write_video(Path("long.mkv"), [scene(i) for i in range(50)])
    opened = media.open_clip

    def claims_less(*given: Any, **more: Any) -> media.Clip:
        clip = opened(*given, **more)
        if clip.info.kind == "video":
            clip.info = dataclasses.replace(clip.info, duration=Fraction(1, 5))
        return clip

    monkeypatch.setattr(media, "open_clip", claims_less)
    made = vidstyle.stylize("long.mkv", "stripes.png", "x.mkv", start=1.6, **QUICK)
    assert made.frames == 10
    with pytest.raises(UsageError, match="no frame between"):
        vidstyle.stylize("long.mkv", "stripes.png", "y.mkv", start=7.0, **QUICK)
