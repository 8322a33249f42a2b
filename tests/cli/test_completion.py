"""Shell completion: completions of a word, found without importing Numba."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from allocsim.benchmark.subject import PREFIX
from allocsim.cli.completion import COLUMNS, DESIGNS, FORMATS, LIBRARIES
from allocsim.designs import SUMMARIES
from allocsim.jobs import bundled_jobs, bundled_traces
from allocsim.libraries.find import KNOWN
from allocsim.reports.comparison import ALL_COLUMNS
from allocsim.traces.native.header import NAME
from allocsim.traces.readers import FORMATS as READERS
from tests.cli.conftest import Run
from tests.cli.running import MEASURED, command


def completed(line: str, place: Path) -> list[tuple[str, str]]:
    """Return the type and value of each completion that bash gets for a line's last word."""
    words = line.split(" ")
    environment = MEASURED | {
        "_ALLOCSIM_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        command(), capture_output=True, text=True, env=environment, cwd=place, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [entry.partition(",") for entry in done.stdout.splitlines() if entry]
    return [(kind, value) for kind, _, value in lines]


def values(line: str, place: Path) -> list[str]:
    """Return the plain completions that bash gets."""
    return [value for kind, value in completed(line, place) if kind == "plain"]


def test_names_are_those_of_the_registries() -> None:
    assert tuple(SUMMARIES) == DESIGNS
    assert tuple(f"{PREFIX}{name}" for name in KNOWN) == LIBRARIES
    assert sorted(FORMATS) == sorted([*(form.name for form in READERS), NAME])
    assert sorted(COLUMNS) == sorted(column.key for column in ALL_COLUMNS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("allocsim rep", ["replay", "repeat"]),
        ("allocsim trace c", ["check", "convert", "cut"]),
        ("allocsim replay sql", ["sqlite-orders"]),
        ("allocsim random --design t", ["tcmalloc"]),
        ("allocsim compare x --on go", ["go2008", "go"]),
        ("allocsim compare x --on go2008,lib:j", ["go2008,lib:jemalloc"]),
        (
            "allocsim compare x --on go,lib:glibc:arena_max=1:a",
            ["go,lib:glibc:arena_max=1:arena_test="],
        ),
        ("allocsim compare x --sort kept", ["kept", "kept-later"]),
        ("allocsim replay x --format glibc", ["glibc-wl", "glibc-mtrace"]),
        ("allocsim random --set release_rate=1 --touch f", ["first", "full"]),
        ("allocsim help ex", ["exit-status"]),
        ("allocsim list workloads --show sq", ["sqlite-steady", "sqlite-orders"]),
    ],
)
def test_last_word_is_completed(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert values(line, tmp_path) == expected


def test_workloads_are_names_and_files(tmp_path: Path) -> None:
    (tmp_path / "server.allocsim").touch()
    (tmp_path / ".server").touch()
    found = values("allocsim compare ", tmp_path)
    names = {*(path.stem for path in bundled_jobs()), *bundled_traces()}
    assert {*found} == {*names, "server.allocsim"}
    assert values("allocsim compare serv", tmp_path) == ["server", "server.allocsim"]


def test_path_is_left_to_the_shell(tmp_path: Path) -> None:
    assert completed("allocsim replay some/where", tmp_path) == [("file", "some/where")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_a_shell(shell: str) -> None:
    environment = {**os.environ, "_ALLOCSIM_COMPLETE": f"{shell}_source"}
    done = subprocess.run(command(), capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_ALLOCSIM_COMPLETE={shell}_complete" in done.stdout


def test_completion_does_not_import_numba(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom allocsim import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numba', 'numpy', 'rich', 'msgspec'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = MEASURED | {
        "_ALLOCSIM_COMPLETE": "bash_complete",
        "COMP_WORDS": "allocsim compare server --set a=b --on go2008,",
        "COMP_CWORD": "6",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment,
        cwd=tmp_path, check=True,
    )  # fmt: skip
    assert done.stderr == "[]\n"


BROKEN = {
    "unknown shell": ({}, "unusable _ALLOCSIM_COMPLETE; "),
    "no words": ({"_ALLOCSIM_COMPLETE": "zsh_complete"}, "unusable COMP_WORDS or COMP_CWORD; "),
    "word without a number": (
        {"_ALLOCSIM_COMPLETE": "bash_complete", "COMP_WORDS": "allocsim", "COMP_CWORD": "\x1b[31m"},
        "unusable COMP_WORDS or COMP_CWORD; ",
    ),
}


@pytest.mark.parametrize(("variables", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_request_of_a_shell_is_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in ({"_ALLOCSIM_COMPLETE": "\x1b[31mred"} | variables).items():
        monkeypatch.setenv(name, value)
    ended = run("")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"allocsim: error: {message}`allocsim help completion` says how to set up completion\n"
    )


def test_file_whose_name_has_control_characters_is_no_completion(tmp_path: Path) -> None:
    for name in ("server.txt", "server\nplain,$(true)", "server\x1b[31m"):
        (tmp_path / name).touch()
    assert values("allocsim run serv", tmp_path) == ["server", "server.txt"]
