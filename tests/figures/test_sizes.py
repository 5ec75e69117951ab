import numpy as np
import pandas as pd
import pytest

from ilwp.experiments import evidence
from ilwp.figures import sizes

LEVELS = ["dataset", "network", "curve"]


def made(**files: float) -> pd.DataFrame:
    """Bytes by network and curve, written `network_curve`."""
    index = pd.MultiIndex.from_tuples([("cifar10", *name.split("_")) for name in files], names=LEVELS)
    return pd.DataFrame({"total_bytes": list(files.values())}, index=index)


def test_shares_are_of_the_same_networks_baseline():
    files = made(mobilenet_baseline=100, mobilenet_ill=50, shufflenet_baseline=10, shufflenet_ill=8, other_ill=1)
    assert sizes.shares(files, files).to_numpy() == pytest.approx([1, 0.5, 1, 0.8, np.nan], nan_ok=True)


def test_the_table_has_a_share_for_each_loop_and_the_prose_its_range():
    runs = evidence.select(evidence.load_runs("cpu"), network="mobilenet")
    table = sizes.size_table(runs, 8, "closed")
    share = table["share of the baseline's bytes"]
    assert share.columns.tolist() == ["closed loop", "open loop"]
    assert sizes.size_table(runs, 8, "open")["share of the baseline's bytes"].columns.tolist() == ["open loop"]
    method = table[("", "method")]
    assert (share[method == "Baseline"] == 1).all(axis=None)
    quoted = sizes.quoted_sizes(runs, 8, "closed")
    assert quoted["ill_least"] == share.loc[method == "ILWP-ILL", "closed loop"].min()
    assert quoted["fss_most"] == share.loc[method == "ILWP-FSS", "closed loop"].max()


def test_without_runs_the_table_is_empty_and_the_prose_quotes_nothing():
    assert sizes.size_table({}, 8, "closed").empty
    assert all(np.isnan(value) for value in sizes.quoted_sizes({}, 8, "closed").values())
