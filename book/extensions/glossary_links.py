"""Sphinx extension: the first use of a glossary's term on a page is a link, and shows the definition when pointed at.

    glossary.md -> definitions;  page -> link_terms -> the page with a `Term` for each of them that it uses

The definition is in the page, so that it needs no script. Style shows it on hover and on keyboard focus, and the link
is described by it.
"""

import re
from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.writers.html5 import HTML5Translator

PAGE = "glossary"
# common words are terms in these uses alone
USES = {
    "FSS": r"\bFSS\b",
    "ILL": r"\bILL\b",
    "LSS": r"\bLSS\b",
    "index": r"(?<=\ban )index\b|(?<=\bno )index\b|\bindices\b",
    "set": r"(?<=\ba )set\b|(?<=\bA )set\b",
}
NOTE = "figure-note"  # what stands under a figure, folded
NO_PROSE = (
    addnodes.pending_xref, nodes.caption, nodes.citation, nodes.entry, nodes.footnote, nodes.literal, nodes.math,
    nodes.raw, nodes.reference, nodes.term, nodes.Titular,
)  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """A term's place on the glossary's page, and what it means."""

    anchor: str
    text: str


class Term(nodes.Inline, nodes.TextElement):
    """A word that is linked to its definition."""


def definitions(glossary: nodes.document) -> dict[str, Definition]:
    """What the glossary defines, by term."""
    found = {}
    for item in glossary.findall(nodes.definition_list_item):
        text = " ".join(item[-1].astext().split())
        for term in item.findall(nodes.term):
            found[term.astext()] = Definition(term["ids"][0], text)
    return found


def link_terms(page: nodes.document, defined: dict[str, Definition], address: str) -> None:
    """Make a link of each term's first use in the page's text, to the glossary at `address`."""
    waiting = dict(defined)
    for text in list(page.findall(nodes.Text)):
        if not waiting:
            return
        if _is_prose(text):
            parts = _linked(text.astext(), waiting, address)
            if any(isinstance(part, Term) for part in parts):
                text.parent.replace(text, parts)


def _is_prose(text: nodes.Text) -> bool:
    above = []
    node = text.parent
    while node is not None:
        above.append(node)
        node = node.parent
    folded = any(NOTE in n["classes"] for n in above if isinstance(n, nodes.Element) and "classes" in n)
    prose = any(isinstance(n, nodes.paragraph) for n in above) and not any(isinstance(n, NO_PROSE) for n in above)
    return prose and not folded


def _linked(text: str, waiting: dict[str, Definition], address: str) -> list[nodes.Node]:
    """The text with links; what is linked is taken from `waiting`."""
    first: tuple[int, int, str] | None = None
    for term in waiting:
        use = USES.get(term) or rf"(?i:(?<![\w-]){re.escape(term)}s?(?![\w-]))"
        found = re.search(use, text)
        # of two that begin at one place the longer is meant
        if found and (first is None or (found.start(), -found.end()) < (first[0], -first[1])):
            first = found.start(), found.end(), term
    if first is None:
        return [nodes.Text(text)] if text else []
    start, end, term = first
    one = waiting.pop(term)
    link = Term(text[start:end], text[start:end], refuri=f"{address}#{one.anchor}", anchor=one.anchor, meaning=one.text)
    before = [nodes.Text(text[:start])] if start else []
    return [*before, link, *_linked(text[end:], waiting, address)]


def visit(self: HTML5Translator, node: Term) -> None:
    """The link; its definition follows."""
    name = f"about-{node['anchor']}"
    self.body.append(self.starttag(node, "a", "", CLASS="term", href=node["refuri"], **{"aria-describedby": name}))


def depart(self: HTML5Translator, node: Term) -> None:
    """The definition, which style hides until it is asked for."""
    text = self.encode(node["meaning"])
    self.body.append(f'</a><span class="definition" role="tooltip" id="about-{node["anchor"]}">{text}</span>')


def on_resolved(app: Sphinx, page: nodes.document, name: str) -> None:
    """Link the terms of a page that is about to be written."""
    if app.builder.format != "html" or name == PAGE or PAGE not in app.env.found_docs:
        return
    address = "" if app.builder.name == "singlehtml" else app.builder.get_relative_uri(name, PAGE)
    link_terms(page, definitions(app.env.get_doctree(PAGE)), address)


def all_pages(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:  # fmt: skip
    """All pages where the glossary has changed, since its text is in them."""
    return sorted(env.found_docs) if PAGE in added | changed | removed else []


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_node(Term, html=(visit, depart))
    app.connect("doctree-resolved", on_resolved)
    app.connect("env-get-outdated", all_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
