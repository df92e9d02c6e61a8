"""Work beside other work: bounded, in order, and nothing that fails is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from vidstyle.core.background import Behind, ahead


def settled(seen: list[int]) -> int:
    """How many there are once no more come."""
    count = -1
    while count != len(seen):
        count = len(seen)
        time.sleep(0.1)
    return count


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_are_made_ahead_as_are_allowed(count: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    found = ahead(items(), count)
    assert not made, "nothing begins before it is asked for"
    assert next(found) == 0 and settled(made) == 1 + count
    assert [*found] == [*range(1, 10)]


def test_an_error_comes_where_its_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    found = ahead(items(), 4)
    assert next(found) == 1
    with pytest.raises(ValueError, match="no more"):
        next(found)


def test_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    found = ahead(range(100), 2)
    next(found)
    assert threading.active_count() == before + 1
    found.close()
    assert threading.active_count() == before


def test_calls_are_made_in_order_and_those_that_wait_are_few() -> None:
    made: list[int] = []
    go_on = threading.Event()

    def call(number: int) -> None:
        go_on.wait(10)
        made.append(number)

    with Behind(2) as behind:
        for number in range(3):  # one at work, two that wait
            behind.submit(call, number)
        assert not made
        go_on.set()
        behind.submit(call, 3)
        behind.wait()
        assert made == [0, 1, 2, 3]


def test_what_a_call_raises_is_told_once_and_the_others_are_made() -> None:
    made: list[int] = []

    def call(number: int) -> None:
        made.append(number)
        if number == 1:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Behind(9) as behind:
        for number in range(4):
            behind.submit(call, number)
    assert made == [0, 1, 2, 3]
    with pytest.raises(KeyError), Behind(9) as behind:  # its own error comes first
        behind.submit(call, 1)
        raise KeyError


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to threads here")
def test_a_signal_while_it_waits_at_the_end_leaves_no_call_at_work() -> None:
    leaves = threading.Event()
    made: list[int] = []

    def call(number: int) -> None:
        leaves.wait(10)
        time.sleep(0.2)
        if number == 0:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.2)
        made.append(number)

    with pytest.raises(KeyboardInterrupt), Behind(9) as behind:
        for number in range(3):
            behind.submit(call, number)
        leaves.set()
    assert made == [0, 1, 2]
