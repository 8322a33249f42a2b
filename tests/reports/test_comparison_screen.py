"""A comparison on the screen shows only whole columns, at every width."""

import re

import pytest

from allocsim.benchmark.figures import Row
from allocsim.reports.comparison_screen import headline, print_comparison
from tests.reports.comparisons import MIB, compared, memory, rows


def test_screen_keeps_each_row_on_a_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(compared())
    out = capsys.readouterr().out
    [line] = [line for line in out.splitlines() if line.strip().startswith("lib:glibc ")]
    assert "*6.0 MiB" in line
    assert "*1,536" in line
    assert "lib:libodd.so: crashed by SIGSEGV while replaying" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_narrow_terminal_gets_whole_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    print_comparison(compared())
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in out
    assert "*6.0 MiB" in out
    assert "not shown at this width" in out
    assert all(len(line) <= columns for line in out.splitlines())


def test_long_name_makes_the_table_wider_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    name = "lib:/a/lib" + 60 * "x" + ".so"
    print_comparison(compared([*rows()[:2], Row(subject=name, memory=memory(MIB))]))
    out = capsys.readouterr().out
    assert "…" not in out
    assert 60 * "x" + ".so" in out


def test_headline_names_no_reference_if_every_subject_failed() -> None:
    made = rows()
    for row in made:
        row.failure = "crashed (in 1 of 3 recordings)"
    assert headline(compared(made)) == "orders: 82,717 events, peak live 5.0 MiB"
    made[1].failure = None
    assert headline(compared(made)).endswith("; relative to lib:glibc (go2008 failed)")
