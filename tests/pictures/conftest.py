"""Pages without their pictures, which only an optional package draws."""

from collections.abc import Callable

import pytest

from allocsim.markup import Markup
from allocsim.pictures import page as page_module
from allocsim.pictures.page import Page, html_of


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[Page], str]:
    """A function that returns a page as HTML, with a comment for each picture."""
    monkeypatch.setattr(page_module, "svg_of", lambda _: "")
    monkeypatch.setattr(page_module, "page_svg", lambda _, kind: Markup(f"<!--{kind}-->"))
    return html_of
