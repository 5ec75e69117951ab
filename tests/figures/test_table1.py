import numpy as np
import pandas as pd
import pytest

from ilwp.experiments import evidence
from ilwp.figures import table1


def files(**curves: list[tuple[float, float, float]]) -> pd.DataFrame:
    """For each curve its runs: bytes of texture, of the whole file, and accuracy."""
    rows = [
        {
            "curve": curve, "seed": seed, "texture_bytes": texture, "index_bytes": 10.0, "raw_bytes": 5.0,
            "side_bytes": 1.0, "total_bytes": total, "bits_a_weight": 1.0, "texture_bits_a_weight": 0.5,
            "accuracy": accuracy,
        }
        for curve, runs in curves.items()
        for seed, (texture, total, accuracy) in enumerate(runs)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_shares_are_means_over_pairs_of_runs_with_one_seed():
    made = files(baseline=[(90, 100, 80.0), (110, 140, 82.0)], fss=[(45, 60, 79.0)])
    assert table1.share(made, "fss", "texture") == 0.5
    assert table1.share(made, "fss", "total") == 0.6
    assert table1.share(made, "fss", "texture", "index") == pytest.approx(55 / 100)
    assert table1.change(made, "fss") == -1
    assert np.isnan(table1.share(made, "lss", "total"))


def test_parts_have_a_row_for_each_method_with_files_and_add_up():
    made = files(baseline=[(84, 100, 80.0)], ill=[(14, 30, 79.0), (15, 31, 79.5)])
    shown = table1.size_parts(made)
    assert shown[("", "method")].tolist() == ["Baseline", "ILL"]
    assert shown[("", "runs")].tolist() == [1, 2]
    assert set(shown["kB"]) == set(table1.PARTS.values())
    assert shown[("whole file", "kB")].tolist() == ["0.10", "0.03\u00a0±\u00a00.00"]
    assert table1.size_parts(made.iloc[:0]).empty


def test_the_papers_shares_are_those_that_it_prints():
    shown = table1.against_paper(files(baseline=[(84, 100, 80.0)]))
    printed = shown[[("", "method"), ("texture", "paper"), ("texture + index", "paper"), ("top-1, points", "paper")]]
    assert printed.to_numpy().tolist() == [
        ["Baseline", "1.000", "1.000", "+0.000"],
        ["FSS", "0.965", "1.124", "+0.100"],
        ["LSS", "0.960", "1.082", "+0.110"],
        ["ILL", "0.475", "0.475", "-0.645"],
    ]
    assert shown.loc[3, ("whole file", "here")] == "nan"


def test_the_prose_quotes_what_the_table_shows():
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet")
    closed, opened = (table1.files_at_8_bits(runs, loop) for loop in ("closed", "open"))
    assert set(closed["bits"]) == {8}
    quoted, shown = table1.quoted_table1(closed, opened), table1.against_paper(closed)
    assert f"{quoted['ill_total']:.3f}" == shown.loc[3, ("whole file", "here")]
    assert f"{quoted['ill_change']:+.2f}" == shown.loc[3, ("top-1, points", "here")]
    assert quoted["ill_open_total"] < quoted["ill_total"]
    assert f"{quoted['paper_total']:.3f}" == shown.loc[3, ("texture + index", "paper")]
    assert quoted["paper_lost"] == pytest.approx(0.645)
