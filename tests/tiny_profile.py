"""Profiles of one little run, and its record."""

from dataclasses import replace

from ilwp.experiments.profiles import load_profile
from ilwp.experiments.records import RunRecord
from ilwp.training.recipe import TrainConfig

TINY = """
recipe: 1
settings: {width: 0.1, epochs: 10, batch_size: 16, learning_rate: 0.05}
grid:
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [1], seeds: [0]}
"""


def config_of(profile: str) -> TrainConfig:
    return next(load_profile(profile).cells())


def without_times(record: RunRecord) -> RunRecord:
    return replace(record, seconds=0.0, history=[replace(epoch, seconds=0.0) for epoch in record.history])
