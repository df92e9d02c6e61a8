"""The command-line parser. Its options come from ``Settings``, with their help and defaults."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from ..core.errors import UsageError, unknown
from ..core.frames import FOUND
from ..core.version import __version__
from ..media.formats import FORMATS
from ..settings import Settings, choices_of, fields, kinds
from ..settings.quality import QUALITIES
from ..settings.text import text_of, value_of
from ..settings.times import seconds_of

PREVIEW_FRAMES = 3
FILE_FORMATS = [name for name in FORMATS if name != "folder"]


class Parser(argparse.ArgumentParser):
    """An argument parser that raises ``UsageError`` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see vidstyle --help)")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, but suggest the closest option for a mistyped one."""
        found, rest = self.parse_known_args(args, namespace)
        mistyped = next((word for word in rest if word.startswith("--")), None)
        if mistyped is not None:
            known = [name for name in self._option_string_actions if name.startswith("--")]
            raise unknown("option", mistyped.partition("=")[0], known)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of ``vidstyle CLIP``, with all options of ``Settings``."""
    parser = Parser(
        prog="vidstyle",
        description="Turn a video or an animated GIF into a painting.",
        allow_abbrev=False,
    )
    _add_inputs(parser)
    _add_output(parser)
    parser.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help="a named set of options (vidstyle recipes lists them); other options override it",
    )
    parser.add_argument(
        "--save-recipe",
        action="store_true",
        help="write all options beside the output, as a recipe for the same again",
    )
    parser.add_argument(
        "--preview",
        nargs="?",
        type=int,
        const=PREVIEW_FRAMES,
        metavar="N",
        help="paint only the first N frames (default 3), small and fast, with a contact sheet",
    )
    parser.add_argument(
        "--quality",
        metavar="|".join(QUALITIES),
        help="how many steps: a draft, the defaults, or as good as it gets, with every frame "
        "painted; other options override it, and --dry-run says how long each takes",
    )
    group = add_settings(parser, fields(in_recipes_only=False))["messages"]
    group.add_argument("--dry-run", action="store_true", help="print the plan, paint nothing")
    add_messages(group)
    group.add_argument("--version", action="version", version=f"vidstyle {__version__}")
    return parser


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clip",
        metavar="CLIP",
        nargs="+",
        help="a video, GIF, APNG, WebP, AVIF, still, folder of stills or quoted glob; - for stdin; "
        "several are painted in turn, into a folder if --output names one; for a clip that is "
        "named like a command (train, info …) write ./train",
    )
    add_style(parser)
    parser.add_argument(
        "--style-at",
        action="append",
        metavar="T=IMAGE[:WEIGHT]",
        default=[],
        help="change to another style, reached at time T and blended in from the one before",
    )
    parser.add_argument(
        "--key",
        action="append",
        metavar="T=IMAGE|FOLDER",
        default=[],
        help="paint the frame at time T like IMAGE, and let its neighbors follow; or a FOLDER of "
        "paintings named by the numbers of their frames (vidstyle keys writes frames to paint "
        "over); without --style, these are the style",
    )
    parser.add_argument(
        "--mask",
        action="append",
        metavar="FILE|person|background[=IMAGE]",
        default=[],
        help="a part that is painted like IMAGE, or not at all: the white or opaque parts of a "
        "clip with as many frames as CLIP, or of a picture, which follow from the first frame on; "
        "or people, or all behind them, as they are found (vidstyle mask writes that as a clip); "
        "where masks overlap, the last one counts",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help=f"output; its suffix selects the format ({', '.join(FILE_FORMATS)}; none: a folder of "
        "frames); an existing folder, or a new one that ends in /, takes the painting; - is "
        "stdout; default: beside the clip, as clip.picasso.mp4",
    )
    add_overwrite(parser)
    parser.add_argument(
        "--restart",
        action="store_true",
        help="start anew instead of going on from what an earlier run has painted",
    )
    parser.add_argument(
        "--keep-frames",
        action="store_true",
        help="keep a folder of all frames as painted, before --keep-colors, --strength and masks "
        "(.clip.picasso.mp4.vidstyle, beside the output), which vidstyle correct can correct",
    )
    parser.add_argument(
        "--keep-partial",
        action="store_true",
        help="if the work ends early, leave the frames so far as a clip: clip.picasso.partial.mp4",
    )


def add_style(parser: argparse.ArgumentParser) -> None:
    """Add ``--style``."""
    parser.add_argument(
        "--style",
        action="append",
        metavar="IMAGE[:WEIGHT]",
        default=[],
        help="the picture to paint like; several are blended by weight",
    )


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add ``--overwrite``."""
    parser.add_argument(
        "-y",
        "--overwrite",
        action="store_true",
        help="replace an existing output: a file, or a folder that holds only frames that vidstyle "
        "wrote; never an input of the run",
    )


def add_messages(group: argparse._ActionsContainer) -> None:
    """Add the options that decide what is printed."""
    group.add_argument("--json", action="store_true", help="print one JSON object at the end")
    group.add_argument("--quiet", action="store_true", help="print only errors")
    group.add_argument("--verbose", action="store_true", help="print a traceback with an error")


def add_settings(
    parser: argparse.ArgumentParser, names: Sequence[str]
) -> dict[str, argparse._ArgumentGroup]:
    """Add options for fields of ``Settings``, with their help and defaults.

    Args:
        parser: the parser to add them to.
        names: of the fields.

    Returns:
        The argument groups that were added for them, by title.
    """
    hints = get_type_hints(Settings)
    specs = {spec.name: spec for spec in dataclasses.fields(Settings)}
    titles = dict.fromkeys(specs[name].metadata["group"] for name in names)
    groups = {title: parser.add_argument_group(title) for title in titles}
    for name in names:
        spec, hint = specs[name], hints[name]
        shown = "" if spec.default is None else f" (default: {text_of(spec.default)})"
        about: dict[str, Any] = {
            "default": argparse.SUPPRESS,
            "help": (spec.metadata["help"] + shown).replace("%", "%%"),
        }
        if bool in kinds(hint):
            about["action"] = argparse.BooleanOptionalAction
        else:
            about["metavar"] = spec.metadata["metavar"] or "|".join(choices_of(name))
            about["type"] = partial(value_of, name)
        groups[spec.metadata["group"]].add_argument(f"--{name.replace('_', '-')}", **about)
    return groups


def settings_given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of ``Settings`` that were given on the command line."""
    names = {spec.name for spec in dataclasses.fields(Settings)}
    return {name: value for name, value in vars(options).items() if name in names}


def style_of(text: str) -> tuple[str, float]:
    """Parse ``IMAGE[:WEIGHT]``. If ``text`` as a whole is the name of a file, the weight is 1."""
    path, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        return text, 1.0
    try:
        return path, float(weight)
    except ValueError:
        return text, 1.0


def style_at_of(text: str) -> tuple[float, tuple[str, float]]:
    """Parse ``T=IMAGE[:WEIGHT]`` into the time in seconds and the style.

    Raises:
        UsageError: the time is missing or not a time.
    """
    time, _, style = text.partition("=")
    try:
        return seconds_of(time), style_of(style)
    except ValueError:
        raise UsageError(f"--style-at {text}: write it as SECONDS=IMAGE") from None


def key_of(text: str) -> str | tuple[float, str]:
    """Parse ``T=IMAGE`` into the time in seconds and the picture. A folder is returned as it is.

    Raises:
        UsageError: the time is not a time.
    """
    time, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        return text
    try:
        return seconds_of(time), path
    except ValueError:
        raise UsageError(f"--key {text}: write it as SECONDS=IMAGE, or name a folder") from None


def mask_of(text: str) -> tuple[str, str | None]:
    """Parse ``FILE[=IMAGE]`` into the mask and its style; after ``person``, a colon does as well.

    If ``text`` as a whole is the name of a file, it is a mask without a style.
    """
    found, colon, style = text.partition(":")
    if colon and found in FOUND and not Path(text).exists():
        return found, style
    path, equals, style = text.rpartition("=")
    return (path, style) if equals and not Path(text).exists() else (text, None)
