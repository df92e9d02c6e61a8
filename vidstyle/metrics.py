"""Quality measures of a painted clip that reveal holes, smears and frozen figures.

The loss and the warping error of whole frames look excellent even if everything that moves is
frozen or left unpainted. So the part that moves is measured separately, and the results are
related to those of the source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import media, networks
from .core.errors import UsageError
from .core.events import Listener, LookedAt, Notice
from .core.faces import Face
from .core.frames import Frame
from .core.images import Field, Image, difference, resized, unit
from .media import Clip
from .objective import losses
from .objective.styles import at_scale, style_picture, trimmed
from .settings import Settings, seconds
from .subjects.faces import FaceDetector
from .subjects.tracks import nearest
from .temporal import flow
from .temporal.truth import Seen, TrueMotion

GAP = 5
"""Distance, in frames, between the two frames of the long warping error …"""
FAR = 10
"""… and of the long root mean square error."""
JUDGE = "farneback"
"""The flow by which it is measured: not the default one, which has carried the paint."""
MOVING_SPEED = 1.0
"""Pixels per frame. A pixel that is faster is moving."""
STILL_SPEED = 0.25
"""Pixels per frame. A pixel that is slower may be still."""
CHANGED = 8.0
"""Levels of 255 by which the source of a still pixel may change, because video is noisy."""
SHORTER = 0.9
"""A painting shorter than this share of its source is assumed to show only a part of it."""
FINE_SIGMA = 1.5
"""Standard deviation, in pixels, of the blur that removes high frequencies."""
DIRECTIONS, QUANTILES, POSITIONS = 48, 128, 20_000
"""Numbers of directions, of quantiles and of positions (at most) in the Wasserstein distance."""
EDGE_WIDTH, EDGE_BESIDE = 3, 8
"""Widths, in pixels, of the outermost strip of a frame and of the strip it is compared with."""
UNKNOWN_FIGURES = (
    *("rmse", "rmse_source", "rmse_far", "rmse_far_source"),
    *("faces", "faces_found", "faces_moved"),
)
"""Figures that are None where there is nothing to measure."""
FEATURES_OF_FACE = 4
"""The first points of a face are its eyes, its nose and its mouth."""
LEAST_CHROMA = 1.0
"""Added to chroma (of CIELAB) before it is compared, since that of gray is hardly defined."""


@dataclass(frozen=True)
class Metrics:
    """Means over the frames of a painted clip. Lower is better unless stated otherwise."""

    frames: int
    style: float
    """Relative error of the Gram matrices (``losses.style_loss``), mean over the layers."""
    texture: float
    """Sliced Wasserstein distance between the features and those of the style (Heitz et al. 2021).

    It is relative to the spread of the style's features, and a mean over the layers. No engine
    minimizes it, so it is an independent check of ``style``.
    """
    content: float
    """Relative error of the content (``losses.content_loss``)."""
    moving: float
    """Share of pixels that move or were just uncovered, called moving pixels below."""
    hole: float
    """``style`` of the moving pixels, over that of the unpainted source: near 1 if unpainted."""
    smear: float
    """``content`` of the moving pixels, over that of the others: above 1 if shapes are lost."""
    content_moving: float
    """``content`` of the moving pixels."""
    rmse: float | None
    """Root mean square change, of values in 0..1, along the source's motion, where both frames show
    the same.

    The motion is the true one if it is known; otherwise as estimated by another flow than the one
    that carries the paint. None if it is not known.
    """
    rmse_source: float | None
    """The same for the source."""
    rmse_far: float | None
    """``rmse`` for frames that are ten apart. None if there are none, or their motion is not
    known."""
    rmse_far_source: float | None
    """The same for the source."""
    warping: float
    """Mean squared change along the source's flow, of values in 0..1 (Lai et al. 2018).

    By the flow that carries the paint by default, which flatters it: see ``rmse``.
    """
    warping_source: float
    """The same for the source."""
    warping_long: float
    """``warping`` for frames that are five apart."""
    motion: float
    """Error of the painted clip's flow where the source moves, relative to the source's flow.

    It is 1 if the painting is frozen.
    """
    flicker: float
    """Mean change, in levels of 255, of pixels that are still in the source."""
    flicker_source: float
    """The same for the source."""
    drift: float
    """Change of the mean color from the first frame to the last, in levels of 255."""
    drift_source: float
    """The same for the source: a clip may grow darker by itself."""
    contrast: float
    """Ratio of the last frame's high-frequency contrast to the first's, over that of the source.

    It is 1 if contrast is neither lost nor gained.
    """
    edge: float
    """Difference of the outermost pixels from those beside them, in standard deviations.

    It is that of the side where it is largest. High values mean a visible border around the frame.
    """
    edge_source: float
    """The same for the source."""
    edge_chroma: float
    """Ratio of the outermost pixels' chroma to that of the pixels beside them.

    It is 1 if they are as colorful. High values mean a fringe around the frame.
    """
    edge_chroma_source: float
    """The same for the source."""
    seam: float
    """Change from the last frame to the first, relative to the median change between frames.

    It is about 1 if a loop closes.
    """
    seam_source: float
    """The same for the source."""
    faces: float | None = None
    """Faces of the source, per frame. None if they were not asked for."""
    faces_found: float | None = None
    """The share of these faces that are still seen in the painting. Higher is better. None if there
    are none."""
    faces_moved: float | None = None
    """How far the eyes, noses and mouths of those have moved, in distances of the eyes. None if
    there are none."""


def measure(
    source: str | Path,
    painted: str | Path,
    style: str | Path,
    *,
    start: float = 0.0,
    max_frames: int | None = None,
    max_pixels: int | None = None,
    faces: bool = False,
    flow: str = JUDGE,
    flow_truth: str | Path | None = None,
    listener: Listener = lambda event: None,
) -> Metrics:
    """Measure the quality of a painted clip.

    Args:
        source: the clip that was painted.
        painted: the painting.
        style: the picture that it was painted like. A plain border of it is cropped.
        start: the time of the source at which the painting begins, in seconds.
        max_frames: how many frames to measure. None means all.
        max_pixels: the most pixels of a frame or picture to accept. None means any number.
        faces: whether to look for faces, too.
        flow: the estimator of the motion for ``Metrics.rmse``: farneback, raft or dis. It should
            not be the one that carried the paint.
        flow_truth: a folder of the true motion, which is taken instead (see ``TrueMotion``). Its
            numbers count the frames that are measured, from 1 on.
        listener: called with ``LookedAt`` for each frame, and with notices.

    Raises:
        UsageError: an input cannot be read, the flow is unknown, or the clips have fewer than two
            frames in common.
    """
    truth = None if flow_truth is None else TrueMotion.of(Path(flow_truth))
    look = trimmed(style_picture(Path(style), max_pixels))
    before, after = (media.open_clip(clip, max_pixels) for clip in (source, painted))
    accumulator: MetricAccumulator | None = None
    frames = min(filter(None, (after.info.frames, max_frames)), default=None)
    for number, pair in enumerate(islice(pairs(before, after, seconds(start)), max_frames), 1):
        accumulator = accumulator or MetricAccumulator(look, pair[1].shape, faces, flow, truth)
        accumulator.add(*pair)
        listener(LookedAt(number, frames))
    if accumulator is None or not accumulator.steps:
        raise UsageError(f"{painted}: fewer than two frames: nothing to measure in time")
    lengths = [clip.info.duration for clip in (before, after)]
    if not start and None not in lengths and lengths[1] < lengths[0] * SHORTER:  # type: ignore[operator]
        listener(
            Notice(
                f"{painted} is shorter than {source}: compared with its beginning "
                f"(--start names another part)"
            )
        )
    return accumulator.measures()


def pairs(source: Clip, painted: Clip, start: Fraction) -> Iterator[tuple[Image, Image]]:
    """Match the frames of two clips.

    Each painted frame is matched with what the source shows at the middle of its time. A painting
    that consists of stills has no times, so its frames are matched one by one.

    Args:
        source: the clip that was painted.
        painted: the painting.
        start: the time of the source at which the painting begins, in seconds.

    Yields:
        A frame of the source and its painting, both (H, W, 3) uint8 RGB at the painting's size.
    """
    shown = media.trim(source, start)
    frames = painted if painted.info.kind == "stills" else None
    both = zip(shown, frames, strict=False) if frames else _at_same_times(shown, painted)
    for before, after in both:
        fits = before.rgb.shape == after.rgb.shape
        yield before.rgb if fits else resized(before.rgb, after.rgb.shape[1::-1]), after.rgb


def _at_same_times(
    source: Iterable[Frame], painted: Iterable[Frame]
) -> Iterator[tuple[Frame, Frame]]:
    following = iter(source)
    before = next(following, None)
    for after in painted:
        middle = after.time + after.duration / 2
        while before is not None and before.time + before.duration <= middle:
            before = next(following, None)
        if before is None:
            return
        yield before, after


class MetricAccumulator:
    """Measures frames one after the other, with the default network and flow.

    Args:
        style: the style picture, (H, W, 3) uint8 RGB.
        shape: the shape of the frames, (H, W, …).
        faces: whether to look for faces, too.
        judge: the estimator of the motion for ``Metrics.rmse``.
        truth: the true motion, which is taken instead.
    """

    def __init__(
        self,
        style: Image,
        shape: tuple[int, ...],
        faces: bool = False,
        judge: str = JUDGE,
        truth: TrueMotion | None = None,
    ) -> None:
        defaults = Settings()
        self.style_layers, self.content_layers = defaults.style_layers, defaults.content_layers
        self.network = networks.load(
            defaults.network,
            defaults.weights,
            (*self.style_layers, *self.content_layers),
            device=torch.device("cpu"),
        )
        self.estimate = flow.estimator(defaults.flow)
        self.flows = flow.both_ways(self.estimate)
        self.judge, self.truth = flow.both_ways(flow.estimator(judge)), truth
        self.number = 0
        """Of the frame that was measured last, from 1 on."""
        size = shape[1], shape[0]
        target = self._features(at_scale(style, size, size))
        self.target = {name: losses.gram(target[name]) for name in self.style_layers}
        self.texture = {name: Texture(target[name]) for name in self.style_layers}
        self.rows: dict[str, list[float]] = {name: [] for name in Metrics.__dataclass_fields__}
        self.find_faces = FaceDetector() if faces else None
        self.steps: list[tuple[float, float]] = []
        self.past: deque[tuple[Image, Image]] = deque(maxlen=FAR)
        self.first: tuple[Image, Image] | None = None

    def add(self, source: Image, painted: Image) -> None:
        """Measure the next frame, given its source and its painting, both (H, W, 3) uint8 RGB."""
        moving = np.zeros(source.shape[:2], bool)
        self.number += 1
        self._errors((source, painted))
        if self.past:
            before = self.past[-1]
            forward, backward = self.flows(source, before[0])
            moving = self._along(before, (source, painted), forward, backward)
            self.steps.append((_change(source, before[0]), _change(painted, before[1])))
        if len(self.past) >= GAP:
            before = self.past[-GAP]
            forward, backward = self.flows(source, before[0])
            self.rows["warping_long"].append(_warping(painted, before[1], forward, backward))
        self._within(source, painted, moving)
        if self.find_faces is not None:
            found = (self.find_faces(picture) for picture in (source, painted))
            self._faces(*([face for face in faces if face.is_sure] for faces in found))
        self.past.append((source, painted))
        self.first = self.first or (source, painted)

    def measures(self) -> Metrics:
        """Return the measures of all frames so far.

        Raises:
            UsageError: there are fewer than two.
        """
        if self.first is None or not self.steps:
            raise UsageError("fewer than two frames: nothing to measure in time")
        rows = {name: values for name, values in self.rows.items() if name != "frames"}
        first, last = self.first, self.past[-1]
        fine = []
        for i, suffix in enumerate(("_source", "")):
            drift = np.abs(last[i].mean((0, 1)) - first[i].mean((0, 1))).max()
            rows["drift" + suffix] = [float(drift)]
            seam = _change(last[i], first[i]) / max(median(step[i] for step in self.steps), 1e-6)
            rows["seam" + suffix] = [seam]
            fine.append(_fine(last[i]) / max(_fine(first[i]), 1e-6))
        rows["contrast"] = [fine[1] / max(fine[0], 1e-6)]
        means: dict[str, Any] = {
            name: fmean(values) if values else None if name in UNKNOWN_FIGURES else 0.0
            for name, values in rows.items()
        }
        return Metrics(frames=len(self.steps) + 1, **means)

    def _errors(self, now: tuple[Image, Image]) -> None:
        """Measure the change from frames before, along the motion into this one."""
        for apart, name in ((1, "rmse"), (FAR, "rmse_far")):
            if len(self.past) < apart:
                continue
            before = self.past[-apart]
            found = self._motion(before[0], now[0], apart)
            if found is None:
                continue
            motion, seen = found
            for suffix, index in (("", 1), ("_source", 0)):
                error = _rmse(before[index], now[index], motion, seen)
                self.rows[name + suffix].append(error)

    def _motion(self, before: Image, now: Image, apart: int) -> tuple[Field, Seen] | None:
        """Return the flow of a frame into this one, and where both show the same. None if it is not
        known, or nothing is."""
        if self.truth is None:
            motion, backward = self.judge(before, now)
            seen = flow.trust(motion, backward) > 0.5
        else:
            known = self.truth.between(self.number - apart, self.number)
            if known is None:
                return None
            motion, seen = _fitting(*known, (now.shape[1], now.shape[0]))
        return (motion, seen) if seen.any() else None

    def _along(
        self,
        before: tuple[Image, Image],
        now: tuple[Image, Image],
        forward: Field,
        backward: Field,
    ) -> NDArray[np.bool_]:
        """Measure the change from one frame to the next; return where something moves (H, W)."""
        change = difference(now[0], before[0])
        same = cv2.dilate((change > CHANGED).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        speed = np.hypot(forward[..., 0], forward[..., 1])
        still = same & (speed < STILL_SPEED)  # something blurred may move with hardly any change
        moving = ~same & ((speed > MOVING_SPEED) | (flow.trust(forward, backward) < 0.5))
        moving = cv2.dilate(moving.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        for suffix, index in (("", 1), ("_source", 0)):
            error = _warping(now[index], before[index], forward, backward)
            self.rows["warping" + suffix].append(error)
            if still.any():
                step = np.abs(now[index].astype(np.float32) - before[index]).mean(-1)
                self.rows["flicker" + suffix].append(float(step[still].mean()))
        fast = moving & (speed > MOVING_SPEED)
        if fast.any():
            seen = self.estimate(now[1], before[1])
            error = np.hypot(*np.moveaxis(seen - forward, -1, 0))
            self.rows["motion"].append(float(error[fast].mean() / speed[fast].mean()))
        self.rows["moving"].append(float(moving.mean()))
        return moving

    def _within(
        self,
        source: Image,
        painted: Image,
        moving: NDArray[np.bool_],
    ) -> None:
        """Measure one frame, as a whole and where it is ``moving`` (H, W)."""
        was, now = self._features(source), self._features(painted)
        self.rows["style"].append(self._style(now))
        distances = (texture.distance(now[name]) for name, texture in self.texture.items())
        self.rows["texture"].append(fmean(distances))
        self.rows["edge"].append(_edge(painted))
        self.rows["edge_source"].append(_edge(source))
        self.rows["edge_chroma"].append(_edge_chroma(painted))
        self.rows["edge_chroma_source"].append(_edge_chroma(source))
        self.rows["content"].append(self._content(now, was))
        if not moving.any() or moving.all():
            return
        mask = torch.from_numpy(moving.astype(np.float32))[None, None]
        here, rest = (
            {name: losses.pooled(part, values.shape[2:]) for name, values in now.items()}
            for part in (mask, 1 - mask)
        )
        self.rows["hole"].append(self._style(now, here) / max(self._style(was, here), 1e-9))
        elsewhere = self._content(now, was, rest)
        self.rows["content_moving"].append(self._content(now, was, here))
        self.rows["smear"].append(self.rows["content_moving"][-1] / max(elsewhere, 1e-9))

    def _faces(self, faces: list[Face], painted: list[Face]) -> None:
        self.rows["faces"].append(len(faces))
        for face in faces:
            again = nearest(face, painted)
            self.rows["faces_found"].append(again is not None)
            if again is not None:
                apart = np.hypot(*(face.points - again.points)[:FEATURES_OF_FACE].T)
                self.rows["faces_moved"].append(float(apart.mean()) / face.eyes_apart)

    def _features(self, picture: Image) -> Mapping[str, Tensor]:
        tensor = torch.from_numpy(np.ascontiguousarray(picture)).float().div(255)
        with torch.no_grad():
            return self.network(tensor.permute(2, 0, 1)[None])

    def _style(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> float:
        return fmean(
            losses.style_loss(
                losses.gram(features[name], masks[name] if masks else None), self.target[name]
            ).item()
            for name in self.style_layers
        )

    def _content(
        self,
        features: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
        masks: Mapping[str, Tensor] | None = None,
    ) -> float:
        return fmean(
            losses.content_loss(features[n], targets[n], masks[n] if masks else None).item()
            for n in self.content_layers
        )


class Texture:
    """The distribution of a style's features along random directions.

    Args:
        features: of one layer (1, C, h, w).
    """

    def __init__(self, features: Tensor) -> None:
        generator = torch.Generator().manual_seed(0)
        directions = torch.randn(features.shape[1], DIRECTIONS, generator=generator)
        self.directions = directions / directions.norm(dim=0)
        self.wanted = self._quantiles(features)
        self.spread = float(self.wanted.std(0).mean())

    def distance(self, features: Tensor) -> float:
        """Return the mean distance of the style's quantiles to those of ``features`` (1, C, h, w).

        It is relative to the standard deviation of the style's quantiles.
        """
        error = (self._quantiles(features) - self.wanted).abs().mean()
        return float(error) / max(self.spread, 1e-9)

    def _quantiles(self, features: Tensor) -> Tensor:
        rows = features[0].flatten(1).T.float()
        rows = rows[:: -(-len(rows) // POSITIONS)]
        shares = torch.linspace(0, 1, QUANTILES)
        return torch.quantile(rows @ self.directions, shares, dim=0)


def _edge(picture: Image) -> float:
    """Return ``Metrics.edge`` of a ``picture`` (H, W, 3)."""
    gray = picture.astype(np.float32).mean(-1)
    across, down = gray.mean(0), gray.mean(1)
    sides = [across, across[::-1], down, down[::-1]]
    steps = [
        abs(side[:EDGE_WIDTH].mean() - side[EDGE_WIDTH:][:EDGE_BESIDE].mean())
        for side in sides
        if len(side) > EDGE_WIDTH
    ]
    return float(max(steps, default=0.0) / max(float(gray.std()), 1e-6))


def _edge_chroma(picture: Image) -> float:
    """Return ``Metrics.edge_chroma`` of a ``picture`` (H, W, 3)."""
    lab = cv2.cvtColor(unit(picture), cv2.COLOR_RGB2LAB)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    if min(chroma.shape) <= 2 * (EDGE_WIDTH + EDGE_BESIDE):
        return 1.0
    strips = (_frame_of(chroma, 0, EDGE_WIDTH), _frame_of(chroma, EDGE_WIDTH, EDGE_BESIDE))
    outermost, beside = (float(strip.mean()) + LEAST_CHROMA for strip in strips)
    return outermost / beside


def _frame_of(values: Field, begin: int, width: int) -> Field:
    """Return what lies in a strip along all sides, ``begin`` pixels from them, as one row (N,)."""
    whole = values[begin : len(values) - begin, begin : values.shape[1] - begin]
    sides = whole[:, :width], whole[:, -width:], whole[:width, width:-width]
    return np.concatenate([side.ravel() for side in (*sides, whole[-width:, width:-width])])


def _warping(now: Image, before: Image, forward: Field, backward: Field) -> float:
    """Return Σ c·(x − W(before))² / Σ c for values in 0..1, where c is 1 if the flow is trusted."""
    trust = (flow.trust(forward, backward) > 0.5).astype(np.float32)
    warped = flow.warp(before.astype(np.float32), forward)
    error = np.square((now - warped) / 255).mean(-1)
    return float((trust * error).sum() / max(float(trust.sum()), 1.0))


def _rmse(before: Image, now: Image, motion: Field, seen: Seen) -> float:
    """Return √(mean (x − W(now))²) for values in 0..1 where both are seen (H, W), given the motion
    (H, W, 2) of ``before`` into ``now``."""
    warped = flow.warp(now.astype(np.float32), motion, cv2.INTER_CUBIC)
    return float(np.sqrt(np.square((before - warped) / 255).mean(-1)[seen].mean()))


def _fitting(motion: Field, seen: Seen, size: tuple[int, int]) -> tuple[Field, Seen]:
    """Return a flow, and where it is seen, for frames of another ``size`` (width, height)."""
    height, width = seen.shape
    if (width, height) == size:
        return motion, seen
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    large = cv2.resize(motion * scale, size, interpolation=cv2.INTER_LINEAR)
    there = cv2.resize(seen.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(large, np.float32), there


def _change(one: Image, other: Image) -> float:
    return float(np.abs(one.astype(np.float32) - other).mean())


def _fine(picture: Image) -> float:
    """Return the standard deviation of the high frequencies of a ``picture`` (H, W, 3)."""
    values = picture.astype(np.float32)
    return float((values - cv2.GaussianBlur(values, (0, 0), FINE_SIGMA)).std())
