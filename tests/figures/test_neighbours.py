import pandas as pd
import pytest

from ilwp.common.paths import RUNS
from ilwp.experiments.records import read_kernels
from ilwp.figures import benchmarks, codebook_results, neighbours


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return codebook_results.bytes_and_accuracy()


@pytest.fixture(scope="module")
def tuned() -> pd.DataFrame:
    return benchmarks.benchmark_rows("neighbours_tuned")


def test_the_prose_quotes_the_most_accurate_file_of_each_method(points: pd.DataFrame, tuned: pd.DataFrame):
    numbers = neighbours.quoted_codebooks(points, tuned)
    for name, method in neighbours.FINETUNED.items():
        mine = tuned[tuned["method"] == method]
        assert numbers[f"{name}_accuracy"] == mine["accuracy"].max()
        assert numbers[f"{name}_untuned"] < numbers[f"{name}_accuracy"]
    table = neighbours.smallest_table(points)
    assert numbers["nncodec_one_point"] == table.loc["NNCodec", "1 points lost at most"]
    assert 0 < numbers["noise"] < 1


def test_a_set_stands_beside_codebooks_where_it_was_measured():
    table = neighbours.kernels_table(read_kernels(RUNS / "cpu" / "cifar10-mobilenet-lambda0-seed0.json"))
    measured = table.dropna()
    assert len(measured)
    assert (measured["a set at that SNR"] < measured["codes"] + measured["codebooks"]).all()


def test_every_method_has_what_it_needs(tuned: pd.DataFrame):
    table = neighbours.needs_table(tuned).set_index("method")
    assert table.notna().all(axis=None)
    assert table.loc["NNCodec", "weights while it runs"] == table.loc["aligned, set", "weights while it runs"]
    assert set(neighbours.tuned_table(tuned)) == set(neighbours.TUNED.values())
