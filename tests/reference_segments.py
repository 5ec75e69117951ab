"""A decoder of `.ilwp` files of format 2 written from the formats' tables alone: slow, plain, without a line of the
project. The ANS coder is constriction's, as the format says.
"""

import math
import struct

import constriction
import numpy as np
from reference_decoder import index

TYPES = [
    "<f4", "<f2", "bfloat16", "<f8", *4 * ["float8"], "", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "?",
]  # fmt: skip
Uniform = constriction.stream.model.Uniform
ANS = constriction.stream.stack.AnsCoder


class Bytes:
    """A segment's bytes, taken from the front."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def take(self, count: int) -> bytes:
        part, self.content = self.content[:count], self.content[count:]
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        byte = self.byte()
        return byte if byte < 128 else byte - 128 + 128 * self.varint()

    def step(self) -> float:
        return struct.unpack("<f", b"\0" + self.take(3))[0]


def words(content: bytes) -> object:
    return ANS(np.frombuffer(content, "<u4").astype(np.uint32))


def geometric(reach: int, ratio: int, zero: int | None) -> list[float]:
    tail = [(ratio + 0.5) / 256]
    while len(tail) < reach:
        tail.append(tail[-1] * ((ratio + 0.5) / 256))
    tail, middle = tail[:reach], 1.0
    if zero is not None and reach:
        middle = (zero + 0.5) / 256
        factor = (1 - middle) / 2 / math.fsum(tail)
        tail = [share * factor for share in tail]
    return [*tail[::-1], middle, *tail]


def table(data: Bytes, size: int) -> list[float]:
    """Gamma codes of the differences of lengths in eighths of a bit, filled up to whole bytes."""
    bits, at, length, shares = "".join(f"{byte:08b}" for byte in data.content), 0, 0, []
    for _ in range(size):
        zeros = bits.index("1", at) - at
        number = int(bits[at + zeros : at + 2 * zeros + 1], 2)
        at += 2 * zeros + 1
        length += -(number // 2) if number % 2 else number // 2
        share = 1.0
        for _ in range(length % 8):
            share *= math.sqrt(math.sqrt(math.sqrt(0.5)))
        shares.append(math.ldexp(share, -(length // 8)))
    data.take(-(-at // 8))
    return shares


def coders(data: Bytes, columns: int) -> tuple[int, list]:
    """The reach of levels, and the model of each column."""
    reach, kind = data.varint(), data.byte()
    models = []
    for _ in range(1 if kind >= 3 else columns):
        if kind % 3 == 2:
            shares = table(data, 2 * reach + 1)
        else:
            shares = geometric(reach, data.byte(), data.byte() if kind % 3 else None)
        models.append(constriction.stream.model.Categorical(np.array(shares), perfect=False) if reach else None)
    return reach, models * columns if kind >= 3 else models


def levels(stack, reach: int, model, count: int) -> np.ndarray:
    """So many levels int64 off the coder, which takes no room where there is but one."""
    return stack.decode(model, count).astype(np.int64) - reach if reach else np.zeros(count, np.int64)


def exact(data: Bytes, entries: list[dict]) -> list[np.ndarray]:
    kind = np.dtype(TYPES[entries[0]["type"]])
    counts = [math.prod(entry["shape"]) for entry in entries]
    planes = []
    for _ in range(kind.itemsize):
        if data.byte():
            reach, (model,) = coders(data, 1)
            stack = words(data.take(4 * data.varint()))
            planes.append((levels(stack, reach, model, sum(counts)) + 128).astype(np.uint8))
        else:
            planes.append(np.frombuffer(data.take(sum(counts)), np.uint8))
    values = np.stack(planes, axis=1).tobytes()
    parts = np.split(np.frombuffer(values, kind), np.cumsum(counts)[:-1])
    return [part.reshape(entry["shape"]) for part, entry in zip(parts, entries, strict=True)]


def dense(data: Bytes, entries: list[dict]) -> list[np.ndarray]:
    heads = []
    for _ in entries:
        scale = data.byte()
        if scale == 64:
            step, count = data.step(), data.byte()
            heads.append((scale, step, count, coders(data, 1), coders(data, count)))
            continue
        step, centre = 0.0 if scale else data.step(), data.varint()
        code = coders(data, 1)
        centre = -(centre + 1) // 2 if centre % 2 else centre // 2
        heads.append((scale, step, centre, code, coders(data, 1) if 0 < scale < 128 else None))
    stack, made = words(data.content), []
    for entry, head in zip(entries, heads, strict=True):
        kind, count = np.dtype(TYPES[entry["type"]]), math.prod(entry["shape"])
        if head[0] in (0, 64):
            found = in_classes(stack, entry["shape"], *head[2:]) if head[0] else levels_around(stack, count, *head[2:4])
            inner = np.float64 if kind == np.float64 else np.float32
            values = found.astype(inner) * inner(head[1])
        else:
            scale, _, centre, code, signs = head
            found = levels_around(stack, count, centre, code)
            plus = levels(stack, signs[0], signs[1][0], count) if signs else np.ones(count, np.int64)
            values = plus * np.array([power_of_two(int(level), scale % 128 - 1) for level in found])
        made.append(values.astype(kind).reshape(entry["shape"]))
    assert stack.is_empty()
    return made


def levels_around(stack, count: int, centre: int, code: tuple[int, list]) -> np.ndarray:
    return levels(stack, code[0], code[1][0], count) + centre


def in_classes(stack, shape: list[int], count: int, of_classes: tuple[int, list], code: tuple[int, list]) -> np.ndarray:
    """Levels of a tensor whose columns are in classes: first each column's class, then class after class."""
    rows, columns = shape[0], math.prod(shape[1:])
    classes = levels(stack, of_classes[0], of_classes[1][0], columns)
    found = np.zeros((rows, columns), np.int64)
    for number in range(count):
        mine = classes == number
        found[:, mine] = levels(stack, code[0], code[1][number], rows * int(mine.sum())).reshape(rows, -1)
    return found


def power_of_two(level: int, fineness: int) -> float:
    """2 ** (level / 2 ** fineness): a product of square roots of square roots of 2, the greatest first."""
    whole, part = divmod(level, 2**fineness)
    root, product = 2.0, 1.0
    for digit in range(fineness):
        root = math.sqrt(root)
        if part >> (fineness - 1 - digit) & 1:
            product *= root
    return math.ldexp(product, whole)


def a_set(stack, count: int, reach: int, models: list, signed: bool) -> list[tuple[int, ...]]:
    """Sorted kernels; where the next belongs among those before goes back onto the coder, as does its free sign."""
    kernels: list[tuple[int, ...]] = []
    for size in range(1, count + 1):
        kernel = tuple(int(stack.decode(model)) - reach for model in models)
        if signed and any(kernel):
            first = next(level for level in kernel if level)
            stack.encode_reverse(int(first < 0), Uniform(2))
            kernel = tuple(-level for level in kernel) if first < 0 else kernel
        place = sum(other < kernel for other in kernels)
        ties = kernels.count(kernel) + 1
        at = place + (stack.decode(Uniform(ties)) if ties > 1 else 0)
        kernels.insert(place, kernel)
        if size > 1:
            stack.encode_reverse(int(at), Uniform(size))
    return kernels


def cosines(size: tuple[int, ...]) -> list[np.ndarray]:
    """Kernels of one frequency each, flattened, by the sum of frequencies along the axes."""
    waves = []
    for frequencies in np.ndindex(*size):
        wave = np.ones(())
        for frequency, taps in zip(frequencies, size, strict=True):
            scale = math.sqrt((2 if frequency else 1) / taps)
            axis = np.cos(frequency * (np.arange(taps) + 0.5) * (math.pi / taps)) * scale
            wave = np.multiply.outer(wave, axis)
        waves.append((sum(frequencies), wave.astype(np.float32).astype(np.float64).ravel()))
    return [wave for _, wave in sorted(waves, key=lambda pair: pair[0])]


def kernels(data: Bytes, entries: list[dict]) -> list[np.ndarray]:
    size = tuple(entries[0]["shape"][2:])
    taps, heads = math.prod(size), []
    for entry in entries:
        step, flags, cells = data.step(), data.byte(), None
        if flags & 4:
            runs = [(data.varint(), data.varint()) for _ in range(data.varint())]
            cells = [cell for length, cell in runs for _ in range(length)] or list(range(entry["shape"][0]))
        heads.append((step, flags, cells, *coders(data, taps)))
    stack, before = words(data.content), []
    for entry, (step, flags, cells, reach, models) in zip(entries, heads, strict=True):
        count, method = entry["shape"][0], flags % 4
        pool = np.concatenate(before) if method == 1 else before[-1] if method else np.zeros((1, taps))
        indices = np.arange(count) % len(pool)
        if method in (1, 2):
            indices = stack.decode(Uniform(len(pool)), count) if len(pool) > 1 else np.zeros(count, np.int64)
        if cells is not None and reach:
            coded = np.zeros((count, taps), np.int64)
            for cell in sorted(set(cells)):
                members = [j for j in range(count) if cells[j] == cell]
                coded[members] = a_set(stack, len(members), reach, models, bool(flags & 8))
        else:
            coded = np.stack([levels(stack, reach, model, count) for model in models], axis=1)
        residual = coded * step
        if flags & 16:
            residual = sum(column[:, None] * wave for column, wave in zip(residual.T, cosines(size), strict=True))
        weight = (1.0, 0.75, 0.5, 0.25)[flags // 32]
        found = (residual + weight * pool[indices] if method else residual).astype(TYPES[entry["type"]])
        before.append(found.astype(np.float64))
        entry["found"] = found.reshape(entry["shape"])
    assert stack.get_compressed().tolist() == [0x494C5750, 0x53454544]
    return [entry["found"] for entry in entries]


def decode(file: bytes) -> dict[str, np.ndarray]:
    """All tensors of a file without codebooks, by name."""
    entries = list(index(file).values())
    found: list[np.ndarray | None] = [None] * len(entries)
    for i, entry in enumerate(entries):
        if entry["kind"] == 2:
            found[i] = found[entry["same as"]]
        elif entry["kind"] == 1:
            found[i] = np.full(entry["shape"], np.frombuffer(entry["value"], TYPES[entry["type"]])[0])
        elif found[i] is None:
            together = [j for j in range(i, len(entries)) if entries[j].get("content") is entry["content"]]
            data, those = Bytes(entry["content"]), [entries[j] for j in together]
            for j, tensor in zip(together, {0: exact, 3: dense, 4: kernels}[entry["kind"]](data, those), strict=True):
                found[j] = tensor
    return dict(zip(index(file), found, strict=True))
