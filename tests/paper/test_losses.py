import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ilwp.paper.losses import collocated, inter_layer_loss, total_loss


def layer(*weights: float) -> torch.Tensor:
    return torch.tensor(weights, dtype=torch.float64).view(-1, 1, 1, 1).requires_grad_()


def random_layers(channels: tuple[int, ...], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(c, 1, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True) for c in channels]


def test_a_wider_layer_goes_around_the_previous_one():
    # |4 - 1| + |1 - 2| + |0 - 1| over three weights
    assert inter_layer_loss([layer(1, 2), layer(4, 1, 0)]).item() == pytest.approx(5 / 3)


def test_a_narrower_layer_uses_the_first_kernels_only():
    assert inter_layer_loss([layer(1, 2, 100), layer(4, 1)]).item() == pytest.approx(4 / 2)


def test_z_counts_the_weights_of_every_layer_but_the_first():
    assert inter_layer_loss([layer(1), layer(3, 3), layer(0, 3, 3)]).item() == pytest.approx((2 + 2 + 3) / 5)


@given(st.lists(st.integers(1, 7), min_size=2, max_size=5).map(tuple), st.integers(0, 2**31))
def test_the_loss_is_equation_2_over_all_kernels(channels, seed):
    layers = [k.detach().numpy() for k in random_layers(channels, seed)]
    total, weights = 0.0, 0
    for previous, current in itertools.pairwise(layers):
        for j in range(len(current)):
            total += np.abs(current[j] - previous[j % len(previous)]).sum()
            weights += current[j].size
    assert inter_layer_loss([torch.from_numpy(k) for k in layers]).item() == pytest.approx(total / weights, rel=1e-12)


def test_both_ends_receive_a_gradient():
    first, second, third = layer(1, 2), layer(4, 1, 0), layer(5)
    inter_layer_loss([first, second, third]).backward()
    # Z = 4; first's 1 is below 4 and above 0, its 2 above 1; second's 4 is above 1 and below 5
    assert first.grad.flatten().tolist() == [0, 0.25]
    assert second.grad.flatten().tolist() == [0, -0.25, -0.25]
    assert third.grad.flatten().tolist() == [0.25]


@pytest.mark.parametrize("channels", [(2, 5), (5, 2), (3, 7, 4)])
def test_the_gradient_is_the_slope(channels: tuple[int, ...]):
    assert torch.autograd.gradcheck(lambda *kernels: inter_layer_loss(kernels), random_layers(channels, 0))


def test_equal_neighbours_cost_nothing():
    repeated = torch.randn(3, 1, 3, 3)
    assert inter_layer_loss([repeated, repeated.repeat(2, 1, 1, 1), repeated]).item() == 0


@pytest.mark.parametrize("layers", [[], [layer(1)]])
def test_fewer_than_two_layers_are_refused(layers: list[torch.Tensor]):
    with pytest.raises(ValueError, match="at least two"):
        inter_layer_loss(layers)


def test_the_total_adds_lambda_times_the_inter_layer_loss_to_the_cross_entropy():
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    entropies = [-np.log(np.exp(2) / (np.exp(2) + 1)), -np.log(1 / (1 + np.e))]
    kernels = [layer(1), layer(4)]
    assert total_loss(logits, labels, kernels, 0).item() == pytest.approx(np.mean(entropies), rel=1e-6)
    assert total_loss(logits, labels, kernels, 0.5).item() == pytest.approx(np.mean(entropies) + 1.5, rel=1e-6)


def test_without_weight_a_network_of_one_layer_has_a_loss_too():
    assert total_loss(torch.zeros(1, 4), torch.tensor([1]), [layer(1)], 0).item() == pytest.approx(np.log(4))


def test_collocated_takes_kernels_in_turn():
    assert collocated(layer(0, 0, 0), layer(7, 8)).flatten().tolist() == [7, 8, 7]
    assert collocated(layer(0), layer(7, 8)).flatten().tolist() == [7]


def oracle(layers: list[np.ndarray], targets: list[int | None]) -> tuple[float, list[np.ndarray]]:
    """Eq. 2 kernel by kernel against any layers, and its gradient."""
    weights, total = sum(k.size for k in layers[1:]), 0.0
    slopes = [np.zeros_like(k) for k in layers]
    for i, target in enumerate(targets, start=1):
        for j in range(len(layers[i])):
            v = None if target is None else j % len(layers[target])
            difference = layers[i][j] - (0 if v is None else layers[target][v])
            total += np.abs(difference).sum()
            slopes[i][j] += np.sign(difference) / weights
            if v is not None:
                slopes[target][v] -= np.sign(difference) / weights
    return total / weights, slopes


@given(st.data())
def test_the_loss_and_its_gradient_are_equation_2_against_any_earlier_layers(data: st.DataObject):
    channels = data.draw(st.lists(st.integers(1, 7), min_size=2, max_size=5).map(tuple))
    targets = [data.draw(st.none() | st.integers(0, i)) for i in range(len(channels) - 1)]
    layers = random_layers(channels, data.draw(st.integers(0, 2**31)))
    loss = inter_layer_loss(layers, targets)
    loss.backward()
    wanted, slopes = oracle([k.detach().numpy() for k in layers], targets)
    assert loss.item() == pytest.approx(wanted, rel=1e-12)
    for layer, slope in zip(layers, slopes, strict=True):
        found = torch.zeros_like(layer) if layer.grad is None else layer.grad
        np.testing.assert_allclose(found.numpy(), slope, atol=1e-12)


def test_the_previous_layers_may_be_named():
    layers = random_layers((2, 5, 3), 0)
    assert torch.equal(inter_layer_loss(layers), inter_layer_loss(layers, [0, 1]))
    logits, labels = torch.zeros(1, 4, dtype=torch.float64), torch.tensor([1])
    first, plain = (total_loss(logits, labels, layers, 0.5, targets) for targets in ([0, 0], None))
    difference = inter_layer_loss(layers, [0, 0]) - inter_layer_loss(layers)
    assert (first - plain).item() == pytest.approx(0.5 * difference.item())


def test_a_target_for_each_layer_is_wanted():
    with pytest.raises(ValueError, match="zip"):
        inter_layer_loss(random_layers((2, 3), 0), [0, 0])
