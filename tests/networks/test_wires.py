import numpy as np
import pytest
import torch
import torchvision
from odd_networks import Block, Inside, Reading, same_whatever_the_order
from torch import nn
from torch.nn import functional as F

from ilwp.networks.symmetries import symmetries


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


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, track_running_stats=False)])
def test_a_norm_without_numbers_of_its_own_takes_no_sign_in(norm):
    network = Block()
    network.norm = norm
    (symmetry,) = same_whatever_the_order(network)
    assert symmetry.signed is None
    assert symmetry.ordered


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
