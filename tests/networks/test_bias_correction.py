import numpy as np
import pytest
import torch
from torch import nn

from ilwp.networks.bias_correction import corrections, mean_inputs
from ilwp.networks.sensitivity import synthetic_inputs
from ilwp.networks.tensors import arrays, load_tensors


def network() -> nn.Module:
    """Convolutions with a batch norm behind them, one with a bias, one with neither, and a linear layer."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU(), nn.Conv2d(8, 8, 1, bias=False), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip
    nn.init.uniform_(made[1].weight, 0.5, 1.5)
    nn.init.normal_(made[1].bias)
    made[1].running_mean.normal_()
    made[1].running_var.uniform_(0.5, 2)
    return made.eval()


def test_each_layer_finds_what_takes_its_shift_off():
    seen = mean_inputs(network(), synthetic_inputs((3, 8, 8)))
    assert seen.absorbers == {"0": "1.bias", "3": "3.bias", "9": "9.bias"}
    assert {name: tuple(mean.shape) for name, mean in seen.means.items()} == {"0": (3, 8, 8), "3": (8, 8, 8), "9": (8,)}


def test_a_batch_norm_puts_out_its_own_mean_whatever_the_inputs():
    means = mean_inputs(network()[:4], 100 + 7 * synthetic_inputs((3, 8, 8), 64)).means
    gamma, beta = (network().state_dict()[f"1.{part}"].double() for part in ("weight", "bias"))
    normal = torch.distributions.Normal(0.0, 1.0)
    ratio = beta / gamma
    wanted = beta * normal.cdf(ratio) + gamma * normal.log_prob(ratio).exp()  # of a rectified Gaussian
    assert means["3"].mean((1, 2)).double().numpy() == pytest.approx(wanted.numpy(), abs=0.15)


@pytest.mark.parametrize("made_up", [True, False])
@pytest.mark.parametrize("layer", ["0", "3", "9"])
def test_the_mean_of_the_layers_outputs_comes_back(layer: str, made_up: bool):
    made, inputs = network(), synthetic_inputs((3, 8, 8), 32, seed=3)
    before = arrays(made)
    after = dict(before)
    rng = np.random.default_rng(1)
    weight = before[f"{layer}.weight"]
    after[f"{layer}.weight"] = weight + rng.normal(0.05, 0.05, weight.shape).astype(np.float32)
    # the inputs' own statistics, so that the batch's are the running ones
    with torch.no_grad():
        first = made[0](inputs)
        made[1].running_mean.copy_(first.mean((0, 2, 3)))
        made[1].running_var.copy_(first.var((0, 2, 3), unbiased=False))
    before |= {name: t for name, t in arrays(made).items() if "running" in name}
    after |= {name: t for name, t in arrays(made).items() if "running" in name}
    taken_off = after | corrections(made, before, after, mean_inputs(made, inputs, made_up))
    end = made[: int(layer) + (2 if layer == "0" else 1)]
    with torch.no_grad():
        wanted = end(inputs).transpose(0, 1).flatten(1).mean(1)
        shifted, found = (_mean(made, end, state, inputs) for state in (after, taken_off))
    assert float((found - wanted).abs().max()) < 0.02 * float((shifted - wanted).abs().max())


def _mean(made: nn.Module, end: nn.Module, state: dict[str, np.ndarray], inputs: torch.Tensor) -> torch.Tensor:
    load_tensors(made, state)
    return end(inputs).transpose(0, 1).flatten(1).mean(1)


def test_a_network_is_left_as_it_is():
    made = network()
    before = arrays(made)
    for made_up in (True, False):
        mean_inputs(made, synthetic_inputs((3, 8, 8)), made_up)
    assert not any(module.training or module._forward_hooks for module in made.modules())
    for name, tensor in arrays(made).items():
        np.testing.assert_array_equal(tensor, before[name])


def test_means_do_not_depend_on_how_inputs_are_put_into_batches(monkeypatch: pytest.MonkeyPatch):
    inputs = synthetic_inputs((3, 8, 8), 7)
    whole = mean_inputs(network(), inputs, made_up=False).means
    monkeypatch.setattr("ilwp.networks.bias_correction.AT_ONCE", 3)
    for name, mean in mean_inputs(network(), inputs, made_up=False).means.items():
        torch.testing.assert_close(mean, whole[name])


def test_what_has_not_changed_is_left_alone():
    made = network()
    assert corrections(made, arrays(made), arrays(made), mean_inputs(made, synthetic_inputs((3, 8, 8)))) == {}
