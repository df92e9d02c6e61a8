"""The functions through which all paths are written, replaced and removed.

A user's file is replaced only on request. A folder is replaced only if it also holds nothing but
frames that vidstyle wrote. No function removes a whole directory tree.
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
"""A pattern for the random part of the names that ``tempfile`` makes."""
SOFTWARE = "vidstyle"
"""The value of the ``Software`` text in every PNG that vidstyle writes."""
LOCK_FILE = "lock"
LONGEST_NAME, LONGEST_SUFFIX = 255, 16
"""The maximum bytes of a file name, on nearly all file systems, and of its suffix.

A part after the last dot with ``LONGEST_SUFFIX`` bytes or more does not count as a suffix.
"""


def fitting(name: str, more: int = 0) -> str:
    """Return ``name``, shortened if it is too long for a file name.

    A shortened name keeps its suffix. It ends with a checksum, so that long names with the same
    beginning stay different.

    Args:
        name: a file name.
        more: bytes that the caller will add to the name.

    Returns:
        A name of at most ``LONGEST_NAME - more`` bytes.
    """
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
    """Return the file name of frame ``number``, counted from 1."""
    return f"{number:06}.png"


def is_own_frame(path: Path) -> bool:
    """Return whether ``path`` is a file, not a link, that is still a PNG written by vidstyle."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return str(picture.info.get("Software", "")).startswith(SOFTWARE)
    except Exception:  # a damaged file can make Pillow raise anything
        return False


def is_own_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder of nothing but numbered frames written by vidstyle.

    An empty folder and a link are not.
    """
    if path.is_symlink() or not path.is_dir():
        return False
    entries = [*path.iterdir()]
    return bool(entries) and all(
        FRAME_NAME.fullmatch(entry.name) and is_own_frame(entry) for entry in entries
    )


def check_writable(path: Path, overwrite: bool, reads: Iterable[Path] = ()) -> None:
    """Check that a run may write to ``path``.

    Args:
        path: the output, a file or a folder.
        overwrite: whether an existing output may be replaced.
        reads: the files that the run reads.

    Raises:
        UsageError: ``path`` exists and ``overwrite`` is false, it is or contains one of the files
            that are read, it may never be replaced, it is a broken link, or its folder does not
            exist.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"{path}: cannot be written (there is no such folder): "
            f"choose another place with --output"
        )
    if path.is_symlink() and not path.exists():
        raise UsageError(f"{path}: is a broken link: choose another --output")
    if not path.exists():
        return
    for read in reads:
        if read.exists() and _holds(path, read):
            what = "is" if path.samefile(read) else f"holds {read}, which is"
            raise UsageError(f"{path}: {what} read by this very run: choose another --output")
    if path.is_dir() and not is_own_folder(path):
        raise UsageError(
            f"{path}: holds more than frames that vidstyle wrote, so it is never "
            f"replaced: choose another --output"
        )
    if not path.is_dir() and not path.is_file():
        raise UsageError(f"{path}: is not a regular file: choose another --output")
    if not overwrite:
        raise UsageError(f"{path}: exists already: use --overwrite or another --output")


def _holds(path: Path, read: Path) -> bool:
    inside = path.is_dir() and read.resolve().is_relative_to(path.resolve())
    return inside or path.samefile(read)


def temporary_file(path: Path) -> Path:
    """Create a new empty file beside ``path``, to be moved to ``path`` once it is complete.

    Returns:
        The path of the new file.

    Raises:
        UsageError: no file can be created there.
    """
    with _told(path):
        return _part(path)


def temporary_folder(path: Path) -> Path:
    """Create a new empty folder beside ``path``, as ``temporary_file`` does with a file."""
    with _told(path):
        return _opened_up(Path(tempfile.mkdtemp(".part", _part_prefix(path), path.parent)), 0o777)


def _part(path: Path) -> Path:
    handle, name = tempfile.mkstemp(".part", _part_prefix(path), path.parent)
    os.close(handle)
    return _opened_up(Path(name), 0o666)


def _part_prefix(path: Path) -> str:
    """Return the beginning of the names of temporary files for ``path``.

    It is valid UTF-8, because some libraries accept no other names.
    """
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
    """Give ``path`` the permissions of a file created in the usual way: ``mode`` less the umask."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(mode & ~umask)
    return path


def discard(path: Path) -> None:
    """Remove what ``temporary_file`` or ``temporary_folder`` created.

    Of a folder, only the numbered frames are removed, and the folder itself if it is empty then.
    """
    if path.is_dir():
        _remove_frames(path)
    else:
        path.unlink(missing_ok=True)


def remove_stale(path: Path) -> None:
    """Remove the temporary files that killed runs have left beside ``path``.

    Call this only while holding the lock of ``path`` (``locked``), because the temporary files of
    a live run look the same.
    """
    name = re.compile(rf"{re.escape(_part_prefix(path))}{RANDOM_PART}\.part")
    with suppress(OSError):
        for other in path.absolute().parent.iterdir():
            if name.fullmatch(other.name) and not other.is_symlink():
                discard(other)


def put_in_place(part: Path, path: Path, overwrite: bool) -> None:
    """Move a complete temporary file or folder to its final path.

    Args:
        part: the temporary file or folder.
        path: the final path.
        overwrite: whether something that exists there may be replaced: a file by a file, or a
            folder of vidstyle's frames by a folder.

    Raises:
        VidstyleError: something exists at ``path`` that may not be replaced.
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
    """Replace the folder of frames ``path`` by ``part``, and only then remove the old folder."""
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
    """Remove the numbered frames in ``folder``, and the folder if it holds nothing else."""
    for entry in folder.iterdir():
        if FRAME_NAME.fullmatch(entry.name):
            entry.unlink()
    with suppress(OSError):
        folder.rmdir()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file completely or not at all, even if the power fails. Replace an existing file."""
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
    """Set the file at ``path`` aside in this context, in which a new one is written repeatedly.

    If the work fails, the old file is restored, or the new one removed if there was no old one.
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
    """Create ``folder`` and its missing parents for the work in this context.

    If the work fails, the new folders are removed again if they are empty. If ``folder`` is None,
    nothing happens.
    """
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
    """Hold the lock file that protects ``path`` from other runs, during this context.

    Args:
        folder: where the lock file is. It is created if it is missing, and removed afterwards if
            it is empty.
        path: the output that only one run at a time may write.

    Raises:
        UsageError: another run holds the lock, or the lock file cannot be written.
    """
    with ExitStack() as stack:
        lock = _acquired(folder, path)
        stack.callback(_removed_if_empty, folder)
        if os.name == "nt":  # Windows cannot remove an open file: release it first
            stack.callback(_unlinked, folder / LOCK_FILE)
        stack.callback(lock.release)
        if os.name != "nt":  # once released, it may be the next run's lock file
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
            except FileNotFoundError:  # the previous run has just removed the folder
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
