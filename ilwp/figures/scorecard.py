"""A verdict on every claim of the paper, from the records, by a rule that is written beside it.

Evidence -> scorecard -> list[Score]
"""

import itertools
import math

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.experiments import evidence
from ilwp.figures.verdicts import Evidence, Score, judged, panels, reach, spread, verdict
from ilwp.paper import codec
from ilwp.paper.laplace import fit_laplace
from ilwp.paper.settings import Method
from ilwp.training import datasets


def scorecard(found: Evidence) -> list[Score]:
    """All twelve claims."""
    claims = (_c1, _c2, _c3, _c4, _c5, _c6, _c7, _c8, _c9, _c10, _c11, _c12)
    return [claim(found) for claim in claims]


def _c1(found: Evidence) -> Score:
    table = found.lifts(0)
    tested = len(table) > 0
    ours, holds, in_part = "none", False, False
    if tested:
        means = panels(table)
        percent = 100 * means["largest"]
        holds = bool((table["unit_low"] > 1).all() and (table["largest"] > 0.5).all())
        in_part = bool((means["largest"] > 0.5).mean() > 0.5)
        ours = (
            f"the previous layer holds {reach(means['share'])} of the best predictions, and the largest share in "
            f"{percent.mean():.0f} % of layers ({percent.min():.0f} to {percent.max():.0f} by network and data set); "
            f"lift {reach(means['lift'])}, at unit length {reach(means['unit'])}, before training "
            f"{reach(means['untrained'])}"
        )
    return judged("C1", ours, len(table), verdict(holds, in_part, tested))


def _c2(found: Evidence) -> Score:
    before, after = found.lifts(0), found.lifts(1)
    keys = ["network", "dataset", "seed"]
    both = before.merge(after, on=keys, suffixes=("", "_loss")) if len(before) and len(after) else pd.DataFrame()
    tested = len(both) > 0
    ours = "none"
    if tested:
        means = panels(both)
        ours = f"lift at unit length {reach(means['unit'])} becomes {reach(means['unit_loss'])}"
    stronger = both["unit_loss"] > both["unit"] if tested else pd.Series(dtype=bool)
    return judged("C2", ours, 2 * len(both), verdict(tested and bool(stronger.all()), bool(stronger.any()), tested))


def _c3(found: Evidence) -> Score:
    rows = []
    for record in evidence.select(found.runs, dataset="cifar10", network="mobilenet", seed=0).values():
        for m in record.measurements:
            if (m.method, m.bits, m.loop) == ("ill", 8, "closed") and math.isfinite(record.config.inter_layer):
                rows.append((record.config.inter_layer, m.rate.total / 8, m.accuracy))
    table = pd.DataFrame(sorted(rows), columns=["weight", "bytes", "accuracy"]).set_index("weight")
    tested = {0.0, 1.0} <= set(table.index) and len(table) >= 4
    ours, holds, in_part = "too few values of λ", False, False
    if {0.0, 1.0} <= set(table.index):
        near = table.loc[1.0, "accuracy"] >= table["accuracy"].max() - 1
        holds = bool(near and table["bytes"].idxmin() == 1)
        in_part = bool(table.loc[1.0, "bytes"] < table.loc[0.0, "bytes"])
        ours = "; ".join(
            f"λ {row.Index:g}: {row.bytes / 1000:.1f} kB, {row.accuracy:.1f} %" for row in table.itertuples()
        )
    return judged("C3", ours, len(table), verdict(holds, in_part, tested))


def _c4(found: Evidence) -> Score:
    fss, lss = found.ratio("fss"), found.ratio("lss")
    tested = len(fss) > 0
    above = [bool(r.mean() > 1) for r in (fss, lss)] if tested else [False]
    return judged(
        "C4",
        (
            f"FSS {spread(fss)}, LSS {spread(lss)} (open loop: {spread(found.ratio('fss', loop='open'))}, "
            f"{spread(found.ratio('lss', loop='open'))})"
        ),
        len(fss),
        verdict(all(above), any(above), tested),
    )


def _c5(found: Evidence) -> Score:
    texture = {curve: found.ratio(curve, "texture_bytes") for curve in ("fss", "lss", "ill")}
    tested = all(map(len, texture.values()))
    below = [bool(r.mean() < 1) for r in texture.values()] if tested else [False]
    close = tested and abs(texture["ill"].mean() - 0.475) <= 0.1
    return judged(
        "C5",
        ", ".join(f"{curve.upper()} {spread(r)}" for curve, r in texture.items()),
        len(texture["fss"]) + len(texture["ill"]),
        verdict(all(below) and close, any(below), tested),
    )


def _c6(found: Evidence) -> Score:
    sizes, points = found.ratio("ill", loop="open"), found.points("ill", loop="open")
    tested = len(sizes) > 0
    holds = tested and sizes.mean() <= 0.525 and points.mean() >= -0.645
    return judged(
        "C6",
        f"open loop {spread(sizes)} for {spread(points, 2)} points, "
        f"closed {spread(found.ratio('ill'))} for {spread(found.points('ill'), 2)}",
        2 * len(sizes),
        verdict(holds, tested and sizes.mean() < 1 and points.mean() >= -2, tested),
    )


def _c7(found: Evidence) -> Score:
    savings, points, names, trained, runs = [], [], [], set(), 0
    for network, dataset in itertools.product(("mobilenet", "mobilenetv2"), ("cifar10", "cifar100")):
        sizes, accuracies = (
            [
                found.group("baseline", column, network, dataset=dataset),
                found.group("ill", column, network, "open", dataset),
            ]
            for column in ("total_bytes", "accuracy")
        )
        if all(map(len, sizes)):
            trained.add(network)
            runs += len(sizes[0]) + len(sizes[1])
            savings.append(100 * (1 - float(sizes[1].mean() / sizes[0].mean())))
            points.append(float(accuracies[1].mean() - accuracies[0].mean()))
            title = f"{networks.TITLES[network]} on {datasets.TITLES[dataset]}"
            names.append(f"{title} {savings[-1]:.0f} % for {points[-1]:+.2f} points")
    tested = len(trained) == 2
    holds = tested and bool(np.mean(savings) >= 43 and np.mean(points) >= -0.65)
    ours = f"{', '.join(names) or 'none'} (open loop)"
    return judged("C7", ours, runs, verdict(holds, bool(tested and np.mean(savings) > 0), tested))


def _c8(found: Evidence) -> Score:
    rows = []
    table = found.closed
    for (dataset, network, seed), run in table.groupby(["dataset", "network", "seed"]) if len(table) else ():
        baseline, ill = (run[run["curve"] == curve] for curve in ("baseline", "ill"))
        for mine, others in ((baseline, ill), (ill, baseline)) if len(baseline) and len(ill) else ():
            for file in mine[mine["accuracy"] >= mine["accuracy"].max() - 5].itertuples():
                better = (others["total_bytes"] <= file.total_bytes) & (others["accuracy"] >= file.accuracy)
                rows.append((file.curve, network, dataset, seed, file.bits, bool(better.any())))
    files = pd.DataFrame(rows, columns=["curve", "network", "dataset", "seed", "bits", "beaten"])
    runs = 2 * len(files[["network", "dataset", "seed"]].drop_duplicates())
    baseline, ill = (files[files["curve"] == curve] for curve in ("baseline", "ill"))
    won = baseline[baseline["beaten"].astype(bool)]
    where = ""
    if len(won):
        panels_won, all_panels = (len(f[["network", "dataset"]].drop_duplicates()) for f in (won, baseline))
        bits = " and ".join(map(str, sorted(won["bits"].unique())))
        where = f", all at {bits} bits, on {panels_won} of {all_panels} networks and data sets"
    return judged(
        "C8",
        f"ILL has a file no larger and no less accurate for {len(won)} of the baseline's {len(baseline)} files{where}; "
        f"the baseline has one for {ill['beaten'].sum()} of ILL's {len(ill)}",
        runs,
        verdict(len(won) == len(baseline), bool(len(won)), bool(len(baseline))),
    )


def _residuals(found: Evidence, method: Method) -> list[np.ndarray]:
    inter_layer, _ = evidence.CURVES[method]
    chosen = evidence.select(found.runs, dataset="cifar10", network="mobilenet", inter_layer=inter_layer)
    return [np.concatenate([r.ravel() for r in codec.residuals(found.kernels(path), method)]) for path in chosen]


def _c9(found: Evidence) -> Score:
    fss, ill = _residuals(found, "fss"), _residuals(found, "ill")
    tested = bool(fss) and bool(ill)
    far = {
        name: np.array([fit_laplace(v).distance(v) for v in values]) for name, values in (("FSS", fss), ("ILL", ill))
    }
    fits = [bool(d.mean() < 0.05) for d in far.values()] if tested else [False]
    opened, closed = (spread(found.zeros(loop), 0) for loop in ("open", "closed"))
    return judged(
        "C9",
        (
            f"distance to the fitted distribution: {', '.join(f'{n} {spread(d)}' for n, d in far.items())}; at 8 bits "
            f"{opened} % of ILL's are zero in an open loop, {closed} % in a closed one"
        ),
        len(fss) + len(ill),
        verdict(all(fits), any(fits), tested),
    )


def _c10(found: Evidence) -> Score:
    fits, sizes = {}, {}
    methods: tuple[Method, ...] = ("ill", "fss", "baseline")
    for curve in methods:
        residuals = _residuals(found, curve)
        fits[curve] = np.array([fit_laplace(v).bits for v in residuals])
        sizes[curve] = found.group(curve, "texture_bytes")
    tested = all(len(v) for v in fits.values())
    order = [v.mean() for v in fits.values()] if tested else [0.0]
    bytes_ = [v.mean() for v in sizes.values()] if tested else [0.0]
    return judged(
        "C10",
        (
            ", ".join(
                f"{c.upper() if c != 'baseline' else 'weights'} {spread(v, 2)} bits, {spread(sizes[c] / 1000, 1)} kB"
                for c, v in fits.items()
            )
        ),
        len(fits["ill"]) + len(fits["baseline"]),
        verdict(order == sorted(order) and bytes_ == sorted(bytes_), order == sorted(order), tested),
    )


def _c11(found: Evidence) -> Score:
    fss, lss = found.ratio("fss"), found.ratio("lss")
    ratio = lss / fss if len(fss) else fss
    tested = len(ratio) > 0
    return judged(
        "C11",
        f"{spread(ratio)} of its size",
        len(ratio),
        verdict(tested and 0.9 <= ratio.mean() < 1, tested and bool(ratio.mean() < 1), tested),
    )


def _c12(found: Evidence) -> Score:
    points = {curve: found.points(curve) for curve in ("fss", "lss")}
    tested = len(points["fss"]) > 0
    kept = [bool(p.mean() >= -0.2) for p in points.values()] if tested else [False]
    return judged(
        "C12",
        ", ".join(f"{curve.upper()} {spread(p, 2)} points" for curve, p in points.items()),
        len(points["fss"]),
        verdict(all(kept), any(kept), tested),
    )
