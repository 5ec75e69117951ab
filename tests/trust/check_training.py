"""Training that is killed, starved of disk, damaged or doubled ends in the same bits, or in one clear line."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tqdm.std
from results import LONG, save
from tiny_run import TAKING_SPACE, TinyRun, at_operation, die, lay_images, run_out_of_space

KILLS = 200 if LONG else 5
EVERY = 1 if LONG else 12  # operation
LEVELS = 12 if LONG else 3  # of free space
DOUBLED = 10 if LONG else 1
CHANCE = random.Random(0)
TOO_FULL = "No space left on device"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("runs")
    lay_images(folder / "images")
    os.environ["ILWP_DATA"] = str(folder / "images")
    yield folder
    del os.environ["ILWP_DATA"]


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> tuple[str, bytes, bytes]:
    run = TinyRun(place / "undisturbed")
    assert run.run().code == 0
    return run.result()


def test_killed_at_random_moments_it_ends_in_the_same_bits(place: Path, undisturbed: tuple[str, bytes, bytes]):
    started = time.monotonic()
    assert TinyRun(place / "timed").run().code == 0
    length = time.monotonic() - started
    kills = runs = 0
    while kills < KILLS:
        run = TinyRun(place / f"killed-{runs}")
        while run.kill_after(CHANCE.uniform(0, length)):
            kills += 1
        assert run.run().code == 0
        assert run.result() == undisturbed
        runs += 1
    save(
        "training",
        {"killed at random": {"kills": kills, "runs": runs, "run_seconds": round(length, 2), "differing": 0}},
    )


def operations(place: Path) -> list[str]:
    """What an undisturbed run does to files, in order."""
    run, counted = TinyRun(place / "counted"), place / "operations"
    if not counted.exists():
        assert run.run(at_operation(run.folder, 0, die, counted)).code == 0
    return counted.read_text().split()


def test_killed_before_each_change_to_a_file_it_ends_in_the_same_bits(
    place: Path, undisturbed: tuple[str, bytes, bytes]
):
    found = range(1, len(operations(place)) + 1, EVERY)
    for number in found:
        run = TinyRun(place / f"operation-{number}")
        assert run.run(at_operation(run.folder, number, die)).code == -9
        assert run.run().code == 0
        assert run.result() == undisturbed
    save("training", {"killed before each change": {"kills": len(found), "differing": 0}})


def test_without_space_for_a_file_it_says_so_and_goes_on_when_there_is_some(
    place: Path, undisturbed: tuple[str, bytes, bytes]
):
    creating = [i for i, event in enumerate(operations(place), start=1) if event in TAKING_SPACE][::EVERY]
    for number in creating:
        run = TinyRun(place / f"full-{number}")
        ended = run.run(at_operation(run.folder, number, run_out_of_space))
        assert ended.refused, ended
        assert TOO_FULL in ended.err
        assert run.run().code == 0
        assert run.result() == undisturbed
    save("training", {"no space for a file": {"tried": len(creating), "unclear": 0, "differing": 0}})


@pytest.fixture
def disk(place: Path) -> Iterator[Path]:
    folder = place / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_on_a_disk_that_fills_up_it_says_so_and_goes_on_when_there_is_space(
    place: Path, disk: Path, undisturbed: tuple[str, bytes, bytes]
):
    needed = sum(path.stat().st_size + 4096 for path in (place / "undisturbed").rglob("*") if path.is_file())
    needed += TinyRun(place / "undisturbed").checkpoints()[-1].stat().st_size
    refusals, levels = set(), 0
    for level in range(LEVELS):
        run, ballast = TinyRun(disk / f"level-{level}", place / "level.log"), disk / "ballast"
        free = os.statvfs(disk).f_bavail * 4096
        ballast.write_bytes(bytes(free - needed * level // LEVELS))
        ended = run.run()
        if ended.code == 0:  # so much is enough
            break
        assert ended.refused, ended
        assert TOO_FULL in ended.err
        levels += 1
        refusals.add(ended.err.split(" could not")[0].split("/")[-1])
        ballast.unlink()
        assert run.run().code == 0
        assert run.result() == undisturbed
        subprocess.run(["rm", "-r", run.folder], check=True)
    files = sorted(refusals)
    save("training", {"disk full": {"levels": levels, "files": files, "unclear": 0, "differing": 0}})
    assert len(files) > 1


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_a_damaged_checkpoint_makes_way_for_the_one_before_and_is_named(
    place: Path, undisturbed: tuple[str, bytes, bytes], how: str
):
    run = TinyRun(place / f"damaged-{how}")
    assert run.run(at_operation(run.folder, len(operations(place)) - 1, die)).code == -9
    assert len(run.checkpoints()) > 1
    last = run.checkpoints()[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes({"flipped": bytes(content), "cut": bytes(content[:-100]), "empty": b""}[how])
    ended = run.run()
    assert ended.code == 0
    assert f"{last.name} is damaged: going back to the checkpoint before it\n" in ended.err
    assert run.result() == undisturbed
    save("training", {f"damaged checkpoint, {how}": {"differing": 0}})


def jumping() -> None:
    """Clocks that go anywhere at each look."""
    for module in (time, tqdm.std):
        for name in ("time", "monotonic"):
            if hasattr(module, name):
                setattr(module, name, lambda: CHANCE.uniform(0, 4e9))


def test_a_clock_that_jumps_changes_nothing_but_the_times(place: Path, undisturbed: tuple[str, bytes, bytes]):
    run = TinyRun(place / "clock")
    assert run.run(at_operation(run.folder, len(operations(place)) // 2, die)).code == -9
    for i, path in enumerate(run.checkpoints()):
        os.utime(path, (0, 0) if i % 2 else (4e9, 4e9))
    assert run.run(jumping).code == 0
    assert run.result() == undisturbed
    save("training", {"jumping clock": {"differing": 0}})


def test_of_two_processes_on_one_cell_one_trains_and_the_other_says_why_not(
    place: Path, undisturbed: tuple[str, bytes, bytes]
):
    for i in range(DOUBLED):
        first = TinyRun(place / f"doubled-{i}")
        go = place / f"go-{i}"

        def wait(_: str, go: Path = go) -> None:
            while not go.exists():
                time.sleep(0.01)

        total = len(operations(place))
        one = first.start(at_operation(first.folder, CHANCE.randrange(total // 4, total // 2), wait))
        while not list(first.folder.rglob("lock")):
            time.sleep(0.01)
        second = first.run(lambda: os.dup2(os.open(place / "second.log", os.O_CREAT | os.O_RDWR | os.O_TRUNC), 2))
        go.touch()
        said = (place / "second.log").read_text()
        assert (first.wait(one).code, second.code) == (0, 1), said
        assert "another process is training" in said
        assert first.result() == undisturbed
    save("training", {"two processes": {"pairs": DOUBLED, "differing": 0}})
