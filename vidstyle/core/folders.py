"""Folders on this machine, or at a URL that fsspec can open, such as s3://bucket/folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from .errors import UsageError, VidstyleError
from .files import temporary_file, write_whole


class Folder(Protocol):
    """A folder of files, addressed by name.

    A file is written completely or not at all, and replaces an existing one.
    """

    def names(self, start: str = "") -> set[str]:
        """Return the file names that begin with ``start``; none if the folder is missing."""

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: there is no such file, or it cannot be read.
        """

    def write(self, name: str, data: bytes) -> None: ...

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""

    def make(self) -> None:
        """Create the folder if it is missing."""

    def close(self) -> None:
        """Remove the folder if it is empty."""


@dataclass(frozen=True)
class LocalFolder:
    """A folder in this machine's file system, which other machines may share."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def names(self, start: str = "") -> set[str]:
        with suppress(FileNotFoundError):
            return {path.name for path in self.path.iterdir() if path.name.startswith(start)}
        return set()

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        write_whole(self.path / name, data)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def make(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)

    def close(self) -> None:
        with suppress(OSError):  # it is not empty, or does not exist
            self.path.rmdir()


@dataclass(frozen=True)
class NoFolder:
    """A folder that stays empty, for what is not to be kept."""

    def names(self, start: str = "") -> set[str]:
        return set()

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)

    def write(self, name: str, data: bytes) -> None:
        """Keep nothing."""

    def remove(self, name: str) -> None:
        """There is nothing to remove."""

    def make(self) -> None:
        """There is nothing to make."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class RemoteFolder:
    """A folder at a ``url`` for which fsspec has a file system."""

    url: str

    def __str__(self) -> str:
        return self.url

    def names(self, start: str = "") -> set[str]:
        with self._told() as (system, root):
            found = system.glob(f"{root}/{start}*")
        return {path.rpartition("/")[2] for path in found}

    def read(self, name: str) -> bytes:
        with self._told() as (system, root):
            return bytes(system.cat_file(f"{root}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        with self._told() as (system, root):
            system.pipe_file(f"{root}/{name}", data)

    def remove(self, name: str) -> None:
        with self._told() as (system, root), suppress(FileNotFoundError):
            system.rm_file(f"{root}/{name}")

    def upload(self, path: Path, name: str) -> None:
        """Copy the local file ``path`` into the folder as ``name``. It may be of any size."""
        with self._told() as (system, root):
            system.put_file(str(path), f"{root}/{name}")

    def download(self, name: str, path: Path) -> None:
        """Copy a file to the local ``path``, where it appears only once it is complete."""
        part = temporary_file(path)
        try:
            with self._told() as (system, root):
                system.get_file(f"{root}/{name}", str(part))
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def make(self) -> None:
        with self._told() as (system, root):
            system.makedirs(root, exist_ok=True)

    def close(self) -> None:
        with self._told() as (system, root), suppress(OSError):
            system.rmdir(root)

    @contextmanager
    def _told(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system and the path of the folder in it.

        Errors are raised as ``UsageError`` or ``VidstyleError`` with one line; ``OSError`` stays
        as it is.
        """
        import fsspec

        try:
            system, root = fsspec.core.url_to_fs(self.url)
            yield system, root.rstrip("/")
        except (OSError, VidstyleError):
            raise
        except ImportError as error:
            raise UsageError(f"{self.url}: {error}") from error
        except ValueError as error:
            raise UsageError(f"{self.url}: no such place: {error}") from error
        except Exception as error:  # each file system has its own error types
            raise VidstyleError(f"{self.url}: {' '.join(str(error).split())[:200]}") from error


def folder_at(place: str | Path) -> Folder:
    """Return the folder at a path or URL."""
    if isinstance(place, str) and "://" in place:
        return RemoteFolder(place)
    return LocalFolder(Path(place))


@contextmanager
def fetched(folder: Folder, name: str) -> Iterator[Path]:
    """Yield a local path to a file of ``folder``, during this context.

    A file of a remote folder is copied to a temporary folder.
    """
    if isinstance(folder, LocalFolder):
        yield folder.path / name
        return
    with TemporaryDirectory(prefix="vidstyle") as here:
        path = Path(here) / name
        path.write_bytes(folder.read(name))
        yield path
