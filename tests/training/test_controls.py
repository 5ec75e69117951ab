"""Runs that are trained otherwise than the paper proposes."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from short_training import SMALL, outcome

from ilwp.common.errors import IlwpError
from ilwp.networks.tensors import kernels_of
from ilwp.paper.kernels import Kernels
from ilwp.training import datasets
from ilwp.training.recipe import Reference, TrainConfig, loss_targets
from ilwp.training.step import assemble, step
from ilwp.training.train import train

pytestmark = pytest.mark.usefixtures("on_a_cpu")


def distance(kernels: Kernels, targets: list[int | None]) -> float:
    """Eq. 2 against any layers, by NumPy alone."""
    layers = [layer.astype(np.float64) for layer in kernels.values()]
    beside = [0.0 if t is None else np.resize(layers[t], k.shape) for t, k in zip(targets, layers[1:], strict=True)]
    total = sum(np.abs(k - r).sum() for k, r in zip(layers[1:], beside, strict=True))
    return float(total) / sum(k.size for k in layers[1:])


def targets_of(layers: int, seed: int = 0, **control: Any) -> list[int | None]:
    return loss_targets(TrainConfig("cifar10", "mobilenet", 1.0, seed, **control), layers)


def test_the_loss_compares_with_the_previous_layer_the_first_or_none():
    assert targets_of(5) == [0, 1, 2, 3]
    assert targets_of(5, reference="first") == [0, 0, 0, 0]
    assert targets_of(5, reference="zero") == [None, None, None, None]
    assert targets_of(1, reference="random") == []


def test_random_targets_are_the_seeds_and_any_layer_before_the_previous_one():
    drawn = [targets_of(13, seed, reference="random") for seed in range(200)]
    assert drawn[:3] == [targets_of(13, seed, reference="random") for seed in range(3)]
    for i, found in enumerate(zip(*drawn, strict=True), start=1):
        assert set(found) == set(range(max(1, i - 1))), i
    shares = np.bincount([targets[-1] for targets in drawn], minlength=11) / len(drawn)
    assert shares == pytest.approx(np.full(11, 1 / 11), abs=0.06)


@pytest.mark.parametrize("reference", ["random", "first", "zero"])
def test_a_control_pulls_kernels_towards_its_own_targets(images: datasets.Images, tmp_path: Path, reference: Reference):
    ends = []
    for inter_layer in (1e-9, 0.3):
        config = replace(SMALL, inter_layer=inter_layer, reference=reference, schedule="one-cycle")
        network, _ = train(config, images, tmp_path / str(inter_layer), progress=False)
        ends.append(distance(kernels_of(network), loss_targets(config, 13)))
    assert ends[1] < 0.9 * ends[0]


@pytest.mark.parametrize("reference", [None, "random", "first", "zero"])
def test_a_step_adds_up_the_loss_against_its_own_targets(images: datasets.Images, reference: Reference | None):
    config = replace(SMALL, reference=reference)
    parts = assemble(config, images, "channels last")
    step(parts, datasets.draws(images, 32, seed=0)[:32])
    wanted = distance(kernels_of(parts.network), loss_targets(config, 13))
    assert parts.sums[1].item() / 32 == pytest.approx(wanted, rel=1e-6)


def test_a_weight_decay_of_their_own_shrinks_depthwise_kernels_but_the_first_layers(
    images: datasets.Images, tmp_path: Path
):
    scales = []
    for decay in (None, 0.9):
        config = replace(SMALL, inter_layer=0.0, depthwise_decay=decay)
        network, _ = train(config, images, tmp_path / str(decay), progress=False)
        scales.append([float(np.sqrt(np.mean(k**2))) for k in kernels_of(network).values()])
        scales[-1].append(float(list(network.parameters())[-2].detach().square().mean().sqrt()))
    (first, *plain, classifier), (own_first, *own, own_classifier) = scales
    assert all(b < 0.8 * a for a, b in zip(plain, own, strict=True))
    assert own_first > 0.8 * first
    assert own_classifier == pytest.approx(classifier, rel=0.25)


def test_the_depthwise_kernels_own_decay_may_be_that_of_all(images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, inter_layer=0.0)
    same = replace(config, depthwise_decay=config.weight_decay)
    (plain, _), (own, _) = (outcome(c, images, tmp_path / str(n)) for n, c in enumerate((config, same)))
    assert plain == own


def test_a_control_goes_on_from_its_checkpoint(images: datasets.Images, tmp_path: Path):
    config = replace(SMALL, reference="random", depthwise_decay=0.01)
    whole = outcome(config, images, tmp_path / "whole")
    (tmp_path / "whole" / "epoch-00003.pt").unlink()
    assert outcome(config, images, tmp_path / "whole") == whole
    with pytest.raises(IlwpError, match="other settings"):
        train(SMALL, images, tmp_path / "whole", progress=False)


def test_a_checkpoint_of_before_there_were_controls_is_gone_on_from(images: datasets.Images, tmp_path: Path):
    train(SMALL, images, tmp_path, progress=False)
    stored = torch.load(io.BytesIO((tmp_path / "epoch-00003.pt").read_bytes()[32:]), weights_only=True)
    assert not {"reference", "depthwise_decay"} & stored["config"].keys()
