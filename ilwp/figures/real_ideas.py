"""What makes files of public networks small, and what would not: ingredients left out, ideas added, and bounds.

real_ablation.json, real_tried.json, real_bounds.json, real_networks.json -> real_ingredients, tried_ideas, real_bounds
"""

import pandas as pd

from ilwp.figures.benchmark_names import OURS, TAUGHT
from ilwp.figures.benchmarks import benchmark_rows
from ilwp.figures.real_networks import ENCODE_SECONDS, PICTURES, kinds_of_inputs, snr_bytes

BEYOND = 1.5  # dB under the worst of our files, where an idea is still held against the line to it


def real_ingredients(network: str) -> pd.DataFrame:
    """One row per ingredient left out: the file, its outputs, and its bytes over those of a whole file as good in %.

    Files are as good at the same SNR for the first kind of inputs.
    """
    ablation, files = benchmark_rows("real_ablation"), benchmark_rows("real_networks")
    ablation = ablation[ablation["network"] == network]
    whole, kinds = files[(files["network"] == network) & (files["codec"] == OURS)], kinds_of_inputs(network)
    first = next(iter(kinds))
    same = ablation[ablation["left out"] == "nothing"].iloc[0]
    usual = snr_bytes(whole, first, same[f"{first}_snr_db"])
    rows = []
    for row in ablation.to_dict("records"):
        as_good = snr_bytes(whole, first, row[f"{first}_snr_db"]) / usual
        rows.append(
            {"left out": row["left out"], "kB": row["bytes"] / 1000}
            | {f"dB, {words}": row[f"{inputs}_snr_db"] for inputs, words in kinds.items()}
            | {f"kept, {kinds[first]} (%)": 100 * row[f"{first}_agreement"]}
            | {"more bytes for equal dB (%)": 100 * (row["bytes"] / (same["bytes"] * as_good) - 1)}
        )
    return pd.DataFrame(rows)


def tried_ideas() -> pd.DataFrame:
    """One row per idea that was left out: its bytes over those of our files with equal outputs, less 1, in %.

    Ideas that images teach are held against our files that the same images taught. There is a column per kind of inputs
    and quality, NaN where no file of ours is nearly as bad; one for the images, and one for the seconds to encode,
    the greatest.
    """
    tried, files = benchmark_rows("real_tried"), benchmark_rows("real_networks")
    rows: dict[str, dict[str, float]] = {}
    for row in tried.to_dict("records"):
        codec = TAUGHT if row["images"] else OURS
        whole = files[(files["network"] == row["network"]) & (files["codec"] == codec)]
        found = rows.setdefault(row["idea"], {"images": row["images"], ENCODE_SECONDS: 0.0})
        found[ENCODE_SECONDS] = max(found[ENCODE_SECONDS], row["encode_s"])
        for inputs in PICTURES:
            as_good = snr_bytes(whole, inputs, row[f"{inputs}_snr_db"], BEYOND)
            found[f"{inputs}, {row['quality']} dB"] = 100 * (row["bytes"] / as_good - 1)
    table = pd.DataFrame(rows).T
    about = ["images", ENCODE_SECONDS]
    return table[[*about, *sorted(column for column in table if column not in about)]]


def real_bounds() -> pd.DataFrame:
    """One row per other way to code the same levels: how much smaller it makes each network's file at most, in %."""
    rows = benchmark_rows("real_bounds")
    table = rows.assign(share=100 * rows["share"]).pivot(index="idea", columns="network", values="share")
    return table.loc[rows["idea"].unique(), rows["network"].unique()].rename_axis(index=None, columns=None)
