import numpy as np
import pytest
import torch
from torch import nn

from ilwp.networks.moments import inputs_of, layers_of, second_moments


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 1, stride=2), nn.Conv2d(4, 6, 3, groups=2, stride=2, dilation=2),
        nn.Conv2d(4, 4, (3, 1), groups=4, padding="same", padding_mode="circular"), nn.Conv2d(4, 6, 1, padding=1),
    ],
    ids=str,
)  # fmt: skip
def test_moments_tell_the_variance_of_the_outputs(layer: nn.Conv2d):
    torch.manual_seed(0)
    images = torch.randn(30, 4, 9, 9) @ torch.randn(9, 9) + 2
    moments = second_moments(nn.Sequential(layer), images, ["0"])["0"].double()
    weights = layer.weight.detach().double().reshape(len(moments), -1, inputs_of(layer))  # (groups, outputs, inputs)
    predicted = torch.einsum("goi,gij,goj->go", weights, moments, weights).flatten()
    with torch.inference_mode():
        measured = layer(images).transpose(0, 1).flatten(1).double().var(1, correction=0)
    np.testing.assert_allclose(predicted, measured, rtol=1e-3)


def test_tokens_of_linear_layers_count_one_by_one():
    network, inputs = nn.Sequential(nn.Linear(5, 3)), torch.randn(40, 7, 5)
    found = second_moments(network, inputs, ["0"])["0"]
    np.testing.assert_allclose(found[0], np.cov(inputs.reshape(-1, 5).T.numpy(), bias=True), rtol=1e-4, atol=1e-5)


def test_layers_that_are_not_called_or_see_nothing_finite_have_none():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    network[0].unused = nn.Linear(2, 2)
    with torch.no_grad():
        network[0].weight[0] = torch.inf
    found = second_moments(network, torch.rand(5, 3, 4, 4), list(layers_of(network)))
    assert list(found) == ["0"]


def test_inputs_that_hardly_vary_about_a_large_mean_keep_their_digits():
    inputs = 1000 + 0.01 * torch.randn(45, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = second_moments(nn.Sequential(nn.Conv2d(3, 2, 1)), inputs, ["0"])["0"]
    np.testing.assert_allclose(found[0], np.cov(inputs.transpose(0, 1).flatten(1).double(), bias=True), atol=3e-6)
