"""Prints, for files of both formats and what they decode to, a hash each; needs nothing but the codec."""

import hashlib
import json

import numpy as np
from samples import VARIANTS, state_dict, unusual_kernels

from ilwp.door import decoded
from ilwp.networks.symmetry import Symmetry
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import METHODS
from ilwp.paper.settings import Settings
from ilwp.whole import coding, segments
from ilwp.whole.plan import Plan


def digest(tensors: dict[str, np.ndarray]) -> str:
    parts = (name.encode() + t.tobytes() for name, t in tensors.items())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


found = {}
for kind, layers in unusual_kernels().items():
    for settings in [*VARIANTS, *(Settings(method, bits) for method in METHODS for bits in (2, 6))]:
        coded = codec.encode_kernels(layers, settings)
        content, _ = bitstream.write_kernel_file(coded)
        key = f"1 {kind} {settings}"
        found[key] = (
            hashlib.sha256(content).hexdigest()[:16],
            digest(codec.decode_kernels(bitstream.read_kernel_file(content)[0])),
        )
tensors = state_dict() | {"dense.weight": np.random.default_rng(1).standard_normal((256, 512)).astype(np.float32)}
free = [Symmetry(n, np.zeros(len(t), np.int64), signed=()) for n, t in tensors.items() if "depthwise" in n]
for method in (*METHODS, "multiset"):
    for bits in (2, 5.5, 8):
        plan = Plan(method, bits=bits, dense_bits=bits, vector_bits=bits)
        content = segments.write_pieces(coding.encode_tensors(tensors, plan, free))
        found[f"2 {plan}"] = (
            hashlib.sha256(content).hexdigest()[:16],
            digest(decoded(content)),
        )
print(json.dumps(found))
