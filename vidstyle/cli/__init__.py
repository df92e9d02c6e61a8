"""The command line. Options come from ``Settings``; ``plan`` and ``render`` do the work."""

from __future__ import annotations

import difflib
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import UsageError
from .commands import COMMANDS
from .errors import interrupt, terminate, told
from .paint import run
from .parser import build_parser

__all__ = ["build_parser", "main"]


USAGE = """usage: vidstyle CLIP --style IMAGE [options]

  vidstyle clip.mp4 --style picasso.jpg              a painting beside the clip
  vidstyle clip.mp4 --style picasso.jpg --preview    its first frames, small and quickly
  vidstyle cat.gif --style picasso.jpg --size 512    a GIF, enlarged

vidstyle --help lists all options and the other commands."""


def _refuse_mistyped(word: str) -> None:
    """Refuse a mistyped command, which would otherwise be taken for a missing clip.

    Raises:
        UsageError: ``word`` resembles a command and is not a file.
    """
    if word.startswith("-") or Path(word).suffix or Path(word).exists():
        return
    near = difflib.get_close_matches(word.lower(), COMMANDS, n=1, cutoff=0.7)
    if near:
        raise UsageError(f"{word}: no such file, and no such command: did you mean {near[0]!r}?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the arguments after the program's name. None means those of this process.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    verbose = "--verbose" in arguments
    signal.signal(signal.SIGTERM, terminate)
    # Where SIGINT is ignored, it stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        verb = COMMANDS.get(arguments[0] if arguments else "")
        if verb is not None:  # a clip with the name of a command can be given as ./train
            verb(arguments[1:])
            return 0
        if not arguments:
            print(USAGE, file=sys.stderr)
            return 2
        _refuse_mistyped(arguments[0])
        parser = build_parser()
        parser.epilog = f"Other commands, each with its own --help: {', '.join(COMMANDS)}."
        return run(parser.parse_args(arguments))
    except BrokenPipeError:
        raise
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in (0, None):
            raise
        if verbose:
            traceback.print_exc()
        line, code = told(error)
        print(f"vidstyle: {line}", file=sys.stderr)
        return code
