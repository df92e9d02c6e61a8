"""What the command line says of how it ends, and its exit code."""

from __future__ import annotations

from typing import NoReturn

from ..core.errors import UsageError, line_of


class Terminated(BaseException):
    """SIGTERM came."""


class Interrupted(KeyboardInterrupt):
    """SIGINT came.

    A class of its own, since ``python -m`` dies of the signal, whatever its exit code, once a
    plain ``KeyboardInterrupt`` has passed through ``exec`` of a text (``dataclass`` does that).
    """


def interrupt(number: int, frame: object) -> NoReturn:
    """Leave as by an exception."""
    raise Interrupted


def terminate(number: int, frame: object) -> NoReturn:
    """Leave as by an exception, so that nothing half-written stays behind."""
    raise Terminated


def told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, in one line, and the exit code."""
    if isinstance(error, ImportError) and isinstance(error.__context__, KeyboardInterrupt):
        error = error.__context__  # a module that is imported makes of it what it knows
    match error:
        case KeyboardInterrupt():
            return line_of(error, "stopped"), 130
        case Terminated():
            return line_of(error, "terminated"), 143
        case UsageError():
            return line_of(error), 2
        case _:
            return line_of(error), 1
