import numpy as np
import pytest

from ilwp.common.distortion import later_layers_snr, snr, zero_share


def test_zero_share_counts_over_all_layers():
    assert zero_share([np.array([[0, 1], [2, 0]]), np.array([0, 0, -1, 3])]) == 0.5


def test_signal_to_noise_by_hand():
    assert snr([np.array([3.0, 4.0]), np.array([[5.0]])], [np.array([3.0, 4.5]), np.array([[5.0]])]) == pytest.approx(
        10 * np.log10(50 / 0.25)
    )


def test_signal_to_noise_of_kernels_counts_all_layers_but_the_first():
    kernels = {name: np.full((2, 3, 3), 2, np.float32) for name in "ab"}
    noisy = {"a": kernels["a"] + 100, "b": kernels["b"] + np.float32(0.2)}
    assert later_layers_snr(kernels, noisy) == pytest.approx(20, abs=1e-4)
    assert later_layers_snr(kernels, kernels) == float("inf")
