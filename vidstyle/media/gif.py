"""Encoding of GIF with 256 colors that do not flicker.

A painted frame has thousands of colors. With a new palette for each frame, a GIF flickers, and
with error diffusion, its dots crawl. So all frames of a shot share one palette, found by k-means
over all of them, and each pixel gets the nearest color, without dithering. What does not change in
the painting does not change in the GIF.
"""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frames import Frame
from .container import created

PALETTE_COLORS = 255
"""The number of colors in a palette. One more entry, with this index, is transparent."""
SHARE = 4000
"""Pixels sampled from each frame for the palette. In a long shot, there are fewer per frame."""
PALETTE_SAMPLES = 60_000
"""The maximum number of pixels from which a shot's palette is computed."""
EYE = np.array([0.55, 0.75, 0.40], np.float32)
"""How visible an error in red, green and blue is: weights of color distances."""
OPAQUE_FROM = 128
"""The lowest alpha (0..255) of opaque pixels. Below it, a pixel becomes fully transparent."""
SHORTEST_CS = 2
"""Hundredths of a second. Browsers slow down shorter frames."""


@dataclass(frozen=True)
class _Spooled:
    """A compressed frame that waits on disk."""

    length: int
    """Bytes on disk."""
    time: Fraction
    """Seconds."""
    duration: Fraction
    """Seconds."""
    has_alpha: bool
    clears: bool
    """Whether any of its pixels become transparent."""


class GifEncoder:
    """An encoder for GIF.

    Compressed frames wait on disk until the whole clip is known. A shot's palette depends on all
    its frames, and FFmpeg needs the duration of the last frame before it writes the header.

    Args:
        path: the file to write.
        size: (width, height) of the frames in pixels.
        loop: how often the animation plays. 0 means forever.
    """

    keeps_alpha = True

    def __init__(self, path: Path, size: tuple[int, int], loop: int) -> None:
        self.size = size
        # For FFmpeg, -1 plays once, and n repeats n times after the first. Here, n plays n times.
        self.loop = {0: 0, 1: -1}.get(loop, loop - 1)
        self.path = path
        self.output: Any = None
        self.spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115
        self.shot: list[_Spooled] = []
        self.shots: list[tuple[list[_Spooled], NDArray[np.uint8]]] = []
        self.samples: list[NDArray[np.uint8]] = []
        self.share = SHARE
        self.random = np.random.default_rng(0)

    def write(self, frame: Frame) -> None:
        planes = [frame.rgb.tobytes()]
        pixels = frame.rgb.reshape(-1, 3)
        if frame.alpha is not None:
            planes.append(frame.alpha.tobytes())
            pixels = pixels[frame.alpha.reshape(-1) >= OPAQUE_FROM]
        if len(pixels):
            self._sample(pixels)
        packed = zlib.compress(b"".join(planes), 1)
        self.spool.write(packed)
        has_alpha = frame.alpha is not None
        clears = frame.alpha is not None and bool((frame.alpha < OPAQUE_FROM).any())
        self.shot.append(_Spooled(len(packed), frame.time, frame.duration, has_alpha, clears))

    def _sample(self, pixels: NDArray[np.uint8]) -> None:
        """Sample pixels of a frame, fewer in a longer shot, so that memory is bounded."""
        count = min(len(pixels), self.share)
        self.samples.append(self.random.choice(pixels, count, replace=False))
        if sum(map(len, self.samples)) > 4 * PALETTE_SAMPLES:
            self.samples = [s[::2] for s in self.samples]
            self.share = max(1, self.share // 2)

    def begin_shot(self) -> None:
        if self.shot:
            self.shots.append((self.shot, _palette(self.samples, self.random)))
        self.shot, self.samples, self.share = [], [], SHARE

    def close(self) -> None:
        self.begin_shot()
        begins = _begins([spooled.time for shot, _ in self.shots for spooled in shot])
        last = self.shots[-1][0][-1]
        final = max(SHORTEST_CS, round((last.time + last.duration) * 100) - max(begins.values()))
        options = {"loop": str(self.loop), "final_delay": str(final)}
        self.output = created(self.path, "gif", options)
        stream: Any = self.output.add_stream("gif", rate=100)
        context = stream.codec_context
        context.width, context.height = self.size
        context.pix_fmt = "pal8"
        context.time_base = Fraction(1, 100)
        clears = any(spooled.clears for shot, _ in self.shots for spooled in shot)
        context.options = {"gifflags": "0" if clears else "offsetting+transdiff"}
        self.spool.seek(0)
        for shot, palette in self.shots:
            for spooled in shot:
                frame = self._read(spooled)
                if frame.time in begins:
                    raw = self._indexed(frame, palette)
                    raw.pts, raw.time_base = begins[frame.time], Fraction(1, 100)
                    self._mux(stream.encode(raw), clears)
        self._mux(stream.encode(None), clears)
        self.abort()

    def _mux(self, packets: list[Any], clears: bool) -> None:
        for packet in packets:
            if clears:
                _take_away(memoryview(packet))
            self.output.mux(packet)

    def _read(self, spooled: _Spooled) -> Frame:
        """Read the next frame from the disk."""
        width, height = self.size
        data = np.frombuffer(zlib.decompress(self.spool.read(spooled.length)), np.uint8)
        rgb = data[: width * height * 3].reshape(height, width, 3)
        alpha = data[width * height * 3 :].reshape(height, width) if spooled.has_alpha else None
        return Frame(rgb, spooled.time, spooled.duration, alpha)

    def _indexed(self, frame: Frame, palette: NDArray[np.uint8]) -> Any:
        indices = _nearest(frame.rgb, palette)
        if frame.alpha is not None:
            indices[frame.alpha < OPAQUE_FROM] = PALETTE_COLORS
        # Unused entries are opaque, since a GIF's transparent index is the first transparent entry.
        argb = np.full((256, 4), 255, np.uint8)
        argb[: len(palette), 1:] = palette
        argb[PALETTE_COLORS] = 0
        pictures: Any = (indices, argb)
        return av.VideoFrame.from_ndarray(pictures, format="pal8")

    def abort(self) -> None:
        self.spool.close()
        if self.output is not None:
            self.output.close()


def _take_away(data: memoryview) -> None:
    """Mark an encoded frame, in place, to be cleared before the next frame is drawn.

    This is the disposal method in the graphic control extension (GIF89a, section 23). FFmpeg sets
    it only for frames that have transparent pixels themselves, so opaque frames would remain
    visible behind the transparent pixels of later ones. Frames must be encoded whole.

    Args:
        data: a packet of FFmpeg's GIF encoder.
    """
    at = 0
    if bytes(data[:6]) == b"GIF89a":
        at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:
        if data[at + 1] == 0xF9:
            if not data[at + 3] & 1:  # without a transparent color, clearing leaves opaque pixels
                data[at + 6] = PALETTE_COLORS  # no pixel of an opaque frame has this index
            data[at + 3] = data[at + 3] & ~0x1C | 2 << 2 | 1
            return
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1


def _begins(times: list[Fraction]) -> dict[Fraction, int]:
    """Map the time of each frame, in seconds, to its start in hundredths of a second.

    Frames that follow too soon for a GIF are left out. The start times are rounded, not the delays,
    so that rounding errors do not add up: 30 frames a second stay in time.
    """
    begins: dict[Fraction, int] = {}
    last = -SHORTEST_CS
    for time in times:
        begin = round(time * 100)
        if begin - last >= SHORTEST_CS:
            begins[time] = last = begin
    return begins


def _palette(samples: list[NDArray[np.uint8]], random: np.random.Generator) -> NDArray[np.uint8]:
    """Compute a shot's palette, (up to 255, 3), by k-means in a perceptually weighted space."""
    if not samples:
        return np.zeros((1, 3), np.uint8)  # all transparent
    pixels = np.concatenate(samples)
    if len(pixels) > PALETTE_SAMPLES:
        pixels = random.choice(pixels, PALETTE_SAMPLES, replace=False)
    distinct = np.unique(pixels, axis=0)
    if len(distinct) <= PALETTE_COLORS:
        return distinct
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    cv2.setRNGSeed(1)
    _, _, centers = cv2.kmeans(
        pixels.astype(np.float32) * EYE,
        PALETTE_COLORS,
        np.empty(0),
        criteria,
        1,
        cv2.KMEANS_PP_CENTERS,
    )
    return np.rint(np.clip(centers / EYE, 0, 255)).astype(np.uint8)


def _nearest(rgb: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the palette index (H, W) of the color nearest to each pixel."""
    colors = palette.astype(np.float32) * EYE
    lengths = np.square(colors).sum(1)
    rows = [(lengths - 2 * (row.astype(np.float32) * EYE) @ colors.T).argmin(1) for row in rgb]
    return np.asarray(rows, np.uint8)
