"""The true motion of a clip, where it is known: for scenes that a computer has drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.images import Field
from .flow import outside, warp

Seen = NDArray[np.bool_]
"""Where a frame (H, W) shows what another one shows, too."""
FLOW_SUFFIXES = (".flo", ".npz")
LARGEST = 1e9
"""Pixels. Middlebury marks what is unknown by larger numbers."""
HIDDEN_FROM = 127
"""Levels of 255 above which a picture of what is hidden says so."""


@dataclass(frozen=True)
class TrueMotion:
    """Flow files in a folder, by the numbers of the frames (from 1 on) in their names.

    A name with one number, like ``frame_0001.flo``, is of that frame into the next one; with two,
    like ``flow_2_to_3.npz``, of the one into the other. A ``.flo`` is Middlebury's format. What is
    hidden in the other frame is white in a PNG of the same name beside it, if there is one. A
    ``.npz`` has the arrays ``flow`` (H, W, 2), in pixels, and ``seen`` (H, W).
    """

    files: dict[tuple[int, int], Path]
    """The files, by the frame that a flow belongs to, and the one that it points into."""

    @classmethod
    def of(cls, folder: Path) -> TrueMotion:
        """Find the files in a ``folder``.

        Raises:
            UsageError: there are none, or one has no number in its name.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder}: is not a folder of flow files")
        files = {}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in FLOW_SUFFIXES:
                continue
            numbers = [int(number) for number in re.findall(r"\d+", path.stem)][-2:]
            if not numbers:
                raise UsageError(f"{path}: its name has no number of a frame")
            first, later = (numbers[0], numbers[0] + 1) if len(numbers) == 1 else numbers
            files[first, later] = path
        if not files:
            raise UsageError(f"{folder}: holds no flow: {' or '.join(FLOW_SUFFIXES)}")
        return cls(files)

    def between(self, first: int, later: int) -> tuple[Field, Seen] | None:
        """Return the flow of a frame into a later one, and what both show.

        It is composed of those from frame to frame if there is none between the two.

        Returns:
            The flow (H, W, 2), in pixels, and where it is seen (H, W). None if it is not known.

        Raises:
            UsageError: a file cannot be read, or two have different sizes.
        """
        direct = self.files.get((first, later))
        if direct is not None:
            return _read(direct)
        pairs = [(number, number + 1) for number in range(first, later)]
        if not pairs or not all(pair in self.files for pair in pairs):
            return None
        steps = [self.files[pair] for pair in pairs]
        flow, seen = _read(steps[0])
        for path in steps[1:]:
            step, shown = _read(path)
            if step.shape != flow.shape:
                raise UsageError(f"{path}: has another size than {steps[0]}")
            seen = seen & (warp(np.where(shown, np.float32(1), 0), flow) > 0.5)
            flow = flow + warp(step, flow)
        return flow, seen & ~outside(flow)


@lru_cache(maxsize=32)
def _read(path: Path) -> tuple[Field, Seen]:
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                flow = np.asarray(arrays["flow"], np.float32)
                seen = np.asarray(arrays["seen"], bool)
        else:
            flow = np.asarray(cv2.readOpticalFlow(str(path)), np.float32)
            seen = np.ones(flow.shape[:2], bool)
            hidden = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
            if hidden is not None:
                seen = hidden <= HIDDEN_FROM
        if flow.ndim != 3 or flow.shape[2] != 2 or seen.shape != flow.shape[:2]:
            raise ValueError("no flow")
    except (OSError, ValueError, KeyError, cv2.error) as error:
        raise UsageError(f"{path}: cannot be read as flow") from error
    known = np.asarray(np.isfinite(flow).all(-1) & (np.abs(flow) < LARGEST).all(-1))
    flow = np.where(known[..., None], flow, 0).astype(np.float32)
    return flow, seen & known & ~outside(flow)
