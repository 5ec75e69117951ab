"""The paper's claims on where best predictions come from: C1 in two halves, and C2. No file is involved in them.

Each claim is a function; the rule that it states is made of the thresholds that it uses.
"""

import pandas as pd

from ilwp.figures.scorecard_evidence import Evidence, means_over_seeds
from ilwp.figures.scores import Part, Score, mean_and_range

HALF = 0.5
KEYS = ["network", "dataset", "seed"]


def previous_layer_leads(found: Evidence) -> Score:
    """C1a: as the paper counts, the previous layer holds more best predictions than any other layer."""
    means = means_over_seeds(found.lifts(0))
    parts, ours = [], "none"
    if len(means):
        parts = [Part("trained here", _title(row), row["leads"] > HALF) for _, row in means.iterrows()]
        ours = (
            f"it leads in {_percents(means['leads'])} of layers, and among shuffled kernels in "
            f"{_percents(means['leads_shuffled'])}; it holds {mean_and_range(means['share'])} of best predictions"
        )
    return Score(
        claim="C1a",
        page="notebooks/fig2",
        paper="the previous layer holds the largest share of best predictions, in all layers of all networks",
        rule="One part per network and data set trained here: the previous layer holds at least as many best "
        f"predictions as any other in more than {100 * HALF:g} % of the layers from the third on, averaged over runs. "
        "Shuffled kernels stand beside it and are not judged",
        ours=ours,
        runs=len(found.lifts(0)),
        parts=parts,
    )


def previous_layer_beats_chance(found: Evidence) -> Score:
    """C1b: the previous layer holds best predictions more often than its number of kernels and its scale explain."""
    chance = 1
    table = found.lifts(0)
    parts, ours, details = [], "none", ""
    if len(table):
        means = means_over_seeds(table)
        clear = table.groupby(["network", "dataset"], sort=False)["unit_low"].min() > chance
        parts = [Part("trained here", f"{network} on {data}", bool(is_so)) for (network, data), is_so in clear.items()]
        parts += [
            Part("public networks", row.title.replace(",", ""), bool(row.above)) for row in found.public.itertuples()
        ]
        ours = (
            f"trained here: lift at unit length {mean_and_range(means['unit'])}\n"
            f"public: {mean_and_range(found.public['unit_lift'])}, clearly above chance in "
            f"{found.public['above'].sum()} of {len(found.public)} sequences of kernels and clearly below in "
            f"{found.public['below'].sum()}"
        )
        details = (
            f"trained here: lift as trained {mean_and_range(means['lift'])}, before training "
            f"{mean_and_range(means['untrained'])}"
        )
    return Score(
        claim="C1b",
        page="notebooks/wild",
        paper="adjacent layers have similar weights (the hypothesis itself)",
        rule="One part per network and data set trained here, and one per public network and kernel size: with every "
        f"kernel at unit length, the 95 % interval of the lift lies above {chance} in every run; in public networks "
        "the interval lies above every random deal of their kernels too",
        ours=ours,
        runs=len(table) + (len(found.public) if len(table) else 0),
        parts=parts,
        details=details,
    )


def loss_strengthens_it(found: Evidence) -> Score:
    """C2: with the inter-layer loss the previous layer is still better a source."""
    before, after = found.lifts(0), found.lifts(1)
    both = before.merge(after, on=KEYS, suffixes=("", "_loss")) if len(before) and len(after) else pd.DataFrame()
    parts, ours = [], "none"
    if len(both):
        means = means_over_seeds(both)
        measures = {"as counted": "share", "at unit length": "unit"}
        parts = [
            Part(name, _title(row), bool(row[f"{column}_loss"] > row[column]))
            for name, column in measures.items()
            for _, row in means.iterrows()
        ]
        ours = (
            f"share of best predictions {mean_and_range(means['share'])} becomes "
            f"{mean_and_range(means['share_loss'])}; lift at unit length {mean_and_range(means['unit'])} becomes "
            f"{mean_and_range(means['unit_loss'])}"
        )
    return Score(
        claim="C2",
        page="notebooks/fig3",
        paper="the loss makes the previous layer still better a source",
        rule="Two parts per network and data set, averaged over pairs of runs with one seed: the previous layer's "
        "share of best predictions rises with the loss, and its lift at unit length rises",
        ours=ours,
        runs=len(both),
        parts=parts,
    )


def _title(row: "pd.Series[str]") -> str:
    return f"{row['network']} on {row['dataset']}"


def _percents(values: pd.Series) -> str:
    return f"{100 * values.mean():.0f} % ({100 * values.min():.0f} to {100 * values.max():.0f})"
