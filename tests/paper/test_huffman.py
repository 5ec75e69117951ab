import numpy as np
import pytest
from bitarray import bitarray
from bitarray.util import canonical_huffman, urandom
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ilwp.common.errors import IlwpError
from ilwp.common.gamma_code import encode_lengths
from ilwp.paper.huffman import code_lengths, decode_symbols, decode_table, encode_symbols, entropy

occurrences = st.lists(st.integers(0, 1000), min_size=1, max_size=60).filter(any).map(np.array)


@given(occurrences)
def test_entropy_is_shannons(counts):
    assert entropy(counts) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


@given(occurrences.filter(lambda counts: np.count_nonzero(counts) > 1))
def test_no_prefix_code_is_shorter(counts):
    book, _, _ = canonical_huffman({s: int(n) for s, n in enumerate(counts) if n})
    cost = (counts * code_lengths(counts)).sum()
    assert cost == sum(counts[s] * len(word) for s, word in book.items())
    assert entropy(counts) <= cost / counts.sum() + 1e-12 < entropy(counts) + 1 + 1e-9


@given(occurrences)
def test_rarer_symbols_never_have_shorter_codes_and_absent_ones_have_none(counts):
    lengths = code_lengths(counts)
    np.testing.assert_array_equal(lengths > 0, counts > 0)
    used, n = lengths[counts > 0], counts[counts > 0]
    assert not ((n[:, None] < n[None]) & (used[:, None] < used[None])).any()


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ([1, 1, 1], [2, 2, 1]),
        ([1, 1, 1, 1, 1], [3, 3, 2, 2, 2]),
        ([2, 1, 1, 0], [1, 2, 2, 0]),
        ([0, 0, 7], [0, 0, 1]),
        ([0, 0], [0, 0]),
    ],
)
def test_of_equally_rare_subtrees_the_lowest_symbol_is_merged_first(counts: list[int], lengths: list[int]):
    assert code_lengths(np.array(counts)).tolist() == lengths


@given(occurrences, st.randoms(use_true_random=False), st.binary(max_size=3))
def test_symbols_come_back_from_in_front_of_anything(counts, random, behind):
    symbols = [s for s, n in enumerate(counts) for _ in range(n % 7 + (n > 0))]
    random.shuffle(symbols)
    lengths = code_lengths(np.bincount(symbols, minlength=len(counts)))
    bits = encode_symbols(np.array(symbols), lengths)
    assert len(bits) == (lengths[symbols].sum() if len(set(symbols)) > 1 else 0)
    bits.frombytes(behind)
    assert decode_symbols(bits, len(symbols), lengths).tolist() == symbols


def test_a_single_symbol_takes_no_bits():
    lengths = code_lengths(np.array([0, 9, 0]))
    assert len(encode_symbols(np.full(9, 1), lengths)) == 0
    assert decode_symbols(bitarray(), 9, lengths).tolist() == [1] * 9


def test_code_words_are_canonical():
    # lengths 2, 1, 3, 3: words 10, 0, 110, 111
    assert encode_symbols(np.arange(4), np.array([2, 1, 3, 3])) == bitarray("100110111")


def test_the_most_skewed_counts_still_decode():
    lengths = code_lengths(fibonacci(45))
    assert lengths.max() <= 31
    assert (2.0**-lengths).sum() == 1
    symbols = np.arange(45)
    assert decode_symbols(encode_symbols(symbols, lengths), 45, lengths).tolist() == symbols.tolist()
    assert decode_table(encode_lengths(lengths), 45)[0].tolist() == lengths.tolist()


def fibonacci(count: int) -> np.ndarray:
    """Counts whose code is as long as a code of so many symbols can be."""
    numbers = [1, 1]
    while len(numbers) < count:
        numbers.append(sum(numbers[-2:]))
    return np.array(numbers)


def test_a_code_of_the_greatest_length_is_kept_and_a_longer_one_is_that_of_halved_counts():
    longest = code_lengths(fibonacci(32))
    assert longest.max() == 31
    assert decode_table(encode_lengths(longest), 32)[0].tolist() == longest.tolist()
    halved = (fibonacci(33) + 1) // 2
    assert code_lengths(fibonacci(33)).tolist() == code_lengths(halved).tolist()
    assert code_lengths(halved).max() <= 31


@pytest.mark.parametrize("counts", [[], [0, 0]])
def test_nothing_needs_no_code(counts: list[int]):
    assert code_lengths(np.array(counts, np.int64)).tolist() == counts


def test_symbols_that_occur_once_have_an_entropy():
    assert entropy(np.array([1, 1])) == 1


@given(occurrences, st.binary(max_size=3))
def test_a_table_comes_back_from_in_front_of_anything(counts, behind):
    lengths = code_lengths(counts)
    bits = encode_lengths(lengths)
    written = len(bits)
    bits.frombytes(behind)
    found, read = decode_table(bits, len(lengths))
    assert (found.tolist(), read) == (lengths.tolist(), written)
    with pytest.raises(IlwpError, match="cut short"):
        decode_table(bits[: written - 1], len(lengths))


def test_a_table_by_hand():
    # differences 1, 0, 1, 0, -2 fold to 2, 1, 2, 1, 5
    assert encode_lengths(np.array([1, 1, 2, 2, 0])) == bitarray("0101010100101")


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 1, 1], "not a prefix code"), ([2, 2, 2], "not a prefix code"), ([2], "not a prefix code"),
        ([1, 1, 0, 1], "not a prefix code"), ([0, 0], "not a prefix code"), ([-1, 1], "impossible length"),
        ([31, 32], "impossible length"), ([1, 9999], "cut short"),
    ],
)  # fmt: skip
def test_tables_of_no_prefix_code_are_refused(lengths: list[int], message: str):
    with pytest.raises(IlwpError, match=rf"^a code table (is|holds an) {message}$"):
        decode_table(encode_lengths(np.array(lengths)), len(lengths))


def test_random_bits_are_a_prefix_code_or_refused():
    accepted = 0
    for size in (1, 2, 3):
        for number in range(1 << 10):
            bits = bitarray(f"{number:010b}")
            try:
                lengths, used = decode_table(bits, size)
            except IlwpError:
                continue
            accepted += 1
            assert encode_lengths(lengths) == bits[:used]
            assert lengths.tolist() == [1] * size if size == 1 else 0.5 <= (2.0 ** -lengths[lengths > 0]).sum() <= 1
    assert accepted


@given(st.integers(0, 200), st.integers(1, 50))
def test_too_few_bits_are_refused(length, missing):
    lengths = np.full(16, 4)
    with pytest.raises(IlwpError, match=r"too soon|do not decode"):
        decode_symbols(urandom(length), length // 4 + missing, lengths)
