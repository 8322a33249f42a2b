"""Strings in Markdown: a parser (markdown-it, which Rich requires) finds text and no markup."""

import random

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from allocsim.reports.markdown import code_span, plain
from allocsim.text import printable
from tests.fuzz import cases

HOSTILE = (
    "[click](http://evil.example/)",
    "![image](https://evil.example/a.png)",
    "[ref]: http://evil.example",
    "http://evil.example/a|b",
    "www.evil.example and WWW.evil.example",
    "someone@evil.example, @someone, issue #1",
    "<script>alert(1)</script>",
    "<b>bold</b> &lt; &#60;",
    "a | b",
    "a \\| b",
    "|---|",
    "# heading",
    "## heading ##",
    "-",
    "---",
    "===",
    "+ item",
    "1. item",
    "12) item",
    "2024-01-02",
    "*a* **b** _c_ __d__ ~~e~~ a_b_c a__b__ _a_b_",
    "`code` ``code`` `open",
    "```",
    "ends with a backslash \\",
    "two\nlines",
    "a row |\n| forged | row |",
    "\x1b[31mred\u202egnp",
    "$\\href{http://evil.example}{click}$",
    "[link=http://a.example/]x[/link]",
    "> quoted",
    "&copy; &#35; @org/team",
    "    indented",
)

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def leaves(source: str) -> list[Token]:
    """The tokens of a document. An inline token is replaced by its children."""
    found = list[Token]()
    for block in PARSER.parse(source):
        found += block.children or [] if block.type == "inline" else [block]
    return found


def kinds_of(source: str) -> list[str]:
    """The kinds of the tokens of a document, without those of plain text."""
    plain_text = ("text", "text_special", "code_inline")
    return [token.type for token in leaves(source) if token.type not in plain_text]


def text_of(tokens: list[Token]) -> str:
    """The text that a reader sees."""
    return "".join(token.content for token in tokens)


def require_text(source: str, text: str, *blocks: str) -> None:
    """Require that a document has these blocks, and no text but `text`."""
    assert kinds_of(source) == list(blocks), source
    assert text_of(leaves(source)) == text


PARAGRAPH = ("paragraph_open", "paragraph_close")
HEADING = ("heading_open", "heading_close")


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_a_paragraph_and_a_heading_is_only_text(text: str) -> None:
    shown = printable(text).strip()
    require_text(plain(text), shown, *PARAGRAPH)
    require_text(
        f"above\n{plain(text)}", f"above{shown}", *PARAGRAPH[:1], "softbreak", PARAGRAPH[1]
    )
    require_text(f"## {plain(text)}", shown, *HEADING)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_a_table_is_one_cell(text: str) -> None:
    tokens = leaves(f"| a | b |\n|---|---|\n| {plain(text)} | second |\n")
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == kinds.count("tbody_open") == 1
    assert (kinds.count("tr_open"), kinds.count("td_open")) == (2, 2)
    first = tokens[kinds.index("td_open") + 1 : kinds.index("td_close")]
    assert text_of(first) == printable(text).strip()
    assert {token.type for token in first} <= {"text", "text_special", "code_inline"}


@pytest.mark.parametrize("text", HOSTILE)
def test_command_is_one_span_of_code(text: str) -> None:
    (token,) = leaves(code_span(text))[1:-1]
    assert token.type == "code_inline"
    assert token.content.strip() == printable(text).strip()


def test_random_text_is_only_text() -> None:
    rng = random.Random(5)
    for _ in range(cases(compiled=500, pure=100)):
        text = "".join(rng.choices("ab1 .\\`*_|[]()<>&#~@$:/-+=!\n\x07", k=rng.randrange(1, 16)))
        if printable(text).strip():
            test_text_in_a_paragraph_and_a_heading_is_only_text(text)
            test_text_in_a_table_is_one_cell(text)


@pytest.mark.parametrize(
    "text",
    [
        "lib:glibc 2.36",
        "orders: 82,717 events, 9.1 ns/event",
        "1.5 MiB (50%)",
        "in_use 3",
        "a-b.txt",
    ],
)
def test_usual_text_is_written_as_it_is(text: str) -> None:
    assert plain(text) == text
    assert code_span(text) == f"`{text}`"


@pytest.mark.parametrize(
    "word", ["http://a.example", "www.a.example", "a@b.example", "@a", "#1", "$x$"]
)
def test_what_github_turns_into_a_link_is_code(word: str) -> None:
    assert plain(f"see {word} there") == f"see `{word}` there"
