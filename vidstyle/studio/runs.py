"""The runs of a studio: what is painted from what, how far, and with which result.

Each has a folder of its own, which holds its inputs (where they were uploaded), its output, its
journal until that is whole, and its record. So nothing is ever in the way of another run, and
whoever finds the folder has all of it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..core.errors import UsageError
from ..core.files import write_whole
from ..core.images import Image
from ..plan import PaintPlan, plan
from ..render import Result
from ..settings import Settings, changed
from ..settings.text import arguments_of

RECORD = "run.json"
"""The record of a run, in its folder."""
SHEET, SIDE_BY_SIDE, RECIPE = "sheet.jpg", "beside.mp4", "recipe.toml"
"""What else is there."""
State = Literal["waiting", "painting", "paused", "stopped", "failed", "left", "done"]
"""Of a run; ``left``: the studio has ended before it has."""


@dataclass(frozen=True)
class Order:
    """What is to be painted, and how."""

    clip: Path
    styles: tuple[tuple[Path, float], ...]
    """Pictures and their weights."""
    settings: Settings
    mask: Path | None = None

    def plan(self, folder: Path) -> PaintPlan:
        """Plan to paint it into a ``folder``, which exists.

        Raises:
            UsageError: something is missing, unreadable or in the way.
        """
        masks = () if self.mask is None else (self.mask,)
        return plan(
            self.clip,
            self.styles,
            folder,
            masks=masks,
            settings=self.settings,
            keep_partial=True,
        )

    @property
    def command(self) -> str:
        """The command line that does the same."""
        parts = ["vidstyle", str(self.clip)]
        for path, weight in self.styles:
            parts += ["--style", str(path) if weight == 1 else f"{path}:{weight:g}"]
        if self.mask is not None:
            parts += ["--mask", str(self.mask)]
        return shlex.join([*parts, *arguments_of(self.settings)])


@dataclass(eq=False)
class Run:
    """A painting that waits, is at work, or is over."""

    folder: Path
    order: Order
    state: State = "waiting"
    message: str = ""
    """Why it ended, where it failed."""
    notes: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None
    """Width and height."""
    done: int = 0
    """Frames that are painted …"""
    total: int | None = None
    """… of so many."""
    seconds: float = 0.0
    """For which it was at work."""
    output: Path | None = None
    """The painting, whole, or what there is of it where it was stopped."""
    measures: dict[str, float] = field(default_factory=dict)
    left: float | None = None
    """Seconds that it will still take, as far as is known."""
    doing: str = ""
    """What is done at the moment."""
    picture: Image | None = None
    """What was painted last."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "stopped", "failed", "left")

    @property
    def can_go_on(self) -> bool:
        return self.state in ("paused", "stopped", "failed", "left")

    def finish(self, result: Result) -> None:
        """Note what came of it."""
        self.output = result.output
        self.done = self.total = result.frames
        self.size = result.width, result.height
        self.notes = list(result.notes)
        if result.measures is not None:
            self.measures = dataclasses.asdict(result.measures)

    def save(self) -> None:
        """Write its record."""
        order = self.order
        facts = {
            "clip": self._name(order.clip),
            "styles": [[self._name(path), weight] for path, weight in order.styles],
            "mask": order.mask and self._name(order.mask),
            "options": changed(order.settings),
            "output": self.output and self._name(self.output),
            **{name: getattr(self, name) for name in KEPT},
        }
        write_whole(self.folder / RECORD, json.dumps(facts, indent=1).encode())

    @classmethod
    def load(cls, folder: Path) -> Run:
        """The run whose record is in ``folder``; one that was at work is left.

        Raises:
            ValueError, KeyError, TypeError, OSError, UsageError: that cannot be understood.
        """
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in facts["options"].items()
        }
        order = Order(
            folder / facts["clip"],
            tuple((folder / path, float(weight)) for path, weight in facts["styles"]),
            Settings(**options),
            None if facts["mask"] is None else folder / facts["mask"],
        )
        run = cls(folder, order, **{name: facts[name] for name in KEPT})
        run.size = None if run.size is None else (run.size[0], run.size[1])
        run.output = None if facts["output"] is None else folder / facts["output"]
        if not run.is_over:
            run.state = "left"
        return run

    def _name(self, path: Path) -> str:
        """``path`` from its folder, where it is in there: that may be moved."""
        path = path.absolute()
        inside = path.is_relative_to(self.folder.absolute())
        return str(path.relative_to(self.folder.absolute()) if inside else path)


KEPT = ("state", "message", "notes", "size", "done", "total", "seconds", "measures")
"""The fields of a run that its record holds as they are."""


def begin(folder: Path, order: Order, uploads: Path) -> Run:
    """A new run of ``order`` in ``folder``, with copies of what lies among the ``uploads``, which
    do not last. Nothing is left of it where these cannot be made."""
    stem = re.sub(r"[^\w.-]+", "_", order.clip.stem)[:40]
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{stem}"
    own = _new(folder, name)

    def kept(path: Path, inside: Path) -> Path:
        if not path.resolve().is_relative_to(uploads.resolve()):
            return path.absolute()
        inside.mkdir(exist_ok=True)
        target = inside / path.name
        while target.exists():  # two styles of one name
            target = target.with_name(f"{target.stem}-{target.suffix}")
        return Path(shutil.copy2(path, target))

    try:
        clip = kept(order.clip, own / "clip")
        styles = tuple((kept(path, own / "styles"), weight) for path, weight in order.styles)
        mask = None if order.mask is None else kept(order.mask, own / "mask")
        run = Run(own, Order(clip, styles, order.settings, mask))
        run.save()
    except BaseException:
        shutil.rmtree(own)  # made above, and by nobody else
        raise
    return run


def _new(folder: Path, name: str) -> Path:
    """A folder that was not there before."""
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
    """The runs in ``folder`` whose records can be read, in the order of their names."""
    runs = []
    for record in sorted(folder.glob(f"*/{RECORD}")):
        try:
            runs.append(Run.load(record.parent))
        except (ValueError, KeyError, TypeError, OSError, UsageError):
            continue
    return runs
