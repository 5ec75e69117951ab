import matplotlib.pyplot as plt
import numpy as np
import pytest

from ilwp.figures import benchmark_plots, benchmarks, beyond


def test_rates_are_read_off_each_networks_own_curve():
    kernels = benchmarks.benchmark_rows("kernels")
    table = beyond.rates_table(kernels, 24.1)
    assert table.index.tolist() == [*beyond.WAYS.values(), "NNCodec"]
    mine = kernels[(kernels["network"] == "MobileNet") & (kernels["codec"] == "ilwp multiset")]
    assert table.loc["set", "MobileNet"] == benchmarks.bits_at(mine, 24.1)
    peers = kernels[(kernels["network"] == "MobileNet") & kernels["codec"].str.startswith("NNCodec")]
    every = [benchmarks.bits_at(points, 24.1) for _, points in peers.groupby("codec")]
    assert table.loc["NNCodec", "MobileNet"] == min(every)


def test_aims_are_told_as_they_are_judged():
    aims = benchmarks.aims()
    shown = beyond.aims_table(aims)
    assert (shown["met"] == "met").tolist() == aims["met"].tolist()
    assert shown["wanted"].iloc[0] == "at most 0.75"
    # what is missed by a hair can be told from what is met
    for row, aim in zip(shown.itertuples(), aims.itertuples(), strict=True):
        assert float(row.measured) != aim.wanted


def test_coders_and_ideas_and_searches_have_a_row_each():
    inter_layer = benchmarks.benchmark_rows("inter_layer")
    assert len(beyond.coders_table(inter_layer)) == (inter_layer["bits"] < 32).sum()
    saved = beyond.ideas_table(benchmarks.benchmark_rows("tried"))[benchmarks.IMAGENET]
    assert saved.is_monotonic_decreasing
    search = benchmarks.benchmark_rows("search")
    assert beyond.search_table(search)["million pairs"].tolist() == (search["pairs"] / 1e6).tolist()


def test_prose_quotes_what_the_tables_and_aims_say():
    quoted = beyond.quoted_beyond(24.1)
    assert all(np.isfinite(value) for value in quoted.values())
    measured = benchmarks.aims().set_index("aim")["measured"]
    lost = "bytes over NNCodec's where 1 point is lost"
    assert quoted["whole_plain"] == measured[f"whole MobileNet, no data: {lost}"]
    assert quoted["whole_images"] == measured[f"whole MobileNet, unlabelled images: {lost}"]
    assert quoted["encode_times"] == pytest.approx(measured["whole MobileNet: times NNCodec's speed to encode"])
    rates = beyond.rates_table(benchmarks.benchmark_rows("kernels"), 24.1)[benchmarks.IMAGENET]
    assert quoted["set_of_peer"] == rates["set"] / rates["NNCodec"]


def test_figures_have_a_panel_per_network_and_the_peers_rate_is_the_measure():
    rows = {name: benchmarks.benchmark_rows(name) for name in ("kernels", "ablation", "networks", "trellis")}
    figure = beyond.draw_rates(rows["kernels"])
    named = [name.replace("inter-layer loss", "with the loss") for name in rows["kernels"]["network"].unique()]
    assert [ax.get_title() for ax in figure.axes] == named
    for ax in figure.axes:
        (peer,) = [line for line in ax.lines if line.get_label() == benchmark_plots.CODECS["NNCodec"].title]
        assert peer.get_ydata() == pytest.approx(1)
    for draw, name in (
        (beyond.draw_ingredients, "ablation"),
        (beyond.draw_networks, "networks"),
        (beyond.draw_roundings, "trellis"),
    ):
        whole = rows[name][rows[name]["what"] == "whole network"] if name == "trellis" else rows[name]
        assert len(draw(rows[name]).axes) == whole["network"].nunique()
    plt.close("all")
