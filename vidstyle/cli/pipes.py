"""Clips from standard input and to standard output.

Reading and writing a clip both need to seek in its file (for an index at the end, for a header that
is filled in last), which a pipe cannot do. So the clip passes through a private temporary file.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..core.errors import UsageError
from ..media.formats import FORMATS

STANDARD = "-"


@contextmanager
def spooled_input(clip: str, output: str | None) -> Iterator[str]:
    """Yield a path to read a clip from. The content of a pipe is first copied to a temporary file.

    Args:
        clip: a path, which may be a named pipe, or ``-`` for standard input.
        output: the output that was asked for. A clip from a pipe needs one, since there is no
            file name to derive it from.

    Yields:
        ``clip`` itself, or the path of the temporary file.

    Raises:
        UsageError: a clip from a pipe is empty or lacks ``output``, or standard input is closed
            or a terminal.
    """
    if clip != STANDARD and not Path(clip).is_fifo():
        yield clip
        return
    name = "stdin" if clip == STANDARD else clip
    if output is None:
        raise UsageError(f"a clip from {name} has no name: say where to with --output")
    if clip == STANDARD and sys.stdin is None:
        raise UsageError("stdin is closed: pipe a clip into it, or name one")
    if clip == STANDARD and sys.stdin.isatty():
        raise UsageError("stdin is a terminal: pipe a clip into it, or name one")
    with tempfile.TemporaryDirectory(prefix="vidstyle-") as folder, ExitStack() as opened:
        spool = Path(folder) / "stdin"
        given = (
            sys.stdin.buffer if clip == STANDARD else opened.enter_context(Path(clip).open("rb"))
        )
        with spool.open("wb") as file:
            shutil.copyfileobj(given, file)
        if not spool.stat().st_size:
            raise UsageError(f"{name}: nothing came")
        yield str(spool)


@contextmanager
def spooled_output(output: str | None, name: str | None, reports: bool) -> Iterator[str | None]:
    """Yield a path to write a painting to. For ``-``, it is then copied to standard output.

    Args:
        output: a path, ``-`` for standard output, or None.
        name: the name of the output's format. Standard output needs one.
        reports: whether a report goes to standard output.

    Yields:
        ``output`` itself, or the path of a temporary file for ``-``.

    Raises:
        UsageError: standard output is a terminal or also has to take the report, or ``name`` is
            missing or not the format of a single file.
    """
    if output != STANDARD:
        yield output
        return
    if name is None or name == "folder":
        raise UsageError("stdout needs a --format of one file: mp4, mkv, webm, gif, apng …")
    if reports:
        raise UsageError("--json goes to stdout, and so would the painting: leave out one of them")
    if sys.stdout.isatty():
        raise UsageError("stdout is a terminal: redirect it, or name a file with --output")
    with tempfile.TemporaryDirectory(prefix="vidstyle-") as folder:
        spool = Path(folder) / f"stdout{FORMATS[name].suffix if name in FORMATS else ''}"
        yield str(spool)
        if spool.exists():
            with spool.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
