"""Colors of video: reproducible conversion, and mapping of wide gamuts and HDR to sRGB."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""swscale flags that give the same values on every processor and at any memory address."""
REFERENCE_WHITE = 203.0
"""Luminance of diffuse white in HDR, in cd/m² (ITU-R BT.2408)."""
PEAK = 1000.0
"""Luminance that is mapped to the brightest white, in cd/m². Higher values are clipped."""

# Linear BT.2020 to linear BT.709 (ITU-R BT.2087).
GAMUT = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
DISPLAY_GAMMA = 2.4
"""Gamma of a display for BT.709 and BT.2020 (ITU-R BT.1886)."""
Gamut = Literal["BT.2020", "Display P3"]
"""Color gamuts wider than that of sRGB."""
TO_SRGB: dict[Gamut, NDArray[np.float32]] = {
    "BT.2020": GAMUT,
    # From the chromaticities in SMPTE EG 432-1. Both gamuts have a D65 white.
    "Display P3": np.array(
        [[1.2249, -0.2249, 0.0], [-0.0420, 1.0420, 0.0], [-0.0197, -0.0786, 1.0983]], np.float32
    ),
}
"""Matrices from linear RGB of each gamut to linear sRGB, which has the primaries of BT.709."""


def to_srgb(rgb: NDArray[np.uint8], gamut: Gamut) -> NDArray[np.uint8]:
    """Convert RGB of a wider gamut to sRGB, clipping colors that sRGB cannot show.

    Decoding and encoding both use the curve of a display (ITU-R BT.1886), so grays are unchanged.

    Args:
        rgb: (H, W, 3) uint8, in ``gamut``.
        gamut: the gamut of ``rgb``.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    light = ((np.arange(256) / 255) ** DISPLAY_GAMMA).astype(np.float32)
    shown = np.clip(light[rgb] @ TO_SRGB[gamut].T, 0, 1) ** (1 / DISPLAY_GAMMA)
    return np.rint(shown * 255).astype(np.uint8)


@cache
def _linear(pq: bool) -> NDArray[np.float32]:
    """Return the light in cd/m² of each 16-bit code value, as an array (65536,)."""
    code = np.linspace(0, 1, 1 << 16)
    if pq:  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = code ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:  # ARIB STD-B67: scene light, then the system gamma of a 1000 cd/m² display
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        light = 1000 * scene**1.2
    return light.astype(np.float32)


def to_sdr(deep: NDArray[np.uint16], *, pq: bool) -> NDArray[np.uint8]:
    """Convert HDR in BT.2020 RGB to sRGB.

    The extended Reinhard curve is applied to the luminance: diffuse white stays bright, ``PEAK``
    becomes white, and colors keep their hue.

    Args:
        deep: (H, W, 3) uint16 RGB.
        pq: whether the transfer function is PQ. Otherwise it is HLG.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    light = np.maximum(_linear(pq)[deep] @ GAMUT.T, 0) / REFERENCE_WHITE
    luminance = np.maximum(light @ np.array([0.2126, 0.7152, 0.0722], np.float32), 1e-6)
    peak = PEAK / REFERENCE_WHITE
    mapped = luminance * (1 + luminance / peak**2) / (1 + luminance)
    rgb = np.clip(light * (mapped / luminance)[..., None], 0, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
