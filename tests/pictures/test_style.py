"""The style sheet of a page."""

import re

from allocsim.pictures.palette import PARTS, all_colours
from allocsim.pictures.style import style_sheet


def test_each_colour_of_a_picture_has_a_dark_one() -> None:
    light, dark = style_sheet().split("@media screen and (prefers-color-scheme:dark)")
    for colour in {*PARTS.values(), *all_colours()}:
        for kind in ("fill", "stroke"):
            assert f'svg [{kind}="{colour.light}"]{{{kind}:{colour.dark}}}' in dark
    assert not re.search(r"svg \[fill", light)


def test_braces_are_balanced_and_nothing_is_loaded() -> None:
    css = style_sheet()
    assert css.count("{") == css.count("}")
    assert not re.search(r"url\(|@import|expression|</", css)
