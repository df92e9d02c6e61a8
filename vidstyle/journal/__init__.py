"""The journal: paintings that are kept beside the output until that is whole.

This is all that knows the format. In the journal's folder are:

    journal.json              the fingerprint: what the paintings depend on
    00000-key.paintings.npz   a chunk: its paintings as PNG, and their losses
    00000-key.state.npz       what the next chunk goes on from, for as long as it may be needed
    model.safetensors         the model that was trained on the clip, if there is one
    training.jpg              how that model paints
    partial.json              which file was left as a partial clip
    000001.png                each painting as it was painted, with --keep-frames
    kept.json                 what those are paintings of, once all are there

A cluster's workers also leave encoded segments, and copies of the clip that they cannot see. Chunks
may be in another folder, a store that all machines share.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..core.errors import UsageError
from ..core.files import FRAME_NAME, RANDOM_PART, frame_name
from ..core.folders import Folder, LocalFolder, NoFolder
from ..core.images import Image
from ..networks import transformer as models
from ..networks.transformer import TransformerNet
from .chunks import DAMAGE, PAINTINGS, STATE, Chunk, ChunkId, ChunkStore, chunk_names, png_of

__all__ = [
    "CLIP_COPY",
    "DAMAGE",
    "ENCODED",
    "FACTS_FILE",
    "MACHINE",
    "Chunk",
    "ChunkId",
    "ChunkStore",
    "Journal",
    "facts",
    "has_left",
    "has_paintings",
    "is_begun",
    "kept",
]


JOURNAL_VERSION = 3
"""Of the format. It is part of the fingerprint, so a journal of another version is not used."""
FACTS_FILE = "journal.json"
MODEL_FILE, TRAINING_FILE, PARTIAL_FILE = "model.safetensors", "training.jpg", "partial.json"
KEPT_FILE = "kept.json"
MACHINE = "machine"
"""The entry of the facts for what differs by machine. A later run goes on with it as it was."""
ENCODED = ".encoded"
"""How the name of a segment's file ends that a worker has encoded."""
CLIP_COPY = ".source"
"""How the name of a copy of the clip ends."""
UNFINISHED = re.compile(rf"\..+\.{RANDOM_PART}\.part")
"""The name of a file that was not completely written."""


class Journal(ChunkStore):
    """The journal of a painting. Use it in a ``with``.

    Leaving by an error adds a note to it that says what is kept. Once the output is ``complete``,
    leaving removes the journal, or flushes all of it if its frames are to be kept.

    Args:
        folder: where it is, beside the output; made with the first chunk. None keeps nothing.
        fingerprint: what the paintings depend on, by names that a person understands. Only a run
            with the same one goes on.
        patience: see ``ChunkStore``.
        parts: the folder for chunks. None means ``folder``.
        keeps: whether all of it stays when the output is complete.
    """

    def __init__(
        self,
        folder: Path | None,
        fingerprint: Mapping[str, Any],
        patience: float = 0.0,
        parts: Folder | None = None,
        keeps: bool = False,
    ) -> None:
        self.folder, self.keeps = folder, keeps
        self.home: Folder = NoFolder() if folder is None else LocalFolder(folder)
        super().__init__(parts or self.home, patience=patience)
        self.fingerprint = {"version of the journal": JOURNAL_VERSION, **fingerprint}
        self.damaged = False
        """Whether an earlier run has left something that cannot be used."""
        self.resumed = False
        """Whether there is something of an earlier run to go on from: paintings or a model."""
        self.counted = True
        """Whether ``count`` is the number of paintings. Otherwise it is that of chunks."""
        self.complete = False
        """Whether the output is whole, so that the journal is no longer needed."""

    def load(self, check: bool = True) -> None:
        """Take up what an earlier run has left. ``resumed`` says whether there is anything.

        Args:
            check: whether to read all of it. Otherwise it is taken to be whole.

        Raises:
            UsageError: it has another fingerprint, or is that of a correction.
        """
        files = self.parts.names()
        names = chunk_names(files)
        if self.folder is None:
            return
        if not names and not (self.folder / MODEL_FILE).exists():
            if kept(self.folder):
                raise UsageError(
                    f"{self.folder}: holds the frames of a corrected painting: "
                    f"use --restart to begin anew, or another --output"
                )
            return
        found = facts(self.folder)
        if not found:
            self.damaged = True
            return
        wanted = json.loads(json.dumps(self.fingerprint))
        wanted.pop(MACHINE, None)
        other = [name for name in wanted if found.get(name) != wanted[name]]
        if other:
            raise UsageError(
                f"{self.folder}: a painting was begun here with another {' and '.join(other)}: "
                f"use --restart to begin anew, or another --output"
            )
        try:
            if check:
                self.check(files)
        except DAMAGE:
            self.damaged, self.count = True, 0
            return
        self.names, self.count, self.counted = names, self.count or len(names), check
        self.resumed = True

    def look_again(self) -> None:
        """Take up what workers have left meanwhile."""
        self.names = chunk_names(self.parts.names())
        self.count, self.counted = len(self.names), not self.names

    def begin(self) -> None:
        """Make the folders, and write the fingerprint into each."""
        for folder in {self.home, self.parts}:
            folder.make()
            folder.write(FACTS_FILE, json.dumps(self.fingerprint, indent=1).encode())

    def clear(self) -> None:
        """Remove what runs have left here, and nothing else."""
        # Without the facts, the rest means nothing.
        for name in (FACTS_FILE, MODEL_FILE, TRAINING_FILE, PARTIAL_FILE, KEPT_FILE):
            self.home.remove(name)
        for folder in {self.home, self.parts}:
            for name in folder.names():
                own = name == FACTS_FILE or name.endswith((PAINTINGS, STATE, ENCODED, CLIP_COPY))
                if own or FRAME_NAME.fullmatch(name) or UNFINISHED.fullmatch(name):
                    folder.remove(name)
            folder.close()
        self.names.clear()
        self.count, self.resumed = 0, False

    @property
    def paintings(self) -> str:
        """How many paintings are kept, in words."""
        if not self.counted:
            return "paintings"
        return "1 painting" if self.count == 1 else f"{self.count} paintings"

    @property
    def training(self) -> Path | None:
        """The file for the picture of what is being learned, if anything is kept."""
        return None if self.folder is None else self.folder / TRAINING_FILE

    def keep_model(self, model: TransformerNet) -> None:
        """Keep a model that was trained on the clip."""
        self.home.write(MODEL_FILE, models.dump(model))

    def model(self) -> TransformerNet | None:
        """Load the model that an earlier run has trained; None if there is none that is whole."""
        if self.folder is not None and (self.folder / MODEL_FILE).exists():
            with suppress(UsageError):  # damaged; training again gives the same one
                return models.load(self.folder / MODEL_FILE)
        return None

    def show(self, number: int, painted: Image) -> None:
        """Keep the painting of frame ``number`` as a PNG for people to look at."""
        self.home.write(frame_name(number), png_of(painted))

    def take(self, number: int, painting: Path) -> None:
        """Keep the file ``painting``, which an earlier run has kept, as that of frame ``number``.

        Both are one file where the disk allows it. Paintings are replaced, but never written to.
        """
        assert self.folder is not None
        target = self.folder / frame_name(number)
        target.unlink(missing_ok=True)
        try:
            os.link(painting, target)
        except OSError:
            self.home.write(target.name, painting.read_bytes())

    def keep(self, about: Mapping[str, Any]) -> None:
        """Note that all paintings are kept, and what they are ``about``."""
        self.home.write(KEPT_FILE, json.dumps(about, indent=1).encode())

    def left(self, partial: Path) -> None:
        """Note that this run has written the file ``partial``, which the next one may replace."""
        self.home.write(PARTIAL_FILE, json.dumps(_identity(partial)).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.complete:  # whatever ends the run now
            self._put_away()
        elif error is not None:
            self._tell_what_is_kept(error)

    def _put_away(self) -> None:
        if self.keeps:
            self.flush()
            return
        try:
            self.clear()
        except BaseException:  # a signal, in the middle of it
            self.clear()
            raise

    def _tell_what_is_kept(self, error: BaseException) -> None:
        if self.folder is None:
            return
        has_model = (self.folder / MODEL_FILE).exists()
        with suppress(OSError):  # the disk may be what has ended the run
            self.flush()
            if self.counted and not self.count and not has_model:
                self.clear()
        if self.count and isinstance(self.parts, LocalFolder) and not self.parts.path.exists():
            error.add_note(f"{self.parts} is gone, and what was painted with it")
        elif self.count:
            error.add_note(f"{self.paintings} kept: the same command goes on from there")
        elif has_model:
            error.add_note("what is learned is kept: the same command goes on from there")
        elif not isinstance(error, Exception):
            error.add_note("no frame is done yet, so nothing is kept")


def facts(folder: Path) -> dict[str, Any]:
    """Read the fingerprint of the journal in ``folder``; empty if there is none that is whole."""
    try:
        found = dict(json.loads((folder / FACTS_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return {}
    machine = found.get(MACHINE, {})
    whole = isinstance(machine, dict) and all(n is None or type(n) is int for n in machine.values())
    return found if whole else {}


def kept(folder: Path) -> dict[str, Any]:
    """Read what the paintings that are kept in ``folder`` are about; empty if they are not all
    there."""
    try:
        return dict(json.loads((folder / KEPT_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def has_paintings(folder: Path) -> bool:
    """Whether there are paintings in ``folder`` that a run could go on from, or correct."""
    return bool(kept(folder)) or any(folder.glob(f"*{PAINTINGS}"))


def is_begun(folder: Path) -> bool:
    """Whether an earlier run has left a journal in ``folder``."""
    return (folder / FACTS_FILE).exists()


def has_left(folder: Path, partial: Path) -> bool:
    """Whether the file ``partial`` is as the run with its journal in ``folder`` has left it."""
    try:
        return bool(json.loads((folder / PARTIAL_FILE).read_text()) == _identity(partial))
    except (OSError, ValueError):
        return False


def _identity(path: Path) -> list[Any]:
    """Return what tells a file from others, and from itself after a change."""
    found = path.stat()
    return [path.name, found.st_ino, found.st_size, found.st_mtime_ns]
