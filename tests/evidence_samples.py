"""Evidence made up for tests of verdicts."""

import pandas as pd

from ilwp.figures.scorecard_evidence import Evidence

NO_LIFTS = pd.DataFrame()
NO_NETWORKS = pd.DataFrame(columns=["title", "unit_lift", "above", "below"])
BASELINE = ([100.0, 200.0, 300.0], [90.0, 91.0, 92.0])
PARTS = ("texture", "index", "raw", "side", "coded", "total")


def evidence_of(
    closed: pd.DataFrame, opened: pd.DataFrame, lifts: pd.DataFrame = NO_LIFTS, public: pd.DataFrame = NO_NETWORKS
) -> Evidence:
    """Evidence in tables alone, without records and kernels."""
    return Evidence({}, closed, opened, lambda path: {}, lambda inter_layer: lifts, public)


def files(rows: list[tuple[str, str, int, int, float, float]]) -> pd.DataFrame:
    """A table of files on CIFAR-10: curve, network, seed, bits, bytes of the whole and of each part, accuracy."""
    table = pd.DataFrame(rows, columns=["curve", "network", "seed", "bits", "total_bytes", "accuracy"])
    sizes = {f"{part}_bytes": table["total_bytes"] for part in PARTS}
    return table.assign(dataset="cifar10", bits_a_weight=1.0, texture_bits_a_weight=1.0, **sizes)


def at_8_bits(**curves: tuple[list[float], list[float]]) -> Evidence:
    """Evidence of MobileNet on CIFAR-10 in both loops, for each curve its bytes and accuracies seed by seed."""
    table = files([
        (curve, "mobilenet", seed, 8, size, accuracy)
        for curve, (sizes, accuracies) in curves.items()
        for seed, (size, accuracy) in enumerate(zip(sizes, accuracies, strict=True))
    ])  # fmt: skip
    return evidence_of(table, table)
