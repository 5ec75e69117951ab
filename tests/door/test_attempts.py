import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.door import attempts, compress_network, decoded, structure_of_module
from ilwp.door.structure import Structure
from ilwp.door.trial import Trial, batched_outputs, power, shared_out
from ilwp.networks.build import build
from ilwp.networks.sensitivity import inputs_for
from ilwp.networks.tensors import arrays, load_tensors
from ilwp.whole.plan import Plan


def images(count: int, seed: int = 0) -> torch.Tensor:
    """Smooth images, all in few directions, so that there is something to learn from them."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(9))
    small = torch.einsum("np,pchw->nchw", torch.randn(count, 6, generator=generator), patterns)
    return nn.functional.interpolate(small, size=(32, 32), mode="bilinear") + 0.3


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """MobileNet whose batch norms know the statistics of such images."""
    torch.manual_seed(0)
    module = build("mobilenet", 10, 0.25)
    module.train()
    with torch.no_grad():
        for _ in range(30):
            module(images(32, seed=5))
    return module.eval()


def snr(network: nn.Module, content: bytes, inputs: torch.Tensor) -> float:
    """Of the outputs, in dB."""
    tensors, wanted = arrays(network), batched_outputs(network, inputs)
    load_tensors(network, decoded(content))
    error = [one - other for one, other in zip(batched_outputs(network, inputs), wanted, strict=True)]
    load_tensors(network, tensors)
    return float(10 * np.log10(power(wanted) / power(error)))


@pytest.mark.parametrize("factor", [1.0, 8.0])
def test_steps_are_made_finer_where_the_outputs_fall_short_of_what_was_foreseen(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, factor: float
):
    foreseen = Structure.steps

    def wrong(*arguments: Any) -> dict[str, float]:
        return {name: step * factor for name, step in foreseen(*arguments).items()}

    monkeypatch.setattr(Structure, "steps", wrong)
    tensors = arrays(network)
    structure = structure_of_module(network, tensors)
    found = compress_network(tensors, Plan(quality=25.0), structure)
    assert found.outputs_snr > 25 - attempts.LACKING
    if factor > 1:
        assert found.outputs_snr < 25 + attempts.LACKING
    made_up = inputs_for(network, structure.input_shape, seed=1)
    assert snr(network, found.content, made_up) == pytest.approx(found.outputs_snr, abs=0.1)


def test_with_images_the_quality_is_that_of_outputs_for_those_held_out(network: nn.Module):
    quality = 30.0
    tensors, shown = arrays(network), images(20)
    structure = structure_of_module(network, tensors)
    found = compress_network(tensors, Plan(method="multiset", quality=quality), structure, shown.numpy())
    assert found.held_out_snr == pytest.approx(quality, abs=3.0)
    assert snr(network, found.content, shared_out(shown).held_out) == pytest.approx(found.held_out_snr, abs=0.2)


def test_at_the_same_steps_images_bring_their_kind_nearer_and_do_others_no_harm(network: nn.Module):
    tensors = arrays(network)
    structure = structure_of_module(network, tensors)
    plan = Plan(method="multiset", bits=7, range="network", dense_bits=6)
    without, shown = (compress_network(tensors, plan, structure, one) for one in (None, images(20).numpy()))
    others = images(20, seed=1)
    assert snr(network, shown.content, others) > snr(network, without.content, others) + 1
    assert shown.outputs_snr >= without.outputs_snr - attempts.HARMLESS  # both are known: the network was tried
    assert abs(len(shown.content) / len(without.content) - 1) < 0.02


def test_the_last_fifth_is_held_out_and_of_few_one():
    for count, held_out in ((2, 1), (4, 1), (5, 1), (9, 1), (10, 2), (100, 20)):
        shared = shared_out(torch.arange(count))
        assert len(shared.held_out) == held_out
        assert [*shared.teaching, *shared.held_out] == list(range(count))
    with pytest.raises(IlwpError, match="at least 2"):
        shared_out(images(1))


def test_images_that_the_network_does_not_take_are_refused(network: nn.Module):
    tensors = arrays(network)
    with pytest.raises(IlwpError, match="does not take inputs of 1 x 32 x 32"):
        compress_network(tensors, Plan(), structure_of_module(network, tensors), images(10)[:, :1].numpy())


def test_outputs_are_held_against_those_with_the_tensors_that_are_coded(network: nn.Module):
    tensors, other = arrays(network), copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.3)
    names = structure_of_module(network, tensors).names
    assert Trial(other, tensors, names, (3, 32, 32), shared_out(images(10))).snrs(tensors) == [np.inf, np.inf]


def test_a_trial_leaves_the_network_alone(network: nn.Module):
    tensors = arrays(network)
    structure = structure_of_module(network, tensors)
    trial = Trial(network, tensors, structure.names, (3, 32, 32), shared_out(images(10)))
    rounded = {name: np.round(t, 1) if name.endswith("weight") else t for name, t in tensors.items()}
    choices = trial.biases(tensors, rounded, trial.seen(tensors))
    assert choices[0] == {}
    assert choices[1].keys() == choices[2].keys() <= tensors.keys()
    assert all(len(trial.snrs(rounded | choice)) == 2 for choice in choices)
    assert trial.snrs(tensors) == [np.inf, np.inf]
    for name, tensor in arrays(network).items():
        np.testing.assert_array_equal(tensor, tensors[name])
