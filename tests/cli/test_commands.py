"""Each command: its workload and its output."""

import gzip
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from allocsim import __version__
from allocsim.cli import COMMANDS, LazyGroup, cli, trace
from allocsim.core.jit import PURE
from allocsim.designs import SUMMARIES, find_design
from allocsim.jobs import bundled_jobs, opening_comment
from allocsim.libraries.find import KNOWN
from allocsim.reports.trace_warnings import NO_THREAD_ENDS, NO_THREADS
from tests.cli.conftest import File, Run


@pytest.mark.parametrize("group", [cli, trace.command], ids=lambda group: group.name)
def test_commands_are_listed_by_the_first_line_of_their_help(group: LazyGroup) -> None:
    context = click.Context(group)
    commands = {name: group.get_command(context, name) for name in group.summaries}
    shown = {name: command.get_short_help_str(200) for name, command in commands.items() if command}
    assert shown == group.summaries


def workload(run: Run, line: str) -> dict[str, Any]:
    """Return the workload of a run, from its JSON object."""
    ended = run(f"{line} --json")
    assert ended.status == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found["workload"] | {"events": found["events"], "seed": found["seed"]}


def test_version(run: Run) -> None:
    ended = run("--version")
    assert (ended.status, ended.out) == (0, f"allocsim, version {__version__}\n")


@pytest.mark.parametrize("name", [*COMMANDS, ""])
def test_help_of_every_command_fits_100_columns(name: str) -> None:
    arguments = [name, "--help"] if name else ["-h"]
    result = CliRunner().invoke(cli, arguments, terminal_width=100)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    assert max(len(line) for line in result.output.splitlines()) <= 100


def test_random_takes_its_parameters(run: Run) -> None:
    line = "random --ops 1e2 --slots 2^3 --max-size 4K --threads 3 --sizes uniform --seed 9"
    found = workload(run, line)
    assert found["size"] == {"distribution": "uniform", "min": 1, "max": 4096}
    assert (found["events"], found["slots"], found["threads"], found["seed"]) == (100, 8, 3, 9)


@pytest.mark.parametrize(
    ("sizes", "law"),
    [
        ("log-uniform", {"distribution": "log-uniform", "max": 100}),
        ("uniform", {"distribution": "uniform", "min": 1, "max": 100}),
        ("fixed", {"distribution": "fixed", "bytes": 100}),
    ],
)
def test_sizes_of_random_have_a_distribution(run: Run, sizes: str, law: dict[str, object]) -> None:
    assert workload(run, f"random --ops 10 --max-size 100 --sizes {sizes}")["size"] == law


def test_repeat_of_one_size(run: Run) -> None:
    found = workload(run, "repeat --size 100 --rounds 5")
    assert (found["sizes"], found["events"]) == ([100], 10)


def test_repeat_of_all_sizes(run: Run) -> None:
    found = workload(run, "repeat --rounds 2 --touch none")
    assert (len(found["sizes"]), found["events"]) == (23, 92)


def test_run_of_a_job_file(run: Run, file: File) -> None:
    file("my.toml", 'kind = "pipeline"\nops = 50\nseed = 4\n')
    found = workload(run, "run my.toml")
    assert (found["name"], found["kind"], found["events"], found["seed"]) == (
        "my.toml",
        "pipeline",
        50,
        4,
    )
    assert workload(run, "run my.toml --seed 5")["seed"] == 5


@pytest.mark.parametrize("name", ["repeat"] if PURE else [path.stem for path in bundled_jobs()])
def test_run_of_a_bundled_job(run: Run, name: str) -> None:
    if PURE:
        assert "kind =" in next(p for p in bundled_jobs() if p.stem == name).read_text()
    else:
        assert workload(run, f"run {name}")["name"] == name


RECORDED = "1: malloc 0x10 5\n2: malloc 0x20 6\n1: free 0x10\n2: thread_done 0x0\n1: free 0x99\n"


def test_replay_of_a_recording(run: Run, file: File) -> None:
    file("my.txt", RECORDED)
    ended = run("replay my.txt")
    assert ended.status == 0
    first = ended.out.splitlines()[0]
    assert first.startswith("my.txt on glibc: 3 events, ")
    assert first.endswith(" ns/event; --design selects another allocator")
    assert "dropped or repaired calls: free of unknown (1)" in ended.out


@pytest.mark.parametrize("name", ["glibc", "go2008"])
def test_named_design_needs_no_advice(run: Run, file: File, name: str) -> None:
    file("my.txt", RECORDED)
    first = run(f"replay my.txt --design {name}").out.splitlines()[0]
    assert first.startswith(f"my.txt on {name}: 3 events, ")
    assert "--design" not in first


def test_replay_takes_a_format_and_a_process(run: Run, file: File) -> None:
    file("log", "noise\n--7-- malloc(5) = 0x10\n--8-- malloc(6) = 0x20\n--8-- free(0x20)\n")
    assert workload(run, "replay log")["events"] == 1
    found = workload(run, "replay log --format valgrind --process 8")
    assert (found["format"], found["events"]) == ("valgrind", 2)
    assert run("replay log --format valgrind").err.splitlines() == [
        "note: skipped lines that are not in the format: 1",
        "note: using process 7 only; dropped 2 calls of process 8 "
        "(select a process with --process PID)",
        f"warning: {NO_THREADS}",
    ]


def test_replay_warns_if_no_thread_of_several_ends(run: Run, file: File) -> None:
    """`compare` and `check` end the threads, so their footprints differ from that of `replay`."""
    calls = "1: malloc 0x10 5000\n2: malloc 0x20 100\n"
    file("two.txt", calls)
    file("ended.txt", f"{calls}2: thread_done 0x0\n")
    ended = run("replay two.txt")
    assert ended.err == f"warning: {NO_THREAD_ENDS}\n"
    assert json.loads(run("replay two.txt --json").out)["warnings"] == [NO_THREAD_ENDS]
    assert run("replay two.txt --threads one").err == ""
    assert run("replay ended.txt").err == ""
    assert run("random --ops 50 --threads 3").err == ""


def test_unknown_format_suggests_the_nearest(run: Run, file: File) -> None:
    file("log", "--7-- malloc(5) = 0x10\n")
    ended = run("replay log --format walgrind")
    assert ended.status == 2
    assert "unknown format 'walgrind' (did you mean 'valgrind'?)" in ended.err


def test_replay_on_one_thread_uses_one_cache(run: Run, file: File) -> None:
    """Only if two threads share a cache does one reuse an object that the other has freed."""
    file("my.txt", "1: malloc 0x10 5\n1: free 0x10\n2: malloc 0x20 5\n")
    line = "replay my.txt --design go2008"
    refills = {
        threads: json.loads(run(f"{line} --threads {threads} --json").out)["counters"]["refills"]
        for threads in ("recorded", "one")
    }
    assert refills == {"recorded": 2, "one": 1}


def test_help_is_the_same_after_every_command_was_loaded(run: Run) -> None:
    """Importing the module `cli.list` hides the builtin `list` in the package `cli`."""
    before = run("--help").out
    for name in COMMANDS:
        assert run(f"{name} --help").status == 0
    assert run("--help").out == before


def test_replay_reads_a_packed_recording(run: Run, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(gzip.compress(RECORDED.encode()))
    assert workload(run, "replay packed")["events"] == 3


@pytest.mark.skipif(PURE, reason="82,875 lines take a minute in pure mode")
def test_replay_of_the_bundled_recording(run: Run) -> None:
    ended = run("replay sqlite-orders --json")
    found = json.loads(ended.out)
    assert (found["peak_live"], found["at_end"]["parts"]["live"]) == (4_934_307, 10_041)
    assert found["dropped"] == {"free of NULL": 158}
    assert found["workload"]["name"] == "sqlite-orders"


def test_sizeclass_check_shows_the_table(run: Run) -> None:
    ended = run("sizeclass-check")
    assert (ended.status, ended.err) == (0, "")
    assert "go2008: " in ended.out
    assert json.loads(run("sizeclass-check --json").out)["design"] == "go2008"


@pytest.mark.parametrize("setting", ["", " --set tcache_count=3"])
def test_sizeclass_check_says_what_a_design_has_instead(run: Run, setting: str) -> None:
    ended = run(f"sizeclass-check --design glibc{setting}")
    instead = find_design("glibc").instead_of_classes
    assert (ended.status, ended.err) == (0, "")
    assert " ".join(ended.out.split()) == f"glibc has no size classes. {instead}"
    assert json.loads(run("sizeclass-check --design glibc --json").out)["instead"] == instead


def test_report_counts_what_the_design_calls_spans(run: Run) -> None:
    assert "\nchunks " in run("random --ops 200 --design glibc").out
    assert "\nspans " in run("random --ops 200").out


def test_sizeclass_check_names_the_first_mismatch(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from allocsim.core.size_classes import SizeClasses

    monkeypatch.setattr(SizeClasses, "mismatches", lambda _: iter(["size 9 is wrong", "10 too"]))
    ended = run("sizeclass-check")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "allocsim: error: go2008: size 9 is wrong (and 1 more)\n"


def listed(run: Run, what: str) -> str:
    """Return the words of a list that the command prints."""
    ended = run(f"list {what}")
    assert (ended.status, ended.err) == (0, "")
    return " ".join(ended.out.split())


def test_list_designs(run: Run) -> None:
    out = listed(run, "designs")
    assert all(f"{name} {summary}" in out for name, summary in SUMMARIES.items())


def test_list_designs_shows_their_parameters(run: Run) -> None:
    assert "--set release_rate=1 " in listed(run, "designs")
    assert "one of preload, dlopen, none" in listed(run, "designs")


def test_list_without_an_argument_prints_all_lists(run: Run) -> None:
    lines = run("list").out.splitlines()
    places = [lines.index(name) for name in ("designs", "workloads", "formats", "libraries")]
    assert places == sorted(places)


def test_list_workloads(run: Run) -> None:
    out = listed(run, "workloads")
    assert all(f"{path.stem} {opening_comment(path)}" in out for path in bundled_jobs())
    assert "sqlite-orders" in out


def test_list_formats(run: Run) -> None:
    shown = listed(run, "formats")
    assert shown.startswith("aosp Android memory_replay text")
    assert "allocsim allocsim's own file" in shown


def test_list_libraries(run: Run) -> None:
    out = listed(run, "libraries")
    assert all(name in out for name in KNOWN)
    assert "libc.so.6" in out


def test_bundled_job_is_shown_as_its_file(run: Run) -> None:
    ended = run("list workloads --show server")
    [job] = [path for path in bundled_jobs() if path.stem == "server"]
    assert (ended.status, ended.out) == (0, job.read_text())


def test_bundled_recording_is_described(run: Run) -> None:
    out = run("list workloads --show sqlite-orders").out
    assert out.startswith("`sqlite-orders.txt.gz`")
    assert "one run of the SQLite shell" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "list workloads --show servr",
            "'servr' (did you mean 'server'?)",
        ),
        ("list designs --show go2008", "--show needs `workloads`"),
        ("list --show server", "--show needs `workloads`"),
    ],
)
def test_show_needs_a_bundled_workload(run: Run, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
