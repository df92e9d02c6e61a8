"""Writing: into a temporary name first, moved into place only when whole."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..errors import UsageError, VidstyleError
from .clip import ClipInfo, Frame
from .encoders import AnimationEncoder, FolderEncoder, StillEncoder, VideoEncoder
from .formats import Format
from .gif import GifEncoder
from .sound import Sound


class Encoder(Protocol):
    """What turns frames into a file. Knows nothing of where the file ends up."""

    keeps_alpha: bool
    """Whether what is transparent stays so."""

    def write(self, frame: Frame) -> None: ...

    def cut(self) -> None:
        """The next frame begins a new shot."""

    def close(self) -> None:
        """Finish the file. Nothing may be written after."""

    def abort(self) -> None:
        """Let go of the file, whole or not."""


class Writer:
    """An output being written. Leaving the ``with`` by an exception leaves nothing behind."""

    def __init__(self, output: Path, partial: Path, encoder: Encoder, overwrite: bool) -> None:
        self.output, self.partial = output, partial
        self.encoder = encoder
        self.overwrite = overwrite
        self.frames = 0
        self.kept = False
        """Whether what is there was left somewhere else."""

    def write(self, frame: Frame) -> None:
        self.encoder.write(frame)
        self.frames += 1

    def cut(self) -> None:
        self.encoder.cut()

    def keep(self, path: Path) -> None:
        """Close what is there, and leave that at ``path`` instead."""
        self.encoder.close()
        if self.partial.is_dir():
            _remove(path)
        self.partial.replace(path)
        self.kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                if not self.frames:
                    raise VidstyleError(f"{self.output}: no frame was painted, nothing is written")
                self.encoder.close()
                self._move()
            elif not self.kept:
                self.encoder.abort()
        finally:
            _remove(self.partial)

    def _move(self) -> None:
        if self.output.exists():
            if not self.overwrite:
                raise VidstyleError(
                    f"{self.output}: appeared while painting; "
                    f"paint again with --overwrite or another --output"
                )
            if self.partial.is_dir():
                _remove(self.output)
        self.partial.replace(self.output)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def open_writer(
    output: Path,
    source: ClipInfo,
    file_format: Format,
    size: tuple[int, int],
    *,
    loop: int | None = None,
    overwrite: bool = False,
    sound: Sound | None = None,
    crf: int | None = None,
    codec: str | None = None,
) -> Writer:
    """A writer of frames of ``size`` (width, height) with the properties of ``source``.

    Raises:
        UsageError: the output exists, or its folder cannot be written to.
    """
    refuse(output, overwrite)
    partial = _temporary(output, file_format)
    try:
        encoder: Encoder
        if file_format.kind == "video":
            encoder = VideoEncoder(partial, source, file_format, size, sound, crf, codec)
        elif file_format.kind == "gif":
            encoder = GifEncoder(partial, size, plays(source, loop))
        elif file_format.kind == "animation":
            encoder = AnimationEncoder(partial, file_format, plays(source, loop))
        elif file_format.kind == "still":
            encoder = StillEncoder(partial, file_format)
        else:
            encoder = FolderEncoder(partial)
    except BaseException:
        _remove(partial)
        raise
    return Writer(output, partial, encoder, overwrite)


def refuse(output: Path, overwrite: bool) -> None:
    """Refuse to write what exists, or where there is no folder.

    Raises:
        UsageError: one of both.
    """
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists already: use --overwrite or another --output")
    if not output.absolute().parent.is_dir():
        raise UsageError(
            f"{output}: cannot be written (there is no such folder): "
            f"choose another place with --output"
        )


def plays(source: ClipInfo, asked: int | None) -> int:
    """How often an animation plays, 0 for ever: as asked, as the source does, else for ever."""
    if asked is not None:
        return asked
    return 0 if source.loop is None else source.loop


def sweep(output: Path) -> None:
    """Remove what writers of ``output`` have left that were killed."""
    for path in output.parent.glob(f".{glob.escape(output.name)}.*.part"):
        _remove(path)


def _temporary(output: Path, file_format: Format) -> Path:
    """A new name beside ``output``, so that moving into place is one step."""
    prefix = f".{output.name}."
    try:
        if file_format.kind == "folder":
            partial = Path(tempfile.mkdtemp(".part", prefix, output.parent))
            mode = 0o777
        else:
            handle, name = tempfile.mkstemp(".part", prefix, output.parent)
            os.close(handle)
            partial, mode = Path(name), 0o666
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(mode & ~umask)
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written ({error.strerror}): choose another place with --output"
        ) from error
    return partial
