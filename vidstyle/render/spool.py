"""A shot on disk, for what has to go through it more than once."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chunks import PaintedFrame


class Spool:
    """Painted frames on disk instead of in memory. Use it as a list, in a ``with``."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="vidstyle")  # noqa: SIM115
        self.rest: list[PaintedFrame] = []
        """What is not pixels."""

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __len__(self) -> int:
        return len(self.rest)

    def append(self, done: PaintedFrame) -> None:
        self.rest.append(done)
        self[len(self.rest) - 1] = done

    def __setitem__(self, index: int, done: PaintedFrame) -> None:
        height, width = done.painted.shape[:2]
        alpha, masks = done.frame.alpha, done.frame.masks
        layers = [*done.frame.rgb.transpose(2, 0, 1), *done.painted.transpose(2, 0, 1), *masks]
        layers.append(np.zeros((height, width), np.uint8) if alpha is None else alpha)
        pixels = np.stack(layers)
        self.file.seek(index * pixels.size)
        self.file.write(pixels.tobytes())
        nothing: NDArray[Any] = np.zeros((height, width, 0), np.uint8)
        frame = replace(
            done.frame,
            rgb=nothing,
            alpha=None if alpha is None else nothing,
            masks=(nothing,) * len(masks),
        )
        self.rest[index] = replace(done, frame=frame, painted=nothing)

    def __getitem__(self, index: int) -> PaintedFrame:
        rest = self.rest[index]
        height, width = rest.painted.shape[:2]
        layers = 7 + len(rest.frame.masks)
        self.file.seek(index * height * width * layers)
        data = np.frombuffer(self.file.read(height * width * layers), np.uint8)
        pixels = data.reshape(layers, height, width)
        rgb, painted = (
            np.ascontiguousarray(pixels[at : at + 3].transpose(1, 2, 0)) for at in (0, 3)
        )
        frame = replace(
            rest.frame,
            rgb=rgb,
            alpha=None if rest.frame.alpha is None else pixels[-1],
            masks=tuple(pixels[6 : 6 + len(rest.frame.masks)]),
        )
        return replace(rest, frame=frame, painted=painted)
