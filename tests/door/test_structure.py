import numpy as np
import pytest
import torch

from ilwp.door import compress_network, decoded, structure_of_module
from ilwp.networks.build import build
from ilwp.networks.sensitivity import natural_shape, synthetic_inputs
from ilwp.networks.tensors import arrays, depthwise_names, load_tensors
from ilwp.whole.plan import Plan


def network() -> torch.nn.Module:
    """One of the four, with batch norms that differ from channel to channel."""
    module = build("mobilenet", 10, 0.25).eval()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if name.endswith(("running_var", "1.weight", "4.weight")) and tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif name.endswith("running_mean"):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return module


def outputs(module: torch.nn.Module) -> np.ndarray:
    with torch.inference_mode():
        logits = module(synthetic_inputs(natural_shape(module), seed=1)).double()
    return (logits - logits.mean(-1, keepdim=True)).numpy()


@pytest.mark.parametrize("quality", [20.0, 30.0, 40.0])
def test_quality_is_about_that_of_the_outputs_and_the_report_says_which_it_is(quality: float):
    module = network()
    tensors, wanted = arrays(module), outputs(module)
    found = compress_network(tensors, Plan(method="multiset", quality=quality), structure_of_module(module, tensors))
    load_tensors(module, decoded(found.content))
    error = outputs(module) - wanted
    measured = 10 * np.log10(np.square(wanted).sum() / np.square(error).sum())
    assert found.outputs_snr == pytest.approx(measured, abs=0.2)
    assert quality - 4 < measured < quality + 12


def test_a_network_that_cannot_be_tried_is_coded_by_its_weights_alone():
    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(64, 64)

        def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return self.layer(one) + other

    module = Two().eval()
    tensors = arrays(module)
    found = compress_network(tensors, Plan(), structure_of_module(module, tensors))
    assert found.outputs_snr is None
    np.testing.assert_allclose(decoded(found.content)["layer.weight"], tensors["layer.weight"], atol=0.02)


@pytest.mark.parametrize("name", ["shufflenet", "shufflenetv2"])
def test_what_has_groups_and_no_weight_is_no_depthwise_layer(name: str):
    module = build(name, 10, 0.25).eval()
    known = structure_of_module(module, arrays(module)).known
    assert known.depthwise == set(depthwise_names(module))


def test_with_the_graph_vectors_are_quantized_after_batch_norms_are_folded():
    module = network()
    tensors = arrays(module)
    found = compress_network(tensors, Plan(method="multiset", quality=30), structure_of_module(module, tensors))
    kinds = {row.tensor: row.stored for row in found.rows}
    assert (kinds["0.1.weight"], kinds["0.1.bias"]) == ("powers of two", "levels")
    back = decoded(found.content)
    assert not back["0.1.running_mean"].any()
    assert (back["0.1.running_var"] == 1).all()
    vectors = [row for row in found.rows if row.stored in ("powers of two", "levels") and tensors[row.tensor].ndim == 1]
    assert sum(row.bytes for row in vectors) < 0.5 * sum(4 * row.weights for row in vectors)
