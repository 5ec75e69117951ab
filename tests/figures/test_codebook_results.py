import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ilwp.common.paths import RUNS
from ilwp.experiments.records import read_record
from ilwp.figures import benchmark_plots, codebook_results


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return codebook_results.bytes_and_accuracy()


def test_every_network_has_the_same_methods_in_both_scopes(points: pd.DataFrame):
    assert points[["bytes", "accuracy", "epochs", "images", "minutes"]].notna().all(axis=None)
    for scope in ("kernels", "whole"):
        methods = [set(f["method"]) for _, f in points[points["scope"] == scope].groupby("network")]
        assert methods
        ours = {
            "float32", "ILWP baseline", "ILWP fss", "ILWP lss", "weight fixing", "additive",
            "additive, own codebooks",
        }  # fmt: skip
        assert all(found >= ours for found in methods)


def test_nothing_that_was_not_fine_tuned_cost_images(points: pd.DataFrame):
    trained = points["method"].str.endswith("fine-tuned")
    assert (points[trained]["images"] > 0).all()
    assert (points[~trained]["images"] == 0).all()


def test_the_papers_methods_are_those_of_the_records(points: pd.DataFrame):
    record = read_record(RUNS / "cpu" / "cifar10-mobilenet-lambda1-seed0.json")
    wanted = {m.accuracy for m in record.measurements if m.method == "ill" and m.loop == "closed"}
    chosen = points[
        (points["network"] == "MobileNet") & (points["method"] == "ILWP ill") & (points["scope"] == "kernels")
    ]
    assert set(chosen["accuracy"]) == wanted


@pytest.mark.parametrize("scope", ["kernels", "whole"])
def test_the_figure_shows_files_that_no_smaller_one_beats_under_six_names(points: pd.DataFrame, scope: str):
    figure, ax = plt.subplots()
    benchmark_plots.all_methods(ax, points, scope, 6)
    frame = points[points["scope"] == scope]
    trained = float(frame[frame["method"] == "float32"]["accuracy"].iloc[0])
    shown = frame[(frame["accuracy"] > trained - 6) & frame["method"].isin(benchmark_plots.DRAWN[scope])]
    files = list(zip(shown["method"], shown["bytes"], shown["accuracy"], strict=True))
    beaten = {file for file in files for m, size, top in files if m == file[0] and size < file[1] and top > file[2]}
    assert beaten
    assert sum(len(line.get_xdata()) for line in ax.lines[1:]) == len(set(files) - beaten)
    assert len(ax.get_legend().get_texts()) == 6
    plt.close(figure)


def test_the_smallest_file_is_the_smallest_of_those_that_are_accurate_enough():
    rows = [("a", "float32", 400.0, 90.0), ("a", "x", 100.0, 89.5), ("a", "x", 50.0, 88.9), ("a", "x", 200.0, 90.5)]
    frame = pd.DataFrame(rows, columns=["network", "method", "bytes", "accuracy"])
    assert codebook_results.smallest(frame, 1).loc["x", "a"] == 0.1
    assert codebook_results.smallest(frame, 2).loc["x", "a"] == 0.05
    assert codebook_results.smallest(frame, -1).isna().all(axis=None)


def test_on_few_kernels_codebooks_cost_more_than_codes():
    kernels = {f"{i}": np.random.default_rng(i).normal(size=(150, 3, 3)).astype(np.float32) for i in range(3)}
    found = codebook_results.codebooks_of_kernels(kernels, length=9, bits=5).set_index("codebooks")
    assert (found["codewords"] > found["codes"]).all()
    assert found.loc["2, of each layer", "codewords"] > 1.5 * found.loc["2, shared", "codewords"]
    assert found["snr_db"].iloc[:3].is_monotonic_increasing
    assert found["snr_db"].iloc[3:].is_monotonic_increasing
