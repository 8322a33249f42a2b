"""The view of `record --live`, and the cases in which the option is rejected."""

import io

from rich.console import Console

from allocsim.cli.live_view import live_line, live_table, live_view
from allocsim.recorders.base import LiveFigures
from tests.cli.conftest import Run

FIRST = LiveFigures(1.0, 2 << 20, 1 << 20, 1000, 2000)
LAST = LiveFigures(2.1, 4 << 20, 2 << 20, 1, 12_345)


def test_line_has_all_figures() -> None:
    assert live_line(LAST) == (
        "2 s: resident 4.0 MiB, live 2.0 MiB (2.00x), 1 object, 12,345 events"
    )


def test_line_without_live_bytes_has_no_ratio() -> None:
    assert "live 0 B, 1 object" in live_line(LAST._replace(live=0))


def test_charts_have_one_scale() -> None:
    output = io.StringIO()
    Console(file=output, width=80).print(live_table([FIRST, LAST]))
    rows = [line.split() for line in output.getvalue().splitlines()]
    assert rows == [
        ["resident", "4.0", "MiB", "▅█"],
        ["live", "2.0", "MiB", "▃▅"],
        ["2", "s", "2.00x", "live", "1", "object,", "12,345", "events"],
    ]


def test_lines_are_shown_where_standard_error_is_no_terminal() -> None:
    lines: list[str] = []
    with live_view(lines.append) as show:
        show(LAST)
    assert lines == [live_line(LAST)]


def test_recorder_without_live_figures_is_refused(run: Run) -> None:
    ended = run("record", "--live", "--with", "lttng", "--", "true")
    assert ended.status == 2
    assert "--live: lttng does not record live bytes while a program runs; use --with preload" in (
        ended.err
    )
