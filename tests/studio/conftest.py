from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vidstyle.studio.queue import Queue


@pytest.fixture(autouse=True)
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's own folder is one for all users of a machine, of whom the first one owns it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    (tmp_path / "uploads").mkdir()
    found = Queue(tmp_path / "runs", tmp_path / "uploads")
    yield found
    found.close()
