"""Networks of every kind with their graph: what comes back loads, and computes what it did."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from ilwp.common.errors import IlwpError
from ilwp.door import Compressed, compress_network, decoded, structure_of_module
from ilwp.networks.sensitivity import inputs_for
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.whole.plan import Plan

AXES = {1: (nn.Conv1d, nn.BatchNorm1d), 2: (nn.Conv2d, nn.BatchNorm2d), 3: (nn.Conv3d, nn.BatchNorm3d)}


class Averaged(nn.Module):
    """The mean over all places."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mean(2)


class First(nn.Module):
    """What a recurrent layer puts out, without its state."""

    def forward(self, x: tuple[torch.Tensor, object]) -> torch.Tensor:
        return x[0]


def separable(axes: int = 2, inputs: int = 3, side: int = 3, multiplier: int = 1) -> nn.Sequential:
    """A stem and two depthwise layers of another size each."""
    convolution, norm = AXES[axes]
    layers: list[nn.Module] = [convolution(inputs, 8, 3, stride=2, bias=False), norm(8), nn.ReLU()]
    for size in (side, side + 2):
        wide = 8 * multiplier
        layers += [convolution(8, wide, size, padding=size // 2, groups=8, bias=False), norm(wide), nn.ReLU()]
        layers += [convolution(wide, 8, 1, bias=False), norm(8)]
    return nn.Sequential(*layers, Averaged(), nn.Linear(8, 5))


def weight_normed(wrap) -> nn.Sequential:
    layers = wrap(nn.Conv2d(3, 8, 3)), nn.ReLU(), wrap(nn.Conv2d(8, 8, 3, groups=8)), Averaged(), wrap(nn.Linear(8, 5))
    return nn.Sequential(*layers)


NETWORKS = {
    "one-dimensional": lambda: separable(axes=1),
    "three-dimensional": lambda: separable(axes=3),
    "channel multiplier": lambda: separable(multiplier=3),
    "grey": lambda: separable(inputs=1),
    "many channels": lambda: separable(inputs=12),
    "large kernels": lambda: separable(side=11),
    "weight norm, old form": lambda: weight_normed(weight_norm),
    "weight norm": lambda: weight_normed(parametrizations.weight_norm),
    "tokens": lambda: nn.Sequential(nn.Embedding(50, 16), nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)),
    "recurrent": lambda: nn.Sequential(nn.LSTM(9, 16, 2), First(), nn.Linear(16, 5)),
    "channels shuffled": lambda: nn.Sequential(separable()[:-2], nn.ChannelShuffle(2), Averaged(), nn.Linear(8, 5)),
    "samples of sound": lambda: nn.Sequential(nn.Unflatten(1, (1, 1024)), separable(axes=1, inputs=1)),
    "transposed": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 8, 4, groups=8), nn.ReLU()),
}


def compressed(network: nn.Module, quality: float, input_size: tuple[int, ...] | None = None) -> Compressed:
    tensors = arrays(network)
    plan = Plan(method="multiset", quality=quality)
    return compress_network(tensors, plan, structure_of_module(network, tensors, input_size))


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_of_any_kind_comes_back(kind: str):
    torch.manual_seed(0)
    network = NETWORKS[kind]().eval()
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    structure = structure_of_module(network, arrays(network))
    assert "the graph" not in structure.belief.refused
    inputs = inputs_for(network, seed=2)
    with torch.inference_mode():
        wanted = network(inputs).double()
        found = compressed(network, quality=40)
        load_tensors(network, decoded(found.content))
        error = network(inputs).double() - wanted
    assert float(error.square().sum() / wanted.square().sum()) < 1e-3
    assert found.outputs_snr is not None
    assert found.outputs_snr > 30


class OfOneSize(nn.Module):
    """A network that takes nothing but images of 2 x 20 x 30."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8 * 20 * 30, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((self.layer(x[:, :1]) + self.layer(x[:, 1:])).flatten(1))


def test_what_a_network_takes_can_be_told():
    network = OfOneSize().eval()
    found = compressed(network, 40, (2, 20, 30))
    assert found.outputs_snr is not None
    assert compressed(network, 40).outputs_snr is None
    with pytest.raises(IlwpError, match=r"^the network does not take inputs of 1 x 20 x 20 \("):
        compressed(network, 40, (20,))
    sides = {"one-dimensional": (3, 50), "three-dimensional": (3, 50, 50, 50), "tokens": (50,), "recurrent": (50, 9)}
    for kind, shape in sides.items():
        network = NETWORKS[kind]().eval()
        assert structure_of_module(network, arrays(network), (50,)).shape == shape
    sound = NETWORKS["samples of sound"]().eval()
    assert structure_of_module(sound, arrays(sound), (1024,)).shape == (1024,)
    with pytest.raises(IlwpError, match=r"^the network does not take inputs of 1 x 1000 \("):
        structure_of_module(sound, arrays(sound), (1000,))
