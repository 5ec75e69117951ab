import numpy as np
import pytest
from scipy.fft import dctn

from ilwp.whole.transform import basis, forward, inverse


@pytest.mark.parametrize(("height", "width"), [(3, 3), (5, 5), (1, 4), (1, 1)])
def test_it_is_the_cosine_transform_in_the_order_of_frequency(height: int, width: int):
    kernels = np.random.default_rng(0).standard_normal((4, height, width))
    wanted = dctn(kernels, axes=(1, 2), norm="ortho")
    order = sorted(np.ndindex(height, width), key=sum)
    found = forward(kernels.reshape(4, -1), basis(height, width))
    np.testing.assert_allclose(found, np.stack([wanted[:, a, b] for a, b in order], axis=1), atol=1e-6)


def test_it_turns_back_and_keeps_distances():
    kernels = np.random.default_rng(1).standard_normal((50, 9))
    coefficients = forward(kernels, basis(3, 3))
    np.testing.assert_allclose(inverse(coefficients, basis(3, 3)), kernels, atol=1e-6)
    assert np.linalg.norm(coefficients) == pytest.approx(np.linalg.norm(kernels), rel=1e-6)
