import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ilwp.common.errors import IlwpError
from ilwp.figures import benchmark_plots, benchmarks, diagrams


def points(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_rates_lie_between_the_points_and_nowhere_else():
    curve = points(snr_db=[20.0, 10.0], bits_a_weight=[3.0, 1.0])
    assert benchmarks.bits_at(curve, 15) == 2
    assert np.isnan(benchmarks.bits_at(curve, 21))
    assert benchmarks.bits_at(curve.assign(bytes=[9, 5]), 15, "bytes") == 7


def test_bytes_at_an_accuracy_are_those_of_the_smallest_file_that_has_it():
    curve = points(bytes=[100, 200, 300, 400], accuracy=[80.0, 84.0, 82.0, 86.0])
    assert benchmarks.bytes_at(curve, 84) == 200
    assert benchmarks.bytes_at(curve, 82) == 150
    assert benchmarks.bytes_at(curve, 85) == 350
    assert np.isnan(benchmarks.bytes_at(curve, 87))
    assert benchmarks.bytes_at(curve, 79) == 100


def test_the_best_of_several_ways_counts():
    frame = points(codec=["peer, a", "peer, b", "other"], size=[3.0, 2.0, 1.0])
    assert benchmarks.least(frame, "peer", lambda p: float(p["size"].min())) == 2
    assert np.isnan(benchmarks.least(frame, "none", lambda p: 1.0))


def test_every_aim_is_judged_by_its_own_sense():
    aims = benchmarks.aims()
    for row in aims.itertuples():
        wanted = row.measured <= row.wanted if row.sense == "at most" else row.measured >= row.wanted
        assert row.met == wanted
    assert aims["measured"].notna().all()


def test_missing_and_damaged_results_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "EVIDENCE", tmp_path)
    with pytest.raises(IlwpError, match="could not be read"):
        benchmarks.benchmark_rows("kernels")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "kernels.json").write_text("{}")
    with pytest.raises(IlwpError, match="make it again"):
        benchmarks.benchmark_rows("kernels")


def test_only_points_that_no_other_beats_are_drawn():
    curve = points(snr_db=[10.0, 20.0, 15.0, 30.0], bits_a_weight=[1.0, 2.0, 2.5, 4.0])
    assert benchmark_plots.lower_envelope(curve)["snr_db"].tolist() == [10, 20, 30]


def test_every_figure_shows_its_data():
    kernels, ablation = benchmarks.benchmark_rows("kernels"), benchmarks.benchmark_rows("ablation")
    networks = benchmarks.benchmark_rows("networks")
    figure, axes = plt.subplots(1, 3)
    name = benchmarks.IMAGENET
    benchmark_plots.rates_of_codecs(axes[0], kernels[kernels["network"] == name])
    assert len(axes[0].lines) == len(benchmark_plots.CODECS)
    benchmark_plots.ingredients(axes[1], ablation[ablation["network"] == name])
    assert [bar.get_width() * 1000 for bar in axes[1].patches] == pytest.approx(
        ablation[ablation["network"] == name]["bytes"].tolist()
    )
    benchmark_plots.whole_networks(axes[2], networks[networks["network"] == "MobileNet"])
    assert len(axes[2].lines) == len(benchmark_plots.WHOLE) + 1
    plt.close(figure)
    scheme = diagrams.draw_free_order()
    assert [ax.get_title() for ax in scheme.axes] == ["as trained", "aligned", "set"]
    plt.close(scheme)
