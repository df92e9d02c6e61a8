"""The styles of a plan: pictures, or names that a model knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np

from ..core.errors import UsageError, unknown
from ..core.images import Image
from ..networks.transformer import TransformerNet
from ..objective.styles import (
    StyleSchedule,
    brush_of,
    default_scale,
    scale_for,
    schedule_from_options,
    style_picture,
    trimmed,
)
from ..settings import Settings

StyleLike = str | Path | tuple[str | Path, float]
"""A picture, or (picture, weight)."""
Later = tuple[float, StyleLike]
"""The style from so many seconds on."""
MaskLike = str | Path | tuple[str | Path, str | Path | None]
"""A mask of what is not to be painted, or (mask, picture) of what is to look like that."""
FINEST_STROKES = 3.0
"""Pixels. Thinner strokes would look like grain."""
SOFT, VERY_SOFT = 2.0, 4.0
"""A style that is enlarged so many times has soft strokes; and so soft ones that it is told, though
nobody asked for a brush."""
NO_PICTURE: Image = np.zeros((1, 1, 3), np.uint8)
"""Stands for a style of a model that is known only by its name."""


def schedule_of(
    styles: Sequence[StyleLike],
    style_at: Sequence[Later],
    masks: Sequence[MaskLike],
    settings: Settings,
    model: TransformerNet | None,
) -> StyleSchedule:
    """Read the styles, and say which of them is wanted when and where.

    Args:
        styles: from the beginning on.
        style_at: later ones.
        masks: and their styles.
        settings: whether plain borders are cut off, and a report is wanted.
        model: whose styles are meant. None means pictures.

    Raises:
        UsageError: a picture that cannot be read, a name that the model does not know, weights that
            make no sense, or no style at all.
    """
    first = [style_and_weight(style) for style in styles]
    later = [(float(time), *style_and_weight(style)) for time, style in style_at]
    covers = [mask_and_style(mask) for mask in masks]
    if model is not None:
        return _of_model(model, first, later, covers, settings)
    if not first and not later and settings.style_weight:
        raise UsageError("no style: name a picture with --style")
    if settings.report and not first and not later:
        raise UsageError("a report needs a style to compare with: name one with --style")
    paths = [path for path, _ in first] + [path for _, path, _ in later]
    paths += [path for _, path in covers if path is not None]
    notes: list[str] = []
    pictures = {path: _picture(path, settings, notes) for path in dict.fromkeys(paths)}
    return replace(schedule_from_options(first, later, covers, pictures), notes=tuple(notes))


def _picture(path: Path, settings: Settings, notes: list[str]) -> Image:
    """Read a style, and add to the ``notes`` if a border was cut off."""
    whole = style_picture(path, settings.max_pixels)
    picture = trimmed(whole) if settings.trim else whole
    if picture.shape != whole.shape:
        before, after = (f"{one.shape[1]}x{one.shape[0]}" for one in (whole, picture))
        notes.append(
            f"{path}: its plain border is cut off, {before} becomes {after} (--no-trim keeps it)"
        )
    return picture


def _of_model(
    model: TransformerNet,
    first: Sequence[tuple[Path, float]],
    later: Sequence[tuple[float, Path, float]],
    covers: Sequence[tuple[Path, Path | None]],
    settings: Settings,
) -> StyleSchedule:
    """Return a schedule of a model's styles, called by their names or pictures of these names."""
    about = model.config
    if len(set(about.styles)) < len(about.styles):
        raise UsageError(
            f"{settings.model}: holds two styles of the same name, which cannot be told apart"
        )
    pictures = {Path(name): NO_PICTURE for name in about.styles}
    notes: list[str] = []

    def named(path: Path) -> Path:
        name = Path(str(path) if str(path) in about.styles else path.stem)
        if name not in pictures:
            raise unknown(f"style of {settings.model}", str(path), about.styles)
        if path.is_file():
            pictures[name] = _picture(path, settings, notes)
        return name

    wanted = [(named(path), weight) for path, weight in first]
    if not wanted and not later:
        wanted = [(Path(n), w) for n, w in zip(about.styles, about.weights, strict=True)]
    changes = [(time, named(path), weight) for time, path, weight in later]
    inside = [(mask, None if style is None else named(style)) for mask, style in covers]
    schedule = schedule_from_options(wanted, changes, inside, pictures)
    schedule = replace(schedule, names=about.styles, notes=tuple(dict.fromkeys(notes)))
    if settings.report and any(picture is NO_PICTURE for picture in schedule.pictures):
        raise UsageError("a report needs the pictures of the model's styles: name them by --style")
    return schedule


def brush_told(pictures: Sequence[Image], size: tuple[int, int], settings: Settings) -> str:
    """Say how broad the strokes of a painting of this ``size`` (width, height) will be."""
    found = [
        f"{brush:.2g} % ({brush / 100 * min(size):.0f} pixels)"
        for brush in _brushes(pictures, size, settings)
    ]
    return ", ".join(dict.fromkeys(found)) or "unknown"


def brush_notes(
    pictures: Sequence[Image], size: tuple[int, int], settings: Settings
) -> Iterator[str]:
    """Say if strokes as broad as wanted have too few pixels, in the painting or in a style."""
    brush = settings.brush
    pixels = FINEST_STROKES if brush is None else brush / 100 * min(size)
    if pixels < FINEST_STROKES:
        yield (
            f"--brush {brush:g} is {pixels:.1f} pixels at {size[0]}x{size[1]}, too fine to be "
            f"painted: use --size {ceil(max(size) * FINEST_STROKES / pixels)}, or a broader brush"
        )
    for picture in _known(pictures):
        area = picture.shape[0] * picture.shape[1]
        if brush is None:
            scale, most = settings.style_scale or default_scale(picture, size, size), VERY_SOFT
            why = instead = ""
        else:
            scale, most = scale_for(brush, picture, size), SOFT
            why, instead = f" for --brush {brush:g}", ", or a finer brush"
        enlarged = scale * (size[0] * size[1] / area) ** 0.5
        if enlarged > most:
            height, width = picture.shape[:2]
            yield (
                f"a style of {width}x{height} is enlarged {enlarged:.1f} times{why}, which makes "
                f"its strokes soft: use a larger picture{instead}"
            )


def with_brush_of(pictures: Sequence[Image], size: tuple[int, int], settings: Settings) -> Settings:
    """Return the settings of a smaller painting with strokes as broad, relative to it, as those of
    a painting of this ``size`` (width, height)."""
    painted = _known(pictures)
    if settings.brush is not None or settings.style_scale is not None or not painted:
        return settings
    scale = min(default_scale(picture, size, size) for picture in painted)
    return replace(settings, style_scale=scale)


def with_brush_of_part(
    pictures: Sequence[Image], size: tuple[int, int], part: tuple[int, int], settings: Settings
) -> Settings:
    """Return the settings of a picture that is a ``part`` (width, height) of a painting of this
    ``size``, with strokes of as many pixels."""
    settings = with_brush_of(pictures, size, settings)
    if settings.brush is not None and pictures:
        scale = scale_for(settings.brush, pictures[0], size)
        settings = replace(settings, brush=None, style_scale=scale)
    if settings.style_scale is None:
        return settings
    larger = (size[0] * size[1] / (part[0] * part[1])) ** 0.5
    return replace(settings, style_scale=settings.style_scale * larger)


def _known(pictures: Sequence[Image]) -> list[Image]:
    """Return those that are more than the name of a model's style."""
    return [picture for picture in pictures if picture is not NO_PICTURE]


def _brushes(
    pictures: Sequence[Image], size: tuple[int, int], settings: Settings
) -> Iterator[float]:
    """Yield the breadth of the strokes after each of the ``pictures``, in percent."""
    for picture in _known(pictures):
        scale = settings.style_scale or default_scale(picture, size, size)
        yield settings.brush or brush_of(scale, picture, size)


def several(style: StyleLike | Sequence[StyleLike]) -> list[StyleLike]:
    """Return one style, or a sequence of them, as a list."""
    single = isinstance(style, (str, Path)) or (
        isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], (int, float))
    )
    return [style] if single else list(style)  # type: ignore[list-item,arg-type]


def style_and_weight(style: StyleLike) -> tuple[Path, float]:
    """Return the picture of a style, and its weight: 1 if none is given."""
    path, weight = style if isinstance(style, tuple) else (style, 1.0)
    return Path(path), float(weight)


def mask_and_style(mask: MaskLike) -> tuple[Path, Path | None]:
    """Return the file of a mask, and the picture that its inside is to look like, if any."""
    path, style = mask if isinstance(mask, tuple) else (mask, None)
    return Path(path), None if style is None else Path(style)
