"""The queue of runs, which are painted one after the other on their own thread."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread

from filelock import FileLock, Timeout

from ..core.errors import UsageError, line_of
from ..core.events import Event, Learned, Notice, Pace, Painted, Started, Stepped
from ..render import render
from .beside import leave_extras
from .runs import Order, Run, State, begin, found

STUDIO_LOCK_FILE = ".studio.lock"
PICTURE_EVERY_S = 1.0
"""Seconds between two pictures of a frame while it is being painted."""
SURE_SHARE = 0.1
"""The share of its steps from which on the rest of a frame's time is told."""
CLOSING_TIMEOUT_S = 20.0
"""Seconds to wait for a run to end when the studio ends."""


class Stopped(BaseException):
    """Raised by the listener of a run to end the run."""


class Queue:
    """The runs in a folder, in the order in which they were requested.

    Args:
        folder: the parent of the runs' folders. It is created if it is missing.
        uploads: the temporary folder of uploads, which are copied into the runs' folders.

    Raises:
        UsageError: another studio uses the folder, or it cannot be written to.
    """

    def __init__(self, folder: Path, uploads: Path) -> None:
        self.folder, self.uploads = folder, uploads
        self.lock = FileLock(folder / STUDIO_LOCK_FILE, timeout=0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
        except Timeout:
            raise UsageError(f"{folder}: another studio is at work there: name another") from None
        except OSError as error:
            told = f"{folder}: cannot be written ({error.strerror}): name another folder"
            raise UsageError(told) from error
        self.runs = {run.name: run for run in found(folder)}
        self.version = 0
        """Incremented with every change."""
        self.changed = Condition()
        self.stopping: set[str] = set()
        self.pausing: set[str] = set()
        self.closing = False
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def add(self, order: Order) -> Run:
        """Queue a run of ``order``.

        Raises:
            OSError: its uploads cannot be copied.
        """
        run = begin(self.folder, order, self.uploads)
        with self.changed:
            self.runs[run.name] = run
            self._tell()
        return run

    @property
    def at_work(self) -> Run | None:
        """The run that is being painted or is paused. None if there is none."""
        runs = [*self.runs.values()]
        return next((run for run in runs if run.state in ("painting", "paused")), None)

    def pause(self, name: str) -> None:
        """Pause a run after its current step. The runs that wait in the queue keep waiting."""
        with self.changed:
            if self.runs[name].state == "painting":
                self.pausing.add(name)
                self._tell()

    def go_on(self, name: str) -> None:
        """Resume a paused run, or queue one again that has ended before it was done."""
        with self.changed:
            run = self.runs[name]
            self.pausing.discard(name)
            if run.is_over and run.can_go_on:
                run.state, run.message, run.output, run.notes = "waiting", "", None, []
                self.runs[name] = self.runs.pop(name)  # behind those that wait
                run.save()
            self._tell()

    def stop(self, name: str) -> None:
        """End a run. What is painted so far is kept as a clip."""
        with self.changed:
            run = self.runs[name]
            if run.state == "waiting":
                run.state = "stopped"
                run.save()
            elif not run.is_over:
                self.stopping.add(name)
            self.pausing.discard(name)
            self._tell()

    def rename(self, name: str, title: str) -> None:
        """Give a run a ``title``. Its folder keeps its name."""
        with self.changed:
            run = self.runs.get(name)
            if run is not None and run.title != title.strip():
                run.title = title.strip()
                run.save()
                self._tell()

    def close(self) -> None:
        """End the queue. The run at work can be continued later."""
        with self.changed:
            self.closing = True
            self.pausing.clear()
            self._tell()
        self.thread.join(CLOSING_TIMEOUT_S)
        self.lock.release()
        with suppress(OSError):  # rmdir removes the folder only if it has no runs
            (self.folder / STUDIO_LOCK_FILE).unlink()
            self.folder.rmdir()

    def _tell(self) -> None:
        self.version += 1
        self.changed.notify_all()

    def _work(self) -> None:
        while True:
            with self.changed:
                while not self.closing and not any(self._waiting()):
                    self.changed.wait()
                if self.closing:
                    return
                run = next(iter(self._waiting()))
                run.state, run.doing = "painting", "reading the clip"
                run.save()
                self._tell()
            self._paint(run)

    def _waiting(self) -> list[Run]:
        return [run for run in self.runs.values() if run.state == "waiting"]

    def _paint(self, run: Run) -> None:
        watch = _Watch(self, run)
        state: State = "done"
        try:
            plan = run.order.plan(run.folder)
            try:
                result = render(plan, watch)
            except BaseException:
                run.output = plan.output.partial if plan.output.partial.exists() else None
                raise
            run.finish(result)
            leave_extras(run)
        except Stopped as error:
            state = "left" if self.closing else "stopped"
            run.message = "; ".join(getattr(error, "__notes__", ()))
        except BaseException as error:
            state, run.message = "failed", line_of(error)
        if state in ("stopped", "failed") and run.output is not None:
            leave_extras(run)
        with self.changed:
            run.seconds += watch.worked
            run.left, run.doing = None, ""
            run.state = state  # last, because pages show the result once this changes
            self.stopping.discard(run.name)
            self.pausing.discard(run.name)
            run.save()
            self._tell()


class _Watch:
    """The listener of a run. Records its progress, and pauses or ends it on request."""

    def __init__(self, queue: Queue, run: Run) -> None:
        self.queue, self.run = queue, run
        self.pace = Pace()
        self.began = time.monotonic()
        self.waited = 0.0
        self.looked = 0.0
        self.frame_began = self.began

    @property
    def worked(self) -> float:
        """Seconds since the run began, without pauses."""
        return time.monotonic() - self.began - self.waited

    def __call__(self, event: Event) -> None:
        queue, run = self.queue, self.run
        with queue.changed:
            self._wait()
            match event:
                case Started():
                    run.total, run.size, run.done = event.frames, (event.width, event.height), 0
                case Learned():
                    run.doing = f"learning the clip, {event.done:.0%}"
                case Stepped():
                    run.doing = self._next_told(event.step.done)
                    if time.monotonic() - self.looked > PICTURE_EVERY_S:
                        self.looked = time.monotonic()
                        run.picture = event.step.picture()
                case Painted():
                    if event.seconds:  # 0 if an earlier run has painted the frame
                        self.pace.add(event.seconds, event.first)
                    run.done, run.picture, run.doing = event.frame, event.picture, ""
                    self.frame_began = time.monotonic()
                    if run.total is not None:
                        run.left = self.pace.left(run.total - run.done)
                case Notice():
                    run.notes.append(event.message)
            queue._tell()

    def _next_told(self, done: float) -> str:
        """Say how far the frame at work is, and how long it still takes."""
        passed = time.monotonic() - self.frame_began
        left = f", {passed * (1 - done) / done:.0f} s left for it" if done > SURE_SHARE else ""
        return f"the {'next' if self.run.done else 'first'} one: {done:.0%}{left}"

    def _wait(self) -> None:
        queue, run = self.queue, self.run
        began = time.monotonic()
        while run.name in queue.pausing:
            if run.state != "paused":
                run.state = "paused"
                queue._tell()
            queue.changed.wait()
        if run.state == "paused":
            run.state = "painting"
            self.waited += time.monotonic() - began
        if queue.closing or run.name in queue.stopping:
            raise Stopped
