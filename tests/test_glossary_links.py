from docutils import nodes
from docutils.core import publish_doctree
from glossary_links import Definition, Term, definitions, link_terms

DEFINED = {
    "ILL": Definition("term-ill", "Inter-layer loss"),
    "closed loop": Definition("term-closed-loop", "from decoded kernels"),
    "index": Definition("term-index", "which kernel"),
    "inter-layer loss": Definition("term-inter-layer-loss", "pulls"),
    "level": Definition("term-level", "a whole number"),
    "set": Definition("term-set", "without order"),
}


def linked(text: str) -> list[tuple[str, str]]:
    """What is linked on a page, and where to."""
    page = publish_doctree(text, settings_overrides={"report_level": 5})
    before = page.astext()
    link_terms(page, DEFINED, "glossary.html")
    assert page.astext() == before
    return [(link.astext(), link["refuri"]) for link in page.findall(Term)]


def test_the_first_use_of_each_term_is_linked_and_no_other() -> None:
    text = "A page\n======\n\nLevels are levels. A level.\n\n* In a *closed loop*; levels in the closed loop."
    assert linked(text) == [
        ("Levels", "glossary.html#term-level"),
        ("closed loop", "glossary.html#term-closed-loop"),
    ]


def test_what_is_no_prose_is_left_alone() -> None:
    assert linked("Levels\n======\n\n``level`` `level <https://example.org>`_\n\n::\n\n  level\n") == []
    assert linked("Text.\n\n.. figure:: a.png\n\n   The level\n") == []
    assert linked(".. class:: figure-note\n\n  A level.\n") == []
    assert linked("===== =====\nlevel level\n===== =====\n") == []
    assert linked("level\n  the level of it\n") == [("level", "glossary.html#term-level")]


def test_parts_of_words_and_common_words_are_no_terms() -> None:
    assert linked("The sublevel, a level-headed man, a data set, the set-up, an offset, the index of a book.") == []
    assert linked("As a set it needs no index.") == [
        ("set", "glossary.html#term-set"),
        ("index", "glossary.html#term-index"),
    ]


def test_the_name_with_its_prefix_is_one_link_and_the_longer_term_wins() -> None:
    assert linked("ILL uses the inter-layer loss.") == [
        ("ILL", "glossary.html#term-ill"),
        ("inter-layer loss", "glossary.html#term-inter-layer-loss"),
    ]


def test_definitions_are_read_from_the_page() -> None:
    page = publish_doctree("closed loop\n  From decoded\n  kernels.\n")
    for term in page.findall(nodes.term):
        term["ids"] = ["term-closed-loop"]
    assert definitions(page) == {"closed loop": Definition("term-closed-loop", "From decoded kernels.")}
