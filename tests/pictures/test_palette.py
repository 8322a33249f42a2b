"""Colours: no two light colours are equal, and texts are legible in both colour schemes."""

import pytest

from allocsim.pictures.palette import (
    INK,
    INK_ON_PART,
    PAPER,
    PARTS,
    QUIET,
    Colour,
    all_colours,
    colour_of,
)  # fmt: skip


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_light_colour_has_one_dark_colour() -> None:
    lights = [colour.light for colour in all_colours()]
    assert len(lights) == len(set(lights))


@pytest.mark.parametrize("scheme", [0, 1])
def test_texts_are_legible(scheme: int) -> None:
    assert contrast(INK[scheme], PAPER[scheme]) >= 7
    assert contrast(QUIET[scheme], PAPER[scheme]) >= 4.5
    for part in ("live", "pinned", "empty", "caches", "start", "metadata", "top"):
        assert contrast(INK_ON_PART[scheme], colour_of(part)[scheme]) >= 4.5, part


@pytest.mark.parametrize("scheme", [0, 1])
def test_parts_that_lie_on_each_other_differ_in_lightness_too(scheme: int) -> None:
    for one, other in (("live", "rounding"), ("rounding", "pinned"), ("live", "caches")):
        assert contrast(colour_of(one)[scheme], colour_of(other)[scheme]) >= 1.5


def test_a_part_of_a_users_design_has_a_colour() -> None:
    assert isinstance(colour_of("mine"), Colour)
    assert colour_of("mine") not in {colour_of("live"), colour_of("pinned"), PARTS["empty"]}
