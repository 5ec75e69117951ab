"""What runs cost in hours, by the pace of the runs that are recorded.

records, measured paces -> seconds_an_epoch -> hours of a profile's runs
"""

import math
from collections.abc import Iterable, Mapping
from statistics import median

from ilwp.experiments.profiles import Profile
from ilwp.experiments.records import RunRecord
from ilwp.training.recipe import TrainConfig

IMAGES = 50_000  # of CIFAR to train on
Paces = Mapping[tuple[str, float], float]  # network, width -> images per second in training, as measured on one core


def seconds_an_epoch(network: str, width: float, records: Iterable[RunRecord], paces: Paces) -> float:
    """Wall time of an epoch on CIFAR on one CPU core, its evaluation included: the median of recorded runs.

    Where no run has that width, the measured pace, slowed down as recorded runs are beside theirs; NaN without one.
    """
    recorded: dict[tuple[str, float], list[float]] = {}
    for record in records:
        if record.execution is None and record.config.dataset != "digits":
            config = record.config
            recorded.setdefault((config.network, config.width), []).append(record.seconds / config.epochs)
    if (network, width) in recorded:
        return median(recorded[network, width])
    slower = [median(seconds) * paces[key] / IMAGES for key, seconds in recorded.items() if key in paces]
    pace = paces.get((network, width))
    return median(slower) * IMAGES / pace if slower and pace else math.nan


def hours(config: TrainConfig, records: Iterable[RunRecord], paces: Paces) -> float:
    """Hours of one run on one core."""
    return config.epochs * seconds_an_epoch(config.network, config.width, records, paces) / 3600


def profile_hours(profile: Profile, records: Iterable[RunRecord], paces: Paces) -> tuple[float, float]:
    """Hours of the profile's first run, and of all of its runs one after another."""
    known = list(records)
    each = [hours(config, known, paces) for config in profile.cells()]
    return each[0], sum(each)
