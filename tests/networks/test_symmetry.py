import itertools

import numpy as np
import pytest
import torch
import torchvision
from odd_networks import Block, Reading, outputs, settled, shuffled
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.build import NETWORKS, build
from ilwp.networks.symmetries import symmetries
from ilwp.networks.symmetry import rearranged
from ilwp.networks.tensors import arrays, depthwise_names, load_tensors


def torchvision_convnext() -> nn.Module:
    setting = torchvision.models.convnext.CNBlockConfig
    return torchvision.models.ConvNeXt([setting(8, 16, 2), setting(16, None, 2)], layer_scale=0.5, num_classes=7)


def torchvision_efficientnet() -> nn.Module:
    setting = torchvision.models.efficientnet.MBConvConfig
    settings = [setting(1, 3, 1, 8, 8, 2), setting(4, 5, 2, 8, 16, 2), setting(6, 3, 2, 16, 24, 1)]
    return torchvision.models.EfficientNet(settings, dropout=0.2, num_classes=7, last_channel=32)


def torchvision_shufflenetv2() -> nn.Module:
    return torchvision.models.ShuffleNetV2([2, 3, 2], [8, 16, 32, 64, 64], num_classes=7)


MAKERS = {name: (lambda name=name: build(name, 10, 0.25)) for name in NETWORKS} | {
    "torchvision MobileNetV2": lambda: torchvision.models.mobilenet_v2(width_mult=0.1, num_classes=7),
    "torchvision MobileNetV3": lambda: torchvision.models.mobilenet_v3_small(width_mult=0.25, num_classes=7),
    "torchvision MobileNetV3 large": lambda: torchvision.models.mobilenet_v3_large(width_mult=0.1, num_classes=7),
    "torchvision EfficientNet": torchvision_efficientnet,
    "torchvision ShuffleNetV2": torchvision_shufflenetv2,
    "torchvision MNASNet": lambda: torchvision.models.MNASNet(0.1, num_classes=7),
    "torchvision ConvNeXt": torchvision_convnext,
}
# how many depthwise layers move with the first one of their stream, and so have no order of their own
BOUND = {"torchvision MobileNetV3 large": 2, "torchvision EfficientNet": 1, "torchvision ConvNeXt": 2}


@pytest.mark.parametrize("name", MAKERS)
def test_any_order_and_signs_that_are_allowed_leave_the_logits_alone(name):
    network = settled(MAKERS[name]())
    found, original, tensors = symmetries(network), arrays(network), shuffled(network)
    before = outputs(network)
    load_tensors(network, tensors)
    after = outputs(network)
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9 * float((before[0] - before[1]).abs().max()))
    layers = depthwise_names(network)
    assert [s.layer for s in found] == layers
    assert sum(s.ordered for s in found) == len(layers) - BOUND.get(name, 0)
    assert all(not np.array_equal(original[s.layer], tensors[s.layer]) for s in found if s.ordered)
    assert all(s.signed for s in found) == (name != "torchvision ConvNeXt")


def test_mobilenets_are_free_and_shufflenets_as_far_as_groups_and_branches_allow():
    cells = {name: [len(np.unique(s.cells)) for s in symmetries(build(name, 10, 0.5))] for name in NETWORKS}
    assert set(cells["mobilenet"]) == set(cells["mobilenetv2"]) == {1}
    assert cells["shufflenet"] == [2] + [4] * 15
    # only channels with the same way through the units before may change places where two stages meet
    later_downs = [name.split(".")[1] == "branch1" for name in depthwise_names(build("shufflenetv2", 10, 0.5))]
    later_downs[0] = False
    assert [count > 1 for count in cells["shufflenetv2"]] == later_downs


def test_a_flipped_zero_is_the_same_zero():
    network = settled(Block())
    (symmetry,) = symmetries(network)
    tensors = arrays(network) | {"norm.running_mean": np.zeros(4, np.float32)}
    flipped = rearranged(tensors, symmetry, np.arange(4), np.array([1, -1, -1, 1]))
    assert flipped["norm.running_mean"].tobytes() == bytes(16)


def test_signs_need_a_batch_norm_directly_behind_the_layer():
    (symmetry,) = symmetries(Block(norm=False))
    assert symmetry.ordered
    assert symmetry.signed is None
    with pytest.raises(ValueError, match="batch norm"):
        rearranged(arrays(Block(norm=False)), symmetry, np.arange(4), np.array([1, -1, 1, 1]))
    network = Block()
    network.norm = nn.Sequential(nn.ReLU(inplace=True), network.norm)
    (symmetry,) = symmetries(network.eval())
    assert symmetry.signed is None


def test_an_order_that_leaves_a_cell_is_refused():
    (symmetry,) = symmetries(Reading("channels").eval())
    with pytest.raises(ValueError, match="cell"):
        rearranged(arrays(Block()), symmetry, np.array([1, 0, 2, 3]), np.ones(4))


def test_a_bias_of_the_layer_is_flipped_with_its_kernel():
    network = settled(Block())
    (symmetry,) = symmetries(network)
    before, tensors = outputs(network, inputs=2), arrays(network)
    for signs in itertools.product([-1, 1], repeat=4):
        load_tensors(network, rearranged(tensors, symmetry, np.array([3, 1, 0, 2]), np.array(signs)))
        torch.testing.assert_close(outputs(network, inputs=2), before)


def test_a_graph_that_depends_on_data_is_refused_in_one_line():
    class Undecided(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(IlwpError, match="traced"):
        symmetries(Undecided())


def test_tracing_leaves_the_network_as_it_was():
    network = settled(Block())
    network.again, network.shared = network.expand, nn.Conv2d(2, 4, 1)
    network.shared.weight = network.expand.weight
    before = {name: id(t) for name, t in network.state_dict(keep_vars=True).items()}
    symmetries(network)
    assert {name: id(t) for name, t in network.state_dict(keep_vars=True).items()} == before


def test_only_the_first_layer_of_a_stream_moves_and_takes_the_others_along():
    found = symmetries(torchvision_convnext().eval())
    assert [s.ordered for s in found] == [True, False, True, False]
    assert found[1].layer in {follower.name for follower in found[0].followers}
