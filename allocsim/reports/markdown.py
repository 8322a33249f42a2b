"""Escape strings for GitHub Markdown, so that no text becomes markup.

Every string that comes from a file, a library, a design or the command line passes through this
module. Otherwise a name could become a link, HTML, a heading or a row of a table.
"""

from __future__ import annotations

import re

from allocsim.text import printable

# An underscore within a word, as in `thread_cache`, is not markup.
_MARKUP = re.compile(r"[\\`*\[\]<>&~]|(?<![a-zA-Z0-9])_|_(?![a-zA-Z0-9])")

# GitHub turns words with these characters into links, mentions and formulas. A backslash before the
# character does not prevent that; a code span does.
_LINK = re.compile(r"[@#$]|://|www\.", re.IGNORECASE)

# A line that starts like this is a list item, or makes the line above it a heading.
_BLOCK = re.compile(r"[-+=]|\d{1,9}[.)](?=\s|$)")


def plain(text: str) -> str:
    """Return Markdown that shows `text` unchanged, in a paragraph, a heading or a table cell.

    Characters that are not printable, line ends among them, are shown as escape sequences.
    """
    words = re.split("([ |]+)", printable(text).strip())
    escaped = "".join(code_span(word) if _LINK.search(word) else _escaped(word) for word in words)
    block = _BLOCK.match(escaped)
    return f"{escaped[: block.end() - 1]}\\{escaped[block.end() - 1 :]}" if block else escaped


def code_span(text: str) -> str:
    """Return `text` as code; the fence is longer than any run of backticks in the text."""
    text = printable(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    padding = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def _escaped(text: str) -> str:
    """Escape the characters that have a meaning within a line."""
    # Parsers of tables disagree on a backslash before "|", so "|" becomes a character reference.
    return _MARKUP.sub(r"\\\g<0>", text).replace("|", "&#124;")
