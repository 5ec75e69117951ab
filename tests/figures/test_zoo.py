import importlib

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ilwp.figures import benchmarks, output, speed, zoo
from ilwp.whole.methods import QUALITY_OF_WEIGHTS

ROWS, TIMINGS = benchmarks.benchmark_rows("zoo"), benchmarks.benchmark_rows("speed")


def test_every_network_of_torchvision_was_tried_and_none_failed():
    known = set(importlib.import_module("torchvision.models").list_models())
    tried = zoo.compressed(ROWS)
    assert set(tried.loc[tried["library"] == "torchvision", "network"]) == known
    assert set(ROWS["failure"]) == {""}
    assert tried["snr_db"].min() > QUALITY_OF_WEIGHTS - 0.5


def test_the_random_networks_are_about_as_calm_as_trained_ones():
    assert ROWS["of_noise_db"].dropna().min() > 25


def test_orders_are_free_in_every_family_and_nothing_was_refused():
    found = zoo.families(ROWS).set_index("family")
    expected = ["ConvNeXt", "EfficientNet", "MNASNet", "MobileNetV2", "MobileNetV3", "ShuffleNetV2"]
    assert list(found.index) == expected
    assert (found["free"] > 0).all()
    assert (found["free"] <= found["layers"]).all()
    assert found["refused"].sum() == 0


def test_a_failure_is_counted():
    row = {"row": "tensors", "network": "one", "library": "", "parameters": 1e6, "share": 0.2, "snr_db": 31.0}
    graph = {"row": "graph", "family": "MNASNet", "layers": 3, "free": 2, "signed": 1, "norms": 4, "folded": 4}
    graph["of_noise_db"] = 3.0
    rows = pd.DataFrame(
        [row | {"failure": ""}, row | {"failure": "x"}, row | graph | {"failure": "", "refused": ["a"]}]
    )
    numbers = zoo.zoo_numbers(rows)
    assert (numbers["networks"], numbers["failed"], numbers["graphs"], numbers["refused"]) == (2, 1, 1, 1)
    assert (numbers["free"], numbers["layers"]) == (2, 3)


def test_the_figure_keeps_a_point_a_try():
    figure = zoo.sizes_and_losses(ROWS)
    assert len(output.plotted(figure)) == 2 * len(ROWS)
    plt.close(figure)


def test_speeds_are_held_against_ours():
    row = {"network": "ViT", "weights": 2e6, "memory": 8e6, "bytes": 1e6, "encode_peak": 1.0, "decode_peak": 1.0}
    rows = pd.DataFrame([row | {"codec": "ilwp", "encode_s": 1.0, "decode_s": 0.5},
                         row | {"codec": "NNCodec", "encode_s": 4.0, "decode_s": 4.0}])  # fmt: skip
    ours, peer = (row for _, row in speed.speeds(rows).iterrows())
    assert (ours["encode"], ours["decode"], ours["encode_times"]) == (2.0, 4.0, 1.0)
    assert (peer["encode_times"], peer["decode_times"]) == (4.0, 8.0)


def test_every_aim_of_speed_says_whether_it_is_met():
    table = speed.speed_aims(TIMINGS)
    assert table["aim"].is_unique
    least = table["sense"] == "at least"
    assert ((table["measured"] >= table["wanted"]) == table["met"])[least].all()
    assert ((table["measured"] <= table["wanted"]) == table["met"])[~least].all()
    assert speed.speed_numbers(TIMINGS)["peer_times"] == pytest.approx(table.loc[2, "measured"])


def test_the_default_keeps_what_a_public_network_answers():
    numbers = zoo.default_numbers(zoo.default_losses(benchmarks.benchmark_rows("default")))
    assert numbers["agreement"] >= 0.95
    assert numbers["accuracy"] > numbers["accuracy_before"] - 1
