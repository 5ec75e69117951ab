import numpy as np
import pytest
import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.sensitivity import SAMPLES, floating, inputs_for, sensitivities, synthetic_inputs


def test_a_linear_layers_sensitivity_is_its_inputs_mean_square():
    """Of y = W x the derivative to W[o][i] is u[o] x[i], and u has variance 1."""
    torch.manual_seed(0)
    layer = nn.Linear(6, 400, bias=True).eval()
    inputs = 3 * torch.randn(64, 6)
    found = sensitivities(layer, inputs)
    assert found["weight"] == pytest.approx(float(inputs.square().mean()), rel=0.05)
    assert found["bias"] == pytest.approx(1, rel=0.05)


def test_it_predicts_the_error_that_quantization_leaves_in_the_outputs():
    """Adding noise of variance e to a tensor changes the outputs by e x weights x sensitivity, in expectation."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(),
        nn.Linear(8 * 36, 5),
    ).eval()  # fmt: skip
    inputs = synthetic_inputs((3, 8, 8), 64)
    found = sensitivities(network, inputs)
    before = network(inputs).detach()
    for name in ("0.weight", "3.weight", "5.weight"):
        weight = network.get_parameter(name)
        changes = []
        for _ in range(20):
            noise = 1e-3 * torch.randn_like(weight)
            with torch.no_grad():
                weight += noise
                changes.append(float((network(inputs) - before).square().sum(1).mean()))
                weight -= noise
        assert np.mean(changes) == pytest.approx(1e-6 * weight.numel() * found[name], rel=0.35)


def test_images_have_a_spectrum_that_falls_with_frequency():
    inputs = synthetic_inputs((3, 32, 32), 4)
    assert inputs.shape == (4, 3, 32, 32)
    assert float(inputs.std()) == pytest.approx(1, rel=0.01)
    power = torch.fft.rfft2(inputs).abs().square().mean((0, 1))
    assert power[1, 1] > 20 * power[12, 12]
    assert torch.equal(inputs, synthetic_inputs((3, 32, 32), 4))
    assert synthetic_inputs((7,), 2).shape == (2, 7)


@pytest.mark.parametrize(
    ("first", "shape"),
    [(nn.Conv1d(2, 3, 5), (2, 64)), (nn.Conv2d(1, 3, (5, 1)), (64,)), (nn.Conv3d(1, 3, 3), (1, 16, 16, 16))],
)
def test_a_convolution_sees_mostly_low_frequencies(first: nn.Module, shape: tuple[int, ...]):
    inputs = inputs_for(nn.Sequential(first), shape)
    assert inputs.shape == (SAMPLES, *shape)
    assert inputs.mean().item() == pytest.approx(0, abs=1e-5)
    assert inputs.std().item() == pytest.approx(1, abs=0.05)
    for axis in range(len(shape) - len(first.kernel_size) + 1 or 1, inputs.ndim):
        assert inputs.diff(dim=axis).square().mean() < 1.2  # of white noise 2
    assert inputs_for(nn.Linear(64, 2), (64,)).diff(dim=1).square().mean() > 1.6


def test_what_is_not_used_has_none_and_nothing_is_changed():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(2, 2), nn.Linear(2, 2)
            self.used.weight.requires_grad_(False)

        def forward(self, x: torch.Tensor) -> dict[str, object]:
            return {"logits": self.used(x), "more": (self.used(2 * x), x.argmax())}

    network = Odd().eval()
    found = sensitivities(network, torch.ones(2, 2))
    assert found["spare.weight"] == 0 < found["used.weight"]
    assert not network.used.weight.requires_grad
    assert network.used.bias.grad is None
    assert len(floating(network(torch.ones(2, 2)))) == 2


def test_inputs_that_do_not_fit_are_refused_in_one_line():
    with pytest.raises(IlwpError, match="cannot be differentiated"):
        sensitivities(nn.Linear(3, 3).eval(), torch.ones(1, 4))
