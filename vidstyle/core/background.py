"""Background threads that prepare items in advance or make calls later, in bounded numbers."""

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
    """Yield ``items``, while another thread makes up to ``count`` of them in advance.

    An exception raised while an item is made is raised where that item is asked for. Closing the
    iterator ends the thread.

    Args:
        items: iterated over in the other thread.
        count: the most items that are made before they are asked for, at least 1.

    Yields:
        The items, in order.
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
    """A background thread that makes calls one after another, used in a ``with`` statement.

    An exception raised by a call is raised again by a later ``submit``, by ``wait``, or at the end
    of the ``with``, unless that ends with another exception. Later calls are still made.

    Args:
        count: the most calls that may wait while one is being made.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.thread = ThreadPoolExecutor(1, "behind")
        self.waiting: deque[Future[None]] = deque()

    def submit(self, call: Callable[..., None], *given: Any) -> None:
        """Queue ``call(*given)``; wait first while the queue is full."""
        while len(self.waiting) > self.count:
            self.waiting.popleft().result()
        self.waiting.append(self.thread.submit(call, *given))

    def wait(self) -> None:
        """Wait until all calls are made, or raise the exception of one that failed."""
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
        except BaseException:  # a signal: wait again, so that no call runs on after the ``with``
            self._settle()
            raise
        self.thread.shutdown()
        if kind is None:
            self.wait()

    def _settle(self) -> None:
        """Wait until all calls are made, and ignore their exceptions."""
        # Wait for an empty call at the end of the queue instead of joining the thread: before
        # Python 3.13, a thread counts as ended once a join of it was interrupted.
        self.thread.submit(lambda: None).result()
