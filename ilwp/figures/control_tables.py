"""What the page of controls says in words: tables, and the commands that make what is missing."""

import numpy as np
import pandas as pd

from ilwp.experiments.evidence import Runs
from ilwp.figures.controls import CONTROL_KINDS, NONE, OWN, Controls
from ilwp.figures.scores import mean_and_deviation


def missing_runs(profile: str, controls: Controls, beside: Runs) -> str:
    """The command that makes the controls without a record, and how long it takes by the runs beside; or nothing."""
    missing = sum(made is None for made in controls.values())
    if not missing:
        return ""
    seconds = [record.seconds for record in beside.values()]
    hours = f", {missing * np.median(seconds) / 3600:.1f} hours of training on one core" if seconds else ""
    return f"{missing} of {len(controls)} runs are missing{hours}. `make grid PROFILE={profile}` makes them."


def savings_table(found: pd.DataFrame) -> pd.DataFrame:
    """What the page shows of `savings`: one row per kind, as trained, in words."""
    own = found[found["prediction"] == OWN]
    rows = []
    for kind, mine in own.groupby("kind", sort=False):
        row = {"": CONTROL_KINDS[str(kind)], "seeds": mine["seeds"].iloc[0]}
        for _, one in mine.iterrows():
            bounds = "" if np.isnan(one["low"]) else f" ({one['low']:.0f} to {one['high']:.0f})"
            row[f"{one['comparison']} (%)"] = f"{one['saved']:.1f}{bounds}" if one["seeds"] else "none"
            row[f"over the loss's, same seeds, {one['comparison'].removeprefix('saved ')}"] = (
                f"{one['share']:.2f}" if one["pairs"] else ""
            )
        rows.append(row)
    return pd.DataFrame(rows)


def networks_table(table: pd.DataFrame) -> pd.DataFrame:
    """What the page shows of `measured` besides savings: one row per kind, in words."""
    columns = {
        "accuracy": ("top-1 at 32 bits (%)", 2), "points": ("8 bits, against no loss (points)", 2), "rms": ("rms", 4),
        "zeros": ("zeros (%)", 1), "lift": ("lift as is", 2),
    }  # fmt: skip
    rows = []
    for kind, title in {NONE: "no loss", **CONTROL_KINDS}.items():
        mine = table[table["kind"] == kind]
        words = {
            name: mean_and_deviation(mine[column].to_numpy(float), digits) for column, (name, digits) in columns.items()
        }
        rows.append({"": title, "seeds": len(mine), **words})
    return pd.DataFrame(rows)
