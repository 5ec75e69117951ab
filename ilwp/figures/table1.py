"""Table 1: where the bits of each method's file go, the paper's numbers beside those of the runs.

runs -> files_at_8_bits -> size_parts (kilobytes), against_paper (shares of the baseline)
files_at_8_bits, in both loops -> quoted_table1, the numbers of the prose
"""

import pandas as pd

from ilwp.experiments.curves import CURVES, PAPER_CURVES
from ilwp.experiments.evidence import Runs, curve_results, paper_table1
from ilwp.figures.paired import differences, ratios
from ilwp.figures.scores import mean_and_deviation
from ilwp.paper.methods import Loop

PARTS = {"texture": "texture", "index": "index", "raw": "first layer", "side": "side"}


def files_at_8_bits(runs: Runs, loop: Loop) -> pd.DataFrame:
    """One row per run and curve: the parts of its file in bytes, and its accuracy after decoding in percent."""
    table = curve_results(runs, loop)
    return table[table["bits"] == 8] if len(table) else table


def size_parts(files: pd.DataFrame) -> pd.DataFrame:
    """One row per method with files, means over runs: kB of each part, then the whole file and accuracy with deviation.

    What a part deviates by is all the texture's, and so the whole file's too.
    """
    rows = []
    for name, curve in CURVES.items():
        mine = files[files["curve"] == name]
        if len(mine):
            kilobytes = {("kB", title): f"{mine[f'{part}_bytes'].mean() / 1000:.2f}" for part, title in PARTS.items()}
            rows.append(
                {("", "method"): curve.title, ("", "runs"): len(mine)}
                | kilobytes
                | {("whole file", "kB"): _spread(mine["total_bytes"] / 1000)}
                | {("whole file", "bits per weight"): _spread(mine["bits_a_weight"])}
                | {("whole file", "top-1 (%)"): _spread(mine["accuracy"])}
            )
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(rows[0])) if rows else pd.DataFrame()


def against_paper(files: pd.DataFrame) -> pd.DataFrame:
    """One row per method of the paper: sizes over the baseline's, change of accuracy, and texture bits per weight."""
    paper = paper_table1()
    base, rows = paper.loc["baseline"], []
    for name, curve in PAPER_CURVES.items():
        printed = paper.loc[name]
        texture, index = f"{printed['texture'] / base['texture']:.3f}", f"{printed['total'] / base['total']:.3f}"
        rows.append({
            ("", "method"): curve.title,
            ("texture", "paper"): texture, ("texture", "here"): f"{share(files, name, 'texture'):.3f}",
            ("texture + index", "paper"): index,
            ("texture + index", "here"): f"{share(files, name, 'texture', 'index'):.3f}",
            ("whole file", "here"): f"{share(files, name, 'total'):.3f}",
            ("top-1, points", "paper"): f"{printed['accuracy'] - base['accuracy']:+.3f}",
            ("top-1, points", "here"): f"{change(files, name):+.2f}",
            ("texture bits per weight", "paper / 9"): f"{printed['texture'] / 9:.2f}",
            ("texture bits per weight", "here"): f"{_by_seed(files, name, ['texture_bits_a_weight']).mean():.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(rows[0]))


def quoted_table1(closed: pd.DataFrame, opened: pd.DataFrame) -> dict[str, float]:
    """The numbers of the prose, by name: the paper's file and accuracy of ILL over the baseline's, and ours.

    Ours are NaN without runs.
    """
    printed = paper_table1()
    return {
        "paper_total": float(printed.loc["ill", "total"] / printed.loc["baseline", "total"]),
        "paper_lost": float(printed.loc["baseline", "accuracy"] - printed.loc["ill", "accuracy"]),
        "ill_total": share(closed, "ill", "total"),
        "ill_open_total": share(opened, "ill", "total"),
        "ill_change": change(closed, "ill"),
    }


def share(files: pd.DataFrame, curve: str, *of: str) -> float:
    """Bytes of some parts of a curve's files over the baseline's, the mean over pairs of runs with one seed."""
    columns = [f"{part}_bytes" for part in of]
    return ratios(*(_by_seed(files, name, columns) for name in (curve, "baseline"))).mean


def change(files: pd.DataFrame, curve: str) -> float:
    """Accuracy of a curve less the baseline's, in points, the mean over pairs of runs with one seed."""
    return differences(*(_by_seed(files, name, ["accuracy"]) for name in (curve, "baseline"))).mean


def _by_seed(files: pd.DataFrame, curve: str, columns: list[str]) -> pd.Series:
    """The sum of some columns of a curve, indexed by seed."""
    if files.empty:
        return pd.Series(dtype=float)
    return files[files["curve"] == curve].set_index("seed")[columns].sum(axis=1)


def _spread(values: pd.Series) -> str:
    return mean_and_deviation(values.to_numpy(), 2)
