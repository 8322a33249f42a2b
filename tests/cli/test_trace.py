"""`allocsim trace`: its help, `info` and `check`, and the errors of each command."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from allocsim.cli.trace import COMMANDS, command
from tests.cli.conftest import File, Run, info
from tests.cli.running import ENVIRONMENT
from tests.cli.running import command as command_line


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_of_every_command_fits_100_columns(name: str) -> None:
    arguments = [name, "--help"] if name else ["--help"]
    result = CliRunner().invoke(command, arguments, terminal_width=100)
    assert result.exit_code == 0
    assert max(len(line) for line in result.output.splitlines()) <= 100
    assert "..." not in result.output.partition("Commands:")[2]


@pytest.mark.parametrize("module", [*COMMANDS])
def test_help_loads_nothing_heavy(module: str) -> None:
    statement = (
        "import sys\nfrom click.testing import CliRunner\nfrom allocsim.cli import cli\n"
        f"assert CliRunner().invoke(cli, ['trace', {module!r}, '--help']).exit_code == 0\n"
        "print({'numpy', 'numba', 'rich', 'msgspec', 'pyarrow'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [*command_line()[:1], "-c", statement],
        env=ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout == "set()\n"


def test_info_shows_what_is_in_a_trace(run: Run, text: Path) -> None:
    ended = run("trace info mine.txt")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("mine.txt (aosp): 6 events, 2 threads\n")
    assert "dropped or repaired calls: free of NULL (1), free of unknown (1)" in ended.out


def test_info_takes_a_job_too(run: Run, file: File) -> None:
    file("my.toml", 'kind = "pipeline"\nops = 50\nseed = 4\n')
    found = info(run, "my.toml")
    assert (found["events"], found["format"], found["seed"]) == (50, "job", 4)


def test_info_prints_notes_on_stderr(run: Run, two: Path) -> None:
    ended = run("trace info two.txt --json")
    assert ended.status == 0
    assert ended.err.startswith("note: using process 1 only")
    json.loads(ended.out)


def test_check_of_a_valid_trace_passes_and_explains_drops(run: Run, text: Path) -> None:
    ended = run("trace check mine.txt")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("mine.txt is valid: 6 events, 2 threads\n")
    assert "does nothing (C standard)" in ended.out


def test_strict_check_fails_on_drops(run: Run, text: Path, file: File) -> None:
    ended = run("trace check mine.txt --strict")
    assert ended.status == 1
    assert ended.err == ("allocsim: error: mine.txt: 2 calls dropped or repaired (--strict)\n")
    file("clean.txt", "1: malloc 0x10 5\n")
    assert run("trace check clean.txt --strict").status == 0


def test_check_of_an_invalid_trace_fails(run: Run, text: Path) -> None:
    """One byte is changed, so a free has another object id, which is within the bounds."""
    assert run("trace convert mine.txt mine.allocsim").status == 0
    path = Path("mine.allocsim")
    content = bytearray(path.read_bytes())
    content[-7 * 16 + 2 * 16 + 8] ^= 1
    path.write_bytes(content)
    ended = run("trace check mine.allocsim")
    assert ended.status == 1
    assert ended.out.startswith("mine.allocsim is not valid:\n  event ")
    assert ended.err.startswith("allocsim: error: mine.allocsim is not valid: event ")
    assert run("replay mine.allocsim").status == 2
    assert run("trace convert mine.allocsim again.allocsim").status == 2
    assert not Path("again.allocsim").exists()


WRONG = {
    "no command": ("trace", "Usage: allocsim trace"),
    "unknown command": ("trace nope", "No such command 'nope'"),
    "no suffix": ("trace convert mine.txt out", "no known format suffix"),
    "unknown format": ("trace convert mine.txt out --to x", "'x' is not one of"),
    "missing trace": ("trace info gone.txt", "gone.txt: No such file"),
    "unknown name": ("trace info servr", "unknown workload 'servr' (did you mean 'server'?)"),
    "missing source": ("trace convert gone.txt out.txt", "gone.txt: No such file"),
    "directory": ("trace convert mine.txt .", "no known format suffix"),
    "directory of a name": ("trace convert mine.txt . --to aosp", "'.' is a directory"),
    "no directory": ("trace convert mine.txt gone/out.txt", "no such directory"),
    "device": ("trace convert mine.txt /dev/null --to allocsim", "is not a regular file"),
    "seed of a recording": ("trace convert mine.txt o.txt --seed 5", "has no random seed"),
    "empty cut": ("trace cut mine.txt out.txt --from 5 --to 5", "--to (5) must be greater"),
    "negative cut": ("trace cut mine.txt out.txt --from -1", "'-1' is out of range; expected 0 to"),
    "cut of no call": (
        "trace cut mine.txt out.txt --from 99",
        "no object of mine.txt is in the chosen part: nothing was written",
    ),
    "sample of nothing": (
        "trace sample mine.txt out.txt --keep 0",
        "'0' is out of range",
    ),
    "sample of too much": ("trace sample mine.txt out.txt --keep 3/2", "'3/2' is out of range"),
    "sample in words": ("trace sample mine.txt out.txt --keep few", "invalid share 'few'"),
    "sample by zero": ("trace sample mine.txt out.txt --keep 1/0", "invalid share '1/0'"),
    "sample of no number": ("trace sample mine.txt out.txt --keep nan", "invalid share 'nan'"),
    "sample unsaid": ("trace sample mine.txt out.txt", "Missing option '--keep'"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_2_and_writes_nothing(run: Run, text: Path, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert [path.name for path in Path().iterdir()] == ["mine.txt"]
