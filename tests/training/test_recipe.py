import math

import numpy as np
import pytest
from pydantic import ValidationError

from ilwp.training.recipe import TrainConfig, inter_layer_weight

PAPER_SUM = sum(0.1 * 0.98**epoch for epoch in range(200))


def test_the_defaults_are_the_papers():
    config = TrainConfig("cifar10", "mobilenet")
    assert (config.epochs, config.batch_size, config.width, config.momentum) == (200, 256, 1.0, 0.9)
    rates = [config.rate(step, 196) for step in (0, 195, 196, 199 * 196)]
    assert rates == pytest.approx([0.1, 0.1, 0.098, 0.1 * 0.98**199])


@pytest.mark.parametrize("epochs", [1, 7, 100, 400])
def test_a_run_of_any_length_decays_as_far(epochs: int):
    config = TrainConfig("cifar10", "mobilenet", epochs=epochs)
    assert config.rate(0, 10) == 0.1
    assert config.rate(10 * epochs, 10) == pytest.approx(0.1 * 0.98**200)


def test_one_cycle_rises_over_a_fifth_and_falls_along_a_cosine_to_nothing():
    config = TrainConfig("cifar10", "mobilenet", epochs=5, learning_rate=0.8, schedule="one-cycle")
    # 20 steps: their middles are at 0.025, 0.075 ... of the run, the peak at 0.2
    rates = [config.rate(step, 4) for step in range(20)]
    assert rates[:4] == pytest.approx([0.1, 0.3, 0.5, 0.7])
    falling = 0.4 + 0.4 * np.cos(np.pi * (np.arange(16) + 0.5) / 16)
    assert rates[4:] == pytest.approx(falling.tolist())
    assert 0 < rates[-1] < 0.01


def test_a_run_of_a_single_step_has_a_rate():
    config = TrainConfig("cifar10", "mobilenet", epochs=1, schedule="one-cycle")
    assert 0 < config.rate(0, 1) <= 0.1


@pytest.mark.parametrize("network", ["mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2"])
@pytest.mark.parametrize("inter_layer", [0.0, 0.3, 1.0])
def test_in_the_papers_schedule_lambda_stands_for_itself(network, inter_layer: float):
    config = TrainConfig("cifar10", network, inter_layer=inter_layer)
    assert inter_layer_weight(config, images=50_000) == pytest.approx(inter_layer, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "images", "factor"),
    [
        ({"learning_rate": 0.05}, 50_000, 2),
        ({"momentum": 0.8}, 50_000, 2),
        ({"calibration": 3.0}, 50_000, 3),
        ({}, 25_000, 2),  # 98 instead of 196 steps an epoch
        ({"batch_size": 128}, 50_000, 196 / 391),
        ({"width": 0.5}, 50_000, (2480 - 16) / (4960 - 32)),  # fewer weights share the loss
        ({"epochs": 1}, 50_000, PAPER_SUM / 0.1),
        ({"schedule": "one-cycle"}, 50_000, PAPER_SUM / (0.1 * 200 / 2)),
    ],
)
def test_another_schedule_multiplies_lambda_so_that_the_pull_stays_the_papers(change, images: int, factor: float):
    config = TrainConfig("cifar10", "mobilenet", inter_layer=0.7, **change)
    assert inter_layer_weight(config, images) == pytest.approx(0.7 * factor, rel=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dataset": "mnist"}, {"network": "vgg"}, {"inter_layer": -1}, {"inter_layer": math.nan}, {"seed": -1},
        {"width": 0}, {"width": math.nan}, {"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0}, {"momentum": 1},
        {"weight_decay": -1e-4}, {"calibration": 0}, {"schedule": "square"}, {"speed": 1},
    ],
    ids=str,
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        TrainConfig(**{"dataset": "cifar10", "network": "mobilenet"} | wrong)  # type: ignore[arg-type]
