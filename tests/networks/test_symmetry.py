import itertools

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from ilwp.common.errors import IlwpError
from ilwp.networks.build import NETWORKS, build
from ilwp.networks.symmetries import structure, symmetries
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.networks.trials import random_inputs
from ilwp.paper.kernels import depthwise_names


def settled(network: nn.Module) -> nn.Module:
    """The network with batch norms that do something, as after training, and biases that are not zero."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.detach().add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def outputs(network: nn.Module, side: int = 32, inputs: int = 3) -> torch.Tensor:
    images = torch.randn(2, inputs, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        return network.double()(images)


def shuffle(symmetry: Symmetry, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = np.arange(len(symmetry.cells))
    for cell in np.unique(symmetry.cells):
        members = np.flatnonzero(symmetry.cells == cell)
        order[members] = rng.permutation(members)
    signs = rng.choice([-1, 1], len(order)) if symmetry.signed else np.ones(len(order))
    return order, signs


def shuffled(network: nn.Module, seed: int = 0) -> dict[str, np.ndarray]:
    rng, tensors = np.random.default_rng(seed), arrays(network)
    for symmetry in symmetries(network):
        tensors = rearranged(tensors, symmetry, *shuffle(symmetry, rng))
    return tensors


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


class Block(nn.Module):
    def __init__(self, norm: bool = True, multiplier: int = 1) -> None:
        super().__init__()
        hidden = 4 * multiplier
        self.expand = nn.Conv2d(2, 4, 1)
        self.depthwise = nn.Conv2d(4, hidden, 3, padding=1, groups=4)
        self.norm, self.project = nn.BatchNorm2d(hidden) if norm else nn.ReLU(), nn.Conv2d(hidden, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(self.norm(self.depthwise(self.expand(x))))


def same_whatever_the_order(network: nn.Module) -> list[Symmetry]:
    """The symmetries of a network whose outputs stay when all of them are used."""
    network, (x,) = settled(network), random_inputs(network)
    found, tensors = structure(network, (x,))[0], shuffled(network, seed=3)
    with torch.no_grad():
        before = network.double()(x.double())
        load_tensors(network, tensors)
        torch.testing.assert_close(network(x.double()), before, rtol=1e-10, atol=1e-10)
    return found


class Reading(Block):
    """A block of which something else reads a part too."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.expand(x)
        y = self.project(self.norm(self.depthwise(hidden)))
        if self.what == "channels":
            return y + hidden[:, :2]
        if self.what == "a channel's size":
            return y + hidden.softmax(1).amax((1, 2, 3))
        if self.what == "weight":
            return y + F.conv2d(x, self.expand.weight)[:, :2]
        if self.what == "kernels":
            return y * self.depthwise.weight.cumsum(0)[2].mean()
        if self.what == "norm":
            return y * self.norm.weight[0]
        return y + F.conv2d(x[:, :1], self.depthwise.weight, padding=1)[:, 1:3]


@pytest.mark.parametrize("what", ["channels", "a channel's size", "weight", "kernels", "norm", "depthwise.weight"])
def test_what_something_else_reads_stays_where_it_is(what):
    (symmetry,) = same_whatever_the_order(Reading(what))
    assert symmetry.cells[:2].tolist().count(symmetry.cells[0]) == 1
    assert symmetry.ordered == (what == "channels")  # the two that nothing else reads may move
    assert (symmetry.signed is None) == (what in ("kernels", "norm", "depthwise.weight"))


def test_a_module_with_two_names_stays_as_it_is():
    network = Block()
    network.again = network.expand
    (symmetry,) = same_whatever_the_order(network)
    assert not symmetry.ordered
    network = Block()
    network.again = network.depthwise
    assert not any(s.ordered or s.signed for s in same_whatever_the_order(network))


def test_parameters_that_share_memory_stay_as_they_are():
    network = Block()
    network.expand.bias = network.depthwise.bias
    assert not any(s.ordered or s.signed for s in same_whatever_the_order(network))
    network = Block()
    both = torch.randn(8)
    network.expand.bias, network.depthwise.bias = nn.Parameter(both[:4]), nn.Parameter(both[4:])
    assert not any(s.ordered or s.signed for s in same_whatever_the_order(network))


def test_a_layer_that_is_used_twice_stays_as_it_is():
    class Twice(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(super().forward(x))

    assert not any(s.ordered or s.signed for s in same_whatever_the_order(Twice()))


@pytest.mark.parametrize("form", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm])
def test_what_weight_norm_touches_stays_as_it_is(form):
    network = Block()
    form(network.expand)
    (symmetry,) = same_whatever_the_order(network)
    assert not symmetry.ordered
    assert symmetry.signed
    network = Block()
    form(network.depthwise)
    assert same_whatever_the_order(network) == []


def test_a_branch_for_training_alone_changes_nothing():
    class Auxiliary(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            return y + F.conv2d(x, self.expand.weight)[:, :2] if self.training else y

    (symmetry,) = same_whatever_the_order(Auxiliary())
    assert symmetry.ordered


def test_kernels_of_the_same_channel_may_change_places():
    (symmetry,) = same_whatever_the_order(Block(multiplier=3))
    assert symmetry.cells.tolist() == np.repeat(range(4), 3).tolist()
    assert symmetry.signed


@pytest.mark.parametrize("axes", [1, 3])
def test_kernels_of_one_and_three_axes_are_found(axes):
    convolution, norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv3d, nn.BatchNorm3d))[axes == 3]
    network = nn.Sequential(
        convolution(2, 6, 1), norm(6), nn.Hardswish(), convolution(6, 6, 3, padding=1, groups=6), norm(6), nn.SiLU(),
        convolution(6, 2, 1),
    )  # fmt: skip
    (symmetry,) = same_whatever_the_order(network)
    assert (symmetry.layer, len(np.unique(symmetry.cells))) == ("3.weight", 1)
    assert symmetry.signed == ("4.weight", "4.running_mean", "3.bias")


def test_a_stem_for_grey_images_is_no_depthwise_layer():
    network = nn.Sequential(nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 2, 1))
    (symmetry,) = same_whatever_the_order(network)
    assert symmetry.layer == "2.weight"
    assert symmetry.ordered


def test_a_frozen_norm_and_a_scale_a_channel_follow():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 1), torchvision.ops.FrozenBatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8),
        torchvision.ops.FrozenBatchNorm2d(8), nn.Conv2d(8, 2, 1),
    )  # fmt: skip
    network[1].weight.copy_(torch.arange(8) - 3.0)
    network[4].running_mean.copy_(torch.arange(8) - 3.0)
    (symmetry,) = same_whatever_the_order(network)
    assert symmetry.ordered
    assert symmetry.signed is None


def test_pooled_flattened_and_padded_channels_follow():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ZeroPad2d(1), nn.Conv2d(8, 8, 3, groups=8), nn.PixelShuffle(1), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip
    (symmetry,) = same_whatever_the_order(network)
    assert not symmetry.ordered  # one function that is not known is enough
    del network[3]
    (symmetry,) = same_whatever_the_order(network)
    assert symmetry.ordered


def test_what_is_written_in_place_stays_where_it_is():
    class Writing(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.expand(x)
            hidden[:, 1] = 0
            return self.project(self.norm(self.depthwise(hidden)))

    (symmetry,) = same_whatever_the_order(Writing())
    assert not symmetry.ordered


def test_biases_follow_their_channels():
    (symmetry,) = same_whatever_the_order(Block(norm=False))
    assert {"expand.bias", "depthwise.bias"} <= {follower.name for follower in symmetry.followers}


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


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, track_running_stats=False)])
def test_a_norm_without_numbers_of_its_own_takes_no_sign_in(norm):
    network = Block()
    network.norm = norm
    (symmetry,) = same_whatever_the_order(network)
    assert symmetry.signed is None
    assert symmetry.ordered


class Inside(nn.Conv2d):
    """What a user derives from a convolution."""


def test_a_layer_that_is_never_called_keeps_its_order():
    network = Block()
    network.depthwise, network.unused = Inside(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 4, 3, groups=4)
    called, unused = same_whatever_the_order(network)
    assert (called.layer, unused.layer) == ("depthwise.weight", "unused.weight")
    assert called.ordered
    assert not unused.ordered
    assert not unused.signed


def test_one_activation_may_be_used_twice():
    network = Block(norm=False)
    network.expand = nn.Sequential(network.expand, network.norm)
    (symmetry,) = symmetries(network)
    assert symmetry.ordered


def test_only_the_first_layer_of_a_stream_moves_and_takes_the_others_along():
    found = symmetries(torchvision_convnext().eval())
    assert [s.ordered for s in found] == [True, False, True, False]
    assert found[1].layer in {follower.name for follower in found[0].followers}
