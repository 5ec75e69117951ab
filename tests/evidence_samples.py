"""Evidence made up for tests of verdicts."""

import pandas as pd

from ilwp.figures.verdicts import Evidence

BASELINE = ([100.0, 200.0], [90.0, 91.0])


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
    return Evidence({}, table, table, lambda path: {})
