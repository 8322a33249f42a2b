"""SVG for a page: the elements and attributes that pictures need, and nothing else.

The renderer's output is parsed and built again from known elements and attributes. Therefore no
script, link, style or event handler can reach a page, even if the renderer does not escape a name.
The result is also shorter.
"""

from __future__ import annotations

from xml.etree import ElementTree

from allocsim.markup import Markup, element

ELEMENTS = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan"})

ATTRIBUTES = frozenset(
    (
        *("d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "width", "height", "viewBox"),
        *("transform", "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity"),
        *("stroke-dasharray", "font-size", "font-weight", "font-style", "text-anchor", "opacity"),
    )
)

DEFAULTS = {("opacity", "1"), ("font-weight", "normal"), ("font-style", "normal")}
"""Attributes that do not affect the picture."""


def page_svg(drawn: str, css_class: str) -> Markup:
    """Return the renderer's SVG for a page, hidden from screen readers.

    `css_class` is the class of the element.
    """
    root = ElementTree.fromstring(drawn)
    attributes = _attributes(root)
    return element(
        "svg", *_content(root), class_=css_class, aria_hidden="true", focusable="false",
        viewBox=attributes["viewBox"], width=attributes["width"], height=attributes["height"],
    )  # fmt: skip


def _content(parent: ElementTree.Element) -> list[str]:
    """Return the text of an element, and the children that are drawn."""
    parts: list[str] = [parent.text] if parent.text and _name(parent) in ("text", "tspan") else []
    for child in parent:
        name, attributes = _name(child), _attributes(child)
        content = _content(child)
        is_drawn = name in ELEMENTS and child.get("display") != "none"
        if is_drawn and (content if name in ("g", "text") else attributes.get("d") != ""):
            parts.append(element(name, *content, **attributes))
    return parts


def _name(each: ElementTree.Element) -> str:
    """Return the name of an element without its namespace."""
    return each.tag.rpartition("}")[2]


def _attributes(each: ElementTree.Element) -> dict[str, str]:
    """Return the attributes of an element that are kept."""
    return {
        key: value
        for key, value in each.attrib.items()
        if key in ATTRIBUTES and (key, value) not in DEFAULTS
    }
