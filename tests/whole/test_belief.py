import numpy as np
import torch
from torch import nn

from ilwp.networks.build import build
from ilwp.networks.proof import Rewriting, proven
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.networks.trials import random_inputs
from ilwp.whole.belief import GRAPH, believed


def test_a_network_of_ours_is_believed_under_the_names_of_its_file():
    network = build("mobilenet", 10, 0.1).eval()
    tensors = {f"module.{name}": t for name, t in arrays(network).items() if not name.endswith("num_batches_tracked")}
    load_tensors(network, tensors)
    belief = believed(network, tensors)
    assert belief.refused == {}
    assert all(s.ordered and s.signed and s.layer in tensors for s in belief.symmetries)
    assert len(belief.symmetries) == 13
    assert len(belief.foldable_norms) == 27
    assert all(f"{name}.running_var" in tensors for name in belief.foldable_norms)


def test_a_wrong_rewriting_is_refused_by_name_and_the_rest_holds():
    network = build("mobilenetv2", 10, 0.1).eval()
    tensors = arrays(network)
    layers = [name for name, t in tensors.items() if t.ndim == 4][:8]
    good = [Rewriting(name, lambda state: dict(state)) for name in layers]
    bad = Rewriting("bad", lambda state: {**state, layers[3]: state[layers[3]][::-1].copy()})
    inputs = [random_inputs(network, (3, 32, 32), seed) for seed in (0, 1)]
    accepted, refused = proven(network, tensors, [*good[:3], bad, *good[3:]], inputs)
    assert [r.name for r in accepted] == layers
    assert list(refused) == ["bad"]


def test_a_network_of_which_nothing_can_be_proven_is_refused_in_one_line():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(4, 4, 3, groups=4)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.layer(x) + y

    network = Two()
    belief = believed(network, arrays(network))
    assert list(belief.refused) == [GRAPH]
    assert "takes 2 inputs" in belief.refused[GRAPH]
    assert belief.foldable_norms == {}
    assert not any(s.ordered for s in belief.symmetries)
    np.testing.assert_array_equal(belief.symmetries[0].cells, range(4))
