import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ilwp.common.distortion import snr
from ilwp.door import compress, decompress
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import Exact, Levels, Powers, decode_pieces
from ilwp.whole.plan import Plan
from ilwp.whole.rounding import halfway_to_spread, step_of_quality, vector_of


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def gains(count: int = 500, seed: int = 0) -> np.ndarray:
    return np.exp(normal(count, seed=seed))


def norm(count: int = 200, prefix: str = "norm.") -> dict[str, np.ndarray]:
    parts = {"weight": gains(count), "bias": normal(count, seed=1)}
    parts |= {"running_mean": normal(count, seed=2), "running_var": gains(count, seed=3)}
    return {prefix + part: t for part, t in parts.items()}


@given(arrays(np.float32, 300, elements=st.floats(-(2.0**60), 2.0**60, width=32)), st.floats(1e-3, 0.5))
def test_powers_keep_signs_and_zeros_and_every_error_is_a_share(drawn: np.ndarray, step: float):
    tensor = np.concatenate([drawn, gains()])
    piece = vector_of(tensor, step, factor=True)
    back = decode_pieces({"a": piece})["a"]
    if isinstance(piece, Powers):
        np.testing.assert_array_equal(np.sign(back), np.sign(tensor))
        most = step / math.sqrt(2) * 1.01  # half a step, which is off by a factor of the square root of two at most
        used = np.abs(tensor) > np.finfo(np.float32).tiny
        assert np.abs(np.log(back[used] / tensor[used])).max() <= most
    else:
        assert back is tensor


@given(st.integers(0, 12), arrays(np.int32, 20, elements=st.integers(-4000, 4000)))
def test_powers_are_powers_of_two(fineness: int, levels: np.ndarray):
    back = decode_pieces({"a": Powers(levels, np.ones(20, np.int8), fineness, np.dtype(np.float64))})["a"]
    exponents = (levels / 2**fineness).clip(-1022, 1000)
    inside = np.abs(levels / 2**fineness) < 1000
    np.testing.assert_allclose(back[inside], 2.0 ** exponents[inside], rtol=1e-14)
    assert np.isfinite(back).all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_vectors_are_as_good_as_the_quality_and_variances_stay_positive(dtype: str):
    tensors = {"layer.weight": normal(100, 200)} | {n: t.astype(dtype) for n, t in norm().items()}
    pieces = encode_tensors(tensors, Plan(quality=20))
    back = decode_pieces(pieces)
    kinds = {"weight": Powers, "bias": Levels, "running_mean": Levels, "running_var": Powers}
    for part, kind in kinds.items():
        name = f"norm.{part}"
        assert isinstance(pieces[name], kind)
        assert back[name].dtype == dtype
        assert snr([tensors[name]], [back[name]]) > 20 + 10
    assert (back["norm.running_var"] > 0).all()


def test_the_means_of_a_channel_that_hardly_varies_keep_their_place():
    tensors = {"layer.weight": normal(100, 200)} | norm()
    tensors["norm.running_var"][:20] = 1e-4
    back = decode_pieces(encode_tensors(tensors, Plan(quality=20)))["norm.running_mean"]
    error = (back - tensors["norm.running_mean"]) / np.sqrt(tensors["norm.running_var"])
    assert -10 * np.log10(np.square(error).mean()) > 20 + 10


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_would_break_stays_exact(value: float):
    tensors = {"layer.weight": normal(100, 200)} | norm()
    for name in norm():
        tensors[name] = tensors[name].copy()
        tensors[name][3] = value
    pieces = encode_tensors(tensors, Plan())
    for name in norm():
        assert isinstance(pieces[name], Exact)
        np.testing.assert_array_equal(decode_pieces(pieces)[name], tensors[name])


def test_what_is_no_vector_stays_exact():
    whole = np.arange(300, dtype=np.float32)
    tensors = {
        "layer.weight": normal(100, 200), "image_mean": normal(300), "inv_freq": gains(), "steps": whole,
        "layer.few.bias": normal(2), "layer.scale": np.float32(3.5), "a.weight": np.ones(9, np.float32),
        "lonely.running_mean": normal(300), "counts.bias": whole.astype(np.int64),
    }  # fmt: skip
    pieces = encode_tensors(tensors, Plan())
    assert {name for name, piece in pieces.items() if not isinstance(piece, Exact)} == {"layer.weight"}


def test_vectors_share_a_segment_and_take_few_bytes():
    tensors = {"layer.weight": normal(100, 200)}
    for i in range(40):
        tensors |= norm(128, f"norms.{i}.")
    pieces = encode_tensors(tensors, Plan(quality=30))
    packed = list(segments.pack_all(pieces.items()))
    assert len(packed) < 20
    found = {name: piece for p in packed for name, piece in segments.unpack_segment(p.segment)[0].items()}
    for name, tensor in decode_pieces(found).items():
        np.testing.assert_array_equal(tensor, decode_pieces(pieces)[name])
    raw = sum(t.nbytes for name, t in tensors.items() if name != "layer.weight")
    assert sum(p.bits[name] for p in packed for name in p.bits if name != "layer.weight") / 8 < 0.42 * raw


def test_steps_stay_within_float32():
    assert step_of_quality(0.0, 1, 30, 1) == step_of_quality(1e-40, 1, 30, 1) == step_of_quality(1e39, 1, 0, 1) == 0
    assert 0 < step_of_quality(1.0, 1, 30, 1) < 1


SHAPES = st.one_of(
    st.tuples(st.integers(1, 6000)),
    st.tuples(st.integers(1, 300), st.integers(1, 40)),
    st.tuples(st.integers(1, 60), st.just(1), st.integers(1, 7), st.integers(1, 5)),
)
PARTS = ["a.weight", "a.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]


@st.composite
def values(draw: st.DrawFn) -> np.ndarray:
    """Float32 of a narrow or a wide distribution, around zero or not, one of them by itself."""
    rng, shape = np.random.default_rng(draw(st.integers(0, 9))), draw(SHAPES)
    found = rng.standard_normal(shape) * np.abs(rng.standard_normal(shape)) ** draw(st.floats(0, 12))
    found += draw(st.floats(-1e4, 1e4))
    found.flat[0] += draw(st.floats(0, 1e6))
    return found.astype(np.float32)


@given(st.dictionaries(st.sampled_from(PARTS), values(), min_size=1, max_size=4), st.floats(0, 100))
def test_any_values_come_back_at_any_quality(tensors: dict[str, np.ndarray], quality: float):
    tensors = {name: np.abs(t) if name.endswith("var") else t for name, t in tensors.items()}
    back = decompress(compress(tensors, quality=quality))
    for name, tensor in tensors.items():
        # all errors may be as large as they get, which is 4.8 dB, and powers of two are only so fine, which is 3
        assert snr([tensor], [back[name]]) > min(quality, 90) - 8


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(1e-4, 1e4), st.floats(1e-4, 1e4)), min_size=1, max_size=6))
def test_halfway_steps_add_the_same_noise_and_are_geometric_means(drawn: list[tuple[int, float, float]]):
    tensors = {str(i): scale * normal(size, 2, seed=i) for i, (size, scale, _) in enumerate(drawn)}
    steps = {str(i): step for i, (_, _, step) in enumerate(drawn)}
    found = halfway_to_spread(steps, tensors)
    noise = {name: tensors[name].size * (found[name] / steps[name]) ** 2 for name in steps}
    assert sum(noise.values()) == pytest.approx(sum(t.size for t in tensors.values()))
    spread = {name: math.sqrt(np.square(t.astype(np.float64)).sum()) for name, t in tensors.items()}
    factors = [found[name] ** 2 / steps[name] / spread[name] for name in steps]
    np.testing.assert_allclose(factors, factors[0], rtol=1e-6)


def test_a_tensor_of_zeros_keeps_its_step():
    tensors = {"a": normal(5, 5), "b": np.zeros((3, 3), np.float32)}
    assert halfway_to_spread({"a": 0.5, "b": 0.25}, tensors) == {"a": pytest.approx(0.5), "b": 0.25}
    assert halfway_to_spread({}, {}) == {}
