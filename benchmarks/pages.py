"""The pictures of the studio and of the vote in the docs, from a walk through both.

python -m benchmarks.pages FOLDER PAIRS

FOLDER takes the pictures (docs); PAIRS is what ``benchmarks.pairs`` has made. Needs Chromium and
Playwright.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from vidstyle import media
from vidstyle.core.images import resized

from .sheets import CITY, STARRY
from .studio import PATIENCE, served

REST_MS = 2000
"""Milliseconds until a page is at rest."""
SMALLER = 0.75


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("folder", type=Path, metavar="FOLDER")
    made.add_argument("pairs", type=Path, metavar="PAIRS")
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as work, served(Path(work) / "runs") as (page, url, _):
        page.goto(url)
        _walk(page, options.folder)
    with served(options.pairs, "vote") as (page, url, _):
        page.goto(url)
        page.wait_for_function("document.querySelector('#pair video')?.readyState > 1")
        _picture(page, options.folder / "vote.jpg")


def _walk(page: Any, folder: Path) -> None:
    """Tune a frame, look for key frames, and paint, as a person would."""
    page.set_input_files("#clip input[type=file]", CITY)
    _told(page, "#clip-told", CITY.name)
    page.locator("#size input").fill("256")
    page.locator("#size input").press("Tab")
    page.locator("#vidstyle-title").click()  # which closes the menu of sizes
    page.set_input_files("#style input[type=file]", STARRY)
    _told(page, "#tuned-told", "painted in")
    page.keyboard.press("Escape")
    page.evaluate("scrollTo(0, 0)")
    _picture(page, folder / "studio-tuned.jpg")
    page.locator("#paint").click()
    page.locator("#start-painting").click()
    _told(page, "#progress", r"painting, \d+ of")
    _picture(page, folder / "studio-painting.jpg", "#run", "#painted")
    _told(page, "#progress", "done, ")
    page.wait_for_selector("#sheet img")
    _picture(page, folder / "studio-done.jpg", "#run", "#sheet")
    page.locator("button.label-wrap", has_text="paint key frames yourself").click()
    page.locator("#propose").click()
    page.wait_for_selector("#proposed img")
    _picture(page, folder / "studio-keys.jpg", "#propose", "#painted-keys")


def _told(page: Any, part: str, text: str) -> None:
    expect(page.locator(part)).to_contain_text(re.compile(text), timeout=PATIENCE)


def _picture(page: Any, path: Path, *parts: str) -> None:
    """Save a picture of what is in view, or of what is from one part of a page to another one."""
    page.wait_for_timeout(REST_MS)
    if parts:
        page.set_viewport_size({"width": 1280, "height": 2400})
        page.wait_for_timeout(REST_MS)
    boxes = [page.locator(part).bounding_box() for part in parts]
    with Image.open(BytesIO(page.screenshot())) as whole:
        shown = whole.convert("RGB")
    if boxes:
        page.set_viewport_size({"width": 1280, "height": 960})
        left, right = (
            choose(side for box in boxes for side in (box["x"], box["x"] + box["width"]))
            for choose in (min, max)
        )
        top, bottom = boxes[0]["y"], boxes[-1]["y"] + boxes[-1]["height"]
        shown = shown.crop((round(left), round(top), round(right), round(bottom)))
    size = round(SMALLER * shown.width), round(SMALLER * shown.height)
    media.save_image(path, resized(np.asarray(shown), size))


if __name__ == "__main__":
    main()
