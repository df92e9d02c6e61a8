"""Losses recorded as CUDA graphs, so that a GPU repeats their many small operations by itself.

A pass through the network is some 300 operations. To launch them one after the other takes a CPU
several times as long as a GPU takes to carry them out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .objective import Loss
from .optimizers import Closure


class Recorder:
    """Records one loss after another, in memory that each takes over from the one before.

    Args:
        device: that of the losses. Only for a GPU of the kind "cuda" anything is recorded.
    """

    def __init__(self, device: torch.device) -> None:
        self.is_active = device.type == "cuda"
        self.pool: Any = None
        self.graph: torch.cuda.CUDAGraph | None = None
        """The last recording. It is kept, because the memory would go with it."""

    def closure(self, loss: Loss) -> Closure:
        """Return what computes ``loss``, to be used until this is asked for the next one."""
        if not self.is_active or len(loss.tiles) > 1:
            return loss
        return RecordedLoss(loss, self)

    def forget(self) -> None:
        """Release the memory."""
        self.graph = self.pool = None


class RecordedLoss:
    """A loss that is recorded when it is computed for the second time, and then repeated.

    Everything but the picture has to stay as it is.
    """

    def __init__(self, loss: Loss, recorder: Recorder) -> None:
        self.loss, self.recorder = loss, recorder
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same as the loss."""
        self.calls += 1
        if self.calls == 1:  # libraries may load what they need, which cannot be recorded
            return self.loss(picture)
        if self.graph is None:
            self._record(picture)
        else:
            self.given.copy_(picture)
        assert self.graph is not None
        self.graph.replay()
        return self.found[0].clone(), self.found[1].clone()

    def _record(self, picture: Tensor) -> None:
        free, _ = torch.cuda.mem_get_info(picture.device)
        if free < torch.cuda.memory_reserved(picture.device):
            torch.cuda.empty_cache()
        recorder = self.recorder
        recorder.pool = recorder.pool or torch.cuda.graph_pool_handle()
        self.given = picture.clone()
        self.graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU, too.
        with torch.cuda.graph(self.graph, recorder.pool, capture_error_mode="thread_local"):
            self.found = self.loss(self.given)
        recorder.graph = self.graph
