from __future__ import annotations

from vidstyle.core.events import Pace


def test_a_first_frame_does_not_tell_how_long_the_others_take() -> None:
    pace = Pace()
    pace.add(60.0, first=True)
    assert pace.left(23) is None and pace.left(0) == 0
    pace.add(2.0, first=False)
    pace.add(60.0, first=True)
    assert pace.left(22) == 44
