"""What is painted is kept beside the output until that is whole, so that no work is ever lost."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from ..core.errors import UsageError
from ..core.files import FRAME, RANDOM, frame_name, write_whole
from ..core.images import Image
from ..core.version import __version__
from ..engines import ClipEngine
from ..engines.base import State
from ..media import Frame
from ..plan import Plan, files_of
from ..plan.output import FACTS, MACHINE, PARTIAL, facts, identity
from ..settings import fields
from .chunks import Chunk

VERSION = 2
"""Of the files of a store; in its fingerprint, so that a store of another one is not believed."""
MODEL, TRAINING = "model.safetensors", "training.jpg"
PAINTINGS, STATE = ".paintings.npz", ".state.npz"
"""How the two files of a chunk end: what is painted, and what comes after it needs."""
OLD_STATE = "state.npz"
"""In stores of version 1."""
LOSSES = "losses"
PART = re.compile(rf"\..+\.{RANDOM}\.part")
"""A file of the store that was not whole yet."""
KNOWN_OTHERWISE = ("size", "model")
"""Settings that are compared by the pixels and the weights that they come to."""
DAMAGE = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile)
"""What reading a damaged store leads to."""


class CheckpointStore:
    """The chunks of a clip that are painted, by name, in a ``folder`` of their own.

    A chunk is a file of its paintings, and another one of the state that the next chunk goes on
    from, as long as that is needed. Files are written whole, then moved to their names, and the
    state comes first: whenever a run ends, what is there can be gone on from. What it was made
    from, the ``fingerprint``, is in the folder, too: only a run with the same one goes on.

    Args:
        folder: where to; it is made with the first chunk.
        fingerprint: what the paintings depend on, by names that a person understands.
        patience: seconds for which chunks may wait to be written, where they are painted more
            quickly than a disk is sure to have them.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any], patience: float = 0.0) -> None:
        self.folder, self.patience = folder, patience
        self.fingerprint = {"version of the journal": VERSION, **fingerprint}
        self.names: set[str] = set()
        """Those of all chunks that are there."""
        self.waiting: list[tuple[str, Chunk]] = []
        """Chunks that are not written yet …"""
        self.superseded: list[str] = []
        """… and the names of those whose states go when they are."""
        self.written = -math.inf
        self.count = 0
        """How many paintings are written."""
        self.damaged = False
        """Whether a run before has left something that cannot be used."""

    def load(self) -> bool:
        """Take up what a run before has left; whether that is something, and whole.

        Raises:
            UsageError: it was made from something else.
        """
        names = {path.name.removesuffix(PAINTINGS) for path in self.folder.glob(f"*{PAINTINGS}")}
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
            for path in self.folder.glob("*.npz"):
                with zipfile.ZipFile(path) as file:
                    if file.testzip() is not None:
                        raise zipfile.BadZipFile
            count = sum(len(_read(self._path(name, PAINTINGS))[LOSSES]) for name in names)
        except DAMAGE:
            self.damaged = True
            return False
        self.names, self.count = names, count
        return True

    def begin(self) -> None:
        """Make the folder, and note what the work is made from."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self.folder / FACTS, json.dumps(self.fingerprint, indent=1).encode())

    def get(self, name: str, last: Frame) -> Chunk | None:
        """A chunk, which ends with the frame ``last``; None: it is not painted yet."""
        if name not in self.names:
            return None
        found = _read(self._path(name, PAINTINGS))
        losses = tuple(map(float, found[LOSSES]))
        pictures = (io.BytesIO(found[str(number)].tobytes()) for number in range(len(losses)))
        paintings = tuple(np.array(Pillow.open(picture)) for picture in pictures)
        state = self._path(name, STATE)
        return Chunk(paintings, losses, _read(state) if state.exists() else {}, last)

    def put(self, name: str, chunk: Chunk, superseded: str | None = None) -> None:
        """Keep a chunk; nothing will go on from the one that it has ``superseded`` any more."""
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
                _write(self._path(name, STATE), chunk.state)
            pictures = {
                str(number): np.frombuffer(_png(painting), np.uint8)
                for number, painting in enumerate(chunk.paintings)
            }
            losses = np.array(chunk.losses, np.float64)
            _write(self._path(name, PAINTINGS), {**pictures, LOSSES: losses})
            self.names.add(name)
            self.count += len(chunk.paintings)
            self.waiting.pop()
        self.discard_states(self.superseded)
        self.superseded.clear()
        self.written = time.monotonic()

    def discard_states(self, names: Iterable[str]) -> None:
        """Nothing goes on from these chunks any more."""
        for name in names:
            self._path(name, STATE).unlink(missing_ok=True)

    def clear(self) -> None:
        """Throw away what a run has left, and nothing else."""
        for name in (FACTS, OLD_STATE, MODEL, TRAINING, PARTIAL):  # without, the rest is nothing
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob("*"):
            chunk = path.name.endswith((PAINTINGS, STATE))
            if chunk or FRAME.fullmatch(path.name) or PART.fullmatch(path.name):
                path.unlink()
        self.names.clear()
        self.count = 0
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

    def keep_model(self, model: bytes) -> None:
        """Keep a model that was trained for the clip."""
        write_whole(self.model, model)

    def show(self, number: int, painted: Image) -> None:
        """Leave a painting as a picture for people to look at."""
        write_whole(self.folder / frame_name(number), _png(painted))

    def left(self, partial: Path) -> None:
        """Note that the clip ``partial`` is this run's: the next one may replace it."""
        write_whole(self.folder / PARTIAL, json.dumps(identity(partial)).encode())

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}{suffix}"


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
