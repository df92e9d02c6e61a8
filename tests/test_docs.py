"""What the documentation tells people to type, and gives them as files, works."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidstyle import cli

from .documented import PAGES, ROOT, commands, prepare, written

DOCS = ROOT / "docs"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_works(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(page):
        code = cli.main(command)
        assert code == 0, f"vidstyle {' '.join(command)}: {capsys.readouterr().err}"


def test_there_are_commands() -> None:
    assert sum(len(written(page)) for page in PAGES) > 40


@pytest.mark.parametrize("name", ["ssh", "aws"])
def test_ray_takes_the_cluster_files(name: str) -> None:
    yaml = pytest.importorskip("yaml")
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = util.prepare_config(yaml.safe_load((DOCS / "cluster" / f"{name}.yaml").read_text()))
    util.validate_config(config)
    assert config["max_workers"] and "vidstyle" in str(config["setup_commands"])


def test_the_image_is_made_of_files_that_there_are() -> None:
    lines = (DOCS / "cluster" / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert copied and all((DOCS.parent / name).exists() for name in copied)
