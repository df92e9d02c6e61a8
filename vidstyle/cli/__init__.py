"""The command line: options come from ``Settings``, the work is done by ``render``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, get_type_hints

from .. import __version__, media
from ..core import files
from ..core.errors import UsageError, VidstyleError, out_of_memory
from ..core.events import Notice
from ..media.formats import named_format
from ..settings import Settings, choices, items, kinds, recipes
from .pipes import STANDARD, spooled_input, spooled_output
from .progress import Reporter

if TYPE_CHECKING:
    from ..plan import Plan

PREVIEW_FRAMES = 3
GROUPS = {
    "part of the clip": ("start", "end", "max_frames"),
    "output": ("format", "codec", "crf", "fps", "loop", "audio"),
    "look": (
        "size",
        "content_weight",
        "style_weight",
        "loss",
        "style_scale",
        "strength",
        "keep_colors",
        "tv_weight",
        "temporal_weight",
        "content_layers",
        "style_layers",
        "feather",
    ),
    "in time": ("init", "first_init", "flow", "long_term", "passes", "cuts", "seamless", "segment"),
    "painting": (
        "tolerance",
        "iterations",
        "first_iterations",
        "coarse_to_fine",
        "optimizer",
        "learning_rate",
        "betas",
        "epsilon",
        "average",
        "engine",
        "model",
        "training_steps",
        "network",
        "weights",
        "pooling",
        "seed",
    ),
    "machine": ("device", "precision", "cluster", "max_pixels"),
    "messages": ("report", "plot", "snapshots"),
}
LEARNING = {
    "part of the clip": ("start", "end", "max_frames", "cuts"),
    "look": tuple(name for name in GROUPS["look"] if name not in ("strength", "feather")),
    "learning": ("training_steps", "flow", "network", "weights", "pooling", "seed"),
    "machine": ("device", "precision", "max_pixels"),
}
"""The options that matter to a model."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see vidstyle --help)")


def _seconds(text: str) -> float:
    """Seconds, or minutes:seconds, or hours:minutes:seconds."""
    value = 0.0
    for part in text.split(":"):
        value = value * 60 + float(part)
    return value


def _reader(hint: Any, metavar: str) -> Callable[[str], Any]:
    """What turns an option's text into the value of the field; what it cannot stays as it is, for
    ``Settings`` to refuse."""
    wanted = {*kinds(hint), items(hint)}

    def read(text: str) -> Any:
        if any(text in choices(kind) for kind in wanted):
            return text
        if items(hint):
            return tuple(number(part.strip()) for part in text.split(",") if part.strip())
        return number(text)

    def number(text: str) -> Any:
        try:
            if float in wanted:
                return _seconds(text) if "T" in metavar else float(text)
            return int(text) if int in wanted else text
        except ValueError:
            return text

    return read


def _default(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def build_parser() -> argparse.ArgumentParser:
    """The parser; every option of ``Settings`` with its own help and default."""
    parser = _Parser(
        prog="vidstyle",
        description="Turn a video or an animated GIF into a painting.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "clip",
        metavar="CLIP",
        nargs="+",
        help="a video, GIF, APNG, WebP, AVIF, still, folder of stills or quoted glob; - for stdin; "
        "several are painted one after the other, into a folder if --output names one; a clip "
        "called like a command (train, info …) is ./train",
    )
    _add_style(parser)
    parser.add_argument(
        "--style-at",
        action="append",
        metavar="T=IMAGE[:WEIGHT]",
        default=[],
        help="another style from second T on, blended over from the one before",
    )
    parser.add_argument(
        "--mask",
        action="append",
        metavar="FILE[=IMAGE]",
        default=[],
        help="where this picture, or clip of as many frames, is white or opaque, paint like "
        "IMAGE, or nothing; of several, the last counts",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="where to; the suffix is the format (mp4, mov, mkv, webm, gif, apng, webp, png, jpg; "
        "none: a folder of frames), an existing folder takes the painting, and so does a new one "
        "where PATH ends in /; - is stdout; "
        "default: beside the clip, as clip.picasso.mp4",
    )
    _add_overwrite(parser)
    parser.add_argument(
        "--restart",
        action="store_true",
        help="begin anew, where a run before was stopped and has left its paintings",
    )
    parser.add_argument(
        "--keep-frames",
        action="store_true",
        help="keep the folder with every frame as it was painted, before --keep-colors, "
        "--strength and masks (.clip.picasso.mp4.vidstyle, beside the output)",
    )
    parser.add_argument(
        "--keep-partial",
        action="store_true",
        help="if the work ends early, leave what is painted as a clip: clip.picasso.partial.mp4",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help="settings with a name (vidstyle recipes lists them); other options go on top",
    )
    parser.add_argument(
        "--save-recipe",
        action="store_true",
        help="write all settings beside the output, as a recipe to do the same again",
    )
    parser.add_argument(
        "--preview",
        nargs="?",
        type=int,
        const=PREVIEW_FRAMES,
        metavar="N",
        help="paint only the first N frames (default 3), small and quickly, and a contact sheet",
    )
    missing = {spec.name for spec in dataclasses.fields(Settings)}.difference(*GROUPS.values())
    assert not missing, f"options in no group: {missing}"
    groups = _add_settings(parser, GROUPS)
    group = groups["messages"]
    group.add_argument("--dry-run", action="store_true", help="print the plan, paint nothing")
    _add_messages(group)
    group.add_argument("--version", action="version", version=f"vidstyle {__version__}")
    return parser


def _add_style(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--style",
        action="append",
        metavar="IMAGE[:WEIGHT]",
        default=[],
        help="the picture to paint like; several are blended by their weights",
    )


def _add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-y",
        "--overwrite",
        action="store_true",
        help="replace an output that exists: a file, or a folder of nothing but frames that "
        "vidstyle wrote; never what the run itself reads",
    )


def _add_messages(group: argparse._ActionsContainer) -> None:
    group.add_argument("--json", action="store_true", help="print one JSON object at the end")
    group.add_argument("--quiet", action="store_true", help="print only errors")
    group.add_argument("--verbose", action="store_true", help="print a traceback with an error")


def _add_settings(
    parser: argparse.ArgumentParser, titles: Mapping[str, Sequence[str]]
) -> dict[str, argparse._ArgumentGroup]:
    """Add the fields of ``Settings``, as they are grouped, each with its own help and default."""
    hints = get_type_hints(Settings)
    specs = {spec.name: spec for spec in dataclasses.fields(Settings)}
    groups = {title: parser.add_argument_group(title) for title in titles}
    for title, names in titles.items():
        for name in names:
            spec, hint = specs[name], hints[name]
            shown = "" if spec.default is None else f" (default: {_default(spec.default)})"
            about: dict[str, Any] = {
                "default": argparse.SUPPRESS,
                "help": (spec.metadata["help"] + shown).replace("%", "%%"),
            }
            if bool in kinds(hint):
                about["action"] = argparse.BooleanOptionalAction
            else:
                about["metavar"] = spec.metadata["metavar"] or "|".join(choices(hint))
                about["type"] = _reader(hint, about["metavar"])
            groups[title].add_argument(f"--{name.replace('_', '-')}", **about)
    return groups


def _style(text: str) -> tuple[str, float]:
    """``IMAGE[:WEIGHT]``; a file whose name really ends like that is taken as it is."""
    path, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        return text, 1.0
    try:
        return path, float(weight)
    except ValueError:
        return text, 1.0


def _style_at(text: str) -> tuple[float, tuple[str, float]]:
    """``T=IMAGE[:WEIGHT]``."""
    time, _, style = text.partition("=")
    try:
        return _seconds(time), _style(style)
    except ValueError:
        raise UsageError(f"--style-at {text}: write it as SECONDS=IMAGE") from None


def _mask(text: str) -> tuple[str, str | None]:
    """``FILE[=IMAGE]``; a file whose name really has a = is taken as it is."""
    path, equals, style = text.rpartition("=")
    return (path, style) if equals and not Path(text).exists() else (text, None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verbose = "--verbose" in arguments
    signal.signal(signal.SIGTERM, _terminated)
    try:
        verb = COMMANDS.get(arguments[0] if arguments else "")
        if verb is not None:  # a file of this name is ./train
            verb(arguments[1:])
            return 0
        return _run(build_parser().parse_args(arguments))
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in (0, None):
            raise
        if verbose:
            traceback.print_exc()
        print(f"vidstyle: {_line(error)}", file=sys.stderr)
        return _told(error)[1]


def _line(error: BaseException) -> str:
    """What to say of an error, in one line."""
    return " ".join("; ".join([_told(error)[0], *getattr(error, "__notes__", ())]).split())


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    match error:
        case KeyboardInterrupt():
            return "stopped", 130
        case Terminated():
            return "terminated", 143
        case UsageError():
            return str(error), 2
        case VidstyleError():
            return str(error), 1
        case _ if out_of_memory(error):
            return "out of memory: use a smaller --size", 1
        case OSError() | RuntimeError():
            return what, 1
        case _:
            return f"unexpected: {what} (--verbose shows where)", 1


class Terminated(BaseException):
    """SIGTERM came."""


def _terminated(number: int, frame: object) -> NoReturn:
    """Leave as by an exception, so that nothing half-written stays behind."""
    raise Terminated


def _run(options: argparse.Namespace) -> int:
    """Paint what is asked for; returns the exit code."""
    given = _given(options)
    chosen = recipes.load(options.recipe, given).options if options.recipe else {}
    settings = Settings(**chosen | given)
    if options.preview is not None and options.preview < 1:
        raise UsageError(f"--preview is {options.preview}: it must be at least 1")
    if len(options.clip) > 1:
        return _run_many(options, settings)
    with (
        spooled_input(options.clip[0], options.output) as clip,
        spooled_output(options.output, settings.format, options.json) as output,
    ):
        report = _paint(options, settings, clip, output)
    if options.json:
        print(json.dumps(report))
    return 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of ``Settings`` that were given."""
    names = {spec.name for spec in dataclasses.fields(Settings)}
    return {name: value for name, value in vars(options).items() if name in names}


def _run_many(options: argparse.Namespace, settings: Settings) -> int:
    """Paint several clips, into a folder or each beside itself; one that fails is told, and the
    others are painted."""
    if STANDARD in (*options.clip, options.output):
        raise UsageError("several clips need files: stdin and stdout take one")
    folder = None if options.output is None else Path(options.output)
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is no folder, which several clips need for --output")
        if not folder.exists() and named_format(folder) is not None:
            raise UsageError(f"{folder}: is the name of one file: several clips need a folder")
        options.output = f"{options.output}/"
    options.clip = [*dict.fromkeys(options.clip)]
    _check_names(options, settings)
    reports: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for clip in options.clip:
        try:
            reports.append(_paint(options, settings, clip, options.output))
        except Exception as error:
            if options.verbose:
                traceback.print_exc()
            message = _line(error)
            failed.append({"clip": clip, "error": message})
            print(f"vidstyle: {message}", file=sys.stderr)
    if options.json:
        print(json.dumps({"clips": reports, "failed": failed}))
    elif not options.quiet:
        told = f"{len(reports)} of {len(options.clip)} clips are done"
        without = ", ".join(entry["clip"] for entry in failed)
        print(f"{told}, without {without}" if failed else told, file=sys.stderr)
    return 1 if failed else 0


def _check_names(options: argparse.Namespace, settings: Settings) -> None:
    """Refuse several clips of which two would be painted into one file.

    What else is wrong with one of them is told when its turn comes.
    """
    taken: dict[Path, str] = {}
    for clip in options.clip:
        try:
            work = _plan(options, settings, clip, options.output)
        except VidstyleError:
            continue
        for path in (*work.writes, *([_recipe(work)] if options.save_recipe else [])):
            if (other := taken.setdefault(path.resolve(), clip)) != clip:
                raise UsageError(
                    f"{path}: would be made of both {other} and {clip}: "
                    f"paint them into different folders"
                )


def _plan(options: argparse.Namespace, settings: Settings, clip: str, output: str | None) -> Plan:
    from ..plan import plan  # with torch, whose seconds are not for --help

    return plan(
        clip,
        [_style(text) for text in options.style],
        output,
        masks=[_mask(text) for text in options.mask],
        style_at=[_style_at(text) for text in options.style_at],
        overwrite=options.overwrite,
        restart=options.restart,
        keep_frames=options.keep_frames,
        keep_partial=options.keep_partial,
        settings=settings,
        preview=options.preview,
        reads=[Path(other) for other in (*options.clip, options.recipe) if other is not None],
    )


def _recipe(work: Plan) -> Path:
    """Where the recipe of a run is saved."""
    return work.target.beside(".toml")


def _paint(
    options: argparse.Namespace, settings: Settings, clip: str, output: str | None
) -> dict[str, Any]:
    """Paint a clip, or show the plan of it; returns what there is to say for programs."""
    from ..plan import describe
    from ..render import render

    work = _plan(options, settings, clip, output)
    if options.output == STANDARD:  # nothing lasts beside it
        work = dataclasses.replace(work, journal=None)
    if options.dry_run:
        description = describe(work)
        if not options.json:
            _show_plan(description)
        return description
    for name in ("save_recipe", "plot", "snapshots", "keep_frames", "keep_partial"):
        if options.output == STANDARD and (
            getattr(settings, name, None) or vars(options).get(name)
        ):
            raise UsageError(
                f"--{name.replace('_', '-')} has no place beside stdout: name a file with --output"
            )
    if options.save_recipe and work.target.folder is None:
        files.check_writable(_recipe(work), options.overwrite, work.reads)
    with Reporter(clip, quiet=options.quiet) as reporter:
        result = render(work, reporter)
        if options.save_recipe:  # as asked for: of a preview, what it is a preview of
            for note in recipes.save(settings, _recipe(work)):
                reporter(Notice(note))
    if not (options.json or options.quiet or options.output == STANDARD):
        beside = (
            result.sheet,
            result.plot,
            result.snapshots,
            options.save_recipe and _recipe(work),
        )
        for path in filter(None, (result.output, *beside)):
            print(f"wrote {path}", file=sys.stderr)
        if result.measures is not None:
            _show_measures(result.measures, sys.stderr)
    return _report(result)


def _show_plan(description: dict[str, Any]) -> None:
    for name, value in description.items():
        shown = f"{value:.0f} s at most" if name == "estimated seconds" and value else value
        print(f"{name:>18}  {'unknown' if shown is None else shown}", file=sys.stderr)


def _info(arguments: Sequence[str]) -> None:
    """``vidstyle info CLIP``: what is understood of a clip, from reading all of it."""
    parser = _Parser(prog="vidstyle info", description="Print what is understood of a clip.")
    parser.add_argument("clip", metavar="CLIP")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    _add_settings(parser, {"machine": ("max_pixels",)})
    options = parser.parse_args(arguments)
    settings = Settings(**_given(options))
    with spooled_input(options.clip, STANDARD) as path:
        facts = media.describe(media.open_clip(path, settings.max_pixels))
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name:>12}  {', '.join(value) if isinstance(value, list) else value}")


def _measure(arguments: Sequence[str]) -> None:
    """``vidstyle measure SOURCE PAINTED``: what a painted clip is worth."""
    parser = _Parser(prog="vidstyle measure", description="Print what a painted clip is worth.")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("painted", metavar="PAINTED")
    parser.add_argument("--style", metavar="IMAGE", required=True)
    parser.add_argument(
        "--start",
        type=_seconds,
        metavar="T",
        default=0.0,
        help="the second of SOURCE that PAINTED begins at (default: 0)",
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="look at the first N frames")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    _add_settings(parser, {"machine": ("max_pixels",)})
    options = parser.parse_args(arguments)
    from ..metrics import measure

    with Reporter(options.painted, quiet=options.json) as reporter:
        found = measure(
            options.source,
            options.painted,
            options.style,
            start=options.start,
            max_frames=options.max_frames,
            max_pixels=Settings(**_given(options)).max_pixels,
            listener=reporter,
        )
    if options.json:
        print(json.dumps(dataclasses.asdict(found)))
    else:
        _show_measures(found, sys.stdout)


def _show_measures(found: Any, to: TextIO) -> None:
    for name, value in dataclasses.asdict(found).items():
        print(f"{name.replace('_', ' of '):>18}  {value:.4g}", file=to)


def _report(result: Any) -> dict[str, Any]:
    return {
        "output": str(result.output),
        "sheet": str(result.sheet) if result.sheet else None,
        "plot": str(result.plot) if result.plot else None,
        "snapshots": str(result.snapshots) if result.snapshots else None,
        "frames": result.frames,
        "seconds": round(result.seconds, 3),
        "size": [result.width, result.height],
        "losses": list(result.losses),
        "notes": list(result.notes),
        "settings": dataclasses.asdict(result.settings),
        **({"measures": dataclasses.asdict(result.measures)} if result.measures else {}),
    }


def _recipes(arguments: Sequence[str]) -> None:
    """``vidstyle recipes``: what comes along."""
    parser = _Parser(prog="vidstyle recipes", description="List the recipes that come along.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    known = {recipe.name: recipe for recipe in recipes.every()}
    if options.json:
        print(json.dumps({name: dataclasses.asdict(recipe) for name, recipe in known.items()}))
        return
    for name, recipe in known.items():
        print(f"{name:>14}  {recipe.about}\n{'':>14}  from {recipe.source}; time: {recipe.cost}")


def _train(arguments: Sequence[str]) -> None:
    """``vidstyle train CLIP --style IMAGE``: a model to paint any clip with."""
    parser = _Parser(
        prog="vidstyle train",
        description="Fit a network to a clip, or to a folder of pictures, to paint others with.",
        allow_abbrev=False,
    )
    parser.add_argument("clip", metavar="CLIP|FOLDER", help="what to learn from")
    _add_style(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="the model's file; default: beside the clip, as picasso.safetensors",
    )
    _add_overwrite(parser)
    _add_settings(parser, LEARNING)
    _add_messages(parser.add_argument_group("messages"))
    options = parser.parse_args(arguments)
    from ..render.learn import train

    names = {name for group in LEARNING.values() for name in group}
    with Reporter(options.clip, quiet=options.quiet) as reporter:
        learned = train(
            options.clip,
            [_style(text) for text in options.style],
            options.output,
            overwrite=options.overwrite,
            listener=reporter,
            **{name: value for name, value in vars(options).items() if name in names},
        )
    if options.json:
        facts = dataclasses.asdict(learned) | {"seconds": round(learned.seconds, 3)}
        print(json.dumps(facts, default=str))
    elif not options.quiet:
        print(f"wrote {learned.output}\nwrote {learned.sheet}", file=sys.stderr)


def _export(arguments: Sequence[str]) -> None:
    """``vidstyle export MODEL``: a model for use elsewhere."""
    parser = _Parser(prog="vidstyle export", description="Write a model as ONNX.")
    parser.add_argument("model", metavar="MODEL", type=Path)
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        type=Path,
        help="the ONNX file; default: beside the model",
    )
    _add_overwrite(parser)
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    from ..networks import export
    from ..networks import transformer as model

    target = options.output or options.model.with_suffix(".onnx")
    files.check_writable(target, options.overwrite, [options.model])
    files.write_whole(target, export.onnx(model.load(options.model)))
    print(f"wrote {target}", file=sys.stderr)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "info": _info,
    "measure": _measure,
    "recipes": _recipes,
    "train": _train,
    "export": _export,
}
"""What else than painting can be asked for."""
