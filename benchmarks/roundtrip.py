"""Every format in and out, unpainted: frames, times, sound, fidelity, size, memory.

    python -m benchmarks.roundtrip [--json FILE]

The sources are made on the spot, each with a property that tools tend to lose.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidstyle import media
from vidstyle.core.frames import Frame
from vidstyle.media.sound import Sound

from .table import Row, parser, show

SIZE = (160, 120)
FRAMES = 24
Source = Callable[[Path], Path]

RESULT = {".mp4": 600, ".mov": 600, ".mkv": 1000, ".webm": 1000, ".gif": 100}


def scene(step: int) -> NDArray[np.uint8]:
    """A smooth ground and a square that walks over it."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    picture = np.stack(
        [128 + 90 * np.sin(rows / 17 + k) * np.cos(columns / 23 - k) for k in range(3)], -1
    ).astype(np.uint8)
    left = 8 + 4 * (step % 28)
    picture[40:70, left : left + 30] = (210, 60, 40)
    return picture


def video(
    path: Path,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: list[int] | None = None,
    base: Fraction = Fraction(1, 600),
    sound: str | None = None,
    late: Fraction = Fraction(0),
    container: str | None = None,
    frames: int = FRAMES,
    options: dict[str, str] | None = None,
) -> Path:
    times = [24 * i for i in range(frames)] if times is None else times
    with av.open(str(path), "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        stream.codec_context.options = options or {}
        voice: Any = out.add_stream(sound, rate=48000) if sound else None
        if voice is not None:
            voice.codec_context.layout = "stereo"
        for step, time in enumerate(times):
            picture = scene(step)
            if "a" in pixels.removeprefix("yuv"):
                alpha = np.full(SIZE[::-1], 255, np.uint8)
                alpha[:, :40] = 0
                picture = np.dstack([picture, alpha])
            raw = av.VideoFrame.from_ndarray(
                picture, format="rgba" if picture.shape[2] == 4 else "rgb24"
            )
            raw.pts, raw.time_base = time + round(late / base), base
            out.mux(stream.encode(raw))
        out.mux(stream.encode(None))
        if voice is not None:
            _tone(out, voice, float(times[-1] * base) + 0.04)
    return path


def _tone(out: Any, voice: Any, seconds: float) -> None:
    step = voice.codec_context.frame_size or 1024
    wave = 0.3 * np.sin(np.arange(int(48000 * seconds)) * 2 * np.pi * 330 / 48000)
    layout = voice.codec_context.format.name
    for begin in range(0, len(wave) - step + 1, step):
        part = np.stack([wave[begin : begin + step]] * 2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
        resampler = av.AudioResampler(format=layout, layout="stereo", rate=48000)
        for ready in resampler.resample(frame):
            out.mux(voice.encode(ready))
    out.mux(voice.encode(None))


def animation(path: Path, frames: int = FRAMES) -> Path:
    pictures = []
    for step in range(frames):
        alpha = np.full(SIZE[::-1], 255, np.uint8)
        alpha[:, :40] = 0
        pictures.append(Image.fromarray(np.dstack([scene(step), alpha])))
    kinds: dict[str, dict[str, Any]] = {
        ".gif": {"disposal": 2},
        ".webp": {"lossless": True, "exact": True},
        ".png": {},
    }
    delays = [40 + 10 * (i % 5) for i in range(frames)]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=delays,
        loop=0,
        **kinds[path.suffix],
    )
    return path


VFR = [0, 24, 48, 72, 120, 144, 300, 324, 500, 640, 700, 1000]
SOURCES: dict[str, Source] = {
    "mp4, 25 a second, aac": lambda d: video(d / "cfr.mp4", sound="aac"),
    "mp4, uneven times, aac": lambda d: video(d / "vfr.mp4", times=VFR, sound="aac"),
    "mp4, picture 0.4 s late, mp3": lambda d: video(
        d / "late.mp4", sound="libmp3lame", late=Fraction(2, 5)
    ),
    "mov, ProRes 4444 with alpha": lambda d: video(
        d / "alpha.mov", codec="prores_ks", pixels="yuva444p10le"
    ),
    "mkv, H.265, opus": lambda d: video(
        d / "h265.mkv", codec="libx265", sound="libopus", options={"x265-params": "log-level=none"}
    ),
    "webm, VP9 with alpha, opus": lambda d: video(
        d / "alpha.webm", codec="libvpx-vp9", pixels="yuva420p", sound="libopus",
        options={"auto-alt-ref": "0"},
    ),
    "avi, MPEG-4 with B-frames, mp3": lambda d: video(
        d / "b.avi", codec="mpeg4", base=Fraction(1, 25), times=list(range(FRAMES)),
        sound="libmp3lame", options={"bf": "2"},
    ),
    "mpg, MPEG-2, mp2": lambda d: video(
        d / "ps.mpg", codec="mpeg2video", base=Fraction(1, 25), times=list(range(FRAMES)),
        sound="mp2",
    ),
    "ts, H.264, aac": lambda d: video(d / "t.ts", sound="aac", container="mpegts"),
    "h264, no container, no times": lambda d: video(d / "raw.h264", container="h264"),
    "gif, uneven delays, transparent": lambda d: animation(d / "a.gif"),
    "apng, uneven delays, transparent": lambda d: animation(d / "a.png"),
    "webp, uneven delays, transparent": lambda d: animation(d / "a.webp"),
}  # fmt: skip
OUTPUTS = (".mp4", ".mov", ".mkv", ".webm", ".gif", ".apng", ".webp")


def copy(source: Path, output: Path) -> list[str]:
    """Write ``source`` as ``output`` without painting; returns what had to be said."""
    clip = media.open_clip(source)
    kind = media.format_of(output)
    sound = Sound(source, kind) if kind.kind == "video" and clip.info.sound else None
    size = (clip.info.width, clip.info.height)
    with media.open_writer(output, clip.info, kind, size, sound=sound) as out:
        for frame in clip:
            out.write(frame)
    return [*clip.notes, *(sound.notes if sound else [])]


def sound_of(path: Path) -> str:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return ""
        data = b"".join(_payload(bytes(p)) for p in container.demux(audio=0) if p.size)
    return hashlib.sha256(data).hexdigest()


def _payload(packet: bytes) -> bytes:
    """A packet of AAC without the header that only broadcast streams repeat on each."""
    return packet[7:] if packet[:2] in (b"\xff\xf1", b"\xff\xf9") else packet


def ticks_off(before: list[Frame], after: list[Frame], suffix: str) -> tuple[float, int]:
    """The largest error of a frame's begin or end: in ms, and in whole ticks of the output."""
    clock = RESULT.get(suffix, 1000)
    worst = Fraction(0)
    ticks = 0
    first_before, first_after = before[0].time, after[0].time
    if suffix not in (".mp4", ".mov", ".mkv", ".webm"):
        first_after -= first_after  # an animation begins with its first frame
    else:
        first_before = first_after = Fraction(0)
    for a, b in zip(before, after, strict=False):
        for x, y in (
            (a.time - first_before, b.time - first_after),
            (a.time + a.duration - first_before, b.time + b.duration - first_after),
        ):
            worst = max(worst, abs(x - y))
            ticks = max(ticks, math.ceil(abs(x - y) * clock - Fraction(1001, 2000)))
    return float(worst * 1000), ticks


def psnr(before: list[Frame], after: list[Frame]) -> float:
    error = []
    for a, b in zip(before, after, strict=False):
        seen = np.ones(a.rgb.shape[:2], bool) if a.alpha is None else a.alpha > 127
        error.append(np.square(a.rgb[seen].astype(float) - b.rgb[seen]).mean())
    return 10 * math.log10(255**2 / max(float(np.mean(error)), 1e-9))


def peak_memory(suffix: str, frames: int, folder: Path) -> float:
    """MB that a process needs at its peak to copy a clip of so many frames."""
    still = {".gif": ".gif", ".apng": ".png", ".webp": ".webp"}.get(suffix)
    source = folder / f"long{frames}{still or '.mp4'}"
    if not source.exists():
        if still:
            animation(source, frames)
        else:
            video(source, frames=frames)
    # ru_maxrss would count what the parent had in memory when it forked; this does not.
    code = (
        "import sys; from pathlib import Path; from benchmarks.roundtrip import copy; "
        "copy(Path(sys.argv[1]), Path(sys.argv[2])); "
        "print(next(s.split()[1] for s in open('/proc/self/status') if s.startswith('VmHWM')))"
    )
    output = folder / f"copy{frames}{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(output)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout) / 1024


def rows(folder: Path) -> Iterator[Row]:
    memory = {
        suffix: " / ".join(f"{peak_memory(suffix, n, folder):.0f}" for n in (100, 1000))
        for suffix in OUTPUTS
    }
    for name, make in SOURCES.items():
        source = make(folder)
        before = list(media.open_clip(source))
        heard = sound_of(source)
        for suffix in OUTPUTS:
            output = folder / f"{source.stem}-{source.suffix[1:]}{suffix}"
            notes = copy(source, output)
            after = list(media.open_clip(output))
            milliseconds, ticks = ticks_off(before, after, suffix)
            same = (
                "-"
                if not heard or suffix not in RESULT or suffix == ".gif"
                else ("identical" if sound_of(output) == heard else "encoded")
            )
            yield {
                "source": name,
                "output": suffix[1:],
                "frames in": len(before),
                "out": len(after),
                "ms off": milliseconds,
                "ticks off": ticks,
                "sound": same,
                "PSNR": psnr(before, after),
                "kB": output.stat().st_size // 1024,
                "MB for 100 / 1000 frames": memory[suffix],
                "notes": "; ".join(notes),
            }


def main() -> None:
    options = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show(list(rows(Path(folder))), options.json)


if __name__ == "__main__":
    main()
