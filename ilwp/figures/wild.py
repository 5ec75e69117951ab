"""The hypothesis on networks that people use: what a layer's lift goes with, and the numbers that prose quotes.

data/benchmarks/wild.json -> sequences, layers, stages -> wild_plots, tables, numbers

A sequence is a network's kernels of one size in network order. Lifts are at unit length unless they are "as is".
"""

import numpy as np
import pandas as pd

RESAMPLES = 2000
# what is special about a layer: neither it nor the one before makes the image smaller, it does, or the one before does
KINDS = PLAIN, STRIDED, AFTER = ("neither makes the image smaller", "this layer does", "the one before does")


def sequences(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per sequence: first the public ones, then this book's own on CIFAR-10."""
    found = _titled(rows, "network")
    return found[found["public"] | (found["task"] == "CIFAR-10")].reset_index(drop=True)


def layers(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per layer from each sequence's third on, with its `kind`, one of KINDS."""
    found = _titled(rows, "layer")
    strided, before = found["strided"].astype(bool), ~found["same_stage"].astype(bool)
    return found.assign(kind=np.select([strided, before], [STRIDED, AFTER], PLAIN))


def stages(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per stage, the three or more layers between two that make the image smaller."""
    return _titled(rows, "stage")


def sources(rows: pd.DataFrame) -> pd.DataFrame:
    """What was measured of which public package."""
    found = _titled(rows, "network")
    columns = {"title": "sequence", "task": "task", "layers": "layers", "kernels": "kernels", "source": "package"}
    return found.loc[found["public"], list(columns)].rename(columns=columns).astype({"layers": int, "kernels": int})


def against_chance(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per public sequence: whether its lift at unit length lies clearly `above` or `below` chance."""
    found = sequences(rows)
    public = found[found["public"]]
    above, below = _clearly(public)
    return public[["title", "unit_lift"]].assign(above=above, below=below)


def predictors(found: pd.DataFrame) -> pd.DataFrame:
    """Mean lift at unit length of groups of layers, with 95 % bootstrap intervals over sequences.

    Each sequence counts once. All groups but those of stride are of layers where nothing makes the image smaller.
    """
    plain = found["kind"] == PLAIN
    same = found["width"] == found["previous_width"]
    half = found["layer"] > found.groupby("title")["layer"].transform("max") / 2
    groups = {f"stride: {kind}": found["kind"] == kind for kind in KINDS}
    groups |= {"as wide as the one before": plain & same, "of another width": plain & ~same}
    groups |= {"in the first half": plain & ~half, "in the second half": plain & half}
    groups |= {"up to 256 kernels": plain & (found["width"] <= 256), "more kernels": plain & (found["width"] > 256)}
    rows = [(name, int(chosen.sum()), *_mean(found[chosen])) for name, chosen in groups.items()]
    return pd.DataFrame(rows, columns=["layers that are", "count", "lift", "low", "high"])


def quoted_wild(found: pd.DataFrame, each: pd.DataFrame, staged: pd.DataFrame) -> dict[str, float]:
    """The numbers that prose quotes, of `sequences`, `layers` and `stages`."""
    public, own = found[found["public"]], found[~found["public"]]
    above, below = _clearly(public)
    numbers = {
        "networks": public["network"].nunique(), "sequences": len(public), "above": above.sum(), "below": below.sum(),
        "neither": (~above & ~below).sum(), "dead": public["dead"].sum(),
        "nearest_above": (public["unit_nearest_low"] > public["unit_nearest_null"]).sum(),
        "nearest_below": (public["unit_nearest_high"] < public["unit_nearest_null"]).sum(),
        "own_wide": own[own["width_factor"] == 1]["unit_lift"].mean(),
    }  # fmt: skip
    numbers |= {f"public_{column}_median": public[column].median() for column in ("unit_lift", "unit_random")}
    for name, values in (
        ("public_unit_random", public["unit_random"]), ("own_unit_random", own["unit_random"]),
        ("own_random", own["random"]),
    ):  # fmt: skip
        numbers |= {f"{name}_least": values.min(), f"{name}_most": values.max()}
    for name in ("MobileNetV1", "MobileNetV2"):
        row = public[public["network"] == name].iloc[0]
        numbers |= {f"{name}_{key}": row[key] for key in ("unit_lift", "unit_lift_low", "unit_lift_high")}
    mine, ours = each[each["public"]], each[~each["public"]]
    for name, kind in zip(("plain", "strided", "after"), KINDS, strict=True):
        numbers |= _named(name, _mean(mine[mine["kind"] == kind]))
        numbers[f"own_{name}"] = _mean(ours[ours["kind"] == kind])[0]
    numbers |= _named(
        "akin", _mean(mine[mine["strided"].astype(bool) & mine["unit_akin_lift"].notna()], "unit_akin_lift")
    )
    stage, own_stage = staged[staged["public"]], staged[~staged["public"]]
    clear, worse = _clearly(stage)
    numbers |= {"stages": len(stage), "stages_above": clear.sum(), "stages_below": worse.sum()}
    numbers |= _named("stage", _mean(stage))
    for family in ("Mobile", "Shuffle"):
        numbers |= _named(f"own_{family}", _mean(own_stage[own_stage["network"].str.startswith(family)]))
    return {name: float(value) for name, value in numbers.items()}


def _titled(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Rows of a kind with the `title` of their sequence, and whether the network is `public`."""
    found = rows[rows["row"] == kind].copy()
    found["public"] = found["epochs"].isna()  # of public networks nobody says how many
    own = found["network"] + " " + found["width_factor"].map("{:g}".format)
    own += ", " + found["epochs"].map("{:g}".format) + " epochs"
    own += (", " + found["task"]).where(found["task"] != "CIFAR-10", "")
    found["title"] = np.where(found["public"], found["network"] + ", " + found["size"], own)
    return found.reset_index(drop=True)


def _clearly(found: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Whether lifts at unit length lie above, and below, chance and all random deals, with their intervals."""
    above = found["unit_lift_low"] > found["unit_null_high"].clip(lower=1)
    return above, found["unit_lift_high"] < found["unit_null_low"].clip(upper=1)


def _mean(found: pd.DataFrame, column: str = "unit_lift") -> tuple[float, float, float]:
    """The mean lift over the means of sequences, and its interval: sequences are drawn anew."""
    means = found.groupby("title")[column].mean().to_numpy()
    drawn = means[np.random.default_rng(0).integers(0, len(means), (RESAMPLES, len(means)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(means.mean()), float(low), float(high)


def _named(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
