import numpy as np
import pytest
import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.tensors import arrays, batch_norms_of, load_tensors
from ilwp.whole.batch_norms import folded


@pytest.mark.parametrize(("part", "value"), [("running_var", -1), ("running_mean", np.inf), ("weight", np.nan)])
def test_a_norm_that_did_not_train_is_refused(part: str, value: float):
    tensors = {f"a.{part}": np.ones(3, np.float32) for part in ("weight", "bias", "running_mean", "running_var")}
    tensors[f"a.{part}"][1] = value
    with pytest.raises(IlwpError, match=r"^batch norm a holds a negative variance, NaN or infinity"):
        folded(tensors, {"a": 1e-5})


def test_a_folded_network_computes_the_same_with_half_the_numbers():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, eps=1e-3), nn.ReLU(), nn.BatchNorm2d(5, affine=False))
    for _ in range(3):
        network(torch.randn(20, 3, 8, 8) * 3 + 1)
    with torch.no_grad():
        network[1].weight.uniform_(-2, 2)
        network[1].bias.normal_()
    assert batch_norms_of(network) == {"1": 1e-3}
    images = torch.randn(4, 3, 8, 8)
    before = network.eval()(images)
    tensors = folded(arrays(network), batch_norms_of(network))
    assert np.ptp(tensors["1.running_mean"]) == np.ptp(tensors["1.running_var"]) == 0
    assert tensors["1.weight"].dtype == tensors["1.bias"].dtype == np.float32
    load_tensors(network, tensors)
    torch.testing.assert_close(network(images), before)
