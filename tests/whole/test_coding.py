import numpy as np
import pytest
from samples import SHAPES, kernels, state_dict, unusual_kernels

from ilwp.common.errors import IlwpError
from ilwp.networks.symmetry import Follower, Symmetry
from ilwp.whole import container
from ilwp.whole.coding import Exact, KernelLevels, Levels, Plan, decode, encode

# a layer of one kernel cannot be told from a plain convolution over one channel
WHOLE = {name: found for name, found in unusual_kernels().items() if name != "one kernel a layer"}
ALL = ["baseline", "fss", "lss", "ill", "aligned", "multiset"]


def free(tensors: dict[str, np.ndarray]) -> list[Symmetry]:
    """Symmetries of kernels that nothing else touches."""
    return [Symmetry(name, np.zeros(len(t), np.int64), signed=()) for name, t in tensors.items() if t.ndim == 4]


def layers(shape: tuple) -> dict[str, np.ndarray]:
    return {name: k[:, None] for name, k in kernels(*shape).items()}


def sorted_up_to_sign(layer: np.ndarray) -> np.ndarray:
    flat = layer.reshape(len(layer), -1).astype(np.float64)
    flat = flat * np.where(flat[np.arange(len(flat)), np.abs(flat).argmax(axis=1)] < 0, -1, 1)[:, None]
    return flat[np.lexsort(flat.round(3).T[::-1])]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("name", WHOLE)
def test_what_a_decoder_has_is_what_the_encoder_meant(method: str, name: str):
    tensors = {layer: k[:, None] for layer, k in WHOLE[name].items()}
    for shared in ("layer", "network"):
        pieces = encode(tensors, Plan(method=method, bits=5, range=shared), free(tensors))
        back = decode(container.read(container.write(pieces)[0]))
        assert list(back) == list(tensors)
        for layer, decoded in decode(pieces).items():
            np.testing.assert_array_equal(back[layer], decoded)
            assert decoded.shape == tensors[layer].shape


def test_an_empty_tensor_stays_as_it_is():
    tensors = layers(SHAPES["random"])
    pieces = encode(tensors | {"empty": np.zeros(0, np.float32)}, Plan(vector_bits=8))
    assert decode(pieces)["empty"].shape == (0,)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("shape", [shape for name, shape in SHAPES.items() if name in WHOLE])
def test_errors_do_not_grow_with_depth(method: str, shape: tuple):
    tensors = layers(shape)
    pieces = encode(tensors, Plan(method=method, bits=6, range="network"), free(tensors))
    decoded = decode(pieces)
    for name, layer in tensors.items():
        piece = pieces[name]
        assert isinstance(piece, KernelLevels)
        taps = layer[0].size
        if method in ("aligned", "multiset"):
            error = np.linalg.norm(sorted_up_to_sign(decoded[name]), axis=1).sum()
            assert error == pytest.approx(np.linalg.norm(sorted_up_to_sign(layer), axis=1).sum(), rel=0.1)
        else:
            error = np.linalg.norm((decoded[name] - layer).reshape(len(layer), -1), axis=1)
            assert (error <= piece.step / 2 * np.sqrt(taps) * (1 + 1e-5)).all()


def test_prediction_is_used_only_where_it_pays():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((40, 1, 3, 3)).astype(np.float32)
    tensors = {"a": first, "b": first + np.float32(0.01), "c": rng.standard_normal((40, 1, 3, 3)).astype(np.float32)}
    pieces = encode(tensors, Plan(method="ill", range="network"))
    assert [p.method for p in pieces.values()] == ["baseline", "ill", "baseline"]


@pytest.mark.parametrize("weight", [1.0, 0.75, 0.5, 0.25])
def test_a_prediction_counts_as_much_as_it_is_worth(weight: float):
    rng = np.random.default_rng(0)
    first = rng.standard_normal((200, 1, 3, 3))
    second = weight * first + np.sqrt(1 - weight**2) * rng.standard_normal((200, 1, 3, 3))
    tensors = {"a": first.astype(np.float32), "b": second.astype(np.float32)}
    pieces = encode(tensors, Plan(method="ill", range="network"))
    assert [(p.method, p.weight) for p in pieces.values()] == [("baseline", 1.0), ("ill", weight)]
    np.testing.assert_allclose(decode(pieces)["b"], tensors["b"], atol=pieces["b"].step * 1.5)


def test_the_transform_is_used_only_where_it_pays():
    rng = np.random.default_rng(0)
    smooth = rng.standard_normal((80, 1, 1, 1)) + 0.02 * rng.standard_normal((80, 1, 3, 3))
    rough = rng.laplace(size=(80, 1, 3, 3)) * (rng.random((80, 1, 3, 3)) < 0.2)
    tensors = {"smooth": smooth.astype(np.float32), "rough": rough.astype(np.float32)}
    pieces = encode(tensors, Plan(method="baseline", bits=6))
    assert [p.transformed for p in pieces.values()] == [True, False]


def test_a_set_is_sorted_and_what_hangs_on_it_follows():
    tensors = layers(((5, 4), 3, 3)) | {"features.1.after": np.arange(4, dtype=np.float32)}
    last = Symmetry("features.1.conv.weight", np.zeros(4, np.int64), (Follower("features.1.after", np.arange(4)),))
    pieces = encode(tensors, Plan(method="multiset", bits=8), [last])
    assert pieces["features.0.conv.weight"].cells is None
    decoded = decode(pieces)
    for place, channel in enumerate(decoded["features.1.after"].astype(int)):
        found, wanted = decoded["features.1.conv.weight"][place], tensors["features.1.conv.weight"][channel]
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_every_class_of_tensors_has_its_own_bits():
    tensors = state_dict() | {"bias": np.linspace(-1, 1, 9, dtype=np.float32), "flag": np.array([True, False])}
    pieces = encode(tensors, Plan(bits=5, dense_bits=4, vector_bits=7.5))
    assert list(pieces) == list(tensors)
    dense = {n: p for n, p in pieces.items() if isinstance(p, Levels) and p.levels.ndim > 1}
    assert set(dense) == {"stem.weight", "classifier.weight", *(f"blocks.{i}.pointwise.weight" for i in range(3))}
    assert len({p.step for p in dense.values()}) == 1
    assert max(np.abs(p.levels).max() for p in dense.values()) == 7
    assert np.abs(pieces["bias"].levels).max() == round(2**6.5 - 1)
    assert isinstance(pieces["flag"], Exact)
    exact = encode(tensors, Plan())
    np.testing.assert_array_equal(decode(exact)["bias"], tensors["bias"])


def test_rounding_is_asked_for_every_dense_weight_in_order_with_what_is_decoded_so_far():
    tensors, asked = state_dict(), []

    def rounding(name: str, step: float, seen: dict[str, np.ndarray]) -> np.ndarray:
        assert list(seen) == list(tensors)
        for before in asked:
            np.testing.assert_array_equal(seen[before], np.full_like(tensors[before], np.float32(2 * step)))
        np.testing.assert_array_equal(seen[name], tensors[name])
        assert not np.array_equal(seen["blocks.0.depthwise.weight"], tensors["blocks.0.depthwise.weight"])
        asked.append(name)
        return np.full(tensors[name].shape, 2.0)

    pieces = encode(tensors, Plan(bits=4), rounding=rounding)
    assert asked == [n for n, p in pieces.items() if isinstance(p, Levels)]
    assert (pieces["classifier.weight"].levels == 2).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(bad: float):
    for name in ("blocks.0.depthwise.weight", "classifier.weight"):
        tensors = state_dict()
        tensors[name].flat[3] = bad
        with pytest.raises(IlwpError):
            encode(tensors, Plan())


def test_kernels_whose_coefficients_reach_too_far_are_not_transformed():
    constant = {f"{i}.weight": np.full((2, 1, 5, 5), 0.3, np.float32) for i in range(2)}
    pieces = encode(constant, Plan(method="baseline", bits=16))
    assert not any(piece.transformed for piece in pieces.values())
    for layer in decode(container.read(container.write(pieces)[0])).values():
        np.testing.assert_allclose(layer, 0.3, rtol=1e-4)
