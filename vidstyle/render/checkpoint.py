"""What is painted is kept beside the output until that is whole, so that no work is ever lost."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from ..core.background import Behind
from ..core.errors import UsageError
from ..core.files import FRAME_NAME, RANDOM_PART, frame_name, write_whole
from ..core.folders import Folder, LocalFolder
from ..core.frames import Frame
from ..core.images import Image
from ..core.version import __version__
from ..engines import ClipEngine
from ..engines.base import State
from ..plan import Plan, files_of
from ..plan.output import FACTS, MACHINE, PARTIAL, facts, identity
from ..settings import fields
from .chunks import Chunk

JOURNAL_VERSION = 2
"""Of the files of a store; in its fingerprint, so that a store of another one is not believed."""
MODEL, TRAINING = "model.safetensors", "training.jpg"
KEY, LEAD = "key", "lead"
"""In the names of chunks: of a key frame, and of what leads into the next one."""
PAINTINGS, STATE = ".paintings.npz", ".state.npz"
"""How the two files of a chunk end: what is painted, and what comes after it needs."""
ENCODED = ".encoded"
"""How the file of a segment ends that a worker has encoded."""
SOURCE = ".source"
"""How a copy of a clip ends that workers may not see."""
OLD_STATE = "state.npz"
"""In stores of version 1."""
LOSSES = "losses"
CHUNKS_WAITING = 2
"""Chunks that wait to be written, at most, where that is done in the background."""
PART = re.compile(rf"\..+\.{RANDOM_PART}\.part")
"""A file of the store that was not whole yet."""
KNOWN_OTHERWISE = ("size", "model")
"""Settings that are compared by the pixels and the weights that they come to."""
DAMAGE = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile)
"""What reading a damaged store leads to."""


class ChunkStore:
    """Chunks that are painted, by name, in a folder ``parts``.

    A chunk is a file of its paintings, and another one of the state that the next chunk goes on
    from, as long as that is needed. Files are written whole, and the state comes first: whenever
    a run ends, what is there can be gone on from.

    Args:
        parts: where to.
        names: those of all chunks that are there.
        patience: seconds for which chunks may wait to be written, where they are painted more
            quickly than a disk is sure to have them.
    """

    def __init__(self, parts: Folder, names: Iterable[str] = (), patience: float = 0.0) -> None:
        self.parts, self.patience = parts, patience
        self.names = {*names}
        self.waiting: list[tuple[str, Chunk]] = []
        """Chunks that are not written yet …"""
        self.superseded: list[str] = []
        """… and the names of those whose states go when they are."""
        self.written = -math.inf
        self.count = 0
        """How many paintings are written."""
        self.behind: Behind | None = None
        """Where chunks are written, unless at once."""

    @classmethod
    def of_run(cls, parts: Folder, run: int) -> ChunkStore:
        """The chunks of one shot or segment, by its number; without those after its first frame,
        where one is damaged."""
        files = parts.names(f"{run:05}-")
        later = {name for name in files if not name.startswith(f"{run:05}-{KEY}.")}
        store = cls(parts, _chunks(files))
        try:
            store.check(later)
        except DAMAGE:
            for name in later:
                parts.remove(name)
            store.names = _chunks(files - later)
        return store

    def check(self, files: Iterable[str]) -> None:
        """Read the chunks in these files.

        Raises:
            One of ``DAMAGE``: that cannot be done.
        """
        for name in files:
            if name.endswith((PAINTINGS, STATE)):
                with zipfile.ZipFile(io.BytesIO(self.parts.read(name))) as file:
                    if file.testzip() is not None:
                        raise zipfile.BadZipFile
                self.count += name.endswith(PAINTINGS) and len(self._read(name)[LOSSES])

    def begin(self) -> None:
        """Called before the first chunk is written. A worker's folder is there already."""

    def get(self, name: str, last: Frame) -> Chunk | None:
        """A chunk, which ends with the frame ``last``; None: it is not painted yet."""
        if name not in self.names:
            return None
        found = self._read(f"{name}{PAINTINGS}")
        losses = tuple(map(float, found[LOSSES]))
        pictures = (io.BytesIO(found[str(number)].tobytes()) for number in range(len(losses)))
        paintings = tuple(np.array(Pillow.open(picture)) for picture in pictures)
        try:
            state = self._read(f"{name}{STATE}")
        except FileNotFoundError:
            state = {}
        return Chunk(paintings, losses, state, last)

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Within this context, chunks are written while others are painted."""
        with Behind(CHUNKS_WAITING) as self.behind:
            try:
                yield
            finally:
                self.behind = None

    def put(self, name: str, chunk: Chunk, superseded: str | None = None) -> None:
        """Keep a chunk; nothing will go on from the one that it has ``superseded`` any more."""
        self._do(self._put, name, chunk, superseded)

    def _do(self, call: Callable[..., None], *given: Any) -> None:
        if self.behind is None:
            call(*given)
        else:
            self.behind.submit(call, *given)

    def _put(self, name: str, chunk: Chunk, superseded: str | None) -> None:
        if self.waiting and superseded == self.waiting[-1][0]:
            # Its state is never needed.
            self.waiting[-1] = (superseded, self.waiting[-1][1].stateless())
        elif superseded is not None:
            self.superseded.append(superseded)
        self.waiting.append((name, chunk))
        if time.monotonic() - self.written >= self.patience:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self.waiting and not self.names:
            self.begin()
        # Backward: a chunk that is there is one that can be gone on from, or that another one
        # before it leads to.
        while self.waiting:
            name, chunk = self.waiting[-1]
            if chunk.state:
                self._write(f"{name}{STATE}", chunk.state)
            pictures = {
                str(number): np.frombuffer(_png(painting), np.uint8)
                for number, painting in enumerate(chunk.paintings)
            }
            losses = np.array(chunk.losses, np.float64)
            self._write(f"{name}{PAINTINGS}", {**pictures, LOSSES: losses})
            self.names.add(name)
            self.count += len(chunk.paintings)
            self.waiting.pop()
        self._discard_states(self.superseded)
        self.superseded.clear()
        self.written = time.monotonic()

    def discard_states(self, names: Iterable[str]) -> None:
        """Nothing goes on from these chunks any more."""
        self._do(self._discard_states, [*names])

    def _discard_states(self, names: Iterable[str]) -> None:
        for name in names:
            self.parts.remove(f"{name}{STATE}")

    def _write(self, name: str, arrays: State) -> None:
        data = io.BytesIO()
        np.savez(data, **dict[str, Any](arrays))
        self.parts.write(name, data.getvalue())

    def _read(self, name: str) -> dict[str, NDArray[Any]]:
        with np.load(io.BytesIO(self.parts.read(name))) as found:
            return {name: found[name] for name in found.files}


class CheckpointStore(ChunkStore):
    """The journal of a painting: its chunks, and what they are made from.

    That, the ``fingerprint``, is kept, too: only a run with the same one goes on.

    Args:
        folder: the journal's, beside the output; it is made with the first chunk.
        fingerprint: what the paintings depend on, by names that a person understands.
        patience: see ``ChunkStore``.
        parts: where the chunks are; None: in ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: Mapping[str, Any],
        patience: float = 0.0,
        parts: Folder | None = None,
    ) -> None:
        self.home, self.folder = LocalFolder(folder), folder
        super().__init__(parts or self.home, patience=patience)
        self.fingerprint = {"version of the journal": JOURNAL_VERSION, **fingerprint}
        self.damaged = False
        """Whether a run before has left something that cannot be used."""
        self.counted = True
        """Whether ``count`` is exact; else it is that of the chunks."""

    @property
    def paintings(self) -> str:
        """How many paintings are there, in words."""
        if not self.counted:
            return "paintings"
        return "1 painting" if self.count == 1 else f"{self.count} paintings"

    def load(self, look: bool = True) -> bool:
        """Take up what a run before has left; whether that is something, and whole, unless nobody
        is to ``look`` into it here.

        Raises:
            UsageError: it was made from something else.
        """
        files = self.parts.names()
        names = _chunks(files)
        if not names and not self.model.exists() and not (self.folder / OLD_STATE).exists():
            return False
        fingerprint = facts(self.folder)
        if not fingerprint:
            self.damaged = True
            return False
        wanted = json.loads(json.dumps(self.fingerprint))
        wanted.pop(MACHINE, None)
        other = [name for name in wanted if fingerprint.get(name) != wanted[name]]
        if other:
            raise UsageError(
                f"{self.folder}: a painting was begun here with another {' and '.join(other)}: "
                f"use --restart to begin anew, or another --output"
            )
        try:
            if look:
                self.check(files)
        except DAMAGE:
            self.damaged, self.count = True, 0
            return False
        self.names, self.count, self.counted = names, self.count or len(names), look
        return True

    def begin(self) -> None:
        """Make the folder, and note what the work is made from."""
        for folder in {self.home, self.parts}:
            folder.make()
            folder.write(FACTS, json.dumps(self.fingerprint, indent=1).encode())

    def look_again(self) -> None:
        """Take up what workers have left meanwhile."""
        self.names = _chunks(self.parts.names())
        self.count, self.counted = len(self.names), not self.names

    def clear(self) -> None:
        """Throw away what a run has left, and nothing else."""
        for name in (FACTS, OLD_STATE, MODEL, TRAINING, PARTIAL):  # without, the rest is nothing
            self.home.remove(name)
        for folder in {self.home, self.parts}:
            for name in folder.names():
                own = name == FACTS or name.endswith((PAINTINGS, STATE, ENCODED, SOURCE))
                if own or FRAME_NAME.fullmatch(name) or PART.fullmatch(name):
                    folder.remove(name)
            folder.close()
        self.names.clear()
        self.count = 0

    @property
    def model(self) -> Path:
        """The file of the model that was trained for the clip, if one was."""
        return self.folder / MODEL

    @property
    def training(self) -> Path:
        """The picture of what is being learned."""
        return self.folder / TRAINING

    def keep_model(self, model: bytes) -> None:
        """Keep a model that was trained for the clip."""
        write_whole(self.model, model)

    def show(self, number: int, painted: Image) -> None:
        """Leave a painting as a picture for people to look at."""
        write_whole(self.folder / frame_name(number), _png(painted))

    def left(self, partial: Path) -> None:
        """Note that the clip ``partial`` is this run's: the next one may replace it."""
        write_whole(self.folder / PARTIAL, json.dumps(identity(partial)).encode())


def fingerprint(work: Plan, engine: ClipEngine) -> dict[str, Any]:
    """All that the paintings of a plan depend on, by names that a person understands.

    Those of ``MACHINE`` change them by rounding only: they go on, and are not compared.
    """
    clip, schedule = work.clip, work.schedule
    times = repr((sorted(schedule.keyframes.items()), schedule.regions)).encode()
    return {
        "clip": digest(files_of(clip)),
        "style": digest((*schedule.pictures, times)),
        "key": digest(part for key in work.keys for part in (key.place.encode(), key.path)),
        "mask": digest(path for mask in work.masks for path in files_of(mask)),
        "picture size": [work.width, work.height],
        "kind of output": work.format.kind,
        "version": [__version__, torch.__version__],
        **{
            name.replace("_", "-"): value
            for name, value in asdict(work.settings).items()
            if name in fields(affects="painting") and name not in KNOWN_OTHERWISE
        },
        "weights": digest(weight.detach().float().cpu().numpy() for weight in engine.weights()),
        "device": str(engine.device),
        "precision": work.settings.precision,
        MACHINE: {"threads": work.settings.threads, "tile_pixels": engine.tile_pixels},
    }


def _chunks(names: Iterable[str]) -> set[str]:
    """The chunks that there are files of."""
    return {name.removesuffix(PAINTINGS) for name in names if name.endswith(PAINTINGS)}


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
