"""The tables of the scorecard's page, and the numbers that its prose and the front page quote.

Evidence, scores -> verdict_table, network_lifts -> table;  Evidence -> quoted_scores -> numbers
"""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.experiments import evidence
from ilwp.figures import distortion
from ilwp.figures.benchmarks import benchmark_rows
from ilwp.figures.comparisons import equal_accuracy, one_step, tying
from ilwp.figures.residuals import peaks_and_bits
from ilwp.figures.scorecard_evidence import FIRST, Evidence, means_over_seeds
from ilwp.figures.scores import FAILS, HOLDS, IN_PART, MARKS, UNTESTED, Score, mean_and_deviation
from ilwp.training import datasets

TITLE = (networks.TITLES[FIRST[0]], datasets.TITLES[FIRST[1]])
FIRST_LIFTS = [f"{which}_{name}" for which in ("first", "first_loss") for name in ("lift", "unit")]
VERDICTS = {HOLDS: "holds", IN_PART: "in_part", FAILS: "fails", UNTESTED: "untested"}


def verdict_table(scores: Sequence[Score]) -> pd.DataFrame:
    """One row per claim, in HTML: a link to its evidence, what the paper says, what was found, how often, verdict.

    Details, and which parts hold, open below what was found.
    """
    rows = []
    for score in scores:
        verdict = f"{MARKS[score.verdict]} <strong>{score.verdict}</strong>"
        more = [_lines(score.details), f"<em>{_lines(score.which)}</em>" if score.which else ""]
        folded = "<br>".join(filter(None, more))
        rows.append({
            "": f'<a href="{score.page.removeprefix("notebooks/")}.html">{score.claim}</a>',
            "the paper says": html.escape(score.paper),
            "here": _lines(score.ours) + (f"<details><summary>Details</summary>{folded}</details>" if folded else ""),
            "runs": score.runs,
            "verdict": verdict,
        })  # fmt: skip
    return pd.DataFrame(rows)


def network_lifts(found: Evidence) -> pd.DataFrame:
    """One row per network and data set, without and with the loss: lifts of the previous layer, mean and deviation."""
    rows = []
    for inter_layer, title in ((0, "without"), (1, "with")):
        table = found.lifts(inter_layer)
        for (network, dataset), group in table.groupby(["network", "dataset"], sort=False) if len(table) else ():
            numbers = {
                column: mean_and_deviation(group[name].to_numpy(float), 2)
                for name, column in (("lift", "lift"), ("unit", "at unit length"), ("untrained", "before training"))
            }
            rows.append({"network": network, "data set": dataset, "the loss": title, "runs": len(group), **numbers})
    return pd.DataFrame(rows)


def quoted_scores(found: Evidence, scores: Sequence[Score]) -> dict[str, float]:
    """Every number that prose quotes, by its name; NaN where no run stands behind it."""
    numbers: dict[str, float] = {"claims": len(scores)}
    numbers |= {name: sum(s.verdict == verdict for s in scores) for verdict, name in VERDICTS.items()}
    numbers |= _lifts(found) | _sizes(found) | _printed(found) | tying(found) | one_step(benchmark_rows("inter_layer"))
    return {name: float(value) for name, value in (numbers | peak_numbers(found)).items()}


def peak_numbers(found: Evidence) -> dict[str, float]:
    """How much more peaked the loss makes what is coded, and what that is worth: MobileNet on CIFAR-10, closed loop.

    `log_peaks` is the difference of mean log2 between the loss and the baseline, over runs and weights, and `peak_bits`
    the difference of their levels' entropies. The SNRs tell how near files of 8 bits come.
    """
    runs = found.first_runs()
    baseline, ill, opened = (
        peaks_and_bits(runs, found.kernels, *curve)
        for curve in (("baseline", "closed"), ("ill", "closed"), ("ill", "open"))
    )
    nearness = {"baseline_snr": baseline.snr_db, "ill_closed_snr": ill.snr_db, "ill_open_snr": opened.snr_db}
    return {name: float(values.mean()) if len(values) else np.nan for name, values in nearness.items()} | {
        "log_peaks": ill.mean(np.log2(ill.peaks)) - baseline.mean(np.log2(baseline.peaks)),
        "peak_bits": baseline.mean(baseline.bits) - ill.mean(ill.bits),
    }


def _lines(words: str) -> str:
    return html.escape(words).replace("\n", "<br>")


def _lifts(found: Evidence) -> dict[str, float]:
    without = found.lifts(0)
    means = means_over_seeds(without)
    if without.empty:
        families = [f"{what}_{family}" for what in ("lift", "unit") for family in ("Mobile", "Shuffle")]
        names = ("untrained", *families, *FIRST_LIFTS)
        return dict.fromkeys(names, np.nan) | {f"{n}_{f}": 0 for n in ("runs", "above") for f in ("Mobile", "Shuffle")}
    numbers = {"untrained": float(means["untrained"].mean())}
    for inter_layer, which in ((0, "first"), (1, "first_loss")):
        table = found.lifts(inter_layer)
        mine = table[table["network"].eq(TITLE[0]) & table["dataset"].eq(TITLE[1])] if len(table) else table
        numbers |= {f"{which}_{n}": float(mine[n].mean()) if len(mine) else np.nan for n in ("lift", "unit")}
    for family in ("Mobile", "Shuffle"):
        runs = without[without["network"].str.startswith(family)]
        of_family = means[means["network"].str.startswith(family)]
        numbers |= {f"{what}_{family}": float(of_family[what].mean()) for what in ("lift", "unit")}
        numbers |= {f"runs_{family}": len(runs), f"above_{family}": int((runs["unit_low"] > 1).sum())}
    return numbers


def _printed(found: Evidence) -> dict[str, float]:
    """What 8-bit files take and cost in the closed loop with a loss that is not calibrated; its epochs and pairs."""
    runs = found.printed.first_runs(inter_layer=1) if found.printed else {}
    return {
        "printed_epochs": max((record.config.epochs for record in runs.values()), default=np.nan),
        "printed_pairs": len(found.printed.ratio("ill")) if found.printed else 0,
        "printed_file": found.printed.ratio("ill").mean if found.printed else np.nan,
        "printed_change": found.printed.points("ill").mean if found.printed else np.nan,
    }


def _sizes(found: Evidence) -> dict[str, float]:
    """Sizes and accuracies on MobileNet and CIFAR-10, and what they mean for a whole network."""
    mobilenets = found.first_runs()
    near = distortion.rates_and_distortions(mobilenets, found.kernels)
    equal = {c: distortion.at_equal_distortion(near, c, 6) for c in ("fss", "lss", "ill")}
    record = next(iter(evidence.select(mobilenets, inter_layer=0).values()), None)
    share = 100 * record.depthwise_weights / record.parameters if record else np.nan
    elsewhere = [found.ratio("ill", panel=panel).mean for panel in found.panels() if panel != FIRST]
    numbers = {f"{curve}_equal": float(ratios.mean()) if len(ratios) else np.nan for curve, ratios in equal.items()}
    numbers |= {f"{curve}_equal_accuracy": paired.mean for curve, paired in equal_accuracy(found).items()}
    return numbers | {
        "open_change": found.points("ill", "open").mean,
        "elsewhere_low": min(elsewhere, default=np.nan),
        "elsewhere_high": max(elsewhere, default=np.nan),
        "depthwise_share": share,
        "whole_saving": share * (1 - found.ratio("ill").mean),
    }
