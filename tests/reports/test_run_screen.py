"""A result on the screen: complete, within the width, coloured only on a terminal."""

import io
import re
import sys

import pytest

from allocsim.profile import PART_MEANINGS
from allocsim.reports import Result
from allocsim.reports.phrases import headline, summary
from allocsim.reports.run_screen import COLOURS, print_result
from allocsim.reports.screen import WIDE, Screen
from allocsim.text import format_bytes


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(
    result: Result, monkeypatch: pytest.MonkeyPatch, columns: int, **environment: str
) -> str:
    """Return the report on a terminal of `columns` characters."""
    terminal = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", terminal)
    print_result(result, with_classes=True)
    return terminal.getvalue()


def bare(shown: str) -> str:
    """Remove the escape sequences."""
    return re.sub(r"\x1b\[[\d;]*m", "", shown)


def in_pipe(result: Result, capsys: pytest.CaptureFixture[str], *, classes: bool = False) -> str:
    """Return the report as written to a pipe."""
    print_result(result, with_classes=classes)
    return capsys.readouterr().out


def test_every_part_has_a_colour() -> None:
    assert list(COLOURS) == list(PART_MEANINGS)


def test_answer_comes_first(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    lines = in_pipe(result, capsys).splitlines()
    assert lines[:2] == [headline(result), summary(result.profile)]


def test_every_part_that_holds_bytes_is_shown(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = in_pipe(result, capsys).splitlines()
    for name, meaning in PART_MEANINGS.items():
        now, later = result.profile.at_peak.parts[name], result.profile.at_end.parts[name]
        row = [line for line in lines if line.split()[:1] == [name] and meaning in line]
        assert len(row) == bool(now or later or name == "live")
        assert not row or (format_bytes(now) in row[0] and format_bytes(later) in row[0])


@pytest.mark.parametrize("columns", ["40", "60", "100", "300"])
def test_pipe_is_as_wide_as_columns_says(
    result: Result,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Screen().width == int(columns)
    lines = in_pipe(result, capsys, classes=True).splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert not any("…" in line or "\x1b" in line for line in lines)


@pytest.mark.parametrize("columns", ["", "none", "0", "-5"])
def test_pipe_without_columns_has_the_full_width(
    result: Result,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Screen().width == WIDE
    assert "heap - released + metadata" in in_pipe(result, capsys)


@pytest.mark.parametrize("columns", ["60", "132"])
def test_no_line_ends_with_a_blank(
    result: Result,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = in_pipe(result, capsys, classes=True).splitlines()
    assert lines == [line.rstrip() for line in lines]


def test_figures_are_not_cut_on_a_narrow_terminal(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = on_terminal(result, monkeypatch, 80, NO_COLOR="1")
    peak = result.profile.at_peak
    assert format_bytes(peak.footprint) in shown
    assert format_bytes(peak.metadata) in shown
    assert max(len(line) for line in bare(shown).splitlines()) <= 80


def test_terminal_has_colours_unless_no_color_is_set(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = re.compile(r"\x1b\[(\d+;)*(3[0-8]|9[0-7])[;m]")
    assert colour.search(on_terminal(result, monkeypatch, 120))
    assert not colour.search(on_terminal(result, monkeypatch, 120, NO_COLOR="1"))


def test_wide_terminal_explains_the_parts(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    meaning = PART_MEANINGS["live"]
    assert meaning in on_terminal(result, monkeypatch, 140)
    assert meaning not in on_terminal(result, monkeypatch, 90)


def test_classes_are_shown_on_request(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    assert "size classes" not in in_pipe(result, capsys)
    lines = in_pipe(result, capsys, classes=True).partition("size classes")[2].splitlines()
    shown = [line.split()[:2] for line in lines if line.strip()[:1].isdigit()]
    used = [use for use in result.profile.classes if use.spans]
    assert shown == [[str(use.size_class), f"{use.object_size:,}"] for use in used]


def test_dropped_calls_are_counted(nothing: Result, capsys: pytest.CaptureFixture[str]) -> None:
    nothing.trace.dropped["free of unknown"] = 1234
    try:
        out = in_pipe(nothing, capsys)
    finally:
        nothing.trace.dropped.clear()
    assert "dropped or repaired calls: free of unknown (1,234)" in out
    assert "dropped" not in in_pipe(nothing, capsys)


def test_spans_and_counters_are_shown(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    out, end = in_pipe(result, capsys), result.profile.at_end
    for name, count in end.counters.items():
        assert f"{name} {count:,}" in out
    assert f"spans {end.spans['total']:,} ({end.spans['in_use']:,} in use" in out
    assert f"resident {format_bytes(result.profile.resident)} of" in out


def test_names_with_brackets_are_no_markup(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    result.trace.name = "[bold]x[/bold]"
    try:
        assert in_pipe(result, capsys).startswith("[bold]x[/bold] on go2008")
    finally:
        result.trace.name = "random"
