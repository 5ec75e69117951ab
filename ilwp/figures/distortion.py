"""Rate against distortion: what kernels take in a file, and how near the decoded ones are.

runs -> rates_and_distortions -> at_equal_distortion
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ilwp.common.distortion import later_layers_snr
from ilwp.experiments.curves import PAPER_CURVES
from ilwp.experiments.evidence import Runs, select
from ilwp.figures.benchmarks import bits_at
from ilwp.paper import codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import Loop
from ilwp.paper.settings import Settings


def rates_and_distortions(runs: Runs, kernels: Callable[[Path], Kernels], loop: Loop = "closed") -> pd.DataFrame:
    """One row per curve, run and bit width: `bits_a_weight` of the whole file and `snr_db` of the decoded kernels.

    `kernels` reads a run's kernels (c_i, kh, kw). A curve that has no such loop is measured in its own.
    """
    rows = []
    for name, curve in PAPER_CURVES.items():
        for path, record in select(runs, inter_layer=curve.inter_layer).items():
            trained = kernels(path)
            for m in record.measurements:
                if (m.method, m.loop) == (curve.method, curve.nearest_loop(loop)):
                    decoded = codec.decode_kernels(codec.encode_kernels(trained, Settings(m.method, m.bits, m.loop)))
                    rate, snr_db = m.rate.total / record.depthwise_weights, later_layers_snr(trained, decoded)
                    rows.append((name, record.config.seed, m.bits, rate, snr_db))
    return pd.DataFrame(rows, columns=["curve", "seed", "bits", "bits_a_weight", "snr_db"])


def at_equal_distortion(points: pd.DataFrame, curve: str, bits: int) -> np.ndarray:
    """Bits per weight of a curve over the baseline's, where it is as near as the baseline at `bits`, seed by seed.

    Linear between the curve's own points; NaN beyond them.
    """
    ratios = []
    for _, rows in points.groupby("seed"):
        mine, baseline = rows[rows["curve"] == curve], rows[(rows["curve"] == "baseline") & (rows["bits"] == bits)]
        if len(mine) and len(baseline):
            point = baseline.iloc[0]
            ratios.append(bits_at(mine, point["snr_db"]) / point["bits_a_weight"])
    return np.array(ratios)
