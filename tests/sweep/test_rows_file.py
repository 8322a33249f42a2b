"""The file of rows: appending, continuing, and files that are rejected."""

import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from allocsim.errors import EnvironmentLacks, InputError
from allocsim.sweep.rows_file import Known, RowsFile, read_rows, require_rows
from tests.sweep.cells import cell, lines, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist."""
    return tmp_path / "rows.jsonl"


def test_rows_are_read_as_they_were_written(path: Path) -> None:
    rows = [row(), row("lib:glibc", ns=12.5), row("tcmalloc:release_rate=1", None)]
    with closing(RowsFile(path)) as file:
        for each in rows:
            file.append(each)
            assert len(lines(path)) == len(file.done)
    assert list(read_rows(path)) == rows
    with closing(RowsFile(path)) as file:
        assert file.done == {each.key: Known.of(each) for each in rows}


def test_cell_and_its_row_have_the_same_key() -> None:
    assert cell("lib:glibc").key == row("lib:glibc").key
    keys = {
        row().key,
        row(ns=1.0).key,
        row(trace="cd").key,
        row("glibc").key,
        row(touch="full").key,
        row(replay="one").key,
    }
    assert len(keys) == 6


def test_row_with_another_condition_that_changes_a_figure_is_outdated() -> None:
    known = Known.of(row(limit=5))
    assert known.changes(cell(limit=5, runs=9, warmup=9)) == ()
    assert known.changes(cell(limit=6)) == known.changes(cell()) == ("--limit",)
    assert known.changes(cell(limit=5, reserve=1 << 20)) == ("--reserve",)
    timed = Known.of(row(ns=1.0))
    assert timed.changes(cell(measure="times", runs=5)) == ()
    assert timed.changes(cell(measure="times", runs=2, warmup=0)) == ("--runs", "--warmup")


def test_reserve_does_not_matter_to_a_library() -> None:
    assert Known.of(row("lib:glibc")).changes(cell("lib:glibc", reserve=1 << 20)) == ()


def test_timeout_matters_only_to_a_failure() -> None:
    assert Known.of(row()).changes(cell(timeout=1.0)) == ()
    assert Known.of(row(peak=None)).changes(cell(timeout=1.0)) == ("--timeout",)
    assert Known.of(row(peak=None)).changes(cell()) == ()


def test_row_of_an_older_version_is_taken_to_have_the_same_conditions() -> None:
    old = replace(row(peak=None), reserve=None, timeout=None, warmup=None)
    assert Known.of(old).changes(cell(reserve=1 << 20, timeout=1.0, warmup=9)) == ()


def test_incomplete_last_line_is_removed_wherever_it_was_cut(path: Path) -> None:
    whole = msgspec.json.encode(row()) + b"\n"
    for before in (b"", msgspec.json.encode(row("glibc")) + b"\n"):
        for cut in range(0, len(whole), 7):
            path.write_bytes(before + whole[:cut])
            assert len(list(read_rows(path))) == before.count(b"\n")
            with closing(RowsFile(path)) as file:
                file.append(row())
            assert path.read_bytes() == before + whole


@pytest.mark.parametrize("text", ["{}\n", "a\n", "[1]", "\n", '{"schema":1}\n', "\x00\x00"])
def test_other_file_is_refused_and_stays(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match="line 1: not a row"):
        RowsFile(path)
    with pytest.raises(InputError, match="line 1: not a row"):
        list(read_rows(path))
    assert path.read_text() == text


def test_damaged_line_is_named(path: Path) -> None:
    with closing(RowsFile(path)) as file:
        file.append(row())
    path.write_bytes(path.read_bytes() + b'{"schema":1,\n' + path.read_bytes())
    with pytest.raises(InputError, match="line 2: not a row"):
        list(read_rows(path))


def test_rows_of_another_version_are_refused(path: Path) -> None:
    path.write_bytes(msgspec.json.encode(replace(row(), versions={"allocsim": "0.0.9"})) + b"\n")
    with pytest.raises(InputError, match=r"rows of allocsim 0\.0\.9; use another file"):
        RowsFile(path)
    assert len(list(read_rows(path))) == 1


def test_two_sweeps_cannot_write_to_one_file(path: Path) -> None:
    with closing(RowsFile(path)), pytest.raises(EnvironmentLacks, match="another sweep writes"):
        RowsFile(path)
    RowsFile(path).close()


def test_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        RowsFile(tmp_path)
    with pytest.raises(InputError, match="not a regular file"):
        list(read_rows(tmp_path))


def test_pipe_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    for read in (lambda: list(read_rows(path)), lambda: require_rows(path), lambda: RowsFile(path)):
        with pytest.raises(InputError, match="not a regular file"):
            read()
