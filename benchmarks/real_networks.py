"""Bytes of whole public networks against what their outputs keep: ours, NNCodec, and lossless ZipNN.

    ILWP_DATA=... python benchmarks/real_networks.py    (`make bench-peers`; half an hour)

NNCodec codes a state dict as it comes ("plain"), then with `opt_qp`, then with batch norms folded, which is its `bnf`,
and vectors coarser than its default. Its `lsa` needs training and is left out. "Our biases" adds our correction
of biases to its files: its own decoded weights say which, and it codes them. Sizes are those of real files, from which
the outputs are measured. Rows are saved one by one, and an unfinished run goes on where it stopped.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import audio
import numpy as np
import torch
from peers import VECTOR_QP, nncodec_decode, nncodec_encode, zipnn_decode, zipnn_encode
from results import EFFICIENTNET, kept_rows, load, save, timed
from test_inputs import Judge, pictures, teaching

from ilwp.common.tensor_files import Tensors
from ilwp.door import compress_network, decoded
from ilwp.door.structure import Structure
from ilwp.door.trial import Trial
from ilwp.door.writing import structure_of_module
from ilwp.figures.benchmark_names import CREPE, FOLDED, IMAGENET, NO_GRAPH, OPT_QP, OURS, PEER, TAUGHT, WITH_BIASES
from ilwp.whole.batch_norms import folded
from ilwp.whole.plan import Plan

NAME = "real_networks"
SCALES = {  # mean and deviation of the channels that a network was trained with
    IMAGENET: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    EFFICIENTNET: ((0.496, 0.496, 0.496), (0.502, 0.502, 0.502)),
}
WITH_GRAPH, ALONE = Plan(method="multiset"), Plan()
QUALITIES = {OURS: (31, 21, 26, 16, 12), NO_GRAPH: (31, 40, 24, 20, 36), TAUGHT: (26, 21, 16, 14)}  # dB
COARSE = -50  # NNCodec's step for vectors where its default is finer than it need be


@dataclass(frozen=True)
class Way:
    """How NNCodec makes its files of a network: a file per step of weights, `qps`."""

    qps: tuple[int, ...]
    opt_qp: bool = False
    vector_qp: int = VECTOR_QP
    folded: bool = False  # batch norms, beforehand
    our_biases: bool = False


WAYS = {
    OPT_QP: Way((-46, -43, -41), opt_qp=True),
    PEER: Way((-38, -34, -30)),
    FOLDED: Way((-46, -43, -41, -38), opt_qp=True, vector_qp=COARSE, folded=True),
    WITH_BIASES: Way((-46, -43, -41, -38), opt_qp=True, vector_qp=COARSE, folded=True, our_biases=True),
}
# in place of those above: sound keeps more of its pitch at coarse steps, and vectors as fine as NNCodec's default
QUALITIES_OF = {CREPE: {OURS: (21, 26, 31, 16), NO_GRAPH: (4, 8, 12, 2)}}
WAYS_OF = {
    CREPE: {
        OPT_QP: Way((-18, -12, -25, -6), opt_qp=True),
        PEER: Way((-14, -8, -2)),
        FOLDED: Way((-18, -12, -25, -6), opt_qp=True, folded=True),
        WITH_BIASES: Way((-18, -12, -25), opt_qp=True, folded=True, our_biases=True),
    }
}


@dataclass(frozen=True)
class Subject:
    """A network, its tensors, who compares outputs with its own, and images that teach error feedback."""

    network: Any
    tensors: Tensors
    judge: Judge
    images: np.ndarray | None
    structure: Structure = field(init=False)
    proof_s: float = field(init=False)

    def __post_init__(self) -> None:
        structure = structure_of_module(self.network, self.tensors)
        # what is proven of the graph is cached, so its time is added to each file that needs it
        object.__setattr__(self, "proof_s", timed(lambda: structure.belief, 1)[1])
        object.__setattr__(self, "structure", structure)


def subject_of(name: str) -> Subject:
    """A network with inputs of its kind; nothing teaches the one for sound."""
    tensors, module = load(name)
    if name == CREPE:
        return Subject(module, tensors, Judge(module, audio.inputs()), None)
    return Subject(module, tensors, Judge(module, pictures(*SCALES[name])), teaching(*SCALES[name]))


Row = dict[str, Any]


def ours(subject: Subject, codec: str, quality: float) -> Row:
    """A file of `ilwp compress` with its defaults at a quality in dB."""
    graph = codec in (OURS, TAUGHT)
    plan = Plan(method=(WITH_GRAPH if graph else ALONE).method, quality=quality)
    structure = subject.structure if graph else None
    images = subject.images if codec == TAUGHT else None
    made, encoding = timed(lambda: compress_network(subject.tensors, plan, structure, images), 1)
    back, decoding = timed(lambda: decoded(made.content), 1)
    return _row(subject, made.content, back, encoding + subject.proof_s * graph, decoding)


def peer(subject: Subject, way: Way, qp: int) -> Row:
    """A file of NNCodec."""
    norms = subject.structure.foldable_norms if way.folded else {}
    shapes = {name: t.shape for name, t in subject.tensors.items() if t.dtype == np.float32}

    def encoded(tensors: Mapping[str, np.ndarray]) -> bytes:
        simpler = folded(tensors, norms)
        weights = {name: simpler[name] for name in shapes}
        return nncodec_encode(weights, qp, True, vector_qp=way.vector_qp, opt_qp=way.opt_qp)

    def encode() -> bytes:
        file = encoded(subject.tensors)
        if not way.our_biases:
            return file
        # folding leaves weights as they are, and only batch norms that are not folded know the means
        found = {name: t for name, t in nncodec_decode(file, shapes).items() if t.ndim > 1}
        return encoded(subject.tensors | corrected(subject.structure, subject.tensors, subject.tensors | found))

    file, encoding = timed(encode, 1)
    back, decoding = timed(lambda: nncodec_decode(file, shapes), 1)
    return _row(subject, file, subject.tensors | back, encoding, decoding)


def corrected(structure: Structure, before: Tensors, after: Tensors) -> Tensors:
    """Our biases for quantized weights; none where outputs for synthetic inputs are nearer without."""
    trial = Trial(structure.network, before, structure.names, structure.shape)
    choices = trial.biases(before, after, trial.seen(before))
    return max(choices, key=lambda biases: trial.snrs(after | biases)[0])


def lossless(subject: Subject) -> Row:
    """A file of ZipNN."""
    weights = {name: t for name, t in subject.tensors.items() if t.dtype == np.float32}
    file, encoding = timed(lambda: zipnn_encode(weights), 1)
    back, decoding = timed(lambda: zipnn_decode(file, {name: t.shape for name, t in weights.items()}), 1)
    assert all(np.array_equal(back[name], t) for name, t in weights.items())
    return {"bytes": len(file), "encode_s": encoding, "decode_s": decoding}


def _row(subject: Subject, file: bytes, back: Mapping[str, np.ndarray], encoding: float, decoding: float) -> Row:
    seconds = {"encode_s": encoding, "decode_s": decoding}
    return {"bytes": len(file), **subject.judge.compare(back), **seconds}


def wanted() -> Iterator[tuple[str, str, str, Callable[[Subject], Row]]]:
    """Network, codec, setting and measurement of every row, what matters most first."""
    for network in (*SCALES, CREPE):
        yield network, "ZipNN", "", lossless
        qualities, ways = QUALITIES_OF.get(network, QUALITIES), WAYS_OF.get(network, WAYS)
        of_ours = {c: [(f"{q} dB", partial(ours, codec=c, quality=q)) for q in qualities[c]] for c in qualities}
        of_peer = {c: [(f"qp {qp}", partial(peer, way=way, qp=qp)) for qp in way.qps] for c, way in ways.items()}
        for codec, points in (of_ours | of_peer).items():
            for setting, measure in points:
                yield network, codec, setting, measure


def main() -> None:
    """All rows that are not there yet; from the beginning where all are."""
    torch.set_num_threads(1)
    plan = list(wanted())
    kept = kept_rows(NAME)
    rows = kept if len(kept) < len(plan) else []
    subjects: dict[str, Subject] = {}
    for network, codec, setting, measure in plan:
        if any((row["network"], row["codec"], row["setting"]) == (network, codec, setting) for row in rows):
            continue
        if network not in subjects:
            subjects = {network: subject_of(network)}
        found = {"network": network, "codec": codec, "setting": setting} | measure(subjects[network])
        rows.append(found | {name: len(inputs) for name, inputs in subjects[network].judge.inputs.items()})
        save(NAME, rows)


if __name__ == "__main__":
    main()
