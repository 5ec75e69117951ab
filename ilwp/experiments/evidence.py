"""What the committed runs say: which runs a figure stands on, and what is still missing."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ilwp import networks
from ilwp.common.paths import EVIDENCE, RUNS
from ilwp.experiments.curves import CURVES
from ilwp.experiments.profiles import Profile, load_profile
from ilwp.experiments.records import RunRecord, records_in
from ilwp.experiments.results import results_table
from ilwp.networks.build import build
from ilwp.networks.tensors import kernels_of
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import Loop
from ilwp.training import CLASSES, datasets
from ilwp.training.recipe import TrainConfig

Runs = Mapping[Path, RunRecord]


def load_runs(name: str) -> dict[Path, RunRecord]:
    """The runs that a profile's present recipe and settings made, without controls.

    Raises IlwpError for an unknown profile or a damaged record.
    """
    profile = load_profile(name)
    return {path: r for path, r in records_in(RUNS / name).items() if _is_current(profile, r)}


def load_controls(name: str) -> dict[TrainConfig, tuple[Path, RunRecord] | None]:
    """The controls in a profile's grid, each with the record that its present recipe made, or None where there is none.

    Raises IlwpError for an unknown profile or a damaged record.
    """
    profile = load_profile(name)
    made = {r.config: (path, r) for path, r in records_in(RUNS / name).items() if r.recipe == profile.recipe}
    return {config: made.get(config) for config in profile.cells() if config.is_control}


def select(runs: Runs, **wanted: Any) -> dict[Path, RunRecord]:
    """The runs whose configuration has these values, such as `dataset="cifar10", inter_layer=0`."""
    return {p: r for p, r in runs.items() if all(getattr(r.config, key) == value for key, value in wanted.items())}


def trained_with(runs: Runs, weights: Iterable[float]) -> dict[Path, RunRecord]:
    """The runs with one of these lambda, in the order of `weights`."""
    return {path: record for weight in weights for path, record in select(runs, inter_layer=weight).items()}


def same_seeds(runs: Runs) -> dict[Path, RunRecord]:
    """The runs whose seed has been run with every lambda that any of them has, so that curves compare like with like.

    The runs are of one network and data set.
    """
    seeds: dict[float, set[int]] = {}
    for r in runs.values():
        seeds.setdefault(r.config.inter_layer, set()).add(r.config.seed)
    common = set.intersection(*seeds.values()) if seeds else set()
    return {path: r for path, r in runs.items() if r.config.seed in common}


def curve_results(runs: Runs, loop: Loop = "closed") -> pd.DataFrame:
    """The rows of `results_table` that belong to a curve, named in column `curve`; one row per run and bit width."""
    table = results_table(runs.values())
    if table.empty:
        return pd.DataFrame(columns=["curve"])
    keys = ["inter_layer", "method", "loop"]
    wanted = [(name, c.inter_layer, c.method, c.nearest_loop(loop)) for name, c in CURVES.items()]
    return pd.DataFrame(wanted, columns=["curve", *keys]).merge(table, on=keys, how="inner")


def untrained_kernels(config: TrainConfig) -> Kernels:
    """The kernels (c_i, kh, kw) that a run started from."""
    return kernels_of(build(config.network, CLASSES[config.dataset], config.width, config.seed))


def paper_table1() -> pd.DataFrame:
    """The paper's Table 1, indexed by method."""
    return pd.DataFrame(json.loads((EVIDENCE / "paper" / "table1.json").read_text())["rows"]).set_index("method")


def provenance(records: Iterable[RunRecord]) -> pd.DataFrame:
    """What a figure stands on: a row for runs alike but for network and data set, and the last for the paper."""
    columns = ["networks", "data sets", "width", "epochs", "batch", "seeds by λ"]
    seeds: dict[tuple[Any, ...], dict[float, set[int]]] = {}
    for c in (record.config for record in records):
        cell = (networks.TITLES[c.network], datasets.TITLES[c.dataset], f"{c.width:g}", c.epochs, c.batch_size)
        seeds.setdefault(cell, {}).setdefault(c.inter_layer, set()).add(c.seed)
    rows = [(*cell, _lambdas(by_lambda)) for cell, by_lambda in seeds.items()]
    table = pd.DataFrame(rows, columns=columns)
    for alike in ("networks", "data sets"):
        others = [column for column in columns if column != alike]
        table = table.groupby(others, sort=False, as_index=False)[alike].agg(lambda names: listed(list(names)))
    paper = ("the paper: all four", "CIFAR-10 and CIFAR-100", "1", 200, 256, "5 seeds")
    return pd.concat([table[columns], pd.DataFrame([paper], columns=columns)], ignore_index=True)


def made_from(records: Iterable[RunRecord]) -> str:
    """What `provenance` says, as a sentence."""
    *rows, (_, _, width, epochs, batch, seeds) = provenance(records).itertuples(index=False, name=None)
    if not rows:
        return "Made from no run yet."
    paper = f"The paper: width {width}, {epochs} epochs, batches of {batch}, {seeds}."
    trained: dict[tuple[int, int], list[str]] = {}
    for names, places, width, epochs, batch, lambdas in rows:
        trained.setdefault((epochs, batch), []).append(f"{names} at width {width} on {places}, {lambdas}")
    alike = (f"{'; '.join(runs)}; {epochs} epochs of batches of {batch}" for (epochs, batch), runs in trained.items())
    return f"Made from {'; '.join(alike)}. {paper}"


def missing_commands(profile: str, dataset: str, network: str, weights: Sequence[float]) -> str:
    """The commands that make a network's missing runs with lambda `weights`, a line each."""
    return "\n".join(
        f"ilwp train --profile {profile} --dataset {dataset} --network {network} --lambda {weight:g}"
        for weight in weights
    )


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them: with commas, and `and` before the last."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _lambdas(seeds: Mapping[float, set[int]]) -> str:
    by_count: dict[int, list[str]] = {}
    for value in sorted(seeds):
        by_count.setdefault(len(seeds[value]), []).append("∞" if math.isinf(value) else f"{value:g}")
    return "; ".join(
        f"λ = {', '.join(values)}: {'one seed' if count == 1 else f'{count} seeds'}"
        for count, values in by_count.items()
    )


def _is_current(profile: Profile, record: RunRecord) -> bool:
    c = record.config  # a control's has more than these
    return record.is_of(profile.recipe, profile.config(c.dataset, c.network, c.inter_layer, c.seed))
