"""What the benchmarks and the runs' records say of this codec and its neighbours, on one pair of axes."""

import pandas as pd

from ilwp import comparison
from ilwp.paths import RUNS
from ilwp.records import read_record

RECORDS = {"MobileNet": "mobilenet", "ShuffleNetV2": "shufflenetv2"}
COST = ["epochs", "images", "minutes"]


def points() -> pd.DataFrame:
    """A row a file: network, scope ("kernels" or "whole"), method, setting, bytes, accuracy in percent, and what
    fine-tuning cost, zero where there was none.
    """
    networks = comparison.results("networks").rename(columns={"codec": "method"}).assign(scope="whole")
    tuned = comparison.results("neighbours_tuned").assign(scope="whole")
    tuned["method"] += ", fine-tuned"
    frames = [comparison.results("neighbours"), networks, *map(_kernels, RECORDS), tuned]
    columns = ["network", "scope", "method", "setting", "bytes", "accuracy", *COST]
    found = pd.concat(frames, ignore_index=True).reindex(columns=columns)
    return found.fillna(dict.fromkeys(COST, 0))


def _kernels(network: str) -> pd.DataFrame:
    """The paper's methods on depthwise kernels alone, in a closed loop."""
    plain, loss = (
        read_record(RUNS / "cpu" / f"cifar10-{RECORDS[network]}-lambda{weight}-seed0.json") for weight in (0, 1)
    )
    rows = [
        {"method": f"ILWP {m.method}", "setting": f"{m.bits} bits", "bytes": m.rate.total / 8, "accuracy": m.accuracy}
        for record in (plain, loss)
        for m in record.measurements
        if m.loop == "closed" and (m.method == "ill") == (record is loss)
    ]
    float32 = {"method": "float32", "setting": "", "bytes": 4 * plain.depthwise_weights, "accuracy": plain.accuracy}
    return pd.DataFrame([float32, *rows]).assign(network=network, scope="kernels")
