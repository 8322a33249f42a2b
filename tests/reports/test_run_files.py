"""Files are complete or absent, and an existing file is replaced only by a complete one."""

import csv
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allocsim.core.records import SAMPLE
from allocsim.errors import EnvironmentLacks
from allocsim.reports import Result
from allocsim.reports.run_text import (
    as_json,
    csv_text,
    json_text,
    markdown_text,
    write_file,
)
from tests.reports.results import plain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a file that does not exist yet."""
    return tmp_path / "report.out"


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """os.umask; the old mask is restored after the test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_json_file_holds_the_object(path: Path, result: Result) -> None:
    write_file(path, json_text(result))
    assert json.loads(path.read_text()) == as_json(result)


def test_markdown_file_holds_the_report(path: Path, result: Result) -> None:
    write_file(path, markdown_text(result))
    assert path.read_text() == markdown_text(result)


def test_csv_file_holds_the_samples(path: Path, result: Result) -> None:
    write_file(path, csv_text(result))
    assert b"\r" not in path.read_bytes()
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    assert names == list(SAMPLE.names or ())
    assert [[int(cell) for cell in row] for row in rows] == plain(result.profile.samples)
    assert len(rows) == 12


def test_columns_are_event_parts_sums_spans_and_counters(path: Path, result: Result) -> None:
    write_file(path, csv_text(result))
    assert path.read_text().splitlines()[0] == (
        "event,live,rounding,tail,thread_cache,transfer,central,free_spans,released,"
        "heap,metadata,footprint,spans_total,spans_in_use,spans_free,"
        "grows,splits,coalesces,refills"
    )


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000, 0o027], ids=oct)
def test_permissions_of_a_new_file_follow_the_umask(
    path: Path, umask: Callable[[int], int], mask: int
) -> None:
    umask(mask)
    write_file(path, "text")
    assert mode(path) == 0o666 & ~mask
    assert umask(0o022) == mask


@pytest.mark.parametrize("before", [0o600, 0o644, 0o664, 0o444], ids=oct)
def test_permissions_of_an_old_file_are_kept(path: Path, before: int) -> None:
    path.write_text("old")
    path.chmod(before)
    write_file(path, "new")
    assert (path.read_text(), mode(path)) == ("new", before)


def test_nothing_else_is_left_in_the_directory(path: Path) -> None:
    write_file(path, "one")
    write_file(path, "two")
    assert [found.name for found in path.parent.iterdir()] == ["report.out"]


class Failure(OSError):
    """The disk is full."""


def full(*_: object, **__: object) -> None:
    raise Failure(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "fdopen", "replace"])
@pytest.mark.parametrize("old", [True, False], ids=["old file", "no file"])
def test_failed_write_leaves_the_file_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, old: bool
) -> None:
    if old:
        path.write_text("old")
    monkeypatch.setattr(os, call, full)
    if call == "replace":
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EnvironmentLacks, match=f"cannot write '{path}': No space left on device"):
        write_file(path, "new" * 10_000)
    monkeypatch.undo()
    assert [found.name for found in path.parent.iterdir()] == ["report.out"] * old
    assert not old or path.read_text() == "old"


def test_interrupt_leaves_no_temporary_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, "new")
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == []


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentLacks, match=r"cannot write '.*gone/report': No such file"):
        write_file(tmp_path / "gone" / "report", "text")


def test_full_device_is_an_error() -> None:
    with pytest.raises(EnvironmentLacks, match="cannot write '/dev/full': No space left"):
        write_file(Path("/dev/full"), "text")


def test_device_is_written_to_and_stays_a_device() -> None:
    write_file(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(pipe, "text")
        assert os.read(reading, 100) == b"text"
        assert pipe.is_fifo()
    finally:
        os.close(reading)


def test_link_still_leads_to_its_file(tmp_path: Path) -> None:
    """A report's name may be a link into another directory. The file is replaced, not the link."""
    real, link = tmp_path / "real.json", tmp_path / "latest.json"
    real.write_text("old")
    link.symlink_to(real)
    write_file(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_file(path, "text")
    assert path.read_text() == "text"


def test_text_that_is_not_utf_8_is_written_or_an_error(path: Path) -> None:
    """A file name on the command line may hold any byte; the report repeats the command line."""
    try:
        write_file(path, "allocsim --export-json \udcff.json")
        assert path.read_bytes().startswith(b"allocsim --export-json ")
    except EnvironmentLacks as refusal:
        assert "report.out" in str(refusal)  # noqa: PT017


def test_relative_path_is_written_where_the_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_file(Path("report"), "text")
    assert (tmp_path / "report").read_text() == "text"
