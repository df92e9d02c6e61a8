"""GIFs are read as browsers show them; the last tests ask a browser, also of APNG and WebP."""

from __future__ import annotations

import base64
import io
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vidstyle import UsageError, media
from vidstyle.media.gif_reader import composed

PALETTE = [(255, 0, 255), (220, 0, 0), (0, 200, 0), (0, 0, 250), (250, 250, 250), (9, 9, 9)]
SIDE = 24
Drawn = tuple[int, int, int, int, int, int, "int | None"]
"""Left, top, width, height, color, disposal, and the color that is clear."""
CASES: dict[str, list[Drawn]] = {
    "disposed": [(x, 6, 8, 8, 1, 2, None) for x in (0, 6, 12)],
    "a corner first": [(6, 6, 12, 12, 1, 1, None), (0, 0, 6, 6, 2, 1, None)],
    "restored": [(0, 0, 24, 24, 1, 1, None), (4, 4, 8, 8, 2, 3, None), (12, 12, 8, 8, 3, 1, None)],
    "restored over nothing": [(4, 4, 8, 8, 2, 3, None), (12, 12, 8, 8, 3, 1, None)],
    "clear over color": [(0, 0, 24, 24, 1, 1, None), (4, 4, 16, 16, 2, 1, 2)],
    "clear, then disposed": [(0, 0, 24, 24, 1, 2, 5), (4, 4, 16, 16, 2, 0, 5)],
    "first beyond the canvas": [(16, 16, 20, 20, 3, 1, None), (0, 0, 8, 8, 1, 1, None)],
    "beyond the canvas": [(0, 0, 24, 24, 1, 1, None), (16, 16, 20, 20, 3, 1, None)],
}


def packed(width: int, height: int, color: int) -> bytes:
    """A picture of one color: codes of four bits, cleared so often that none grows longer."""
    codes = []
    for number in range(width * height):
        codes += [8] * (number % 6 == 0) + [color]
    codes.append(9)
    bits = sum(code << 4 * place for place, code in enumerate(codes))
    data = bits.to_bytes(-(-len(codes) // 2), "little")
    parts = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"\x03" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def gif(drawn: list[Drawn], delay: int = 20, loop: int | None = 0) -> bytes:
    colors = bytes(value for color in [*PALETTE, (0, 0, 0), (0, 0, 0)] for value in color)
    data = b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0xF2, 0, 0) + colors
    if loop is not None:
        data += b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0"
    for left, top, width, height, color, disposal, clear in drawn:
        flags = disposal << 2 | (clear is not None)
        data += b"\x21\xf9\x04" + struct.pack("<BHBB", flags, delay, clear or 0, 0)
        data += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0)
        data += packed(width, height, color)
    return data + b";"


def canvas_of(drawn: list[Drawn]) -> tuple[int, int]:
    """Height and width: as large as the first picture needs it."""
    left, top, width, height, *_ = drawn[0]
    return max(SIDE, top + height), max(SIDE, left + width)


def expected(drawn: list[Drawn]) -> list[np.ndarray]:
    """The same by the words of the specification, with a ground that is clear."""
    canvas, shown = np.zeros((*canvas_of(drawn), 4), np.uint8), []
    for left, top, width, height, color, disposal, clear in drawn:
        before, place = canvas.copy(), np.s_[top : top + height, left : left + width]
        if color != clear:
            canvas[place] = (*PALETTE[color], 255)
        shown.append(canvas.copy())
        if disposal == 2:
            canvas[place] = 0
        if disposal == 3:
            canvas = before
    return shown


@pytest.mark.parametrize("case", CASES)
def test_what_was_never_drawn_or_is_disposed_of_is_clear(case: str, tmp_path: Path) -> None:
    path = tmp_path / "case.gif"
    path.write_bytes(gif(CASES[case]))
    clip = media.open_clip(path)
    assert (clip.info.height, clip.info.width) == canvas_of(CASES[case]) and clip.info.loop == 0
    for frame, wanted in zip(clip, expected(CASES[case]), strict=True):
        alpha = np.full(wanted.shape[:2], 255) if frame.alpha is None else frame.alpha
        assert np.array_equal(alpha, wanted[..., 3])
        seen = alpha > 0
        assert np.array_equal(frame.rgb[seen], wanted[..., :3][seen])


def test_what_pillow_draws_right_is_the_same(gif: Path) -> None:
    with Image.open(gif) as image:
        for number, frame in enumerate(media.open_clip(gif)):
            image.seek(number)
            wanted = np.asarray(image.convert("RGBA"))
            assert frame.alpha is not None and np.array_equal(frame.alpha, wanted[..., 3])
            seen = frame.alpha > 0
            assert np.array_equal(frame.rgb[seen], wanted[..., :3][seen])


def test_a_gif_that_ends_early_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = gif(CASES["restored"])
    path = tmp_path / "cut.gif"
    counts = set()
    for length in [*range(14, len(whole), 9), len(whole)]:
        path.write_bytes(whole[:length])
        try:
            counts.add(len([*media.open_clip(path)]))
        except UsageError as error:
            assert "\n" not in str(error)
            counts.add(0)
    assert counts == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="no block"):
        list(composed(io.BytesIO(whole[:-1] + b"\x07")))


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of a browser that asks nothing of anybody."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    api = pytest.importorskip("playwright.sync_api")
    options = ("--no-sandbox", "--no-first-run", "--disable-background-networking")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*options])
        yield browser.new_page(viewport={"width": SIDE, "height": SIDE})
        browser.close()


def shown_by(page: Any, kind: str, data: bytes) -> np.ndarray:
    """What a page shows of an animation, on gray, after it has played once."""
    with Image.open(io.BytesIO(data)) as image:
        page.set_viewport_size(dict(zip(("width", "height"), image.size, strict=True)))
    address = base64.b64encode(data).decode()
    page.set_content(
        f"<body style='margin:0; background:#7b7b7b'>"
        f"<img style='display:block' src='data:{kind};base64,{address}'>"
    )
    page.wait_for_timeout(300)
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


@pytest.mark.browser
@pytest.mark.parametrize("case", CASES)
def test_chromium_shows_the_same(case: str, page: Any) -> None:
    """Each frame as the last one of a GIF that has played: it stays."""
    for number, wanted in enumerate(expected(CASES[case])):
        shot = shown_by(page, "image/gif", gif(CASES[case][: number + 1], delay=2, loop=None))
        shown = np.where(wanted[..., 3:] > 0, wanted[..., :3], np.uint8(0x7B))
        assert np.abs(shot.astype(int) - shown).max() <= 2, f"frame {number}"


def shapes(count: int) -> list[Image.Image]:
    """A square on a clear ground, elsewhere each time, and half clear."""
    made = []
    for number in range(count):
        picture = np.zeros((SIDE, SIDE, 4), np.uint8)
        place = np.s_[2 + 4 * number : 12 + 4 * number, 3 * number : 10 + 3 * number]
        picture[place] = (*PALETTE[1 + number], 255)
        picture[20:, :] = (0, 0, 200, 128)
        made.append(Image.fromarray(picture))
    return made


WAYS: dict[str, dict[str, Any]] = {
    **{
        f"apng {disposal} {blend}": {"format": "PNG", "disposal": disposal, "blend": blend}
        for disposal in range(3)
        for blend in range(2)
    },
    "webp": {"format": "WEBP", "lossless": True, "minimize_size": True},
    "webp, mixed": {"format": "WEBP", "lossless": True, "kmax": 2},
}


@pytest.mark.browser
@pytest.mark.parametrize("way", WAYS)
def test_chromium_shows_other_animations_as_they_are_read(
    way: str, page: Any, tmp_path: Path
) -> None:
    kind = str(WAYS[way]["format"]).lower()
    for count in (2, 3, 4):
        first, *rest = shapes(count)
        path = tmp_path / f"{count}.{kind}"
        first.save(path, save_all=True, append_images=rest, duration=20, loop=1, **WAYS[way])
        *_, last = media.open_clip(path)
        alpha = (np.full((SIDE, SIDE), 255) if last.alpha is None else last.alpha)[..., None] / 255
        wanted = last.rgb * alpha + 0x7B * (1 - alpha)
        shot = shown_by(page, f"image/{kind}", path.read_bytes())
        assert np.abs(shot.astype(int) - wanted).max() <= 3, f"{count} frames"
