"""The command ``vidstyle CLIP``: paint one or several clips, or show the plan."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import files
from ..core.errors import UsageError, VidstyleError, line_of
from ..core.events import Notice
from ..media.formats import named_format
from ..settings import Settings, recipes
from ..settings.quality import quality
from .parser import key_of, mask_of, settings_given, style_at_of, style_of
from .pipes import STANDARD, spooled_input, spooled_output
from .progress import Reporter, show_measures

if TYPE_CHECKING:
    from ..plan import PaintPlan, PlanSummary
    from ..render import Result


def run(options: argparse.Namespace) -> int:
    """Paint the clips of the parsed ``options``, and return the exit code."""
    given = settings_given(options)
    chosen = recipes.load(options.recipe, given).options if options.recipe else {}
    steps = {} if options.quality is None else quality(options.quality)
    settings = Settings(**chosen | steps | given)
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


def _run_many(options: argparse.Namespace, settings: Settings) -> int:
    """Paint several clips, into a folder or each beside its source, and return the exit code.

    If one fails, its error is printed and the others are still painted.
    """
    if STANDARD in (*options.clip, options.output):
        raise UsageError("several clips need files: stdin and stdout take one")
    folder = None if options.output is None else Path(options.output)
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is not a folder, which several clips need for --output")
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
            message = line_of(error)
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
    """Refuse clips of which two would be painted into the same file.

    Any other error of a clip is reported when its turn comes.
    """
    taken: dict[Path, str] = {}
    for clip in options.clip:
        try:
            plan = _plan(options, settings, clip, options.output)
        except VidstyleError:
            continue
        for path in (*plan.output.writes, *([_recipe(plan)] if options.save_recipe else [])):
            if (other := taken.setdefault(path.resolve(), clip)) != clip:
                raise UsageError(
                    f"{path}: would be made of both {other} and {clip}: "
                    f"paint them into different folders"
                )


def _plan(
    options: argparse.Namespace, settings: Settings, clip: str, output: str | None
) -> PaintPlan:
    from ..plan import plan  # imports torch, which takes seconds that --help should not

    return plan(
        clip,
        [style_of(text) for text in options.style],
        output,
        masks=[mask_of(text) for text in options.mask],
        style_at=[style_at_of(text) for text in options.style_at],
        keys=[key_of(text) for text in options.key],
        overwrite=options.overwrite,
        restart=options.restart,
        keep_frames=options.keep_frames,
        keep_partial=options.keep_partial,
        settings=settings,
        preview=options.preview,
        reads=[Path(other) for other in (*options.clip, options.recipe) if other is not None],
    )


def _recipe(plan: PaintPlan) -> Path:
    """Return the path of the recipe that is saved beside the output."""
    return plan.output.beside(".toml")


def _paint(
    options: argparse.Namespace, settings: Settings, clip: str, output: str | None
) -> dict[str, Any]:
    """Paint a clip, or show its plan, and return the report for ``--json``."""
    from ..plan import describe
    from ..render import render

    plan = _plan(options, settings, clip, output)
    if options.output == STANDARD:  # a journal cannot be kept beside stdout
        plan = dataclasses.replace(plan, journal=None)
    if options.dry_run:
        summary = describe(plan)
        if not options.json:
            _show_plan(summary)
        return summary.facts()
    for name in ("save_recipe", "plot", "snapshots", "keep_frames", "keep_partial"):
        if options.output == STANDARD and (
            getattr(settings, name, None) or vars(options).get(name)
        ):
            raise UsageError(
                f"--{name.replace('_', '-')} cannot go with stdout: name a file with --output"
            )
    if options.save_recipe and plan.output.folder is None:
        files.check_writable(_recipe(plan), options.overwrite, plan.reads)
    with Reporter(clip, quiet=options.quiet) as reporter:
        result = render(plan, reporter)
        if options.save_recipe:  # even that of a preview has the settings for the whole painting
            for note in recipes.save(settings, _recipe(plan)):
                reporter(Notice(note))
    if not (options.json or options.quiet or options.output == STANDARD):
        beside = (
            result.sheet,
            result.plot,
            result.snapshots,
            options.save_recipe and _recipe(plan),
        )
        for path in filter(None, (result.output, *beside)):
            print(f"wrote {path}", file=sys.stderr)
        if result.measures is not None:
            show_measures(result.measures, sys.stderr)
    return report_of(result)


def _show_plan(summary: PlanSummary) -> None:
    qualities = summary.seconds_by_quality.items()
    told = summary.facts() | {
        "frames": summary.frames_told,
        "estimated seconds": _seconds(summary.estimated_seconds),
        "seconds by quality": ", ".join(f"{word} {_seconds(each)}" for word, each in qualities),
    }
    del told["frames are counted"]  # the text of "frames" says so already
    for name, value in told.items():
        print(f"{name:>18}  {value}", file=sys.stderr)


def _seconds(estimate: float | None) -> str:
    return "unknown" if estimate is None else f"{estimate:.0f} s at most"


def report_of(result: Result) -> dict[str, Any]:
    """Return what ``--json`` prints of a painting."""
    return {
        "output": str(result.output),
        "sheet": str(result.sheet) if result.sheet else None,
        "plot": str(result.plot) if result.plot else None,
        "snapshots": str(result.snapshots) if result.snapshots else None,
        "frames": result.frames,
        "seconds": round(result.seconds, 3),
        "size": [result.width, result.height],
        "faces": result.faces,
        "losses": list(result.losses),
        "notes": list(result.notes),
        "settings": dataclasses.asdict(result.settings),
        **({"measures": dataclasses.asdict(result.measures)} if result.measures else {}),
    }
