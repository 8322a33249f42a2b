"""HTML and SVG elements. This module is the only place that escapes text for them.

Names from a trace may contain markup. A plain string that becomes the content or an attribute of an
element is always escaped; only `Markup`, which this module makes, is inserted as it is.
"""

from __future__ import annotations

from html import escape

from allocsim.text import printable

VOID = frozenset({"br", "link", "meta"})
"""HTML elements without an end tag."""


class Markup(str):
    """Markup whose texts are escaped. Make it with `element` and `joined` only."""


def element(name: str, /, *content: str, **attributes: str | None) -> Markup:
    """Return an element; characters that are not printable are shown as escape sequences.

    The name of an attribute is written with "_" for "-", and with a "_" at its end if it is a
    keyword of Python. An attribute that is None is left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in VOID else f"</{name}>"
    return Markup(f"<{name}{given}>{joined(*content)}{end}")


def joined(*content: str) -> Markup:
    """Return texts, escaped, and markup one after the other."""
    return Markup(
        "".join(
            str(each) if isinstance(each, Markup) else escape(printable(each)) for each in content
        )
    )
