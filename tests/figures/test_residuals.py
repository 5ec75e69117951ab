import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures.distributions import distribution
from ilwp.figures.residuals import coded_residuals, laplace_distance, layer_differences, peakedness, peaks_and_bits
from ilwp.paper import codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.laplace import LaplaceFit
from ilwp.paper.methods import LOOPS, Loop, Method
from ilwp.paper.settings import Settings


def drawn(seed: int = 0) -> Kernels:
    rng = np.random.default_rng(seed)
    return {f"{i}.weight": rng.laplace(size=(c, 3, 3)).astype(np.float32) for i, c in enumerate((4, 6, 3))}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("method", ["baseline", "fss", "lss", "ill"])
def test_what_is_coded_is_within_half_a_step_of_its_level(method: Method, loop: Loop):
    kernels = drawn()
    coded = codec.encode_kernels(kernels, Settings(method, 8, loop))
    for residual, levels, quantizer in zip(
        coded_residuals(kernels, method, loop), coded.levels, coded.quantizers, strict=True
    ):
        off = np.abs(residual - quantizer.step * levels.reshape(residual.shape))
        assert off.max() <= quantizer.step * (0.5 + 1e-6)


@given(st.floats(1e-3, 1e3))
def test_a_scale_changes_no_peak_and_no_level(scale: float):
    kernels = drawn()
    scaled = {name: layer * np.float32(scale) for name, layer in kernels.items()}
    peaks = [peakedness(coded_residuals(k, "ill", "open")) for k in (kernels, scaled)]
    np.testing.assert_allclose(*peaks, rtol=1e-4)
    np.testing.assert_allclose(layer_differences(kernels), layer_differences(scaled), rtol=1e-4)


def test_peaks_and_differences_are_those_of_a_few_numbers():
    assert peakedness([np.array([1.0, -3.0, 2.0])]).tolist() == [1.5]
    assert np.isnan(peakedness([np.zeros(3)])).all()
    kernels = {"a": np.full((1, 1, 1), 3, np.float32), "b": np.full((2, 1, 1), 4, np.float32)}
    assert layer_differences(kernels).tolist() == [0.25]


def test_a_curve_without_runs_has_no_peaks():
    peaks = peaks_and_bits({}, read_kernels, "ill", "open")
    assert np.isnan(peaks.mean(peaks.bits))


def test_the_loss_makes_layers_peaked_which_saves_the_bits():
    runs = evidence.select(evidence.load_runs("cpu"), network="mobilenet", dataset="cifar10", seed=0)
    baseline, ill = (peaks_and_bits(runs, read_kernels, curve, "closed") for curve in ("baseline", "ill"))
    assert baseline.peaks.max() < 6
    assert ill.peaks.min() > 6
    saved = baseline.mean(baseline.bits) - ill.mean(ill.bits)
    assert saved == pytest.approx(ill.mean(np.log2(ill.peaks)) - baseline.mean(np.log2(baseline.peaks)), abs=0.5)


def test_a_distribution_quotes_what_its_table_says():
    found = distribution(drawn(), "fss", 8)
    assert found.plain.shape == found.relative.shape == (81,)
    row, quoted = found.row(8), found.quoted("fss")
    assert row["scale b"] == f"{quoted['fss_scale']:.4f}"
    assert row["levels that are zero, open loop (%)"] == f"{quoted['fss_open_zeros']:.1f}"
    assert row["largest over mean, by layer, closed loop"].endswith(f" to {quoted['fss_peak_high']:.1f}")


def test_the_distance_to_a_laplace_distribution_by_hand():
    fit = LaplaceFit(0, 1)
    assert laplace_distance(np.zeros((2, 3)), fit) == 0.5
    assert laplace_distance(np.array([[-100.0], [100.0]]), fit) == pytest.approx(0.5)
    assert laplace_distance(stats.laplace.ppf((np.arange(500) + 0.5) / 500), fit) == pytest.approx(0.001)
