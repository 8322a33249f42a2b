"""How a run ends: 0, 1, 2, 3, 130, 141; a message each, and never a traceback."""

import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.running import ENVIRONMENT, command, heed_by_default, process, read_until
from tests.conftest import SCALE

File = Callable[[str, str], Path]

USAGE: dict[str, tuple[str, str]] = {
    "no command": ("", "Usage: allocsim"),
    "unknown command": ("rnadom", "No such command 'rnadom'"),
    "unknown option": ("random --opps 5", "--ops"),
    "unknown design": ("random --design go2009", "unknown design 'go2009': did you mean 'go2008'"),
    "unknown parameter": ("random --set cache=5", "unknown parameter of the design go2008 'cache'"),
    "startup without its name": (
        "random --design tcmalloc --set startup=linked",
        "startup=linked: expected one of preload, dlopen, none",
    ),
    "parameter of tcmalloc out of range": (
        "random --design tcmalloc --set release_rate=1001",
        "release_rate=1001: expected 0 to 1,000",
    ),
    "setting without value": ("random --set cache", "is no setting: expected KEY=VALUE"),
    "setting of sizeclass-check": ("sizeclass-check --set x=1", "unknown parameter"),
    "design of sizeclass-check": ("sizeclass-check --design x", "unknown design 'x'"),
    "unknown touch": ("random --touch all", "'all' is not one of"),
    "no ops": ("random --ops 0", "0 is not from 1 to"),
    "negative ops": ("random --ops -5", "-5 is not from 1 to"),
    "ops in words": ("random --ops many", "'many' is no count"),
    "option without value": ("random --ops", "requires an argument"),
    "no slots": ("random --slots 0", "0 is not from 1 to"),
    "too many threads": ("random --threads 65537", "65537 is not from 1 to 65536"),
    "negative seed": ("random --seed -1", "-1 is not from 0 to"),
    "seed too large": ("random --seed 2^63", "is not from 0 to"),
    "negative size": ("repeat --size -1", "'-1' is no size"),
    "size in words": ("repeat --size big", "'big' is no size"),
    "size of 128 TiB and more": ("repeat --size 129TiB", "more than the largest size"),
    "size of 30 digits": ("repeat --size " + "9" * 30, "more than the largest size"),
    "size of 5,000 digits": ("repeat --size " + "9" * 5000, "size"),
    "limit of 5,000 digits": ("repeat --limit " + "9" * 5000, "size"),
    "setting of 5,000 digits": ("repeat --set a=" + "9" * 5000, "unknown parameter"),
    "size beyond the reserve": ("repeat --size 65GiB", "are more than the 68719476736 that"),
    "size beyond a small reserve": ("repeat --size 2M --reserve 1M", "are more than the 1048576"),
    "largest size of a law": ("random --max-size 5GiB", "5GiB is not from 0 B to 4.0 GiB"),
    "no size of a law": ("random --max-size 0", "--max-size: 0 is no upper end of log-uniform"),
    "no reserve": ("random --reserve 0", "a reservation of 0 bytes: expected 1 MiB to 32 TiB"),
    "reserve beyond 32 TiB": ("random --reserve 33TiB", "expected 1 MiB to 32 TiB"),
    "negative limit": ("random --limit -1", "'-1' is no size"),
    "every 0": ("random --every 0", "0 is not from 1 to"),
    "check every 0": ("random --check-every 0", "0 is not from 1 to"),
    "unknown job": ("run servr", "unknown workload 'servr': did you mean 'server'"),
    "missing job": ("run gone.toml", "gone.toml: No such file"),
    "job that is a directory": ("run ./", "Is a directory"),
    "job of 300 letters": ("run " + "a" * 300, "aaaa"),
    "job file of 300 letters": ("run " + "a" * 300 + ".toml", "File name too long"),
    "missing trace": ("replay gone.txt", "gone.txt: No such file"),
    "trace that is a directory": ("replay .", "is a directory; one of LTTng's"),
    "trace of 300 letters": ("replay " + "a" * 300, "aaaa"),
    "threads of a trace": ("replay x --threads 5", "'5' is not one of"),
    "two traces": ("replay a b", "unexpected extra argument"),
    "unknown list": ("list thing", "'thing' is not one of"),
    "parameter of tcmalloc in words": (
        "random --design tcmalloc --set release_rate=fast",
        "release_rate=fast: expected 0 to 1,000",
    ),
    "recording as a job": ("run sqlite-orders", "is for `allocsim replay sqlite-orders`"),
    "job as a recording": ("replay server", "is for `allocsim run server`"),
    "two workloads to compare": ("compare server repeat", "two names are two saved results"),
    "setting of a subject": ("compare server --on tcmalloc:rate=3", "unknown parameter"),
    "value of a subject's setting": (
        "compare server --on tcmalloc:release_rate=-1",
        "release_rate=-1: expected 0 to 1,000",
    ),
    "setting named as Heap's own": ("random --set reserve=5", "unknown parameter of the design"),
    "setting named self": ("random --design tcmalloc --set self=5", "unknown parameter"),
    "no setting of a subject": ("compare server --on tcmalloc:fast", "expected KEY=VALUE"),
    "export to a directory": ("random --export-csv .", "is a directory"),
    "export to nowhere": ("random --export-csv gone/x", "there is no directory for it"),
}


@pytest.mark.parametrize(("line", "message"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_2(run: Run, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


FILES: dict[str, tuple[str, str, str]] = {
    "unknown key": ("my.toml", 'kind = "random"\noops = 5', "`oops`"),
    "no TOML": ("my.toml", "this is none", "my.toml: not TOML"),
    "unknown kind": ("my.toml", 'kind = "rendom"', "did you mean 'random'"),
    "no kind": ("my.toml", "", "a job needs a kind"),
    "too many live": (
        "my.toml",
        'kind = "phases"\n[[phase]]\nallocate = 5',
        "phase 1 allocates objects: it needs a size",
    ),
    "empty trace": ("my.txt", "", "my.txt: the trace is empty"),
    "binary trace": ("my.txt", "\x7fELF\0\0", "my.txt: found '\\x7fELF"),
}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    FILES.values(),
    ids=FILES,
)
def test_unusable_file_is_2(run: Run, file: File, name: str, text: str, message: str) -> None:
    file(name, text)
    ended = run(f"{'run' if name.endswith('toml') else 'replay'} {name}")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("allocsim: error: my.")
    assert message in ended.err


def test_broken_line_1000_is_2_and_named(run: Run, file: File) -> None:
    file("my.txt", "1: malloc 0x10 5\n1: free 0x10\n" * 499 + "1: free 0x10\n1: oops\n")
    ended = run("replay my.txt")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("allocsim: error: my.txt, line 1000: found '1: oops', expected TID")


def test_job_of_more_events_than_64_bits_count_ends_in_an_error_of_ours(
    run: Run, file: File
) -> None:
    """It can be begun; here it soon needs more memory than there is."""
    file(
        "my.toml",
        'kind = "sweep"\nfirst = "1TiB"\nlast = "128TiB"\nstep = 1\nobjects = 1\n'
        "rounds = 1_000_000_000_000_000\n",
    )
    ended = run("run my.toml")
    assert (ended.status, ended.out) == (3, "")
    assert "does not fit" in ended.err


def test_limit_is_1(run: Run) -> None:
    ended = run("random --ops 100 --limit 1KiB")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("allocsim: error: the footprint of ")


def test_frozen_heap_that_must_grow_is_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second round asks for more than the first."""
    from allocsim.events import no_events
    from allocsim.generators.repeat import Repeat

    honest = Repeat.events

    def growing(self: Repeat) -> object:
        yield from honest(self)
        more = no_events(1)
        more.request[:] = 8 << 20
        yield more

    monkeypatch.setattr(Repeat, "events", growing)
    ended = run("repeat --size 100 --rounds 2")
    assert (ended.status, ended.out) == (1, "")
    assert (
        "event 5 (object 0, thread 0, 8388608 bytes) needs more memory, and the heap" in ended.err
    )


def test_corruption_is_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from allocsim.heap import Heap

    monkeypatch.setattr(Heap, "check", lambda _: ["span 1 is wrong"])
    ended = run("random --ops 100 --check-every 10")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "allocsim: error: after event 10: span 1 is wrong\n"


@pytest.mark.parametrize("arguments", [["list", "designs"], ["random", "--ops", "100", "--json"]])
def test_full_disk_is_3(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = process(*arguments, stdout=full)
    assert ended.status == 3
    assert ended.err == "allocsim: error: cannot write the output: No space left on device\n"


def test_reservation_that_the_system_refuses_is_3() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    ended = process("random", "--ops", "100", preexec_fn=limit)
    assert (ended.status, ended.out) == (3, "")
    assert "refused 64.0 GiB of address space" in ended.err
    assert "reserve less with --reserve 1GiB" in ended.err


def test_smaller_reservation_helps_where_the_system_refuses() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    line = ("random", "--ops", "100", "--reserve", "1GiB", "--json")
    ended = process(*line, preexec_fn=limit)
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["events"] == 100


ENDLESS = """
kind = "phases"
rounds = 1_000_000_000_000
[[phase]]
allocate = 500
size = { distribution = "fixed", bytes = 100 }
free = 1
"""
"""A job whose chunks are short, so that a bar appears soon in pure mode too."""


def test_interrupt_is_130(file: File) -> None:
    """As soon as the progress bar says that events are being played."""
    terminal, end = pty.openpty()
    child = subprocess.Popen(
        command("run", file("my.toml", ENDLESS), "--every", "1e9"),
        stdout=subprocess.PIPE,
        stderr=end,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120"},
        preexec_fn=heed_by_default,
    )
    os.close(end)
    try:
        shown = read_until(terminal, b"events/s")
        child.send_signal(signal.SIGINT)
        shown += read_until(terminal, None)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    assert (child.returncode, out) == (130, b"")
    assert re.search(rb"allocsim: error: interrupted after [\d,]+ events", shown)
    assert b"Traceback" not in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l"), "the cursor stays hidden"


def test_interrupt_of_the_player_says_how_far_it_came(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from allocsim.generators.random import Random

    honest = Random.events

    def interrupted(self: Random) -> object:
        yield next(honest(self))
        raise KeyboardInterrupt

    monkeypatch.setattr(Random, "events", interrupted)
    ended = run(f"random --ops {100 * SCALE}")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err == f"allocsim: error: interrupted after {100 * SCALE:,} events\n"


def test_interrupt_outside_the_run_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("allocsim.jobs.make_generator", interrupt)
    ended = run("random")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.strip() == "allocsim: error: interrupted"


def test_machine_without_memory_is_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("allocsim.jobs.make_generator", no_memory)
    ended = run("random")
    assert (ended.status, ended.out) == (3, "")
    assert "the machine has no more for this run" in ended.err


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


def test_success_is_0_and_stderr_stays_empty() -> None:
    ended = process("random", "--ops", "100")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("random on go2008: 100 events")


def test_table_in_a_pipe_is_not_cut() -> None:
    ended = process("random", "--ops", "100", env={**ENVIRONMENT, "COLUMNS": "30", "TERM": "dumb"})
    assert "heap - released + metadata" in ended.out
    assert "…" not in ended.out
    assert "\x1b" not in ended.out


def test_output_in_ascii_only_is_no_error() -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    ended = process("random", "--ops", "100", env=environment)
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize("option", ["--export-json", "--export-csv", "--export-markdown"])
def test_file_name_of_any_bytes_is_no_error(tmp_path: Path, option: str) -> None:
    """The reports repeat the command line, which need not be UTF-8."""
    name = os.fsdecode(b"\xff.out")
    ended = process("random", "--ops", "100", option, name, cwd=tmp_path)
    assert ended.status == 0
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [b"\xff.out"]


def test_standard_input_is_read() -> None:
    ended = process("replay", "-", "--json", input=b"1: malloc 0x10 5\n1: free 0x10\n")
    assert ended.status == 0
    assert json.loads(ended.out)["events"] == 2


def test_standard_input_that_is_broken_is_2() -> None:
    ended = process("replay", "-", input=b"1: malloc 0x10 5\noops\n")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("allocsim: error: standard input, line 2: found 'oops', expected")


def test_standard_input_that_is_closed_is_an_error_of_ours() -> None:
    shell = shutil.which("sh") or "/bin/sh"
    line = " ".join(command("replay", "-"))
    child = subprocess.run(
        [shell, "-c", f"exec {line} <&-"], capture_output=True, env=ENVIRONMENT, check=False
    )
    assert b"Traceback" not in child.stderr
    assert child.returncode == 2


@pytest.mark.parametrize(
    "line",
    ["trace check {}", "trace info {}", "replay {}", "trace convert {} {}.allocsim", "run {}"],
)
@pytest.mark.parametrize("text", ["1: malloc 0x10 8\n", "no trace"])
def test_name_of_a_file_moves_no_cursor(run: Run, file: File, line: str, text: str) -> None:
    name = "\x1b[2J\nallocsim: error: \x07.txt"
    file(name, text)
    ended = run(line.replace("{}", f"'{name}'"))
    assert not {"\x1b", "\x07"} & {*ended.out, *ended.err}
    assert "\nallocsim: error: \\x07.txt" not in f"\n{ended.out}\n{ended.err}"


def test_option_that_is_refused_moves_no_cursor(run: Run) -> None:
    ended = run("random", "--every=\x1b[2J")
    assert ended.status == 2
    assert "\x1b" not in ended.err
