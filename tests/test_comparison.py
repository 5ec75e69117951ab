import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ilwp import comparison, comparison_plots, schemes
from ilwp.errors import IlwpError


def points(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_rates_lie_between_the_points_and_nowhere_else():
    curve = points(snr_db=[20.0, 10.0], bits_a_weight=[3.0, 1.0])
    assert comparison.bits_at(curve, 15) == 2
    assert np.isnan(comparison.bits_at(curve, 21))
    assert comparison.bits_at(curve.assign(bytes=[9, 5]), 15, "bytes") == 7


def test_bytes_at_an_accuracy_are_those_of_the_smallest_file_that_has_it():
    curve = points(bytes=[100, 200, 300, 400], accuracy=[80.0, 84.0, 82.0, 86.0])
    assert comparison.bytes_at(curve, 84) == 200
    assert comparison.bytes_at(curve, 82) == 150
    assert comparison.bytes_at(curve, 85) == 350
    assert np.isnan(comparison.bytes_at(curve, 87))
    assert comparison.bytes_at(curve, 79) == 100


def test_the_best_of_several_ways_counts():
    frame = points(codec=["peer, a", "peer, b", "other"], size=[3.0, 2.0, 1.0])
    assert comparison.best(frame, "peer", lambda p: float(p["size"].min())) == 2
    assert np.isnan(comparison.best(frame, "none", lambda p: 1.0))


def test_every_aim_is_judged_by_its_own_sense():
    aims = comparison.aims()
    for row in aims.itertuples():
        wanted = row.measured <= row.wanted if row.sense == "at most" else row.measured >= row.wanted
        assert row.met == wanted
    assert aims["measured"].notna().all()


def test_missing_and_damaged_results_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "EVIDENCE", tmp_path)
    with pytest.raises(IlwpError, match="could not be read"):
        comparison.results("kernels")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "kernels.json").write_text("{}")
    with pytest.raises(IlwpError, match="make it again"):
        comparison.results("kernels")


def test_only_points_that_no_other_beats_are_drawn():
    curve = points(snr_db=[10.0, 20.0, 15.0, 30.0], bits_a_weight=[1.0, 2.0, 2.5, 4.0])
    assert comparison_plots.lower_envelope(curve)["snr_db"].tolist() == [10, 20, 30]


def test_every_figure_shows_its_data():
    kernels, ablation = comparison.results("kernels"), comparison.results("ablation")
    networks = comparison.results("networks")
    figure, axes = plt.subplots(1, 3)
    name = comparison.IMAGENET
    comparison_plots.rates(axes[0], kernels[kernels["network"] == name])
    assert len(axes[0].lines) == len(comparison_plots.CODECS)
    comparison_plots.ingredients(axes[1], ablation[ablation["network"] == name])
    assert [bar.get_width() * 1000 for bar in axes[1].patches] == pytest.approx(
        ablation[ablation["network"] == name]["bytes"].tolist()
    )
    comparison_plots.whole_networks(axes[2], networks[networks["network"] == "MobileNet"])
    assert len(axes[2].lines) == len(comparison_plots.WHOLE) + 1
    plt.close(figure)
    scheme = schemes.free_order()
    assert [ax.get_title() for ax in scheme.axes] == ["as trained", "aligned", "a set"]
    plt.close(scheme)
