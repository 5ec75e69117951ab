"""The paper's claims on accuracy, and on size against accuracy: C7, C8, C11 and C12.

Each claim is a function; the rule that it states is made of the thresholds that it uses.
"""

from collections.abc import Iterator

import numpy as np

from ilwp import networks
from ilwp.figures.paired import Paired, ratios
from ilwp.figures.scorecard_evidence import LOOP_TITLES, Evidence, title
from ilwp.figures.scores import Part, Score
from ilwp.paper.methods import Loop

WITHIN = 5  # points below a run's best file: a file further down is not one to use
SHARE = 0.9  # of a rival's files that must be matched
ALLOWED = 0.8  # points: the paper's own ILL loses 0.65 to the baseline and 0.76 to LSS at 8 bits
NOISE = 0.2  # points that count as no loss


def loss_saves_half_on_average(found: Evidence) -> Score:
    """C7: over MobileNet and MobileNetV2, about 53 % are saved at the same accuracy."""
    least = 0.43
    wanted = ("mobilenet", "mobilenetv2")
    panels = [panel for panel in found.panels() if panel[0] in wanted]
    tested = {network for network, _ in panels} == set(wanted)
    parts, words, details = [], [], []
    for loop, where in LOOP_TITLES.items() if tested else ():
        sizes = {panel: _at_equal_accuracy(found, panel, loop) for panel in panels}
        saved = 1 - float(np.mean([size.mean for size in sizes.values()]))
        parts.append(Part(where, "", saved >= least))
        listed = ", ".join(
            f"{title(panel)} {100 * (1 - size.mean):.0f} % (at 8 bits {100 * (1 - plain.mean):.0f} % for "
            f"{found.points('ill', loop, panel).mean:+.2f} points)"
            for panel, size in sizes.items()
            for plain in [found.ratio("ill", loop=loop, panel=panel)]
        )
        words.append(f"{where}: {100 * saved:.0f} % on average")
        details.append(f"{where}: {listed}")
    return Score(
        claim="C7",
        page="notebooks/fig5",
        paper="about 53 % saved at 8 bits on MobileNet and MobileNetV2, on average, at the same accuracy",
        rule="One part per loop. The smallest files no less accurate than ILL's of 8 bits are compared, the baseline's "
        f"and ILL's, seed by seed and at any bit width: the mean saving over networks and data sets is {100 * least:g} "
        "% or more. Not tested until both networks are trained",
        ours="\n".join(words) or "none",
        runs=sum(len(found.points("ill", panel=panel)) for panel in panels),
        parts=parts,
        details="\n".join(details),
    )


def loss_leads_at_every_size(found: Evidence) -> Score:
    """C8: whatever file of a rival, ILL has one that is no larger and about as accurate."""
    rivals = ("baseline", "fss", "lss")
    parts, words, details = [], [], []
    panels = found.panels()
    for loop, where in LOOP_TITLES.items() if panels else ():
        counts = []
        for rival in rivals:
            matched = list(_matched(found, rival, "ill", loop, ALLOWED))
            strictly = list(_matched(found, rival, "ill", loop, 0))
            parts.append(Part(where, f"against {_name(rival)}", sum(matched) >= SHARE * len(matched)))
            counts.append(f"{sum(matched)} of {len(matched)} files of {_name(rival)} ({sum(strictly)} at no loss)")
        reverse = list(_matched(found, "ill", "baseline", loop, 0))
        words.append(f"{where}: ILL matches {counts[0]} within {ALLOWED} points")
        details.append(
            f"{where}: ILL matches {', '.join(counts[1:])} within {ALLOWED} points; the baseline matches "
            f"{sum(reverse)} of ILL's {len(reverse)} files at no loss"
        )
    return Score(
        claim="C8",
        page="notebooks/fig6",
        paper="ILL leads the trade-off of size and accuracy",
        rule=f"One part per rival and loop: of the baseline's, of FSS's and of LSS's files within {WITHIN} points of "
        f"the run's best, {100 * SHARE:g} % are matched by a file of ILL, of the same seed, that is no larger and at "
        f"most {ALLOWED} points less accurate (at 8 bits the paper's own ILL loses 0.65 to the baseline and 0.76 to "
        "LSS)",
        ours="\n".join(words) or "none",
        runs=sum(len(found.points("ill", panel=panel)) for panel in panels),
        parts=parts,
        details="\n".join(details),
    )


def local_search_is_slightly_better(found: Evidence) -> Score:
    """C11: LSS's file is a little smaller than FSS's, and its trade-off is no worse."""
    least = 0.9
    parts, words = [], []
    for loop, where in LOOP_TITLES.items():
        size = found.ratio("lss", loop=loop, of="fss")
        if len(size):
            matched = list(_matched(found, "fss", "lss", loop, NOISE))
            parts += [
                Part(where, "size", size.below(1) and not size.below(least)),
                Part(where, "trade-off", sum(matched) >= SHARE * len(matched)),
            ]
            words.append(f"{where}: {size.words()} of its size; {sum(matched)} of FSS's {len(matched)} files matched")
    return Score(
        claim="C11",
        page="notebooks/table1",
        paper="LSS is only slightly better than FSS: 0.963 of its size",
        rule=f"Two parts per loop: at 8 bits LSS's file is smaller than FSS's and takes at least {least} of it; of "
        f"FSS's files within {WITHIN} points of the run's best, on all networks, {100 * SHARE:g} % are matched by a "
        f"file of LSS that is no larger and at most {NOISE} points less accurate",
        ours="\n".join(words) or "none",
        runs=len(found.ratio("lss", of="fss")),
        parts=parts,
    )


def searches_keep_accuracy(found: Evidence) -> Score:
    """C12: FSS and LSS cost no accuracy."""
    parts, words = [], []
    for loop, where in LOOP_TITLES.items():
        points = {c: found.points(c, loop) for c in ("fss", "lss")}
        parts += [Part(where, c.upper(), not p.below(-NOISE) if len(p) else None) for c, p in points.items()]
        listed = ", ".join(f"{c.upper()} {p.words(2, '+')} points" for c, p in points.items())
        words.append(f"{where}: {listed}")
    return Score(
        claim="C12",
        page="notebooks/table1",
        paper="FSS and LSS cost no accuracy at 8 bits: +0.10 and +0.11 points",
        rule=f"One part per method and loop: at 8 bits it loses at most {NOISE} points",
        ours="\n".join(words),
        runs=len(found.points("fss")),
        parts=parts,
    )


def _at_equal_accuracy(found: Evidence, panel: tuple[str, str], loop: Loop) -> Paired:
    """ILL's smallest file no less accurate than its own of 8 bits over the baseline's, in one loop, seed by seed."""
    mine, others = (found.equally_accurate_bytes(curve, panel, loop, [loop]) for curve in ("ill", "baseline"))
    return ratios(mine, others)


def _matched(found: Evidence, rival: str, curve: str, loop: Loop, tolerance: float) -> Iterator[bool]:
    """For each of a rival's files near its run's best: has `curve` one no larger and at most that less accurate?

    Files of one seed, in every network and data set that has both.
    """
    for network in networks.TITLES:
        for dataset in ("cifar10", "cifar100"):
            theirs, mine = (found.files(c, (network, dataset), loop) for c in (rival, curve))
            for seed, files in theirs.groupby("seed") if len(theirs) and len(mine) else ():
                own = mine[mine["seed"] == seed]
                near = files[files["accuracy"] >= files["accuracy"].max() - WITHIN]
                for file in near.itertuples() if len(own) else ():
                    fits = own["total_bytes"] <= file.total_bytes
                    yield bool((fits & (own["accuracy"] >= file.accuracy - tolerance)).any())


def _name(curve: str) -> str:
    return "the baseline" if curve == "baseline" else curve.upper()
