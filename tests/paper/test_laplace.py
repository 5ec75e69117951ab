import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from ilwp.paper.laplace import LaplaceFit, fit_laplace


@pytest.mark.parametrize(("location", "scale"), [(0.0, 1.0), (0.2, 0.01), (-3.0, 40.0)])
def test_a_laplace_fit_finds_the_distribution_values_were_drawn_from(location: float, scale: float):
    values = np.random.default_rng(0).laplace(location, scale, (200, 10, 10))
    fit = fit_laplace(values)
    assert abs(fit.location - location) < 0.05 * scale
    assert fit.scale == pytest.approx(scale, rel=0.03)


def test_a_laplace_fit_by_hand():
    fit = fit_laplace(np.array([[-2.0, 0.0, 1.0], [1.0, 5.0, 100.0]]))
    assert fit.location == 1
    assert fit.scale == pytest.approx((3 + 1 + 0 + 0 + 4 + 99) / 6)


@given(st.floats(1e-3, 1e3))
def test_entropy_is_that_of_scipys_laplace_distribution(scale):
    fit = LaplaceFit(0.3, scale)
    assert fit.nats == pytest.approx(float(stats.laplace(0.3, scale).entropy()), abs=1e-9)
    assert fit.bits == pytest.approx(fit.nats / np.log(2))


def test_density_integrates_to_one_and_gives_the_entropy():
    fit = LaplaceFit(0.5, 0.2)
    x = np.linspace(-5, 6, 200_001)
    density = fit.density(x)
    assert integrate.simpson(density, x=x) == pytest.approx(1, abs=1e-6)
    assert integrate.simpson(-density * np.log(density), x=x) == pytest.approx(fit.nats, abs=1e-5)
    assert fit.density(np.array([[0.5]])).shape == (1, 1)
