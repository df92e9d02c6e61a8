"""A face, and a person, that are drawn, for tests: nobody, and where they are is known."""

import cv2
import numpy as np
from numpy.typing import NDArray

EYES = (52, 62), (76, 62)
NOSE, MOUTH = (64, 76), (64, 90)
"""x, y of a face of 128 pixels."""


def face(size: int = 128) -> NDArray[np.uint8]:
    """Draw a face from the front, on a gray-blue ground (size, size, 3)."""
    scale = size / 128
    picture = np.full((size, size, 3), (90, 110, 130), np.uint8)

    def draw(center: tuple[int, int], axes: tuple[float, float], *color: int) -> None:
        place = round(center[0] * scale), round(center[1] * scale)
        radii = round(axes[0] * scale), round(axes[1] * scale)
        cv2.ellipse(picture, place, radii, 0, 0, 360, color, -1, cv2.LINE_AA)

    draw((64, 60), (36, 44), 70, 45, 30)  # hair
    draw((64, 70), (30, 38), 224, 180, 150)
    for x, y in EYES:
        draw((x, y - 7), (8, 2), 90, 60, 45)  # brow
        draw((x, y), (6, 3.4), 250, 250, 250)
        draw((x, y), (3, 3.2), 60, 40, 30)
    draw(NOSE, (4, 3), 195, 145, 120)
    draw(MOUTH, (11, 5), 170, 80, 80)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), scale), np.uint8)


def person(
    height: int = 144, width: int = 256, middle: int = 128
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a person from the chest up, before a patchy wall; return it (H, W, 3) and where it is
    (H, W), 255 inside."""
    picture, inside = scene(height, width), np.zeros((height, width), np.uint8)
    for canvas, color in ((picture, (40, 50, 90)), (inside, 255)):
        cv2.ellipse(canvas, (middle, height + 10), (70, 62), 0, 0, 360, color, -1, cv2.LINE_AA)
    head = np.zeros((128, 128), np.uint8)
    cv2.ellipse(head, (64, 60), (36, 44), 0, 0, 360, 255, -1)
    cv2.ellipse(head, (64, 70), (30, 38), 0, 0, 360, 255, -1)
    top = height - 160
    shown = slice(max(0, -top), 110)
    place = slice(max(0, top), top + 110), slice(middle - 64, middle + 64)
    picture[place][head[shown] > 0] = face()[shown][head[shown] > 0]
    inside[place][head[shown] > 0] = 255
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8), inside


def scene(
    height: int, width: int, *places: tuple[int, int, int], seed: int = 3
) -> NDArray[np.uint8]:
    """Draw faces, each at a left, a top and of a size, before a patchy wall."""
    generator = np.random.default_rng(seed)
    wall = generator.integers(60, 200, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    picture = np.kron(wall, np.ones((16, 16, 1), np.uint8))[:height, :width]
    for left, top, size in places:
        picture[top : top + size, left : left + size] = face(size)
    return picture
