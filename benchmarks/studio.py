"""How soon the studio answers: from a slider's rest to the first and to the last picture.

Needs Chromium and Playwright. Beside it, the same frame by ``--preview 1``, from start to end, and
the studio's memory.

python -m benchmarks.studio --clip PATH --style IMAGE [--size 208] [--json FILE]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import sync_playwright

from .table import Row, parser, show

SOURCE = "[...document.querySelectorAll('#tuned img')].at(-1)?.src"
DONE = "document.querySelector('#tuned-told').innerText.includes('painted in')"
PATIENCE = 300_000
"""Milliseconds."""


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--clip", required=True, type=Path)
    made.add_argument("--style", required=True, type=Path)
    made.add_argument("--size", default="208")
    made.add_argument("--finals", type=int, default=3, help="changes that are waited out")
    made.add_argument("--changes", type=int, default=50, help="changes that are cut short")
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show([_measure(options, Path(folder))], options.json)


@contextmanager
def served(folder: Path, page: str = "studio") -> Iterator[tuple[Any, str, int]]:
    """Serve a page in ``folder``; yield an empty page of a browser, the address, and the id of the
    server's process."""
    command = [sys.executable, "-m", "vidstyle", page, str(folder), "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        with sync_playwright() as playwright:
            program = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            opened = browser.new_page(viewport={"width": 1280, "height": 960})
            opened.set_default_timeout(PATIENCE)
            yield opened, found[0], server.pid
    finally:
        server.terminate()
        server.wait()


def _measure(options: argparse.Namespace, folder: Path) -> Row:
    with served(folder / "runs") as (page, url, process):
        page.goto(url)
        _prepare(page, options)
        rows = [_change(page, 4 + number, waits=True) for number in range(options.finals)]
        first, memory = [], [_memory(process)]
        for number in range(options.changes):
            first.append(_change(page, 10 + number % 20, waits=False)[0])
            if number + 1 in (options.changes // 2, options.changes):
                memory.append(_memory(process))
    began = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "vidstyle", str(options.clip), "--style", str(options.style)),
            *("--preview", "1", "-o", str(folder / "preview.png"), "--quiet"),
        ],
        check=True,
    )
    return {
        "first picture, s": median([row[0] for row in rows] + first),
        "slowest": max([row[0] for row in rows] + first),
        "last picture": median(row[1] for row in rows),
        "--preview 1, start and all": time.monotonic() - began,
        f"MB after 0, {options.changes // 2}, {options.changes} changes": memory,
    }


def _prepare(page: Any, options: argparse.Namespace) -> None:
    page.set_input_files("#clip input[type=file]", options.clip)
    page.wait_for_function(f"() => {SOURCE} !== undefined")
    page.locator("#size input").fill(options.size)
    page.locator("#size input").press("Tab")
    page.set_input_files("#style input[type=file]", options.style)
    page.wait_for_function(f"() => {DONE}")


def _change(page: Any, weight: float, *, waits: bool) -> tuple[float, float]:
    """Seconds to the first other picture, and to the last one, where that is waited for."""
    shown = page.evaluate(SOURCE)
    box = page.get_by_label("number input for style weight")
    box.fill(str(weight))
    began = time.monotonic()
    page.wait_for_function(f"before => {SOURCE} !== before", arg=shown)
    first = time.monotonic() - began
    if waits:
        page.wait_for_function(f"() => !({DONE})")
        page.wait_for_function(f"() => {DONE}")
    return first, time.monotonic() - began


def _memory(process: int) -> float:
    """MB that a process has in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1000


if __name__ == "__main__":
    main()
