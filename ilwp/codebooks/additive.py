"""Additive quantization with codebooks that layers share (Sun et al., "Toward Compact Parameter Representations").

The weights of all layers are cut into short vectors and pooled; each becomes the sum of one codeword of each of a few
codebooks. They are learned as a residual quantizer with beam search, by faiss. Every tensor is divided by its standard
deviation first and keeps that as its scale, since else the narrow layers would decode to nearly nothing.
"""

from collections.abc import Mapping

import numpy as np

from ilwp.codebooks.codebooks import Codebooks, cut, ordered
from ilwp.common.errors import IlwpError
from ilwp.common.numbers import check_finite

BEAM = 8  # partial sums kept while codewords are chosen one after another


def quantize_additive(
    tensors: Mapping[str, np.ndarray], books: int, bits: int, length: int, shared: bool
) -> list[Codebooks]:
    """All float32 weights with two axes or more, in one set of codebooks or, if not `shared`, in a set a tensor.

    There are `books` codebooks in a set, of up to 2 ** `bits` codewords of `length` weights, float16 values; never more
    codewords than vectors. Raises IlwpError where there is no such tensor or a weight is not finite.
    """
    weights = {name: t for name, t in tensors.items() if t.ndim > 1 and t.size and t.dtype == np.float32}
    if not weights:
        raise IlwpError("no float32 weight here has two axes or more: nothing to put into codebooks")
    check_finite(weights)
    groups = [weights] if shared else [{name: t} for name, t in weights.items()]
    return [_quantized(group, books, bits, length) for group in groups]


def _quantized(tensors: Mapping[str, np.ndarray], books: int, bits: int, length: int) -> Codebooks:
    scales = {name: _scale(t) for name, t in tensors.items()}
    vectors = cut({name: t / np.float32(scales[name]) for name, t in tensors.items()}, length)
    learned, codes = learn(vectors, books, min(bits, len(vectors).bit_length() - 1))
    return ordered(Codebooks({name: t.shape for name, t in tensors.items()}, tuple(map(half, learned)), codes, scales))


def _scale(tensor: np.ndarray) -> float:
    """The standard deviation as float32, or where that is zero the greatest magnitude; 1 for zeros."""
    deviation = float(np.float32(np.std(tensor, dtype=np.float64)))
    return deviation or float(np.abs(tensor).max()) or 1.0


def learn(vectors: np.ndarray, books: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Codebooks (books, 2 ** bits, d) float32 for vectors (n, d) float32, and codes (n, books) int32; deterministic."""
    import faiss

    faiss.omp_set_num_threads(1)
    quantizer = faiss.ResidualQuantizer(vectors.shape[1], books, bits)
    quantizer.train_type = faiss.ResidualQuantizer.Train_default  # k-means, which needs no more vectors than codewords
    quantizer.cp.min_points_per_centroid = 1  # fewer are no reason to print a warning
    vectors = np.ascontiguousarray(vectors)
    # a codebook is learned from what all sums in the beam leave, so those must be few of many
    quantizer.max_beam_size = max(min(BEAM, (1 << bits) // 32), 1)
    quantizer.train(vectors)
    quantizer.max_beam_size = min(BEAM, 1 << bits)  # codes come out wrong where there are fewer sums than it holds
    codes = faiss.unpack_bitstrings(quantizer.compute_codes(vectors), books, bits)
    learned = faiss.vector_to_array(quantizer.codebooks).reshape(books, 1 << bits, -1)
    return learned, codes.astype(np.int32)


def half(book: np.ndarray) -> np.ndarray:
    """A codebook rounded to float16, as float32."""
    return book.astype(np.float16).astype(np.float32)
