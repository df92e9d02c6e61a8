"""Draws ``fish.gif``: a fish that swims round a bowl, forever, on a transparent ground."""

from __future__ import annotations

from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

SIZE = (240, 200)
FINE = 4  # drawn so many times larger, for smooth edges
FRAMES = 16
DELAYS = [70] * (FRAMES - 1) + [140]


def draw(phase: float) -> Image.Image:
    """The bowl at ``phase`` (0..1 of a round), RGBA."""
    width, height = SIZE[0] * FINE, SIZE[1] * FINE
    image = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(image)
    for row in range(height):  # water, darker toward the ground
        depth = row / height
        pen.line((0, row, width, row), (int(90 - 60 * depth), int(180 - 80 * depth), 210, 255))
    pen.rectangle((0, int(height * 0.86), width, height), (196, 164, 104, 255))
    for blade in range(7):
        x = width * (0.12 + 0.125 * blade)
        tip = x + width * 0.03 * sin(2 * pi * (phase + blade / 3))
        high = height * (0.62 - 0.14 * (blade % 3))
        root = height * 0.9
        pen.polygon([(x - 20, root), (x + 20, root), (tip, high)], (40, 120 + 12 * blade, 60, 255))
    for bubble in range(5):
        rise = (phase + bubble / 5) % 1
        x, y = width * (0.7 + 0.03 * sin(6 * pi * rise)), height * (0.9 - 0.8 * rise)
        size = FINE * (2 + 4 * rise)
        pen.ellipse((x - size, y - size, x + size, y + size), outline=(235, 250, 255, 255), width=6)
    _fish(pen, width, height, phase)
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((8, 8, width - 8, height - 8), 255)
    image.putalpha(ImageChops.multiply(image.getchannel("A"), mask))
    small = image.resize(SIZE, Image.Resampling.LANCZOS)
    small.putalpha(small.getchannel("A").point(lambda a: 255 if a >= 128 else 0))
    return small


def _fish(pen: ImageDraw.ImageDraw, width: int, height: int, phase: float) -> None:
    angle = 2 * pi * phase
    x, y = width * (0.5 + 0.26 * cos(angle)), height * (0.5 + 0.2 * sin(angle))
    way = 1 if sin(angle) <= 0 else -1
    long, high = width * 0.13, height * 0.1
    wag = height * 0.03 * sin(8 * pi * phase)
    tail = [
        (x - way * long * 0.8, y),
        (x - way * long * 1.6, y - high + wag),
        (x - way * long * 1.4, y + wag),
        (x - way * long * 1.6, y + high + wag),
    ]
    pen.polygon(tail, (214, 84, 30, 255))
    pen.ellipse((x - long, y - high, x + long, y + high), (244, 124, 40, 255))
    for stripe in (-0.35, 0.1):
        left = x + way * long * stripe
        pen.rectangle(
            (left - 14, y - high * 0.85, left + 14, y + high * 0.85), (250, 240, 225, 255)
        )
    eye = x + way * long * 0.6
    pen.ellipse((eye - 14, y - 34, eye + 14, y - 6), (20, 20, 30, 255))


def main() -> None:
    frames = [draw(i / FRAMES) for i in range(FRAMES)]
    path = Path(__file__).with_name("fish.gif")
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=DELAYS, loop=0, disposal=2
    )
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
