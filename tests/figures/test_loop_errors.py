import numpy as np
import pytest

from ilwp.figures.loop_errors import loop_errors
from ilwp.paper import codec
from ilwp.paper.settings import Settings


@pytest.fixture
def kernels() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {f"layer{i}": rng.normal(0, 0.2, (4 << min(i, 2), 3, 3)).astype(np.float32) for i in range(6)}


def test_closed_loop_stays_within_half_a_step_and_the_open_one_need_not(kernels: dict[str, np.ndarray]) -> None:
    layers = loop_errors(kernels, bits=4, channel=1)["layers"]
    assert layers[0]["error"] == {"closed": 0, "open": 0}
    assert all(layer["error"]["closed"] <= layer["bound"] * 1.001 for layer in layers[1:])
    assert layers[-1]["error"]["open"] > layers[-1]["bound"]


def test_kernels_are_those_that_the_codec_decodes(kernels: dict[str, np.ndarray]) -> None:
    layers = loop_errors(kernels, bits=3, channel=9)["layers"]
    for loop in ("closed", "open"):
        decoded = codec.decode_kernels(codec.encode_kernels(kernels, Settings("ill", 3, loop)))
        for layer, (name, trained) in zip(layers, kernels.items(), strict=True):
            shown = 9 % len(trained)
            assert layer["trained"] == pytest.approx(trained[shown].ravel(), rel=1e-3)
            assert layer["decoded"][loop] == pytest.approx(decoded[name][shown].ravel(), rel=1e-3, abs=1e-6)
