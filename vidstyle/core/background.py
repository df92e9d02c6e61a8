"""Work that goes on beside other work, in a thread of its own, bounded."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """``items``, of which another thread makes up to ``count`` before they are asked for.

    Whatever making one raises is raised where it is asked for. Closing the iterator ends the
    thread.
    """
    made: queue.Queue[tuple[bool, Any]] = queue.Queue()
    room = threading.Semaphore(count - 1)
    ended = threading.Event()

    def make() -> None:
        try:
            for item in items:
                made.put((True, item))
                room.acquire()
                if ended.is_set():
                    return
            made.put((False, None))
        except BaseException as error:
            made.put((False, error))

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, item = made.get()
            if not more:
                break
            room.release()
            yield item
        if item is not None:
            raise item
    finally:
        ended.set()
        room.release()
        thread.join()


class Behind:
    """Calls that another thread makes one after the other, while up to ``count`` wait.

    What one of them raises is raised by the next ``submit``, by ``wait``, or at the end of the
    ``with``, unless that ends with another error; the calls after it are made all the same.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.thread = ThreadPoolExecutor(1, "behind")
        self.waiting: deque[Future[None]] = deque()

    def submit(self, call: Callable[..., None], *given: Any) -> None:
        """Have ``call(*given)`` made, once there is room."""
        while len(self.waiting) > self.count:
            self.waiting.popleft().result()
        self.waiting.append(self.thread.submit(call, *given))

    def wait(self) -> None:
        """Return when all calls are made."""
        while self.waiting:
            self.waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._settle()
        except BaseException:  # a signal, in the middle of it: no call goes on after the ``with``
            self._settle()
            raise
        self.thread.shutdown()
        if kind is None:
            self.wait()

    def _settle(self) -> None:
        """Return when all calls are made, whatever they raised."""
        # The last one of a queue. Before Python 3.13, a thread counts as ended once joining it
        # was interrupted.
        self.thread.submit(lambda: None).result()
