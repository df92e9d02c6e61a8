"""Sound and subtitles of the source, copied bit for bit if the container can hold them.

Sound that it cannot hold is encoded again; subtitles that it cannot hold are left out.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av

from .container import opened, start_time
from .formats import Format

LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""Channel layouts that all encoders accept, with 1, 2, 3 … channels."""
TRIED = 2
"""The number of packets that are muxed as a test of whether a container accepts a stream."""
DESCRIBING = {"language", "title", "handler_name"}
"""The metadata keys that describe the content of a stream. The others describe its file."""
SoundMode = Literal["copy", "encode", "none"]


class Sound:
    """The sound and subtitles of a part of a clip, for an output file.

    Args:
        path: the source file.
        file_format: the format of the output.
        mode: "copy" (sound that the output cannot hold is encoded), "encode" (all sound is), or
            "none" (subtitles only).
        start: where the part begins, in seconds of the clip.
        end: where the part ends, in seconds of the clip. None means at the end of the clip.

    Attributes:
        notes: one line for each thing that could not be copied, complete after the last packet.
    """

    def __init__(
        self,
        path: Path,
        file_format: Format,
        mode: SoundMode = "copy",
        start: Fraction = Fraction(0),
        end: Fraction | None = None,
    ) -> None:
        self.path, self.format, self.mode = path, file_format, mode
        self.start, self.end = start, end
        self.notes: list[str] = []
        self.tracks: dict[int, _Track] = {}
        self.waiting: deque[tuple[Fraction, Any]] = deque()
        self.packets: Iterator[tuple[Fraction, Any]] = iter(())

    def attach(self, output: Any) -> None:
        """Add a stream to the PyAV container ``output`` for each source stream that is kept."""
        container = self._container = opened(self.path)
        for stream in (*container.streams.audio, *container.streams.subtitles):
            track = self._track(stream, output)
            if track is not None:
                self.tracks[stream.index] = track
        if self.tracks:
            streams = [s for s in container.streams if s.index in self.tracks]
            self.packets = self._packets(container, streams)

    def _track(self, stream: Any, output: Any) -> _Track | None:
        sounds = stream.type == "audio"
        if sounds and self.mode == "none":
            return None
        codec = getattr(stream.codec_context, "name", "unknown")
        if (not sounds or self.mode == "copy") and _holds(self.format, self.path, stream):
            return _Track(_described(output.add_stream_from_template(stream), stream), None)
        if not sounds:
            self.notes.append(f"{self.format.name} cannot hold {codec} subtitles: left out")
            return None
        encoder = self.format.sound
        named = encoder.removeprefix("lib")
        if (wanted := _encodable(encoder, stream.codec_context)) is None:
            self.notes.append(f"{codec} sound cannot be encoded as {named}: left out")
            return None
        if self.mode == "copy":
            self.notes.append(f"{self.format.name} cannot hold {codec} sound: encoded as {named}")
        rate, layout = wanted
        made = output.add_stream(encoder, rate=rate)
        made.codec_context.layout = layout
        return _Track(
            _described(made, stream),
            av.AudioResampler(format=made.codec_context.format, layout=layout, rate=rate),
        )

    def until(self, time: Fraction | None) -> Iterator[Any]:
        """Yield the packets due up to ``time``, in seconds of the output. None: all the rest."""
        while True:
            if not self.waiting:
                following = next(self.packets, None)
                if following is None:
                    return
                self.waiting.append(following)
            if time is not None and self.waiting[0][0] > time:
                return
            yield self.waiting.popleft()[1]

    def give_up(self, why: str) -> None:
        """End the sound and note ``why``, so that a painting is not lost because of its sound."""
        self.notes.append(f"the sound ends early: {why}")
        self.waiting.clear()
        self.packets = iter(())

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
            # Priming before time 0 belongs to the sound. A packet before a later start does not.
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
    """A stream of the output. Its packets are copied, or with a ``resampler`` encoded again."""

    def __init__(self, stream: Any, resampler: Any) -> None:
        self.stream, self.resampler = stream, resampler
        self.last: int | None = None

    def take(self, packet: Any, time: Fraction, shift: Fraction) -> Iterator[tuple[Fraction, Any]]:
        base = Fraction(packet.time_base)
        if self.resampler is None:
            ticks = round(shift / base)
            if self.stream.type == "subtitle" and time < 0:  # shown since before the start
                ticks += round(time / base)
                packet.duration += round(time / base)
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


def _described(made: Any, source: Any) -> Any:
    """Copy the language, title and flags of the stream ``source`` to ``made``, and return it."""
    made.metadata.update({k: v for k, v in source.metadata.items() if k.lower() in DESCRIBING})
    made.disposition = source.disposition
    return made


def _holds(file_format: Format, path: Path, stream: Any) -> bool:
    """Return whether a container accepts a stream without encoding it again.

    Its first packets are muxed as a test, because some containers refuse a stream only when the
    header or the end of the file is written.
    """
    try:
        with (
            opened(path) as source,
            av.open(io.BytesIO(), "w", format=file_format.muxer) as trial,
        ):
            target = trial.add_stream_from_template(source.streams[stream.index])
            trial.start_encoding()
            packets = source.demux(source.streams[stream.index])
            some = TRIED if stream.type == "audio" else 0  # the first subtitle may be far into it
            for packet in islice((p for p in packets if p.size and p.dts is not None), some):
                packet.stream = target
                trial.mux(packet)
        return True
    except (av.error.FFmpegError, ValueError):
        return False


def _encodable(encoder: str, source: Any) -> tuple[int, str] | None:
    """Find the sample rate and channel layout nearest to the source's that an encoder accepts.

    Layouts are found by trying to open the encoder. None if it accepts none.
    """
    if source is None or not source.sample_rate:
        return None
    known = sorted(av.Codec(encoder, "w").audio_rates or [source.sample_rate])
    rate = next((rate for rate in known if rate >= source.sample_rate), known[-1])
    channels = min(source.layout.nb_channels, len(LAYOUTS)) or 1
    for layout in (source.layout.name, LAYOUTS[channels - 1], "stereo"):
        trial: Any = av.CodecContext.create(encoder, "w")
        try:
            trial.sample_rate, trial.layout = rate, layout
            trial.format = trial.codec.audio_formats[0]
            trial.open()
        except (av.error.FFmpegError, ValueError):
            continue
        return rate, layout
    return None
