"""Escaping, in the only module that makes HTML from texts."""

from html.parser import HTMLParser

from allocsim.html_table import html_table
from allocsim.markup import Markup, element, joined
from tests.pictures.pages import HOSTILE


class Reader(HTMLParser):
    """Collects the elements, attributes and texts of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: str) -> Reader:
    """Parse a document."""
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


def test_text_and_attributes_stay_text() -> None:
    seen = read(element("p", HOSTILE, title=HOSTILE))
    assert seen.tags == ["p"]
    assert seen.text == seen.values[0] == HOSTILE.replace("\x1b", "\\x1b")


def test_markup_is_inserted_and_strings_are_escaped() -> None:
    inner = element("b", "<")
    assert element("p", inner, "<i>") == "<p><b>&lt;</b>&lt;i&gt;</p>"
    assert isinstance(joined(inner, "<"), Markup)
    # The sum of two pieces of markup is a plain string. It is escaped, so that a reader of the page
    # sees that `joined` was forgotten.
    assert element("p", inner + inner).startswith("<p>&lt;b&gt;")


def test_names_of_attributes_follow_html() -> None:
    found = element("meta", http_equiv="x", class_="y", hidden=None)
    assert found == '<meta http-equiv="x" class="y">'


def test_a_table_has_its_texts_in_cells() -> None:
    seen = read(html_table(HOSTILE, ["a", HOSTILE], [["1", HOSTILE]], right={"class_": "number"}))
    assert seen.tags == ["table", "caption", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert seen.values == ["tex2jax_ignore mathjax_ignore", "number", "number"]
