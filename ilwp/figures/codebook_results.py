"""Bytes and accuracy of this codec and of other methods, from the benchmarks and the runs' records."""

import itertools

import pandas as pd

from ilwp.codebooks import additive, codebook_file
from ilwp.common.distortion import snr
from ilwp.common.paths import RUNS
from ilwp.experiments.records import read_record
from ilwp.figures import benchmarks
from ilwp.paper.kernels import Kernels

RECORDS = {"MobileNet": "mobilenet"}
COST = ["epochs", "images", "minutes"]


def bytes_and_accuracy() -> pd.DataFrame:
    """One row per file: network, scope ("kernels" or "whole"), method, setting, bytes, accuracy in percent, and what
    fine-tuning cost, zero where there was none.
    """
    networks = benchmarks.benchmark_rows("networks").rename(columns={"codec": "method"}).assign(scope="whole")
    tuned = benchmarks.benchmark_rows("neighbours_tuned").assign(scope="whole")
    tuned["method"] += ", fine-tuned"
    frames = [benchmarks.benchmark_rows("neighbours"), networks, *map(_kernels, RECORDS), tuned]
    columns = ["network", "scope", "method", "setting", "bytes", "accuracy", *COST]
    found = pd.concat(frames, ignore_index=True).reindex(columns=columns)
    return found[found["network"].isin(RECORDS)].fillna(dict.fromkeys(COST, 0))


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


def smallest(points: pd.DataFrame, lost: float) -> pd.DataFrame:
    """Kilobytes of the smallest file that loses at most `lost` points, NaN if none: one row per method, one column per
    network.

    Of each network's own accuracy before compression: as trained, also for files of fine-tuned networks.
    """
    trained = points[points["method"] == "float32"].set_index("network")["accuracy"]
    kept = points[points["accuracy"] >= points["network"].map(trained) - lost]
    table = kept.pivot_table(index="method", columns="network", values="bytes", aggfunc="min") / 1000
    return table.reindex(index=points["method"].unique(), columns=trained.index)


def codebooks_of_kernels(kernels: Kernels, length: int, bits: int) -> pd.DataFrame:
    """Additive quantization of depthwise kernels alone: bytes of codes and of codebooks, and the SNR in dB.

    A row for one, two and three codebooks, shared by all layers or of each layer's own.
    """
    rows = []
    for shared, books in itertools.product((True, False), (1, 2, 3)):
        sets = additive.quantize_additive(kernels, books, bits, length, shared)
        packed = [codebook_file.pack_codebooks(one) for one in sets]
        codes = sum(sum(p.bits.values()) for p in packed) / 8
        back = {name: tensor for one in sets for name, tensor in one.tensors().items()}
        rows.append({
            "codebooks": f"{books}, {'shared' if shared else 'of each layer'}",
            "codes": codes, "codewords": sum(len(p.segment.content) for p in packed) - codes,
            "snr_db": snr(list(kernels.values()), [back[name] for name in kernels]),
        })  # fmt: skip
    return pd.DataFrame(rows)
