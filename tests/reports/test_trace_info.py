"""Trace statistics as JSON and on the screen, and whether a trace is valid."""

import json
from typing import Any

import pytest

from allocsim.events import Op, Trace
from allocsim.reports.trace_check import EXPLANATIONS, print_validity
from allocsim.reports.trace_info import SCHEMA, as_json, print_survey, survey_text
from allocsim.trace_stats import TraceStats, collect_stats
from allocsim.traces.reasons import REASONS
from tests.driving import Call, free, malloc, realloc
from tests.traces.streams import trace_of

CALLS = [
    malloc(0, 0), malloc(1, 100), Call(Op.CALLOC, 2, 3000, 1), realloc(1, 120, 1), free(1, 0),
    Call(Op.MEMALIGN, 3, 64, 0, 6), free(0), Call(Op.THREAD_DONE, thread=1), malloc(0, 2_000_000),
]  # fmt: skip


@pytest.fixture
def seen() -> tuple[Trace, TraceStats]:
    """A small trace with everything in it, and its statistics."""
    trace = trace_of(CALLS, dropped={"overlap": 2, "free of NULL": 1000}, notes=["a note"])
    return trace, collect_stats(trace)


def printed(capsys: pytest.CaptureFixture[str], *what: Any) -> str:
    """Return the screen's text for statistics."""
    print_survey(*what)
    return capsys.readouterr().out


def test_json_has_every_key_that_design_promises(seen: tuple[Trace, TraceStats]) -> None:
    found = json.loads(survey_text(*seen, "the command"))
    assert (found["schema"], found["command"], found["format"]) == (SCHEMA, "the command", "test")
    assert (found["events"], found["threads"]) == (8, 2)
    assert (found["allocations"], found["reallocations"], found["frees"]) == (5, 1, 2)
    assert found["operations"]["thread_done"] == 1
    assert found["total_bytes"] == 100 + 3000 + 120 + 64 + 2_000_000
    assert (found["peak_live"], found["peak_event"]) == (2_003_064, 8)
    assert found["live_at_end"] == {"objects": 3, "bytes": 2_003_064}
    assert found["frees_by_another_thread"] == 1
    assert found["dropped"] == {"overlap": 2, "free of NULL": 1000}
    assert found["lifetime"] == {"mean": 4.5, "longest": 6}
    assert [one["count"] for one in found["lifetimes"] if one["count"]] == [1, 1]
    assert sum(one["count"] for one in found["sizes"]) == 6
    assert sum(one["bytes"] for one in found["sizes_never_freed"]) == 2_003_064


def test_screen_shows_the_figures(
    seen: tuple[Trace, TraceStats], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, *seen)
    lines = [line.split() for line in shown.splitlines()]
    assert shown.startswith("calls (test): 8 events, 2 threads\n")
    assert "Peak live 1.9 MiB after 8 events; 1.9 MiB requested in total." in shown
    assert ["malloc", "3", "37.5%", "████▌"] in lines
    assert ["thread_done", "1", "a", "note,", "not", "a", "call"] in lines
    assert ["2.0", "MiB", "1", "16.7%", "██", "1.9", "MiB", "99.8%", "████████████",
            "1", "1.9", "MiB"] in lines  # fmt: skip
    assert "lifetime of freed objects, in events: median at most 4, mean 4, max 6" in shown
    assert (
        "freed by a thread other than the last to allocate or resize the object: 1 (50.0%)" in shown
    )
    assert "never freed: 3 objects, 1.9 MiB" in shown
    assert "dropped or repaired calls: overlap (2), free of NULL (1,000)" in shown


def test_narrow_screen_has_no_bars_in_histograms(
    seen: tuple[Trace, TraceStats],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = printed(capsys, *seen)
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("share") == 1


def test_empty_trace_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_of([])
    assert printed(capsys, trace, collect_stats(trace)) == "calls (test): 0 events, 0 threads\n"


def test_objects_that_are_never_freed_have_no_lifetimes(capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_of([malloc(0, 5)])
    shown = printed(capsys, trace, collect_stats(trace))
    assert ", 1 thread\n" in shown
    assert "lifetime" not in shown
    assert "never freed: 1 object, 5 B" in shown


def test_invalid_trace_is_reported_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_of([malloc(0, 5), free(1)])
    seen = collect_stats(trace)
    problem = "event 2 frees an object that is not live"
    assert f"not valid: {problem}" in printed(capsys, trace, seen)
    assert as_json(trace, seen, "")["problems"] == [problem]


def test_job_has_the_format_job() -> None:
    trace = trace_of([malloc(0, 5)])
    trace.description = {"kind": "random"}
    assert json.loads(survey_text(trace, collect_stats(trace), ""))["format"] == "job"


def test_valid_trace_is_reported(
    seen: tuple[Trace, TraceStats], capsys: pytest.CaptureFixture[str]
) -> None:
    print_validity(*seen, [])
    shown = capsys.readouterr().out
    assert shown.startswith("calls is valid: 8 events, 2 threads\n")
    assert [line.split()[:4] for line in shown.splitlines() if "overlap" in line] == [
        ["overlap", "2", "25.0%", "malloc"]
    ]


def test_invalid_trace_lists_its_problems(capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_of([malloc(0, 5)])
    print_validity(trace, collect_stats(trace), ["one", "two"])
    assert (
        capsys.readouterr().out
        == "calls is not valid:\n  one\n  two\nno calls dropped or repaired\n"
    )


@pytest.mark.parametrize("reason", REASONS.values())
def test_every_reason_is_explained(reason: str) -> None:
    assert EXPLANATIONS[reason]
