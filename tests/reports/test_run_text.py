"""The Markdown report: one table with every part, and the command that made it."""

import re
from dataclasses import replace

from allocsim.profile import PART_MEANINGS
from allocsim.reports import Result
from allocsim.reports.phrases import headline, summary
from allocsim.reports.run_text import markdown_text
from allocsim.text import format_bytes
from tests.reports.test_markdown import HOSTILE, kinds_of


def rows(result: Result) -> dict[str, list[str]]:
    """Return a dictionary that maps the first cell of each row to its other cells."""
    lines = [line for line in markdown_text(result).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


def test_report_begins_with_headline_and_summary(result: Result) -> None:
    lines = markdown_text(result).splitlines()
    assert lines[0] == f"## {headline(result)}"
    assert lines[2] == summary(result.profile)


def test_every_row_has_six_cells(result: Result) -> None:
    assert {len(cells) for cells in rows(result).values()} == {5}
    assert list(rows(result)) == ["part", *PART_MEANINGS, "heap", "metadata", "**footprint**"]


def test_parts_are_shown_at_both_moments(result: Result) -> None:
    peak, end = result.profile.at_peak, result.profile.at_end
    for name, meaning in PART_MEANINGS.items():
        cells = rows(result)[name]
        assert cells[0] == format_bytes(peak.parts[name])
        assert cells[2] == format_bytes(end.parts[name])
        assert cells[4] == meaning
    assert rows(result)["heap"][0] == format_bytes(peak.heap)
    assert rows(result)["**footprint**"][2] == format_bytes(end.footprint)


def test_report_ends_with_counts_and_the_command(result: Result) -> None:
    text = markdown_text(result)
    assert text.endswith(f"`{result.command}`\n")
    for name, count in {**result.profile.at_end.spans, **result.profile.at_end.counters}.items():
        assert f"{name} {count:,}" in text
    assert f"Resident at the end: {format_bytes(result.profile.resident)}." in text


def test_report_is_plain_text(result: Result) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f█]", markdown_text(result))


def test_run_without_events_has_a_report(nothing: Result) -> None:
    assert "nothing was ever live" in markdown_text(nothing)
    assert rows(nothing)["live"][:4] == ["0 B", "", "0 B", ""]


def test_hostile_names_make_no_markup(result: Result) -> None:
    usual = kinds_of(markdown_text(replace(result, profile=replace(result.profile, mode="mode"))))
    for text in HOSTILE:
        meanings = {"live": text, "metadata": text}
        profile = replace(result.profile, mode=text, part_meanings=meanings)
        trace = replace(result.trace, name=text)
        hostile = Result(trace, profile, f"./{text}.py", {}, f"allocsim replay {text}")
        assert kinds_of(markdown_text(hostile)) == usual, text
