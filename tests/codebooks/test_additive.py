import numpy as np
import pytest

from ilwp.codebooks import additive, codebook_file
from ilwp.common.errors import IlwpError

OPTIONS = {"books": 2, "bits": 3, "length": 4, "shared": True}


def network(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    wide = {f"{i}.weight": (rng.normal(size=(16, 8, 1, 1)) / 10**i).astype(np.float32) for i in range(3)}
    return wide | {"0.bias": np.ones(16, np.float32), "0.batches": np.array(3)}


def test_two_clusters_become_two_codewords():
    vectors = np.float32([[1, 1], [1, 3], [-5, 0], [-5, 2]])
    (book,), codes = additive.learn(vectors, 1, 1)
    assert sorted(book.tolist()) == [[-5, 1], [1, 2]]
    assert book[codes[:, 0]].tolist() == [[1, 2], [1, 2], [-5, 1], [-5, 1]]


def test_a_second_codebook_takes_up_what_the_first_leaves():
    coarse, fine = np.float32([[8, 0], [-8, 0]]), np.float32([[0, 1], [0, -1]])
    vectors = (coarse[:, None] + fine).reshape(-1, 2).repeat(4, axis=0)
    books, codes = additive.learn(vectors, 2, 1)
    np.testing.assert_allclose(books[0][codes[:, 0]] + books[1][codes[:, 1]], vectors, atol=1e-5)


def test_codes_are_the_best_of_all_sums_where_the_beam_holds_them_all():
    vectors = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    books, codes = additive.learn(vectors, 2, 3)  # the beam keeps all eight codewords of the first codebook
    sums = (books[0][:, None] + books[1]).reshape(-1, 3)
    best = ((vectors[:, None] - sums) ** 2).sum(2).min(1)
    found = ((vectors - books[0][codes[:, 0]] - books[1][codes[:, 1]]) ** 2).sum(1)
    np.testing.assert_allclose(found, best, rtol=1e-3, atol=1e-5)


def test_all_weights_are_pooled_and_layers_of_any_scale_decode_as_well():
    tensors = network()
    (found,) = additive.quantize_additive(tensors, **OPTIONS)
    assert list(found.shapes) == ["0.weight", "1.weight", "2.weight"]
    assert found.codes.shape == (3 * 16 * 8 // 4, 2)
    errors = [np.std(found.tensors()[n] - tensors[n]) / np.std(tensors[n]) for n in found.shapes]
    assert max(errors) < 0.75
    assert max(errors) < 1.2 * min(errors)
    for book in found.books:
        np.testing.assert_array_equal(book, book.astype(np.float16))


def test_codebooks_of_each_layers_own_fit_better_but_are_as_many_as_layers():
    tensors = network()
    (shared,) = additive.quantize_additive(tensors, **OPTIONS)
    own = additive.quantize_additive(tensors, **OPTIONS | {"shared": False})
    assert [list(s.shapes) for s in own] == [["0.weight"], ["1.weight"], ["2.weight"]]
    decoded = {name: t for books in own for name, t in books.tensors().items()}
    error, error_shared = (
        sum(np.var(d[n] - tensors[n]) / np.var(tensors[n]) for n in d) for d in (decoded, shared.tensors())
    )
    assert error < 0.8 * error_shared


def test_the_same_weights_give_the_same_codebooks():
    (one,), (other,) = (additive.quantize_additive(network(), **OPTIONS) for _ in range(2))
    np.testing.assert_array_equal(one.codes, other.codes)
    for a, b in zip(one.books, other.books, strict=True):
        np.testing.assert_array_equal(a, b)


def test_there_are_no_more_codewords_than_vectors(capfd: pytest.CaptureFixture[str]):
    (found,) = additive.quantize_additive({"a": np.float32([[1, 2, 3, 4, 5]])}, books=1, bits=8, length=1, shared=True)
    assert len(found.books[0]) <= 4
    (single,) = additive.quantize_additive({"a": np.float32([[3, 0]])}, books=2, bits=8, length=2, shared=True)
    np.testing.assert_allclose(single.tensors()["a"], [[3, 0]], atol=1e-2)
    assert capfd.readouterr() == ("", "")


def test_a_layer_of_zeros_stays_zero():
    (found,) = additive.quantize_additive({"a": np.zeros((4, 4), np.float32)}, **OPTIONS)
    assert not found.tensors()["a"].any()


@pytest.mark.parametrize("value", [1e-45, 1e-8, 1e5, 1e21, 3e38])
def test_weights_of_any_size_come_back(value: float):
    rng = np.random.default_rng(0)
    tensors = {"alike": np.full((4, 8), value, np.float32), "other": np.float32(value * rng.uniform(-1, 1, (4, 8)))}
    (found,) = additive.quantize_additive(tensors, **OPTIONS)
    back, _ = codebook_file.unpack_codebooks(codebook_file.pack_codebooks(found).segment)
    np.testing.assert_allclose(back.tensors()["alike"], tensors["alike"], rtol=0.1)


def test_networks_that_cannot_be_quantized_are_refused():
    with pytest.raises(IlwpError, match="nothing to put into codebooks"):
        additive.quantize_additive({"bias": np.ones(4, np.float32)}, **OPTIONS)
    with pytest.raises(IlwpError, match=r"^a holds NaN"):
        additive.quantize_additive({"a": np.full((2, 2), np.nan, np.float32)}, **OPTIONS)
