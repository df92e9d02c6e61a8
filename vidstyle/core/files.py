"""Every path that is written, replaced or removed goes through here.

A file of the user's is replaced only where that was asked for, and a folder only where it holds
nothing but frames that vidstyle wrote. Nothing ever removes a tree.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from .errors import UsageError, VidstyleError

FRAME_NAME = re.compile(r"\d{6,}\.png")
"""The name of a numbered frame."""
RANDOM_PART = "[a-z0-9_]{8}"
"""What ``tempfile`` puts into a name."""
SOFTWARE = "vidstyle"
"""Stands in every PNG that vidstyle writes, as its software."""
LOCK_FILE = "lock"
LONGEST_NAME, LONGEST_SUFFIX = 255, 16
"""Bytes of a name, on nearly all file systems, and of what counts as its suffix."""


def fitting(name: str, more: int = 0) -> str:
    """``name`` if it is short enough with so many ``more`` bytes added to it; else what fits of it,
    with its own suffix, and with digits that tell it from others that begin alike."""
    room = LONGEST_NAME - more
    whole = os.fsencode(name)
    if len(whole) <= room:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = f"-{hashlib.blake2b(whole, digest_size=4).hexdigest()}"
    if dot and len(os.fsencode(suffix)) < LONGEST_SUFFIX:
        ending += f".{suffix}"
    else:
        stem = name
    kept = os.fsencode(stem)[: room - len(os.fsencode(ending))]
    return kept.decode(errors="ignore") + ending


def frame_name(number: int) -> str:
    """The name of a numbered frame, counted from 1."""
    return f"{number:06}.png"


def is_own_frame(path: Path) -> bool:
    """Whether ``path`` is a PNG that vidstyle wrote and nobody has changed the kind of since."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return str(picture.info.get("Software", "")).startswith(SOFTWARE)
    except Exception:  # Pillow raises whatever damage leads it to
        return False


def is_own_folder(path: Path) -> bool:
    """Whether ``path`` is a folder of numbered frames that vidstyle wrote, and of nothing else."""
    if path.is_symlink() or not path.is_dir():
        return False
    entries = [*path.iterdir()]
    return bool(entries) and all(
        FRAME_NAME.fullmatch(entry.name) and is_own_frame(entry) for entry in entries
    )


def check_writable(path: Path, overwrite: bool, reads: Iterable[Path] = ()) -> None:
    """Check that ``path`` may be written by a run that reads the files ``reads``.

    Raises:
        UsageError: it is one of these or holds one, it exists and is not to be replaced, it is
            nothing that may be replaced, or there is no folder for it.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"{path}: cannot be written (there is no such folder): "
            f"choose another place with --output"
        )
    if path.is_symlink() and not path.exists():
        raise UsageError(f"{path}: is a link to nothing: choose another --output")
    if not path.exists():
        return
    for read in reads:
        if read.exists() and _holds(path, read):
            what = "is" if path.samefile(read) else f"holds {read}, which is"
            raise UsageError(f"{path}: {what} read by this very run: choose another --output")
    if path.is_dir() and not is_own_folder(path):
        raise UsageError(
            f"{path}: holds other things than frames that vidstyle wrote, so it is never "
            f"replaced: choose another --output"
        )
    if not path.is_dir() and not path.is_file():
        raise UsageError(f"{path}: is no ordinary file: choose another --output")
    if not overwrite:
        raise UsageError(f"{path}: exists already: use --overwrite or another --output")


def _holds(path: Path, read: Path) -> bool:
    inside = path.is_dir() and read.resolve().is_relative_to(path.resolve())
    return inside or path.samefile(read)


def temporary_file(path: Path) -> Path:
    """A new empty file beside ``path``, to be moved there when it is whole.

    Raises:
        UsageError: nothing can be written there.
    """
    with _told(path):
        return _part(path)


def temporary_folder(path: Path) -> Path:
    """As ``temporary_file``, a folder."""
    with _told(path):
        return _opened_up(Path(tempfile.mkdtemp(".part", _part_prefix(path), path.parent)), 0o777)


def _part(path: Path) -> Path:
    handle, name = tempfile.mkstemp(".part", _part_prefix(path), path.parent)
    os.close(handle)
    return _opened_up(Path(name), 0o666)


def _part_prefix(path: Path) -> str:
    """How the names of temporary files for ``path`` begin; in UTF-8, which is all that some
    libraries take."""
    name = path.name.encode(errors="replace").decode()
    return f".{fitting(name, len('..xxxxxxxx.part'))}."


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror}): choose another place with --output"
        ) from error


def _opened_up(path: Path, mode: int) -> Path:
    """``path`` with the rights of a file that is made in the usual way."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(mode & ~umask)
    return path


def discard(path: Path) -> None:
    """Remove what ``temporary_file`` or ``temporary_folder`` has made: of a folder, its frames."""
    if path.is_dir():
        _remove_frames(path)
    else:
        path.unlink(missing_ok=True)


def remove_stale(path: Path) -> None:
    """Remove the temporary files that killed runs have left beside ``path``.

    Only for who holds the lock of ``path``: those of a run at work look the same.
    """
    name = re.compile(rf"{re.escape(_part_prefix(path))}{RANDOM_PART}\.part")
    with suppress(OSError):
        for other in path.absolute().parent.iterdir():
            if name.fullmatch(other.name) and not other.is_symlink():
                discard(other)


def put_in_place(part: Path, path: Path, overwrite: bool) -> None:
    """Move a whole temporary file or folder to its name.

    Raises:
        VidstyleError: something has appeared there meanwhile.
    """
    if path.exists():
        if not overwrite or path.is_dir() != part.is_dir() or path.is_dir() > is_own_folder(path):
            raise VidstyleError(
                f"{path}: appeared while painting; paint again with --overwrite or another --output"
            )
        if path.is_dir():
            return _swap_folders(part, path)
    part.replace(path)


def _swap_folders(part: Path, path: Path) -> None:
    """Put ``part`` in the place of a folder of frames, which is removed only then."""
    aside = temporary_folder(path)
    aside.rmdir()
    path.rename(aside)
    try:
        part.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    _remove_frames(aside)


def _remove_frames(folder: Path) -> None:
    """Remove numbered frames, and ``folder`` if it held nothing else."""
    for entry in folder.iterdir():
        if FRAME_NAME.fullmatch(entry.name):
            entry.unlink()
    with suppress(OSError):
        folder.rmdir()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, also where the power fails. It replaces what is there."""
    part = _part(path)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def set_aside(path: Path) -> Iterator[None]:
    """Make room for a file that is written over and over. If the work fails, what was at ``path``
    before is there again.
    """
    aside = temporary_file(path)
    if path.exists():
        path.replace(aside)
    else:
        aside.unlink()
    try:
        yield
    except BaseException:
        if aside.exists():
            aside.replace(path)
        else:
            path.unlink(missing_ok=True)
        raise
    aside.unlink(missing_ok=True)


@contextmanager
def made(folder: Path | None) -> Iterator[None]:
    """Have ``folder`` there; if the work fails and it is empty, it goes away again."""
    new = [] if folder is None else [p for p in (folder, *folder.parents) if not p.exists()]
    if new:
        with _told(new[0]):
            new[0].mkdir(parents=True)
    try:
        yield
    except BaseException:
        for path in new:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def locked(folder: Path, path: Path) -> Iterator[None]:
    """Hold the lock in ``folder`` of all who write ``path``. An empty folder goes away after it.

    Raises:
        UsageError: somebody else holds it, or it cannot be written.
    """
    with ExitStack() as stack:
        lock = _acquired(folder, path)
        stack.callback(_removed_if_empty, folder)
        if os.name == "nt":  # a file that is open cannot be removed there
            stack.callback(_unlinked, folder / LOCK_FILE)
        stack.callback(lock.release)
        if os.name != "nt":  # later, it might be that of the next run
            stack.callback(_unlinked, folder / LOCK_FILE)
        yield


def _acquired(folder: Path, path: Path) -> FileLock:
    while True:
        with _told(path):
            folder.mkdir(mode=0o700, exist_ok=True)
            lock = FileLock(folder / LOCK_FILE, timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise UsageError(
                    f"{path}: another run is painting this: wait for it, or choose another --output"
                ) from None
            except FileNotFoundError:  # the run before has just removed the folder
                continue
        if (folder / LOCK_FILE).exists():
            return lock
        lock.release()


def _unlinked(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _removed_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
