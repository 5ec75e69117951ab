import numpy as np
import pytest
import torch
import torchvision
from samples import kernels, state_dict
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.tensors import depthwise_names
from ilwp.paper.kernels import as_weights, checked, depthwise_kernels

MOBILENETV2 = [32, 96, 144, 144, *[192] * 3, *[384] * 4, *[576] * 3, *[960] * 3]


def test_a_network_not_ours_lists_its_kernels_in_network_order():
    network = torchvision.models.mobilenet_v2(weights=None)
    found = depthwise_kernels({name: t.numpy() for name, t in network.state_dict().items()})
    assert list(found) == depthwise_names(network)
    assert [len(k) for k in found.values()] == MOBILENETV2
    for name, layer in found.items():
        np.testing.assert_array_equal(layer[:, None], network.state_dict()[name].numpy())


def test_in_a_module_the_groups_tell_a_depthwise_layer():
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3),  # a stem over grey images
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 3, groups=4),
        nn.Conv2d(8, 16, 3, groups=8),  # two kernels a channel
        nn.Conv1d(16, 16, 3, groups=16),
        nn.Linear(4, 4),
    )
    assert depthwise_names(network) == ["1.weight", "3.weight", "4.weight"]
    assert depthwise_names(nn.Conv2d(3, 3, 3, groups=3)) == ["weight"]


def test_in_a_state_dict_the_shape_tells_a_depthwise_layer():
    tensors = {
        "pointwise": np.ones((4, 8, 1, 1), np.float32),
        "squeezed": np.ones((4, 1, 1, 1), np.float32),
        "one output": np.ones((1, 1, 3, 3), np.float32),
        "kernels": np.arange(18, dtype=np.float32).reshape(2, 1, 3, 3),
        "linear": np.ones((4, 1), np.float32),
        "counter": np.array(3),
    }
    found = depthwise_kernels(tensors)
    assert list(found) == ["kernels"]
    assert found["kernels"].tolist() == tensors["kernels"][:, 0].tolist()


def test_kernels_of_any_one_size_will_do():
    assert [k.shape for k in depthwise_kernels({"a": np.ones((3, 1, 5, 7), np.float32)}).values()] == [(3, 5, 7)]


def test_kernels_are_the_weights_that_they_came_from():
    tensors = state_dict()
    weights = as_weights(depthwise_kernels(tensors))
    assert list(weights) == [name for name in tensors if name in weights]
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, tensors[name], strict=True)


def test_sound_kernels_pass_unchanged():
    layers = kernels((2, 3))
    assert checked(layers) is layers


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"b": np.ones((2, 1, 5, 5), np.float32)}, "3x3 .a., 5x5 .b."),
        ({"b": np.full((2, 1, 3, 3), np.nan, np.float32)}, "b holds NaN or infinite weights"),
        ({"b": np.full((2, 1, 3, 3), -np.inf, np.float32)}, "b holds NaN or infinite weights"),
        ({"b": np.ones((2, 1, 3, 3), np.float16)}, "b is float16: convert"),
        ({"b": np.ones((2, 1, 3, 3), np.float64)}, "b is float64: convert"),
        ({"b": np.ones((2, 1, 3, 3), np.int8)}, "b is int8: compress the floating-point network"),
    ],
)
def test_kernels_that_cannot_be_predicted_are_refused_by_name(wrong: dict[str, np.ndarray], message: str):
    with pytest.raises(IlwpError, match=message):
        depthwise_kernels({"a": np.ones((2, 1, 3, 3), np.float32)} | wrong)


@pytest.mark.parametrize("tensors", [{}, {"a": np.ones((4, 4, 3, 3), np.float32)}])
def test_a_state_dict_without_depthwise_layers_is_refused(tensors: dict[str, np.ndarray]):
    with pytest.raises(IlwpError, match="no depthwise layer"):
        depthwise_kernels(tensors)


def test_kernels_stored_channels_last_read_the_same():
    weight = torch.randn(4, 1, 3, 3).to(memory_format=torch.channels_last)
    found = depthwise_kernels({"a": weight.numpy()})["a"]
    np.testing.assert_array_equal(found, weight[:, 0].contiguous().numpy())
