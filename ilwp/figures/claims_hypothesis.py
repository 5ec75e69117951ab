"""The paper's claims on where predictions come from and how residuals are distributed: C1, C2, C9, C10.

Each claim is a function; the rule that it states is made of the thresholds that it uses.
"""

import numpy as np
import pandas as pd

from ilwp.experiments import evidence
from ilwp.experiments.curves import CURVES
from ilwp.figures.scorecard_evidence import Evidence, means_over_seeds
from ilwp.figures.scores import Score, mean_and_deviation, mean_and_range, verdict
from ilwp.paper import codec
from ilwp.paper.laplace import fit_laplace
from ilwp.paper.methods import LOOPS


def previous_layer_leads(found: Evidence) -> Score:
    """C1: of each layer's best predictions, the previous layer holds the largest share."""
    most, chance = 0.5, 1
    half = f"{100 * most:g} %"
    table = found.lifts(0)
    tested = len(table) > 0
    ours, holds, in_part = "none", False, False
    if tested:
        means = means_over_seeds(table)
        percent = 100 * means["largest"]
        holds = bool((table["unit_low"] > chance).all() and (table["largest"] > most).all())
        in_part = bool((means["largest"] > most).mean() > most)
        ours = (
            f"the previous layer holds {mean_and_range(means['share'])} of the best predictions, and the largest share "
            f"in {percent.mean():.0f} % of layers ({percent.min():.0f} to {percent.max():.0f} by network and data "
            f"set); lift {mean_and_range(means['lift'])}, at unit length {mean_and_range(means['unit'])}, before "
            f"training {mean_and_range(means['untrained'])}"
        )
    return Score(
        claim="C1",
        page="notebooks/fig2",
        paper="the previous layer holds the largest share of best predictions, in all layers of all networks",
        rule=f"holds if in every run the previous layer leads in more than {half} of layers and its lift at unit "
        f"length is above {chance} with its interval; in part if it leads in more than {half} of layers for more than "
        f"{half} of networks and data sets",
        ours=ours,
        runs=len(table),
        verdict=verdict(holds, in_part, tested),
    )


def loss_strengthens_it(found: Evidence) -> Score:
    """C2: with the inter-layer loss the previous layer is still better a source."""
    keys = ["network", "dataset", "seed"]
    before, after = found.lifts(0), found.lifts(1)
    both = before.merge(after, on=keys, suffixes=("", "_loss")) if len(before) and len(after) else pd.DataFrame()
    tested = len(both) > 0
    ours, stronger = "none", pd.Series(dtype=bool)
    if tested:
        means = means_over_seeds(both)
        ours = f"lift at unit length {mean_and_range(means['unit'])} becomes {mean_and_range(means['unit_loss'])}"
        stronger = both["unit_loss"] > both["unit"]
    return Score(
        claim="C2",
        page="notebooks/fig3",
        paper="the loss makes the previous layer still better a source",
        rule="holds if the lift at unit length rises in every pair of runs, in part if in some",
        ours=ours,
        runs=2 * len(both),
        verdict=verdict(bool(stronger.all()), bool(stronger.any()), tested),
    )


def residuals_are_laplace(found: Evidence) -> Score:
    """C9: residuals of FSS and ILL follow Laplace's distribution."""
    furthest = 0.05
    residuals = {name: _residuals(found, name.lower()) for name in ("FSS", "ILL")}
    tested = all(residuals.values())
    distances = {name: np.array([fit_laplace(v).distance(v) for v in values]) for name, values in residuals.items()}
    fits = [bool(d.mean() < furthest) for d in distances.values()] if tested else [False]
    zeros = {loop: mean_and_deviation(found.zeros(loop), 0) for loop in LOOPS}
    return Score(
        claim="C9",
        page="notebooks/fig7",
        paper="FSS and ILL residuals are Laplace; about 46 % of ILL's are near zero",
        rule=f"holds if, of residuals from the original kernels, both distribution functions stay within {furthest} of "
        "the fitted Laplace's on average (Kolmogorov's distance), in part if one does; how near is near zero the paper "
        "does not say, so that share is not judged",
        ours="distance to the fitted distribution: "
        f"{', '.join(f'{name} {mean_and_deviation(d)}' for name, d in distances.items())}; at 8 bits {zeros['open']} % "
        f"of ILL's are zero in an open loop, {zeros['closed']} % in a closed one",
        runs=sum(map(len, residuals.values())),
        verdict=verdict(all(fits), any(fits), tested),
    )


def entropies_are_in_order(found: Evidence) -> Score:
    """C10: by entropy (Eq. 5) and by Huffman size, ILL is below FSS and FSS below the weights."""
    order = ("ill", "fss", "baseline")
    fits = {c: np.array([fit_laplace(v).bits for v in _residuals(found, c)]) for c in order}
    texture = {c: found.group(c, "texture_bytes") for c in order}
    tested = all(map(len, fits.values()))
    bits, bytes_ = ([float(v.mean()) for v in group.values()] if tested else [] for group in (fits, texture))
    return Score(
        claim="C10",
        page="notebooks/fig7",
        paper="the entropy log(2b) + 1 orders ILL < FSS < weights, and Huffman sizes follow",
        rule="holds if entropies and texture bytes both have that order, in part if the entropies have; the formula is "
        "a Laplace distribution's, whether or not C9 finds one",
        ours=", ".join(
            f"{'weights' if c == 'baseline' else c.upper()} {mean_and_deviation(fits[c], 2)} bits, "
            f"{mean_and_deviation(texture[c] / 1000, 1)} kB"
            for c in order
        ),
        runs=len(fits["ill"]) + len(fits["baseline"]),
        verdict=verdict(bits == sorted(bits) and bytes_ == sorted(bytes_), bits == sorted(bits), tested),
    )


def _residuals(found: Evidence, name: str) -> list[np.ndarray]:
    """All residuals of each of a curve's runs of MobileNet on CIFAR-10."""
    curve = CURVES[name]
    runs = evidence.select(found.runs, dataset="cifar10", network="mobilenet", inter_layer=curve.inter_layer)
    return [np.concatenate([r.ravel() for r in codec.residuals(found.kernels(path), curve.method)]) for path in runs]
