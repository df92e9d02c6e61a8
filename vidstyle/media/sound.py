"""The source's sound: copied bit for bit where the container can hold it, else encoded anew."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av

from .video import opened, start_time

FALLBACK = {"mp4": "aac", "mov": "aac", "mkv": "aac", "webm": "libopus"}
MUXER = {"mkv": "matroska"}
SoundMode = Literal["copy", "encode", "none"]


class Sound:
    """The sound of a clip between ``start`` and ``end`` seconds, for a container ``name``.

    ``notes`` says what could not be copied.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        mode: SoundMode = "copy",
        start: Fraction = Fraction(0),
        end: Fraction | None = None,
    ) -> None:
        self.path, self.name, self.mode = path, name, mode
        self.start, self.end = start, end
        self.notes: list[str] = []
        self.tracks: dict[int, _Track] = {}
        self.waiting: deque[tuple[Fraction, Any]] = deque()
        self.packets: Iterator[tuple[Fraction, Any]] = iter(())

    def attach(self, output: Any) -> None:
        """Add a stream to ``output`` for each sound stream of the source."""
        if self.mode == "none":
            return
        container = self._container = opened(self.path)
        for stream in container.streams.audio:
            copies = self.mode == "copy" and _holds(self.name, stream)
            if copies:
                track = _Track(output.add_stream_from_template(stream), None)
            else:
                codec = FALLBACK[self.name]
                if self.mode == "copy":
                    self.notes.append(
                        f"{self.name} cannot hold {stream.codec_context.name} sound: "
                        f"encoded as {codec.removeprefix('lib')}"
                    )
                rate = 48000 if codec == "libopus" else stream.codec_context.sample_rate
                encoder = output.add_stream(codec, rate=rate)
                encoder.codec_context.layout = stream.codec_context.layout.name or "stereo"
                track = _Track(
                    encoder,
                    av.AudioResampler(
                        format=encoder.codec_context.format,
                        layout=encoder.codec_context.layout,
                        rate=rate,
                    ),
                )
            self.tracks[stream.index] = track
        if self.tracks:
            streams = [s for s in container.streams.audio if s.index in self.tracks]
            self.packets = self._packets(container, streams)

    def until(self, time: Fraction | None) -> Iterator[Any]:
        """The packets to be written before ``time`` seconds; all that are left for None."""
        while True:
            if not self.waiting:
                following = next(self.packets, None)
                if following is None:
                    return
                self.waiting.append(following)
            if time is not None and self.waiting[0][0] > time:
                return
            yield self.waiting.popleft()[1]

    def close(self) -> None:
        if self.tracks:
            self._container.close()
            self.tracks = {}

    def _packets(self, container: Any, streams: list[Any]) -> Iterator[tuple[Fraction, Any]]:
        shift = start_time(container) + self.start
        damaged = 0
        demuxed = container.demux(streams)
        while True:
            try:
                packet = next(demuxed, None)
            except av.error.FFmpegError:
                packet = None
            if packet is None:
                break
            if packet.dts is None or packet.size == 0:
                continue
            base = Fraction(packet.time_base)
            time = (packet.pts if packet.pts is not None else packet.dts) * base - shift
            # Priming before time 0 belongs to the sound; a packet before a later start does not.
            if self.start and time + (packet.duration or 0) * base <= 0:
                continue
            if self.end is not None and time >= self.end - self.start:
                continue
            track = self.tracks[packet.stream_index]
            try:
                yield from track.take(packet, time, shift)
            except av.error.FFmpegError:
                damaged += 1
        for track in self.tracks.values():
            yield from track.flush()
        if damaged:
            self.notes.append(f"{damaged} damaged sound packets skipped")


class _Track:
    """One stream of the output: packets passed on, or decoded and encoded anew."""

    def __init__(self, stream: Any, resampler: Any) -> None:
        self.stream, self.resampler = stream, resampler
        self.last: int | None = None

    def take(self, packet: Any, time: Fraction, shift: Fraction) -> Iterator[tuple[Fraction, Any]]:
        base = Fraction(packet.time_base)
        if self.resampler is None:
            ticks = round(shift / base)
            packet.dts -= ticks
            if packet.pts is not None:
                packet.pts -= ticks
            if self.last is not None and packet.dts <= self.last:
                packet.dts = self.last + 1
                packet.pts = max(packet.pts or packet.dts, packet.dts)
            self.last = packet.dts
            packet.stream = self.stream
            yield time, packet
            return
        for frame in packet.decode():
            if frame.pts is not None:
                frame.pts -= round(shift / Fraction(frame.time_base))
            yield from self._encode(self.resampler.resample(frame))

    def flush(self) -> Iterator[tuple[Fraction, Any]]:
        if self.resampler is not None:
            yield from self._encode([*self.resampler.resample(None), None])

    def _encode(self, frames: list[Any]) -> Iterator[tuple[Fraction, Any]]:
        for frame in frames:
            for packet in self.stream.encode(frame):
                yield Fraction(packet.dts) * Fraction(packet.time_base), packet


def _holds(name: str, stream: Any) -> bool:
    """Whether a container takes a stream as it is: tried, for some say so only at the header."""
    try:
        with av.open(io.BytesIO(), "w", format=MUXER.get(name, name)) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
        return True
    except (av.error.FFmpegError, ValueError):
        return False
