from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from vidstyle import UsageError, networks
from vidstyle.networks import googlenet, weights
from vidstyle.networks.vgg import shapes

CPU = torch.device("cpu")


def test_features_have_the_shapes_of_vgg(network: networks.VGG) -> None:
    features = network(torch.rand(1, 3, 48, 64))
    assert features["relu1_1"].shape == (1, 64, 48, 64)
    assert features["relu4_2"].shape == (1, 512, 6, 8)
    assert features["relu5_1"].shape == (1, 512, 3, 4)
    assert "conv5_2" not in network.convolutions, "cut after the last layer that is used"


def test_pooling_takes_the_largest_or_the_mean() -> None:
    picture = torch.rand(1, 3, 16, 16)
    for pooling, pool in (("max", torch.nn.MaxPool2d(2)), ("avg", torch.nn.AvgPool2d(2))):
        net = networks.load(
            "vgg19",
            "random",
            ["relu1_2", "pool1"],
            device=CPU,
            pooling=pooling,  # type: ignore[arg-type]
        )
        features = net(picture)
        assert torch.equal(features["pool1"], pool(features["relu1_2"]))


def test_bundled_weights_are_caffes_vgg(network: networks.VGG) -> None:
    """Caffe's conv1_1 sees BGR, 0..255: a gray picture less the mean; ours takes RGB, 0..1."""
    loaded = weights.load("bundled", "vgg19", shapes("vgg19"), 0)
    assert len(loaded.convolutions) == 16
    picture = torch.rand(1, 3, 16, 16)
    weight, bias = loaded.convolutions["conv1_1"]
    caffe_mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    caffe = torch.conv2d(picture.flip(1) * 255 - caffe_mean, weight.flip(1), bias).relu()
    ours = network(picture)["relu1_1"][..., 1:-1, 1:-1]
    assert torch.allclose(ours, caffe, atol=1e-2)


def torchvisions(name: str) -> Any:
    """A network as torchvision builds it, of random weights, with a classifier that is a small
    part of its own: that has most of the weights, and none that are read."""
    torch.manual_seed(0)
    with torch.device("meta"):
        model = getattr(torchvision.models, name)(weights=None)
    model.classifier = torch.nn.Sequential(torch.nn.Linear(8, 8))
    model.to_empty(device="cpu").eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


@pytest.mark.parametrize("network_name", ["vgg16", "vgg19"])
def test_torchvision_weights_from_a_file_give_torchvisions_features(
    network_name: str, tmp_path: Path
) -> None:
    model = torchvisions(network_name)
    path = tmp_path / "model.pth"
    torch.save(model.state_dict(), path)
    net = networks.load(network_name, str(path), ["relu2_2"], device=CPU)
    picture = torch.rand(1, 3, 32, 32)
    normal = torchvision.transforms.Normalize(weights.IMAGENET_MEAN, weights.IMAGENET_STD)
    expected = model.features[:9](normal(picture))
    inner = (..., slice(4, -4), slice(4, -4))  # the edges differ: ours are not padded with zeros
    assert torch.allclose(net(picture)["relu2_2"][inner], expected[inner], atol=1e-5)


def test_safetensors_with_caffe_names(tmp_path: Path) -> None:
    loaded = weights.load("bundled", "vgg19", shapes("vgg19"), 0)
    state = {}
    for name, (weight, bias) in loaded.convolutions.items():
        turned = weight.flip(1).contiguous() if name == "conv1_1" else weight
        state |= {f"{name}.weight": turned, f"{name}.bias": bias}
    path = tmp_path / "caffe.safetensors"
    save_file(state, path)
    again = weights.load(str(path), "vgg19", shapes("vgg19"), 0)
    for name, (weight, _) in loaded.convolutions.items():
        assert torch.equal(again.convolutions[name][0], weight)
    assert again.mean == loaded.mean and again.scale == loaded.scale


def test_random_weights_follow_the_seed() -> None:
    one, same, other = (weights.load("random", "vgg16", shapes("vgg16"), s) for s in (1, 1, 2))
    first = [w.convolutions["conv3_1"][0] for w in (one, same, other)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


def test_the_edge_is_repeated_not_darkened(network: networks.VGG) -> None:
    gray = torch.full((1, 3, 64, 64), 0.6)
    features = network(gray)["relu2_1"]
    assert features.std((2, 3)).max() < 1e-3


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("code ran",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("evil", "not plain weights"),
        ("vgg16", "not the weights of vgg19"),
        ("list", "not a state dict"),
        ("text", "cannot be read"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("no weights")
    else:
        torch.save(
            {
                "evil": {"a": Evil()},
                "list": [1, 2],
                "vgg16": torchvisions("vgg16").state_dict(),
            }[content],
            path,
        )
    with pytest.raises(UsageError, match=message):
        networks.load("vgg19", str(path), ["relu1_1"], device=CPU)
    assert "code ran" not in capsys.readouterr().out


def test_a_network_is_loaded_once_until_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"

    def saved(seed: int) -> torch.Tensor:
        made = weights.load("random", "vgg16", shapes("vgg16"), seed)
        named = {name: (weight, bias) for name, (weight, bias) in made.convolutions.items()}
        state = {f"{name}.weight": weight for name, (weight, _) in named.items()}
        save_file(state | {f"{name}.bias": bias for name, (_, bias) in named.items()}, path)
        return named["conv1_1"][0].flip(1)

    first = saved(1)
    one = networks.load("vgg16", str(path), ["relu1_1", "relu1_2"], device=CPU)
    assert networks.load("vgg16", str(path), ["relu1_2", "relu1_1"], device=CPU) is one
    assert networks.load("vgg16", str(path), ["relu1_1"], device=CPU) is not one
    second = saved(2)
    other = networks.load("vgg16", str(path), ["relu1_1", "relu1_2"], device=CPU)
    for net, weight in ((one, first), (other, second)):
        assert torch.equal(net.get_parameter("convolutions.conv1_1.weight"), weight)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="relu4_2"):
        networks.load("vgg19", "random", ["relu42"], device=CPU)
    with pytest.raises(UsageError, match="bundled for vgg16"):
        networks.load("vgg16", "bundled", ["relu1_1"], device=CPU)
    with pytest.raises(UsageError, match="no such weights"):
        networks.load("vgg19", "nowhere.pth", ["relu1_1"], device=CPU)


def test_googlenets_weights_from_a_file_give_torchvisions_features(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torchvision.models.googlenet(weights=None, init_weights=False).eval()
    state = googlenet.random(3)
    model.load_state_dict(state, strict=False)
    path = tmp_path / "googlenet.pth"
    torch.save(model.state_dict(), path)  # with what only classifies in it
    net = networks.load("googlenet", str(path), ["maxpool1", "inception3a", "avgpool"], device=CPU)
    picture = torch.rand(1, 3, 224, 224)
    x = model.maxpool2(model.conv3(model.conv2(model.maxpool1(model.conv1(picture * 2 - 1)))))
    expected = model.inception3a(x)
    found = net(picture)
    inner = (..., slice(4, -4), slice(4, -4))  # the edges differ: ours are not padded with zeros
    assert torch.allclose(found["inception3a"][inner], expected[inner], atol=1e-4)
    assert found["avgpool"].shape == (1, 1024, 1, 1)


def test_googlenet_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no weights are bundled for googlenet"):
        networks.load("googlenet", "bundled", ["conv1"], device=CPU)
    with pytest.raises(UsageError, match="did you mean 'inception4a'"):
        networks.load("googlenet", "random", ["incepton4a"], device=CPU)
    path = tmp_path / "vgg16.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(UsageError, match="not the weights of googlenet"):
        networks.load("googlenet", str(path), ["conv1"], device=CPU)


def test_random_googlenet_keeps_its_scale_and_small_pictures_have_features() -> None:
    net = networks.load("googlenet", "random", ["inception5b"], device=CPU, pooling="avg")
    features = net(torch.rand(1, 3, 33, 18))["inception5b"]
    assert features.shape[1] == 1024 and 0.05 < features.std() < 20
