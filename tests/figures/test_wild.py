import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ilwp.figures import benchmarks, output, wild, wild_plots

ROWS = benchmarks.benchmark_rows("wild")
SEQUENCES, LAYERS, STAGES = wild.sequences(ROWS), wild.layers(ROWS), wild.stages(ROWS)


def layer(title: str, kind: str, lift: float, place: int) -> dict[str, object]:
    return {
        "title": title, "kind": kind, "unit_lift": lift, "layer": place, "width": 8, "previous_width": 8,
    }  # fmt: skip


def test_no_weights_are_kept_and_every_file_is_named():
    public = ROWS[ROWS["epochs"].isna()]
    assert public["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert public["source"].str.fullmatch(r"[\w-]+==[\d.]+").all()
    assert public["network"].nunique() >= 6
    assert set(public["size"]) == {"3x3", "5x5"}


def test_measurements_agree_among_themselves():
    for prefix in ("", "unit_", "scaled_"):
        lift, low, high = (ROWS[f"{prefix}lift{end}"].dropna() for end in ("", "_low", "_high"))
        assert ((low <= lift) & (lift <= high)).all()
        share, chance = ROWS[f"{prefix}share"].dropna(), ROWS[f"{prefix}chance"].dropna()
        np.testing.assert_allclose(lift, share / chance, rtol=1e-3, atol=1e-6)
    counted = LAYERS[LAYERS["public"]].groupby("title").size()
    expected = SEQUENCES[SEQUENCES["public"]].set_index("title")["layers"] - 2
    pd.testing.assert_series_equal(counted.sort_index(), expected.sort_index(), check_names=False, check_dtype=False)


def test_public_networks_come_first_and_titles_are_unique():
    assert SEQUENCES["public"].is_monotonic_decreasing
    assert SEQUENCES["title"].is_unique


def test_a_group_counts_each_sequence_once():
    found = pd.DataFrame([layer("a", wild.PLAIN, 1.0, i) for i in range(1, 10)] + [layer("b", wild.PLAIN, 3.0, 1)])
    table = wild.predictors(pd.concat([found, pd.DataFrame([layer("b", kind, 0.5, 2) for kind in wild.KINDS[1:]] * 2),
                                       pd.DataFrame([layer("a", wild.PLAIN, 1.0, 10) | {"width": 300}])]))  # fmt: skip
    first = table.iloc[0]
    assert (first["count"], first["lift"]) == (11, 2.0)
    assert (first["low"], first["high"]) == (1.0, 3.0)
    assert table.iloc[1]["lift"] == 0.5


def test_numbers_for_prose_are_those_of_the_tables():
    numbers = wild.quoted_wild(SEQUENCES, LAYERS, STAGES)
    public = SEQUENCES[SEQUENCES["public"]]
    assert numbers["above"] + numbers["below"] + numbers["neither"] == numbers["sequences"] == len(public)
    assert numbers["stages_above"] + numbers["stages_below"] <= numbers["stages"] == STAGES["public"].sum()
    row = public[public["network"] == "MobileNetV2"].iloc[0]
    assert numbers["MobileNetV2_unit_lift"] == row["unit_lift"] == pytest.approx(1.2, abs=0.01)
    assert np.isfinite(list(numbers.values())).all()


def test_every_figure_keeps_the_table_that_it_shows():
    some = LAYERS["title"].drop_duplicates().head(4)
    for figure, rows in (
        (wild_plots.public_lifts(SEQUENCES), len(SEQUENCES)),
        (wild_plots.pairs(SEQUENCES), 2 * len(SEQUENCES)),
        (wild_plots.by_depth(LAYERS, list(some)), LAYERS["title"].isin(some).sum()),
        (wild_plots.within_stages(STAGES), len(STAGES)),
    ):
        assert len(output.plotted(figure)) == rows
    plt.close(figure)
