"""The commands other than painting, with one function for each."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import media
from ..core import files
from ..settings import Settings, choices_of, fields, recipes
from ..settings.times import seconds_of
from .paint import report_of
from .parser import (
    Parser,
    add_messages,
    add_overwrite,
    add_settings,
    add_style,
    key_of,
    settings_given,
    style_of,
)
from .pipes import STANDARD, spooled_input
from .progress import Reporter, show_measures

KEY_FIELDS = ("size", "start", "end", "max_frames", "fps", "cuts", "key_every", "max_pixels")
"""The settings that ``vidstyle keys`` accepts: those that decide which frames are key frames."""
MASK_FIELDS = ("format", "codec", "crf", "cuts", "max_pixels")
"""The settings that ``vidstyle mask`` accepts."""


def info(arguments: Sequence[str]) -> None:
    """Run ``vidstyle info CLIP``: read a whole clip and print its properties."""
    parser = Parser(
        prog="vidstyle info", description="Print what a file holds, from reading all of it."
    )
    parser.add_argument("clip", metavar="CLIP")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    add_settings(parser, ("max_pixels",))
    options = parser.parse_args(arguments)
    settings = Settings(**settings_given(options))
    with spooled_input(options.clip, STANDARD) as path:
        facts = media.describe(media.open_clip(path, settings.max_pixels))
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name:>12}  {', '.join(value) if isinstance(value, list) else value}")


def measure(arguments: Sequence[str]) -> None:
    """Run ``vidstyle measure SOURCE PAINTED``: print quality measures of a painted clip."""
    parser = Parser(prog="vidstyle measure", description="Print how good a painted clip is.")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("painted", metavar="PAINTED")
    parser.add_argument("--style", metavar="IMAGE", required=True)
    parser.add_argument(
        "--start",
        type=seconds_of,
        metavar="T",
        default=0.0,
        help="the second of SOURCE that PAINTED begins at (default: 0)",
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="look at the first N frames")
    parser.add_argument(
        "--faces",
        action="store_true",
        dest="finds_faces",  # unlike the setting
        help="look for the source's faces in the painting, too",
    )
    parser.add_argument(
        "--flow",
        dest="judge",  # unlike the setting
        choices=[name for name in choices_of("flow") if name != "none"],
        help="the motion to follow for rmse; not that which carried the paint (default: farneback)",
    )
    parser.add_argument(
        "--flow-truth",
        metavar="FOLDER",
        help="the true motion, as .flo or .npz, with the numbers of the frames in the names",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    add_settings(parser, ("max_pixels",))
    options = parser.parse_args(arguments)
    from .. import metrics

    with Reporter(options.painted, quiet=options.json) as reporter:
        found = metrics.measure(
            options.source,
            options.painted,
            options.style,
            start=options.start,
            max_frames=options.max_frames,
            max_pixels=Settings(**settings_given(options)).max_pixels,
            faces=options.finds_faces,
            flow=options.judge or metrics.JUDGE,
            flow_truth=options.flow_truth,
            listener=reporter,
        )
    if options.json:
        print(json.dumps(dataclasses.asdict(found)))
    else:
        show_measures(found, sys.stdout)


def list_recipes(arguments: Sequence[str]) -> None:
    """Run ``vidstyle recipes``: list the recipes by name."""
    parser = Parser(prog="vidstyle recipes", description="List the recipes by name.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    known = {recipe.name: recipe for recipe in recipes.every()}
    if options.json:
        print(json.dumps({name: dataclasses.asdict(recipe) for name, recipe in known.items()}))
        return
    for name, recipe in known.items():
        facts = (("from", recipe.source), ("time:", recipe.cost))
        print(f"{name:>14}  {recipe.about}")
        print(f"{'':>14}  {'; '.join(f'{what} {fact}' for what, fact in facts if fact)}".rstrip())


def train(arguments: Sequence[str]) -> None:
    """Run ``vidstyle train CLIP --style IMAGE``: train a model that can paint any clip."""
    parser = Parser(
        prog="vidstyle train",
        description="Fit a network to a clip, or to a folder of pictures, to paint others with.",
        allow_abbrev=False,
    )
    parser.add_argument("clip", metavar="CLIP|FOLDER", help="what to learn from")
    add_style(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="the model's file; default: beside the clip, as picasso.safetensors",
    )
    add_overwrite(parser)
    add_settings(parser, fields(train=True))
    add_messages(parser.add_argument_group("messages"))
    options = parser.parse_args(arguments)
    from .. import api

    names = fields(train=True)
    with Reporter(options.clip, quiet=options.quiet) as reporter:
        learned = api.train(
            options.clip,
            [style_of(text) for text in options.style],
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


def correct(arguments: Sequence[str]) -> None:
    """Run ``vidstyle correct PAINTED --key T=IMAGE``: correct frames of a painted clip."""
    parser = Parser(
        prog="vidstyle correct",
        description="Correct frames of a clip that was painted with --keep-frames. The others of "
        "their shots follow; what was not changed stays as it was painted.",
        allow_abbrev=False,
    )
    parser.add_argument("painted", metavar="PAINTED")
    parser.add_argument(
        "--key",
        action="append",
        metavar="T=IMAGE|FOLDER",
        default=[],
        help="the frame at time T of PAINTED as it is to be; or a FOLDER of pictures named by the "
        "numbers of their frames",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="default: the next version beside PAINTED, as clip.picasso.2.mp4",
    )
    add_overwrite(parser)
    add_messages(parser.add_argument_group("messages"))
    options = parser.parse_args(arguments)
    from .. import api

    with Reporter(options.painted, quiet=options.quiet) as reporter:
        result = api.correct(
            options.painted,
            [key_of(text) for text in options.key],
            options.output,
            overwrite=options.overwrite,
            listener=reporter,
        )
    if options.json:
        print(json.dumps(report_of(result)))
    elif not options.quiet:
        print(f"wrote {result.output}", file=sys.stderr)


def keys(arguments: Sequence[str]) -> None:
    """Run ``vidstyle keys CLIP``: write the frames that are worth painting by hand."""
    parser = Parser(
        prog="vidstyle keys",
        description="Write the frames of a clip that are worth painting, each named by its "
        "number, for vidstyle CLIP --key FOLDER.",
        allow_abbrev=False,
    )
    parser.add_argument("clip", metavar="CLIP")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="a new folder; default: beside the clip, as clip.keys",
    )
    add_settings(parser, KEY_FIELDS)
    add_messages(parser.add_argument_group("messages"))
    options = parser.parse_args(arguments)
    from .. import api

    with Reporter(options.clip, quiet=options.quiet) as reporter:
        found = api.keyframes(
            options.clip, options.output, listener=reporter, **settings_given(options)
        )
    if options.json:
        facts = dataclasses.asdict(found) | {"seconds": round(found.seconds, 3)}
        print(json.dumps(facts, default=str))
    elif not options.quiet:
        print(
            f"wrote {found.output}: {len(found.numbers)} of {found.frames} frames\n"
            f"wrote {found.sheet}",
            file=sys.stderr,
        )


def mask(arguments: Sequence[str]) -> None:
    """Run ``vidstyle mask CLIP``: write a mask of the people in a clip, or of what is drawn."""
    parser = Parser(
        prog="vidstyle mask",
        description="Write a mask as a clip, to be looked at, mended and given as --mask.",
        allow_abbrev=False,
    )
    parser.add_argument("clip", metavar="CLIP")
    parser.add_argument(
        "what",
        metavar="person|background|IMAGE",
        nargs="?",
        default="person",
        help="what is inside: people, all behind them, or what is white or opaque in a picture, "
        "drawn on the first frame and followed from there (default: person)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="a video, or a folder of pictures; default: beside the clip, as clip.person.mp4",
    )
    add_overwrite(parser)
    add_settings(parser, MASK_FIELDS)
    add_messages(parser.add_argument_group("messages"))
    options = parser.parse_args(arguments)
    from .. import api

    with Reporter(options.clip, quiet=options.quiet) as reporter:
        found = api.mask(
            options.clip,
            options.what,
            options.output,
            overwrite=options.overwrite,
            listener=reporter,
            **settings_given(options),
        )
    if options.json:
        facts = dataclasses.asdict(found) | {"seconds": round(found.seconds, 3)}
        print(json.dumps(facts, default=str))
    elif not options.quiet:
        told = f"{found.shown} of {found.frames} frames show it"
        print(f"wrote {found.output}: {told}", file=sys.stderr)


def export(arguments: Sequence[str]) -> None:
    """Run ``vidstyle export MODEL``: write a model as ONNX, for use in other programs."""
    parser = Parser(prog="vidstyle export", description="Write a model as ONNX.")
    parser.add_argument("model", metavar="MODEL", type=Path)
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        type=Path,
        help="the ONNX file; default: beside the model",
    )
    add_overwrite(parser)
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    from ..networks import transformer
    from ..networks.export import onnx

    target = options.output or options.model.with_suffix(".onnx")
    files.check_writable(target, options.overwrite, [options.model])
    files.write_whole(target, onnx(transformer.load(options.model)))
    print(f"wrote {target}", file=sys.stderr)


def doctor(arguments: Sequence[str]) -> None:
    """Run ``vidstyle doctor``: print what this machine has, what it lacks, and how fast it is."""
    parser = Parser(
        prog="vidstyle doctor",
        description="Print what this machine has for painting, what it lacks, and its speed.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    from ..plan import diagnose

    if options.json:
        findings = [*diagnose()]
        hints = [f"{found.name}: {found.hint}" for found in findings if found.hint]
        print(json.dumps({found.name: found.value for found in findings} | {"hints": hints}))
        return
    for found in diagnose():
        print(f"{found.name:>14}  {found.value}", flush=True)
        if found.hint:
            print(f"{'':>14}  → {found.hint}")


def studio(arguments: Sequence[str]) -> None:
    """Run ``vidstyle studio``: tune and paint in the browser."""
    from ..studio import serve

    parser = Parser(
        prog="vidstyle studio",
        description="Tune a frame in the browser, and watch the clip being painted.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        default=Path("vidstyle-runs"),
        help="where each painting has a folder (default: %(default)s)",
    )
    options = _served(parser, arguments)
    serve(
        options.folder, _tell, host=options.host, port=options.port, browser=not options.no_browser
    )


def vote(arguments: Sequence[str]) -> None:
    """Run ``vidstyle vote FOLDER``: ask people which of two paintings is better."""
    from ..studio import serve_vote

    parser = Parser(
        prog="vidstyle vote",
        description="Ask people which of two paintings is better, without saying which is which.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="a folder for each question, with a source, a style and two paintings",
    )
    parser.add_argument(
        "--votes", metavar="FILE", type=Path, help="where they are written (default: in FOLDER)"
    )
    options = _served(parser, arguments)
    serve_vote(
        options.folder,
        options.votes or options.folder / "votes.json",
        _tell,
        host=options.host,
        port=options.port,
        browser=not options.no_browser,
    )


def votes(arguments: Sequence[str]) -> None:
    """Run ``vidstyle votes FILE…``: count the votes of several people."""
    from ..studio.votes import in_words, read_votes, standings

    parser = Parser(prog="vidstyle votes", description="Count the votes in files of vidstyle vote.")
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    cast = dict.fromkeys(one for path in options.files for one in read_votes(path))
    found = standings(cast)
    if options.json:
        print(json.dumps([dataclasses.asdict(standing) for standing in found]))
        return
    for standing in found:
        print(f"{standing.one} beside {standing.other}: {in_words(standing)}")


def _served(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of a command that serves a page."""
    from ..studio import LOOPBACK

    parser.add_argument("--port", metavar="N", type=int, help="default: a free one from 7860 on")
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default=LOOPBACK,
        help="another address than this machine's own (%(default)s) takes a password, which is "
        "printed",
    )
    parser.add_argument("--no-browser", action="store_true", help="open no page by itself")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    return parser.parse_args(arguments)


def _tell(line: str) -> None:
    print(line, flush=True)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "info": info,
    "measure": measure,
    "recipes": list_recipes,
    "train": train,
    "correct": correct,
    "keys": keys,
    "mask": mask,
    "export": export,
    "doctor": doctor,
    "studio": studio,
    "vote": vote,
    "votes": votes,
}
"""The commands other than painting, by name. Each takes the arguments after its name."""
