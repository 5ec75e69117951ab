import itertools

import numpy as np
import pytest
import torch

from ilwp.networks.build import NETWORKS, build
from ilwp.networks.symmetries import symmetries
from ilwp.networks.symmetry import Follower, Symmetry
from ilwp.networks.tensors import arrays, kernels_of, load_tensors
from ilwp.paper.codec import residuals
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.losses import inter_layer_loss
from ilwp.whole.alignment import align


def two_layers(signs: bool, cells: list[int], seed: int = 0) -> tuple[dict[str, np.ndarray], list[Symmetry]]:
    rng = np.random.default_rng(seed)
    tensors = {"a": rng.normal(size=(3, 1, 3, 3)), "b": rng.normal(size=(5, 1, 3, 3)), "m": np.zeros(5)}
    free = Symmetry("b", np.array(cells), followers=(Follower("m", np.arange(5)),), signed=("m",) if signs else None)
    return {name: t.astype(np.float32) for name, t in tensors.items()}, [Symmetry("a", np.arange(3)), free]


@pytest.mark.parametrize("cells", [[0] * 5, [0, 1, 0, 1, 1], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("signs", [False, True])
def test_no_other_allowed_order_and_signs_are_nearer(signs, cells):
    tensors, free = two_layers(signs, cells)
    aligned = align(tensors, free)
    best = np.inf
    for order in map(list, itertools.permutations(range(5))):
        if [cells[k] for k in order] == cells:
            for flips in itertools.product([-1, 1] if signs else [1], repeat=5):
                kernels = tensors["b"][order] * np.reshape(flips, (5, 1, 1, 1))
                best = min(best, float(np.abs(kernels - tensors["a"][[0, 1, 2, 0, 1]]).sum()))
    found = np.abs(aligned["b"] - tensors["a"][[0, 1, 2, 0, 1]]).sum()
    assert found == pytest.approx(best, rel=1e-5)


def test_the_input_is_left_as_it_was():
    tensors, free = two_layers(True, [0] * 5)
    before = {name: t.copy() for name, t in tensors.items()}
    align(tensors, free)
    assert all(np.array_equal(before[name], tensors[name]) for name in before)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_computes_the_same_and_its_collocated_residuals_shrink(name):
    network = build(name, 10, 0.25).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network(x)
    before = kernels_of(network)
    aligned = align(arrays(network), symmetries(network))
    load_tensors(network, aligned)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), logits, rtol=1e-4, atol=1e-5)
    loss = [
        float(inter_layer_loss([torch.from_numpy(k) for k in kernels.values()]))
        for kernels in (before, kernels_of(network))
    ]
    assert loss[1] < 0.95 * loss[0]


def test_aligning_twice_changes_nothing_more():
    network = build("mobilenet", 10, 0.25)
    free = symmetries(network)
    once = align(arrays(network), free)
    first, second = (
        np.concatenate([r.ravel() for r in residuals(depthwise_kernels(t), "ill")]) for t in (once, align(once, free))
    )
    assert np.abs(second).sum() == pytest.approx(np.abs(first).sum(), rel=1e-6)
