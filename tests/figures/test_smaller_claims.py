import numpy as np
import pytest

from ilwp.common.paths import RUNS
from ilwp.experiments import evidence, profiles
from ilwp.experiments.records import read_record
from ilwp.figures import smaller_claims
from ilwp.paper.kernels import Kernels

CPU = evidence.load_runs("cpu")
MOBILENET = evidence.select(CPU, network="mobilenet", dataset="cifar10", seed=0)
CHANNELS = [32, 64, 128, 128, 256, 256, *[512] * 6, 1024]


def small(path) -> Kernels:
    rng = np.random.default_rng(len(str(path)))
    return {f"{i}.weight": rng.normal(size=(c, 3, 3)).astype(np.float32) for i, c in enumerate((4, 8, 8))}


def test_the_first_layers_cost_is_against_the_records():
    table = smaller_claims.first_layer(MOBILENET)
    assert table.notna().all(axis=None)
    assert table["change"].tolist() == pytest.approx((table["accuracy"] - table["at 32 bits"]).tolist())
    assert smaller_claims.first_layer({})["change"].isna().all()


def test_full_kernels_are_harder_to_predict_than_their_slices():
    table = smaller_claims.full_kernels().set_index(["network", "kind"])["left"]
    assert table["CRAFT (VGG-16)", "3x3, full"] > 1 > table["CRAFT (VGG-16)", "3x3, slices"]


def test_prediction_keeps_weights_that_the_baseline_makes_zero():
    table = smaller_claims.large_weights(MOBILENET, small, 2).set_index("curve")
    assert table.loc["baseline", "all"] < table.loc["baseline", "largest"] <= 100
    assert (table.loc[["fss", "lss", "ill"], "all"] > table.loc["baseline", "all"]).all()


def test_index_bits_are_those_of_the_choices():
    table = smaller_claims.index_bits(MOBILENET, small).set_index("network").loc["MobileNet"]
    assert table["kernel, local search"] == pytest.approx((2 + 3) / 2)  # from 4 and from 8
    assert table["layer, fixed"] == pytest.approx((0 + 1) / 2)
    assert 0 <= table["layer"] <= table["layer, fixed"]
    assert 2 <= table["kernel"] <= 3


def test_the_printed_index_bits_are_those_of_the_papers_network():
    found = smaller_claims.printed_index_bits(CHANNELS)
    assert {name: round(bits, 2) for name, bits in found.items()} == {"lss": 8.56, "fss": 10.65, "fss_whole": 11.0}


def test_a_decoder_holds_one_layer_or_all_of_them():
    record = read_record(RUNS / "full-width" / "cifar10-mobilenet-lambda0-seed0.json")
    held = smaller_claims.buffers(record, {f"{i}": np.zeros((c, 3, 3), np.float32) for i, c in enumerate(CHANNELS)})
    assert held == {
        "fss": pytest.approx(0.036 * 3936),
        "lss": pytest.approx(0.036 * 512),
        "network": pytest.approx(4 * record.parameters / 1000),
    }


def test_zeros_have_a_column_a_loop():
    table = smaller_claims.zeros(MOBILENET, small, 8)
    assert table.columns.tolist() == ["closed", "open"]
    assert np.isnan(table.loc["baseline", "open"])


def test_the_sweep_lacks_the_weights_that_only_mobilenet_has():
    table = smaller_claims.sweep_cost(profiles.load_profile("cpu"), CPU, smaller_claims.measured_paces())
    assert set(table["λ not run"]) == {"0.1, 0.3, 3, 10"}
    assert table["runs"].sum() == 28
    assert (table["hours on one core"] > 1).all()


def test_runs_with_one_seed_lack_two_and_those_with_enough_lack_none():
    profile, paces = profiles.load_profile("cpu"), smaller_claims.measured_paces()
    runs, hours = smaller_claims.seeds_cost(profile, CPU, paces)
    cells = {(c.network, c.dataset, c.inter_layer) for c in profile.cells()}
    assert runs == 3 * len(cells) - sum(
        min(3, sum((r.config.network, r.config.dataset, r.config.inter_layer) == cell for r in CPU.values()))
        for cell in cells
    )
    assert 0.2 < hours / runs < 2
    assert smaller_claims.seeds_cost(profile, CPU, paces, seeds=1) == (0, 0)


def test_accuracies_without_quantization_are_the_records():
    table = smaller_claims.float_accuracies(MOBILENET).set_index("λ")
    assert table.loc[0, "at 32 bits"] == 84.28
    assert table.loc[1, "at 8 bits"] == 83.19
    assert smaller_claims.float_accuracies({}).empty
