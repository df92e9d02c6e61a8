"""The studio: tune a frame in the browser, and watch the clip being painted.

Needs the extra ``studio`` (Gradio).
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..core.errors import UsageError
from ..core.files import LOCK_FILE, RANDOM_PART

PREFIX = "vidstyle-studio-"
"""Prefix of the names of the studios' private folders."""
LARGEST_UPLOAD = 4 * 1024**3
"""Largest file that a browser may upload, in bytes."""
LOOPBACK = "127.0.0.1"
PACKAGE = Path(__file__).parent.parent
SAMPLES = ("auvers.jpg", "city.mp4", "fish.gif", "starry_night.jpg", "wave.jpg")
"""The sample clips and pictures.

They are listed by name, because people paint samples in place, and leave more files in the folder.
"""


def serve(
    folder: Path,
    tell: Callable[[str], None],
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    browser: bool = True,
) -> None:
    """Serve the studio until Ctrl-C.

    Args:
        folder: the parent of the runs' folders. It is created if it is missing.
        tell: called with each line to print: the address, the password, notices.
        host: the address to serve at. Any other than the loopback requires a password, which is
            generated and passed to ``tell``.
        port: None means the first free one from 7860 on.
        browser: whether to open the page in a browser.

    Raises:
        UsageError: another studio uses the folder, the port is taken, or Gradio is missing.
    """
    with _private() as files:
        _prepare(files)
        from .actions import Studio
        from .page import CSS, build
        from .queue import Queue

        queue = Queue(folder, files / "uploads")
        found = samples()
        missing = len(SAMPLES) - len(found)
        if missing:
            tell(f"{missing} of {len(SAMPLES)} samples are missing; all else works without them")
        studio = Studio(queue, found, files)
        try:
            shown = [folder.absolute(), files, *found]
            _launch(build(studio), "studio", tell, shown, CSS, host, port, browser)
        finally:
            studio.close()


def serve_vote(
    folder: Path,
    votes: Path,
    tell: Callable[[str], None],
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    browser: bool = True,
) -> None:
    """Serve a page on which people vote, until Ctrl-C.

    Args:
        folder: the questions (see ``votes.questions``).
        votes: the file of votes. Those that are there are kept.
        tell, host, port, browser: see ``serve``.

    Raises:
        UsageError: there are no questions, the file is not one of votes, the port is taken, or
            Gradio is missing.
    """
    with _private() as files:
        _prepare(files)
        from .votes import Ballot, questions
        from .voting import Poll, build

        poll = Poll(questions(folder), Ballot(votes), files)
        shown = [files, votes.absolute()]
        _launch(build(poll), "vote", tell, shown, "", host, port, browser)


def _prepare(files: Path) -> None:
    """Get Gradio ready to serve, with its own files in a private folder ``files``.

    Raises:
        UsageError: it is missing.
    """
    if find_spec("gradio") is None:
        raise UsageError('this page needs Gradio: pip install "vidstyle[studio]"')
    # Gradio reads these when it is imported. No data may leave the machine.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["GRADIO_TEMP_DIR"] = str(files / "uploads")
    logging.getLogger("uvicorn.error").addFilter(_is_told)


def _launch(
    page: Any,
    what: str,
    tell: Callable[[str], None],
    shown: Sequence[Path],
    css: str,
    host: str,
    port: int | None,
    browser: bool,
) -> None:
    """Serve a ``page`` until Ctrl-C.

    Args:
        page: the page.
        what: it is called.
        tell, host, port, browser: see ``serve``.
        shown: the files and folders that the page may show.
        css: of the page.

    Raises:
        UsageError: the port is taken.
    """
    import gradio as gr

    password = None if host in (LOOPBACK, "localhost") else secrets.token_urlsafe(9)
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            auth=None if password is None else ("vidstyle", password),
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            footer_links=[],
            allowed_paths=[*map(str, shown)],
            max_file_size=LARGEST_UPLOAD,
            ssr_mode=False,
            theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            css=css,
        )
        if password is not None:
            tell(f"user vidstyle, password {password}")
        tell(f"the {what} is at {url} (Ctrl-C ends it)")
        page.block_thread()
    except OSError as error:  # Gradio's own message is meant for programmers
        where = host if port is None else f"{host}:{port}"
        told = f"the {what} cannot be served at {where}: name another --port, or --host"
        raise UsageError(told) from error


def _is_told(record: logging.LogRecord) -> bool:
    """Whether a line of the server's log says more than that a page was closed or left."""
    error = record.exc_info[1] if record.exc_info else None
    while error is not None:
        if type(error).__name__ == "ClientDisconnect" or getattr(error, "status_code", 0) == 404:
            return False
        error = error.__cause__
    return True


def samples() -> list[Path]:
    """Return the paths of the ``SAMPLES`` that exist, in the package or beside it in a checkout."""
    inside = PACKAGE / "samples"
    folder = inside if inside.is_dir() else PACKAGE.parent / "samples"
    return [folder / name for name in SAMPLES if (folder / name).is_file()]


@contextmanager
def _private() -> Iterator[Path]:
    """Create a private folder for uploads and frames, which is removed after this context.

    Those that killed studios have left are removed as well.
    """
    _sweep()
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name,
        FileLock(Path(name) / LOCK_FILE),
    ):
        yield Path(name)


def _sweep() -> None:
    """Remove the private folders of studios that have ended.

    Such a folder has the name of one, belongs to this user, and has a lock file that nobody holds.
    """
    called = re.compile(re.escape(PREFIX) + RANDOM_PART)
    for path in Path(tempfile.gettempdir()).iterdir():
        if not called.fullmatch(path.name) or path.is_symlink() or not (path / LOCK_FILE).is_file():
            continue
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            continue
        with suppress(Timeout, OSError):
            with FileLock(path / LOCK_FILE, timeout=0):
                pass
            shutil.rmtree(path)
