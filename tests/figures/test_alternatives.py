import numpy as np
import pytest

from ilwp.common.distortion import zero_share
from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures import alternatives
from ilwp.paper import bitstream, codec
from ilwp.paper.settings import Settings


def test_alternatives_are_files_beside_the_default_file() -> None:
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", inter_layer=1, seed=0)
    table = alternatives.alternatives(runs, 6, read_kernels).set_index("setting")
    kernels = read_kernels(next(iter(runs)))
    size = len(bitstream.write_kernel_file(codec.encode_kernels(kernels, Settings("ill", 6)))[0])
    affine = len(bitstream.write_kernel_file(codec.encode_kernels(kernels, Settings("ill", 6, quantizer="affine")))[0])
    assert table.loc["quantizer", "size"] == pytest.approx(affine / size)
    assert table.loc["Huffman table", "gain"] == 0  # the same levels
    assert table.loc["loop", "gain"] < 0
    assert list(table.index) == [a.setting for a in alternatives.ALTERNATIVES]


def test_no_runs_give_an_empty_table() -> None:
    assert alternatives.alternatives({}, 8, read_kernels).empty
    assert all(np.isnan(share) for share in alternatives.commonest_levels({}, 8, read_kernels).values())


def test_residuals_pile_up_at_zero_where_zero_is_a_level() -> None:
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", inter_layer=1, seed=0)
    shares = alternatives.commonest_levels(runs, 8, read_kernels)
    coded = codec.encode_kernels(read_kernels(next(iter(runs))), Settings("ill", 8))
    assert shares["symmetric"] == pytest.approx(100 * zero_share(coded.levels))
    assert shares["affine"] < shares["symmetric"]


def test_branches_of_a_block_change_places_and_no_other_layer_does() -> None:
    names = ["stem", "1.branch1.0", "1.branch2.1", "2.branch2.1"]
    kernels = {name: np.full((1, 3, 3), i, np.float32) for i, name in enumerate(names)}
    changed = alternatives.other_layer_order(kernels)
    assert list(changed) == ["stem", "1.branch2.1", "1.branch1.0", "2.branch2.1"]
    assert all((changed[name] == kernels[name]).all() for name in names)
    assert list(alternatives.other_layer_order(changed)) == list(changed)


def test_first_layers_and_loops_have_rows_for_what_has_run() -> None:
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", inter_layer=1, seed=0)
    table = alternatives.first_layers(runs, 8, read_kernels)
    assert table["method"].tolist() == ["ILL"]
    record = next(iter(runs.values()))
    size = next(m.rate.total for m in record.measurements if (m.method, m.bits, m.loop) == ("ill", 8, "closed"))
    assert table["file (bytes)"].tolist() == [f"{size / 8:,.0f}"]
    loops = alternatives.accuracies_by_loop(runs)
    assert loops["loop"].tolist() == ["closed", "open"]
    assert alternatives.first_layers({}, 8, read_kernels).empty
    assert alternatives.accuracies_by_loop({}).empty
