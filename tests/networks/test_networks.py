import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import in_network_order
from ilwp.networks import TITLES
from ilwp.networks.build import NETWORKS, build
from ilwp.networks.layers import scaled
from ilwp.networks.tensors import arrays, depthwise_names, kernels_of, load_kernels, load_tensors
from ilwp.paper.kernels import depthwise_kernels

CHANNELS = {
    "mobilenet": [32, 64, 128, 128, 256, 256, *[512] * 6, 1024],
    "mobilenetv2": [32, 96, 144, 144, *[192] * 3, *[384] * 4, *[576] * 3, *[960] * 3],
    "shufflenet": [44, *[50] * 4, *[100] * 8, *[200] * 3],
    "shufflenetv2": [24, *[58] * 4, *[116] * 9, *[232] * 5],
}
KERNELS = {"mobilenet": 4960, "mobilenetv2": 7136, "shufflenet": 1644, "shufflenetv2": 2460}
STRIDES = {
    "mobilenet": [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1],
    "mobilenetv2": [1, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1],
    "shufflenet": [2, 1, 1, 1, 2, *[1] * 7, 2, 1, 1, 1],
    "shufflenetv2": [2, 2, 1, 1, 1, 2, 2, *[1] * 7, 2, 2, 1, 1, 1],
}
HALF = {"mobilenet": [16, 32, 64, 64, 128, 128, *[256] * 6, 512]}


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def channels(network: nn.Module) -> list[int]:
    return [len(network.get_parameter(name)) for name in depthwise_names(network)]


@pytest.mark.parametrize("name", NETWORKS)
def test_depthwise_layers_have_the_papers_channels_and_strides(name: str):
    with torch.device("meta"):
        network = NETWORKS[name](10, 1.0)
    assert channels(network) == CHANNELS[name]
    assert sum(channels(network)) == KERNELS[name]
    layers = [network.get_submodule(key.removesuffix(".weight")) for key in depthwise_names(network)]
    assert [layer.stride[0] for layer in layers] == STRIDES[name]
    assert {(layer.kernel_size, layer.padding, layer.bias) for layer in layers} == {((3, 3), (1, 1), None)}


@pytest.mark.parametrize("name", NETWORKS)
def test_images_become_logits(name: str):
    for classes, width in ((10, 0.5), (100, 0.25)):
        network = build(name, classes, width)
        with torch.inference_mode():
            logits = network(images(2))
        assert logits.shape == (2, classes)
        assert logits.dtype == torch.float32
        assert torch.isfinite(logits).all()
        assert not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("width", [0.1, 0.3, 0.7, 1.3])
def test_any_width_makes_a_network(name: str, width: float):
    with torch.device("meta"):
        network = NETWORKS[name](10, width).eval()
        assert network(torch.empty(1, 3, 32, 32)).shape == (1, 10)
        full = NETWORKS[name](10, 1.0)
    assert len(channels(network)) == len(CHANNELS[name])
    assert (sum(channels(network)) < sum(channels(full))) == (width < 1)


def test_half_width_halves_the_channels():
    with torch.device("meta"):
        assert channels(NETWORKS["mobilenet"](10, 0.5)) == HALF["mobilenet"]


@given(st.integers(1, 2000), st.floats(0.01, 4), st.sampled_from([4, 8]))
def test_scaled_channels_are_the_nearest_positive_multiple(planned, width, multiple):
    found = scaled(planned, width, multiple)
    if width == 1:
        assert found == planned
    else:
        assert found > 0
        assert found % multiple == 0
        assert abs(found - planned * width) <= multiple / 2 or found == multiple > planned * width


def test_width_one_keeps_channels_that_are_no_multiple():
    assert [scaled(c, 1.0) for c in (1, 44, 50, 58)] == [1, 44, 50, 58]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_seed_gives_the_same_weights_and_leaves_other_random_numbers_alone(name: str):
    torch.manual_seed(5)
    untouched = torch.rand(3)
    torch.manual_seed(5)
    one = arrays(build(name, 10, 0.25, seed=1))
    assert torch.equal(torch.rand(3), untouched)
    same, another = (arrays(build(name, 10, 0.25, seed=seed)) for seed in (1, 2))
    assert {key: t.tobytes() for key, t in one.items()} == {key: t.tobytes() for key, t in same.items()}
    first = depthwise_names(build(name, 10, 0.25))[0]
    assert (one[first] != another[first]).any()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_names_sorted_naturally_list_depthwise_layers_in_network_order(name: str, width: float):
    network = build(name, 10, width)
    tensors = arrays(network)
    alphabetical = dict(sorted(tensors.items()))
    for mapping in (tensors, in_network_order(alphabetical)):
        assert list(depthwise_kernels(mapping)) == depthwise_names(network)
    assert list(kernels_of(network)) == depthwise_names(network)


@pytest.mark.parametrize("name", NETWORKS)
def test_modules_are_registered_in_the_order_data_meets_them(name: str):
    network = build(name, 10, 0.25).eval()
    met = []
    for key in depthwise_names(network):
        layer = network.get_submodule(key.removesuffix(".weight"))
        layer.register_forward_hook(lambda *_, key=key: met.append(key))
    with torch.inference_mode():
        network(images(1))
    assert met == depthwise_names(network)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_takes_part(name: str):
    network = build(name, 10, 0.25).train()
    network(images(4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_every_network_has_a_title():
    assert list(TITLES) == list(NETWORKS)


def test_an_unknown_network_is_refused():
    with pytest.raises(IlwpError, match="choose one of mobilenet, mobilenetv2"):
        build("vgg", 10)


def test_arrays_do_not_follow_the_network():
    network = build("mobilenet", 10, 0.1)
    name = depthwise_names(network)[0]
    before = arrays(network)[name].copy()
    taken = arrays(network)
    with torch.no_grad():
        network.get_parameter(name).zero_()
    np.testing.assert_array_equal(taken[name], before)


def test_kernels_written_back_are_the_networks_and_nothing_else_changes():
    network = build("shufflenetv2", 10, 0.25).to(memory_format=torch.channels_last)
    before = arrays(network)
    doubled = {name: 2 * k for name, k in kernels_of(network).items()}
    load_kernels(network, doubled)
    after = arrays(network)
    for name, tensor in before.items():
        np.testing.assert_array_equal(after[name], 2 * tensor if name in doubled else tensor)


def test_a_state_dict_loads_into_its_own_network_only():
    network = build("mobilenet", 10, 0.1, seed=3)
    tensors = arrays(network)
    other = build("mobilenet", 10, 0.1, seed=4)
    load_tensors(other, tensors)
    with torch.inference_mode():
        assert torch.equal(network.eval()(images(2)), other.eval()(images(2)))
    key = next(iter(tensors))
    for wrong, message in (
        ({n: t for n, t in tensors.items() if n != key}, f"{key} is missing"),
        (tensors | {"extra": np.zeros(1)}, "extra is unknown"),
        (tensors | {key: tensors[key][:1]}, f"{key} is of another shape"),
        (arrays(build("mobilenetv2", 10, 0.1)), "another network or width"),
    ):
        with pytest.raises(IlwpError, match=message):
            load_tensors(other, wrong)
    for lazy in (torch.nn.LazyLinear(3), torch.nn.LazyBatchNorm2d(affine=False)):
        with pytest.raises(IlwpError, match="lazy layer"):
            load_tensors(torch.nn.Sequential(lazy), tensors)
