"""Start-up where something is missing, closed or broken: allocsim works, or reports the problem."""

import json
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import (
    ENVIRONMENT,
    PATIENCE,
    Ended,
    command,
    default_signals,
    process,
    without_notices,
)

LINE = ("random", "--ops", "100", "--json")

SHELL = shutil.which("sh") or "/bin/sh"


def in_shell(suffix: str, *arguments: str, place: Path) -> Ended:
    """Run allocsim in a shell that redirects as `suffix` says."""
    line = f"exec {shlex.join(command(*arguments))} {suffix}"
    child = subprocess.run(
        [SHELL, "-c", line], capture_output=True, env=ENVIRONMENT, cwd=place, check=False
    )
    assert b"Traceback" not in child.stderr
    return Ended(child.returncode, child.stdout.decode(), without_notices(child.stderr.decode()))


REFUSED = "allocsim: error: cannot write the output: Bad file descriptor\n"

CLOSED: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "standard input": ("<&-", LINE, 0, ""),
    "standard output": (">&-", LINE, 3, REFUSED),
    "standard output of a table": (">&-", LINE[:-1], 3, REFUSED),
    "standard output of help": (">&-", ("--help",), 3, REFUSED),
    "standard output of a list": (">&-", ("list", "designs"), 3, REFUSED),
    "standard error": ("2>&-", LINE, 0, ""),
    "standard error of an error": ("2>&-", ("replay", "gone"), 2, ""),
    "standard error of a usage error": ("2>&-", ("rnadom",), 2, ""),
    "all": ("<&- >&- 2>&-", LINE, 3, ""),
    "no room for the name of an export": ("2>/dev/full", (*LINE, "--export-csv", "x"), 0, ""),
    "no room on standard error": ("2>/dev/full", ("replay", "gone"), 2, ""),
    "no room on standard error of a usage error": ("2>/dev/full", ("rnadom",), 2, ""),
}


@pytest.mark.parametrize(
    ("suffix", "arguments", "status", "message"), CLOSED.values(), ids=[*CLOSED]
)
def test_file_that_is_closed_is_no_traceback(
    tmp_path: Path, suffix: str, arguments: tuple[str, ...], status: int, message: str
) -> None:
    ended = in_shell(suffix, *arguments, place=tmp_path)
    assert (ended.status, ended.err) == (status, message)
    assert bool(ended.out) == (status == 0)


def test_report_does_not_get_what_is_written_to_a_closed_file(tmp_path: Path) -> None:
    """If a report is opened carelessly, it gets the descriptor number of standard error."""
    ended = in_shell("<&- 2>&-", *LINE, "--export-json", "out.json", place=tmp_path)
    assert ended.status == 0
    assert json.loads((tmp_path / "out.json").read_text())["events"] == 100


def test_removed_current_directory_is_named(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    line = f"rmdir {place} && exec {shlex.join(command(*LINE, '--export-csv', 'out'))}"
    child = subprocess.run(
        [SHELL, "-c", line], capture_output=True, env=ENVIRONMENT, cwd=place, check=False
    )
    assert (child.returncode, child.stdout) == (3, b"")
    assert b"allocsim: error: the current directory no longer exists" in child.stderr


SURROUNDINGS: dict[str, dict[str, str]] = {
    "unwritable home": {"HOME": "/proc", "XDG_CACHE_HOME": ""},
    "empty home": {"HOME": "", "XDG_CACHE_HOME": ""},
    "no temporary directory": {"TMPDIR": "/nowhere"},
    "no place to write": {"TMPDIR": "/nowhere", "HOME": "/proc", "XDG_CACHE_HOME": "/proc/x"},
    "cache that is a file": {"NUMBA_CACHE_DIR": "/dev/null", "XDG_CACHE_HOME": "/dev/null"},
    "plain C": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "one column": {"COLUMNS": "1", "LINES": "1"},
    "columns in words": {"COLUMNS": "many"},
    "negative columns": {"COLUMNS": "-5"},
    "dumb terminal": {"TERM": "dumb"},
    "no terminal": {"TERM": ""},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "no docstrings": {"PYTHONOPTIMIZE": "2"},
}


@pytest.mark.parametrize("changed", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_surroundings_do_not_matter(changed: dict[str, str]) -> None:
    ended = process("sizeclass-check", env=ENVIRONMENT | changed)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out


@pytest.mark.compiled
def test_interrupt_while_kernels_are_compiled_is_130(tmp_path: Path) -> None:
    """The kernel cache is empty. The interrupt follows the notice "compiling"."""
    environment = ENVIRONMENT | {"XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    with subprocess.Popen(
        command("random", "--ops", "1e12", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=default_signals,
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith(b"allocsim: compiling ")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out) == (130, b"")
    message = without_notices(err.decode())
    assert message.startswith("allocsim: error: interrupted")  # "after 0 events" may follow
    assert message.count("\n") == 1


@pytest.mark.parametrize("arguments", [("random", "--help"), ("list", "formats")])
def test_modules_of_the_current_directory_are_not_run(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    for name in ("click", "rich", "numpy", "msgspec", "pyarrow", "difflib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('it ran')")
    ended = process(*arguments, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
