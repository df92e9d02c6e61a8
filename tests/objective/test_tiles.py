from __future__ import annotations

import numpy as np

from vidstyle.objective.tiles import CONTEXT, GRID, Window, windows


def test_every_change_lies_in_a_window_with_its_surroundings() -> None:
    changed = np.zeros((240, 320), bool)
    changed[100:120, 40:60] = changed[10:14, 300:310] = True
    found = windows(changed)
    assert len(found) == 2
    covered = np.zeros_like(changed)
    for window in found:
        assert window.top % GRID == window.left % GRID == 0
        covered[window.place] = True
    assert covered[100 - CONTEXT : 120 + CONTEXT, 40 - CONTEXT : 60 + CONTEXT].all()
    assert covered.mean() < 0.25


def test_overlapping_windows_become_one_where_that_is_no_more_work() -> None:
    changed = np.zeros((240, 320), bool)
    changed[100:110, 100:110] = changed[100:110, 116:126] = True
    assert len(windows(changed)) == 1


def test_no_change_is_no_work_and_all_is_one_window() -> None:
    assert windows(np.zeros((50, 70), bool)) == []
    assert windows(np.ones((50, 70), bool)) == [Window(0, 50, 0, 70)]
