"""What the committed benchmarks say: curves, values between their points, and the aims they are held against."""

import json
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from ilwp.common.errors import IlwpError
from ilwp.common.files import read_bytes
from ilwp.common.paths import EVIDENCE
from ilwp.figures.benchmark_names import IMAGENET, OURS, PEER, TAUGHT


def benchmark_rows(name: str) -> pd.DataFrame:
    """The rows that benchmarks/<name>.py left; raises IlwpError where there are none."""
    path = EVIDENCE / "benchmarks" / f"{name}.json"
    try:
        return pd.DataFrame(json.loads(read_bytes(path))["rows"])
    except (ValueError, KeyError, TypeError) as error:
        raise IlwpError(f"{path} is no benchmark's result: make it again with benchmarks/{name}.py") from error


def bits_at(points: pd.DataFrame, snr_db: float, column: str = "bits_a_weight") -> float:
    """Bits per weight (or another column) at that SNR, linear between the points of one codec; NaN beyond them."""
    points = points.sort_values("snr_db")
    return float(np.interp(snr_db, points["snr_db"], points[column], left=np.nan, right=np.nan))


def bytes_at(points: pd.DataFrame, accuracy: float) -> float:
    """Bytes of the smallest file of at least that accuracy, linear between the points of one codec.

    Where every point has it, the smallest one's, which may be more than needed; NaN where none has it.
    """
    points = points.sort_values("bytes")
    reached = points["accuracy"].cummax().to_numpy()
    if accuracy > reached[-1]:
        return float("nan")
    after = int(np.argmax(reached >= accuracy))
    first = max(after - 1, 0)
    return float(np.interp(accuracy, reached[[first, after]], points["bytes"].to_numpy()[[first, after]]))


def least(frame: pd.DataFrame, codec: str, measure: Callable[[pd.DataFrame], float]) -> float:
    """The least that any codec whose name begins with `codec` needs."""
    names = [name for name in frame["codec"].unique() if name.startswith(codec)]
    values = [measure(frame[frame["codec"] == name]) for name in names]
    return float(np.nanmin(values)) if np.isfinite(values).any() else float("nan")


def at_one_point(frame: pd.DataFrame) -> dict[str, float]:
    """Bytes of whole files of one network where one point of accuracy is lost: ours, and the least of NNCodec's."""
    level = float(frame[frame["codec"] == "float32"]["accuracy"].iloc[0]) - 1
    ours = {codec: bytes_at(frame[frame["codec"] == codec], level) for codec in (OURS, TAUGHT)}
    return ours | {PEER: least(frame, PEER, partial(bytes_at, accuracy=level))}


def judged(rows: Sequence[tuple[str, str, float, float]]) -> pd.DataFrame:
    """One row per aim: its `sense`, "at most" or "at least", what was `wanted`, what was `measured`, whether `met`."""
    table = pd.DataFrame(rows, columns=["aim", "sense", "wanted", "measured"])
    below, above = (table["measured"] <= table["wanted"], table["measured"] >= table["wanted"])
    return table.assign(met=np.where(table["sense"] == "at most", below, above))


def aims() -> pd.DataFrame:
    """Each aim with what it asks for and what was measured; a ratio that should be at most, or at least, `wanted`."""
    rows: list[tuple[str, str, float, float]] = []
    kernels = benchmark_rows("kernels")
    kernels = kernels[kernels["network"] == IMAGENET]
    for snr_db in (24.1, 18.4):
        for method, title in (("multiset", "set"), ("aligned", "aligned")):
            ours, peer = (least(kernels, name, partial(bits_at, snr_db=snr_db)) for name in (f"ilwp {method}", PEER))
            aim = f"kernels of ImageNet's MobileNetV2, {title}: bytes over NNCodec's at {snr_db} dB"
            rows.append((aim, "at most", 0.75, ours / peer))
    rows += _inter_layer_aims(benchmark_rows("inter_layer"))
    networks = benchmark_rows("networks")
    for network, frame in networks.groupby("network", sort=False):
        sizes = at_one_point(frame)
        for codec, title in ((OURS, "no data"), (TAUGHT, "unlabelled images")):
            aim = f"whole {network}, {title}: bytes over NNCodec's where 1 point is lost"
            rows.append((aim, "at most", 0.9, sizes[codec] / sizes[PEER]))
        medians = frame.groupby("codec")[["encode_s", "decode_s"]].median()
        for step in ("encode", "decode"):
            faster = medians.loc[PEER, f"{step}_s"] / medians.loc[OURS, f"{step}_s"]
            rows.append((f"whole {network}: times NNCodec's speed to {step}", "at least", 10, float(faster)))
    search = benchmark_rows("search")
    ratio = search[(search["search"] == "ilwp")]["of_fastest"].iloc[0]
    rows.append(("full search: seconds over the fastest, ours included", "at most", 1.2, float(ratio)))
    return judged(rows)


def _inter_layer_aims(frame: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    """Sizes with the inter-layer loss against the baseline's, at 8 bits and at equal accuracy."""
    baseline, ill = (frame[(frame["method"] == method) & (frame["bits"] < 32)] for method in ("baseline", "ill"))

    def at_8(points: pd.DataFrame, coder: str, range_: str) -> pd.Series:
        return points[(points["coder"] == coder) & (points["bits"] == 8) & (points["range"] == range_)].iloc[0]

    rows = []
    for range_, title in (("layer", "a range per layer"), ("network", "one range")):
        ours, base = (at_8(points, "ANS", range_) for points in (ill, baseline))
        name = f"inter-layer loss at 8 bits, {title}: bytes over the baseline's"
        rows.append((name, "at most", 0.42, float(ours["bytes"] / base["bytes"])))
    rows.append(("the same: points of accuracy lost", "at most", 0.65, float(base["accuracy"] - ours["accuracy"])))
    trained = float(frame[(frame["method"] == "baseline") & (frame["bits"] == 32)]["accuracy"].iloc[0])
    equal = [
        file.bytes / baseline[baseline["accuracy"] >= file.accuracy - 0.3]["bytes"].min()
        for file in ill[ill["accuracy"] >= trained - 2].itertuples()
    ]
    best_of_all = "inter-layer loss, best bit width: bytes over the baseline's smallest file within 0.3 points"
    return [*rows, (best_of_all, "at most", 0.3, float(min(equal)))]
