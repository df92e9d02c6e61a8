"""Clips from standard input and to standard output.

Both ends need to go back in a file (an index at its end, a header filled in last), which a pipe
cannot: so each passes through a private temporary file.
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
    """The path of ``clip``; for ``-``, of what standard input holds; for a pipe with a name, of
    what that does."""
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
    """The path to write ``output`` to; for ``-``, one whose bytes go to standard output."""
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
