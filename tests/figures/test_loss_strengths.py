from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ilwp.figures import loss_strengths


def record(inter_layer: float, weight: float, calibration: float = 10.0) -> SimpleNamespace:
    config = SimpleNamespace(inter_layer=inter_layer, calibration=calibration)
    return SimpleNamespace(config=config, inter_layer_weight=weight)


RECORDS = [record(1.0, 20.512), record(0.0, 0.0, 1.0), record(np.inf, np.inf, 1.0), record(0.1, 2.05)]
TABLE = pd.DataFrame(
    [
        (0.0, "baseline", "closed", 8, 100.0, 80.0),
        (1.0, "ill", "closed", 8, 50.0, 79.0),
        (1.0, "ill", "open", 8, 1.0, 1.0),
        (1.0, "ill", "closed", 4, 2.0, 2.0),
        (0.1, "ill", "closed", 8, 80.0, 80.5),
    ],
    columns=["inter_layer", "method", "loop", "bits", "total_bytes", "accuracy"],
)


def test_each_strength_of_the_loss_has_its_factor():
    (row,) = loss_strengths.factors(RECORDS).to_dict("records")
    assert row == {"": "factor of Eq. 2", "λ = 0.1": "2.05", "λ = 1": "20.5"}


def test_the_prose_quotes_files_of_eight_bits_in_the_closed_loop():
    assert loss_strengths.quoted_strengths(RECORDS, TABLE, "ill") == {
        "calibration": 10.0, "bound": 0.1, "one_file": 0.5, "one_change": -1.0, "bound_file": 0.8, "bound_change": 0.5,
    }  # fmt: skip


def test_at_few_bits_the_smallest_file_and_the_strongest_loss_are_told_apart():
    runs = {Path("weak"): RECORDS[3], Path("strong"): RECORDS[0], Path("tied"): RECORDS[2], Path("none"): RECORDS[1]}
    table = pd.concat([TABLE, TABLE.tail(1).assign(bits=4, total_bytes=1000.0)])
    rng = np.random.default_rng(0)
    kernels = {f"{i}": rng.normal(size=(8, 3, 3)).astype(np.float32) for i in range(3)}
    found = loss_strengths.quoted_few_bits(runs, table, "ill", lambda _: kernels)
    assert (found["few_least"], found["few_least_closed_kb"]) == (1.0, 0.002)
    assert (found["few_most"], found["few_most_closed_kb"]) == (1.0, 0.002)
    assert np.isnan(found["few_most_open_kb"])
    assert found["few_most_open_snr"] < found["few_most_closed_snr"]
    swapped = table.assign(total_bytes=np.where(table["inter_layer"] == 1, 2000.0, table["total_bytes"]))
    assert loss_strengths.quoted_few_bits(runs, swapped, "ill", lambda _: kernels)["few_least"] == 0.1
    nothing = loss_strengths.quoted_few_bits({}, table.iloc[:0], "ill", lambda _: kernels)
    assert nothing.keys() == found.keys()
    assert all(np.isnan(value) for value in nothing.values())


def test_without_runs_nothing_is_quoted():
    assert all(np.isnan(value) for value in loss_strengths.quoted_strengths([], TABLE.iloc[:0], "ill").values())
