"""Chunks of frames that are painted in one go, and their files."""

from __future__ import annotations

import io
import math
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from ..core.background import Behind
from ..core.folders import Folder, NoFolder
from ..core.frames import Frame
from ..core.images import Image
from ..engines.protocol import Picture, State, settled

PAINTINGS, STATE = ".paintings.npz", ".state.npz"
"""How the names of a chunk's two files end."""
LOSSES_ENTRY = "losses"
CHUNKS_WAITING = 2
"""Chunks that may wait to be written in the background."""
DAMAGE = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile)
"""The errors that reading a damaged journal may raise."""


@dataclass(frozen=True)
class ChunkId:
    """Which chunk of a clip: by its section (a shot, or a segment of one) and its place there."""

    section: int
    at: int | Literal["key", "lead"]
    """The number of its first frame in the section; ``key`` for the section's first frame alone;
    ``lead`` for the last frames, painted again to lead into the next section or round a loop."""

    def __str__(self) -> str:
        return f"{self.section:05}-{self.at if isinstance(self.at, str) else f'{self.at:05}'}"


@dataclass(frozen=True, eq=False)
class Chunk:
    """A few frames that are painted in one go."""

    made: tuple[Picture, ...]
    """The paintings (H, W, 3), some of which may still be in the making."""
    losses: tuple[float, ...]
    state: State
    """What the engine needs to paint the frame after them."""
    last: Frame
    """The frame that was painted last."""
    seconds: float = 0.0
    """For which it was painted; 0 if an earlier run painted it."""

    @property
    def is_done(self) -> bool:
        """Whether all paintings are there."""
        return all(one.done() for one in self.made if isinstance(one, Future))

    @property
    def paintings(self) -> tuple[Image, ...]:
        """The paintings (H, W, 3), once all are there."""
        return tuple(settled(one) for one in self.made)

    def stateless(self) -> Chunk:
        """Return the chunk without its state, which is large."""
        return replace(self, state={})


class ChunkStore:
    """Chunks in a folder, by their ids.

    Files are written completely or not at all, and a chunk's state before its paintings. So
    whenever a run ends, the next one can go on from the chunks that are there.

    Args:
        parts: the folder.
        names: the ids of the chunks that are there, as text.
        patience: seconds for which chunks may wait to be written, for engines that paint faster
            than a disk can be sure to have written.
    """

    def __init__(self, parts: Folder, names: Iterable[str] = (), patience: float = 0.0) -> None:
        self.parts, self.patience = parts, patience
        self.names = {*names}
        self.waiting: list[tuple[ChunkId, Chunk]] = []
        """Chunks that are not written yet."""
        self.superseded: list[ChunkId] = []
        """Chunks whose states are removed once those are written."""
        self.written = -math.inf
        """When chunks were last written, on the monotonic clock."""
        self.count = 0
        """The number of paintings that are written."""
        self.behind: Behind | None = None
        """The thread that writes. None means that chunks are written at once."""

    @classmethod
    def of_section(cls, parts: Folder, section: int) -> ChunkStore:
        """Open the chunks of one section; without those after its first frame if one is damaged."""
        files = parts.names(f"{section:05}-")
        later = {name for name in files if not name.startswith(f"{ChunkId(section, 'key')}.")}
        store = cls(parts, chunk_names(files))
        try:
            store.check(later)
        except DAMAGE:
            for name in later:
                parts.remove(name)
            store.names = chunk_names(files - later)
        return store

    def check(self, files: Iterable[str]) -> None:
        """Read the chunks in ``files``, and count their paintings.

        Raises:
            One of ``DAMAGE``: a file is damaged.
        """
        for name in files:
            if name.endswith((PAINTINGS, STATE)):
                with zipfile.ZipFile(io.BytesIO(self.parts.read(name))) as file:
                    if file.testzip() is not None:
                        raise zipfile.BadZipFile
                self.count += name.endswith(PAINTINGS) and len(self._read(name)[LOSSES_ENTRY])

    def begin(self) -> None:
        """Prepare for the first chunk. The folder of a worker exists already."""

    def get(self, chunk: ChunkId, last: Frame) -> Chunk | None:
        """Return a chunk that ends with the frame ``last``, or None if it is not painted yet."""
        if str(chunk) not in self.names:
            return None
        found = self._read(f"{chunk}{PAINTINGS}")
        losses = tuple(map(float, found[LOSSES_ENTRY]))
        pictures = (io.BytesIO(found[str(number)].tobytes()) for number in range(len(losses)))
        paintings = tuple(np.array(Pillow.open(picture)) for picture in pictures)
        try:
            state = self._read(f"{chunk}{STATE}")
        except FileNotFoundError:
            state = {}
        return Chunk(paintings, losses, state, last)

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Within this context, write chunks on another thread."""
        with Behind(CHUNKS_WAITING) as self.behind:
            try:
                yield
            finally:
                self.behind = None

    def put(self, name: ChunkId, chunk: Chunk, superseded: ChunkId | None = None) -> None:
        """Keep a chunk, and drop the state of the ``superseded`` one."""
        if not isinstance(self.parts, NoFolder):
            self._do(self._put, name, chunk, superseded)

    def _do(self, call: Callable[..., None], *given: Any) -> None:
        if self.behind is None:
            call(*given)
        else:
            self.behind.submit(call, *given)

    def _put(self, name: ChunkId, chunk: Chunk, superseded: ChunkId | None) -> None:
        if self.waiting and superseded == self.waiting[-1][0]:
            # Its state is never needed.
            self.waiting[-1] = (superseded, self.waiting[-1][1].stateless())
        elif superseded is not None:
            self.superseded.append(superseded)
        self.waiting.append((name, chunk))
        if time.monotonic() - self.written >= self.patience:
            self.flush()

    def flush(self) -> None:
        """Write the chunks that are waiting."""
        if self.waiting and not self.names:
            self.begin()
        # The latest first: a chunk without a state must never be the last one in the folder.
        while self.waiting:
            name, chunk = self.waiting[-1]
            if chunk.state:
                self._write(f"{name}{STATE}", chunk.state)
            pictures = {
                str(number): np.frombuffer(png_of(painting), np.uint8)
                for number, painting in enumerate(chunk.paintings)
            }
            losses = np.array(chunk.losses, np.float64)
            self._write(f"{name}{PAINTINGS}", {**pictures, LOSSES_ENTRY: losses})
            self.names.add(str(name))
            self.count += len(chunk.losses)
            self.waiting.pop()
        self._discard_states(self.superseded)
        self.superseded.clear()
        self.written = time.monotonic()

    def discard_states(self, chunks: Iterable[ChunkId]) -> None:
        """Remove the states of chunks that nothing goes on from."""
        self._do(self._discard_states, [*chunks])

    def _discard_states(self, chunks: Iterable[ChunkId]) -> None:
        for chunk in chunks:
            self.parts.remove(f"{chunk}{STATE}")

    def _write(self, name: str, arrays: State) -> None:
        data = io.BytesIO()
        np.savez(data, **dict[str, Any](arrays))
        self.parts.write(name, data.getvalue())

    def _read(self, name: str) -> dict[str, NDArray[Any]]:
        with np.load(io.BytesIO(self.parts.read(name))) as found:
            return {name: found[name] for name in found.files}


def chunk_names(names: Iterable[str]) -> set[str]:
    """Return the ids of the chunks among file names, as text."""
    return {name.removesuffix(PAINTINGS) for name in names if name.endswith(PAINTINGS)}


def png_of(picture: Image) -> bytes:
    """Encode a picture (H, W, 3) as PNG, quickly: a painting hardly repeats itself."""
    # OpenCV lets other threads run meanwhile, unlike Pillow.
    quickly = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quickly)
    return data.tobytes()
