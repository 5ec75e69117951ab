"""Evidence made up for tests of verdicts."""

import pandas as pd

from ilwp.figures.scorecard_evidence import Evidence

NO_LIFTS = pd.DataFrame()
BASELINE = ([100.0, 200.0], [90.0, 91.0])


def evidence_of(closed: pd.DataFrame, opened: pd.DataFrame, lifts: pd.DataFrame = NO_LIFTS) -> Evidence:
    """Evidence in tables alone, without records and kernels."""
    return Evidence({}, closed, opened, lambda path: {}, lambda inter_layer: lifts)


def at_8_bits(**curves: tuple[list[float], list[float]]) -> Evidence:
    """Evidence of MobileNet on CIFAR-10, for each curve its bytes and accuracies seed by seed."""
    rows = [
        {
            "curve": curve, "network": "mobilenet", "dataset": "cifar10", "bits": 8, "seed": seed,
            "total_bytes": size, "texture_bytes": size, "accuracy": accuracy,
        }
        for curve, (sizes, accuracies) in curves.items()
        for seed, (size, accuracy) in enumerate(zip(sizes, accuracies, strict=True))
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return evidence_of(table, table)
