"""The paper's claims on how residuals are distributed: C9 and C10. MobileNet on CIFAR-10.

Each claim is a function; the rule that it states is made of the thresholds that it uses.
"""

import numpy as np
import pandas as pd

from ilwp.experiments.curves import CURVES
from ilwp.figures.paired import Paired, differences
from ilwp.figures.residuals import coded_residuals, laplace_distance
from ilwp.figures.scorecard_evidence import LOOP_TITLES, Evidence
from ilwp.figures.scores import Part, Score, mean_and_deviation
from ilwp.paper.laplace import fit_laplace
from ilwp.paper.methods import Loop


def residuals_are_laplace(found: Evidence) -> Score:
    """C9: residuals of FSS and ILL follow Laplace's distribution."""
    furthest = 0.05
    parts, words = [], []
    for loop, where in LOOP_TITLES.items():
        distances = {}
        for curve in ("fss", "ill"):
            values = _residuals(found, curve, loop)
            distances[curve] = Paired(np.array([laplace_distance(v, fit_laplace(v)) for v in values.values()]))
            near = not distances[curve].above(furthest) if values else None
            parts.append(Part(where, curve.upper(), near))
        zeros = mean_and_deviation(found.zeros("ill", 1, loop), 0)
        words.append(
            f"{where}: largest gap to the fitted distribution "
            f"{', '.join(f'{c.upper()} {mean_and_deviation(d.values)}' for c, d in distances.items())}; "
            f"{zeros} % of ILL's levels are zero"
        )
    return Score(
        claim="C9",
        page="notebooks/fig7",
        paper="FSS and ILL residuals are Laplace; about 46 % of ILL's are near zero",
        rule="One part per method and loop: the distribution function of its residuals at 8 bits stays within "
        f"{furthest} of the fitted Laplace's (Kolmogorov's distance). How near is near zero the paper does not say, "
        "and the share of zeros helped to calibrate the loss, so that share is shown and not judged",
        ours="\n".join(words),
        runs=_runs(found, "fss") + _runs(found, "ill"),
        parts=parts,
    )


def entropies_are_in_order(found: Evidence) -> Score:
    """C10: by entropy (Eq. 5) and by Huffman size, ILL is below FSS and FSS below the weights."""
    order = ("ill", "fss", "baseline")
    parts, words, sizes = [], [], []
    for loop, where in LOOP_TITLES.items():
        fits = {c: pd.Series({s: fit_laplace(v).bits for s, v in _residuals(found, c, loop).items()}) for c in order}
        texture = {c: found.by_seed(c, "texture_bytes", loop=loop) / 1000 for c in order}
        for name, columns in (("entropies", fits), ("Huffman sizes", texture)):
            steps = [differences(columns[a], columns[b]) for a, b in (order[:2], order[1:])]
            parts.append(Part(where, name, all(s.below(0) for s in steps) if all(map(len, steps)) else None))
        names = {c: "weights" if c == "baseline" else c.upper() for c in order}
        bits = ", ".join(f"{name} {mean_and_deviation(fits[c].to_numpy(), 2)}" for c, name in names.items())
        kilobytes = ", ".join(f"{name} {mean_and_deviation(texture[c].to_numpy(), 1)}" for c, name in names.items())
        words.append(f"{where}: differential entropy (bits) {bits}")
        sizes.append(f"{where}: texture (kB) {kilobytes}")
    return Score(
        claim="C10",
        page="notebooks/fig7",
        paper="the entropy log(2b) + 1 orders ILL < FSS < weights, and Huffman sizes follow",
        rule="In each loop one part for entropies and one for texture bytes: ILL is below FSS and FSS below the "
        "weights, seed by seed. The formula is a Laplace distribution's, whether or not C9 finds one",
        ours="\n".join(words),
        runs=_runs(found, "fss") + _runs(found, "ill"),
        parts=parts,
        details="\n".join(sizes),
    )


def _residuals(found: Evidence, name: str, loop: Loop) -> dict[int, np.ndarray]:
    """All residuals of each of a curve's runs of MobileNet on CIFAR-10, by seed."""
    curve = CURVES[name]
    runs = found.first_runs(inter_layer=curve.inter_layer)
    return {
        record.config.seed: np.concatenate(
            [r.ravel() for r in coded_residuals(found.kernels(path), curve.method, loop)]
        )
        for path, record in runs.items()
    }


def _runs(found: Evidence, name: str) -> int:
    return len(found.first_runs(inter_layer=CURVES[name].inter_layer))
