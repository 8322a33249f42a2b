"""Tables of allocation rates: the format of a line, and errors."""

from pathlib import Path

import pytest

from allocsim.errors import InputError
from allocsim.generators import rates
from allocsim.generators.empirical import Empirical
from allocsim.generators.rates import Rate, read_table
from allocsim.quantities import Size

GOOD = {
    "fleetbench's form": ("8, 2323.17, 17155.9\n16, 1, 2\n", [(8, 2323.17, 17155.9), (16, 1, 2)]),
    "no blanks": ("8,1,2", [(8, 1, 2)]),
    "comments and blank lines": ("# sizes\n\n  # more\n8, 1, 2\r\n\r\n", [(8, 1, 2)]),
    "a header": ("# sizes\nSIZE,ALLOC_RATE,NUM_LIVE\n8, 1, 2", [(8, 1, 2)]),
    "a header with blanks": ("size, alloc_rate, num_live\n8, 1, 2", [(8, 1, 2)]),
    "exponents": ("8, 1e3, 2E-5", [(8, 1000, 2e-5)]),
    "a rate of 0 or no live objects": ("8, 0, 2\n9, 1, 0", [(8, 0, 2), (9, 1, 0)]),
    "a size of 0": ("0, 1, 2\n8, 1, 2", [(0, 1, 2), (8, 1, 2)]),
}


@pytest.mark.parametrize(("text", "expected"), GOOD.values(), ids=GOOD)
def test_line_makes_its_rate(
    tmp_path: Path, text: str, expected: list[tuple[int, float, float]]
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert read_table(str(path)).rates == [Rate(*row) for row in expected]


BROKEN = (
    "8, 1",
    "8, 1, 2, 3",
    "x, 1, 2",
    "8, y, 2",
    "8.5, 1, 2",
    "-8, 1, 2",
    "8, -1, 2",
    "8, 1, nan",
    "8, inf, 1",
    "8, 1, 1e31",
    "8, 1e-308, 1e-308",
    "8, 1, 9e-31",
    "140737488355329, 1, 1",
    "size, rate, live",
    "SIZE, ALLOC_RATE, NUM_LIVE",
)


@pytest.mark.parametrize("line", BROKEN)
def test_error_names_the_broken_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"8, 1, 2\n{line}\n")
    with pytest.raises(InputError, match=r"table\.csv, line 2: found '.*', expected SIZE, ALLOC_"):
        read_table(str(path))


@pytest.mark.parametrize("end", ["", "\n"])
def test_last_line_without_a_newline_is_noted(tmp_path: Path, end: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text("8, 1, 2\n16, 1, 17" + end)
    note = f"{path}, line 2, the last, has no newline and may be cut off: '16, 1, 17'"
    assert read_table(str(path)).notes == ([] if end else [note])


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xef\xbb\xbf8, 1, 2\n")
    assert read_table(str(path)).rates == [Rate(8, 1, 2)]


@pytest.mark.parametrize("number", [1e-30, 1.0, 1e30])
def test_extreme_numbers_make_a_workload_or_an_error(tmp_path: Path, number: float) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "".join(f"{size}, {number}, {live}\n" for size in (1, 8) for live in (1e-30, 1e30))
    )
    if number > 1:
        with pytest.raises(InputError, match="objects, the maximum; use a smaller heap"):
            Empirical(file=str(path), heap=Size(1 << 40), largest=1.0)
    events = Empirical(file=str(path), heap=Size(4096), largest=1.0, ops=10).events()
    assert sum(map(len, events)) >= 10


@pytest.mark.parametrize("text", ["", "# nothing\n", "8, 0, 5", "8, 5, 0", "0, 5, 5"])
def test_table_without_allocations_or_live_bytes_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="no line has an allocation rate"):
        read_table(str(path))


def test_missing_file_and_impossible_name_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_table(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="null"):
        read_table("a\0b")


def test_long_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_TABLE", 20)
    path = tmp_path / "table.csv"
    path.write_text("8, 1, 2\n" * 3)
    with pytest.raises(InputError, match="larger than"):
        read_table(str(path))
