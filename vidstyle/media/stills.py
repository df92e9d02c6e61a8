"""Still images: as a clip (one image, a folder or a glob), as a style, and as output."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from ..core.errors import UsageError
from ..core.files import SOFTWARE
from ..core.frames import Frame
from .clip import ClipInfo, check_pixels

STILL_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "GIF")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".avif"}
OPAQUE_MODES = {"P": "RGB", "PA": "RGB", "RGBA": "RGB", "LA": "L"}
"""Pillow mode for the colors of a picture without palette and alpha, by the picture's mode."""
SIDEWAYS = range(5, 9)
"""Values of the EXIF tag for the orientation that swap width and height."""
STILLS_RATE = Fraction(25)
"""Frames per second of a folder of stills, which gives no frame rate of its own."""


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by the numbers in them, so that frame2 comes before frame10."""
    return sorted(
        paths, key=lambda p: [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", str(p))]
    )


def folder_images(folder: Path) -> list[Path]:
    """Return the images in ``folder`` in natural order.

    Raises:
        UsageError: the folder has no images, or may not be read.
    """
    try:
        found = natural_order(path for path in folder.iterdir() if _is_image(path))
    except PermissionError as error:
        raise UsageError(f"{folder}: permission denied: make the folder readable") from error
    if not found:
        raise UsageError(f"{folder}: no images in this folder ({', '.join(sorted(SUFFIXES))})")
    return found


def _is_image(path: Path) -> bool:
    """Return whether ``path`` is a file with the suffix of an image.

    Hidden files do not count, because macOS leaves a hidden companion beside each file
    (``._0001.png``).
    """
    named = path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    return named and path.is_file()


def read_image(
    path: Path, max_pixels: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Read an image as sRGB, turned upright by its EXIF tag.

    Args:
        path: the image.
        max_pixels: the most pixels that it may have. None means no limit.

    Returns:
        The picture (H, W, 3) uint8 sRGB, and its alpha (H, W) uint8, None if all is opaque.

    Raises:
        UsageError: the file does not exist, is not an image, may not be read, or has more than
            ``max_pixels``, which is checked before anything is decoded.
    """
    with _opened(path, max_pixels) as image:
        profile = image.info.get("icc_profile")
        eight = in_eight_bits(ImageOps.exif_transpose(image))
        rgba = np.asarray(_in_srgb(eight, profile).convert("RGBA"))
    return split_alpha(rgba)


def _size(path: Path, max_pixels: int | None) -> tuple[int, int]:
    """Return the width and height of the picture that ``read_image`` would return, from its header.

    Raises:
        UsageError: as ``read_image``, but for what is damaged after the header.
    """
    with _opened(path, max_pixels) as image:
        width, height = image.size
        # Pillow decodes all of a PNG to see whether its tags come last, which is rare.
        has_tags = image.format != "PNG" or "exif" in image.info
        is_turned = has_tags and image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
    return (height, width) if is_turned else (width, height)


@contextmanager
def _opened(path: Path, max_pixels: int | None) -> Iterator[Image.Image]:
    """Open an image, and have whatever goes wrong with it told in one line."""
    if not path.is_file():
        raise UsageError(f"{path}: no such image: check the name")
    try:
        with Image.open(path, formats=STILL_FORMATS) as image:
            check_pixels(path, *image.size, max_pixels)
            yield image
    except UsageError:
        raise
    except PermissionError as error:
        raise UsageError(f"{path}: permission denied: make it readable") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: the picture is too large to be opened safely") from error
    except Exception as error:  # damage can make Pillow raise any error
        raise UsageError(f"{path}: cannot be read as an image: use a JPEG or PNG") from error


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture from the colors of its ICC ``profile`` to sRGB.

    It is returned unchanged if the profile is missing, damaged, or for another kind of colors than
    the picture has.
    """
    if not profile:
        return image
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    try:
        found = ImageCms.profileToProfile(
            image.convert(OPAQUE_MODES.get(image.mode, image.mode)),
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    assert found is not None
    if alpha is not None:
        found.putalpha(alpha)
    return found


def _profile_name(path: Path) -> str:
    """Return the name of an image's ICC profile, or "sRGB" without a readable one."""
    try:
        with Image.open(path, formats=STILL_FORMATS) as image:
            profile = image.info.get("icc_profile")
            name = profile and ImageCms.getProfileDescription(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return "sRGB"
    return f"{' '.join(name.split())} (ICC)" if name else "sRGB"


def in_eight_bits(image: Image.Image) -> Image.Image:
    """Scale a gray picture of 16 or 32 bits or of floats to 8 bits.

    Pillow's ``convert`` would clip the values instead of scaling them. Other pictures are returned
    unchanged.

    The value of white is guessed from the largest value: 1, 255, 65,535 or all 32 bits. If floats
    exceed 255, their largest value becomes white.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image, np.float64))
    largest = float(values.max())
    steps: tuple[float, ...] = (255.0, 65535.0, 2.0**31 - 1)
    if image.mode == "F":
        steps = (1.0, 255.0)
    if image.mode.startswith("I;16"):
        steps = (65535.0,)
    white = next((step for step in steps if largest <= step), largest)
    return Image.fromarray(np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8))


def split_alpha(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Split RGBA (H, W, 4) uint8 into RGB (H, W, 3) and alpha (H, W).

    The alpha is None if every pixel is opaque.
    """
    alpha = rgba[..., 3]
    return np.ascontiguousarray(rgba[..., :3]), None if alpha.min() == 255 else alpha.copy()


class StillsClip:
    """A clip of still images at 25 frames per second.

    Args:
        path: the image, folder or glob that the clip was opened from.
        images: the images in order.
        max_pixels: the most pixels that an image may have. None means no limit.

    Raises:
        UsageError: the first image cannot be read or is too large.
    """

    def __init__(self, path: Path, images: list[Path], max_pixels: int | None = None) -> None:
        self.images, self.max_pixels = images, max_pixels
        self.fit = False
        """Whether images that differ in size from the first are cropped and scaled, not refused."""
        self.notes: list[str] = []
        rgb, alpha = read_image(images[0], max_pixels)
        self.info = ClipInfo(
            path=path,
            kind="stills",
            container="still" if images == [path] else "folder",
            codec=images[0].suffix.lower().removeprefix("."),
            width=rgb.shape[1],
            height=rgb.shape[0],
            frames=len(images),
            duration=len(images) / STILLS_RATE,
            time_base=1 / STILLS_RATE,
            rate=STILLS_RATE,
            alpha=alpha is not None,
            color=_profile_name(images[0]),
        )

    def __iter__(self) -> Iterator[Frame]:
        return self.since(Fraction(0))

    def check_sizes(self, first: int = 0, last: int | None = None) -> None:
        """Check in the headers that images are as large as the first one of all.

        Args:
            first, last: the number of the first image to check, from 0 on, and of the one after the
                last. None checks all that follow.

        Raises:
            UsageError: one has another size, or cannot be read.
        """
        for path in self.images[first:last]:
            self._check_size(path, *_size(path, self.max_pixels))

    def _check_size(self, path: Path, width: int, height: int) -> None:
        if (width, height) != (self.info.width, self.info.height):
            raise UsageError(
                f"{path}: its size {width}x{height} is not that of the first image, "
                f"{self.info.width}x{self.info.height}: make all images the same size"
            )

    def since(self, time: Fraction) -> Iterator[Frame]:
        """Yield the frames from the one shown at ``time`` (in seconds) on."""
        shape = (self.info.height, self.info.width)
        self.notes = []
        first = int(max(time, Fraction(0)) * STILLS_RATE)
        for index, path in enumerate(self.images[first:], first):
            rgb, alpha = read_image(path, self.max_pixels)
            if self.fit and rgb.shape[:2] != shape:
                rgb, alpha = _covering(rgb, alpha, shape)
            self._check_size(path, *rgb.shape[1::-1])
            yield Frame(rgb, index / STILLS_RATE, 1 / STILLS_RATE, alpha)


def _covering(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Crop a picture around its center and scale it to ``shape`` (height, width)."""
    picture = Image.fromarray(rgb if alpha is None else np.dstack([rgb, alpha]))
    fitted = ImageOps.fit(picture, shape[::-1], Image.Resampling.BICUBIC)
    return split_alpha(np.asarray(fitted.convert("RGBA")))


def save_image(
    path: Path,
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None = None,
    suffix: str | None = None,
) -> None:
    """Write a picture as PNG, or as JPEG without its alpha.

    Args:
        path: the file to write.
        rgb: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8. None means opaque.
        suffix: the suffix that selects the format. None means that of ``path``.
    """
    path.write_bytes(encoded_image(rgb, alpha, suffix or path.suffix.lower()))


def encoded_image(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None, suffix: str = ".png"
) -> bytes:
    """Encode a picture as PNG, or as JPEG without its alpha.

    Args:
        rgb: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8. None means opaque.
        suffix: ".jpg" or ".jpeg" for JPEG. Any other means PNG.

    Returns:
        The encoded file.
    """
    if suffix in (".jpg", ".jpeg"):
        return bytes(iio.imwrite("<bytes>", rgb, extension=".jpg", quality=95, subsampling=0))
    mark = PngInfo()
    mark.add_text("Software", SOFTWARE)
    picture = rgb if alpha is None else np.dstack([rgb, alpha])
    return bytes(iio.imwrite("<bytes>", picture, extension=".png", pnginfo=mark))
