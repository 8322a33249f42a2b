"""Runs whose input or output is broken, closed, full or a pipe."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import ENVIRONMENT, command, process


@pytest.mark.parametrize("arguments", [["list", "designs"], ["random", "--ops", "100", "--json"]])
def test_full_disk_is_3(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = process(*arguments, stdout=full)
    assert ended.status == 3
    assert ended.err == "allocsim: error: cannot write the output: No space left on device\n"


CLOSED = {
    "help": ["--help"],
    "version": ["--version"],
    "list": ["list", "designs"],
    "table": ["random", "--ops", "100"],
    "json": ["random", "--ops", "100", "--json"],
    "classes": ["sizeclass-check"],
    "long json": ["sizeclass-check", "--json"],
}


@pytest.mark.parametrize("arguments", CLOSED.values(), ids=CLOSED)
def test_closed_pipe_is_141_and_silent(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = process(*arguments, stdout=writing)
    finally:
        os.close(writing)
    assert (ended.status, ended.err) == (141, "")


def test_table_in_a_pipe_is_not_truncated() -> None:
    ended = process("random", "--ops", "100", env={**ENVIRONMENT, "TERM": "dumb"})
    assert "heap - released + metadata" in ended.out
    assert "…" not in ended.out
    assert "\x1b" not in ended.out


def test_output_in_ascii_only_is_no_error() -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    ended = process("random", "--ops", "100", env=environment)
    assert (ended.status, ended.err) == (0, "")


def test_standard_input_is_read() -> None:
    ended = process("replay", "-", "--json", input=b"1: malloc 0x10 5\n1: free 0x10\n")
    assert ended.status == 0
    assert json.loads(ended.out)["events"] == 2


def test_standard_input_that_is_broken_is_2() -> None:
    ended = process("replay", "-", input=b"1: malloc 0x10 5\noops\n")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("allocsim: error: standard input, line 2: found 'oops', expected")


def test_closed_standard_input_is_an_error() -> None:
    shell = shutil.which("sh") or "/bin/sh"
    line = " ".join(command("replay", "-"))
    child = subprocess.run(
        [shell, "-c", f"exec {line} <&-"], capture_output=True, env=ENVIRONMENT, check=False
    )
    assert b"Traceback" not in child.stderr
    assert child.returncode == 2
