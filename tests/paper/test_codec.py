import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import reference_decoder
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from samples import kernels, unusual_kernels

from ilwp.common.errors import IlwpError
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import METHODS, PAPER_METHODS, Method
from ilwp.paper.settings import Settings

UNUSUAL = unusual_kernels()
KINDS = list(UNUSUAL)


def every_setting(method: Method, loops: tuple[str, ...] = ("closed", "open")) -> Iterator[Settings]:
    both = ("layer", "network")
    for values in itertools.product((2, 5, 8), loops, ("symmetric", "affine"), both, both):
        yield Settings(method, *values)


def row(*weights: float) -> np.ndarray:
    return np.array(weights, np.float32).reshape(-1, 1, 1)


def settings_strategy() -> st.SearchStrategy[Settings]:
    loops, both = st.sampled_from(["closed", "open"]), st.sampled_from(["layer", "network"])
    quantizers = st.sampled_from(["symmetric", "affine"])
    return st.builds(Settings, st.sampled_from(METHODS), st.integers(2, 8), loops, quantizers, both, both)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_decodes_to_what_the_encoder_meant_in_every_setting(kind: str, method: Method):
    for settings in every_setting(method):
        coded = codec.encode_kernels(UNUSUAL[kind], settings)
        wanted = codec.decode_kernels(coded)
        file, rate = bitstream.write_kernel_file(coded)
        assert bitstream.write_kernel_file(codec.encode_kernels(UNUSUAL[kind], settings)) == (file, rate)
        assert rate.total == 8 * len(file)
        found = bitstream.read_kernel_file(file)[0]
        assert found.settings == settings
        for got in (
            {name: k.tobytes() for name, k in codec.decode_kernels(found).items()},
            reference_decoder.decode(file)[0],
        ):
            assert list(got) == list(UNUSUAL[kind])
            assert got == {name: k.tobytes() for name, k in wanted.items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_loop_stays_within_half_a_step_in_every_layer(kind: str, method: Method):
    for settings in every_setting(method, loops=("closed",)):
        coded = codec.encode_kernels(UNUSUAL[kind], settings)
        steps = [0.0, *(q.step for q in coded.quantizers)]
        for layer, decoded, step in zip(
            UNUSUAL[kind].values(), codec.decode_kernels(coded).values(), steps, strict=True
        ):
            error = np.abs(decoded.astype(np.float64) - layer)
            assert (error <= step / 2 * (1 + 1e-6) + np.spacing(np.abs(layer))).all()


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4), st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(0, 2**32 - 1), st.integers(-30, 30), settings_strategy(),
)  # fmt: skip
def test_scaling_all_weights_by_a_power_of_two_scales_the_result(channels, size, seed, power, settings):
    layers = kernels(tuple(channels), *size, seed)
    scaled = {name: np.ldexp(k, power) for name, k in layers.items()}
    one, other = codec.encode_kernels(layers, settings), codec.encode_kernels(scaled, settings)
    for q, p in zip(one.levels, other.levels, strict=True):
        np.testing.assert_array_equal(q, p)
    for k, p in zip(codec.decode_kernels(one).values(), codec.decode_kernels(other).values(), strict=True):
        np.testing.assert_array_equal(np.ldexp(k, power), p)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [Settings(m, 2) for m in METHODS], ids=lambda s: s.method)
def test_the_first_layer_comes_back_as_it_was(kind: str, settings: Settings):
    name, layer = next(iter(UNUSUAL[kind].items()))
    decoded = codec.decode_kernels(codec.encode_kernels(UNUSUAL[kind], settings))[name]
    assert decoded.dtype == np.float32
    assert decoded.tobytes() == layer.tobytes()


def test_baseline_by_hand():
    # largest weight 2, so at 2 bits the levels are -2, 0 and 2
    coded = codec.encode_kernels({"a": row(1, 5), "b": row(2, -0.9, 1.2)}, Settings("baseline", bits=2))
    assert [q.ravel().tolist() for q in coded.levels] == [[1, 0, 1]]
    assert codec.decode_kernels(coded)["b"].ravel().tolist() == [2, 0, 2]


def test_full_search_by_hand():
    layers = {"a": row(0, 10), "b": row(4), "c": row(9, 5, 1)}
    coded = codec.encode_kernels(layers, Settings("fss", bits=2))
    # b: nearest is a's 0, residual 4 at step 4; c: from 0, 10, 4 the nearest are 10, 4, 0 and residuals -1, 1, 1
    assert [i.tolist() for i in coded.indices] == [[0], [1, 2, 0]]
    assert [q.ravel().tolist() for q in coded.levels] == [[1], [-1, 1, 1]]
    assert [q.step for q in coded.quantizers] == [4, 1]
    assert codec.decode_kernels(coded)["c"].ravel().tolist() == [9, 5, 1]


def test_local_search_by_hand():
    coded = codec.encode_kernels({"a": row(0, 10), "b": row(4), "c": row(9, 5, 1)}, Settings("lss", bits=2))
    # c can only refer to b's 4: residuals 5, 1, -3 at step 5
    assert [i.tolist() for i in coded.indices] == [[0], [0, 0, 0]]
    assert [q.ravel().tolist() for q in coded.levels] == [[1], [1, 0, -1]]
    assert codec.decode_kernels(coded)["c"].ravel().tolist() == [9, 4, -1]


def test_collocated_prediction_by_hand():
    coded = codec.encode_kernels({"a": row(0, 10), "b": row(3, 8, 12)}, Settings("ill", bits=3))
    # references 0, 10 and again 0; residuals 3, -2, 12 at step 4, and half a step ties to the even level
    assert coded.indices[0].tolist() == [0, 1, 0]
    assert coded.levels[0].ravel().tolist() == [1, 0, 3]
    assert codec.decode_kernels(coded)["b"].ravel().tolist() == [4, 10, 12]


def test_collocated_prediction_of_a_narrower_layer_uses_the_first_kernels_only():
    coded = codec.encode_kernels({"a": row(1, 2, 3), "b": row(1, 2)}, Settings("ill"))
    assert coded.indices[0].tolist() == [0, 1]
    assert not coded.levels[0].any()


def test_an_open_loop_predicts_from_originals_and_drifts_while_a_closed_one_does_not():
    layers = {"a": row(0, 0), "b": row(10, 4), "c": row(20, 8), "d": row(30, 12)}
    opened, closed = (codec.encode_kernels(layers, Settings("ill", bits=2, loop=loop)) for loop in ("open", "closed"))
    # each residual is 10 and 4 at step 10, so every open layer loses another 4
    assert [q.ravel().tolist() for q in opened.levels] == [[1, 0]] * 3
    assert [k.ravel().tolist() for k in codec.decode_kernels(opened).values()] == [[0, 0], [10, 0], [20, 0], [30, 0]]
    assert [k.ravel().tolist() for k in codec.decode_kernels(closed).values()] == [[0, 0], [10, 0], [20, 10], [30, 10]]


@pytest.mark.parametrize("method", ["fss", "lss"])
def test_an_open_loop_searches_the_originals(method: Method):
    layers = kernels((6, 9, 12), seed=3)
    chosen = codec.encode_kernels(layers, Settings(method, bits=2, loop="open")).indices
    flat = [k.reshape(len(k), -1) for k in layers.values()]
    for i, indices in enumerate(chosen, start=1):
        pool = np.concatenate(flat[:i]) if method == "fss" else flat[i - 1]
        distances = np.abs(flat[i][:, None] - pool[None]).sum(2)
        np.testing.assert_array_equal(distances[np.arange(len(indices)), indices], distances.min(1))


def test_one_range_is_the_same_step_in_every_layer_and_reaches_every_residual():
    coded = codec.encode_kernels(kernels((8, 16, 16, 8)), Settings("ill", bits=3, range="network"))
    assert len(set(coded.quantizers)) == 1
    decoded, half = codec.decode_kernels(coded), coded.quantizers[0].step / 2
    for name, layer in kernels((8, 16, 16, 8)).items():
        assert np.abs(decoded[name].astype(np.float64) - layer).max() <= half * (1 + 1e-6)
    assert len(set(codec.encode_kernels(kernels((8, 16, 16, 8)), Settings("ill", bits=3)).quantizers)) == 3


@pytest.mark.parametrize("method", PAPER_METHODS)
def test_residuals_are_weights_minus_prediction_from_originals(method: Method):
    layers = {"a": row(0, 10), "b": row(4), "c": row(9, 5, 1)}
    wanted = {
        "baseline": [[4], [9, 5, 1]],
        "fss": [[4], [-1, 1, 1]],
        "lss": [[4], [5, 1, -3]],
        "ill": [[4], [5, 1, -3]],
    }
    assert [r.ravel().tolist() for r in codec.residuals(layers, method)] == wanted[method]


def test_residuals_of_larger_kernels_are_flattened():
    layers = kernels((2, 3), 3, 5)
    first, second = layers.values()
    assert codec.residuals(layers, "ill")[0].shape == (3, 15)
    np.testing.assert_array_equal(
        codec.residuals(layers, "ill")[0].reshape(3, 3, 5), second - first[[0, 1, 0]].astype(float)
    )


@pytest.mark.parametrize("part", ["names", "levels", "indices", "quantizers"])
def test_a_layer_that_lacks_something_is_not_decoded(part: str):
    coded = codec.encode_kernels(kernels((2, 3, 4)), Settings())
    with pytest.raises(ValueError, match=r"shorter|longer"):
        codec.decode_kernels(replace(coded, **{part: getattr(coded, part)[:-1]}))


def test_weights_whose_reconstruction_would_overflow_are_refused():
    most = float(np.finfo(np.float32).max)
    # residuals 0.6 and -1 times the largest number at a step of 1 times it
    layers = {"a": row(0.4 * most), "b": row(most, -0.6 * most)}
    for method in ("fss", "lss", "ill"):
        with pytest.raises(IlwpError, match=r"^the weights are too large for float32 once they are quantized$"):
            codec.encode_kernels(layers, Settings(method, bits=2))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "no depthwise layer"),
        ({"a": row(1, 2), "b": np.ones((2, 3, 3), np.float32)}, "1x1 .a., 3x3 .b."),
        ({"a": row(1, 2), "b": row(1, np.nan)}, "b holds NaN"),
        ({"a": row(np.inf)}, "a holds NaN or infinite"),
        ({"a": row(1).astype(np.float64)}, "a is float64"),
    ],
)
def test_kernels_that_cannot_be_coded_are_refused(layers: dict[str, np.ndarray], message: str):
    with pytest.raises(IlwpError, match=message):
        codec.encode_kernels(layers, Settings())


@pytest.mark.parametrize("wrong", [{"bits": 9}, {"bits": 1}, {"method": "best"}, {"loop": "ajar"}, {"step": 1}])
def test_unknown_settings_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_coding_needs_no_torch():
    check = (
        "import sys, ilwp.paper.bitstream, ilwp.common.tensor_files, ilwp.cli.main; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
