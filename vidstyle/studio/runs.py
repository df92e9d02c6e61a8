"""The runs of a studio: one painting job each, with its inputs, progress and result.

Each run has its own folder. It holds the uploaded inputs, the output, the record of the run, and
the journal until the output is complete. So runs never get in each other's way, and everything that
belongs to a run is in one place.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..core.errors import UsageError
from ..core.files import write_whole
from ..core.frames import FOUND, Found
from ..core.images import Image
from ..objective.styles import schedule_from_options
from ..plan import PaintPlan, plan, plan_correction
from ..plan.keys import keys_of, styles_of
from ..plan.styles import NO_PICTURE
from ..render import Result
from ..settings import Settings, changed, restored
from ..settings.text import arguments_of

RECORD = "run.json"
"""File name of a run's record in its folder."""
SHEET, SIDE_BY_SIDE, RECIPE = "sheet.jpg", "beside.mp4", "recipe.toml"
"""File names of a run's extras in its folder (see ``beside``)."""
State = Literal["waiting", "painting", "paused", "stopped", "failed", "left", "done"]
"""State of a run. ``left`` means that the studio ended before the run did."""


@dataclass(frozen=True)
class Order:
    """What to paint, and how."""

    clip: Path
    styles: tuple[tuple[Path, float], ...]
    """Pictures and their weights."""
    settings: Settings
    mask: Path | Found | None = None
    """A file, or what is found. Its inside stays unpainted …"""
    inside: Path | None = None
    """… or is painted like this picture."""
    corrects: Path | None = None
    """The painting that is corrected. None if the clip is painted."""
    corrections: Path | None = None
    """A folder of its corrected frames, each called by its number."""
    keys: Path | None = None
    """A folder of given paintings, each called by the number of its frame."""
    later: tuple[tuple[float, Path, float], ...] = ()
    """Styles that count from a time on, each as (seconds, picture, weight). Between their times,
    styles are blended."""

    def plan(self, folder: Path) -> PaintPlan:
        """Plan to paint it into an existing ``folder``.

        Raises:
            UsageError: something is missing, unreadable or in the way.
        """
        if self.corrects is not None and self.corrections is not None:
            return plan_correction(self.corrects, [self.corrections], folder)
        masks = () if self.mask is None else ((str(self.mask), self.inside),)
        return plan(
            self.clip,
            self.styles,
            folder,
            masks=masks,
            style_at=[(time, (path, weight)) for time, path, weight in self.later],
            keys=() if self.keys is None else [self.keys],
            settings=self.settings,
            keep_frames=True,
            keep_partial=True,
        )

    def styles_at(self, time: float) -> tuple[tuple[Path, float], ...]:
        """Return the styles and their weights, ``time`` seconds after the painting's beginning.

        Raises:
            UsageError: the weights make no sense.
        """
        named = [*self.styles, *((path, weight) for _, path, weight in self.later)]
        if self.keys is not None and not named:
            return tuple((path, 1.0) for path in styles_of(keys_of([self.keys])))
        pictures = dict.fromkeys((path for path, _ in named), NO_PICTURE)
        blend = schedule_from_options(self.styles, self.later, (), pictures).at(time)
        shares = zip(pictures, blend, strict=True)
        return tuple((path, share) for path, share in shares if share)

    @property
    def command(self) -> str:
        """The command line that paints the same."""
        if self.corrects is not None:
            return shlex.join(
                ["vidstyle", "correct", str(self.corrects), "--key", str(self.corrections)]
            )
        parts = ["vidstyle", str(self.clip)]
        for path, weight in self.styles:
            parts += ["--style", _weighted(path, weight)]
        for since, path, weight in self.later:
            parts += ["--style-at", f"{since:g}={_weighted(path, weight)}"]
        if self.keys is not None:
            parts += ["--key", str(self.keys)]
        if self.mask is not None:
            parts += ["--mask", f"{self.mask}={self.inside}" if self.inside else str(self.mask)]
        return shlex.join([*parts, *arguments_of(self.settings)])


@dataclass(eq=False)
class Run:
    """A painting job: waiting, being painted, or over."""

    folder: Path
    order: Order
    title: str = ""
    """What it is called by the user. Empty if nothing."""
    state: State = "waiting"
    message: str = ""
    """Why it failed, or what is kept of it after it was stopped. Empty otherwise."""
    notes: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None
    """Width and height of the painting, in pixels. None until it is known."""
    done: int = 0
    """How many frames are painted."""
    total: int | None = None
    """How many frames will be painted. None if unknown."""
    seconds: float = 0.0
    """Time spent on it, in seconds."""
    output: Path | None = None
    """The painting, or the part of it that was painted before the run ended early."""
    measures: dict[str, float] = field(default_factory=dict)
    left: float | None = None
    """Estimate of the remaining time, in seconds. None if unknown."""
    doing: str = ""
    """The current activity, in words."""
    picture: Image | None = None
    """The latest picture of a frame, (H, W, 3) uint8 RGB."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("done", "stopped", "failed", "left")

    @property
    def can_go_on(self) -> bool:
        """Whether it can be resumed, or queued again."""
        return self.state in ("paused", "stopped", "failed", "left")

    def finish(self, result: Result) -> None:
        """Take over the ``result`` of painting."""
        self.output = result.output
        self.done = self.total = result.frames
        self.size = result.width, result.height
        self.notes = list(result.notes)
        if result.measures is not None:
            self.measures = dataclasses.asdict(result.measures)

    def save(self) -> None:
        """Write the record into the run's folder."""
        order = self.order
        facts = {
            "clip": self._name(order.clip),
            "styles": [[self._name(path), weight] for path, weight in order.styles],
            **{name: self._name(getattr(order, name)) for name in FILES},
            "later": [[since, self._name(path), weight] for since, path, weight in order.later],
            "options": changed(order.settings),
            "output": self.output and self._name(self.output),
            "title": self.title,
            **{name: getattr(self, name) for name in KEPT},
        }
        write_whole(self.folder / RECORD, json.dumps(facts, indent=1).encode())

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Load the run in ``folder`` from its record.

        A run that was waiting, being painted or paused gets the state ``left``.

        Raises:
            ValueError, KeyError, TypeError, OSError, UsageError: the record cannot be read.
        """
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        order = Order(
            folder / facts["clip"],
            tuple((folder / path, float(weight)) for path, weight in facts["styles"]),
            restored(facts["options"]),
            **{name: _path(folder, facts.get(name)) for name in FILES},
            later=tuple(
                (float(since), folder / path, float(weight))
                for since, path, weight in facts.get("later", ())
            ),
        )
        title = facts.get("title", "")
        run = cls(folder, order, title, **{name: facts[name] for name in KEPT})
        run.size = None if run.size is None else (run.size[0], run.size[1])
        run.output = None if facts["output"] is None else folder / facts["output"]
        if not run.is_over:
            run.state = "left"
        return run

    def _name(self, path: Path | str | None) -> str | None:
        """Make a ``path`` relative to the run's folder if it is inside, since that may be moved."""
        if not isinstance(path, Path):
            return path
        path = path.absolute()
        inside = path.is_relative_to(self.folder.absolute())
        return str(path.relative_to(self.folder.absolute()) if inside else path)


KEPT = ("state", "message", "notes", "size", "done", "total", "seconds", "measures")
"""The fields of ``Run`` that the record holds unchanged."""


FILES = ("mask", "inside", "corrects", "corrections", "keys")
"""The fields of ``Order`` that are None, or a file or folder, or what is found."""


def _path(folder: Path, name: str | None) -> Any:
    """Return what ``Run._name`` made ``name`` of."""
    return name if name is None or name in FOUND else folder / name


def begin(folder: Path, order: Order, uploads: Path) -> Run:
    """Create a run with its own folder.

    If its uploads cannot be copied, the new folder is removed again.

    Args:
        folder: the parent of the runs' folders.
        order: what to paint. Its files among the uploads, and its corrected frames and given
            paintings, are copied into the run's folder.
        uploads: the temporary folder of uploads.
    """
    stem = re.sub(r"[^\w.-]+", "_", order.clip.stem)[:40]
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{stem}"
    own = _new(folder, name)

    def kept(path: Path, inside: Path) -> Path:
        if not path.resolve().is_relative_to(uploads.resolve()):
            return path.absolute()
        inside.mkdir(exist_ok=True)
        target = inside / path.name
        while target.exists():  # two styles may have the same file name
            target = target.with_name(f"{target.stem}-{target.suffix}")
        return Path(shutil.copy2(path, target))

    try:
        clip = kept(order.clip, own / "clip")
        styles = tuple((kept(path, own / "styles"), weight) for path, weight in order.styles)
        later = tuple((time, kept(path, own / "styles"), w) for time, path, w in order.later)
        mask = order.mask
        if isinstance(mask, Path):
            mask = kept(mask, own / "mask")
        inside = None if order.inside is None else kept(order.inside, own / "mask")
        order = replace(
            order,
            clip=clip,
            styles=styles,
            later=later,
            mask=mask,
            inside=inside,
            corrections=_copied(order.corrections, own / "corrections"),
            keys=_copied(order.keys, own / "keys"),
        )
        run = Run(own, order)
        run.save()
    except BaseException:
        shutil.rmtree(own)  # safe, because it was created above
        raise
    return run


def _weighted(path: Path, weight: float) -> str:
    """Return a style as the command line takes it."""
    return str(path) if weight == 1 else f"{path}:{weight:g}"


def _copied(pictures: Path | None, folder: Path) -> Path | None:
    """Copy a folder of ``pictures``, if there is one, to a new ``folder``."""
    if pictures is None:
        return None
    folder.mkdir()
    for picture in pictures.glob("*.png"):
        shutil.copy2(picture, folder)
    return folder


def _new(folder: Path, name: str) -> Path:
    """Create a new folder called ``name``, or with a number appended if that exists."""
    number = 1
    while True:
        own = folder / (name if number == 1 else f"{name}-{number}")
        try:
            own.mkdir()
        except FileExistsError:
            number += 1
        else:
            return own


def found(folder: Path) -> Sequence[Run]:
    """Return the runs in ``folder`` whose records can be read, sorted by name."""
    runs = []
    for record in sorted(folder.glob(f"*/{RECORD}")):
        try:
            runs.append(Run.load(record.parent))
        except (ValueError, KeyError, TypeError, OSError, UsageError):
            continue
    return runs
