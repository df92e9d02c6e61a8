"""Where a painting goes: its name, its format, its size, and what is written beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from .. import media
from ..core import files
from ..core.errors import UsageError, unknown
from ..media import Clip, ClipInfo, Format
from ..media.formats import SAME_SUFFIX, FormatKind, named_format
from ..settings import AUTO_SIZE, SMALLEST_SIZE, Settings

FEW_STROKES = 256
"""Pixels of the longer side. A smaller painting has room for few strokes."""


@dataclass(frozen=True)
class Output:
    """Where a painting goes, and what is written beside it."""

    path: Path
    format: Format
    folder: Path | None = None
    """A folder to be made for it."""
    overwrite: bool = False
    """Whether what exists there may be replaced."""
    sheet: Path | None = None
    """The contact sheet of a preview."""
    plot: Path | None = None
    """The losses, drawn as a picture."""
    snapshots: Path | None = None
    """The folder of pictures of frames on their way."""

    @property
    def stem(self) -> str:
        """The file's name without the suffix, if that says the format."""
        return self.path.name if self.format.kind == "folder" else self.path.stem

    def beside(self, ending: str) -> Path:
        """Return a path beside it with the same stem, such as ``clip.picasso.plot.png``."""
        return self.path.with_name(files.fitting(f"{self.stem}{ending}"))

    @property
    def journal(self) -> Path:
        """The folder of its journal and its lock, by its whole name: an mp4 and a GIF of one clip
        are two paintings."""
        return journal_of(self.path)

    @property
    def partial(self) -> Path:
        """The file for what is painted when the work ends early, if that is wanted."""
        return self.beside(f".partial{'' if self.format.kind == 'folder' else self.path.suffix}")

    @property
    def writes(self) -> tuple[Path, ...]:
        """All files and folders that a whole painting leaves."""
        return tuple(p for p in (self.path, self.sheet, self.plot, self.snapshots) if p)

    def with_extras(self, settings: Settings, sheet: bool) -> Output:
        """Return it with the extras that ``settings`` ask for, and perhaps a contact ``sheet``."""
        plain = self.beside(".png")
        return replace(
            self,
            sheet=(self.beside(".sheet.png") if plain == self.path else plain) if sheet else None,
            plot=self.beside(".plot.png") if settings.plot else None,
            snapshots=self.beside(".snapshots") if settings.snapshots else None,
        )


def journal_of(output: Path) -> Path:
    """Return the folder of the journal of an ``output``."""
    return output.with_name(f".{files.fitting(output.name, len('..vidstyle'))}.vidstyle")


def is_folder(output: str | Path) -> bool:
    """Whether ``output`` names a folder for paintings: it exists as one, or ends in a slash."""
    return os.fspath(output).endswith(("/", os.sep)) or Path(output).is_dir()


def output_of(
    info: ClipInfo,
    styles: tuple[str, ...],
    output: str | Path | None,
    preview: bool,
    settings: Settings,
) -> Output:
    """Decide the path and the format of the output.

    Args:
        info: of the clip. By default the output is beside it, in the same format if possible.
        styles: the names of the styles, for the output's name.
        output: as named by the user: a file, or a folder to put the painting into. A folder that
            vidstyle has written is itself a painting.
        preview: whether to call it a preview.
        settings: may name the format.

    Raises:
        UsageError: the format is unknown, or the file's name contradicts ``settings``.
    """
    asked = settings.format
    if asked is not None and asked not in media.FORMATS:
        raise unknown("format", asked, media.FORMATS)
    name = _name(info, styles, preview, asked)
    if output is None:
        return _with_format(_absolute(info.path).with_name(name), info, asked)
    path = Path(output)
    if is_folder(output) and not _is_painting(output, asked):
        made = None if path.is_dir() else path
        inside = _with_format(path / name, info, asked)
        return Output(inside.path, inside.format, made)
    named = named_format(path)
    if asked and named and asked != named.name and {asked, named.name} != SAME_SUFFIX:
        raise UsageError(f"{path}: its name says {named.name}, and --format {asked}: leave out one")
    if asked is None and named is None and path.suffix:
        raise unknown("output format", path.suffix.lower().removeprefix("."), media.FORMATS)
    return _with_format(path, info, asked or (None if named else "folder"))


def _is_painting(output: str | Path, asked: str | None) -> bool:
    """Whether an existing folder was written by an earlier run under this name."""
    if os.fspath(output).endswith(("/", os.sep)) or asked not in (None, "folder"):
        return False
    return bool(asked or not Path(output).suffix) and files.is_own_folder(Path(output))


def _with_format(path: Path, info: ClipInfo, asked: str | None) -> Output:
    if asked is not None:
        return Output(path, media.FORMATS[asked])
    if info.container == "folder" and named_format(path) is None:
        return Output(path, media.FORMATS["folder"])
    file_format = media.format_of(path)
    if file_format.name == "png" and info.kind == "animation":
        file_format = media.FORMATS["apng"]
    return Output(path, file_format)


def _absolute(path: Path) -> Path:
    """Return ``path`` from the root, with any ``..`` resolved, which cannot name an output."""
    return Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow links, too


def _name(info: ClipInfo, styles: tuple[str, ...], preview: bool, asked: str | None) -> str:
    """Return ``clip.picasso.mp4``, with the clip's own suffix if that can be written."""
    path = _absolute(info.path)
    if info.container != "folder":
        stem = path.stem
    elif info.path.is_dir():
        stem = path.name
    else:  # a glob
        stem = path.parent.name
    suffix = _suffix(info) if asked is None else media.FORMATS[asked].suffix
    style = "+".join(styles).replace("/", "_").replace("\\", "_") or "painted"
    return files.fitting(f"{stem}.{style}{'.preview' * preview}{suffix}")


def _suffix(info: ClipInfo) -> str:
    suffix = info.path.suffix.lower()
    if info.container == "folder":
        return ""
    if info.kind == "video":
        return suffix if _is_of(suffix, "video") else ".mp4"
    if info.kind == "animation":
        return {"gif": ".gif", "apng": ".png"}.get(info.container, ".webp")
    return suffix if _is_of(suffix, "still") else ".png"


def _is_of(suffix: str, kind: FormatKind) -> bool:
    """Whether a file with this suffix is written as this kind of format."""
    named = named_format(Path(f"name{suffix}"))
    return named is not None and named.kind == kind


def check_encoding(output: Output, size: tuple[int, int], settings: Settings) -> list[str]:
    """Check that the output can hold frames of ``size`` (width, height).

    Returns:
        Notes about what will differ from what was asked for.

    Raises:
        UsageError: the format cannot hold frames of this size, or the codec is unknown.
    """
    file_format = output.format
    if file_format.largest is not None and max(size) > file_format.largest:
        raise UsageError(
            f"a {file_format.name} is at most {file_format.largest} pixels wide and high, not "
            f"{size[0]}x{size[1]}: use a smaller --size, or another format"
        )
    if file_format.kind == "video":
        codec = media.check_codec(file_format, settings.codec, settings.crf)
        written = codec.written(*size)
        if written == size:
            return []
        before, after = ("x".join(map(str, one)) for one in (size, written))
        name = settings.codec or file_format.codecs[0]
        return [f"{name} has no odd sizes: {before} is written as {after}, with its edge repeated"]
    if settings.codec is not None and settings.codec not in media.CODECS:
        raise unknown("codec", settings.codec, media.CODECS)
    given = [f"--{name}" for name in ("codec", "crf") if getattr(settings, name) is not None]
    if not given:
        return []
    verb = "has" if len(given) == 1 else "have"
    return [f"{file_format.name} has no codec: {', '.join(given)} {verb} no effect"]


def size_of(
    clip: Clip, settings: Settings, file_format: Format, largest: int | None = None
) -> tuple[int, int]:
    """Return the width and height of the painting, which are even in videos.

    Args:
        clip: the clip.
        settings: say the longer side.
        file_format: of the output.
        largest: pixels of the longer side, at most. None means no limit.

    Raises:
        UsageError: the clip is too small to be painted without being enlarged.
    """
    info = clip.info
    across = info.width
    if file_format.kind != "video":  # pictures have square pixels
        across = max(1, round(across * info.sample_aspect))
    source = max(across, info.height)
    named = settings.size if isinstance(settings.size, int) else source
    if named < SMALLEST_SIZE:
        raise UsageError(
            f"{info.path}: {info.width}x{info.height} is too small to be painted: "
            f"use --size {SMALLEST_SIZE} or more"
        )
    if settings.size == "auto":
        named = min(named, AUTO_SIZE)
    longer = min(named, largest or named)
    if settings.size == "full" and longer == source:
        return across, info.height
    step = 2 if file_format.kind == "video" else 1
    scale = Fraction(longer, source)

    def scaled(side: int) -> int:
        steps = round(side * scale / step)
        if scale <= 1:  # an odd side does not grow by being rounded
            steps = min(steps, side // step)
        return max(step, steps * step)

    return scaled(across), scaled(info.height)


def loop_notes(info: ClipInfo, settings: Settings, file_format: Format) -> list[str]:
    """Return a note if an animation is to play more often than its format can store."""
    plays, most = media.loop_count(info, settings.loop), file_format.most_plays
    if most is None or plays <= most:
        return []
    return [f"{file_format.name} plays {most} times at most, not {plays}"]


def size_notes(clip: Clip, settings: Settings, size: tuple[int, int]) -> list[str]:
    """Return a note if the painting is small because its clip is."""
    if settings.size != "auto" or max(size) >= FEW_STROKES:
        return []
    width, height = size
    return [
        f"{clip.info.path}: {width}x{height} has room for few strokes: "
        f"--size {AUTO_SIZE} enlarges it"
    ]
