import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.errors import IlwpError
from ilwp.paper.methods import BITS
from ilwp.paper.quantization import Quantizer, dequantize, of_range, quantize

MOST = float(np.finfo(np.float32).max) / 2
DENORMAL = 1e-45
weights = st.one_of(
    st.floats(-MOST, MOST),
    st.floats(-1, 1, width=32),
    st.sampled_from([0.0, DENORMAL, -DENORMAL, 1e-38, MOST, -MOST, 0.1, 1 + 1e-7]),
)
several = st.lists(weights, min_size=1, max_size=20).map(np.array)


def ends(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


@given(several, st.sampled_from(BITS), st.booleans())
def test_every_value_in_range_comes_back_within_half_a_step(values, bits, symmetric):
    quantizer = of_range(*ends(values), bits, symmetric)
    levels = quantize(values, quantizer)
    assert levels.dtype == np.int16
    assert quantizer.lowest <= levels.min() <= levels.max() <= quantizer.highest
    assert quantizer.highest - quantizer.lowest + 1 == (2**bits - 1 if symmetric else 2**bits)
    error = np.abs(dequantize(levels, quantizer) - values)
    # float64's own rounding comes on top
    assert (error <= quantizer.step / 2 + 4 * np.spacing(np.abs(values).max())).all()


@pytest.mark.parametrize("value", [0.0, DENORMAL, -DENORMAL, 0.1, -0.1, 1e30, -MOST])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", BITS)
def test_a_constant_comes_back(value: float, symmetric: bool, bits: int):
    quantizer = of_range(value, value, bits, symmetric)
    found = dequantize(quantize(np.array([value]), quantizer), quantizer)
    assert abs(found[0] - value) <= quantizer.step / 2 + 4 * np.spacing(abs(value))
    # an affine step is all of float32's rounding, so it is far below the value
    assert symmetric or quantizer.step <= max(abs(value) * 1e-7, np.finfo(np.float32).tiny)


@given(several, st.sampled_from(BITS), st.booleans())
def test_the_step_is_no_coarser_than_the_range_asks_for(values, bits, symmetric):
    low, high = ends(values)
    quantizer = of_range(low, high, bits, symmetric)
    reach = max(-low, high) if symmetric else high - quantizer.offset
    smallest = np.finfo(np.float32).tiny
    assert smallest <= quantizer.step <= max(reach / quantizer.highest * (1 + 1e-6), smallest)


@given(several, st.sampled_from(BITS), st.booleans())
def test_steps_and_offsets_survive_being_stored_as_float32(values, bits, symmetric):
    quantizer = of_range(*ends(values), bits, symmetric)
    assert float(np.float32(quantizer.step)) == quantizer.step
    assert float(np.float32(quantizer.offset)) == quantizer.offset


@given(several, st.sampled_from(BITS))
def test_symmetric_keeps_zero_and_signs_exactly(values, bits):
    quantizer = of_range(*ends(values), bits, symmetric=True)
    assert dequantize(quantize(np.zeros(1), quantizer), quantizer).tolist() == [0.0]
    np.testing.assert_array_equal(quantize(-values, quantizer), -quantize(values, quantizer))


@given(st.floats(1e-30, MOST), st.sampled_from(BITS))
def test_quantizing_again_changes_nothing(reach, bits):
    quantizer = of_range(-reach, reach, bits, symmetric=True)
    levels = np.arange(quantizer.lowest, quantizer.highest + 1)
    np.testing.assert_array_equal(quantize(dequantize(levels, quantizer), quantizer), levels)


def test_levels_by_hand():
    symmetric = of_range(-3, 2, bits=3, symmetric=True)
    assert symmetric.step == 1
    assert quantize(np.array([[-3, -1.2, 0.4], [0.5, 1.5, 2.0]]), symmetric).tolist() == [[-3, -1, 0], [0, 2, 2]]
    affine = of_range(-1, 2, bits=2, symmetric=False)
    assert (affine.step, affine.offset) == (1, -1)
    assert quantize(np.array([-1, -0.4, 1.2, 2]), affine).tolist() == [0, 1, 2, 3]


def test_values_out_of_range_become_the_outermost_level():
    assert quantize(np.array([-9.0, 9.0]), of_range(-1, 1, bits=2, symmetric=True)).tolist() == [-1, 1]
    assert quantize(np.array([-9.0, 9.0]), of_range(-1, 1, bits=2, symmetric=False)).tolist() == [0, 3]


@pytest.mark.parametrize("bits", [-3, 0, 1, 9, 16])
def test_other_numbers_of_bits_are_refused(bits: int):
    with pytest.raises(IlwpError, match=f"{bits} bits per weight"):
        of_range(-1, 1, bits, symmetric=True)


@pytest.mark.parametrize(("low", "high"), [(-1e39, 1e39), (-1e39, 0), (np.nan, 1), (0, np.inf)])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_range_beyond_float32_is_refused(low: float, high: float, symmetric: bool):
    with pytest.raises(IlwpError, match="too large"):
        of_range(low, high, 2, symmetric)


@pytest.mark.parametrize("quantizer", [Quantizer(1.0, 0.0, -(1 << 16), 1 << 16), of_range(-1, 1, 8, symmetric=True)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_every_quantizer(quantizer: Quantizer, bad: float):
    with pytest.raises(IlwpError, match="NaN or infinite"):
        quantize(np.array([0.0, bad]), quantizer)


def test_large_arrays_are_quantized_like_small_ones():
    values = np.random.default_rng(0).standard_normal((3, 70_001)).astype(np.float32)
    quantizer = Quantizer(0.01, 0.0, -(1 << 16), 1 << 16)
    np.testing.assert_array_equal(quantize(values, quantizer), np.rint(values.astype(np.float64) / quantizer.step))
