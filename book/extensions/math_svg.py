"""Sphinx extension: formulas are drawn as SVG while the book is built, so that no page loads a script for it."""

import re
from html import escape

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

SIZE = 17.0  # pixels of an em in a formula, to go with text of 16

ziamath.config.svg2 = False  # no ids, which two formulas on a page could share
ziamath.config.minsizefraction = 0.6


def drawing(latex: str, inline: bool) -> str:
    """A formula as an `<svg>` element in the colour of the text around it, standing on its line.

    Raises ExtensionError where it cannot be drawn.
    """
    try:
        # a line that a paragraph or list indents further is still one formula
        text = " ".join(latex.split()).replace(r"\bmod", r"\;\mathrm{mod}\;")  # it knows no such operator
        formula = ziamath.Latex(text, size=SIZE, inline=inline, color="currentColor")
        svg = formula.svg()
    except Exception as error:  # ziamath's parser has no exception of its own
        raise ExtensionError(f"the formula {latex!r} cannot be drawn: {error}") from error
    width, height, left, top = _box(svg)
    below = height + top  # what hangs under the line, since y = 0 is the line
    label = escape(" ".join(latex.split()), quote=True)
    style = f"width:{width / 16:.3f}em;height:{height / 16:.3f}em;vertical-align:{-below / 16:.3f}em"
    body = re.sub(r"(\d+\.\d{2})\d+", r"\1", svg[svg.index(">") + 1 :])
    box = f"{left:.2f} {top:.2f} {width:.2f} {height:.2f}"
    return f'<svg class="formula" role="img" aria-label="{label}" viewBox="{box}" style="{style}">{body}'


def _box(svg: str) -> tuple[float, float, float, float]:
    """Width, height, left and top of a drawing."""
    left, top, width, height = (float(n) for n in re.search(r'viewBox="([^"]+)"', svg)[1].split())  # type: ignore[index]
    return width, height, left, top


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(f'<span class="math">{drawing(node.astext(), inline=True)}</span>')
    raise nodes.SkipNode


def display(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on a line of its own, with its number if it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(f"{drawing(node.astext(), inline=False)}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_html_math_renderer("svg", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
