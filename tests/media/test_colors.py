"""Colors of files, as they are to be seen: patches in, sRGB out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace
from PIL import Image, ImageCms

from vidstyle import media
from vidstyle.objective.styles import style_picture

PATCHES = [
    *(
        (200, 50, 50),
        (60, 170, 80),
        (40, 70, 190),
        (200, 190, 60),
        (128, 128, 128),
        (245, 245, 245),
    ),
    *((20, 20, 20), (180, 90, 160), (90, 160, 180)),
]
CLOSE = 3.0
"""The CIEDE2000 difference that is allowed: side by side, hardly seen."""
WIDE = {
    # Chromaticities of red, green and blue, and the gamma of the curve; all of a D65 white.
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 2.2),
    "Display P3": (((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), 2.2),
    "BT.2020": (((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)), 2.4),
    "sRGB": (((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), 2.2),
}
D65 = (0.3127, 0.3290)


def to_xyz(name: str) -> np.ndarray:
    """Linear RGB of such colors to XYZ (Lindbloom)."""
    chromaticities, _ = WIDE[name]

    def xyz(x: float, y: float) -> np.ndarray:
        return np.array([x / y, 1, (1 - x - y) / y])

    columns = np.stack([xyz(*one) for one in chromaticities], 1)
    return columns * np.linalg.solve(columns, xyz(*D65))


def coded(color: tuple[int, int, int], name: str, gamma: float) -> np.ndarray:
    """An sRGB ``color`` in the codes of a wider space (0..255)."""
    code = np.array(color) / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    wide = np.linalg.solve(to_xyz(name), to_xyz("sRGB") @ light)
    return np.clip(wide, 0, 1) ** (1 / gamma) * 255


def profile(name: str) -> bytes:
    """An ICC profile of these colors: the smallest one that says it (ICC.1, version 2)."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    d50 = np.array([0.9642, 1.0, 0.8249])
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    adapted = np.linalg.solve(bradford, np.diag((bradford @ d50) / (bradford @ white)) @ bradford)
    columns = adapted @ to_xyz(name)

    def fixed(value: float) -> bytes:
        return round(value * 65536).to_bytes(4, signed=True)

    curve = b"curv" + bytes(4) + (1).to_bytes(4) + round(WIDE[name][1] * 256).to_bytes(2) + bytes(2)
    text = b"made for a test\0"
    tags = {
        b"desc": b"desc" + bytes(4) + len(text).to_bytes(4) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + text,
        b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, d50)),
    }
    for number, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(fixed, columns[:, number]))
        tags[letter + b"TRC"] = curve
    head, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        head += tag + (at + len(data)).to_bytes(4) + len(content).to_bytes(4)
        data += content
    body = len(tags).to_bytes(4) + head + data
    start = (128 + len(body)).to_bytes(4) + b"lcms" + bytes([2, 0x40, 0, 0]) + b"mntrRGB XYZ "
    start += bytes([7, 232, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]) + b"acsp" + bytes(28)
    start += b"".join(map(fixed, d50)) + bytes(48)
    return start + body


def lab(color: np.ndarray) -> np.ndarray:
    code = np.asarray(color, float) / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    xyz = to_xyz("sRGB") @ light / (to_xyz("sRGB") @ np.ones(3))
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """CIEDE2000 (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = lab(one), lab(other)
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = 1 + sum(
        factor * np.cos(np.radians(times * h - angle))
        for factor, times, angle in ((-0.17, 1, 30), (0.24, 2, 0), (0.32, 3, -6), (-0.2, 4, 63))
    )
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rc = 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    rt = -rc * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    dl, dc = (l2 - l1) / sl, (c2 - c1) / sc
    return float(np.sqrt(dl**2 + dc**2 + (dh / sh) ** 2 + rt * dc * dh / sh))


def test_the_difference_is_that_of_the_paper() -> None:
    """By what is known of it: none between equals, symmetric, a step of a gray level of about 1."""
    assert difference(np.array([90, 40, 200]), np.array([90, 40, 200])) == 0
    one, other = np.array([200, 50, 50]), np.array([180, 70, 60])
    assert difference(one, other) == pytest.approx(difference(other, one))
    assert 0.5 < difference(np.full(3, 128), np.full(3, 131)) < 1.5


def sheet(colors: list[np.ndarray]) -> np.ndarray:
    """A row of patches, 16 pixels each."""
    row = np.stack([np.rint(color) for color in colors]).astype(np.uint8)
    return np.repeat(np.repeat(row[None], 16, 1), 16, 0)


def check(picture: np.ndarray) -> None:
    for number, patch in enumerate(PATCHES):
        found = picture[4:12, 16 * number + 4 : 16 * number + 12].reshape(-1, 3).mean(0)
        assert difference(np.array(patch), found) < CLOSE, (patch, found)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("name", ["sRGB", "Adobe RGB", "Display P3", "BT.2020"])
def test_a_still_has_the_colors_that_its_profile_says(
    name: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"patches.{suffix}"
    picture = sheet([coded(patch, name, WIDE[name][1]) for patch in PATCHES])
    options = {"jpg": {"quality": 98, "subsampling": 0}, "webp": {"lossless": True}}
    Image.fromarray(picture).save(path, icc_profile=profile(name), **options.get(suffix, {}))
    check(next(iter(media.open_clip(path))).rgb)
    check(style_picture(path))
    Image.fromarray(picture).save(path, **options.get(suffix, {}))
    if name == "BT.2020":  # without it, they are taken for sRGB
        with pytest.raises(AssertionError):
            check(media.read_image(path)[0])


def test_profiles_of_other_kinds_of_pictures(tmp_path: Path) -> None:
    rgba = np.dstack([sheet([coded(p, "Adobe RGB", 2.2) for p in PATCHES]), np.full((16, 144), 90)])
    path = tmp_path / "clear.png"
    Image.fromarray(rgba.astype(np.uint8)).save(path, icc_profile=profile("Adobe RGB"))
    rgb, alpha = media.read_image(path)
    check(rgb)
    assert alpha is not None and (alpha == 90).all()
    plain = Image.fromarray(sheet([np.array(p) for p in PATCHES]))
    few = plain.quantize(16)
    few.save(tmp_path / "few.png", icc_profile=profile("sRGB"))
    check(media.read_image(tmp_path / "few.png")[0])
    clear = Image.new("RGB", (8, 8), (9, 9, 9))  # a color that stands for what is clear
    clear.paste((200, 50, 50), (4, 0, 8, 8))
    clear.save(tmp_path / "key.png", transparency=(9, 9, 9), icc_profile=profile("sRGB"))
    rgb, alpha = media.read_image(tmp_path / "key.png")
    assert alpha is not None and (alpha[:, :4] == 0).all() and (alpha[:, 4:] == 255).all()
    assert difference(rgb[4, 6], np.array([200, 50, 50])) < 1
    gray = Image.fromarray(np.full((8, 8), 120, np.uint8))
    for mode, damaged in (("L", profile("sRGB")), ("LA", b"no profile"), ("RGB", b"no profile")):
        gray.convert(mode).save(tmp_path / "odd.png", icc_profile=damaged)
        assert abs(int(media.read_image(tmp_path / "odd.png")[0].mean()) - 120) <= 1
    cmyk = ImageCms.createProfile("sRGB")  # of other colors than the picture's: not followed
    plain.convert("CMYK").save(
        tmp_path / "cmyk.jpg", icc_profile=ImageCms.ImageCmsProfile(cmyk).tobytes(), quality=98
    )
    assert difference(media.read_image(tmp_path / "cmyk.jpg")[0][8, 8], np.array(PATCHES[0])) < 6


@pytest.mark.parametrize(
    ("primaries", "name", "matrix"),
    [
        (ColorPrimaries.BT709, "sRGB", Colorspace.ITU709),
        (ColorPrimaries.SMPTE432, "Display P3", Colorspace.ITU709),
        (ColorPrimaries.BT2020, "BT.2020", 9),
    ],
)
def test_a_video_has_the_colors_that_its_primaries_say(
    primaries: ColorPrimaries, name: str, matrix: int, tmp_path: Path
) -> None:
    """Coded for a display's gamma of 2.4; what is not wider than sRGB stays as it is."""
    picture = sheet([np.array(p) if name == "sRGB" else wide_for_display(p, name) for p in PATCHES])
    path = tmp_path / "patches.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "yuv444p"
        context = stream.codec_context
        context.options = {"crf": "4"}
        context.colorspace, context.color_range = matrix, ColorRange.MPEG
        context.color_primaries, context.color_trc = primaries, 1
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv444p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    clip = media.open_clip(path)
    check(next(iter(clip)).rgb)
    assert clip.info.color == {"sRGB": "BT.709"}.get(name, name)


def wide_for_display(color: tuple[int, int, int], name: str) -> np.ndarray:
    """A ``color`` that a display of gamma 2.4 shows, in the codes of a wider one."""
    light = (np.array(color) / 255) ** 2.4
    wide = np.linalg.solve(to_xyz(name), to_xyz("sRGB") @ light)
    return np.clip(wide, 0, 1) ** (1 / 2.4) * 255


@pytest.mark.parametrize("pixels", ["yuv422p", "uyvy422", "yuyv422", "nv12"])
@pytest.mark.parametrize(("width", "height", "matrix"), [(1280, 720, 1), (640, 480, 5)])
def test_untagged_video_is_guessed_by_its_size_whatever_its_layout(
    pixels: str, width: int, height: int, matrix: int, tmp_path: Path
) -> None:
    path = tmp_path / "raw.nut"
    picture = np.full((height, width, 3), (200, 50, 50), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format=pixels, dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    shown = next(iter(media.open_clip(path))).rgb[height // 2, width // 2]
    assert difference(shown, np.array([200, 50, 50])) < CLOSE, shown
