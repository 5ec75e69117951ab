import pytest
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.tensors import arrays, matched


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_of_all_names_are_left_out_of_account(prefix: str):
    network = nn.Linear(2, 3)
    tensors = {f"{prefix}{name}": tensor for name, tensor in arrays(network).items()}
    assert matched(network, tensors) == {name: f"{prefix}{name}" for name in arrays(network)}


@pytest.mark.parametrize(
    "names", [["module.weight", "bias"], ["modules.weight", "modules.bias"], ["a.weight", "a.bias"]]
)
def test_names_without_a_known_prefix_before_all_are_another_networks(names: list[str]):
    network = nn.Linear(2, 3)
    with pytest.raises(IlwpError, match="another network or width"):
        matched(network, dict(zip(names, arrays(network).values(), strict=True)))
