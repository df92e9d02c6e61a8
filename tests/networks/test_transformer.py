"""The feed-forward network and its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vidstyle import UsageError
from vidstyle.networks import transformer as model
from vidstyle.networks.transformer import ModelConfig, TransformerNet

from ..conftest import untrained


@pytest.mark.parametrize("size", [(48, 64), (33, 50), (1, 40), (37, 2)])
def test_before_any_training_the_painting_is_its_source(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 3, *size)
    painted = TransformerNet(ModelConfig(("one",), (1.0,), (64, 48)))(picture, torch.ones(1))
    assert torch.equal(painted, picture)


def test_each_style_has_scales_and_shifts_of_its_own_and_blends_lie_between() -> None:
    made = untrained(("one", "two"))
    picture = torch.rand(1, 3, 48, 64)
    one, two, half = (made(picture, torch.tensor(w)) for w in ((1.0, 0), (0, 1.0), (0.5, 0.5)))
    assert (one - two).abs().max() > 1e-3
    assert 0 < (half - one).norm() < (two - one).norm()


def test_a_model_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    made = untrained(("one", "two"))
    path = tmp_path / "m.safetensors"
    path.write_bytes(model.dump(made))
    back = model.load(path)
    assert back.config == made.config
    picture, weights = torch.rand(1, 3, 48, 64), torch.tensor([0.3, 0.7])
    assert torch.equal(back(picture, weights), made(picture, weights))


def test_a_file_that_is_no_model_of_this_version_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = model.dump(untrained())
    path = tmp_path / "m.safetensors"
    path.write_bytes(whole)
    tensors = {name: value.clone() for name, value in load_file(path).items()}

    def saved(about: object, values: dict[str, torch.Tensor] = tensors) -> None:
        save_file(values, path, {} if about is None else {model.ENTRY: json.dumps(about)})

    def refused(line: str) -> None:
        with pytest.raises(UsageError, match=line) as error:
            model.load(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)

    facts = {"styles": ["one"], "weights": [1.0], "size": [64, 48], "version": model.MODEL_VERSION}
    for data in (whole[:1000], whole[:-100], b"", b"no model", b"\x80\x04pickled"):
        path.write_bytes(data)
        refused("not a model, or a damaged one")
    saved(None)
    refused("not a model of vidstyle")
    saved(facts | {"version": 99})
    refused("version 99, this vidstyle reads")
    saved(facts | {"blocks": 2})
    refused("weights are not those")
    for wrong in ({"weights": [0.5, 0.5]}, {"size": [0, 48]}, {"size": []}, {"size": ["a", 1]}):
        saved(facts | wrong)
        refused("weights are not those")
    saved(facts | {"unknown": 1})
    refused("weights are not those")
    saved(facts, {name: value for name, value in tensors.items() if "leave" not in name})
    refused("weights are not those")
    for about in ([1, 2], "text", {"version": model.MODEL_VERSION}, facts | {"fine": "many"}):
        saved(about)
        refused("not a model of vidstyle|weights are not those")
    with pytest.raises(UsageError, match="there is no such model"):
        model.load(tmp_path / "none")
