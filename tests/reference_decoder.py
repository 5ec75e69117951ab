"""An `.ilwp` decoder written from the format's byte table alone: slow, plain, and without a line of the project."""

import struct
import zlib


def decode(file: bytes) -> tuple[dict[str, bytes], bytes]:
    """Each layer's weights as little-endian float32 bytes, and the safetensors file of the other tensors."""
    content, checksum = file[:-4], struct.unpack("<I", file[-4:])[0]
    assert zlib.crc32(content) == checksum
    magic, version, method, bits, flags, height, width, layers, section_bytes = struct.unpack_from("<4s6BHI", content)
    assert (magic, version) == (b"ILWP", 1)
    affine, one_range, one_table = (bool(flags & mask) for mask in (2, 4, 8))
    taps, at = height * width, struct.calcsize("<4s6BHI")

    names, channels = [b""], []
    for _ in range(layers):
        start, end, middle = content[at : at + 3]
        between = content[at + 3 : at + 3 + middle]
        names.append(names[-1][:start] + between + names[-1][len(names[-1]) - end :])
        channels.append(struct.unpack_from("<I", content, at + 3 + middle)[0])
        at += 7 + middle

    def floats(count: int) -> list[float]:
        nonlocal at
        at += 4 * count
        return list(struct.unpack_from(f"<{count}f", content, at - 4 * count))

    decoded = [floats(channels[0] * taps)]
    steps = []
    for layer in range(1, layers):
        steps.append(steps[0] if one_range and layer > 1 else (floats(2) if affine else [*floats(1), 0.0]))
    stream = "".join(f"{byte:08b}" for byte in content[at : at + section_bytes])
    rest = content[at + section_bytes :]

    position = 0

    def take(count: int) -> str:
        nonlocal position
        position += count
        return stream[position - count : position]

    def code_table() -> dict[str, int]:
        length, lengths = 0, []
        for _ in range(2**bits if affine else 2**bits - 1):
            zeros = 0
            while take(1) == "0":
                zeros += 1
            gamma = int("1" + take(zeros), 2)
            length += gamma // 2 if gamma % 2 == 0 else -(gamma // 2)  # 1, 2, 3, 4 ... stand for 0, 1, -1, 2 ...
            lengths.append(length)
        book, word, before = {}, 0, 0
        for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):
            word <<= length - before
            book[f"{word:0{length}b}"] = symbol
            word, before = word + 1, length
        return book if len(book) > 1 else {"": symbol}

    book = code_table() if one_table and layers > 1 else {}
    for layer in range(1, layers):
        count, (step, offset) = channels[layer], steps[layer - 1]
        if not one_table:
            book = code_table()
        pool = [weight for before in decoded for weight in before] if method == 1 else decoded[-1]
        choices = len(pool) // taps
        if method in (1, 2):
            number = int("0" + take((choices**count - 1).bit_length()), 2)
            indices = [number // choices**j % choices for j in range(count)]
        else:
            indices = [j % choices for j in range(count)]
        weights = []
        for j in range(count):
            for tap in range(taps):
                word = ""
                while word not in book:
                    word += take(1)
                level = book[word] - (0 if affine else 2 ** (bits - 1) - 1)
                prediction = pool[indices[j] * taps + tap] if method else 0.0
                weight = prediction + (offset + level * step)
                weights.append(struct.unpack("<f", struct.pack("<f", weight))[0])
        decoded.append(weights)
    assert len(stream) - position < 8
    assert "1" not in stream[position:]
    layers_bytes = [struct.pack(f"<{len(weights)}f", *weights) for weights in decoded]
    return {name.decode(): weights for name, weights in zip(names[1:], layers_bytes, strict=True)}, rest
