"""The book's first picture: what the paper claims and what the runs say, on one page.

Evidence, scores -> overview -> figure
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import paper_table1
from ilwp.figures.comparisons import equal_accuracy
from ilwp.figures.output import keep_table
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.figures.scores import FAILS, HOLDS, IN_PART, UNTESTED, Score
from ilwp.figures.style import BLUE, DASHED, GREY, INK, WIDTH, name_rows
from ilwp.paper.methods import LOOPS

IN_WORDS = {"fss": "full search", "lss": "local search", "ill": "inter-layer\nloss"}
COUNTED = {HOLDS: ("holds", "hold"), IN_PART: ("holds in part", "hold in part")}
COUNTED |= {FAILS: ("does\nnot hold", "do\nnot\nhold"), UNTESTED: ("not\ntested", "not\ntested")}
EQUALLY_ACCURATE = {"ill": "with the loss", "baseline": "without"}
ALIKE = 1  # as large as the baseline, or as often as by chance
# how much of its square a verdict fills
FILLED = {HOLDS: 1.0, IN_PART: 0.5, FAILS: 0.0, UNTESTED: 0.0}


def overview(found: Evidence, scores: Sequence[Score], lifts: pd.DataFrame) -> Figure:
    """Three panels: verdicts, sizes beside the paper's, and how often the previous layer predicts best."""
    figure, axes = plt.subplots(3, 1, figsize=(WIDTH, 5), height_ratios=[1.1, 2.9, 1.6])
    _verdicts(axes[0], scores)
    _sizes(axes[1], found)
    _lifts(axes[2], lifts)
    for ax in axes:
        ax.tick_params(length=0)
        ax.grid(visible=False, axis="y")
    return figure


def _verdicts(ax: Axes, scores: Sequence[Score]) -> None:
    ax.set_title(f"How many of the paper's {len(scores)} claims hold?")
    ordered = sorted(scores, key=lambda score: list(FILLED).index(score.verdict))
    start = 0
    for verdict, filled in FILLED.items():
        count = sum(score.verdict == verdict for score in ordered)
        for place in range(start, start + count):
            line = (0, (2, 2)) if verdict == UNTESTED else "-"
            ax.add_patch(Rectangle((place + 0.08, 0), 0.84, 0.84 * filled, facecolor=BLUE, linewidth=0))
            ax.add_patch(
                Rectangle((place + 0.08, 0), 0.84, 0.84, fill=False, edgecolor=BLUE, linewidth=1.2, linestyle=line)
            )
        if count:
            ax.text(start + 0.08, -0.2, f"{count} {COUNTED[verdict][count > 1]}", va="top", linespacing=1.1)
        start += count
    ax.set(xlim=(0, max(start, 1)), ylim=(-1.65, 0.95), xticks=[], yticks=[])
    ax.set_aspect("equal", anchor="W")
    for spine in ax.spines.values():
        spine.set_visible(False)
    keep_table(ax, pd.DataFrame([(s.claim, s.verdict) for s in ordered], columns=["claim", "verdict"]))


def _sizes(ax: Axes, found: Evidence) -> None:
    ax.set_title("How large is the kernels' file?")
    printed = paper_table1()["total"]
    ax.axvline(ALIKE, color=INK, linewidth=0.9, linestyle=DASHED, zorder=0)
    rows = []
    for y, method in enumerate(IN_WORDS):
        paper = float(printed[method] / printed["baseline"])
        closed, opened = (found.ratio(method, loop=loop).mean for loop in LOOPS)
        ax.barh(y - 0.2, paper, 0.34, color=GREY)
        _words(ax, paper, y - 0.2, f"{paper:.3f} in the paper")
        ax.barh(y + 0.2, closed, 0.34, color=CURVES[method].colour)
        also = f" (open loop {opened:.3f})" if abs(opened - closed) >= 0.01 else ""
        _words(ax, closed, y + 0.2, f"{closed:.3f} ours{also}")
        rows.append((method, paper, closed, opened))
    for y, (curve, words) in enumerate(EQUALLY_ACCURATE.items()):
        place, size = len(IN_WORDS) + 0.4 * y - 0.2, equal_accuracy(found)[curve].mean
        ax.barh(place, size, 0.34, color=CURVES[curve].colour)
        _words(ax, size, place, f"{size:.3f} ours, {words}")
        rows.append((f"equal accuracy, {words}", np.nan, size, np.nan))
    names = [*IN_WORDS.values(), "at equal\naccuracy"]
    name_rows(ax, names, above=0.6, below=0.6)
    ax.set(xlim=(0, 2.7), xticks=[0, 0.5, 1], xlabel="share of the baseline's 8-bit file")
    keep_table(ax, pd.DataFrame(rows, columns=["curve", "the paper", "ours, closed loop", "ours, open loop"]))


def _words(ax: Axes, value: float, y: float, words: str) -> None:
    """Say what a bar shows behind its end and behind the dashed line; a bar that is missing says so."""
    known = bool(np.isfinite(value))
    end = max(value, ALIKE) if known else ALIKE
    ax.annotate(words if known else "no run yet", (end, y), (5, 0), textcoords="offset points", va="center")


def _lifts(ax: Axes, lifts: pd.DataFrame) -> None:
    ax.set_title("Does the layer before predict best?")
    rows = {"trained": "lift", "trained, all\nof one length": "unit", "before training": "untrained"}
    values = [float(lifts[column].mean()) if len(lifts) else np.nan for column in rows.values()]
    ax.barh(range(len(rows)), values, 0.5, color=[BLUE, BLUE, GREY])
    for y, value in enumerate(values):
        _words(ax, value, y, f"{value:.2f}")
    ax.axvline(ALIKE, color=INK, linewidth=0.9, linestyle=DASHED, zorder=0)
    name_rows(ax, list(rows), above=0.6)
    ax.set(xlim=(0, None), xlabel="times as often as by chance")
    ax.margins(x=0.15)
    keep_table(ax, pd.DataFrame({"kernels": [name.replace("\n", " ") for name in rows], "lift": values}))
