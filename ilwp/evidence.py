"""What the committed runs say: which runs a figure stands on, and what is still missing."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ilwp import datasets, networks
from ilwp.kernels import Kernels
from ilwp.networks.tensors import kernels_of
from ilwp.paths import EVIDENCE, RUNS
from ilwp.profiles import Profile, load_profile
from ilwp.records import RunRecord, records_in, results_table
from ilwp.training import TrainConfig

Runs = Mapping[Path, RunRecord]

# each curve of the paper's figures: how its networks were trained (lambda) and which method codes them
CURVES = {
    "baseline": (0.0, "baseline"),
    "fss": (0.0, "fss"),
    "lss": (0.0, "lss"),
    "ill": (1.0, "ill"),
    "tied": (math.inf, "ill"),
}
CURVE_TITLES = {
    "baseline": "Baseline",
    "fss": "ILWP-FSS",
    "lss": "ILWP-LSS",
    "ill": "ILWP-ILL",
    "tied": "All layers tied",
}


def load_runs(name: str) -> dict[Path, RunRecord]:
    """The runs that a profile's present recipe and settings made.

    Raises IlwpError for an unknown profile or a damaged record.
    """
    profile = load_profile(name)
    return {path: r for path, r in records_in(RUNS / name).items() if _is_current(profile, r)}


def select(runs: Runs, **wanted: Any) -> dict[Path, RunRecord]:
    """The runs whose configuration has these values, such as `dataset="cifar10", inter_layer=0`."""
    return {p: r for p, r in runs.items() if all(getattr(r.config, key) == value for key, value in wanted.items())}


def curves(runs: Runs, loop: str = "closed") -> pd.DataFrame:
    """`results_table` of the rows that belong to a curve, named in column `curve`; a row a run and bit width."""
    table = results_table(runs.values())
    if table.empty:
        return pd.DataFrame(columns=["curve"])
    parts = []
    for name, (inter_layer, method) in CURVES.items():
        used = "closed" if method == "baseline" else loop
        fitting = (table["inter_layer"] == inter_layer) & (table["method"] == method) & (table["loop"] == used)
        parts.append(table[fitting].assign(curve=name))
    return pd.concat(parts)


def untrained_kernels(config: TrainConfig) -> Kernels:
    """The kernels (c_i, kh, kw) that a run started from."""
    return kernels_of(networks.build(config.network, datasets.CLASSES[config.dataset], config.width, config.seed))


def paper_table1() -> pd.DataFrame:
    """The paper's Table 1, indexed by method."""
    return pd.DataFrame(json.loads((EVIDENCE / "paper" / "table1.json").read_text())["rows"]).set_index("method")


def made_from(records: Iterable[RunRecord]) -> str:
    """One sentence on what a figure stands on: networks, data sets, widths, epochs, seeds, lambda."""
    groups: dict[tuple[Any, ...], set[int]] = {}
    for r in records:
        c = r.config
        groups.setdefault((c.network, c.dataset, c.width, c.epochs, c.batch_size, c.inter_layer), set()).add(c.seed)
    by_run: dict[tuple[Any, ...], list[str]] = {}
    for (network, dataset, width, epochs, batch, inter_layer), seeds in sorted(groups.items()):
        value = "∞" if math.isinf(inter_layer) else f"{inter_layer:g}"
        by_run.setdefault((network, dataset, width, epochs, batch), []).append(f"{value} ({_runs(len(seeds))})")
    if not by_run:
        return "Made from no run yet."
    sentences = [
        f"{networks.TITLES[network]} at width {width:g} on {datasets.TITLES[dataset]}, "
        f"{epochs} epochs of batches of {batch}, λ = {', '.join(lambdas)}"
        for (network, dataset, width, epochs, batch), lambdas in by_run.items()
    ]
    return f"Made from {'; '.join(sentences)}. The paper: width 1, 200 epochs, batches of 256, 5 runs each."


def missing_commands(profile: str, dataset: str, network: str, wanted: Sequence[float]) -> str:
    """The commands that make the runs of an empty panel, for a narrow column."""
    return "\n".join(
        f"ilwp train --profile {profile} --dataset {dataset}\n  --network {network} --lambda {value:g}"
        for value in wanted
    )


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count} runs"


def _is_current(profile: Profile, record: RunRecord) -> bool:
    c = record.config
    return record.is_of(profile.recipe, profile.config(c.dataset, c.network, c.inter_layer, c.seed))
