"""What paintings depend on: a journal is gone on with only by a run with the same fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.version import __version__
from ..engines import ClipEngine
from ..journal import MACHINE, Journal
from ..plan import Mask, PaintPlan, files_of
from ..settings import fields

KNOWN_OTHERWISE = ("size", "model")
"""Settings that are compared by the pixels and the weights that they come to."""


def fingerprint(plan: PaintPlan, engine: ClipEngine) -> dict[str, Any]:
    """Return all that the paintings depend on, by names that a person understands.

    The entry ``MACHINE`` changes them only by rounding. It is not compared, but goes on as it was.
    """
    footage, schedule = plan.footage, plan.schedule
    times = repr((sorted(schedule.keyframes.items()), schedule.regions)).encode()
    settings = plan.settings
    return {
        "clip": digest(files_of(footage.clip)),
        "style": digest((*schedule.pictures, times)),
        "key": digest(part for key in footage.keys for part in (key.place.encode(), key.path)),
        "mask": digest(part for mask in footage.masks for part in _parts(mask)),
        "picture size": [*plan.size],
        "kind of output": plan.output.format.kind,
        "version": [__version__, torch.__version__],
        **{
            name.replace("_", "-"): value
            for name, value in asdict(settings).items()
            if name in fields(affects="painting") and name not in KNOWN_OTHERWISE
        },
        "weights": digest(weight.detach().float().cpu().numpy() for weight in engine.weights()),
        "device": str(engine.device),
        "precision": settings.precision,
        MACHINE: {"threads": settings.threads, "tile_pixels": engine.tile_pixels},
    }


def _parts(mask: Mask) -> Sequence[bytes | Path]:
    """Return what tells a ``mask`` from others."""
    return [mask.encode()] if isinstance(mask, str) else files_of(mask)


def open_journal(plan: PaintPlan, engine: ClipEngine) -> Journal:
    """Open the journal of a painting, with what an earlier run has left in it.

    Raises:
        UsageError: that belongs to another painting.
    """
    found = Journal(
        plan.journal,
        {} if plan.journal is None else fingerprint(plan, engine),
        engine.patience,
        plan.parts,
        plan.keep_frames,
    )
    if not plan.restart:
        found.load(check=plan.settings.cluster is None)
    return found


def digest(parts: Iterable[bytes | NDArray[Any] | Path]) -> str:
    """Return a hash of some data; of files, by their content."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    found.update(block)
        else:
            found.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return found.hexdigest()
