"""Error messages and exit codes of the command line."""

from __future__ import annotations

from typing import NoReturn

from ..core.errors import UsageError, line_of


class Terminated(BaseException):
    """Raised on SIGTERM."""


class Interrupted(KeyboardInterrupt):
    """Raised on SIGINT.

    This is a class of its own because of ``python -m``: it dies of the signal, whatever the exit
    code, once a plain ``KeyboardInterrupt`` has passed through ``exec`` of a string, which
    ``dataclass`` uses.
    """


def interrupt(number: int, frame: object) -> NoReturn:
    """Handle SIGINT by raising ``Interrupted``."""
    raise Interrupted


def terminate(number: int, frame: object) -> NoReturn:
    """Handle SIGTERM by raising ``Terminated``, so that no half-written file stays behind."""
    raise Terminated


def told(error: BaseException) -> tuple[str, int]:
    """Return a one-line message for an error, and the exit code."""
    if isinstance(error, ImportError) and isinstance(error.__context__, KeyboardInterrupt):
        # Some modules turn Ctrl-C during their import into an ImportError.
        error = error.__context__
    match error:
        case KeyboardInterrupt():
            return line_of(error, "stopped"), 130
        case Terminated():
            return line_of(error, "terminated"), 143
        case UsageError():
            return line_of(error), 2
        case _:
            return line_of(error), 1
