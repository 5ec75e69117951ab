"""The page that looks into files, with good and damaged ones."""

import re
import zlib
from pathlib import Path

import pytest
from built_site import SITE, VIEWS_OF_A_PAGE
from playwright.sync_api import Page, expect

from ilwp.common.paths import ROOT
from ilwp.door import load_file

EXPECTED = ROOT / "tests" / "expected"
VIEWS = pytest.mark.parametrize("page", VIEWS_OF_A_PAGE, indirect=True, ids="-".join)


@pytest.fixture
def reader(page: Page) -> Page:
    page.goto((SITE / "notebooks" / "reader.html").as_uri())
    page.locator(".tensors tbody tr").first.wait_for()
    return page


def look_into(reader: Page, content: bytes) -> str:
    """What the page says of a file."""
    reader.get_by_label("Choose an .ilwp file").set_input_files(
        {"name": "some.ilwp", "mimeType": "application/octet-stream", "buffer": content}
    )
    result = reader.locator(".result")
    expect(result).to_contain_text("some.ilwp")
    text = result.inner_text()
    reader.get_by_role("button", name="Show the example").click()
    expect(result).to_contain_text("shufflenetv2.ilwp")
    return text


def network(index: bytes, segments: bytes = b"") -> bytes:
    """A file of format 2 with a right checksum over any index."""
    packed = zlib.compress(index, wbits=-zlib.MAX_WBITS)
    return with_index(packed, segments)


def with_index(packed: bytes, segments: bytes = b"") -> bytes:
    """The same with the index as it lies in the file."""
    return (
        b"ILWP\x02" + len(packed).to_bytes(4, "little") + zlib.crc32(packed).to_bytes(4, "little") + packed + segments
    )


@VIEWS
def test_the_example_is_shown_with_its_parts(reader: Page) -> None:
    parts = reader.locator(".split .legend li").all_inner_texts()
    said = reader.locator(".result").inner_text()
    total = sum(int(re.search(r"([\d,]+) B", part)[1].replace(",", "")) for part in parts)
    assert f"{total:,} bytes, format 2" in said
    assert "All checksums are right" in said
    assert {"levels", "depthwise kernels", "names and header"} <= {re.sub(r" [\d,]+ B.*", "", part) for part in parts}
    assert reader.problems == []


@pytest.mark.parametrize("name", sorted(path.name for path in EXPECTED.glob("*.ilwp")))
def test_golden_files_are_listed_as_the_package_reads_them(reader: Page, name: str) -> None:
    path = EXPECTED / name
    reader.get_by_label("Choose an .ilwp file").set_input_files(path)
    expect(reader.locator(".result")).to_contain_text(name)
    rows = [row.split("\t")[:3] for row in reader.locator(".tensors tbody tr").all_inner_texts()]
    shapes = {key: (tensor.shape, str(tensor.dtype)) for key, tensor in load_file(path).items()}
    assert {row[0]: row[1:] for row in rows} == {
        key: [" \N{MULTIPLICATION SIGN} ".join(map(str, shape)) or "one number", dtype]
        for key, (shape, dtype) in shapes.items()
    }
    assert f"{path.stat().st_size:,} bytes" in reader.locator(".result").inner_text()
    assert reader.problems == []


def test_whatever_byte_is_damaged_the_page_says_so_in_a_line(reader: Page) -> None:
    for name in ("network.ilwp", "ill.ilwp"):
        whole = (EXPECTED / name).read_bytes()
        for place in range(0, len(whole), 13):
            said = look_into(reader, whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            assert re.search(r"Damaged|damaged|no \.ilwp file|version", said), (name, place, said)
            assert "\n" not in said
        for length in range(0, len(whole), 61):
            assert re.search(r"[Dd]amaged|no \.ilwp file|empty", look_into(reader, whole[:length])), (name, length)
    assert reader.problems == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "This file is empty."),
        (b"PK\x03\x04", "This is no .ilwp file."),
        (b"ILWP\x09", "This file has format version 9. This page reads versions 1 and 2."),
        (network(b"\x01\x00\x00\x01a\x23\x63\x01\x01\x01"), "This file holds tensors of an unknown type."),
        (network(b"\x01\x00\x00\x01a\x06\x00"), "This file holds tensors of an unknown kind."),
        (network(b"\x01\x09\x00\x01a\x03\x00"), "This file's names make no sense."),
        (network(b"\x01\x00\x00\x01\xff\x00\x00"), "This file's names are not UTF-8."),
        (network(b"\x01\x00\x00\x01a\x02\x00"), "This file's index makes no sense."),
        (network(b"\x00\x00", b"more"), "This .ilwp file is damaged: it goes on after its last tensor."),
        (network(b"\xff\xff\xff\xff\xff"), "This file holds an impossible number."),
        (with_index(b"\x07"), "This file's index makes no sense."),
        (with_index(zlib.compress(b"\0\0", wbits=-15) + b"more"), "This file's index makes no sense."),
        (network(bytes(1 << 20)), "This file's index makes no sense."),
        (network(b"\x01\x00\x00\x01a\x30\x00" + 3 * b"\xff\xff\xff\xff\x7f"), "This file claims an impossible number"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(reader: Page, content: bytes, said: str) -> None:
    assert look_into(reader, content).startswith(f"some.ilwp: {said}")
    assert reader.problems == []


def test_its_scripts_are_small() -> None:
    page = (SITE / "notebooks" / "reader.html").read_text()
    scripts = re.findall(r'src="\.\./(_static/(?:svg|ilwp_file|reader)\.js)', page)
    assert len(scripts) == 3
    assert sum(Path(SITE, name).stat().st_size for name in scripts) < 30_000
