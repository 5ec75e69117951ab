"""Speed and memory of compressing whole networks: ours beside NNCodec, zstd and ZipNN, on one core.

    python benchmarks/speed.py    (`make bench-speed`; ten minutes, 4 GB of memory)

All codecs take turns, so that what else the machine does hits all alike; a number is the median of the turns.
Seconds are of processor time, in this process. zstd and ZipNN give every bit back, NNCodec and ours do not. Two cores:
two processes at once decode the halves of a file, and the slower one's processor time is held against that of a process
that decodes all of it. Memory is the most that a process of its own held from after its imports on, the network's
tensors included. Codecs have their default settings; a second row of ours is at the size of NNCodec's file.
"""

import argparse
import importlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from peers import nncodec_decode, nncodec_encode
from zipnn import ZipNN

import ilwp
from ilwp.common.tensor_files import from_safetensors, read_tensors, to_safetensors, write_state_dict
from ilwp.figures.benchmark_names import AS_SMALL, AS_SMALL_DB, IMAGENET, OURS, PEER

QP = -38  # NNCodec's default
VIT, CONVNEXT = "ViT-B/16, random", "ConvNeXt-T, random"
TORCHVISION = {VIT: "vit_b_16", CONVNEXT: "convnext_tiny"}
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Codec:
    """A codec's two directions, and how often they are measured on networks of few weights and of many."""

    encode: Callable[[Tensors], bytes]
    decode: Callable[[bytes, Tensors], Any]
    small: int = 3
    large: int = 2


def _zstd(level: int, small: int, large: int) -> Codec:
    return Codec(
        lambda tensors: zstandard.ZstdCompressor(level).compress(to_safetensors(tensors)),
        lambda content, _: from_safetensors(zstandard.ZstdDecompressor().decompress(content)),
        small,
        large,
    )


def _zipnn() -> Any:
    return ZipNN(input_format="byte", bytearray_dtype="float32", threads=1)


def _floats(tensors: Tensors) -> Tensors:
    return {name: t for name, t in tensors.items() if t.dtype == np.float32}


CODECS = {
    OURS: Codec(ilwp.compress, lambda content, _: ilwp.decompress(content)),
    AS_SMALL: Codec(
        lambda tensors: ilwp.compress(tensors, quality=AS_SMALL_DB),
        lambda content, _: ilwp.decompress(content),
        large=0,
    ),
    PEER: Codec(
        lambda tensors: nncodec_encode(_floats(tensors), QP, True),
        lambda content, tensors: nncodec_decode(content, {n: t.shape for n, t in _floats(tensors).items()}),
        small=2,
        large=0,
    ),
    "ZipNN": Codec(
        lambda tensors: _zipnn().compress(to_safetensors(tensors)),
        lambda content, _: from_safetensors(bytes(_zipnn().decompress(content))),
    ),
    "zstd, level 3": _zstd(3, 3, 2),
    "zstd, level 19": _zstd(19, 1, 0),
}  # fmt: skip


def measured(network: str, tensors: Tensors, codecs: Mapping[str, Codec], folder: Path) -> list[dict[str, Any]]:
    """One row per codec."""
    weights, memory = sum(t.size for t in tensors.values()), sum(t.nbytes for t in tensors.values())
    many = weights > 1e7
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in codecs}
    files: dict[str, bytes] = {}
    for turn in range(3):
        for name, codec in codecs.items():
            if turn < (codec.large if many else codec.small):
                files[name], encoding = _timed(lambda c=codec: c.encode(tensors))
                _, decoding = _timed(lambda c=codec, f=files[name]: c.decode(f, tensors))
                seconds[name][0].append(encoding)
                seconds[name][1].append(decoding)
    plain = folder / "network.safetensors"
    write_state_dict(plain, tensors)
    rows = []
    for name, content in files.items():
        coded = folder / "network.coded"
        coded.write_bytes(content)
        peaks = {f"{way}_peak": _peak(name, way, plain, coded) / memory for way in ("encode", "decode")}
        encoding, decoding = map(statistics.median, seconds[name])
        row = {
            "network": network, "codec": name, "weights": weights, "memory": memory, "bytes": len(content),
            "encode_s": encoding, "decode_s": decoding,
        } | peaks  # fmt: skip
        if name == OURS and many:
            row["two_cores"] = _gain_of_two(plain, coded)
        print(row, flush=True)
        rows.append(row)
    return rows


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = function()
    return result, time.process_time() - started


def _peak(codec: str, way: str, plain: Path, coded: Path) -> float:
    """Bytes that a process of its own needs at most beyond its imports."""
    return float(_child("--peak", codec, way, plain, coded))


def _gain_of_two(plain: Path, coded: Path) -> float:
    """Processor time of one process that decodes a file, over that of the slower of two at once."""
    alone = float(_child("--part", plain, coded, "0", "1"))
    both = [_started("--part", plain, coded, part, "2") for part in "01"]
    return alone / max(float(child.communicate()[0]) for child in both)


def _started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _child(*arguments: object) -> str:
    child = _started(*arguments)
    output = child.communicate()[0]
    if child.returncode:
        raise SystemExit(child.returncode)
    return output


def peak(codec: str, way: str, plain: Path, coded: Path) -> None:
    """Print the bytes that one direction takes at most, in this process."""
    importlib.import_module("nncodec.nn" if codec == PEER else "ilwp.door")
    before = _most_held()
    if way == "encode":
        CODECS[codec].encode(read_tensors(plain))
    elif codec == PEER:  # it has to be told shapes, which take no memory
        shapes = {n: np.broadcast_to(np.float32(0), t.shape) for n, t in _floats(read_tensors(plain)).items()}
        CODECS[codec].decode(coded.read_bytes(), shapes)
    else:
        CODECS[codec].decode(coded.read_bytes(), {})
    print(_most_held() - before)


def _most_held() -> int:
    """Bytes of memory that this process has held at most, on Linux; `getrusage` would count its parent's."""
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])


def part(plain: Path, coded: Path, number: int, parts: int) -> None:
    """Print the processor time of decoding one of several parts of a file, with about as many weights each."""
    sizes, shares, mine = {name: t.size for name, t in read_tensors(plain).items()}, [0] * parts, []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        least = shares.index(min(shares))
        shares[least] += sizes[name]
        mine += [name] * (least == number)
    with ilwp.open_file(coded) as file:
        started = time.process_time()
        for name in mine:
            file.get_tensor(name)
        print(time.process_time() - started)


def main() -> None:
    """All networks into data/benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.peak:
        codec, way, plain, coded = wanted.peak
        peak(codec, way, Path(plain), Path(coded))
    elif wanted.part:
        plain, coded, number, parts = wanted.part
        part(Path(plain), Path(coded), int(number), int(parts))
    else:
        from results import load, save  # which no process that is measured needs

        rows = []
        with tempfile.TemporaryDirectory() as folder:
            for network in (IMAGENET, VIT, CONVNEXT):
                tensors = load(network)[0] if network == IMAGENET else _random(TORCHVISION[network])
                codecs = {OURS: CODECS[OURS]} if network == CONVNEXT else CODECS
                rows += measured(network, tensors, codecs, Path(folder))
        save("speed", rows, ("numpy", "constriction", "nncodec", "zstandard", "zipnn"))


def _random(name: str) -> Tensors:
    from zoo_networks import Builder

    return {name: t.numpy() for name, t in Builder(name, "torchvision", 0).make().state_dict().items()}


if __name__ == "__main__":
    main()
