import itertools

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.build import NETWORKS, build
from ilwp.networks.symmetries import symmetries
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.paper.kernels import depthwise_names


def settled(network: nn.Module) -> nn.Module:
    """The network with batch norms that do something, as after training."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.detach().normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def outputs(network: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return network(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)))


def shuffle(symmetry: Symmetry, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = np.arange(len(symmetry.cells))
    for cell in np.unique(symmetry.cells):
        members = np.flatnonzero(symmetry.cells == cell)
        order[members] = rng.permutation(members)
    signs = rng.choice([-1, 1], len(order)) if symmetry.signed else np.ones(len(order))
    return order, signs


def torchvision_mobilenetv2() -> nn.Module:
    return torchvision.models.mobilenet_v2(weights=None, width_mult=0.35)


MAKERS = {name: (lambda name=name: build(name, 10, 0.25)) for name in NETWORKS} | {"theirs": torchvision_mobilenetv2}


@pytest.mark.parametrize("name", MAKERS)
def test_any_order_and_signs_that_are_allowed_leave_the_logits_alone(name):
    network, rng = settled(MAKERS[name]()), np.random.default_rng(0)
    before, tensors = outputs(network), arrays(network)
    original = tensors
    for symmetry in symmetries(network):
        tensors = rearranged(tensors, symmetry, *shuffle(symmetry, rng))
    moved = [k for k in depthwise_names(network) if not np.array_equal(original[k], tensors[k])]
    load_tensors(network, tensors)
    assert len(moved) == len(depthwise_names(network))
    torch.testing.assert_close(outputs(network), before, rtol=1e-4, atol=1e-5)


def test_mobilenets_are_free_and_shufflenets_as_far_as_groups_and_branches_allow():
    cells = {name: [len(np.unique(s.cells)) for s in symmetries(build(name, 10, 0.5))] for name in NETWORKS}
    assert set(cells["mobilenet"]) == set(cells["mobilenetv2"]) == {1}
    assert cells["shufflenet"] == [2] + [4] * 15
    down = [name.split(".")[1] == "branch1" for name in depthwise_names(build("shufflenetv2", 10, 0.5))]
    assert [count == 1 for count in cells["shufflenetv2"]] == [not d for d in down]


class Block(nn.Module):
    def __init__(self, norm: bool = True, twice: bool = False) -> None:
        super().__init__()
        self.expand, self.depthwise = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.norm, self.project = nn.BatchNorm2d(4) if norm else nn.ReLU(), nn.Conv2d(4, 2, 1)
        self.twice = twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.expand(x)
        y = self.project(self.norm(self.depthwise(hidden)))
        return y + hidden.mean() if self.twice else y


def test_biases_follow_their_channels():
    network = settled(Block(norm=False))
    x = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = network(x)
        (symmetry,) = symmetries(network)
        load_tensors(network, rearranged(arrays(network), symmetry, np.array([2, 0, 3, 1]), np.ones(4)))
        torch.testing.assert_close(network(x), before)


def test_a_flipped_zero_is_the_same_zero():
    network = settled(Block())
    (symmetry,) = symmetries(network)
    tensors = arrays(network) | {"norm.running_mean": np.zeros(4, np.float32)}
    flipped = rearranged(tensors, symmetry, np.arange(4), np.array([1, -1, -1, 1]))
    assert flipped["norm.running_mean"].tobytes() == bytes(16)


def test_signs_need_a_batch_norm_behind_the_layer():
    (symmetry,) = symmetries(Block(norm=False))
    assert symmetry.ordered
    assert symmetry.signed is None
    with pytest.raises(ValueError, match="batch norm"):
        rearranged(arrays(Block(norm=False)), symmetry, np.arange(4), np.array([1, -1, 1, 1]))


def test_channels_that_something_else_reads_stay_where_they_are():
    (symmetry,) = symmetries(Block(twice=True))
    assert not symmetry.ordered
    with pytest.raises(ValueError, match="cell"):
        rearranged(arrays(Block(twice=True)), symmetry, np.array([1, 0, 2, 3]), np.ones(4))


def test_a_bias_of_the_layer_is_flipped_with_its_kernel():
    network = settled(Block())
    x = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    (symmetry,) = symmetries(network)
    with torch.inference_mode():
        before = network(x)
        for signs in itertools.product([-1, 1], repeat=4):
            load_tensors(network, rearranged(arrays(network), symmetry, np.array([3, 1, 0, 2]), np.array(signs)))
            torch.testing.assert_close(network(x), before)


def test_a_graph_that_depends_on_data_is_refused_in_one_line():
    class Undecided(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) if x.sum() > 0 else x

    class Strict(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert isinstance(x, torch.Tensor)
            return super().forward(x)

    for network in (Undecided(), Strict()):
        with pytest.raises(IlwpError, match="traced"):
            symmetries(network)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, track_running_stats=False)])
def test_a_norm_without_numbers_of_its_own_fixes_order_and_signs(norm):
    network = Block()
    network.norm = norm
    (symmetry,) = symmetries(network)
    assert symmetry.signed is None
    assert not symmetry.ordered


def test_a_layer_that_is_used_twice_is_refused():
    class Twice(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(super().forward(x))

    with pytest.raises(IlwpError, match="twice"):
        symmetries(Twice())


class Inside(nn.Conv2d):
    """What a user derives from a convolution, whose inside is traced."""


def test_a_layer_that_the_graph_does_not_show_keeps_its_order():
    network = Block()
    network.depthwise, network.unused = Inside(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 4, 3, groups=4)
    found = symmetries(network)
    assert [s.layer for s in found] == ["depthwise.weight", "unused.weight"]
    assert not any(s.ordered or s.signed for s in found)


def test_one_activation_may_be_used_twice():
    network = Block(norm=False)
    network.expand = nn.Sequential(network.expand, network.norm)
    (symmetry,) = symmetries(network)
    assert symmetry.ordered
