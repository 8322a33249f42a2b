"""HTML and SVG elements. Text for them is escaped only in this module.

Names from a trace may contain markup. A plain string that becomes the content or an attribute of an
element is always escaped. Only `Markup`, which this module makes, is inserted unchanged.
"""

from __future__ import annotations

from html import escape

from allocsim.text import printable

VOID = frozenset({"br", "link", "meta"})
"""HTML elements without an end tag."""


class Markup(str):
    """Markup whose texts are escaped. Only `element` and `joined` may create it."""


def element(name: str, /, *content: str, **attributes: str | None) -> Markup:
    """Return an element; characters that are not printable are shown as escape sequences.

    In the name of an attribute, a "_" at the end is dropped, as in `class_`, and any other "_"
    becomes "-". An attribute that is None is left out.
    """
    attribute_text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in VOID else f"</{name}>"
    return Markup(f"<{name}{attribute_text}>{joined(*content)}{end}")


def joined(*content: str) -> Markup:
    """Join texts, which are escaped, and markup, which is not."""
    return Markup(
        "".join(
            str(each) if isinstance(each, Markup) else escape(printable(each)) for each in content
        )
    )
