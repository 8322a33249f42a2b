"""`allocsim record`: a program that cannot be recorded is an error, and is not run."""

from pathlib import Path

import pytest

from tests.recorders.conftest import Record

REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no such command": (
        ["--", "no-such-program"],
        2,
        "'no-such-program': command not found in PATH",
    ),
    "no such file": (["--", "./gone"], 2, "'./gone': no such file"),
    "no program": ([], 2, "Missing argument 'PROGRAM...'"),
    "unknown recorder": (["--with", "gdb", "--", "true"], 2, "'gdb' is not one of"),
    "memray of no Python": (["--with", "memray", "--", "true"], 3, "memray records Python only"),
    "no directory": (
        ["-o", "gone/out", "--", "touch", "ran"],
        2,
        "cannot write 'gone/out': no such directory",
    ),
    "directory": (["-o", ".", "--", "touch", "ran"], 2, "is a directory"),
    "other format": (["-o", "x.txt.gz", "--", "touch", "ran"], 2, "name the file *.allocsim"),
}


@pytest.mark.parametrize(("arguments", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_errors_come_before_the_program_runs(
    record: Record, tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    ended = record(*arguments)
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert list((tmp_path / "place").iterdir()) == []


def test_existing_file_is_not_overwritten(record: Record, tmp_path: Path) -> None:
    (tmp_path / "place" / "touch.allocsim").write_text("old")
    ended = record("--", "touch", "ran")
    assert ended.status == 2
    assert "'touch.allocsim' already exists; use --force to overwrite it" in ended.err
    assert not (tmp_path / "place" / "ran").exists()
    assert (tmp_path / "place" / "touch.allocsim").read_text() == "old"


def test_file_that_is_not_executable_is_an_error(record: Record, tmp_path: Path) -> None:
    (tmp_path / "place" / "script").write_text("#!/bin/sh\n")
    ended = record("--", "./script")
    assert ended.status == 2
    assert "'./script' is not executable" in ended.err
