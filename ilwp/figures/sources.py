"""Figs. 2 and 3, the same without and with the loss: where best predictions come from, and how often by chance.

runs, their kernels -> figures, a table, the numbers that prose quotes
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ilwp import networks
from ilwp.experiments import chance, evidence
from ilwp.experiments.evidence import Runs
from ilwp.figures import plots
from ilwp.figures.style import WIDTH, label_outer_panels, network_panels
from ilwp.paper import hypothesis
from ilwp.paper.kernels import Kernels
from ilwp.training import datasets

DEALS = 100  # of the kernels to layers at random
Trained = Mapping[Path, Kernels]


def draw_shares(runs: Runs, trained: Trained, profile: str, inter_layer: float) -> Figure:
    """A heatmap per network and data set: each layer's best predictions by the layer they come from."""

    def draw(ax: Axes, found: Runs) -> None:
        plots.share_heatmap(ax, hypothesis.best_sources(trained[next(iter(found))]).share)

    figure, axes = network_panels(runs, profile, [inter_layer], draw, height=1.75)
    plots.share_colour_bar(figure, axes)
    return figure


def draw_lifts(runs: Runs, trained: Trained, profile: str, inter_layer: float) -> Figure:
    """Lifts of the previous layer, all on one scale: trained, at unit length, untrained, and of shuffled kernels."""

    def draw(ax: Axes, found: Runs) -> None:
        path, record = next(iter(found.items()))
        kernels = trained[path]
        variants = {
            "trained": kernels,
            "trained,\nunit length": chance.unit_length(kernels),
            "untrained": evidence.untrained_kernels(record.config),
        }
        null = [hypothesis.best_sources(chance.shuffled(kernels, deal)).lift for deal in range(DEALS)]
        plots.lift_intervals(ax, {name: hypothesis.best_sources(k) for name, k in variants.items()}, null)

    figure, axes = network_panels(runs, profile, [inter_layer], draw)
    reach = max(ax.get_xlim()[1] for ax in axes.flat)
    for left, right in axes:
        left.set_xlim(0, reach)
        right.set_xlim(0, reach)
        if len(left.get_yticks()) == len(right.get_yticks()):
            right.set_yticklabels([])
    return figure


def draw_chance(runs: Runs, trained: Trained) -> Figure:
    """A heatmap per network on CIFAR-10: each layer's best predictions by the layer they come from, by chance alone."""
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 3.9))
    for ax, (network, title) in zip(axes.flat, networks.TITLES.items(), strict=True):
        ax.set_title(title)
        found = evidence.select(runs, network=network, dataset="cifar10")
        if found:
            plots.share_heatmap(ax, hypothesis.best_sources(trained[next(iter(found))]).chance)
        else:
            ax.axis("off")
    label_outer_panels(axes)
    plots.share_colour_bar(figure, axes, "candidates (%)")
    return figure


def lift_table(runs: Runs, trained: Trained) -> pd.DataFrame:
    """One row per run: share of the previous layer, what chance would give it, lifts with their 95 % intervals."""
    rows = []
    for path, record in runs.items():
        plain, unit = _as_trained_and_unit(trained[path])
        rows.append({
            "network": networks.TITLES[record.config.network],
            "data set": datasets.TITLES[record.config.dataset],
            "share of the previous layer": f"{plain.previous_share:.3f}",
            "by chance": f"{plain.chance_share:.3f}",
            "lift (95 %)": _lift(plain),
            "lift at unit length (95 %)": _lift(unit),
            "greatest lift possible": f"{1 / plain.chance_share:.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def quoted_numbers(runs: Runs, trained: Trained) -> dict[str, float]:
    """The numbers of MobileNet on CIFAR-10 by the names that prose quotes them by, NaN where it has not run."""
    names = ("share", "chance", "lift", "lift_unit", "lift_unit_low", "lift_unit_high")
    path = next(iter(evidence.select(runs, network="mobilenet", dataset="cifar10")), None)
    if path is None:
        return dict.fromkeys(names, np.nan)
    plain, unit = _as_trained_and_unit(trained[path])
    numbers = (plain.previous_share, plain.chance_share, plain.lift, unit.lift, *chance.lift_interval(unit))
    return dict(zip(names, numbers, strict=True))


def _as_trained_and_unit(kernels: Kernels) -> tuple[hypothesis.Sources, hypothesis.Sources]:
    return hypothesis.best_sources(kernels), hypothesis.best_sources(chance.unit_length(kernels))


def _lift(sources: hypothesis.Sources) -> str:
    low, high = chance.lift_interval(sources)
    return f"{sources.lift:.2f} ({low:.2f} to {high:.2f})"
