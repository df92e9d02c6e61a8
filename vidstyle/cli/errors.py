"""What the command line says of how it ends, and its exit code."""

from __future__ import annotations

from typing import NoReturn

from ..core.errors import UsageError, line_of


class Terminated(BaseException):
    """SIGTERM came."""


def terminate(number: int, frame: object) -> NoReturn:
    """Leave as by an exception, so that nothing half-written stays behind."""
    raise Terminated


def told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, in one line, and the exit code."""
    ends = {KeyboardInterrupt: ("stopped", 130), Terminated: ("terminated", 143)}
    for kind, (word, code) in ends.items():
        if isinstance(error, kind):
            return "; ".join([word, *getattr(error, "__notes__", ())]), code
    return line_of(error), 2 if isinstance(error, UsageError) else 1
