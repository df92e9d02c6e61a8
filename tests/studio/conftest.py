from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's own folder is one for all users of a machine, of whom the first one owns it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
