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


def index(file: bytes) -> dict[str, dict]:
    """What the index of a file of format 2 says of each tensor, and the bytes of its segment."""
    magic, version, length, checksum = struct.unpack_from("<4sBII", file)
    assert (magic, version) == (b"ILWP", 2)
    content, at, end = zlib.decompress(file[13 : 13 + length], wbits=-15), 0, 13 + length
    assert zlib.crc32(file[13 : 13 + length]) == checksum
    sizes = [4, 2, 2, 8, 1, 1, 1, 1, 1, 1, 2, 4, 8, 1, 2, 4, 8, 1, 8, 16]

    def varint() -> int:
        nonlocal at
        number, shift = 0, 0
        while True:
            byte = content[at]
            at, number, shift = at + 1, number | (byte & 127) << shift, shift + 7
            if byte < 128:
                return number

    found: dict[str, dict] = {}
    segments: list[bytes] = []
    name = b""
    for _ in range(varint()):
        start, last, middle = varint(), varint(), varint()
        name = name[:start] + content[at : at + middle] + name[len(name) - last :]
        at += middle
        head = content[at]
        kind, joins, axes = head % 8, head // 8 % 2, head // 16
        at += 1
        entry = found[name.decode()] = {"kind": kind}
        if kind == 2:
            entry["same as"] = varint()
            continue
        entry["type"] = content[at]
        at += 1
        entry["shape"] = [varint() for _ in range(axes)]
        if kind == 1:
            entry["value"] = content[at : at + sizes[entry["type"]]]
            at += len(entry["value"])
        elif joins:
            entry["content"] = segments[varint()]
        else:
            size = varint()
            assert struct.unpack_from("<I", content, at)[0] == zlib.crc32(file[end : end + size])
            at += 4
            segments.append(file[end : end + size])
            end += size
            entry["content"] = segments[-1]
    assert end == len(file)
    return found
