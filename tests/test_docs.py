"""What the documentation gives to people as a file is what the tools take."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


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
