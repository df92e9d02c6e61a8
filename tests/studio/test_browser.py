"""The studio in a real browser: what a newcomer does, and what goes wrong meanwhile."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright import sync_api as api

from vidstyle import media

pytestmark = pytest.mark.browser
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)
"""A browser that asks nothing of anybody."""
SAMPLES = Path(__file__).parent.parent.parent / "samples"
SLOW = 120_000
"""Milliseconds that a painting may take on a busy machine."""
SCREENSHOTS = os.environ.get("VIDSTYLE_SCREENSHOTS")
"""A folder for pictures of each state."""


class Server:
    """A studio as a process of its own."""

    def __init__(self, folder: Path, command: str = "studio") -> None:
        self.folder, self.command = folder, command
        self.start()

    @property
    def log(self) -> Path:
        return self.folder.with_name("log.txt")

    def start(self) -> None:
        command = (sys.executable, "-m", "vidstyle", self.command, self.folder, "--no-browser")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        self.url = found[0]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    studio = Server(tmp_path / "runs")
    yield studio
    if studio.process.poll() is None:
        studio.end()
    assert "Traceback" not in studio.log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET])


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens the studio in a new window; nothing it asks for may lie outside of this machine."""
    outside: list[str] = []
    windows: list[Any] = []

    def opened(width: int = 1280, height: int = 1100) -> Any:
        window = browser.new_context(viewport={"width": width, "height": height})
        windows.append(window)
        page = window.new_page()
        page.set_default_timeout(SLOW)
        page.on("request", lambda request: outside.append(request.url))
        page.goto(server.url)
        page.wait_for_selector("#clip input[type=file]", state="attached")
        return page

    yield opened
    for window in windows:
        window.close()
    local = (server.url, "http://127.0.0.1", "data:", "blob:")
    assert [url for url in outside if not url.startswith(local)] == []


def snap(page: Any, name: str) -> None:
    if SCREENSHOTS is not None:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def text(page: Any, part: str, told: str) -> None:
    """Wait until a part of the page says something."""
    api.expect(page.locator(part)).to_contain_text(re.compile(told), timeout=SLOW)


def take(page: Any, clip: Path, style: str = "starry_night.jpg") -> None:
    """Drop a clip and a style, and choose to paint quickly."""
    page.set_input_files("#clip input[type=file]", clip)
    text(page, "#clip-told", clip.name)
    page.get_by_label("draft").check()
    choose(page, "#size", "64")
    page.set_input_files("#style input[type=file]", SAMPLES / style)
    text(page, "#tuned-told", "painting|painted")  # both are there


def choose(page: Any, control: str, value: str) -> None:
    page.locator(f"{control} input").fill(value)
    page.locator(f"{control} input").press("Tab")  # Enter takes the first entry that begins so


def open_group(page: Any, name: str) -> None:
    page.locator("button.label-wrap", has_text=name).click()


def draw_line(page: Any, editor: str, left: float, right: float) -> None:
    """Draw a line across the middle of an editor, from and to these shares of its width."""
    canvas = page.locator(f"{editor} canvas").first
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * left, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * right, box["y"] + box["height"] * 0.5, steps=8)
    page.mouse.up()


def pixels(page: Any) -> str:
    """The address of the tuned picture: another one for each picture."""
    return str(page.locator("#tuned img").last.get_attribute("src"))


def tuned(page: Any, before: str = "") -> str:
    """Wait for a tuned frame that is done, and other than ``before``."""
    text(page, "#tuned-told", "painted in")
    page.wait_for_function(
        "before => [...document.querySelectorAll('#tuned img')].at(-1)?.src !== before",
        arg=before,
    )
    return pixels(page)


def paint(page: Any) -> None:
    page.locator("#paint").click()
    page.locator("#start-painting").click()


def frames(path: Path) -> list[np.ndarray]:
    return [frame.rgb for frame in media.open_clip(path)]


def kept(painted: Path) -> list[np.ndarray]:
    """The paintings of a run, as its folder keeps them."""
    folder = painted.with_name(f".{painted.name}.vidstyle")
    return [media.read_image(path)[0] for path in sorted(folder.glob("*.png"))]


def output(server: Server) -> Path:
    (found,) = server.folder.glob("*/*.starry_night.gif")
    return Path(found)


def test_a_newcomer_paints_a_gif(visit: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    page = visit()
    snap(page, "1-empty")
    take(page, SAMPLES / "fish.gif")
    first = tuned(page)
    snap(page, "2-tuned")
    divided = page.locator("#tuned img").last
    api.expect(divided).to_have_attribute("style", re.compile(r"50%\)"))
    page.locator("#divide input[type=range]").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    api.expect(divided).to_have_attribute("style", re.compile(r"(70|69\.9\d*)%\)"))
    weight = page.get_by_label("number input for style weight")
    weight.fill("500")
    weight.press("Tab")
    api.expect(weight).to_have_value("32")
    weight.fill("1")
    weight.press("Enter")
    assert tuned(page, first) != first
    open_group(page, "part of the clip")
    most = page.get_by_label("max frames")
    most.click()
    most.press_sequentially("6")  # key by key: what is filled in at once was lost one time in fifty
    most.press("Tab")
    page.locator("#paint").click()
    text(page, "#plan", r"frames\s*6\D")
    text(page, "#plan", "estimated|seconds")
    snap(page, "3-plan")
    page.locator("#start-painting").click()
    text(page, "#progress", "of 6 frames")
    snap(page, "4-painting")
    text(page, "#progress", "done, 6 of 6 frames")
    page.wait_for_selector("#player video")
    snap(page, "5-done")
    with page.expect_download() as waiting:
        page.locator("#download").click()
    waiting.value.save_as(tmp_path / "got.gif")
    painted = frames(tmp_path / "got.gif")
    assert len(painted) == 6 and painted[0].shape == (53, 64, 3)
    text(page, "#facts", "vidstyle .*fish.gif --style .*--size 64")
    folder = output(server).parent
    assert {"beside.mp4", "sheet.jpg", "recipe.toml"} <= {path.name for path in folder.iterdir()}
    beside = frames(folder / "beside.mp4")
    assert beside[0].shape[1] == 128  # source and painting
    page.locator("#take-over").click()
    api.expect(page.get_by_label("draft")).to_be_checked()


def test_a_frame_is_drawn_on_and_the_clip_follows(
    visit: Callable[..., Any], server: Server, tmp_path: Path
) -> None:
    page = visit()
    take(page, SAMPLES / "fish.gif")
    open_group(page, "part of the clip")
    most = page.get_by_label("max frames")
    most.click()
    most.press_sequentially("6")
    most.press("Tab")
    page.locator("#paint").click()
    text(page, "#plan", r"frames\s*6\D")
    page.locator("#start-painting").click()
    text(page, "#progress", "done, 6 of 6 frames")
    page.wait_for_selector("#corrections")
    before = kept(output(server))
    page.get_by_label("number input for frame").fill("3")
    page.get_by_label("number input for frame").press("Enter")
    page.wait_for_timeout(1500)
    page.locator("#keep").click()
    text(page, "#correction-told", "Frame 3 is as it was painted: draw on it first")
    draw_line(page, "#editor", 0.3, 0.7)
    page.locator("#keep").click()
    text(page, "#correction-told", "Frame 3 is kept")
    snap(page, "11-kept")
    page.locator("#run-title input").fill("the fish")
    page.locator("#run-title input").press("Enter")
    named = re.compile("the fish")
    api.expect(page.locator("#run input")).to_have_value(named, timeout=SLOW)
    page.reload()
    page.wait_for_selector("#collected img")
    api.expect(page.locator("#run input")).to_have_value(named, timeout=SLOW)
    page.locator("#again").click()
    text(page, "#facts", "vidstyle correct")
    text(page, "#progress", "done, 6 of 6 frames")
    snap(page, "12-corrected")
    (corrected,) = server.folder.glob("*/*.painted.gif")
    after = kept(corrected)
    assert len(after) == len(frames(corrected)) == 6
    for one, other in zip(before, after, strict=True):
        changed = (one != other).any(2)
        assert changed[20:33, 20:44].mean() > 0.1
        assert not changed[:8].any() and not changed[-8:].any()


def test_a_clip_that_is_refused_leaves_the_page_as_it_was(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit()
    take(page, SAMPLES / "fish.gif")
    fake = tmp_path / "notes.mp4"
    fake.write_text("this is no film")
    page.set_input_files("#clip input[type=file]", fake)
    text(page, "#clip-told", "not a video, an animation or an image")
    snap(page, "6-refused")
    assert page.locator("#shots img").count() == 3
    choose(page, "#size", "7")
    text(page, "#tuned-told", "size is 7: it must be at least 32")
    page.locator("#paint").click()
    text(page, "#plan", "size is 7: it must be at least 32")
    assert not page.locator("#start-painting").is_visible()
    choose(page, "#size", "64")
    tuned(page)


def test_a_reload_loses_nothing_and_a_change_takes_the_plan_away(visit: Callable[..., Any]) -> None:
    page = visit()
    take(page, SAMPLES / "fish.gif")
    tuned(page)
    page.locator("#paint").click()
    text(page, "#plan", "64x53")
    assert page.locator("#start-painting").is_visible()
    choose(page, "#size", "48")
    page.wait_for_selector("#start-painting", state="hidden")
    assert page.locator("#plan").inner_text().strip() == ""
    open_group(page, "mask")
    page.locator("#draw-mask").click()
    draw_line(page, "#mask-editor", 0.4, 0.6)
    page.locator("#use-mask").click()
    text(page, "#mask-told", "follows what you painted over")
    snap(page, "13-mask")
    page.wait_for_timeout(1000)
    page.reload()
    text(page, "#clip-told", "fish.gif")
    assert page.locator("#size input").input_value() == "48"
    api.expect(page.get_by_label("draft")).to_be_checked()
    tuned(page)
    page.locator("#paint").click()
    text(page, "#plan", "48x40")


def test_key_frames_are_painted_by_hand_and_a_style_comes_later(
    visit: Callable[..., Any], server: Server, tmp_path: Path
) -> None:
    page = visit()
    take(page, SAMPLES / "fish.gif")
    open_group(page, "paint key frames yourself")
    page.locator("#propose").click()
    text(page, "#keys-told", r"\d+ of 16 frames")
    page.wait_for_selector("#proposed img")
    numbers = page.locator("#proposed .caption-label").all_inner_texts()
    assert numbers[0] == "1"
    found = sorted(Path(path) for path in proposed(page, tmp_path))
    pictures = [media.read_image(path)[0] for path in found]
    for path, picture in zip(found, pictures, strict=True):
        media.save_image(path, np.ascontiguousarray(picture[..., ::-1]))
    page.set_input_files("#painted-keys input[type=file]", [found[0], found[-1]])
    page.wait_for_selector("#given-keys img")
    assert page.locator("#given-keys img").count() == 2
    snap(page, "15-keys")
    since = page.get_by_label("from second", exact=True).last
    since.fill("0.5")
    since.press("Enter")
    page.locator("#paint").click()
    text(page, "#plan", "64x53")
    page.locator("#start-painting").click()
    text(page, "#progress", "done, 16 of 16 frames")
    text(page, "#facts", r"--style-at 0\.5=\S*starry_night.jpg --key \S*keys")
    painted = kept(next(server.folder.glob("*/*.gif")))
    assert np.abs(painted[0].astype(float) - pictures[0][..., ::-1]).mean() < 12


def proposed(page: Any, folder: Path) -> Iterator[Path]:
    """Download the proposed frames."""
    for link in page.locator("#proposed-files a[download]").all():
        with page.expect_download() as waiting:
            link.click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        yield path


def test_it_fits_a_phone_and_a_screen_in_the_dark(visit: Callable[..., Any]) -> None:
    page = visit(390, 844)
    page.emulate_media(color_scheme="dark")
    take(page, SAMPLES / "fish.gif")
    tuned(page)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        snap(page, f"7-width-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # The picture stays in view beside what one moves, or above it.
        page.evaluate("window.scrollTo(0, 0)")
        page.locator("#brush").evaluate("part => part.scrollIntoView({block: 'nearest'})")
        seen = page.locator("#tuned").bounding_box()
        assert -1 <= seen["y"] < 422, width
        snap(page, f"14-beside-{width}")


def test_pages_come_and_go_and_the_painting_goes_on(
    visit: Callable[..., Any], server: Server
) -> None:
    page, other = visit(), visit()
    take(page, SAMPLES / "fish.gif")
    page.get_by_label("best").check()  # slow enough to be met on its way
    paint(page)
    text(page, "#progress", r"painting, \d+ of")
    text(other, "#progress", r"painting, \d+ of")
    other.locator("#pause").click()
    text(page, "#progress", "paused")
    page.reload()
    text(page, "#progress", "paused")
    page.locator("#go-on").click()
    text(other, "#progress", "painting")
    page.locator("#stop").click()
    text(other, "#progress", "stopped")
    snap(other, "8-stopped")
    page.locator("#go-on").click()
    text(page, "#progress", "painting")
    page.locator("#stop").click()
    text(page, "#progress", "stopped")


def test_a_studio_that_is_killed_goes_on(visit: Callable[..., Any], server: Server) -> None:
    page = visit()
    take(page, SAMPLES / "fish.gif")
    page.get_by_label("gatys").check()  # frame by frame, to be met on its way
    open_group(page, "in time")
    page.get_by_label("seamless").click()
    page.get_by_role("option", name="no").click()
    paint(page)
    text(page, "#progress", r"painting, (\d|1[0-4]) of 16 frames, ")
    server.end(signal.SIGKILL)
    server.start()
    page.close()  # it would load itself again when it finds the studio
    page = visit()
    text(page, "#progress", "left when the studio ended")
    snap(page, "9-left")
    page.locator("#go-on").click()
    text(page, "#progress", "done, 16 of 16 frames")
    text(page, "#facts", r"going on from \d+ paintings? of an earlier run")
    goes_on = frames(output(server))
    paint_again = server.folder.parent / "again.gif"
    facts = page.locator("#facts td").last.inner_text()
    command = facts.replace("vidstyle", f"{sys.executable} -m vidstyle", 1)
    subprocess.run(f"{command} -o {paint_again} --quiet", shell=True, check=True)
    assert all(np.array_equal(*both) for both in zip(goes_on, frames(paint_again), strict=True))


def test_people_vote_on_pairs_of_paintings(browser: Any, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    for name in ("fish", "again"):
        (asked / name).mkdir(parents=True)
        shutil.copy(SAMPLES / "fish.gif", asked / name / "source.gif")
        shutil.copy(SAMPLES / "wave.jpg", asked / name / "style.jpg")
        for way in ("new", "old"):
            shutil.copy(SAMPLES / "fish.gif", asked / name / f"{way}.gif")
    poll = Server(asked, "vote")
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(SLOW)
        page.goto(poll.url)
        for number, button in enumerate(("#left", "#alike"), 1):
            text(page, "#vote-told", f"{number} of 2")
            page.wait_for_function("document.querySelector('#pair video')?.readyState > 1")
            snap(page, f"16-vote-{number}")
            shown = page.content()
            assert "new" not in re.findall(r"[^/\"]+\.mp4", shown) and "old.gif" not in shown
            page.locator(button).focus()
            page.keyboard.press("Enter")
        text(page, "#vote-told", "Thank you: 2 votes")
        text(page, "#results", "new beside old")
        snap(page, "17-votes")
        with page.expect_download() as waiting:
            page.locator("#votes-file").click()
        votes = json.loads(Path(waiting.value.path()).read_text())["votes"]
        assert {vote["question"] for vote in votes} == {"fish", "again"}
        assert [vote["better"] == vote["left"] for vote in votes] == [True, False]
        page.close()
    finally:
        poll.end()
    assert "Traceback" not in poll.log.read_text()
