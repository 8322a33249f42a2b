"""`allocsim trace`: each command, what it writes and says, and how it ends when it cannot."""

import gzip
import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from allocsim.cli.trace import COMMANDS, command
from allocsim.traces.store import is_stored
from tests.cli.conftest import Run
from tests.cli.running import ENVIRONMENT, process
from tests.cli.running import command as command_line

File = Callable[[str, str], Path]

TEXT = (
    "7: malloc 0x10 100\n7: free 0x0\n8: calloc 0x100 2 8\n7: free 0x10\n8: memalign 0x200 32 5\n"
    "8: realloc 0x300 0x100 50\n7: free 0x999\n8: free 0x300\n8: thread_done 0x0\n"
)
"""Six events on two threads, and two calls that are dropped."""


@pytest.fixture
def text(file: File) -> Path:
    """A recording in the empty directory."""
    return file("mine.txt", TEXT)


def info(run: Run, name: str) -> dict[str, object]:
    """The figures of a trace."""
    ended = run(f"trace info {name} --json")
    assert ended.status == 0, ended.err
    found: dict[str, object] = json.loads(ended.out)
    return found


FIGURES = ("events", "operations", "threads", "total_bytes", "peak_live", "sizes", "lifetimes",
           "live_at_end", "dropped")  # fmt: skip


def figures(run: Run, name: str) -> dict[str, object]:
    """The figures that are the same in every container."""
    found = info(run, name)
    return {figure: found[figure] for figure in FIGURES}


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
    assert ended.out.startswith("mine.txt (aosp): 6 events of 2 threads\n")
    assert "left out of the recording: free of NULL 1, free of unknown 1" in ended.out


def test_info_takes_a_job_too(run: Run, file: File) -> None:
    file("my.toml", 'kind = "pipeline"\nops = 50\nseed = 4\n')
    found = info(run, "my.toml")
    assert (found["events"], found["format"], found["seed"]) == (50, "job", 4)


def test_info_tells_notes_on_stderr(run: Run, file: File) -> None:
    file("cut.txt", TEXT + "7: mall")
    ended = run("trace info cut.txt --json")
    assert ended.status == 0
    assert ended.err.startswith("note: the recording stops early")
    json.loads(ended.out)


def test_check_of_a_sound_trace_passes_and_explains_drops(run: Run, text: Path) -> None:
    ended = run("trace check mine.txt")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("mine.txt is sound: 6 events of 2 threads\n")
    assert "does nothing, as the C standard has it" in ended.out


def test_strict_check_fails_on_drops(run: Run, text: Path, file: File) -> None:
    ended = run("trace check mine.txt --strict")
    assert ended.status == 1
    assert ended.err == (
        "allocsim: error: mine.txt: its import left out or mended 2 calls (--strict)\n"
    )
    file("clean.txt", "1: malloc 0x10 5\n")
    assert run("trace check clean.txt --strict").status == 0


def test_check_of_an_unsound_stream_fails(run: Run, text: Path) -> None:
    """The free becomes one of another object, within all bounds."""
    assert run("trace convert mine.txt mine.allocsim").status == 0
    path = Path("mine.allocsim")
    content = bytearray(path.read_bytes())
    content[-7 * 16 + 2 * 16 + 8] ^= 1
    path.write_bytes(content)
    ended = run("trace check mine.allocsim")
    assert ended.status == 1
    assert ended.out.startswith("mine.allocsim is not sound:\n  event ")
    assert ended.err.startswith("allocsim: error: mine.allocsim is not sound: event ")
    assert run("replay mine.allocsim").status == 2
    assert run("trace convert mine.allocsim again.allocsim").status == 2
    assert not Path("again.allocsim").exists()


@pytest.mark.parametrize("name", ["out.allocsim", "out.txt", "out.txt.gz"])
def test_converted_trace_has_the_same_figures(run: Run, text: Path, name: str) -> None:
    ended = run(f"trace convert mine.txt {name}")
    assert (ended.status, ended.out) == (0, "")
    assert re.fullmatch(
        rf"wrote {name}: 6 events, [\d.]+ K?i?B; left out: free of NULL 1, free of unknown 1\n",
        ended.err,
    )
    found, expected = figures(run, name), figures(run, "mine.txt")
    if name != "out.allocsim":  # text cannot hold what was dropped before
        expected["dropped"] = {}
    assert found == expected


def test_converted_trace_has_the_same_profile(run: Run, text: Path) -> None:
    run("trace convert mine.txt out.allocsim")
    with gzip.open("out.allocsim.gz", "wb") as file:
        file.write(Path("out.allocsim").read_bytes())
    profiles = []
    for name in ("mine.txt", "out.allocsim", "out.allocsim.gz"):
        ended = run(f"replay {name} --json")
        assert ended.status == 0, ended.err
        profile = json.loads(ended.out)
        profiles.append([profile[key] for key in ("at_peak", "at_end", "peak_live", "dropped")])
        profiles[-1][1].pop("resident")
    assert profiles[0] == profiles[1] == profiles[2]


def test_named_format_is_written_whatever_the_suffix(run: Run, text: Path) -> None:
    assert run("trace convert mine.txt out.bin --to allocsim").status == 0
    assert is_stored("out.bin")
    assert run("trace convert out.bin out.trace --to aosp").status == 0
    assert Path("out.trace").read_text().startswith("1: malloc 0x10000 100\n")


def test_job_is_converted_under_another_seed(run: Run, file: File) -> None:
    file("my.toml", 'kind = "random"\nops = 50\nslots = 5\nseed = 4\n')
    for seed in (4, 5):
        assert run(f"trace convert my.toml {seed}.allocsim --seed {seed}").status == 0
    assert run("trace convert my.toml same.allocsim").status == 0
    found = [Path(f"{name}.allocsim").read_bytes() for name in ("4", "5", "same")]
    assert found[0] == found[2] != found[1]
    assert info(run, "5.allocsim")["seed"] == 5


def test_existing_file_is_replaced_only_by_force(run: Run, text: Path, file: File) -> None:
    file("out.allocsim", "precious")
    for line in ("convert mine.txt", "cut mine.txt", "sample mine.txt --keep 1/2"):
        ended = run(f"trace {line} out.allocsim")
        assert (ended.status, ended.out) == (2, "")
        assert "'out.allocsim' is there already" in ended.err
        assert "--force" in ended.err
        assert Path("out.allocsim").read_text() == "precious"
    assert run("trace convert mine.txt out.allocsim --force").status == 0
    assert is_stored("out.allocsim")


def test_trace_may_be_converted_onto_itself_by_force(run: Run, text: Path) -> None:
    run("trace convert mine.txt out.allocsim")
    before = figures(run, "out.allocsim")
    assert run("trace convert out.allocsim out.allocsim --force").status == 0
    assert figures(run, "out.allocsim") == before


def test_cut_writes_a_stretch(run: Run, text: Path) -> None:
    ended = run("trace cut mine.txt out.allocsim --from 1 --to 5")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == (
        "note: left out by the cut: born before the cut 1, freed after the cut 2\n"
        "note: left out of the whole: free of NULL 1, free of unknown 1\n"
        "wrote out.allocsim: 1 event, 12.0 KiB\n"
    )
    found = info(run, "out.allocsim")
    assert (found["events"], found["dropped"]) == (1, {})
    assert run("trace check out.allocsim --strict").status == 0


def test_sample_writes_a_share_of_the_objects(run: Run, file: File) -> None:
    lines = [f"1: malloc 0x{16 * n:x} {n}\n1: free 0x{16 * n:x}\n" for n in range(1, 200)]
    file("many.txt", "".join(lines))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        line = f"trace sample many.txt {name}.allocsim --keep 1/4 --seed {seed}"
        assert run(line).status == 0
    a, b, c = (Path(f"{name}.allocsim").read_bytes() for name in "abc")
    assert a == b != c
    found = info(run, "a.allocsim")
    assert found["allocations"] == found["frees"]
    assert 25 < int(str(found["allocations"])) < 75
    assert run("trace sample many.txt all.allocsim --keep 1").status == 0
    assert info(run, "all.allocsim")["events"] == 398


def test_parquet_without_pyarrow_is_3(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = run("trace convert mine.txt out.parquet")
    assert (ended.status, ended.out) == (3, "")
    assert "pip install 'allocsim[parquet]'" in ended.err
    assert not Path("out.parquet").exists()


WRONG = {
    "no command": ("trace", "Usage: allocsim trace"),
    "unknown command": ("trace nope", "No such command 'nope'"),
    "no suffix": ("trace convert mine.txt out", "its name does not say in which format to write"),
    "unknown format": ("trace convert mine.txt out --to x", "'x' is not one of"),
    "missing trace": ("trace info gone.txt", "gone.txt: No such file"),
    "unknown name": ("trace info servr", "unknown workload 'servr': did you mean 'server'"),
    "missing source": ("trace convert gone.txt out.txt", "gone.txt: No such file"),
    "directory": ("trace convert mine.txt .", "its name does not say"),
    "directory of a name": ("trace convert mine.txt . --to aosp", "'.' is a directory"),
    "no directory": ("trace convert mine.txt gone/out.txt", "there is no directory for it"),
    "device": ("trace convert mine.txt /dev/null --to allocsim", "is no file"),
    "seed of a recording": ("trace convert mine.txt o.txt --seed 5", "has no seed"),
    "empty cut": ("trace cut mine.txt out.txt --from 5 --to 5", "--to 5 leaves nothing"),
    "negative cut": ("trace cut mine.txt out.txt --from -1", "-1 is not from 0 to"),
    "cut of no call": (
        "trace cut mine.txt out.txt --from 99",
        "no object of mine.txt is in that piece: nothing was written",
    ),
    "sample of nothing": ("trace sample mine.txt out.txt --keep 0", "0 is not above 0 and up to 1"),
    "sample of too much": ("trace sample mine.txt out.txt --keep 3/2", "3/2 is not above 0"),
    "sample in words": ("trace sample mine.txt out.txt --keep few", "'few' is no share"),
    "sample by zero": ("trace sample mine.txt out.txt --keep 1/0", "'1/0' is no share"),
    "sample of no number": ("trace sample mine.txt out.txt --keep nan", "nan is not above 0"),
    "sample unsaid": ("trace sample mine.txt out.txt", "Missing option '--keep'"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_2_and_writes_nothing(run: Run, text: Path, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert [path.name for path in Path().iterdir()] == ["mine.txt"]


TWO = "1 1 malloc(1)=0x10\n2 2 malloc(2)=0x10\n2 2 free(0x10)\n"
"""Firefox's log of two processes."""


@pytest.mark.parametrize(
    "line",
    [
        "info {} --json",
        "check {}",
        "convert {} out.allocsim",
        "cut {} out.allocsim",
        "sample {} out.allocsim --keep 1",
    ],
)
def test_format_and_process_are_chosen_as_for_replay(run: Run, file: File, line: str) -> None:
    file("two.txt", TWO)
    told = []
    for options in ("", " --process 2"):
        ended = run(f"trace {line.format('two.txt')} --format logalloc{options}")
        assert ended.status == 0, ended.err
        told.append(ended.err)
        for written in Path().glob("out.allocsim"):
            assert info(run, "out.allocsim")["events"] == (2 if options else 1)
            written.unlink()
    assert "only the calls of process 1 are taken" in told[0]
    assert "only the calls of process 2 are taken" in told[1]
    ended = run(f"trace {line.format('two.txt')} --format valgrin")
    assert (ended.status, ended.out) == (2, "")
    assert "did you mean 'valgrind'" in ended.err
    ended = run(f"trace {line.format('server')} --process 2")
    assert (ended.status, ended.out) == (2, "")
    assert "'server' is no recording: leave --format and --process out" in ended.err


@pytest.mark.parametrize("name", ["out.allocsim", "out.txt"])
def test_full_disk_is_3_and_leaves_what_was_there(text: Path, name: str) -> None:
    """The system refuses files of more than 8 KiB."""
    directory = text.parent
    (directory / name).write_bytes(b"old")
    text.write_text("".join(f"1: malloc 0x{16 * n:x} 5\n" for n in range(1, 600)))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    line = ("trace", "convert", "mine.txt", name, "--force")
    bare = {n: value for n, value in ENVIRONMENT.items() if not n.startswith("COVERAGE")}
    ended = process(*line, cwd=directory, preexec_fn=limit, env=bare)
    assert (ended.status, ended.out) == (3, "")
    assert ended.err == f"allocsim: error: cannot write '{name}': File too large\n"
    assert sorted(path.name for path in directory.iterdir()) == sorted(["mine.txt", name])
    assert (directory / name).read_bytes() == b"old"


def heed_by_default() -> None:
    """A shell starts what runs in its background with interrupts ignored, and children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    """As soon as the file beside is there."""
    (tmp_path / "my.toml").write_text('kind = "random"\nops = 1_000_000_000_000\nslots = 5\n')
    child = subprocess.Popen(
        command_line("trace", "convert", "my.toml", "out.allocsim"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=heed_by_default,
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not any(tmp_path.glob(".allocsim-*")):
            assert child.poll() is None
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGINT)
        _, told = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert re.search(rb"allocsim: error: interrupted.*\n$", told)
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]


@pytest.mark.parametrize("option", ["--process 5", "--format aosp"])
def test_our_own_file_leaves_no_choice_of_process_or_format(
    run: Run, text: Path, option: str
) -> None:
    assert run("trace convert mine.txt mine.allocsim").status == 0
    ended = run(f"trace info mine.allocsim {option}")
    assert ended.status == 2
    assert "holds the calls of one process: leave --format and --process out" in ended.err
