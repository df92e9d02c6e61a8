"""Optical flow between two frames of the source, its confidence, and warping along it.

A flow w (H, W, 2), float32, in pixels, belongs to a frame and points into another one: the pixel at
p of the frame is at p + w(p) in the other. Warping the other frame *back* along the flow aligns it
with the frame. (Negating the opposite flow instead is a common error. That flow belongs to the
pixels of the other frame.)
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import UsageError, unknown
from ..core.images import Field, Image, resized

Estimator = Callable[[Image, Image], Field]
"""Estimates the flow of a frame into another one, given both (H, W, 3)."""
Pixels = TypeVar("Pixels", Image, Field)
FlowPair = Callable[[Image, Image], tuple[Field, Field]]
"""Estimates the flow of a frame into another one, and the flow back."""

SMALLEST_SIDE = 12
"""Pixels. DIS fails on pictures with a shorter side."""
FLAT_GRAY = 2.0
"""Levels of 255. A gray picture with a smaller standard deviation has nothing to track."""
DIS_STRIDE = 4
"""Pixels from one patch of DIS to the next: half a patch."""
LARGEST_SIDE = 1024
"""Longer side, in pixels, above which pictures are scaled down to estimate their flow."""
FLOWS_AHEAD = 16
"""Pairs of frames whose flow is estimated before it is asked for, at most."""
FLOWS_MEMORY, BYTES_A_FLOW_PIXEL = 300_000_000, 16
"""Bytes that these flows may take, and what a pixel of a pair takes, forward and back."""
RAFT_LEAST, RAFT_STEP = 128, 8
"""Smallest side of a picture for RAFT, in pixels, and what its sides must be multiples of."""


def _gray(picture: Image) -> Image:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def dis(frame: Image, other: Image) -> Field:
    """Estimate the flow by dense inverse search (Kroeger et al. 2016).

    OpenCV's presets end at half the size. At full size, outlines are followed that would otherwise
    drag along what is behind them: the error on Sintel is 40 % smaller.
    """
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setFinestScale(0)
    estimator.setPatchStride(DIS_STRIDE)
    start = np.zeros((*frame.shape[:2], 2), np.float32)
    return np.asarray(estimator.calc(_gray(frame), _gray(other), start), np.float32)


def farneback(frame: Image, other: Image) -> Field:
    """Estimate the flow by polynomial expansion (Farnebäck 2003)."""
    start = np.zeros((*frame.shape[:2], 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(
        _gray(frame), _gray(other), start, 0.5, 5, 21, 3, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    )
    return np.asarray(flow, np.float32)


def raft(frame: Image, other: Image) -> Field:
    """Estimate the flow by recurrent all-pairs field transforms (Teed and Deng 2020).

    This uses torchvision's small network.
    """
    network = _raft()
    device = next(network.parameters()).device
    with torch.no_grad():
        flow = network(_padded(frame).to(device), _padded(other).to(device))[-1]
    height, width = frame.shape[:2]
    return np.ascontiguousarray(flow[0, :, :height, :width].permute(1, 2, 0).float().cpu().numpy())


@cache
def _raft() -> torch.nn.Module:
    """Load the network from torch's cache, onto the GPU if there is one.

    Raises:
        UsageError: its weights are missing or damaged.
    """
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    url = Raft_Small_Weights.C_T_V2.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.is_file():
        raise UsageError(f"the weights of raft are missing: put {url} into {path.parent}")
    network = raft_small()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # damage can make torch raise any error
        raise UsageError(f"{path}: not the weights of raft: fetch {url} again") from error
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _padded(picture: Image) -> Tensor:
    """Convert ``picture`` (H, W, 3) to RAFT's input (1, 3, H, W), in -1..1, padded to fit."""
    below, right = (max(RAFT_LEAST, -(-n // RAFT_STEP) * RAFT_STEP) - n for n in picture.shape[:2])
    grown = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return torch.from_numpy(grown).permute(2, 0, 1)[None].float() / 127.5 - 1


ESTIMATORS: dict[str, Estimator] = {"dis": dis, "farneback": farneback, "raft": raft}


def estimator(name: str) -> Estimator:
    """Return the estimator called ``name``: ``dis``, ``farneback`` or ``raft``.

    The estimator returns zeros for pictures that are too small or too flat to be tracked.

    Raises:
        UsageError: the name is unknown, or the weights of the network are missing.
    """
    if name not in ESTIMATORS:
        raise unknown("flow", name, ESTIMATORS)
    if name == "raft":
        _raft()
    estimate = ESTIMATORS[name]

    def guarded(frame: Image, other: Image) -> Field:
        if blind(frame) or blind(other):
            return np.zeros((*frame.shape[:2], 2), np.float32)
        height, width = frame.shape[:2]
        if max(height, width) <= LARGEST_SIDE:
            return estimate(frame, other)
        shrink = LARGEST_SIDE / max(height, width)
        small = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        flow = estimate(resized(frame, small), resized(other, small))
        flow *= np.array([width / small[0], height / small[1]], np.float32)
        large = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)

    return guarded


def both_ways(estimate: Estimator) -> FlowPair:
    """Return an estimator of the flow between two frames, forward and backward."""
    return lambda frame, other: (estimate(frame, other), estimate(other, frame))


class Flows:
    """Estimates the flow between two frames, forward and backward, possibly in advance.

    Args:
        estimate: the estimator of one direction.
    """

    def __init__(self, estimate: Estimator) -> None:
        self.estimate = both_ways(estimate)
        self.workers = ThreadPoolExecutor(max(1, min(4, (os.cpu_count() or 1) // 4)), "flow")
        self.expected: deque[tuple[Image, Image, Future[tuple[Field, Field]]]] = deque()
        """Pairs of frames, in the order of the clip."""

    def prefetch_flow(self, frame: Image, other: Image) -> None:
        """Start to estimate the flow between two frames on another thread, unless the flows that
        are there already need too much memory."""
        pixels = frame.shape[0] * frame.shape[1]
        most = FLOWS_MEMORY // (BYTES_A_FLOW_PIXEL * pixels)
        if len(self.expected) < min(FLOWS_AHEAD, max(2, most)):
            found = self.workers.submit(self.estimate, frame, other)
            self.expected.append((frame, other, found))

    def __call__(self, frame: Image, other: Image) -> tuple[Field, Field]:
        """Return the flow of ``frame`` into ``other``, and the flow back."""
        waiting = [*self.expected]
        for number, (one, before, found) in enumerate(waiting, 1):
            if one is frame and before is other:
                for _ in range(number):  # those before it will not be asked for again
                    self.expected.popleft()
                return found.result()
        for _ in waiting:
            self.expected.popleft()
        return self.estimate(frame, other)


def blind(picture: Image) -> bool:
    """Whether ``picture`` is too small or too flat for its flow to be meaningful."""
    _, deviation = cv2.meanStdDev(_gray(picture))
    return min(picture.shape[:2]) < SMALLEST_SIDE or float(deviation[0, 0]) < FLAT_GRAY


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> Field:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=-1)


def _places(flow: Field) -> Field:
    """Return where each pixel of ``flow`` (H, W, 2) is in the other frame (H, W, 2): x and y."""
    return _grid(*flow.shape[:2]) + flow


def warp(picture: Pixels, flow: Field, interpolation: int = cv2.INTER_LINEAR) -> Pixels:
    """Warp a picture backward along a flow.

    Args:
        picture: the picture that ``flow`` points into, (H, W) or (H, W, C).
        flow: the flow of another frame (H, W, 2), in pixels.
        interpolation: one of OpenCV's ``INTER_`` constants.

    Returns:
        The picture aligned with the frame that ``flow`` belongs to, of the same type.
    """
    warped = cv2.remap(  # type: ignore[call-overload]  # None: x and y are both in the first map
        picture, _places(flow), None, interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, picture.dtype)


def squared_length(flow: Field) -> Field:
    """Return the squared length of the motion at each pixel (H, W)."""
    return np.asarray(np.square(flow[..., 0]) + np.square(flow[..., 1]), np.float32)


def outside(flow: Field) -> NDArray[np.bool_]:
    """Return where ``flow`` points outside the other frame (H, W)."""
    height, width = flow.shape[:2]
    return np.asarray(cv2.inRange(_places(flow), (0, 0), (width - 1, height - 1)) == 0)


def trust(flow: Field, backward: Field) -> Field:
    """Compute where a flow can be trusted (Ruder et al. 2016).

    It cannot be trusted where the two flows disagree (because something was uncovered), at a
    motion boundary, or where it leaves the other frame. The edges of the trusted part are softened
    inward by a Gaussian with a sigma of 0.8 pixels.

    Args:
        flow: the flow (H, W, 2), in pixels.
        backward: the opposite flow (H, W, 2).

    Returns:
        The trust (H, W), in 0..1.
    """
    warped = warp(backward, flow)
    length = squared_length(flow)
    disagree = squared_length(flow + warped) > 0.01 * (length + squared_length(warped)) + 0.5
    dy, dx = (np.asarray(slope, np.float32) for slope in np.gradient(flow, axis=(0, 1)))
    boundary = squared_length(dx) + squared_length(dy) > 0.01 * length + 0.002
    firm = np.where(disagree | boundary | outside(flow), 0, 1).astype(np.float32)
    return np.minimum(firm, cv2.GaussianBlur(firm, (0, 0), 0.8))
