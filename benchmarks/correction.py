"""From the first page of the studio to a corrected clip, as a person would go: seconds waited.

Needs Chromium and Playwright. A ring is drawn on a frame in the middle of the clip.

python -m benchmarks.correction --clip PATH --style IMAGE [--size 208] [--shots FOLDER]
"""

from __future__ import annotations

import math
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from .studio import PATIENCE, served
from .table import Row, parser, show

REST_MS = 1500
"""Milliseconds that a person looks at something."""


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--clip", required=True, type=Path)
    made.add_argument("--style", required=True, type=Path)
    made.add_argument("--size", default="208")
    made.add_argument("--shots", type=Path, help="a folder for pictures of the page")
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "runs") as (page, url, _):
        show([_walk(page, url, options)], options.json)


def _walk(page: Any, url: str, options: Any) -> Row:
    row: Row = {}

    def wait(name: str, *acts: Callable[[], Any]) -> None:
        began = time.monotonic()
        for act in acts:
            act()
        row[name] = time.monotonic() - began

    def text(part: str, told: str) -> Callable[[], Any]:
        return lambda: expect(page.locator(part)).to_contain_text(
            re.compile(told), timeout=PATIENCE
        )

    def shot(name: str, part: str) -> None:
        page.locator(part).evaluate("part => part.scrollIntoView()")
        page.wait_for_timeout(REST_MS)
        if options.shots is not None:
            page.screenshot(path=options.shots / f"{name}.png")

    clip = "#clip input[type=file]"
    there = lambda: page.wait_for_selector(clip, state="attached")  # noqa: E731
    wait("page", lambda: page.goto(url), there)
    page.set_input_files(clip, options.clip)
    wait("clip", text("#clip-told", re.escape(options.clip.name)))
    page.locator("#size input").fill(options.size)
    page.locator("#size input").press("Tab")
    page.set_input_files("#style input[type=file]", options.style)
    wait("first picture", text("#tuned-told", "painting|painted"))
    wait("tuned", text("#tuned-told", "painted in"))
    shot("1", "#vidstyle-title")
    page.locator("#paint").click()
    wait("plan", lambda: page.wait_for_selector("#start-painting"))
    page.locator("#start-painting").click()
    wait("run", text("#progress", "done, "), lambda: page.wait_for_selector("#editor canvas"))
    number = page.get_by_label("number input for frame")
    number.fill(str(max(1, int(number.get_attribute("max") or 2) // 2)))
    number.press("Enter")
    shot("2", "#corrections")
    _draw_ring(page)
    wait("keep", page.locator("#keep").click, text("#correction-told", "is kept"))
    shot("3", "#corrections")
    page.locator("#again").click()
    wait("corrected", text("#facts", "vidstyle correct"), text("#progress", "done, "))
    shot("4", "#run")
    return row


def _draw_ring(page: Any) -> None:
    box = page.locator("#editor canvas").first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.35
    radius = box["height"] * 0.12
    places = [
        (middle[0] + radius * math.cos(turn), middle[1] + radius * math.sin(turn))
        for turn in (number / 12 * math.pi for number in range(25))
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places:
        page.mouse.move(*place, steps=2)
    page.mouse.up()
    page.wait_for_timeout(REST_MS)


if __name__ == "__main__":
    main()
