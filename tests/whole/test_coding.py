import numpy as np
import pytest
from samples import SHAPES, kernels, state_dict, unusual_kernels

from ilwp.common.distortion import snr
from ilwp.common.errors import IlwpError
from ilwp.door import decoded as read
from ilwp.networks.symmetry import Follower, Symmetry
from ilwp.whole import segments
from ilwp.whole.coding import arranged, encode_tensors, stream
from ilwp.whole.pieces import Exact, KernelLevels, Levels, decode_pieces
from ilwp.whole.plan import Plan
from ilwp.whole.steps import of_step

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
        pieces = encode_tensors(tensors, Plan(method=method, bits=5, range=shared), free(tensors))
        back = read(segments.write_pieces(pieces))
        assert list(back) == list(tensors)
        for layer, decoded in decode_pieces(pieces).items():
            np.testing.assert_array_equal(back[layer], decoded)
            assert decoded.shape == tensors[layer].shape


def test_an_empty_tensor_stays_as_it_is():
    tensors = layers(SHAPES["random"])
    pieces = encode_tensors(tensors | {"empty": np.zeros(0, np.float32)}, Plan(vector_bits=8))
    assert decode_pieces(pieces)["empty"].shape == (0,)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("shape", [shape for name, shape in SHAPES.items() if name in WHOLE])
def test_errors_do_not_grow_with_depth(method: str, shape: tuple):
    tensors = layers(shape)
    pieces = encode_tensors(tensors, Plan(method=method, bits=6, range="network"), free(tensors))
    decoded = decode_pieces(pieces)
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
    pieces = encode_tensors(tensors, Plan(method="ill", range="network"))
    assert [p.method for p in pieces.values()] == ["baseline", "ill", "baseline"]


@pytest.mark.parametrize("weight", [1.0, 0.75, 0.5, 0.25])
def test_a_prediction_counts_as_much_as_it_is_worth(weight: float):
    rng = np.random.default_rng(0)
    first = rng.standard_normal((200, 1, 3, 3))
    second = weight * first + np.sqrt(1 - weight**2) * rng.standard_normal((200, 1, 3, 3))
    tensors = {"a": first.astype(np.float32), "b": second.astype(np.float32)}
    pieces = encode_tensors(tensors, Plan(method="ill", range="network"))
    assert [(p.method, p.weight) for p in pieces.values()] == [("baseline", 1.0), ("ill", weight)]
    np.testing.assert_allclose(decode_pieces(pieces)["b"], tensors["b"], atol=pieces["b"].step * 1.5)


def test_the_transform_is_used_only_where_it_pays():
    rng = np.random.default_rng(0)
    smooth = rng.standard_normal((80, 1, 1, 1)) + 0.02 * rng.standard_normal((80, 1, 3, 3))
    rough = rng.laplace(size=(80, 1, 3, 3)) * (rng.random((80, 1, 3, 3)) < 0.2)
    tensors = {"smooth": smooth.astype(np.float32), "rough": rough.astype(np.float32)}
    pieces = encode_tensors(tensors, Plan(method="baseline", bits=6))
    assert [p.transformed for p in pieces.values()] == [True, False]


def test_a_set_is_sorted_and_what_hangs_on_it_follows():
    tensors = layers(((5, 4), 3, 3)) | {"features.1.after": np.arange(4, dtype=np.float32)}
    last = Symmetry("features.1.conv.weight", np.zeros(4, np.int64), (Follower("features.1.after", np.arange(4)),))
    pieces = encode_tensors(tensors, Plan(method="multiset", bits=8), [last])
    assert pieces["features.0.conv.weight"].cells is None
    decoded = decode_pieces(pieces)
    for place, channel in enumerate(decoded["features.1.after"].astype(int)):
        found, wanted = decoded["features.1.conv.weight"][place], tensors["features.1.conv.weight"][channel]
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_every_class_of_tensors_has_its_own_bits():
    tensors = state_dict() | {"bias": np.linspace(-1, 1, 9, dtype=np.float32), "flag": np.array([True, False])}
    pieces = encode_tensors(tensors, Plan(bits=5, dense_bits=4, vector_bits=7.5))
    assert list(pieces) == list(tensors)
    dense = {n: p for n, p in pieces.items() if isinstance(p, Levels) and p.levels.ndim > 1}
    assert set(dense) == {"stem.weight", "classifier.weight", *(f"blocks.{i}.pointwise.weight" for i in range(3))}
    assert len({p.step for p in dense.values()}) == 1
    assert max(np.abs(p.levels).max() for p in dense.values()) == 7
    assert np.abs(pieces["bias"].levels).max() == round(2**6.5 - 1)
    assert isinstance(pieces["flag"], Exact)
    assert snr([tensors["bias"]], [decode_pieces(encode_tensors(tensors, Plan()))["bias"]]) > 31


def test_rounding_is_asked_for_every_dense_weight_in_order():
    tensors, asked, plan = state_dict(), [], Plan(bits=4, dense_bits=8)

    def rounding(name: str, step: float, tensor: np.ndarray) -> np.ndarray:
        np.testing.assert_array_equal(tensor, tensors[name])
        asked.append((name, step))
        return np.full(tensor.shape, 2.0)

    ready = arranged(tensors, plan)
    pieces = {coded.name: coded.piece for coded in stream(ready, plan, rounding, coarser=1.5)}
    assert asked == [(n, p.step) for n, p in pieces.items() if isinstance(p, Levels)]
    assert (pieces["classifier.weight"].levels == 2).all()
    assert pieces["classifier.weight"].step == of_step(1.5 * ready.steps["classifier.weight"]).step


@pytest.mark.parametrize("coarser", [0.7, 1.1, 2.0])
def test_only_steps_of_dense_weights_become_coarser(coarser: float):
    tensors, plan = state_dict(), Plan()
    one, other = (
        {coded.name: coded.piece for coded in stream(arranged(tensors, plan), plan, coarser=factor)}
        for factor in (1.0, coarser)
    )
    back, meant = read(segments.write_pieces(other)), decode_pieces(other)
    assert all(np.array_equal(back[name], tensor) for name, tensor in meant.items())
    for name, piece in one.items():
        if isinstance(piece, Levels):
            assert other[name].step == pytest.approx(coarser * piece.step, rel=1e-4)
        elif isinstance(piece, KernelLevels):
            np.testing.assert_array_equal(other[name].levels, piece.levels)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(bad: float):
    for name in ("blocks.0.depthwise.weight", "classifier.weight"):
        tensors = state_dict()
        tensors[name].flat[3] = bad
        with pytest.raises(IlwpError):
            encode_tensors(tensors, Plan())


def test_kernels_that_reach_too_many_levels_for_their_number_stay_exact():
    layers = {f"{i}.weight": normal(2, 1, 5, 5, seed=i) for i in range(2)}
    assert all(isinstance(piece, Exact) for piece in encode_tensors(layers, Plan(method="baseline", bits=16)).values())
    assert all(
        isinstance(piece, KernelLevels) for piece in encode_tensors(layers, Plan(method="baseline", bits=7)).values()
    )


def normal(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


@pytest.mark.parametrize("quality", [10.0, 31.0, 60.0])
def test_the_noise_of_all_weights_together_is_that_of_the_quality(quality: float):
    tensors = {f"{i}.weight": normal(10 * 4**i, 10, scale=10.0 ** (i - 2), seed=i) for i in range(5)}
    plan = Plan(quality=quality)
    found = {coded.name: coded.snr for coded in stream(arranged(tensors, plan), plan)}
    assert sum(10 ** (-ratio / 10) for ratio in found.values()) == pytest.approx(10 ** (-quality / 10), rel=0.15)
    noise = np.array([10 ** (-found[name] / 10) / tensors[name].size for name in tensors])
    assert noise.max() < 1.5 * noise.min()


def test_an_outlier_in_one_tensor_leaves_the_others_as_they_are():
    tensors = {f"{i}.weight": normal(64, 64, seed=i) for i in range(3)}
    wild = {name: t.copy() for name, t in tensors.items()}
    wild["1.weight"][0, 0] = 1e6
    one, other = decode_pieces(encode_tensors(tensors, Plan())), decode_pieces(encode_tensors(wild, Plan()))
    for name in ("0.weight", "2.weight"):
        np.testing.assert_array_equal(one[name], other[name])


def test_given_steps_take_the_place_of_those_of_the_quality():
    tensors = {"a.weight": normal(64, 64), "b.weight": normal(64, 64, seed=1)}
    pieces = encode_tensors(tensors, Plan(), steps={"a.weight": 0.25})
    assert pieces["a.weight"].step == 0.25
    assert pieces["b.weight"].step != 0.25


def test_depthwise_layers_of_each_size_are_predicted_among_their_own():
    shapes = [(20, 1, 3, 3), (20, 1, 5, 5), (20, 1, 3, 3), (20, 1, 5, 5), (20, 1, 9), (20, 1, 3, 3, 3), (40, 1, 31, 1)]
    first = {shape: normal(*shape) for shape in shapes}
    tensors = {f"{i}.weight": first[shape] + normal(*shape, scale=0.01, seed=i) for i, shape in enumerate(shapes)}
    pieces = encode_tensors(tensors, Plan(method="ill"))
    assert [piece.method for piece in pieces.values()] == ["baseline"] * 2 + ["ill"] * 2 + ["baseline"] * 3
    back = read(segments.write_pieces(pieces))
    assert {name: t.shape for name, t in back.items()} == {name: t.shape for name, t in tensors.items()}
    for name, tensor in tensors.items():
        assert snr([tensor], [back[name]]) > 30
