"""What reads files of others' making, and what a case must keep to."""

import gc
import mmap
import resource
import struct
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import islice

import numpy as np
import safetensors.numpy
from samples import state_dict
from sound_files import files_of_codebooks, files_of_format_1, files_of_format_2, records, saved_by_torch

from ilwp.cli import reports
from ilwp.common import safetensors_files, torch_files
from ilwp.common.bytes import WEIGHTS_LIMIT, decoding_limit
from ilwp.common.errors import IlwpError
from ilwp.common.files import mapped
from ilwp.common.paths import CONFIG
from ilwp.door import decoded
from ilwp.experiments.profiles import parse_profile
from ilwp.experiments.records import parse_record
from ilwp.paper.kernels import depthwise_kernels
from ilwp.whole.archive import Archive
from ilwp.whole.container import CONTAINER_HEAD

LONGEST_SECONDS = 1.0
OVERHEAD = 8 << 20  # bytes that a reader may take for a file of any length
MOST_INDEX = 1 << 20  # bytes
CELLS = 1000  # of a profile, that are looked at


def inspect(content: bytes) -> None:
    """What `ilwp decompress` and `ilwp inspect` do with a file."""
    decoded(content)
    reports.inspected(content)


def state(read: Callable[[mmap.mmap], tuple[dict[str, np.ndarray], object]]) -> Callable[[bytes], object]:
    return lambda content: depthwise_kernels(read(mapped(content))[0])


@dataclass(frozen=True)
class Target:
    """A reader, sound samples for it, and how many bytes it may take for a file of a given length."""

    read: Callable[[bytes], object]
    samples: Callable[[], list[bytes]]
    limit: Callable[[int], int] = lambda length: OVERHEAD + length
    checksum: bool = False

    def loosened(self, content: bytes) -> bytes:
        """The content in the form that is mutated: of format 2 with an index that is not packed."""
        return _with_plain_index(content) if self.checksum and content[4:5] == b"\2" else content

    def sealed(self, content: bytes) -> bytes:
        """What `loosened` gave, mutated, with its index packed and its checksums made right, if it has any."""
        if not self.checksum:
            return content
        if content[4:5] == b"\2":
            return _with_packed_index(content)
        return content[:-4] + struct.pack("<I", zlib.crc32(content[:-4]))


def _with_plain_index(content: bytes) -> bytes:
    if len(content) < CONTAINER_HEAD.size:
        return content
    end = CONTAINER_HEAD.size + CONTAINER_HEAD.unpack(content[: CONTAINER_HEAD.size])[2]
    try:
        index = zlib.decompressobj(-15).decompress(content[CONTAINER_HEAD.size : end], MOST_INDEX)
    except zlib.error:
        return content
    return CONTAINER_HEAD.pack(b"ILWP", 2, len(index), 0) + index + content[end:]


def _with_packed_index(content: bytes) -> bytes:
    """The checksums of segments are made right where the index reads."""
    if len(content) < CONTAINER_HEAD.size:
        return content
    end = CONTAINER_HEAD.size + CONTAINER_HEAD.unpack(content[: CONTAINER_HEAD.size])[2]
    index, segments = content[CONTAINER_HEAD.size : end], content[end:]
    sealed = _of(index, segments)
    try:
        archive = Archive(lambda start, size: sealed[start : start + size], len(sealed))
    except IlwpError:
        return sealed
    for place in archive.places:
        wrong = struct.pack("<I", place.checksum)
        right = struct.pack("<I", zlib.crc32(sealed[place.start : place.start + place.length]))
        index = index.replace(wrong, right, 1)
    return _of(index, segments)


def _of(index: bytes, segments: bytes) -> bytes:
    packed = zlib.compress(index, wbits=-15)
    return CONTAINER_HEAD.pack(b"ILWP", 2, len(packed), zlib.crc32(packed)) + packed + segments


def decoded_bytes(length: int) -> int:
    """Eight for each weight that a file of so many bytes may stand for."""
    return 8 * decoding_limit(WEIGHTS_LIMIT, length)


TARGETS = {
    ".ilwp, format 1": Target(inspect, files_of_format_1, decoded_bytes, checksum=True),
    ".ilwp, format 2": Target(inspect, files_of_format_2, decoded_bytes, checksum=True),
    ".ilwp, codebooks": Target(inspect, files_of_codebooks, decoded_bytes, checksum=True),
    "safetensors": Target(state(safetensors_files.read_safetensors), lambda: [safetensors.numpy.save(state_dict())]),
    "torch": Target(state(torch_files.read_torch_file), saved_by_torch),
    "record": Target(parse_record, records),
    "profile": Target(
        lambda content: list(islice(parse_profile(content).cells(), CELLS)),
        lambda: [path.read_bytes() for path in sorted(CONFIG.glob("*.yaml"))],
    ),
}


@dataclass
class Watch:
    """Runs cases and keeps count; `problems` are those that broke a promise."""

    target: Target
    cases: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    most_of_limit: float = 0.0  # memory taken, as a share of four times the limit
    most_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    weigh: int = 100  # every so manieth case is weighed by tracemalloc, which slows it down
    writing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        sys.addaudithook(self._look)
        self.watching = False
        for content in self.target.samples():
            self.target.read(content)
        gc.collect()
        gc.freeze()  # or a case now and then pays for looking through all of torch

    def _look(self, event: str, arguments: tuple[object, ...]) -> None:
        if not getattr(self, "watching", False):
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.system", "subprocess.Popen", "socket.connect"):
            self.writing.append(f"{event} {arguments}")

    def run(self, content: bytes) -> None:
        """One case."""
        weighed = self.cases % self.weigh == 0
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if weighed:
            tracemalloc.start()
        self.watching, started = True, time.process_time()
        error: BaseException | None = None
        try:
            self.target.read(content)
        except IlwpError as refusal:
            self.refused += 1
            if "\n" in str(refusal).strip():
                error = refusal
        except BaseException as other:
            error = other
        took = time.process_time() - started
        self.watching = False
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        if weighed:
            grown = max(grown, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        else:
            self.slowest_s = max(self.slowest_s, took)
        self.cases += 1
        self.most_bytes = max(self.most_bytes, grown)
        share = grown / (4 * self.target.limit(len(content)))
        self.most_of_limit = max(self.most_of_limit, share)
        wrong = [f"{type(error).__name__}: {error}"] if error else []
        wrong += [f"{took:.2f} s"] if took > LONGEST_SECONDS and not weighed else []
        wrong += [f"{grown:,} bytes"] if share > 1 else []
        wrong += self.writing[:1]
        self.writing.clear()
        self.problems += [f"{problem[:300]} from {content.hex()[:4000]}" for problem in wrong][:1]

    def figures(self) -> dict[str, object]:
        """What goes into the results file."""
        values = asdict(self)
        return {
            **{name: values[name] for name in ("cases", "refused")},
            **{name: round(values[name], 4) for name in ("slowest_s", "most_of_limit")},
            "most_bytes": self.most_bytes,
            "problems": len(self.problems),
        }
