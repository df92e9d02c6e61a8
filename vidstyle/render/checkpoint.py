"""What is painted is kept beside the output until that is whole, so that no work is ever lost."""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from ..core.errors import UsageError
from ..core.events import Step
from ..core.files import FRAME, RANDOM, frame_name, write_whole
from ..core.images import Image
from ..media import Frame
from ..plan.output import FACTS, PARTIAL, identity
from .reel import Engine, Loss

State = Mapping[str, NDArray[Any]]
"""What a painter needs for the next frame."""

STATE, MODEL = "state.npz", "model.safetensors"
PART = re.compile(rf"\..+\.{RANDOM}\.part")
"""A file of the journal that was not whole yet."""
SOME, NEEDED = ".paintings.npz", ".state.npz"
"""How the files on a shelf end."""
LOSSES = "losses"
TRAINING = "training.jpg"
COUNTS = "journal"
"""The array in the state with the checksum and the loss of each painting."""
DAMAGE = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile)
"""What reading a damaged journal leads to."""


class CheckpointStore:
    """The paintings of a clip, in the order they were made, in a ``folder`` of their own.

    Each is a PNG, and beside them lies what the next one needs. A file is written whole, then
    moved to its name: whenever a run ends, the journal is that of some whole painting. What it
    was made from, ``fingerprint``, are in it: it goes on only with the same ones. Where painting is
    quicker than writing, paintings may wait for so many seconds of ``patience``.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any], patience: float = 0.0) -> None:
        self.folder, self.fingerprint, self.patience = folder, fingerprint, patience
        self.waiting: list[tuple[bytes, float]] = []
        """Paintings as PNGs, not yet written, and their losses."""
        self.written = 0.0
        self.paintings: list[tuple[int, float]] = []
        """The checksum and the loss of each."""
        self.state: State = {}
        self.damaged = False
        """Whether a run before has left something that cannot be used."""
        self.chunks = ChunkStore(folder)

    def load(self) -> bool:
        """Take up what a run before has left; whether that is something, and whole.

        Raises:
            UsageError: it was made from something else.
        """
        painted = (self.folder / STATE).exists()
        if not painted and not self.chunks.names and not self.model.exists():
            return False
        try:
            fingerprint = dict(json.loads((self.folder / FACTS).read_text()))
        except DAMAGE:
            self.damaged = True
            return False
        wanted = json.loads(json.dumps(self.fingerprint))
        other = [name for name in wanted if fingerprint.get(name) != wanted[name]]
        if other:
            raise UsageError(
                f"{self.folder}: a painting was begun here with another {' and '.join(other)}: "
                f"use --restart to begin anew, or another --output"
            )
        if not painted:
            self.damaged = not self.chunks.whole()
            return not self.damaged
        try:
            state = _read(self.folder / STATE)
            counts = state.pop(COUNTS)
            self.paintings = [(int(crc), float(loss)) for crc, loss in counts]
            whole = all(
                zlib.crc32(self._path(number).read_bytes()) == crc
                for number, (crc, _) in enumerate(self.paintings, 1)
            )
        except DAMAGE:
            whole = False
        if not whole:
            self.paintings, self.damaged = [], True
            return False
        self.state = state
        return True

    def clear(self) -> None:
        """Throw away what a run before has left, and nothing else."""
        for name in (FACTS, STATE, MODEL, TRAINING, PARTIAL):  # without them the rest is nothing
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob("*"):
            if FRAME.fullmatch(path.name) or PART.fullmatch(path.name):
                path.unlink()
        self.chunks.clear()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    @property
    def model(self) -> Path:
        """The file of the model that was trained for the clip, if one was."""
        return self.folder / MODEL

    @property
    def training(self) -> Path:
        """The picture of what is being learned."""
        return self.folder / TRAINING

    def keep(self, model: bytes) -> None:
        """Keep a model that was trained for the clip."""
        write_whole(self.model, model)

    def begin(self) -> None:
        """Make the folder, and note what the work is made from."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self.folder / FACTS, json.dumps(self.fingerprint, indent=1).encode())

    def add(self, painted: Image, loss: float, state: State) -> None:
        """Keep another painting, and what the one after it needs."""
        self.waiting.append((_png(painted), loss))
        self.state = state
        if time.monotonic() - self.written >= self.patience:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if not self.waiting:
            return
        if not self.paintings:
            self.begin()
        paintings = [*self.paintings]
        for png, loss in self.waiting:
            paintings.append((zlib.crc32(png), loss))
            write_whole(self._path(len(paintings)), png)
        _write(self.folder / STATE, {**self.state, COUNTS: np.array(paintings, np.float64)})
        self.paintings = paintings
        self.waiting.clear()
        self.written = time.monotonic()

    @property
    def count(self) -> int:
        """How many paintings are kept."""
        return len(self.paintings) + self.chunks.count

    def show(self, number: int, painted: Image) -> None:
        """Leave a painting for those who want to see it."""
        write_whole(self._path(number), _png(painted))

    def painting(self, number: int) -> tuple[Image, float]:
        """A painting, counted from 1, and its loss."""
        with Pillow.open(self._path(number)) as picture:
            return np.array(picture), self.paintings[number - 1][1]

    def _path(self, number: int) -> Path:
        return self.folder / frame_name(number)

    def left(self, partial: Path) -> None:
        """Note that the clip ``partial`` is this run's: the next one may replace it."""
        write_whole(self.folder / PARTIAL, json.dumps(identity(partial)).encode())


class ChunkStore:
    """Paintings that are made a few at a time, in any order, in the ``folder`` of a journal.

    Each few have a name and a file, and another file with what those after them need.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = {path.name.removesuffix(SOME) for path in folder.glob(f"*{SOME}")}
        self.count = 0
        """How many paintings there are."""

    def whole(self) -> bool:
        """Whether all that a run before has left can be read."""
        try:
            for path in self.folder.glob("*.npz"):
                with zipfile.ZipFile(path) as file:
                    if file.testzip() is not None:
                        return False
            kept = [_read(self._path(name, SOME)) for name in self.names]
            self.count = sum(len(some[LOSSES]) for some in kept)
        except DAMAGE:
            return False
        return True

    def get(self, name: str) -> tuple[tuple[Image, ...], tuple[float, ...], State] | None:
        """The paintings, their losses, and what comes after needs; None: not painted yet."""
        if name not in self.names:
            return None
        found = _read(self._path(name, SOME))
        losses = tuple(map(float, found[LOSSES]))
        pictures = (io.BytesIO(found[str(number)].tobytes()) for number in range(len(losses)))
        state = self._path(name, NEEDED)
        return (
            tuple(np.array(Pillow.open(picture)) for picture in pictures),
            losses,
            _read(state) if state.exists() else {},
        )

    def put(
        self, name: str, paintings: Sequence[Image], losses: Sequence[float], state: State
    ) -> None:
        """Keep some paintings."""
        pictures = {str(n): np.frombuffer(_png(p), np.uint8) for n, p in enumerate(paintings)}
        _write(self._path(name, NEEDED), state)  # first: with the paintings it is whole
        _write(self._path(name, SOME), {**pictures, LOSSES: np.array(losses, np.float64)})
        self.names.add(name)
        self.count += len(paintings)

    def discard_state(self, names: Iterable[str]) -> None:
        """Nothing comes after these any more."""
        for name in names:
            self._path(name, NEEDED).unlink(missing_ok=True)

    def clear(self) -> None:
        """Throw everything away."""
        for path in self.folder.glob("*.npz"):
            if path.name.endswith((SOME, NEEDED)):
                path.unlink()
        self.names.clear()
        self.count = 0

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}{suffix}"


class Resumable(Engine, Protocol):
    """A painter that can be left and taken up again."""

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...


class CheckpointedEngine:
    """A painter whose paintings are kept, and that begins with those of a run before.

    The way through the clip is the same as ever, so what comes after them is the same, too.
    """

    def __init__(self, engine: Resumable, journal: CheckpointStore) -> None:
        self.engine, self.journal = engine, journal
        self.begun = len(journal.paintings)
        """How many there were before."""
        self.count = 0

    @property
    def behind(self) -> bool:
        """Whether the painter has still to be brought to where it was left."""
        return self.count < self.begun

    def reset(self) -> None:
        if not self.behind:
            self.engine.reset()

    def prefetch_flow(self, source: Image, before: Image) -> None:
        if not self.behind:
            self.engine.prefetch_flow(source, before)

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        return self.engine.is_duplicate(frame, before)

    def anchor(self, frame: Frame, painted: Image) -> None:
        if not self.behind:
            self.engine.anchor(frame, painted)

    def paint(self, frame: Frame, progress: Callable[[Step], None]) -> Image:
        return self._next(partial(self.engine.paint, frame), progress)

    def repaint(
        self, frame: Frame, painted: Image, share: float, progress: Callable[[Step], None]
    ) -> Image:
        return self._next(partial(self.engine.repaint, frame, painted, share), progress)

    def _next(
        self, work: Callable[[Callable[[Step], None]], Image], progress: Callable[[Step], None]
    ) -> Image:
        self.count += 1
        if self.count <= self.begun:
            painted, loss = self.journal.painting(self.count)
            progress(Step(1.0, loss, {}, lambda: painted))
            if not self.behind:
                self.engine.restore(self.journal.state)
            return painted
        followed = Loss(progress)
        painted = work(followed)
        self.journal.add(painted, followed.value, self.engine.state())
        return painted


def digest(parts: Iterable[bytes | NDArray[Any] | Path]) -> str:
    """The same for the same data, files by what is in them."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    found.update(block)
        else:
            found.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return found.hexdigest()


def _png(picture: Image) -> bytes:
    data = io.BytesIO()
    Pillow.fromarray(picture).save(data, "png", compress_level=1)
    return data.getvalue()


def _write(path: Path, arrays: State) -> None:
    data = io.BytesIO()
    np.savez(data, **dict[str, Any](arrays))
    write_whole(path, data.getvalue())


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as found:
        return {name: found[name] for name in found.files}
