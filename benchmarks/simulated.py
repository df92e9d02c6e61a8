"""A cluster without painters: an engine that only waits, and workers that are threads."""

from __future__ import annotations

import ast
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch

from vidstyle.core.frames import Frame
from vidstyle.core.images import Image
from vidstyle.engines.base import BaseEngine
from vidstyle.engines.protocol import OnStep, State
from vidstyle.render.cluster import Future, Job, Worker, WorkOrder
from vidstyle.settings import ENGINES

REPLACED_IN = 2.0
"""Seconds until there is another worker in the place of one that was lost."""


class LostError(Exception):
    """A worker is gone in the middle of a picture."""


class IdentityEngine(BaseEngine):
    """Paints each frame as it is, in so many ``seconds``; it may die of it."""

    seconds = 0.0
    risk = 0.0
    """How likely a picture is the worker's last one."""
    begun: ClassVar[Counter[tuple[str, Fraction]]] = Counter()
    """How often each frame was begun, by what was done and its time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.random = random.Random()  # of its own: a worker that comes later must not die alike

    @staticmethod
    def cost(settings: Any, size: tuple[int, int], frames: int) -> float:
        return 0.0

    def fit(self) -> None:
        """It needs no memory."""

    def weights(self) -> list[torch.Tensor]:
        return []

    def reset(self) -> None: ...

    def anchor(self, frame: Frame, painted: Image) -> None: ...

    def state(self) -> State:
        return {"nothing": np.zeros(1)}

    def restore(self, state: State) -> None: ...

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        return False

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        return self._after_a_while("paint", frame)

    def repaint(
        self, frame: Frame, painted: Image, share: float, on_step: OnStep = lambda step: None
    ) -> tuple[Image, float]:
        return self._after_a_while("repaint", frame)

    def _after_a_while(self, what: str, frame: Frame) -> tuple[Image, float]:
        self.begun[what, frame.time] += 1
        time.sleep(self.seconds)
        if self.random.random() < self.risk:
            raise LostError
        return frame.rgb, 0.0


def install() -> None:
    """Have the identity engine in the place of the optimizer, in this process."""
    ENGINES.things["gatys"] = IdentityEngine
    lock, plain = threading.Lock(), ast.literal_eval

    # For numpy's headers. It is not safe in threads before Python 3.12.
    def literal_eval(node_or_string: Any) -> Any:
        with lock:
            return plain(node_or_string)

    ast.literal_eval = literal_eval


class ThreadCluster:
    """Workers that are threads. One that is lost is replaced, and its job is done again."""

    def __init__(self, order: WorkOrder, size: int) -> None:
        self.size = size
        self.order = order
        self.lock = threading.Lock()
        self.ready: queue.SimpleQueue[tuple[Future, Job, Sequence[Any]]] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[tuple[Future, Any]] = queue.SimpleQueue()
        self.held: dict[Future, tuple[Job, Sequence[Any], set[Future]]] = {}
        self.done: set[Future] = set()
        self.notes: dict[int, tuple[int, int, float]] = {}
        self.lost = 0
        self.count = 0
        for _ in range(size):
            threading.Thread(target=self._work, daemon=True).start()

    def submit(self, job: Job, *given: Any, after: Sequence[Future] = ()) -> Future:
        with self.lock:
            self.count += 1
            self.held[self.count] = job, given, {*after} - self.done
            self._release()
            return self.count

    def take(self, seconds: float) -> dict[Future, Any]:
        found: dict[Future, Any] = {}
        with suppress(queue.Empty):
            while True:
                wait = 0.0 if found else seconds
                future, result = self.results.get(wait > 0, wait)
                if isinstance(result, BaseException):
                    raise result
                found[future] = result
        return found

    def told(self) -> list[tuple[int, int, float]]:
        with self.lock:
            notes, self.notes = [*self.notes.values()], {}
            return notes

    def _release(self) -> None:
        for future, (job, given, after) in [*self.held.items()]:
            if not after:
                del self.held[future]
                self.ready.put((future, job, given))

    def _work(self) -> None:
        worker = Worker(self.order)
        while True:
            future, job, given = self.ready.get()
            try:
                result: Any = worker.do(job, given, self._note)
            except LostError:
                self.lost += 1
                self.ready.put((future, job, given))
                time.sleep(REPLACED_IN)
                worker = Worker(self.order)
                continue
            except BaseException as error:
                result = error
            with self.lock:
                self.done.add(future)
                for _, _, after in self.held.values():
                    after.discard(future)
                self._release()
            self.results.put((future, result))

    def _note(self, segment: int, painted: int, seconds: float) -> None:
        with self.lock:
            self.notes[segment] = segment, painted, seconds
