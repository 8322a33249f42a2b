"""The screen of reports: its width, trimmed lines, and tables that are too wide."""

import pytest

from allocsim.reports.screen import MIN_WIDTH, WIDE, Screen, plain_console, simple_table


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")


def print_table_of(*titles: str) -> None:
    """Print a table of one row with these columns."""
    table = simple_table()
    for title in titles:
        table.add_column(title, no_wrap=True)
    table.add_row(*titles)
    Screen().print_table(table)


def test_small_columns_count_as_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "5")
    assert Screen().width == MIN_WIDTH


def test_text_is_wrapped_and_trimmed(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().print("one " * 12, "[bold]not markup[/bold]")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["one " * 9 + "one", "one one", "[bold]not markup[/bold]"]


def test_table_that_is_too_wide_names_the_columns_it_drops(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table_of("a" * 20, "b" * 10, "c" * 10, "d" * 10)
    out = capsys.readouterr().out
    assert "not shown at this width: " in out
    assert "d" * 10 in out.splitlines()[-1]
    assert max(map(len, out.splitlines())) <= 40


def test_items_fill_lines_without_being_broken(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().print_items(["spans 5 (4 in use, 1 free)", "grows 1,000", "splits 7", "x" * 30])
    assert capsys.readouterr().out.splitlines() == [
        "spans 5 (4 in use, 1 free) · grows 1,000",
        "splits 7",
        "x" * 30,
    ]


def test_two_tables_are_separated_by_one_blank_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    for title in ("one", "two"):
        table = simple_table()
        table.add_column(title)
        screen.print(table)
    screen.print("", "the end")
    assert "\n\n\n" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        ("99999999999", 10_000),
        ("9" * 5000, 10_000),
        ("0080", 80),
        ("²", WIDE),
        ("٣", WIDE),
        ("0", WIDE),
        ("-5", WIDE),
    ],
    ids=["large", "5,000 digits", "zeros", "superscript", "other script", "none", "negative"],
)
def test_width_is_bounded_whatever_columns_holds(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Screen().width == width


@pytest.mark.parametrize("value", ["99999999999", "9" * 5000, "0080", "²", "٣", "0", "-5", "x\x1b"])
def test_terminal_has_a_size_whatever_columns_and_lines_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """With FORCE_COLOR, Rich takes the output for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setenv(name, value)
        Screen().print("text")
        assert capsys.readouterr().out == "text\n"
        size = plain_console(stderr=True).size
        assert 1 <= size.width <= 10_000
        assert 1 <= size.height <= 10_000


def print_expendable(*titles: str) -> None:
    """Print a table of one row whose columns "c" and "b" are expendable."""
    table = simple_table()
    for title in titles:
        table.add_column(title, no_wrap=True)
    table.add_row(*(title * 10 for title in titles))
    Screen().print_table(table, expendable=("c", "b"))


@pytest.mark.parametrize(
    ("titles", "dropped"), [("ad", ""), ("abcd", "c"), ("abcde", "b, c"), ("abbc", "c")]
)
def test_expendable_columns_are_dropped_first(
    titles: str, dropped: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_expendable(*titles)
    out = capsys.readouterr().out
    assert out.partition("not shown at this width: ")[2].strip() == dropped
    assert all((title * 10 in out) == (title not in dropped) for title in titles)


@pytest.mark.parametrize("titles", ["acdefg", "abcdef", "adecfb"])
def test_cells_are_whole_after_columns_were_dropped(
    titles: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "66")
    print_expendable(*titles)
    out = capsys.readouterr().out
    assert "…" not in out
    assert all(title * 10 in out for title in titles if title not in "bc")


def test_first_column_wraps_if_nothing_else_can_be_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_expendable("name ", "d", "e")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert " ".join(lines).count("name") == 11
    assert sum("d" * 10 in line for line in lines) == 1
