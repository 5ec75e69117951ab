import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures import explorer
from ilwp.paper import bitstream, codec
from ilwp.paper.huffman import entropy
from ilwp.paper.settings import Settings


@given(arrays(np.int16, st.integers(1, 60), elements=st.integers(-127, 127)), st.integers(2, 8))
def test_histogram_counts_every_level_once_and_mirrors(levels: np.ndarray, bits: int) -> None:
    reach = 2 ** (bits - 1) - 1
    levels = levels.clip(-reach, reach)
    width, shares = explorer.histogram(levels, bits)
    assert shares.sum() == pytest.approx(1)
    assert width % 2 == 1
    assert len(shares) <= explorer.MOST_BARS
    middle = len(shares) // 2
    assert shares[middle] == pytest.approx(np.mean(np.abs(levels) <= width // 2))
    assert explorer.histogram(-levels, bits)[1] == pytest.approx(shares[::-1])


def test_ans_takes_at_least_the_entropy_and_little_more() -> None:
    rng = np.random.default_rng(0)
    levels = [np.rint(rng.laplace(0, scale, (500, 9))).astype(np.int16) for scale in (0.4, 3.0, 20.0)]
    texture, models = explorer.ans_bits(levels)
    bound = sum(q.size * entropy(np.unique(q, return_counts=True)[1]) for q in levels)
    assert bound < texture + models < 1.03 * bound + 64


def test_levels_that_are_all_zero_cost_their_models_alone() -> None:
    texture, models = explorer.ans_bits([np.zeros((4, 9), np.int16)])
    assert texture == 0
    assert 0 < models <= 32


def test_what_is_shown_is_what_the_records_say_and_the_codec_does() -> None:
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", seed=0)
    data = explorer.explorer_data(runs, "cpu", read_kernels)
    assert json.loads(json.dumps(data)) == data
    path, record = next(iter(evidence.select(runs, inter_layer=1.0).items()))
    way = data["ways"]["mobilenet cifar10 ill open"]
    assert (way["runs"], way["weights"]) == (1, record.depthwise_weights)
    (shown,) = (point for point in way["points"] if point["bits"] == 6)
    (measured,) = (m for m in record.measurements if (m.method, m.bits, m.loop) == ("ill", 6, "open"))
    assert shown["accuracy"] == measured.accuracy
    _, rate = bitstream.write_kernel_file(codec.encode_kernels(read_kernels(path), Settings("ill", 6, "open")))
    assert measured.rate == rate
    assert sum(shown["huffman"]) == pytest.approx(rate.total / 8, abs=0.05)
    assert shown["ans"][1:3] == shown["huffman"][1:3]
    (plain,) = (
        m
        for r in runs.values()
        for m in r.measurements
        if r.config.inter_layer == 0 and m.method == "baseline" and m.bits == 6
    )
    assert shown["of_baseline"]["points"] == pytest.approx(measured.accuracy - plain.accuracy, abs=0.005)
    assert shown["of_baseline"]["huffman"] == pytest.approx(measured.rate.total / plain.rate.total, abs=5e-5)
    assert "mobilenetv2 cifar100" in data["missing"]
    assert not any(way.startswith("mobilenetv2") for way in data["ways"])


def test_a_run_without_a_partner_is_held_against_no_baseline() -> None:
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet")
    lone = {path: r for path, r in runs.items() if (r.config.inter_layer, r.config.seed) in ((0, 0), (1, 1))}
    ways = explorer.explorer_data(lone, "cpu", read_kernels)["ways"]
    assert {way: points["points"][0]["of_baseline"] is None for way, points in ways.items()} == {
        way: " ill " in way for way in ways
    }


def test_no_runs_at_all_is_no_error() -> None:
    data = explorer.explorer_data({}, "cpu", read_kernels)
    assert data["ways"] == {}
    assert len(data["missing"]) == len(data["networks"]) * len(data["datasets"])
