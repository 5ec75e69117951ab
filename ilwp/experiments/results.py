"""What runs measured as one table."""

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from ilwp.experiments.records import RunRecord

FLOAT32_BITS = 32  # of each weight of the first layer, which is stored as it is and has no texture


def results_table(records: Iterable[RunRecord]) -> pd.DataFrame:
    """One row a measurement: the run's settings, sizes in bytes and in bits a depthwise weight, accuracy in percent."""
    rows = [
        {
            "profile": r.profile, **asdict(r.config), "float_accuracy": r.accuracy,
            "method": m.method, "bits": m.bits, "loop": m.loop,
            **{f"{part}_bytes": value / 8 for part, value in asdict(m.rate).items()},
            "total_bytes": m.rate.total / 8, "bits_a_weight": m.rate.total / r.depthwise_weights,
            "texture_bits_a_weight": m.rate.texture / (r.depthwise_weights - m.rate.raw // FLOAT32_BITS),
            "accuracy": m.accuracy,
        }
        for r, m in ((r, m) for r in records for m in r.measurements)
    ]  # fmt: skip
    return pd.DataFrame(rows)
