import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ilwp.figures import real_ideas, real_networks
from ilwp.figures.benchmarks import benchmark_rows


def points(**columns: list | str) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_bytes_at_an_snr_lie_between_the_files_and_nowhere_else():
    curve = points(photographs_snr_db=[10.0, 20.0], bytes=[100, 400])
    assert real_networks.snr_bytes(curve, snr_db=15) == pytest.approx(200)
    assert np.isnan(real_networks.snr_bytes(curve, snr_db=21))
    assert np.isnan(real_networks.snr_bytes(curve, snr_db=9))
    assert real_networks.snr_bytes(curve, snr_db=9, beyond=1) == pytest.approx(100 / 4**0.1)
    assert np.isnan(real_networks.snr_bytes(curve, snr_db=8, beyond=1))


def test_bytes_at_an_agreement_are_not_those_of_files_that_all_have_it():
    curve = points(
        photographs_agreement=[real_networks.AGREEMENT - 0.05, real_networks.AGREEMENT + 0.05], bytes=[100, 200]
    )
    assert real_networks.agreement_bytes(curve) == pytest.approx(150)
    assert np.isnan(real_networks.agreement_bytes(curve.iloc[1:]))
    assert np.isnan(real_networks.agreement_bytes(curve.iloc[:1]))


def test_an_aim_that_is_not_measured_is_not_met():
    aims = real_networks.real_aims()
    assert not aims[aims["reached"].isna()]["met"].any()
    known = aims.dropna()
    assert ((known["reached"] <= known["wanted"]) == known["met"]).all()


def test_every_file_is_in_the_figure_or_below_what_it_shows():
    for kinds in (real_networks.PICTURES, real_networks.SOUND):
        figure = real_networks.draw(kinds)
        assert len(figure.axes) == 2 * len(kinds) * len(real_networks.networks(*kinds))
        plt.close(figure)
    of_pictures, of_sound = map(
        set, (real_networks.networks(*k) for k in (real_networks.PICTURES, real_networks.SOUND))
    )
    assert of_pictures | of_sound == set(real_networks.networks())
    assert not of_pictures & of_sound


def test_a_lossless_codec_has_one_size_for_all_outputs():
    table = real_networks.real_sizes(real_networks.IMAGENET)
    lossless = table.loc["ZipNN, lossless"].filter(like="MB")
    assert lossless.nunique() == 1
    assert (table.loc["ours"].filter(like="MB").dropna() < lossless.iloc[0]).all()


def test_leaving_nothing_out_costs_nothing():
    for network in benchmark_rows("real_ablation")["network"].unique():
        table = real_ideas.real_ingredients(network).set_index("left out")
        assert table.loc["nothing", "more bytes for equal dB (%)"] == pytest.approx(0)


def test_an_idea_is_held_against_files_that_had_as_much_to_go_by(monkeypatch):
    outputs = {f"{inputs}_snr_db": [10.0, 20.0, 10.0, 20.0] for inputs in real_networks.PICTURES}
    files = points(network="net", codec=["ilwp"] * 2 + ["ilwp, images"] * 2, bytes=[100, 400, 50, 200], **outputs)
    outputs_of_both = {column: [15.0, 15.0] for column in outputs}
    tried = points(
        network="net", idea=["one", "other"], images=[0, 9], quality=[15, 15], bytes=[220, 90], encode_s=[1, 2],
        **outputs_of_both,
    )  # fmt: skip
    monkeypatch.setattr(real_ideas, "benchmark_rows", {"real_networks": files, "real_tried": tried}.get)
    table = real_ideas.tried_ideas().filter(like="15 dB")
    np.testing.assert_allclose(table.loc["one"], 10)
    np.testing.assert_allclose(table.loc["other"], -10)


def test_shares_that_prose_quotes_are_those_of_the_aims():
    aims, shares = real_networks.real_aims().set_index("aim")["reached"], real_networks.shares_of_peer()
    at = f"bytes at {real_networks.DB:g} dB of NNCodec's best"
    assert shares["plain"] == aims[f"ImageNet's MobileNetV2, no data, {at}"]
    assert shares["taught"] == aims[f"ImageNet's MobileNetV2, unlabelled images of the kind, {at}"]


def test_no_other_way_to_code_levels_saves_a_share_that_cannot_be():
    table = real_ideas.real_bounds()
    assert table.notna().all(axis=None)
    assert ((table >= 0) & (table < 100)).all(axis=None)
