"""Fig. 4's numbers: what each lambda stands for in a schedule, and sizes and accuracies against the baseline's."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ilwp.common.distortion import later_layers_snr
from ilwp.experiments.evidence import Runs
from ilwp.experiments.records import RunRecord
from ilwp.paper import codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import LOOPS, Loop, Method
from ilwp.paper.settings import Settings


def factors(records: Iterable[RunRecord]) -> pd.DataFrame:
    """The factor of Eq. 2 that stands for each lambda of the loss, as words in a row."""
    used = {r.config.inter_layer: r.inter_layer_weight for r in records}
    weights = [value for value in sorted(used) if 0 < value < np.inf]
    row = {f"λ = {value:g}": f"{used[value]:.3g}" for value in weights}
    return pd.DataFrame([{"": "factor of Eq. 2", **row}])


def quoted_strengths(records: Iterable[RunRecord], table: pd.DataFrame, method: Method) -> dict[str, float]:
    """The numbers of the prose, by name; NaN where a run is missing. `table` is `results_table` of the records.

    `bound` is the lambda that pulls a weight as far as the paper's 1 does. `one` and `bound` have at 8 bits, in the
    closed loop, a file's share of the baseline's and its change of accuracy in points.
    """
    calibration = next((r.config.calibration for r in records if r.config.inter_layer == 1), np.nan)
    numbers = {"calibration": calibration, "bound": 1 / calibration}
    baseline = {column: _at(table, 0.0, "baseline", column) for column in ("total_bytes", "accuracy")}
    for name, inter_layer in (("one", 1.0), ("bound", 1 / calibration)):
        numbers[f"{name}_file"] = _at(table, inter_layer, method, "total_bytes") / baseline["total_bytes"]
        numbers[f"{name}_change"] = _at(table, inter_layer, method, "accuracy") - baseline["accuracy"]
    return numbers


def quoted_few_bits(
    runs: Runs, table: pd.DataFrame, method: Method, kernels: Callable[[Path], Kernels], bits: int = 4
) -> dict[str, float]:
    """At few bits, of the finite strength with the smallest closed-loop file and of the greatest: lambda, kB and dB.

    The last two by loop; NaN without runs. `kernels` reads those (c_i, kh, kw) of a run.
    """
    found = {r.config.inter_layer: path for path, r in runs.items() if 0 < r.config.inter_layer < np.inf}
    sizes = {weight: _at(table, weight, method, "total_bytes", bits) for weight in sorted(found)}
    ends = {"least": min(sizes, key=lambda weight: sizes[weight]), "most": max(sizes)} if sizes else {}
    numbers: dict[str, float] = {}
    for which in ("least", "most"):
        weight = ends.get(which, np.nan)
        numbers[f"few_{which}"] = weight
        for loop in LOOPS:
            numbers[f"few_{which}_{loop}_kb"] = _at(table, weight, method, "total_bytes", bits, loop) / 1000
            numbers[f"few_{which}_{loop}_snr"] = np.nan
            if weight in found:
                trained = kernels(found[weight])
                decoded = codec.decode_kernels(codec.encode_kernels(trained, Settings(method, bits, loop)))
                numbers[f"few_{which}_{loop}_snr"] = later_layers_snr(trained, decoded)
    return numbers


def _at(
    table: pd.DataFrame, inter_layer: float, method: str, column: str, bits: int = 8, loop: Loop = "closed"
) -> float:
    if table.empty:
        return float("nan")
    mine = table[(table["inter_layer"] == inter_layer) & (table["method"] == method) & (table["loop"] == loop)]
    values = mine[mine["bits"] == bits][column]
    return float(values.iloc[0]) if len(values) else float("nan")
