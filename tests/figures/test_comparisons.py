import numpy as np
import pandas as pd
import pytest
from evidence_samples import BASELINE, at_8_bits, evidence_of, files

from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures import scorecard_page
from ilwp.figures.benchmarks import benchmark_rows
from ilwp.figures.comparisons import comparisons, one_step, tying
from ilwp.figures.scorecard import scorecard
from ilwp.figures.scorecard_evidence import Evidence, collect_evidence
from ilwp.figures.scores import HOLDS, IN_PART, Part, Score


@pytest.fixture(scope="module")
def committed() -> Evidence:
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet")
    return collect_evidence(runs, read_kernels)


def test_a_row_says_how_many_pairs_it_is_the_mean_of():
    found = at_8_bits(baseline=BASELINE, ill=([50, 100, 150], [89.5, 90.5, 91.5]), tied=([10.0], [89.0]))
    table = comparisons(found, ["ill", "tied"])
    assert table["pairs"].tolist() == [3, 1]
    assert table["file, closed loop"].tolist() == ["0.500 (0.500 to 0.500)", "0.100"]
    assert table["points, open loop"].tolist() == ["-0.50 (-0.50 to -0.50)", "-1.00"]
    assert comparisons(evidence_of(pd.DataFrame(), pd.DataFrame()), ["ill"]).empty


def test_tied_layers_are_compared_with_the_loss_of_the_same_seed():
    table = files([
        ("baseline", "mobilenet", 0, 8, 100, 90), ("baseline", "mobilenet", 1, 8, 100, 90),
        ("ill", "mobilenet", 0, 8, 50, 88), ("ill", "mobilenet", 1, 8, 50, 91), ("tied", "mobilenet", 0, 8, 5, 89),
        ("baseline", "mobilenetv2", 0, 8, 100, 90), ("tied", "mobilenetv2", 0, 8, 4, 80),
    ])  # fmt: skip
    numbers = tying(evidence_of(table, table))
    assert (numbers["tied_panels"], numbers["tied_better"]) == (1, 1)
    assert (numbers["file_tied_low"], numbers["file_tied_high"]) == (0.04, 0.05)
    assert (numbers["points_ill_low"], numbers["points_tied_low"]) == (-0.5, -10)


def test_a_baseline_of_one_step_beats_the_papers_file():
    numbers = one_step(benchmark_rows("inter_layer"))
    assert numbers["simple_bytes"] < numbers["huffman_bytes"]
    assert numbers["simple_accuracy"] > numbers["huffman_accuracy"]


def test_the_page_quotes_numbers_for_all_that_it_says(committed: Evidence):
    numbers = scorecard_page.quoted_scores(committed, scorecard(committed))
    nothing = {name for name, value in numbers.items() if np.isnan(value)}
    others = {"lift_Shuffle", "unit_Shuffle", "elsewhere_low", "elsewhere_high"}  # of other networks
    assert nothing == others | {"printed_epochs", "printed_file", "printed_change"}  # of other runs
    none = collect_evidence({}, read_kernels)
    assert scorecard_page.quoted_scores(none, scorecard(none)).keys() == numbers.keys()
    assert numbers["baseline_snr"] > numbers["ill_open_snr"]
    assert numbers["tied_panels"] == 1
    lifts = scorecard_page.network_lifts(committed)
    assert lifts["runs"].tolist() == [5, 5]


def test_a_verdict_in_part_says_which_part_in_escaped_words():
    parts = [Part("a & b", "", True), Part("c", "", False)]
    rows = scorecard_page.verdict_table([
        Score("C1", "notebooks/fig2", "x < y", "", "ours", 2, parts), Score("C2", "page", "", "", "", 1, parts[:1])
    ])  # fmt: skip
    assert rows[""].tolist()[0] == '<a href="fig2.html">C1</a>'
    assert rows["the paper says"][0] == "x &lt; y"
    assert rows["here"].tolist() == [
        "ours<details><summary>Details</summary><em>holds: a &amp; b<br>does not: c</em></details>",
        "",
    ]
    assert [IN_PART in rows["verdict"][0], HOLDS in rows["verdict"][1]] == [True, True]
