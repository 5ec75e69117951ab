import numpy as np
import pytest
import torch
from torch import nn

from ilwp.networks.tensors import arrays
from ilwp.whole.error_feedback import ErrorFeedback


def network_and_images() -> tuple[nn.Module, torch.Tensor]:
    """Images whose channels are nearly the same, so that one weight's error can be made up for by another."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 6, 1, groups=2), nn.Flatten(), nn.Linear(6 * 36, 5)
    )
    return network, torch.randn(300, 1, 6, 6) + 0.1 * torch.randn(300, 3, 6, 6)


@pytest.mark.parametrize("name", ["0.weight", "2.weight", "4.weight"])
def test_outputs_but_for_their_means_are_kept_better_than_by_rounding_each_weight(name: str):
    network, images = network_and_images()
    tensors = arrays(network)
    step = float(np.abs(tensors[name]).max() / 6)
    levels = ErrorFeedback(network, tensors, images)(name, step, tensors[name], 0.1)
    np.testing.assert_array_equal(levels, np.rint(levels))
    layer = network.get_submodule(name.removesuffix(".weight"))
    seen: list[torch.Tensor] = []
    with torch.no_grad():
        handle = layer.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
        network(images)
        handle.remove()
        wanted = layer(seen[0])
        errors = []
        for rounded in (levels * step, np.rint(tensors[name] / step) * step):
            layer.weight.copy_(torch.from_numpy(rounded))
            errors.append(float((layer(seen[0]) - wanted).transpose(0, 1).flatten(1).var(1).sum()))
    assert errors[0] < 0.9 * errors[1]


def test_inputs_that_are_always_zero_do_no_harm():
    network = nn.Sequential(nn.Conv2d(3, 4, 1))
    tensors = arrays(network)
    levels = ErrorFeedback(network, tensors, torch.zeros(10, 3, 5, 5))("0.weight", 0.01, tensors["0.weight"], 0.1)
    np.testing.assert_array_equal(levels, np.rint(tensors["0.weight"].astype(np.float64) / 0.01))


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_padding_may_be_named(mode: str):
    images = torch.randn(50, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    levels = []
    for padding in ("same", 1):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=padding, padding_mode=mode))
        tensors = arrays(network)
        levels.append(ErrorFeedback(network, tensors, images)("0.weight", 0.05, tensors["0.weight"], 0.1))
    np.testing.assert_array_equal(*levels)


def test_a_layer_that_is_not_called_is_rounded_to_the_nearest():
    network, images = network_and_images()
    network[0].only_for_training = nn.Linear(3, 2)
    tensors = arrays(network)
    levels = ErrorFeedback(network, tensors, images)(
        "0.only_for_training.weight", 0.1, tensors["0.only_for_training.weight"], 0.1
    )
    np.testing.assert_array_equal(levels, np.rint(tensors["0.only_for_training.weight"].astype(np.float64) / 0.1))


def test_what_is_no_layers_weight_is_rounded_to_the_nearest():
    network = nn.Sequential(nn.Conv2d(3, 4, 1))
    network.register_buffer("position", torch.randn(2, 3, generator=torch.Generator().manual_seed(0)))
    tensors = arrays(network)
    levels = ErrorFeedback(network, tensors, torch.zeros(10, 3, 5, 5))("position", 0.1, tensors["position"], 0.1)
    np.testing.assert_array_equal(levels, np.rint(tensors["position"].astype(np.float64) / 0.1))


def test_layers_whose_second_moments_do_not_fit_are_looked_at_in_turn(monkeypatch: pytest.MonkeyPatch):
    network, images = network_and_images()
    tensors, names, runs = arrays(network), ("0.weight", "2.weight", "4.weight"), []
    together = ErrorFeedback(network, tensors, images)
    wanted = [together(name, 0.1, tensors[name], 0.1) for name in names]
    monkeypatch.setattr("ilwp.whole.error_feedback.MOST", (6 * 36) ** 2)
    apart = ErrorFeedback(network, tensors, images)
    network.register_forward_pre_hook(lambda *_: runs.append(1))
    for name, levels in zip(names, wanted, strict=True):
        np.testing.assert_array_equal(apart(name, 0.1, tensors[name], 0.1), levels)
    assert len(runs) == 2 * len(images) // 20


def test_a_layer_of_too_many_inputs_is_rounded_to_the_nearest(monkeypatch: pytest.MonkeyPatch):
    network, images = network_and_images()
    tensors = arrays(network)
    monkeypatch.setattr("ilwp.whole.error_feedback.MOST", 100 * 100)
    levels = ErrorFeedback(network, tensors, images)("4.weight", 0.1, tensors["4.weight"], 0.1)
    np.testing.assert_array_equal(levels, np.rint(tensors["4.weight"].astype(np.float64) / 0.1))
