import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ilwp.paper.quantization import dequantize, quantize
from ilwp.whole.steps import of_step


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.floats(1e-1, 1e2))
def test_a_step_keeps_every_value_within_half_of_it(values: list[float], step: float):
    quantizer = of_step(step)
    found = dequantize(quantize(np.array(values), quantizer), quantizer)
    assert (np.abs(found - values) <= quantizer.step / 2 * (1 + 1e-9)).all()
    assert np.float32(step) <= quantizer.step < step * (1 + 2**-15)
    assert np.float32(quantizer.step).tobytes()[0] == 0
