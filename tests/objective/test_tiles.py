from __future__ import annotations

import numpy as np

from vidstyle.objective.tiles import CONTEXT, GRID, Tile, Window, windows


def test_every_change_lies_in_a_window_with_its_surroundings() -> None:
    changed = np.zeros((240, 320), bool)
    changed[100:120, 40:60] = changed[10:14, 300:310] = True
    found = windows(changed)
    assert len(found) == 2
    covered = np.zeros_like(changed)
    for tile in found:
        for window in (tile.counts, tile.window):
            assert window.top % GRID == window.left % GRID == 0
        assert changed[tile.counts.place].any()
        covered[tile.window.place] = True
    assert covered[100 - CONTEXT : 120 + CONTEXT, 40 - CONTEXT : 60 + CONTEXT].all()
    assert covered.mean() < 0.25
    assert sum(tile.counts.area for tile in found) < 0.05 * changed.size


def test_what_is_left_over_at_an_edge_does_not_stand_alone() -> None:
    changed = np.zeros((180, 321), bool)
    changed[178:, 318:] = True
    assert [tile.counts for tile in windows(changed)] == [Window(160, 180, 304, 321)]


def test_overlapping_windows_become_one_where_that_is_no_more_work() -> None:
    changed = np.zeros((240, 320), bool)
    changed[100:110, 100:110] = changed[100:110, 116:126] = True
    assert len(windows(changed)) == 1


def test_a_small_part_beside_a_large_one_is_painted_with_it() -> None:
    """By itself, it would be painted for the style of what is in its surroundings."""
    changed = np.zeros((200, 240), bool)
    changed[20:190, 20:200] = changed[112:190, 214:238] = True
    assert [tile.counts for tile in windows(changed)] == [Window(16, 192, 16, 240)]


def test_no_change_is_no_work_and_all_is_one_window() -> None:
    assert windows(np.zeros((50, 70), bool)) == []
    assert windows(np.ones((50, 70), bool)) == [Tile(Window(0, 50, 0, 70), Window(0, 50, 0, 70))]
