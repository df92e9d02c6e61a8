"""The styles of a plan: pictures, or names that a model knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.errors import UsageError, unknown
from ..core.images import Image
from ..networks.transformer import TransformerNet
from ..objective.styles import StyleSchedule, schedule_from_options, style_picture, trimmed
from ..settings import Settings

StyleLike = str | Path | tuple[str | Path, float]
"""A picture, or (picture, weight)."""
Later = tuple[float, StyleLike]
"""The style from so many seconds on."""
MaskLike = str | Path | tuple[str | Path, str | Path | None]
"""A mask of what is not to be painted, or (mask, picture) of what is to look like that."""
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
