"""The figure of what controls of the inter-layer loss save, from the table of `controls.savings`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ilwp.experiments.curves import CURVES
from ilwp.figures.controls import AT_8_BITS, CONTROL_KINDS, EQUAL, OWN, PREVIOUS, UNPREDICTED
from ilwp.figures.output import keep_table
from ilwp.figures.style import BLUE, DASHED, INK, WIDTH, name_rows, shared_legend

# colour, marker, and where in its line a prediction stands
LOOKS = {
    OWN: (BLUE, "o", 0.0),
    PREVIOUS: (CURVES["ill"].colour, "^", 0.24),
    UNPREDICTED: (CURVES["baseline"].colour, "s", 0.42),
}
TITLES = {AT_8_BITS: "At 8 bits", EQUAL: "At equal accuracy"}


def saved(found: pd.DataFrame) -> Figure:
    """A line per kind of loss: percent of texture saved by each prediction, with the interval of OWN."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.9), sharey=True)
    lines = list(CONTROL_KINDS)
    for ax, (comparison, title) in zip(axes, TITLES.items(), strict=True):
        ax.axvline(0, color=INK, linewidth=1, linestyle=DASHED)
        here = found[(found["comparison"] == comparison) & (found["seeds"] > 0)]
        for prediction, (colour, marker, shift) in LOOKS.items():
            mine = here[here["prediction"] == prediction]
            y = mine["kind"].map(lines.index) + shift
            if prediction == OWN:
                ax.hlines(y, mine["low"], mine["high"], color=colour, linewidth=1.6)
            ax.plot(mine["saved"], y, marker, color=colour, markersize=5 if prediction == OWN else 4, label=prediction,
                    markerfacecolor=colour if prediction == OWN else "#ffffff")  # fmt: skip
        for line, kind in enumerate(lines):
            if kind not in set(here["kind"]):
                middle = {"ha": "center", "va": "center", "transform": ax.get_yaxis_transform()}
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                ax.text(0.5, line, "not run yet", color="#5f5f5f", bbox=box, **middle)
        ax.set(title=title, xlabel="texture saved (%)")
        name_rows(ax, [CONTROL_KINDS[kind].replace(" (", "\n(") for kind in lines], below=0.6)
        keep_table(ax, here[["kind", "prediction", "seeds", "saved", "low", "high"]])
    shared_legend(figure, np.array(axes), columns=2)
    return figure
