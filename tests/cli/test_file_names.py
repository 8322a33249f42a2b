"""Odd names of files: every command reads and writes them, and prints them as plain text."""

import os
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import TEXT, Run
from tests.cli.test_hostile_names import require_plain

NAMES = (
    *(
        "-dash",
        "--json",
        "two\nlines",
        "\x1b[31mred",
        "\x9b31m",
        "\u202eabc",
        os.fsdecode(b"\xff\xfe"),
    ),
    *("x" * 255, " ", "[bold]x", "tcmalloc", "lib:glibc", "sqlite-orders", "a:b", "a,b=c", "$(id)"),
)
"""Names that look like options, markup, allocators, workloads or shell commands; names with control
characters, invalid UTF-8 or the separators of an allocator's settings; a name of maximum length."""

JOB = """kind = "random"
ops = 50
slots = 10
size = { distribution = "log-uniform", max = "1KiB" }
"""

READING = (
    "trace info {0}",
    "trace check {0}",
    "trace convert {0} copy.txt",
    "trace cut {0} cut.allocsim --to 2",
    "trace sample {0} sample.allocsim --keep 100%",
    "replay {0} --export-json o.json --export-csv o.csv --export-markdown o.md --html o.html",
    "explain {0} --on tcmalloc --no-what-if --html o.html --svg o.svg",
)

WRITING = (
    "trace convert --to aosp -- mine.txt {0}",
    "replay mine.txt --export-json {0}",
    "replay mine.txt --export-csv {0}",
    "replay mine.txt --export-markdown {0}",
    "replay mine.txt --html {0}",
    "replay mine.txt --svg {0}",
)


def require_success(run: Run, line: str, *words: str) -> None:
    """Require that a command succeeds and prints plain text."""
    ended = run("", *(word.format(*words) for word in line.split()))
    assert ended.status == 0, (line, ended.err)
    require_plain(ended.out)
    require_plain(ended.err)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_trace_of_any_name_is_read(run: Run, name: str) -> None:
    Path(name).write_text(TEXT)
    for line in READING:
        require_success(run, line, f"./{name}")


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_file_of_any_name_is_written(run: Run, text: Path, name: str) -> None:
    for line in WRITING:
        require_success(run, line, name)
        assert {path.name for path in Path().iterdir()} == {text.name, name}
        Path(name).unlink()


@pytest.mark.parametrize("name", [name[:250] for name in NAMES], ids=lambda name: ascii(name[:20]))
def test_a_job_of_any_name_is_run(run: Run, name: str) -> None:
    Path(f"{name}.toml").write_text(JOB)
    require_success(run, "run {0}", f"./{name}.toml")


@pytest.mark.parametrize("name", [name[:250] for name in NAMES], ids=lambda name: ascii(name[:20]))
def test_the_command_for_a_job_names_one_file(run: Run, name: str) -> None:
    Path(f"{name}.toml").write_text(JOB)
    ended = (
        run("replay", f"{name}.toml")
        if not name.startswith("-")
        else run("replay --", f"{name}.toml")
    )
    command = ended.err.partition("use `")[2].rpartition("`")[0]
    assert shlex.split(command)[:2] == ["allocsim", "run"]
    assert len(shlex.split(command)) == 3


def test_an_allocator_whose_path_is_not_utf8_is_an_error(run: Run, text: Path) -> None:
    path = os.fsdecode(b"./\xff.so")
    Path(path).write_bytes(b"")
    ended = run(f"compare {text.name} --on", f"lib:{path}")
    assert (ended.status, ended.out) == (2, "")
    assert "is not valid UTF-8; rename the file" in ended.err
