import math
from dataclasses import replace

import pytest

from ilwp.common.paths import RUNS
from ilwp.experiments.costs import hours, profile_hours, seconds_an_epoch
from ilwp.experiments.profiles import load_profile
from ilwp.experiments.records import RunRecord, read_record

BASE = read_record(RUNS / "cpu" / "cifar10-mobilenet-lambda0-seed0.json")


def run(width: float, epochs: int, seconds: float, dataset: str = "cifar10") -> RunRecord:
    return replace(BASE, config=replace(BASE.config, width=width, epochs=epochs, dataset=dataset), seconds=seconds)


RECORDED = [run(0.5, 10, 1000), run(0.5, 10, 1200), run(0.5, 10, 9000), run(1, 2, 800), run(0.5, 1, 1, "digits")]


def test_an_epoch_takes_the_median_of_recorded_runs():
    assert seconds_an_epoch("mobilenet", 0.5, RECORDED, {}) == 120
    assert seconds_an_epoch("mobilenet", 1, RECORDED, {("mobilenet", 1): 1}) == 400


def test_elsewhere_the_measured_pace_is_slowed_down_as_records_are():
    # recorded runs take twice and four times as long as their paces say
    paces = {("mobilenet", 0.5): 50_000 / 60, ("mobilenet", 1.0): 500.0, ("mobilenetv2", 1.0): 50.0}
    assert seconds_an_epoch("mobilenetv2", 1.0, RECORDED, paces) == pytest.approx(3000)
    assert math.isnan(seconds_an_epoch("mobilenetv2", 0.25, RECORDED, paces))
    assert math.isnan(seconds_an_epoch("mobilenetv2", 1.0, [], paces))


def test_a_profile_costs_the_sum_of_its_runs():
    profile = load_profile("full-width")
    first, everything = profile_hours(profile, iter(RECORDED), {})
    assert first == hours(next(profile.cells()), RECORDED, {}) == 18 * 400 / 3600
    assert everything == 2 * first
