"""The history of a trace on the screen and as JSON; markup and escape codes in names do nothing."""

import json

import pytest

from allocsim.call_sites.frame import UNKNOWN, Frame, make_frame
from allocsim.reports.screen import Screen
from allocsim.reports.trace_history import TOP, history_json, print_history
from allocsim.trace_history import History, Point, SiteTotal

REMEMBER = Frame("remember", "/src/guilty.cpp", 11, "/bin/guilty")
SERVE = Frame("serve", "/src/guilty.cpp", 19, "/bin/guilty")
TIMELINE = [Point(event, event // 2, 1024 * event) for event in range(1, 101)]


def shown(history: History, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return the words of each line on the screen."""
    print_history(Screen(), history)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_timeline_has_twelve_rows_and_ends_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(History(TIMELINE), capsys)
    rows = [line for line in lines if line and line[0].isdigit()]
    assert len(rows) == 12
    assert rows[-1] == ["100", "50", "100.0", "KiB", "█" * 40]
    assert rows[0][:4] == ["8", "4", "8.0", "KiB"]


def test_sites_are_listed_by_bytes_and_by_calls(capsys: pytest.CaptureFixture[str]) -> None:
    totals = [
        SiteTotal(REMEMBER, [SERVE], 10, 3000),
        SiteTotal(SERVE, [], 30, 900),
        SiteTotal(UNKNOWN, [], 0, 0),
    ]
    lines = shown(History(TIMELINE, totals), capsys)
    first = ["remember", "guilty.cpp:11", "10", "25.0%", "2.9", "KiB", "76.9%"]
    second = ["serve", "guilty.cpp:19", "30", "75.0%", "900", "B", "23.1%"]
    called_by = ["serve", "guilty.cpp:19"]
    at = [line[:7] for line in lines]
    assert lines[at.index(first)][7:] == called_by
    assert at.count(first) == 2
    start = at.index(["most", "calls,", "by", "call", "site", "calls", "total"])
    assert at.index(second, start) < at.index(first, start)


def test_further_sites_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    totals = [SiteTotal(Frame(f"f{n}"), [], 1, 100 - n) for n in range(TOP + 3)]
    assert ["--json", "lists", "3", "more", "call", "sites"] in shown(History([], totals), capsys)


def test_names_from_a_trace_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = make_frame("[red]\x1b[31m</td><script>" + "x" * 10_000, "\n.c", 3)
    print_history(Screen(), History([], [SiteTotal(hostile, [hostile], 1, 1)]))
    out = capsys.readouterr().out
    assert "[red]\\x1b[31m</td><script>xxx" in out
    assert "\x1b" not in out
    assert all(line.isprintable() for line in out.splitlines())


def test_narrow_screen_drops_the_callers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    history = History(TIMELINE, [SiteTotal(REMEMBER, [SERVE], 10, 3000)])
    print_history(Screen(), history)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "remember guilty.cpp:11" in out


def test_json_has_every_point_and_every_site() -> None:
    found = history_json(History(TIMELINE, [SiteTotal(REMEMBER, [SERVE], 10, 3000)]))
    assert json.loads(json.dumps(found)) == found
    assert found["timeline"][0] == {"event": 1, "live_objects": 0, "live_bytes": 1024}
    assert len(found["timeline"]) == 100
    remember = {"function": "remember", "file": "/src/guilty.cpp", "line": 11,
                "module": "/bin/guilty"}  # fmt: skip
    (site,) = found["call_sites"]
    assert site.pop("callers")[0]["function"] == "serve"
    assert site == {**remember, "calls": 10, "bytes": 3000}
