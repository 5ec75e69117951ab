import importlib.util
import re
import xml.etree.ElementTree as ET

import pytest
from sphinx.errors import ExtensionError

from ilwp.common.paths import ROOT

SPEC = importlib.util.spec_from_file_location("math_svg", ROOT / "book" / "extensions" / "math_svg.py")
math_svg = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(math_svg)


def below(svg: str) -> float:
    """How far a formula hangs under its line, in em."""
    return -float(re.search(r"vertical-align:(-?[\d.]+)em", svg)[1])


def test_formula_is_an_image_with_its_source_for_a_name() -> None:
    svg = math_svg.drawing(r"a < \frac{1}{2}", inline=True)
    element = ET.fromstring(svg)
    assert element.attrib["role"] == "img"
    assert element.attrib["aria-label"] == r"a < \frac{1}{2}"
    assert "currentColor" in svg
    assert svg == math_svg.drawing("a <\n  \\frac{1}{2}", inline=True)


def test_formula_stands_on_its_line() -> None:
    assert below(math_svg.drawing("x", inline=True)) < 0.15
    assert 0.2 < below(math_svg.drawing("K_{i,j}", inline=True)) < 0.6


def test_formula_that_makes_no_sense_is_one_line() -> None:
    with pytest.raises(ExtensionError, match="cannot be drawn") as error:
        math_svg.drawing(r"\frac{1}{", inline=False)
    assert "\n" not in str(error.value)
