"""The entry point of ``python -m vidstyle`` and of the command ``vidstyle``."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

STOPPED, BROKEN_PIPE = 130, 141
"""Exit codes: 128 plus the number of the signal, SIGINT or SIGPIPE."""


def main() -> int:
    """Run the command line, and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # the encoding may lack characters of a file name
            stream.reconfigure(errors="backslashreplace")
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as run

    signal.signal(signal.SIGINT, handler)
    try:
        try:
            return run()
        finally:
            _let_signals_end()
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # At exit, Python would flush stdout once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _let_signals_end() -> None:
    """Let a signal end the process at once from here on. All is said and done, and an exception
    would surface in whatever runs as the interpreter shuts down."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(signal.getsignal(number)):  # not where it is ignored
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, frame: object) -> NoReturn:
    """Exit at once, because an exception during imports may surface as any other error."""
    os.write(2, b"vidstyle: stopped\n")
    os._exit(STOPPED)


if __name__ == "__main__":
    raise SystemExit(main())
