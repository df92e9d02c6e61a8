"""What every benchmark does with its rows: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def parser(doc: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=doc)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON, too")
    return made


def show(rows: Sequence[Row], path: Path | None = None) -> None:
    """Print ``rows`` under their names; write them to ``path`` with the machine they ran on."""
    names = list(rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(n), *(len(r[i]) for r in cells)) for i, n in enumerate(names)]
    for line in (names, ["-" * w for w in widths], *cells):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |")
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=1))


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    import torch

    return {
        "processor": processor(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def processor() -> str:
    """The processor's name, as Linux has it."""
    try:
        facts = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in facts if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
