import matplotlib.pyplot as plt
import numpy as np
import pytest
from evidence_samples import evidence_of, files

from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures import sizes
from ilwp.figures.output import plotted
from ilwp.figures.scorecard_evidence import collect_evidence


def test_shares_are_of_the_baseline_of_the_same_network_and_seed():
    table = files([
        ("baseline", "mobilenet", 0, 8, 100, 90), ("baseline", "mobilenet", 1, 8, 900, 90),
        ("ill", "mobilenet", 0, 8, 50, 89),
        ("baseline", "shufflenet", 0, 8, 10, 90), ("ill", "shufflenet", 0, 8, 8, 89),
    ])  # fmt: skip
    quoted = sizes.quoted_sizes(evidence_of(table, table), 8, "closed")
    assert (quoted["ill_least"], quoted["ill_most"]) == (0.5, 0.8)
    assert np.isnan(quoted["fss_least"])


def test_the_figure_has_a_dot_where_the_prose_has_a_number():
    runs = evidence.select(evidence.load_runs("cpu"), network="mobilenet", dataset="cifar10")
    found = collect_evidence(runs, read_kernels)
    shown = plotted(sizes.draw_file_shares(found, 8, "closed")).set_index("method")["share of the baseline's file"]
    assert shown["ILL"] == pytest.approx(sizes.quoted_sizes(found, 8, "closed")["ill_least"], rel=1e-4)
    assert shown.index.tolist() == ["FSS", "LSS", "ILL", "All layers tied"]
    plt.close("all")


def test_the_table_has_a_row_for_each_network_data_set_and_method():
    runs = evidence.select(evidence.load_runs("cpu"), network="mobilenet", dataset="cifar10")
    table = sizes.size_table(runs, 8, "closed")
    assert table[("", "method")].tolist() == ["Baseline", "FSS", "LSS", "ILL", "All layers tied"]
    assert table[("", "runs")].tolist() == [5, 5, 5, 5, 3]
    assert table.loc[0, ("", "bytes")] == pytest.approx(21625, rel=0.02)


def test_without_runs_the_table_is_empty_and_the_prose_quotes_nothing():
    assert sizes.size_table({}, 8, "closed").empty
    assert all(
        np.isnan(value) for value in sizes.quoted_sizes(collect_evidence({}, read_kernels), 8, "closed").values()
    )
