"""Fixtures for the command line."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim import cli
from tests.cli.running import Ended, without_notices

Run = Callable[..., Ended]

File = Callable[[str, str], Path]

TEXT = (
    "7: malloc 0x10 100\n7: free 0x0\n8: calloc 0x100 2 8\n7: free 0x10\n8: memalign 0x200 32 5\n"
    "8: realloc 0x300 0x100 50\n7: free 0x999\n8: free 0x300\n8: thread_done 0x0\n"
)
"""Six events on two threads, and two calls that are dropped."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run allocsim's main() in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_discard", lambda _: None)  # would redirect pytest's stdout

    def call(line: str, *more: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["allocsim", *shlex.split(line), *more])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert isinstance(end.value.code, int)
        return Ended(end.value.code, out, without_notices(err))

    return call


@pytest.fixture
def file(tmp_path: Path) -> File:
    """A function that writes a file into the empty directory."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def text(file: File) -> Path:
    """A recording in the empty directory."""
    return file("mine.txt", TEXT)


@pytest.fixture
def two(file: File) -> Path:
    """A file in the empty directory: a log of two processes, as Firefox writes it."""
    return file("two.txt", "1 1 malloc(1)=0x10\n2 2 malloc(2)=0x10\n2 2 free(0x10)\n")


def require_way_to_read(run: Run, line: str) -> None:
    """Require that `line` rejects an unknown --format, and --process with a job."""
    for source, option, message in (
        ("two.txt", "--format valgrin", "did you mean 'valgrind'"),
        (
            "server",
            "--process 2",
            "'server' is a job, not a recording: omit --format and --process",
        ),
    ):
        ended = run(f"{line.format(source)} {option}")
        assert (ended.status, ended.out) == (2, "")
        assert message in ended.err


def info(run: Run, name: str) -> dict[str, object]:
    """Return what `trace info` prints of a trace."""
    ended = run(f"trace info {name} --json")
    assert ended.status == 0, ended.err
    found: dict[str, object] = json.loads(ended.out)
    return found
