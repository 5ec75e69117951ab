import math
import re
from collections import Counter
from pathlib import Path

import pytest

from ilwp.common.errors import IlwpError
from ilwp.common.paths import CONFIG, ROOT
from ilwp.experiments import profiles
from ilwp.experiments.profiles import cell_name, load_profile
from ilwp.training.recipe import TrainConfig

PROFILES = sorted(path.stem for path in CONFIG.glob("*.yaml"))
PLAIN = """
recipe: 2
settings: {epochs: 3, width: 0.5}
networks:
  mobilenetv2: {width: 0.25}
grid:
  - {dataset: cifar10, networks: [mobilenet, mobilenetv2], inter_layer: [0, 1], seeds: [0, 1]}
  - {dataset: digits, networks: [shufflenet], inter_layer: [.inf], seeds: [7]}
"""


@pytest.fixture
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(profiles, "CONFIG", tmp_path)
    (tmp_path / "plain.yaml").write_text(PLAIN)
    return tmp_path


@pytest.mark.parametrize("name", PROFILES)
def test_every_cell_of_a_profile_can_be_trained_under_a_name_of_its_own(name: str):
    names = Counter(cell_name(config) for config in load_profile(name).cells())
    assert names
    assert set(names.values()) == {1}


def test_no_two_weights_of_the_loss_share_a_name():
    weights = [0.0, 0.1, 0.30000000000000004, 0.3, 1.0, 1.0000001, 10.0, 1e38, math.inf]
    names = [cell_name(TrainConfig("digits", "mobilenet", weight)) for weight in weights]
    assert len(set(names)) == len(names)
    assert [names[i] for i in (1, 4, 6, 7, 8)] == [
        f"digits-mobilenet-lambda{text}-seed0" for text in ("0.1", "1", "10", "1e+38", "inf")
    ]


def test_the_book_says_how_many_runs_each_profile_has():
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \|", (ROOT / "book" / "reproduce.md").read_text(), re.MULTILINE)
    assert {name: int(runs) for name, runs in rows} == {
        name: len(list(load_profile(name).cells())) for name in PROFILES
    }


def test_the_paper_profile_holds_the_papers_eighty_runs_in_its_settings():
    cells = list(load_profile("paper").cells())
    for config in cells:
        assert config == TrainConfig(config.dataset, config.network, config.inter_layer, config.seed)
    lambdas_of_the_paper = [c for c in cells if c.inter_layer in (0, 1)]
    assert len(lambdas_of_the_paper) == 80
    assert {(c.dataset, c.network) for c in lambdas_of_the_paper} == {
        (dataset, network)
        for dataset in ("cifar10", "cifar100")
        for network in ("mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2")
    }


def test_a_grid_is_walked_in_the_order_of_the_file(config_folder: Path):
    assert [cell_name(config) for config in load_profile("plain").cells()] == [
        "cifar10-mobilenet-lambda0-seed0", "cifar10-mobilenet-lambda0-seed1", "cifar10-mobilenet-lambda1-seed0",
        "cifar10-mobilenet-lambda1-seed1", "cifar10-mobilenetv2-lambda0-seed0", "cifar10-mobilenetv2-lambda0-seed1",
        "cifar10-mobilenetv2-lambda1-seed0", "cifar10-mobilenetv2-lambda1-seed1", "digits-shufflenet-lambdainf-seed7",
    ]  # fmt: skip


def test_a_run_that_does_not_use_the_loss_does_not_depend_on_its_calibration(config_folder: Path):
    (config_folder / "calibrated.yaml").write_text(PLAIN.replace("epochs: 3", "epochs: 3, calibration: 9"))
    plain, calibrated = load_profile("plain"), load_profile("calibrated")
    for inter_layer, same in ((0, True), (1, False), (math.inf, True)):
        cell = ("cifar10", "mobilenet", inter_layer, 0)
        assert (plain.config(*cell) == calibrated.config(*cell)) is same


def test_a_networks_own_settings_come_before_the_profiles(config_folder: Path):
    profile = load_profile("plain")
    assert profile.recipe == 2
    assert profile.config("cifar10", "mobilenet", 0, 0) == TrainConfig("cifar10", "mobilenet", 0, 0, 0.5, 3)
    assert profile.config("cifar10", "mobilenetv2", 0, 0) == TrainConfig("cifar10", "mobilenetv2", 0, 0, 0.25, 3)
    assert math.isinf(list(profile.cells())[-1].inter_layer)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (("mnist", "mobilenet", 0, 0), "dataset"),
        (("cifar10", "vgg", 0, 0), "network"),
        (("cifar10", "mobilenet", -1, 0), "inter_layer"),
        (("cifar10", "mobilenet", math.nan, 0), "inter_layer"),
        (("cifar10", "mobilenet", 0, -1), "seed"),
    ],
)
def test_a_cell_out_of_range_is_refused_in_one_line(config_folder: Path, cell, message: str):
    with pytest.raises(IlwpError, match=rf"^these settings cannot be trained: {message}: [^\n]*$"):
        load_profile("plain").config(*cell)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: [", r"is not YAML: [^\n]*$"),
        ("", "is empty"),
        ("recipe: &a [*a]", "is not a profile: write values out"),
        ("recipe: " + 3000 * "[", "is not YAML"),
        ("recipe: 2001-13-41", "is not YAML"),
        ("recipe: " + 5000 * "9", "is not YAML"),
        ('recipe: !!int ""', "is not YAML"),
        (PLAIN + '"two\\nlines": 1', r"is not a profile: two\\nlines"),
        ("recipe: 1\n", "is not a profile: settings"),
        (PLAIN + "speed: 1\n", "is not a profile: speed"),
        (PLAIN.replace("recipe: 2", "recipe: soon"), "is not a profile: recipe"),
        (PLAIN.replace("seeds: [7]", "seeds: [7], colour: red"), r"is not a profile: grid.1.colour"),
        (PLAIN.replace("seeds: [7]", "seeds: 7"), r"is not a profile: grid.1.seeds"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_in_one_line(config_folder: Path, text: str, message: str):
    (config_folder / "wrong.yaml").write_text(text)
    with pytest.raises(IlwpError, match=rf"wrong.yaml:? (this )?{message}"):
        load_profile("wrong")


def test_an_unknown_setting_is_refused_when_its_cell_is_asked_for(config_folder: Path):
    (config_folder / "wrong.yaml").write_text(PLAIN.replace("epochs: 3", "speed: 3"))
    with pytest.raises(IlwpError, match="cannot be trained: speed"):
        list(load_profile("wrong").cells())


@pytest.mark.parametrize("name", ["absent", ""])
def test_an_unknown_profile_is_refused_with_those_there_are(config_folder: Path, name: str):
    with pytest.raises(IlwpError, match=f"no profile is called '{name}': choose one of plain"):
        load_profile(name)


def test_names_tell_lambdas_apart():
    names = {cell_name(TrainConfig("cifar10", "mobilenet", value)) for value in (0, 0.1, 0.3, 1, 3, 10, math.inf)}
    assert len(names) == 7
    assert cell_name(TrainConfig("digits", "mobilenet", 0.1, 3)) == "digits-mobilenet-lambda0.1-seed3"
