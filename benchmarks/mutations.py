"""Changes to the program that make another picture, and the tests that fail for each.

    python -m benchmarks.mutations [NAME ...] [--json FILE]

Each is made in a copy of the package, where the tests of how a painting looks, and of the loss,
run, or those that the change names. A change for which none fails ends the benchmark with 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .table import parser, show

ROOT = Path(__file__).parents[1]
COPIED = ("vidstyle", "tests", "samples", "pyproject.toml")
LOOK = (
    "tests/test_look.py",
    "tests/objective/test_default_loss.py",
    "tests/render/test_render.py::test_a_temporal_weight_holds_a_frame_to_the_one_before",
)
"""The tests of a change that names none."""
MUTATIONS = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Mutation:
    """``old`` text of a ``file`` that becomes ``new``, and the tests that should see it."""

    name: str
    file: str
    old: str
    new: str
    tests: Sequence[str] = LOOK


def failing(tests: Sequence[str], mutation: Mutation | None = None) -> list[str]:
    """Those of some ``tests`` that fail after a ``mutation``; None: with the program as it is."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / part)
        if mutation is not None:
            path = copy / mutation.file
            text = path.read_text()
            if text.count(mutation.old) != 1:
                raise SystemExit(f"{mutation.name}: {mutation.file} has changed: mend the mutation")
            path.write_text(text.replace(mutation.old, mutation.new))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
        )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return re.findall(r"^FAILED tests/(\S+)", done.stdout, re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser(__doc__)
    options.add_argument("names", nargs="*", help="only these")
    given = options.parse_args(arguments)
    mutations = [Mutation(**facts) for facts in tomllib.loads(MUTATIONS.read_text())["mutation"]]
    chosen = [one for one in mutations if not given.names or one.name in given.names]
    if plain := failing(sorted({test for one in chosen for test in one.tests})):
        raise SystemExit(f"these fail without any change: {', '.join(plain)}")
    found = {one.name: failing(one.tests, one) for one in chosen}
    rows = [{"change": name, "fails": ", ".join(tests) or "NONE"} for name, tests in found.items()]
    show(rows, given.json)
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
