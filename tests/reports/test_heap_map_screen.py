"""The heap map on the screen."""

import re

import numpy as np
import pytest

from allocsim.reports.heap_map_screen import COLOURS, half_blocks, heights, print_history
from tests.pictures.pages import shown

LEVELS = np.array([[-1, 0, 4], [-1, 4, 4], [2, -1, 1]])


def test_a_character_shows_two_cells_in_their_colours() -> None:
    first, second = half_blocks(LEVELS)
    assert first.plain == " ▀█"
    assert [str(span.style) for span in first.spans if str(span.style)] == [
        f"{COLOURS[0]} on {COLOURS[4]}", COLOURS[4],
    ]  # fmt: skip
    assert second.plain == "▀ ▀"


def test_without_colours_the_height_is_the_level() -> None:
    assert heights(LEVELS) == [" ▁█", " ██", "▅ ▃"]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours_the_map_has_a_legend_of_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("FORCE_COLOR", "1")
    evidence = shown().evidence
    print_history(evidence, [])
    text = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert "▁ no live object  ▃ under 25% live" in text
    assert "▀" not in text
    assert "footprint" in text
    assert text.count("pinned") == 1


def test_in_colour_the_map_is_half_as_high(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    print_history(shown().evidence, [])
    text = capsys.readouterr().out
    assert "\x1b[" in text
    assert "█" in text
